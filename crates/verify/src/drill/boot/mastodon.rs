//! Mastodon as it is run in a boot: by Bundler, for as long as it is asked.

use super::{
    answers::{self, Expected},
    environment::redacted,
    http, not_tried,
    process::{EVIDENCE, Ended, Running, telling},
    ruby::Ruby,
};
use crate::{
    check::Env,
    drill::{Stop, space},
    error::VerifyError,
    finding::{Code, Finding},
};
use mastmaint_words::human;
use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

/// Measured: 7 s. A host that has much else to do gets longer.
const START: Duration = Duration::from_mins(5);
const ANSWER: Duration = Duration::from_mins(1);
/// Bundler looks for all gems in some seconds.
const LOOK: Duration = Duration::from_mins(5);
/// The step's own timeout is what ends a long one.
const MIGRATE: Duration = Duration::from_hours(12);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A Mastodon that is ready to be run.
pub(super) struct Mastodon<'a> {
    pub(super) variables: Vec<(String, String)>,
    pub(super) gems: Option<PathBuf>,
    pub(super) scratch: &'a Path,
    pub(super) name: &'a str,
    pub(super) env: &'a Env,
    pub(super) ruby: Ruby,
    pub(super) live: PathBuf,
}

impl Mastodon<'_> {
    /// Bundler with these words.
    fn bundle(&self, words: &[&str]) -> Command {
        let bin = &self.ruby.bin;
        let mut command = Command::new(bin.join("ruby"));
        command.arg(bin.join("bundle")).args(words);
        self.dressed(command)
    }

    /// In its own directory and with nothing of our environment.
    fn dressed(&self, mut command: Command) -> Command {
        let bin = &self.ruby.bin;
        command.current_dir(&self.live).env_clear();
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()));
        command.env("HOME", self.scratch.join("home")).env("BUNDLE_USER_HOME", self.scratch.join("home"));
        // Settings beside the code would come before these.
        command.env("BUNDLE_APP_CONFIG", self.scratch.join("home"));
        command.env("BUNDLE_FROZEN", "true").env("BUNDLE_WITHOUT", "development:test");
        // Not the version in Gemfile.lock, which Bundler would fetch.
        command.env("BUNDLE_VERSION", "system").env("BUNDLE_DISABLE_VERSION_CHECK", "true");
        command.envs(self.gems.as_ref().map(|gems| ("BUNDLE_PATH", gems)));
        command
    }

    fn run(&self, log: &str, words: &[&str]) -> Result<Running, Stop> {
        let log = self.scratch.join(log);
        Ok(Running::start(&mut self.bundle(words), &log).map_err(VerifyError::drill(self.scratch))?)
    }

    /// Lines of the shell, as somebody would type them in its directory. They are read from a file that nobody else may
    /// read, unlike a command line.
    pub(super) fn shell(&self, name: &str, lines: &str) -> Result<Running, Stop> {
        let of = || VerifyError::drill(self.scratch);
        let script = self.scratch.join(name);
        let mut file = File::options().create_new(true).write(true).mode(0o600).open(&script).map_err(of())?;
        file.write_all(lines.as_bytes()).and_then(|()| file.write_all(b"\n")).map_err(of())?;
        let mut command = Command::new("/bin/sh");
        command.arg(&script);
        let mut command = self.dressed(command);
        // What it says is shown a line at a time.
        command.env("NO_COLOR", "1");
        Ok(Running::start(&mut command, &script.with_added_extension("log")).map_err(of())?)
    }

    pub(super) fn has_its_gems(&self, is_cancelled: &dyn Fn() -> bool) -> Result<(), Stop> {
        let mut check = self.run("bundle.log", &["check"])?;
        match check.finish(LOOK, is_cancelled)? {
            Ended::Exited(status) if status.success() => Ok(()),
            Ended::Exited(_) => {
                let what = "Bundler does not find what its Gemfile needs";
                // It says in order what is wrong, and then what is missing.
                let said = check.said();
                let said = said.lines().filter(|line| !line.is_empty()).take(EVIDENCE);
                Err(not_tried(self.name, what).with(said.map(|line| redacted(line, self.env))).into())
            }
            Ended::TookTooLong => Err(not_tried(self.name, "Bundler does not come to an end").into()),
        }
    }

    pub(super) fn migrate(&self, is_cancelled: &dyn Fn() -> bool) -> Result<(), Stop> {
        let mut migration = self.run("migrate.log", &["exec", "rails", "db:migrate"])?;
        match migration.finish(MIGRATE, is_cancelled)? {
            Ended::Exited(status) if status.success() => Ok(()),
            Ended::Exited(status) => {
                let why = format!("`rails db:migrate` on the restored database ended with {status}");
                Err(self.failed(&why, &migration.said()).into())
            }
            Ended::TookTooLong => {
                Err(self.failed("`rails db:migrate` does not come to an end", &migration.said()).into())
            }
        }
    }

    pub(super) fn start(&self, socket: &Path) -> Result<Running, Stop> {
        let bind = format!("unix://{}", socket.display());
        self.run("puma.log", &["exec", "puma", "-C", "config/puma.rb", "-b", &bind])
    }

    /// Waits until it answers anything at all.
    pub(super) fn await_answer(
        &self,
        puma: &mut Running,
        socket: &Path,
        domain: &str,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<(), Stop> {
        let begun = Instant::now();
        loop {
            if http::get(socket, "/health", domain, Duration::from_secs(5), is_cancelled).is_ok() {
                return Ok(());
            }
            if let Some(status) = puma.ended().map_err(VerifyError::drill(self.scratch))? {
                return Err(self.ended(&status.to_string(), &puma.said()).into());
            }
            if begun.elapsed() > START {
                let why = format!("it does not answer {} after its start", human::span(START));
                return Err(self.failed(&why, &puma.said()).into());
            }
            if is_cancelled() {
                return Err(VerifyError::Cancelled.into());
            }
            thread::sleep(LOOK_EVERY);
        }
    }

    /// The name of its pages.
    pub(super) fn web_host<'s>(&'s self, domain: &'s str) -> &'s str {
        self.env.get("WEB_DOMAIN").unwrap_or(domain)
    }

    /// Stays up until the time is over or nobody waits any longer. Both are its right end.
    pub(super) fn hold(
        &self,
        puma: &mut Running,
        lasts: Duration,
        reserve: u64,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<(), Stop> {
        let begun = Instant::now();
        while begun.elapsed() < lasts && !is_cancelled() {
            if let Some(status) = puma.ended().map_err(VerifyError::drill(self.scratch))? {
                return Err(self.ended(&status.to_string(), &puma.said()).into());
            }
            if space::free(self.scratch)? < reserve {
                return Err(space::filled_up(self.name, self.scratch, []).into());
            }
            thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// The version that it tells, or why it is not what it should be.
    pub(super) fn ask(
        &self,
        socket: &Path,
        domain: &str,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<String, String> {
        let host = self.web_host(domain);
        let get = |path: &str| {
            http::get(socket, path, host, ANSWER, is_cancelled)
                .map_err(|error| format!("{path} was not answered: {error}"))
        };
        let about = get("/about")?;
        answers::page(&about).map_err(|why| format!("/about: {why}"))?;
        let code = fs::read_to_string(self.live.join("lib/mastodon/version.rb")).unwrap_or_default();
        let expected = Expected { domain, version: answers::version_of(&code) };
        let instance = get("/api/v2/instance")?;
        answers::instance(&instance, &expected).map_err(|why| format!("/api/v2/instance: {why}"))
    }

    /// It has ended by itself: because the host lacks something, or because the backup does.
    fn ended(&self, how: &str, said: &str) -> Finding {
        let is_of_host = said.lines().any(|line| line.contains("cannot open shared object file"));
        if is_of_host {
            let what = "a library that its gems were built with is not on this host";
            return not_tried(self.name, what).with(self.evidence(said));
        }
        self.failed(&format!("it ended with {how}"), said)
    }

    pub(super) fn failed(&self, why: &str, said: &str) -> Finding {
        let what = format!("Mastodon does not come up from {} and the dump: {why}", self.name);
        let advice = if self.live.join("public/packs").exists() {
            "See what it says; after a restore it would be the same."
        } else {
            "public/packs is not in the file backup: after a restore `rails assets:precompile` would have to be run first. Else see what it says."
        };
        Finding::fail(Code::BootFailed, what, advice).with(self.evidence(said))
    }

    pub(super) fn evidence(&self, said: &str) -> Vec<String> {
        telling(said).into_iter().map(|line| redacted(line, self.env)).collect()
    }
}

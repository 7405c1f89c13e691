//! Looks at a host: units, version, environment file, time zone. Changes nothing and runs nothing of Mastodon's.

use super::{
    backups, dotenv,
    host::{Apart, FoundInstance, FoundUnit, Host, Media},
    rivals, units,
};
use mastmaint_tootctl::Version;
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where unit files are; an earlier directory hides the same name in a later one.
pub(super) const UNIT_DIRS: [&str; 5] = [
    "etc/systemd/system",
    "run/systemd/system",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
/// Variables of a unit that commands of the instance need as well: how Ruby is found and how it manages memory.
const SHARED_VARIABLES: [&str; 5] =
    ["RAILS_ENV", "PATH", "LD_PRELOAD", "MALLOC_ARENA_MAX", "RUBY_YJIT_ENABLE"];
/// The configuration of a server that takes mail of its own host at port 25. One that only hands mail on as a program
/// (msmtp, dma) does not.
const MAIL_SERVERS: [&str; 3] =
    ["/etc/postfix/main.cf", "/etc/exim4/update-exim4.conf.conf", "/etc/smtpd.conf"];
/// No text that matters here is longer.
const MAX_TEXT: u64 = 1 << 20;

/// A host below a directory, and what of it could not be read.
pub(super) struct Looker {
    root: PathBuf,
    pub(super) unreadable: Vec<(PathBuf, String)>,
}

/// Everything that a first configuration cares about.
pub fn inspect(root: &Path) -> Host {
    let mut looker = Looker { root: root.to_owned(), unreadable: Vec::new() };
    let files = looker.unit_files();
    let mut all = looker.units(&files);
    if root == Path::new("/") && Path::new("/run/systemd/system").is_dir() {
        for unit in loaded_units() {
            all.insert(unit.name.clone(), unit);
        }
    }
    let rivals = rivals::find(&mut looker, &files, &all);
    let rival_units: Vec<String> = rivals::services(&mut looker, &all);
    let of_mastodon: Vec<FoundUnit> = all
        .into_values()
        .filter(|unit| unit.name.starts_with("mastodon-") && !rival_units.contains(&unit.name))
        .collect();
    let instance = looker.instance(&of_mastodon);
    let backups = backups::find(&mut looker, instance.as_ref().map(|instance| instance.live.as_path()));
    let timezone = looker.timezone();
    let takes_mail = MAIL_SERVERS.iter().any(|file| looker.at(Path::new(file)).is_file());
    looker.unreadable.sort();
    looker.unreadable.dedup();
    Host { timezone, instance, backups, rivals, takes_mail, unreadable: looker.unreadable }
}

impl Looker {
    /// A path of the host as this process sees it.
    pub(super) fn at(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The text of a file of the host; what is there and cannot be read is remembered.
    pub(super) fn read(&mut self, path: &Path) -> Option<String> {
        let here = self.at(path);
        let read = fs::metadata(&here).and_then(|about| {
            if about.is_file() && about.len() <= MAX_TEXT { fs::read(&here).map(Some) } else { Ok(None) }
        });
        match read {
            Ok(bytes) => bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            Err(e) => self.remember(path, &e),
        }
    }

    /// Names in a directory of the host, sorted.
    pub(super) fn list(&mut self, dir: &Path) -> Vec<String> {
        match fs::read_dir(self.at(dir)) {
            Ok(entries) => {
                let mut names: Vec<String> =
                    entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
                names.sort();
                names
            }
            Err(e) => self.remember(dir, &e).unwrap_or_default(),
        }
    }

    fn remember<T>(&mut self, path: &Path, error: &io::Error) -> Option<T> {
        // Absent, or below something that is no directory: there is nothing to read.
        if !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) {
            self.unreadable.push((Path::new("/").join(path), error.kind().to_string()));
        }
        None
    }

    /// Unit files by name, as the host knows them.
    fn unit_files(&mut self) -> BTreeMap<String, PathBuf> {
        let mut files = BTreeMap::new();
        for dir in UNIT_DIRS.map(|dir| Path::new("/").join(dir)) {
            for name in self.list(&dir) {
                if is_kind(&name, "service") || is_kind(&name, "timer") {
                    files.entry(name.clone()).or_insert_with(|| dir.join(name));
                }
            }
        }
        files
    }

    fn units(&mut self, files: &BTreeMap<String, PathBuf>) -> BTreeMap<String, FoundUnit> {
        let mut found = BTreeMap::new();
        for (name, file) in files.iter().filter(|(name, _)| is_kind(name, "service")) {
            let Some(text) = self.read(file) else { continue };
            let mut texts = vec![text];
            for dir in UNIT_DIRS.map(|dir| Path::new("/").join(dir).join(format!("{name}.d"))) {
                for part in self.list(&dir).iter().filter(|part| is_kind(part, "conf")) {
                    texts.extend(self.read(&dir.join(part)));
                }
            }
            let unit = units::parse(name, file.clone(), texts.iter().map(String::as_str));
            found.insert(name.clone(), unit);
        }
        found
    }

    /// The Mastodon that most of these units work in.
    fn instance(&mut self, found: &[FoundUnit]) -> Option<FoundInstance> {
        let mut votes: BTreeMap<&Path, usize> = BTreeMap::new();
        for directory in found.iter().filter_map(|unit| unit.directory.as_deref()) {
            *votes.entry(directory).or_default() += 1;
        }
        let live = votes.iter().max_by_key(|(_, count)| **count).map(|(live, _)| live.to_path_buf())?;
        let others = votes.into_keys().filter(|path| *path != live).map(Path::to_owned).collect();
        let of_it = |unit: &FoundUnit| unit.directory.as_ref().is_none_or(|directory| *directory == live);
        let units: Vec<FoundUnit> = found.iter().filter(|unit| of_it(unit)).cloned().collect();
        // A plain unit before a template, which may be a left-over that nothing is loaded from.
        let mut by_weight: Vec<&FoundUnit> = units.iter().collect();
        by_weight.sort_by_key(|unit| unit.name.contains('@'));
        let user = by_weight.iter().find_map(|u| u.directory.as_ref().and(u.user.clone()))?;
        let environment = shared_environment(&units);
        let version = self
            .read(&live.join("lib/mastodon/version.rb"))
            .and_then(|text| Version::from_ruby(&text))
            .map(|version| version.to_string());
        let mut instance =
            FoundInstance { live, user, units, environment, version, others, ..FoundInstance::default() };
        if let Some(text) = self.read(&instance.live.join(".env.production")) {
            let vars = dotenv::parse(&text);
            instance.local_domain = dotenv::local_domain(&vars);
            instance.domain = dotenv::domain(&vars);
            instance.database = dotenv::database(&vars);
            instance.redis = dotenv::redis(&vars);
            instance.pgbouncer = dotenv::pgbouncer(&vars);
            instance.media = dotenv::media(&vars, &instance.live);
            if let Media::Local { path, apart } = &mut instance.media {
                *apart = self.apart(path);
            }
        }
        Some(instance)
    }

    fn apart(&self, path: &Path) -> Option<Apart> {
        let here = self.at(path);
        if let Ok(target) = fs::read_link(&here) {
            return Some(Apart::Link(path.parent().unwrap_or(path).join(target)));
        }
        let own = fs::metadata(&here).ok()?.dev();
        let above = fs::metadata(here.parent()?).ok()?.dev();
        (own != above).then_some(Apart::Mount)
    }

    fn timezone(&mut self) -> Option<String> {
        let link = fs::read_link(self.at(Path::new("/etc/localtime"))).ok();
        let linked = link.and_then(|target| {
            target.to_str().and_then(|t| t.split_once("zoneinfo/")).map(|(_, zone)| zone.to_owned())
        });
        linked
            .or_else(|| {
                self.read(Path::new("/etc/timezone")).and_then(|text| text.lines().next().map(str::to_owned))
            })
            .map(|zone| zone.trim().to_owned())
            // A zone that this host has no data for would be a mistake in the configuration.
            .filter(|zone| jiff::tz::TimeZone::get(zone).is_ok())
    }
}

/// Whether a file's name has this ending; systemd takes it as written.
pub(super) fn is_kind(name: &str, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|found| found == ending)
}

/// The units that a running systemd has loaded, instances of templates among them.
fn loaded_units() -> Vec<FoundUnit> {
    let shown = Command::new("systemctl")
        .args(["show", "--no-pager"])
        .args(
            ["Id", "FragmentPath", "User", "WorkingDirectory", "Environment", "ExecStart"]
                .map(|p| format!("--property={p}")),
        )
        .arg("mastodon-*.service")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let Ok(shown) = shown else { return Vec::new() };
    String::from_utf8_lossy(&shown.stdout).split("\n\n").filter_map(units::parse_show).collect()
}

fn shared_environment(units: &[FoundUnit]) -> Vec<(String, String)> {
    let mut shared: Vec<(String, String)> = Vec::new();
    for name in SHARED_VARIABLES {
        let values = units.iter().filter_map(|unit| unit.environment.iter().rfind(|(k, _)| k == name));
        if let Some((_, value)) = values.into_iter().next() {
            shared.push((name.to_owned(), value.clone()));
        }
    }
    if !shared.iter().any(|(name, _)| name == "RAILS_ENV") {
        shared.insert(0, ("RAILS_ENV".to_owned(), "production".to_owned()));
    }
    shared
}

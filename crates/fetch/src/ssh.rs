//! ssh: its command line, and how it is started and ended.

use crate::{
    failure::Failure,
    said::{kept, meaning},
};
use mastmaint_verify::SSH_OPTIONS;
use mastmaint_words::{
    backup::{Pulled, REMOTE_KEYS},
    restore::Fetch,
};
use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::{self, JoinHandle},
};

const PROGRAM: &str = "/usr/bin/ssh";
/// ssh at work.
pub(crate) struct Ssh {
    child: Child,
    said: JoinHandle<String>,
    scratch: Scratch,
}

impl Ssh {
    /// Starts it; what the other host sends goes into `into`.
    pub(crate) fn start(pulled: &Pulled, fetch: &Fetch, into: File, scratch: &Path) -> Result<Self, Failure> {
        let scratch = Scratch::make(scratch).map_err(Failure::NoScratch)?;
        let mut command = Command::new(PROGRAM);
        command.args(words(pulled, fetch, &scratch.log())).env_clear().envs([
            ("PATH", "/usr/bin:/bin"),
            ("LC_ALL", "C.UTF-8"),
            ("HOME", "/nonexistent"),
        ]);
        command.stdin(Stdio::null()).stdout(into).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(Failure::NoSsh)?;
        // Else the reader of the pipe would never see its end.
        drop(command);
        let said = child.stderr.take();
        let said = thread::spawn(move || said.map(kept).unwrap_or_default());
        Ok(Self { child, said, scratch })
    }

    /// Waits for its end; ends it when nobody waits for it any more.
    pub(crate) fn end(mut self, pulled: &Pulled, is_left: impl Fn() -> bool) -> Result<(), Failure> {
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if !is_left() => {}
                Ok(None) => {
                    let _ = self.child.kill();
                    let _ = self.child.wait();
                    return Err(Failure::Left);
                }
                Err(error) => return Err(Failure::NoSsh(error)),
            }
        };
        let said = self.said.join().unwrap_or_default();
        let of_ssh = File::open(self.scratch.log()).map(kept).unwrap_or_default();
        meaning(pulled, status, &of_ssh, &said)
    }
}

/// The words of the command line. Nothing in them comes from who asks but the name of a generation and two switches.
fn words(pulled: &Pulled, fetch: &Fetch, log: &Path) -> Vec<OsString> {
    let from = &pulled.from;
    let mut words: Vec<OsString> = ["-F", "none", "-T", "-a", "-x"].map(Into::into).into();
    for option in SSH_OPTIONS.into_iter().chain(["IdentitiesOnly=yes", "ClearAllForwardings=yes"]) {
        words.extend(["-o".into(), option.into()]);
    }
    // In quotes: ssh takes what is between spaces for several files.
    let hosts = format!("UserKnownHostsFile=\"{}\"", pulled.known_hosts.display());
    words.extend(["-o".into(), hosts.into(), "-o".into(), "GlobalKnownHostsFile=/dev/null".into()]);
    words.extend(["-E".into(), log.into(), "-i".into(), pulled.ssh_key.clone().into_os_string()]);
    if let Some(port) = from.port() {
        words.extend(["-p".into(), port.to_string().into()]);
    }
    words.extend(["-l", from.user(), "--", from.host()].map(Into::into));
    words.push(asked(pulled, fetch).into());
    words
}

/// What the other host is asked for. A shell reads it there; no word of it means anything to one.
fn asked(pulled: &Pulled, fetch: &Fetch) -> String {
    let mut asked = format!("mastmaintctl send {}", pulled.from.backup());
    if let Some(generation) = &fetch.generation {
        asked.push_str(" --snapshot ");
        asked.push_str(generation);
    }
    for (is_wanted, option) in [(fetch.with_media, " --with-media"), (fetch.unproved, " --unproved")] {
        asked.push_str(if is_wanted { option } else { "" });
    }
    asked
}

/// A key as the configuration names it, wherever systemd has put it.
pub(crate) fn named(key: &Path) -> String {
    let name = key.file_name().unwrap_or_default().to_string_lossy();
    match name.strip_prefix("remote_") {
        Some(name) => Path::new(REMOTE_KEYS).join(name).display().to_string(),
        None => key.display().to_string(),
    }
}

/// A directory of our own for what ssh complains about, gone with us.
struct Scratch(PathBuf);

impl Scratch {
    fn make(above: &Path) -> io::Result<Self> {
        let path = above.join(format!("mastmaint-fetch-{}", std::process::id()));
        // One that lies there belonged to a process that was killed; no link is followed.
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    fn log(&self) -> PathBuf {
        self.0.join("ssh.log")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pulled(from: &str) -> Pulled {
        Pulled { from: from.parse().unwrap(), ssh_key: "/k/id".into(), known_hosts: "/k/known hosts".into() }
    }

    fn fetch(generation: Option<&str>) -> Fetch {
        Fetch {
            digest: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            backup: "offsite".parse().unwrap(),
            generation: generation.map(str::to_owned),
            with_media: generation.is_some(),
            unproved: false,
        }
    }

    #[test]
    fn ssh_asks_nobody_knows_its_host_and_has_one_key() {
        let line = |from: &str, generation| {
            let words = words(&pulled(from), &fetch(generation), Path::new("/s/log"));
            words.iter().map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>()
        };
        let usual = line("ssh://root@backup.example/nightly-files", None);
        assert_eq!(usual[..5], ["-F", "none", "-T", "-a", "-x"]);
        let options: Vec<_> = usual.windows(2).filter(|two| two[0] == "-o").map(|two| &two[1][..]).collect();
        assert_eq!(
            options,
            [
                "BatchMode=yes",
                "StrictHostKeyChecking=yes",
                "ConnectTimeout=30",
                "ServerAliveInterval=30",
                "ServerAliveCountMax=4",
                "IdentitiesOnly=yes",
                "ClearAllForwardings=yes",
                "UserKnownHostsFile=\"/k/known hosts\"",
                "GlobalKnownHostsFile=/dev/null",
            ]
        );
        let tail = usual.iter().position(|w| w == "-E").unwrap();
        assert_eq!(
            usual[tail..],
            [
                "-E",
                "/s/log",
                "-i",
                "/k/id",
                "-l",
                "root",
                "--",
                "backup.example",
                "mastmaintctl send nightly-files"
            ]
        );
        let other = line("ssh://mast@[2001:db8::1]:2222/files", Some("daily.1"));
        let tail = other.iter().position(|w| w == "-p").unwrap();
        assert_eq!(
            other[tail..],
            [
                "-p",
                "2222",
                "-l",
                "mast",
                "--",
                "2001:db8::1",
                "mastmaintctl send files --snapshot daily.1 --with-media"
            ]
        );
    }

    #[test]
    fn a_key_is_told_as_the_configuration_names_it() {
        assert_eq!(named(Path::new("/run/credentials/x/remote_id")), "/etc/mastmaintd/remote/id");
        assert_eq!(named(Path::new("/srv/keys/id")), "/srv/keys/id");
    }
}

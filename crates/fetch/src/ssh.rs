//! ssh: its command line, and what it and the other host say.

use crate::failure::Failure;
use mastmaint_verify::{Away, SSH_OPTIONS, away, shown};
use mastmaint_words::{
    backup::{Pulled, REMOTE_KEYS},
    restore::Fetch,
};
use std::{
    ffi::OsString,
    fs::{self, DirBuilder, File},
    io::{self, Read},
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread::{self, JoinHandle},
};

const PROGRAM: &str = "/usr/bin/ssh";
/// What is complained about at length is not kept.
const COMPLAINTS: u64 = 64 * 1024;
/// The longest sentence of another host that is told.
const SENTENCE: usize = 400;
/// The exit status by which ssh speaks of itself, and that of a shell that finds no program.
const OF_SSH: i32 = 255;
const NOT_FOUND: i32 = 127;
/// What is said of a connection of which nobody says anything.
const BROKE_OFF: &str = "the connection broke off";

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

/// What the end of it means. What ssh complains about stands in a file of its own: the other host can say whatever it
/// likes, and never in the name of ssh.
fn meaning(pulled: &Pulled, status: ExitStatus, of_ssh: &str, of_host: &str) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    let at = pulled.from.clone();
    Err(match status.code() {
        Some(NOT_FOUND) => Failure::NoProgram { at, says: last_words(of_host) },
        Some(status) if status != OF_SSH => Failure::NotSent { at, says: last_words(of_host) },
        // A connection that breaks is told where the other host speaks, and so is a program there that was killed.
        _ if of_ssh.trim().is_empty() => {
            let says = if of_host.trim().is_empty() { BROKE_OFF.to_owned() } else { last_words(of_host) };
            Failure::Away { at, away: Away::NoAnswer(says) }
        }
        _ => match away(&tamed(of_ssh)) {
            Some(away) => Failure::Away { at, away },
            None => Failure::Ssh { at, says: last_words(of_ssh) },
        },
    })
}

/// Nothing that a terminal would obey.
fn tamed(text: &str) -> String {
    text.lines().map(|line| cut(&shown(line.as_bytes()))).collect::<Vec<_>>().join("\n")
}

/// The line in which somebody says what was wrong: the last error, or else the last line.
fn last_words(text: &str) -> String {
    let text = tamed(text);
    let mut lines = text.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let last = lines.clone().next().unwrap_or("it said nothing");
    lines.find(|line| line.contains("error: ")).unwrap_or(last).to_owned()
}

fn cut(line: &str) -> String {
    line.chars().take(SENTENCE).collect()
}

/// Keeps the first bytes of what is written, and reads the rest too: nobody must wait for us.
fn kept(mut from: impl Read) -> String {
    let mut kept = Vec::new();
    let _ = (&mut from).take(COMPLAINTS).read_to_end(&mut kept);
    let _ = io::copy(&mut from, &mut io::sink());
    String::from_utf8_lossy(&kept).into_owned()
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
    use std::os::unix::process::ExitStatusExt as _;

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
    fn each_end_has_its_own_sentence() {
        let of = |status: i32, of_ssh: &str, of_host: &str| {
            meaning(&pulled("ssh://root@b:2222/files"), ExitStatus::from_raw(status << 8), of_ssh, of_host)
        };
        assert!(of(0, "", "").is_ok());
        let code = |status, of_ssh: &str, of_host: &str| of(status, of_ssh, of_host).unwrap_err().code();
        let changed =
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\r\nHost key verification failed.\r\n";
        assert_eq!(code(255, changed, ""), "other-host");
        assert_eq!(code(255, "No ED25519 host key is known for b and you have requested", ""), "other-host");
        assert_eq!(code(255, "root@b: Permission denied (publickey).", ""), "wrong-key");
        for said in [
            "ssh: connect to host b port 22: Connection refused",
            "ssh: Could not resolve hostname b: Name or service not known",
            "Timeout, server b not responding.",
            "Connection to b closed by remote host.",
            "client_loop: send disconnect: Broken pipe",
        ] {
            assert_eq!(code(255, said, "Permission denied (publickey)"), "no-answer", "{said}");
        }
        assert_eq!(code(255, "something else", ""), "no-ssh");
        assert_eq!(code(127, "", "sh: 1: mastmaintctl: not found"), "not-sent");
        // The other host cannot speak in the name of ssh.
        let lied = of(1, "", "Host key verification failed.\x1b[2J\n").unwrap_err();
        assert_eq!(lied.code(), "not-sent");
        assert_eq!(
            lied.to_string(),
            "b (port 2222) does not send files: Host key verification failed.\\u{1b}[2J"
        );
        let said = "mastmaint-restore: error: files is not proved [not-proved]\nthe other host refuses it\n";
        assert!(
            of(1, "", said).unwrap_err().to_string().ends_with("error: files is not proved [not-proved]")
        );
        assert!(of(1, "", &"x".repeat(9999)).unwrap_err().to_string().len() < 500);
        let broken = of(255, "", "Connection to b closed by remote host.\r\n").unwrap_err();
        assert!(
            broken.code() == "no-answer" && broken.to_string().contains("closed by remote host"),
            "{broken}"
        );
        assert!(of(255, "", "").unwrap_err().to_string().contains(BROKE_OFF));
        let killed = meaning(&pulled("ssh://root@b/files"), ExitStatus::from_raw(9), "Connection reset", "");
        assert!(matches!(killed, Err(Failure::Away { away: Away::NoAnswer(_), .. })), "{killed:?}");
    }

    #[test]
    fn a_key_is_told_as_the_configuration_names_it() {
        assert_eq!(named(Path::new("/run/credentials/x/remote_id")), "/etc/mastmaintd/remote/id");
        assert_eq!(named(Path::new("/srv/keys/id")), "/srv/keys/id");
    }
}

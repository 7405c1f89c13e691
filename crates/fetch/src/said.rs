//! What ssh and the other host have said when it was over, and what that means.

use crate::failure::Failure;
use mastmaint_verify::{Away, away, shown};
use mastmaint_words::backup::Pulled;
use std::{
    io::{self, Read},
    process::ExitStatus,
};

/// What is complained about at length is not kept.
const COMPLAINTS: u64 = 64 * 1024;
/// The longest sentence of another host that is told.
const SENTENCE: usize = 400;
/// The exit status by which ssh speaks of itself, and that of a shell that finds no program.
const OF_SSH: i32 = 255;
const NOT_FOUND: i32 = 127;
/// What is said of a connection of which nobody says anything.
const BROKE_OFF: &str = "the connection broke off";

/// What the end of it means. What ssh complains about stands in a file of its own: the other host can say whatever it
/// likes, and never in the name of ssh.
pub(crate) fn meaning(
    pulled: &Pulled,
    status: ExitStatus,
    of_ssh: &str,
    of_host: &str,
) -> Result<(), Failure> {
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
pub(crate) fn kept(mut from: impl Read) -> String {
    let mut kept = Vec::new();
    let _ = (&mut from).take(COMPLAINTS).read_to_end(&mut kept);
    let _ = io::copy(&mut from, &mut io::sink());
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;

    fn pulled(from: &str) -> Pulled {
        Pulled { from: from.parse().unwrap(), ssh_key: "/k/id".into(), known_hosts: "/k/hosts".into() }
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
}

//! What ssh and the clients of object storages say when another host cannot be had. None of it says anything of the
//! backup that lies there, so none of it may be taken for damage.

use crate::{finding::Code, repository::Refusal, stream::Trouble};

/// Another host answers than the one that should, or nobody knows which one that is.
const OTHER_HOST: [&str; 4] = [
    "REMOTE HOST IDENTIFICATION HAS CHANGED",
    "host key is known for",
    "Host key verification failed",
    "x509: ",
];
const NOT_LET_IN: [&str; 8] = [
    "Permission denied (",
    "(401)",
    "401 Unauthorized",
    "403 Forbidden",
    "Access Denied",
    "AccessDenied",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
];
const NO_ANSWER: [&str; 17] = [
    "ssh command exited",
    "unable to start the sftp session",
    LOST,
    "Connection closed",
    "onnection refused",
    "onnection reset",
    "onnection timed out",
    "i/o timeout",
    "TLS handshake timeout",
    "no such host",
    "ould not resolve host",
    "roken pipe",
    "o route to host",
    "etwork is unreachable",
    "Operation timed out",
    "not responding",
    "closed by remote host",
];

/// What restic tries again and again although ssh has ended.
pub(crate) const LOST: &str = "connection lost";

/// Why another host cannot be had, with the line that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Away {
    /// It is not the host that it should be.
    OtherHost(String),
    /// It lets nobody in with the keys that are given.
    NotLetIn(String),
    /// It does not answer, or not any more.
    NoAnswer(String),
}

/// Why a repository on another host cannot be looked into, if it is for the way to it and not for what is there.
pub(crate) fn refused(at: &str, complaints: &str) -> Option<Refusal> {
    let at = at.to_owned();
    Some(match away(complaints)? {
        Away::OtherHost(says) => Refusal::OtherHost { at, says },
        Away::NotLetIn(says) => Refusal::NotLetIn { at, says },
        Away::NoAnswer(says) => Refusal::NoAnswer { at, says },
    })
}

/// What the words of ssh, or of a client of an object storage, say of the way to another host.
pub fn away(complaints: &str) -> Option<Away> {
    // What it tried again may have come to a good end.
    let is_over = |l: &&str| l.contains("retrying after") && !l.contains(LOST);
    let lines = || complaints.lines().filter(|l| !is_over(l));
    let line = |words: &[&str]| lines().find(|l| words.iter().any(|w| l.contains(w)));
    let says = |line: &str| line.trim().to_owned();
    if let Some(line) = line(&OTHER_HOST) {
        return Some(Away::OtherHost(says(line)));
    }
    if let Some(line) = line(&NOT_LET_IN) {
        return Some(Away::NotLetIn(says(line)));
    }
    line(&NO_ANSWER).map(|line| Away::NoAnswer(says(line)))
}

/// The same where something was being read.
pub(crate) fn trouble(complaints: &str) -> Option<Trouble> {
    let refusal = refused("the other host", complaints)?;
    let says = complaints.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_owned);
    Some(Trouble {
        code: Code::Unreadable,
        what: format!("was not read to its end: {refusal}"),
        advice: "See to the connection; nothing is known of the rest of it.",
        says: says.take(3).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_is_away_is_no_damage() {
        let of = |text: &str| refused("sftp:b@host:/x", text);
        let changed =
            "@@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\n";
        assert!(matches!(of(changed), Some(Refusal::OtherHost { says, .. }) if says.contains("CHANGED")));
        let unknown = "subprocess ssh: No ED25519 host key is known for [::1]:22 and you have requested strict checking.\nsubprocess ssh: Host key verification failed.\nFatal: unable to start the sftp session, error: EOF";
        assert!(matches!(of(unknown), Some(Refusal::OtherHost { says, .. }) if says.contains("ED25519")));
        let key = "Remote: b@host: Permission denied (publickey).\nConnection closed by remote host. Is borg working on the server?";
        assert!(matches!(of(key), Some(Refusal::NotLetIn { says, .. }) if says.contains("publickey")));
        let cut = "Connection closed by remote host. Is borg working on the server?\n";
        assert!(matches!(of(cut), Some(Refusal::NoAnswer { .. })));
        let lost = "Load(<data/0123456789>, 5, 0) returned error, retrying after 1s: connection lost";
        assert!(matches!(of(lost), Some(Refusal::NoAnswer { .. })));
        assert!(matches!(
            of("Fatal: dial tcp 10.0.0.1:443: connect: connection refused"),
            Some(Refusal::NoAnswer { .. })
        ));
        for said in [
            "Fatal: wrong password or no key found",
            "ciphertext verification failed",
            "Load(<data/01>) returned error, retrying after 1s: connection reset",
            "",
        ] {
            assert!(of(said).is_none(), "{said}");
            assert!(trouble(said).is_none());
        }
        assert_eq!(trouble(cut).unwrap().code, Code::Unreadable);
    }
}

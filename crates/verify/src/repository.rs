//! What repositories of restic and Borg have in common: how one refuses to be looked into, and who is at work in it.

use crate::{
    error::VerifyError,
    finding::{Code, Finding},
};
use jiff::Timestamp;
use std::{io, time::Duration};

/// Why a repository cannot be looked into.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no {0} on this host")]
    NoProgram(&'static str),
    #[error("there is no repository at {at}")]
    NoRepository { at: String, says: String },
    #[error("the password that is given does not open {at}")]
    WrongPassword { at: String, says: String },
    #[error("{at} cannot be read: {says}")]
    Unreadable { at: String, says: String },
    #[error("{at} is not on the host that it should be on: {says}")]
    OtherHost { at: String, says: String },
    #[error("nobody is let in at {at} with the keys that are given")]
    NotLetIn { at: String, says: String },
    #[error("{at} cannot be reached: {says}")]
    NoAnswer { at: String, says: String },
    #[error("{at} is damaged: {says}")]
    Damaged { at: String, says: String },
    #[error("ended before it was done")]
    Cancelled,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Refusal {
    /// As what people read; an error where it is none of the repository.
    pub(crate) fn finding(self, repository: &str) -> Result<Finding, VerifyError> {
        let what = self.to_string();
        Ok(match self {
            Self::NoProgram(program) => Finding::warn(
                Code::NotChecked,
                what,
                format!("Install the package {program}, or verify on a host that has it."),
            ),
            Self::NoRepository { says, .. } => Finding::fail(
                Code::NoBackup,
                what,
                "Perhaps a disk that is not mounted, or a mistake in `repository:`.",
            )
            .with([says]),
            Self::WrongPassword { says, .. } => Finding::fail(
                Code::WrongKey,
                what,
                "Whoever restores needs it: see that the right one is in the file of `password_file:` and in a safe place.",
            )
            .with([says]),
            Self::Unreadable { says, .. } => {
                Finding::fail(Code::Unreadable, what, "Mend what it says; nothing is known of the backup meanwhile.").with([says])
            }
            Self::OtherHost { says, .. } => Finding::fail(
                Code::OtherHost,
                what,
                "Nothing was sent to it. Compare the key that it has (there: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) with the one in the file of `known_hosts:`. If nobody has changed it, somebody else answers in its place.",
            )
            .with([says]),
            Self::NotLetIn { says, .. } => Finding::fail(
                Code::WrongKey,
                what,
                "See that the public half of `ssh_key:` is in authorized_keys there, or that the keys in the file of `environment_file:` may read.",
            )
            .with([says]),
            Self::NoAnswer { says, .. } => Finding::fail(
                Code::Unreadable,
                what,
                "See whether the host is up and the network reaches it; nothing is known of the backup meanwhile.",
            )
            .with([says]),
            Self::Damaged { says, .. } => {
                Finding::fail(Code::Damaged, what, "Look after the disk it lies on (smartctl -a, dmesg). Keep a copy of the repository before anything repairs it.").with([says])
            }
            Self::Cancelled => return Err(VerifyError::Cancelled),
            Self::Io(source) => return Err(VerifyError::Backup { path: repository.into(), source }),
        })
    }
}

/// Somebody who has locked a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Locker {
    pub(crate) host: String,
    pub(crate) pid: i32,
    /// When the lock was made or last renewed.
    pub(crate) at: Option<Timestamp>,
}

/// Whether somebody is at work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Locks {
    /// Locks of the living.
    pub(crate) held: Vec<Locker>,
    /// Locks of the dead.
    pub(crate) stale: Vec<Locker>,
}

impl Locks {
    /// Parts the living from the dead. A process of another host is taken for alive as long as its lock is younger
    /// than `good_for`; one of this host is asked for.
    pub(crate) fn of(
        lockers: Vec<Locker>,
        good_for: Duration,
        host: &str,
        now: Timestamp,
        is_alive: impl Fn(i32) -> bool,
    ) -> Self {
        let is_held = |locker: &Locker| {
            let is_young = locker.at.is_none_or(|at| {
                Duration::try_from(now.duration_since(at)).map_or(true, |age| age < good_for)
            });
            is_young && (locker.host != host || is_alive(locker.pid))
        };
        let (held, stale) = lockers.into_iter().partition(is_held);
        Self { held, stale }
    }

    /// The finding for locks that a dead process has left.
    pub(crate) fn left(&self, program: &str, unlock: &str) -> Option<Finding> {
        (!self.stale.is_empty()).then(|| {
            let each = |l: &Locker| match l.at {
                Some(at) => format!("process {} of {} since {}", l.pid, l.host, at.strftime("%Y-%m-%d %H:%M:%S UTC")),
                None => format!("process {} of {}", l.pid, l.host),
            };
            Finding::warn(
                Code::StaleLock,
                format!("a lock is left in the repository although the {program} that made it is gone"),
                format!("Its last run died, and the next may refuse to begin. See why, then remove the lock with `{unlock}`."),
            )
            .with(self.stale.iter().map(each))
        })
    }
}

/// The name of this host, as the programs write it into their locks.
pub(crate) fn host_name() -> String {
    nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_stale_by_age_or_by_a_dead_process_of_this_host() {
        let now: Timestamp = "2026-11-23T06:30:00Z".parse().unwrap();
        let ago = |minutes: u64| Some(now - Duration::from_mins(minutes));
        let held = |host: &str, pid, at| {
            let locker = Locker { host: host.to_owned(), pid, at };
            let locks = Locks::of(vec![locker], Duration::from_mins(30), "here", now, |pid| pid == 1);
            assert_eq!(locks.held.len() + locks.stale.len(), 1);
            !locks.held.is_empty()
        };
        assert!(held("here", 1, ago(5)));
        assert!(!held("here", 2, ago(5)), "its process is gone");
        assert!(held("there", 2, ago(5)), "nobody can tell");
        assert!(!held("there", 2, ago(31)));
        assert!(held("there", 2, Some(now + Duration::from_mins(1))), "its clock is ahead");
    }
}

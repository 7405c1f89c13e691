//! Names and ids: each a newtype that is checked once, where it is made.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{borrow::Borrow, fmt, str::FromStr};

/// A name that cannot be: says what is wrong and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given:?} is not usable: {rule}")]
pub struct NameError {
    what: &'static str,
    given: String,
    rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(given: String) -> Result<Self, NameError> {
                let check: fn(&str) -> bool = $check;
                if check(&given) { Ok(Self(given)) } else { Err(NameError { what: $what, given, rule: $rule }) }
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(given: &str) -> Result<Self, NameError> {
                Self::try_from(given.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

fn is_plain_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_'))
}

/// What stands before the name of a backup in the name of the job that verifies it by hand. No name of the config has
/// a colon.
const BY_HAND: &str = "verify:";
/// What stands behind it if everything is read.
const IN_FULL: &str = ":full";

fn is_job_name(name: &str) -> bool {
    let by_hand = name.strip_prefix(BY_HAND);
    is_plain_name(by_hand.map_or(name, |backup| backup.strip_suffix(IN_FULL).unwrap_or(backup)))
}

fn is_unit_name(name: &str) -> bool {
    // Never a leading dash: it would read as an option of systemctl. Never a glob: systemctl would expand it.
    (1..=255).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':' | '@' | '\\'))
}

fn is_program_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-'))
}

name!(
    /// Name of a job, as in the config: `clean-media`; or of the one by which a backup is verified by hand:
    /// `verify:nightly-files`.
    JobName, "job name",
    "it takes 1 to 64 of a-z, 0-9, - and _, and begins with a letter or digit", is_job_name
);
name!(
    /// Name of a backup, as in the config: `nightly-files`. Usable as a file name.
    BackupName, "backup name",
    "it takes 1 to 64 of a-z, 0-9, - and _, and begins with a letter or digit", is_plain_name
);
name!(
    /// Name of a probe, as in the config: `web`.
    ProbeName, "probe name",
    "it takes 1 to 64 of a-z, 0-9, - and _, and begins with a letter or digit", is_plain_name
);
name!(
    /// Name of a lock: runs that share one never overlap.
    LockName, "lock name",
    "it takes 1 to 64 of a-z, 0-9, - and _, and begins with a letter or digit", is_plain_name
);
name!(
    /// Name of a systemd unit, with or without its suffix (`mastodon-web` means `mastodon-web.service`).
    UnitName, "unit name",
    "it takes letters, digits and : - _ . \\ @, and begins with a letter, a digit or _", is_unit_name
);
name!(
    /// Name of a program as a process is known by it: `pg_dump`, without its directory.
    ProgramName, "name of a program",
    "it takes 1 to 64 letters, digits and . _ + -, without a directory, and begins with a letter, a digit or _",
    is_program_name
);
name!(
    /// Digest of an accepted configuration: 32 lower-case hex digits.
    Digest, "digest", "it is 32 lower-case hex digits",
    |d| d.len() == 32 && d.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
);
name!(
    /// Id of a run: `20261123T003000Z-7k3f9q`. Sorts by the time of its making; unique by its random tail.
    RunId, "run id", "it looks like 20261123T003000Z-7k3f9q",
    |id| id.len() == 23
        && id.bytes().enumerate().all(|(i, b)| match i {
            8 => b == b'T',
            15 => b == b'Z',
            16 => b == b'-',
            0..=14 => b.is_ascii_digit(),
            _ => b.is_ascii_lowercase() || b.is_ascii_digit(),
        })
);

name!(
    /// What a target of `notify:` is known by wherever something is kept for it, wherever it stands in the list.
    TargetKey, "target key", "it takes 1 to 64 of a-z, 0-9, - and _, and begins with a letter or digit", is_plain_name
);
impl JobName {
    /// The job by which a backup is verified by hand.
    pub fn by_hand(backup: &BackupName, full: bool) -> Self {
        Self(format!("{BY_HAND}{backup}{}", if full { IN_FULL } else { "" }))
    }

    /// Whether it is one of these, which no config names.
    pub fn is_by_hand(&self) -> bool {
        self.0.starts_with(BY_HAND)
    }
}

impl UnitName {
    /// The full name: a name without a known suffix is a service.
    pub fn with_suffix(&self) -> String {
        const SUFFIXES: [&str; 8] =
            [".service", ".socket", ".timer", ".target", ".path", ".mount", ".slice", ".scope"];
        if SUFFIXES.iter().any(|s| self.0.ends_with(s)) {
            self.0.clone()
        } else {
            format!("{}.service", self.0)
        }
    }
}

impl AsRef<Self> for RunId {
    fn as_ref(&self) -> &Self {
        self
    }
}

impl RunId {
    /// A new id for a run made at `now`.
    ///
    /// # Errors
    /// Only if the kernel has no random numbers to give.
    pub fn new(now: Timestamp) -> Result<Self, std::io::Error> {
        // Without i, l, o and u: an id is read out loud and typed at night.
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let mut random = [0_u8; 6];
        getrandom::fill(&mut random).map_err(std::io::Error::other)?;
        let tail: String = random.iter().map(|b| char::from(ALPHABET[usize::from(b % 32)])).collect();
        Ok(Self(format!("{}-{tail}", now.strftime("%Y%m%dT%H%M%SZ"))))
    }

    /// Whether somebody who types a text means this run, for what cannot be taken back: the whole id, or so much of it
    /// that it names at least the second in which the run was made. Less fits whatever happens to be the only one.
    pub fn is_meant_by(&self, text: &str) -> bool {
        const SHORTEST: usize = "20261123T003000Z".len();
        text.len() >= SHORTEST && self.0.starts_with(text)
    }
}

/// Position of a step in its job, from 0. People see it from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepIndex(pub u16);

impl StepIndex {
    const LOOK: u16 = 0x8000;

    /// The look before this step: the dry run that tells how much it would remove. Rooms keep it under a key of its
    /// own, so that it is never taken for the step.
    pub const fn look(self) -> Self {
        Self(self.0 | Self::LOOK)
    }

    /// Whether it is the look before a step.
    pub const fn is_look(self) -> bool {
        self.0 & Self::LOOK != 0
    }

    /// The step, whether this is it or the look before it.
    pub const fn step(self) -> Self {
        Self(self.0 & !Self::LOOK)
    }
}

impl fmt::Display for StepIndex {
    /// Counted from 1, as people do.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", u32::from(self.step().0) + 1)
    }
}

/// One step of one run: what rooms and ledger know it by. A step is started at most once under its key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepKey {
    /// The run.
    pub run: RunId,
    /// The step in it.
    pub step: StepIndex,
}

impl fmt::Display for StepKey {
    /// `20261123T003000Z-7k3f9q.1`: usable as a file name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let look = if self.step.is_look() { ".look" } else { "" };
        write!(f, "{}.{}{look}", self.run, self.step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_sort_by_time_and_read_back() {
        let early = RunId::new("2026-11-23T00:30:00Z".parse().unwrap()).unwrap();
        let late = RunId::new("2026-11-23T00:30:01Z".parse().unwrap()).unwrap();
        assert!(early < late);
        assert_eq!(early.as_str().parse::<RunId>().unwrap(), early);
        assert!(early.as_str().starts_with("20261123T003000Z-"));
    }

    #[test]
    fn a_run_is_not_meant_by_the_year_in_which_it_was_made() {
        let run: RunId = "20261123T003000Z-7k3f9q".parse().unwrap();
        for text in [run.as_str(), "20261123T003000Z", "20261123T003000Z-7k"] {
            assert!(run.is_meant_by(text), "{text}");
        }
        for text in ["", "2", "2026", "20261123", "20261123T003000", "20261123T003001Z", "7k3f9q"] {
            assert!(!run.is_meant_by(text), "{text}");
        }
    }

    #[test]
    fn a_unit_name_is_never_an_option_or_a_glob() {
        for bad in ["--now", "-a", "mastodon-*", "", "a b", "a/b", "mastodon-web;reboot"] {
            assert!(bad.parse::<UnitName>().is_err(), "{bad:?}");
        }
        assert_eq!("mastodon-web".parse::<UnitName>().unwrap().with_suffix(), "mastodon-web.service");
        assert_eq!("a@b.socket".parse::<UnitName>().unwrap().with_suffix(), "a@b.socket");
    }

    #[test]
    fn a_backup_is_verified_by_hand_under_a_name_that_no_config_has() {
        let backup: BackupName = "files".parse().unwrap();
        for full in [false, true] {
            let job = JobName::by_hand(&backup, full);
            assert_eq!(job.as_str().parse::<JobName>().as_ref(), Ok(&job));
            assert!(job.is_by_hand());
        }
        assert!("verify:".parse::<JobName>().is_err() && "verify:a:b".parse::<JobName>().is_err());
        assert!(!"verify-files".parse::<JobName>().unwrap().is_by_hand());
    }

    #[test]
    fn a_step_key_is_a_file_name() {
        let key = StepKey { run: "20261123T003000Z-7k3f9q".parse().unwrap(), step: StepIndex(0) };
        assert_eq!(key.to_string(), "20261123T003000Z-7k3f9q.1");
        let look = StepKey { step: key.step.look(), ..key.clone() };
        assert_eq!(look.to_string(), "20261123T003000Z-7k3f9q.1.look");
        assert!(look.step.is_look() && look.step.step() == key.step && look != key);
        assert!("../../etc".parse::<RunId>().is_err());
    }
}

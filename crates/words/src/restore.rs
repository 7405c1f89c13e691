//! The restore of files: what is asked, what is planned, and how far it is. `mastmaint-restore` is asked with an
//! [`RestoreOrder`] and keeps a [`Restoring`]; both are read by whoever tells people of it.

use crate::{BackupName, Digest, JobName, RunId, backup::Backup};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The job that `mastmaintctl restore` writes for what a person has typed.
pub const BY_HAND: &str = "restore-by-hand";

/// What `mastmaint-restore` is asked to do. No path in it comes from anywhere but the accepted configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreOrder {
    /// The run that restores: everything that is made is named by it.
    pub run: RunId,
    /// The configured job whose run it is. A copy that is made for a person is of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobName>,
    /// The name of the backup: its proofs and its report are kept under it.
    pub name: BackupName,
    /// What it is.
    pub backup: Backup,
    /// The Rails root that is replaced.
    pub live: PathBuf,
    /// The user of the instance.
    pub user: String,
    /// Which of its generations: `daily.1`, an archive's or a snapshot's name. The newest complete one if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// The uploads of the backup take the place of today's.
    #[serde(default)]
    pub with_media: bool,
    /// The environment files of the backup take the place of today's.
    #[serde(default)]
    pub with_env: bool,
    /// Also what no proof speaks for.
    #[serde(default)]
    pub unproved: bool,
}

impl AsRef<RunId> for RestoreOrder {
    fn as_ref(&self) -> &RunId {
        &self.run
    }
}

/// What a restore asks of the room that reaches the host of a backup. Whom it reaches, and how, stands in the accepted
/// configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetch {
    /// The configuration that names the backup.
    pub digest: Digest,
    /// Which.
    pub backup: BackupName,
    /// Which of its generations; the newest complete one if none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
    /// With `public/system/cache`.
    #[serde(default)]
    pub with_media: bool,
    /// Also what no proof speaks for.
    #[serde(default)]
    pub unproved: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fetched {
    /// The other host says that it has sent all of it.
    Sent,
    /// It has not.
    Failed {
        /// Stable word for machines.
        code: String,
        /// What, where, and what to do.
        why: String,
    },
}

/// Whether a text can be the name of a generation: `daily.1`, an archive's, a snapshot's. None is a path, an option or
/// something that a shell understands.
pub fn is_generation(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "._-+:@".contains(c);
    (1..=200).contains(&text.len()) && text.chars().all(fits) && !text.starts_with(['.', '-'])
}

/// A directory, wherever it is moved to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inode {
    /// Number of its device. It may be another one after a reboot.
    pub device: u64,
    /// Its number there.
    pub number: u64,
    /// When it was made, in nanoseconds since 1970; zero where the file system does not say.
    pub born: i64,
}

impl Inode {
    /// Whether it is the same directory: a number that was given again has another time of birth, and one that is not
    /// told leaves only the device to tell it by.
    pub fn is(&self, other: &Self) -> bool {
        let same = self.number == other.number && self.born == other.born;
        same && (self.born != 0 || self.device == other.device)
    }
}

/// The generation that comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generation {
    /// `daily.0`, a file's name.
    pub name: String,
    /// When it was made.
    pub at: Timestamp,
}

/// How many files, and how large they are together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a restore would do, for who has to say yes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// All of it in a sentence.
    pub sentence: String,
    /// When the backup was last looked at and found good; none if nothing speaks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest_proof: Option<Timestamp>,
    /// When what comes back was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<Timestamp>,
    /// What is copied to be switched in.
    pub whole: Amount,
    /// Uploads that only the backup has and that are put beside today's.
    pub added: Amount,
    /// Bytes that are free before anything is copied.
    pub free: u64,
    /// What is there today and will not be there afterwards: it stays in `live.before-RUN`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub would_be_lost: Vec<String>,
    /// Uploads come from the backup, and `public/system/cache` does not: the database names what is gone then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cache_lost: bool,
    /// What the backup has otherwise than today: names of settings, never their values; the version of Mastodon.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differs: Vec<String>,
    /// What stays as it is today.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// What is to be known besides: owners that are not on this host, bits that are taken off, what cannot be copied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl Plan {
    /// What a person should have done once it is switched in.
    pub fn afterwards(&self) -> Option<&'static str> {
        const CACHE: &str = "public/system/cache did not come back, and the database names what was in it: `mastmaintctl run clean-lost-cache` (`preview_cards remove --days 0` and `media remove --days 0` of tootctl) has it fetched anew";
        self.cache_lost.then_some(CACHE)
    }
}

/// What happens to `public/system`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Uploads {
    /// Today's directory moves along.
    Stay,
    /// It is a link today and becomes the same link; where it leads is not touched.
    Link,
    /// The backup's, as asked.
    FromBackup,
    /// The backup's: there are none today.
    NoneToday,
}

/// A step of the switch, in this order. The journal names it before it begins; each can be done again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SwitchStep {
    /// Today's environment files are copied into the new tree.
    Environment,
    /// Today's uploads move into the new tree.
    Uploads,
    /// The two trees change places.
    Exchange,
    /// The old one gets its name, `live.before-RUN`.
    Keep,
    /// Uploads that only the backup has are put to their places.
    Missing,
}

/// A step of the way back, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BackStep {
    /// Environment files that were changed since the switch go back along.
    Environment,
    /// Uploads go back along, those since the switch too.
    Uploads,
    /// The two trees change places again.
    Exchange,
    /// The restored one gets its name, `live.restored-RUN`.
    PutAway,
}

/// How far a restore is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "is")]
pub enum Phase {
    /// The copy beside is being made; live is as it was.
    Preparing,
    /// The copy beside is whole and checked; live is as it was.
    Prepared,
    /// Between: the same is to be asked again, or the way back.
    Switching {
        /// What is being done.
        step: SwitchStep,
    },
    /// The restored tree is live.
    Switched,
    /// Between, on the way back.
    GoingBack {
        /// What is being done.
        step: BackStep,
    },
    /// Live is what it was before the switch, with what was written since.
    Back,
    /// Not done; live is as it was.
    Refused {
        /// Stable word for machines.
        code: String,
        /// What, where, and what to do.
        why: String,
    },
    /// What it had replaced was removed by a person.
    Pruned,
}

/// Why the last try of a verb ended before its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Stable word for machines.
    pub code: String,
    /// What, where, and what to do.
    pub why: String,
}

/// The journal of a restore. It is on disk before each thing that it names is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restoring {
    /// The run.
    pub run: RunId,
    /// The configured job whose run it is: its next copy takes the place of one that was never switched in. What was made
    /// for a person only a person removes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobName>,
    /// The backup.
    pub backup: BackupName,
    /// What of it comes back; not known before it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generation: Option<Generation>,
    /// The Rails root.
    pub live: PathBuf,
    /// The directory above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Inode>,
    /// What is live before the switch; none on a bare host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub today: Option<Inode>,
    /// The copy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staged: Option<Inode>,
    /// What happens to the uploads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uploads: Option<Uploads>,
    /// Today's uploads, where they move along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media: Option<Inode>,
    /// The environment files of the backup count, because that was asked for or because there are none today. It is decided
    /// once, when the copy is made, and counts for its database, too.
    #[serde(default)]
    pub with_env: bool,
    /// How far it is.
    pub phase: Phase,
    /// Why the last try ended before its end; it may be asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
    /// What it does.
    #[serde(default)]
    pub plan: Plan,
    /// When it began.
    pub began: Timestamp,
    /// When this was written.
    pub at: Timestamp,
}

impl Restoring {
    /// Where the journals are, below the state directory of the room.
    pub fn directory(state: &Path) -> PathBuf {
        state.join("restores")
    }

    /// Where a file named by its run stands for each switch, or way back, that has begun and not ended.
    pub fn switching(state: &Path) -> PathBuf {
        state.join("switching")
    }

    /// Where the journal of a run is.
    pub fn path(state: &Path, run: &RunId) -> PathBuf {
        Self::directory(state).join(format!("{run}.json"))
    }

    /// Where the copy of a run lies before it is switched in.
    pub fn copy(live: &Path, run: &RunId) -> PathBuf {
        live.with_file_name(Self::BESIDE).join(run.as_str()).join("live")
    }

    /// Where the environment files of a copy are kept beside it, if they count: they say which database is meant also before
    /// the switch and after the way back.
    pub fn settings(live: &Path, run: &RunId) -> PathBuf {
        live.with_file_name(Self::BESIDE).join(run.as_str()).join(Self::SETTINGS)
    }

    /// The name of that place.
    pub const SETTINGS: &'static str = "settings";

    /// The name in there of what says of which tree they are: an [`Inode`].
    pub const TREE: &'static str = "tree";

    /// The directory beside `live` in which copies lie.
    pub const BESIDE: &'static str = ".mastmaintd-restore";

    /// What was live before, if it stays beside: `live.before-RUN`.
    pub fn before(&self) -> PathBuf {
        beside(&self.live, "before", &self.run)
    }

    /// What was restored and is not live any more: `live.restored-RUN`.
    pub fn restored(&self) -> PathBuf {
        beside(&self.live, "restored", &self.run)
    }

    /// Whether it is in the middle of something that `switch` or `back` has to end: services stay down until then.
    pub const fn is_between(&self) -> bool {
        matches!(self.phase, Phase::Switching { .. } | Phase::GoingBack { .. })
    }
}

fn beside(live: &Path, what: &str, run: &RunId) -> PathBuf {
    let mut name = live.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{what}-{run}"));
    live.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_given_again_is_another_directory() {
        let is = |a: (u64, u64, i64), b: (u64, u64, i64)| {
            let of = |(device, number, born)| Inode { device, number, born };
            of(a).is(&of(b))
        };
        assert!(is((1, 2, 3), (1, 2, 3)));
        assert!(is((9, 2, 3), (1, 2, 3)), "devices are numbered anew at a boot");
        assert!(!is((1, 2, 4), (1, 2, 3)));
        assert!(!is((9, 2, 0), (1, 2, 0)));
    }

    #[test]
    fn a_generation_is_no_path_and_no_option() {
        for name in ["daily.0", "live-2026-11-26.tar.zst", "nightly:12@host", "a+b_c"] {
            assert!(is_generation(name), "{name}");
        }
        let long = "x".repeat(201);
        for name in ["", ".", "..", "-x", "a/b", "a b", "a;b", "a$b", "a\nb", "a'b", "é", long.as_str()] {
            assert!(!is_generation(name), "{name}");
        }
    }

    #[test]
    fn what_stays_is_beside_live() {
        let text = r#"{"run":"20261126T200000Z-7k3f9q","backup":"files","live":"/home/mastodon/live",
            "phase":{"is":"switching","step":"exchange"},"began":"2026-11-26T20:00:00Z","at":"2026-11-26T20:01:00Z"}"#;
        let restoring: Restoring = serde_json::from_str(text).unwrap();
        assert!(restoring.is_between());
        assert_eq!(restoring.before(), Path::new("/home/mastodon/live.before-20261126T200000Z-7k3f9q"));
        let again: Restoring = serde_json::from_str(&serde_json::to_string(&restoring).unwrap()).unwrap();
        assert_eq!(again, restoring);
    }
}

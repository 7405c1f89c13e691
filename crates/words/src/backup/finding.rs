//! Findings: what a check of a backup has to say, in words that do not change from release to release.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How much a finding matters. `Fail` makes a step `failed`, `Warn` makes it `partial`, `Info` changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Good to know.
    Info,
    /// The backup would come back, but something about it is not as it should be.
    Warn,
    /// The backup, or a part of it, would not come back.
    Fail,
}

impl Severity {
    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fail => "failure",
            Self::Warn => "warning",
            Self::Info => "note",
        }
    }
}

/// What a finding is about: stable names for machines, acknowledgements and "another one than last night".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// There is no complete backup at all.
    NoBackup,
    /// The newest one is older than `max_age`.
    Overdue,
    /// It is still being written after the time that we wait for it.
    BeingWritten,
    /// Its time is only known from the file system.
    AgeByFileTime,
    /// A file or directory of `require` is not in it.
    RequiredMissing,
    /// A file or directory of `require` is there and has nothing in it.
    RequiredEmpty,
    /// A file or directory of `forbid` is in it.
    ForbiddenPresent,
    /// `.env.production` lacks a secret that this version of Mastodon needs.
    SecretMissing,
    /// It has much less in it than the ones before.
    Shrunk,
    /// A line of its configuration that makes the backup program refuse to run.
    ConfigMistake,
    /// A line of its configuration that does not do what it seems to do.
    ConfigDoubt,
    /// A part of its configuration that is made by a command, which is not run here.
    ConfigNotRead,
    /// A level of its retention that never ran.
    LevelNeverRan,
    /// Fewer generations than promised although it has run long enough.
    RetentionShort,
    /// Files were copied again instead of linked: each generation takes the whole space.
    CopiedNotLinked,
    /// The next rotation deletes the last generation that is proved.
    LastProvedGoes,
    /// A lock whose process is gone: the last run died.
    StaleLock,
    /// The last run ended with errors or warnings, by its own log.
    LastRunTroubled,
    /// What a deletion left behind.
    DeletionLeft,
    /// Same size and time, other content: the storage or something that hides its traces changed it.
    Rot,
    /// A file of a finished generation was written to.
    Changed,
    /// A file that a finished generation had is gone.
    Missing,
    /// A file or directory that cannot be read.
    Unreadable,
    /// Inode numbers do not last on this file system; proofs are kept per path.
    ProofPerPath,
    /// The store of proofs was damaged; all proofs begin again.
    ProofsLost,
    /// Ends before its end.
    CutShort,
    /// Cannot be read to its end, or its checksums disagree.
    Damaged,
    /// Is not what its name says.
    NotADump,
    /// A good dump that `restore-database` does not load.
    NotLoadable,
    /// A raw copy of the data directory of a PostgreSQL that was running.
    RawDataDirectory,
    /// The password or key that is given does not open it.
    WrongKey,
    /// Another host answers than the one that it should lie on.
    OtherHost,
    /// It should be encrypted and is not.
    NotEncrypted,
    /// Snapshots or archives of a repository were deleted that its retention would have kept.
    Forgotten,
    /// Something that is needed to look is not on this host: not checked.
    NotChecked,
    /// The secrets of the file backup do not decrypt the database of the dump.
    SecretsDoNotFit,
    /// The dump has no encrypted value to try the secrets on.
    NothingEncrypted,
    /// The dump is that of another instance.
    OtherInstance,
    /// The dump lacks tables, a function or rows that a Mastodon has.
    NotAMastodon,
    /// The dump was made by newer code than the file backup has: it cannot be used with it.
    DumpNewerThanCode,
    /// The dump was made by older code than the file backup has: migrate before the start.
    DumpOlderThanCode,
    /// A table that an interrupted maintenance left behind.
    LeftoverTable,
    /// A media file that the dump names is not in the file backup.
    MediaMissing,
    /// A media file that the dump names has another size in the file backup.
    MediaSize,
    /// A media file that the dump names is newer than the file backup.
    MediaNewer,
    /// Media are not in this backup: they live in an object storage.
    MediaElsewhere,
    /// PostgreSQL refused a part of the dump when it was restored.
    RestoreErrors,
    /// An index of the restored database cannot be used.
    IndexInvalid,
    /// A question of the admin to the restored database was not answered with true.
    AssertionFailed,
    /// The disk has too little space for a drill.
    NoSpace,
    /// The scratch PostgreSQL of a drill did not start or ended in the middle.
    DrillDied,
    /// Mastodon does not start from the backups, or does not answer as it should.
    BootFailed,
    /// Nothing is staged because another drill or stage is at work.
    DrillAtWork,
    /// The command that was tried in a staged copy failed.
    ChangeFailed,
    /// Nothing is staged because it would have the network of the host.
    NetworkShared,
}

impl Code {
    /// The name in output and in the ledger: `media-missing`.
    pub fn name(self) -> String {
        let debug = format!("{self:?}");
        let mut name = String::with_capacity(debug.len() + 4);
        for (i, c) in debug.chars().enumerate() {
            if c.is_ascii_uppercase() && i > 0 {
                name.push('-');
            }
            name.push(c.to_ascii_lowercase());
        }
        name
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

/// The result of one check that has something to say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is about.
    pub code: Code,
    /// How much it matters.
    pub severity: Severity,
    /// One sentence: what, and where.
    pub what: String,
    /// How we know: paths, numbers, lines of a log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<String>,
    /// What to do about it.
    pub advice: String,
}

impl Finding {
    /// A finding without evidence yet.
    pub fn new(code: Code, severity: Severity, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { code, severity, what: what.into(), evidence: Vec::new(), advice: advice.into() }
    }

    /// The backup would not come back.
    pub fn fail(code: Code, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(code, Severity::Fail, what, advice)
    }

    /// Something is not as it should be.
    pub fn warn(code: Code, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(code, Severity::Warn, what, advice)
    }

    /// Good to know.
    pub fn info(code: Code, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(code, Severity::Info, what, advice)
    }

    /// The same with evidence.
    pub fn with(mut self, evidence: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(evidence);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_text_and_in_json() {
        for code in [Code::Rot, Code::MediaMissing, Code::DumpNewerThanCode, Code::NotADump] {
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{code}\""));
        }
        assert_eq!(Code::NotADump.name(), "not-a-dump");
    }
}

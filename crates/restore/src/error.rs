//! Why something is not done: what, where, and what to do.

use mastmaint_verify::{bring::NotBrought, shown};
use rustix::io::Errno;
use std::{
    io,
    path::{Path, PathBuf},
};

/// Why a restore ends.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The backup cannot be opened to be brought back.
    #[error("{source}; see mastmaintctl backups")]
    Backup {
        /// Why.
        #[from]
        source: NotBrought,
    },
    /// Nothing speaks for the backup.
    #[error(
        "{backup} is not proved: {why}; verify it first (mastmaintctl verify {backup}), or restore with --unproved"
    )]
    NotProved {
        /// Which.
        backup: String,
        /// Why.
        why: String,
    },
    /// There is no such user.
    #[error("there is no user {0} on this host; make it first, as the guide of Mastodon does")]
    NoUser(String),
    /// There is no such group.
    #[error("there is no group {0} on this host")]
    NoGroup(String),
    /// Live, or something on the way to it, is not what can be exchanged.
    #[error("{}: {what}; nothing was done", at.display())]
    Unfit {
        /// Stable code.
        code: &'static str,
        /// Where.
        at: PathBuf,
        /// What is wrong and what to do.
        what: String,
    },
    /// Not enough space.
    #[error(
        "{at}: the restore takes {needs} and {free} may be used; nothing was done. Make room, or free what earlier restores have left (mastmaintctl prune)"
    )]
    NoSpace {
        /// On which file system.
        at: String,
        /// What is needed.
        needs: String,
        /// What there is.
        free: String,
    },
    /// A file of the backup is not what was proved.
    #[error(
        "{path} in the backup is not what was proved: its content differs while size and time do not. The restore was not switched in; take another generation, and see after the disk of the backup"
    )]
    Rot {
        /// Which.
        path: String,
    },
    /// A file of the backup changed while it was copied.
    #[error(
        "{path} in the backup changed while it was copied; see whether the backup program is at work and try again"
    )]
    Unsettled {
        /// Which.
        path: String,
    },
    /// The copy is not what was recorded.
    #[error(
        "{path} in the copy has another {what} than what was written; the restore was not switched in. See after the disk of live"
    )]
    Differs {
        /// Which.
        path: String,
        /// What differs.
        what: &'static str,
    },
    /// Somebody moved what was to be switched.
    #[error(
        "{what}; somebody moves directories beside live while they are exchanged. See who it is (processes of the instance's user), then try again or go back"
    )]
    Moved {
        /// What was met.
        what: String,
    },
    /// The verb does not fit how far the restore is.
    #[error("{what}")]
    NotNow {
        /// What, and what to do.
        what: String,
    },
    /// Something that is to be removed holds what is nowhere else.
    #[error("{} holds {count} uploads that live lacks; nothing was removed. Copy them into live's public/system first: {some}", at.display())]
    HoldsUploads {
        /// Where.
        at: PathBuf,
        /// How many.
        count: u64,
        /// Some of them.
        some: String,
    },
    /// An archive that would not come back as what it was.
    #[error("{name} in the archive {what}; the restore was not switched in")]
    Archive {
        /// Stable code.
        code: &'static str,
        /// Which entry.
        name: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// What comes as a stream ends before its end, or is damaged.
    #[error("{name} cannot be read to its end: {source}; the restore was not switched in")]
    Broken {
        /// What comes.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// What came is not what was announced.
    #[error(
        "{path} came and is not what was announced: {what}; the restore was not switched in. Send it again"
    )]
    NotAnnounced {
        /// Which entry.
        path: String,
        /// What differs.
        what: &'static str,
    },
    /// The room that reaches other hosts cannot be reached, or has died.
    #[error(
        "the room that reaches the host of the backup is not there, or has died: {0}. See `systemctl status mastmaintd-fetch.socket` and `journalctl -u 'mastmaintd-fetch@*'`"
    )]
    FetchRoom(io::Error),
    /// Another host did not send all of a backup, in the words of who asked it.
    #[error("{why}")]
    Fetch {
        /// Stable code.
        code: String,
        /// What, where, and what to do.
        why: String,
    },
    /// Another restore is at work.
    #[error("another restore is at work (lock {}); wait for its end", .0.display())]
    Busy(PathBuf),
    /// The file system says no.
    #[error("{at}: {what}: {source}")]
    Io {
        /// Which file or directory.
        at: String,
        /// What was to be done.
        what: &'static str,
        /// Why it was not.
        source: io::Error,
    },
}

impl RestoreError {
    pub(crate) const fn fetch_room(error: io::Error) -> Self {
        Self::FetchRoom(error)
    }

    /// Stable code for machines.
    pub fn code(&self) -> &str {
        match self {
            Self::Backup { source } => match source {
                NotBrought::Verify(error) => error.code(),
                NotBrought::NoGeneration { .. } => "no-generation",
                NotBrought::NoBackup(_) => "no-backup",
                NotBrought::Incomplete(_) => "incomplete",
                NotBrought::NoMastodon { .. } => "no-mastodon",
                NotBrought::NotFiles(_) => "not-files",
                NotBrought::Refused(_) => "backup-refused",
            },
            Self::NotProved { .. } => "not-proved",
            Self::NoUser(_) => "no-user",
            Self::NoGroup(_) => "no-group",
            Self::Unfit { code, .. } | Self::Archive { code, .. } => code,
            Self::NoSpace { .. } => "no-space",
            Self::Rot { .. } => "rot",
            Self::Unsettled { .. } => "backup-changed",
            Self::Differs { .. } => "copy-differs",
            Self::Moved { .. } => "moved",
            Self::NotNow { .. } => "not-now",
            Self::HoldsUploads { .. } => "holds-uploads",
            Self::Broken { source, .. } if source.kind() == io::ErrorKind::UnexpectedEof => "cut-short",
            Self::Broken { .. } => "damaged",
            Self::NotAnnounced { .. } => "not-announced",
            Self::FetchRoom(_) => "no-fetch-room",
            Self::Fetch { code, .. } => code,
            Self::Busy(_) => "busy",
            Self::Io { source, .. } => match Errno::from_io_error(source) {
                Some(Errno::NOSPC | Errno::DQUOT) => "no-space",
                Some(Errno::ROFS) => "read-only",
                _ => "io",
            },
        }
    }
}

/// Says where something failed, of a path as it is in a backup or a copy.
pub(crate) fn io_at<E: Into<io::Error>>(path: &[u8], what: &'static str) -> impl FnOnce(E) -> RestoreError {
    let at = shown(path);
    move |source| RestoreError::Io { at, what, source: source.into() }
}

/// The same of a path on this host.
pub(crate) fn io_on<E: Into<io::Error>>(path: &Path, what: &'static str) -> impl FnOnce(E) -> RestoreError {
    let at = path.display().to_string();
    move |source| RestoreError::Io { at, what, source: source.into() }
}

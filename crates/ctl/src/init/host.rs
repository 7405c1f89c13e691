//! What was found on a host, as plain data: [`super::inspect`] fills it in, [`super::render`] writes it down.

use std::path::PathBuf;

/// A host, as far as a first configuration cares.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// Name of its time zone: `Europe/Paris`.
    pub timezone: Option<String>,
    /// The Mastodon on it.
    pub instance: Option<FoundInstance>,
    /// What looks like a backup.
    pub backups: Vec<FoundBackup>,
    /// What runs tootctl already and has to be switched off.
    pub rivals: Vec<Rival>,
    /// Whether a mail server of its own takes mail at port 25.
    pub takes_mail: bool,
    /// What could not be looked at, with the reason.
    pub unreadable: Vec<(PathBuf, String)>,
}

/// Something that looks like a backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FoundBackup {
    /// rsnapshot has made generations.
    Rsnapshot {
        /// Its configuration.
        config: PathBuf,
        /// Where Mastodon lies in a generation.
        live: Option<String>,
    },
    /// Dumps of PostgreSQL.
    Postgres {
        /// A path or a pattern.
        path: PathBuf,
    },
    /// A dump of Redis.
    Redis {
        /// It.
        path: PathBuf,
    },
    /// A repository of restic.
    Restic {
        /// Its directory.
        path: PathBuf,
    },
    /// A repository of borg.
    Borg {
        /// Its directory.
        path: PathBuf,
    },
    /// borgmatic writes to repositories.
    Borgmatic {
        /// Its configuration.
        config: PathBuf,
    },
}

/// A Mastodon.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundInstance {
    /// Its Rails root.
    pub live: PathBuf,
    /// The user that its units run as.
    pub user: String,
    /// Its units.
    pub units: Vec<FoundUnit>,
    /// Variables that its units set and commands need too.
    pub environment: Vec<(String, String)>,
    /// Of `lib/mastodon/version.rb`: `4.6.5`.
    pub version: Option<String>,
    /// `LOCAL_DOMAIN`: the name behind the @ of its accounts.
    pub local_domain: Option<String>,
    /// `WEB_DOMAIN`, else `LOCAL_DOMAIN`.
    pub domain: Option<String>,
    /// Where PostgreSQL is.
    pub database: Place,
    /// Where Redis is.
    pub redis: Place,
    /// What tells that `PgBouncer` stands before PostgreSQL.
    pub pgbouncer: Option<&'static str>,
    /// Where uploads and cached media are.
    pub media: Media,
    /// Other Rails roots that units of this host work in.
    pub others: Vec<PathBuf>,
}

/// A unit of the instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundUnit {
    /// Its name: `mastodon-web.service`.
    pub name: String,
    /// `User=`.
    pub user: Option<String>,
    /// `WorkingDirectory=`.
    pub directory: Option<PathBuf>,
    /// `Environment=`, in order.
    pub environment: Vec<(String, String)>,
    /// `ExecStart=` as written.
    pub exec: String,
    /// The file that it comes from.
    pub file: PathBuf,
}

/// Where a service is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Place {
    /// On this host.
    Local,
    /// On another one.
    Remote(String),
    /// `.env.production` could not be read.
    #[default]
    Unknown,
}

/// Where media is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Media {
    /// In a directory of this host.
    Local {
        /// Which.
        path: PathBuf,
        /// Whether it is something of its own: a mount, a symbolic link.
        apart: Option<Apart>,
    },
    /// In an object store.
    S3 {
        /// `S3_BUCKET`.
        bucket: Option<String>,
    },
    /// `.env.production` could not be read.
    #[default]
    Unknown,
}

/// How the media directory is apart from `live`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Apart {
    /// A file system of its own is mounted there.
    Mount,
    /// It is a symbolic link to there.
    Link(PathBuf),
}

/// Something that runs tootctl already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rival {
    /// The file that names it.
    pub file: PathBuf,
    /// The line in it, from 1.
    pub line: usize,
    /// What it does. Never the line itself, which may hold a password.
    pub what: String,
    /// How it is switched off.
    pub switch_off: SwitchOff,
}

/// How a rival is switched off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SwitchOff {
    /// By making the line a comment.
    Line,
    /// By taking the script away.
    Script,
    /// By `systemctl disable --now` of this unit.
    Unit(String),
}

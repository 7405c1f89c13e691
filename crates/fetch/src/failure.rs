//! Why nothing was sent, or not all of it: what, where, and what to do. These sentences are the reasons of a restore.

use mastmaint_config::StoreError;
use mastmaint_verify::Away;
use mastmaint_words::{BackupName, backup::Sender};
use std::io;

/// Why a backup was not sent to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// It asks for what no restore asks for.
    #[error("nobody handed over where to write to; let all programs of mastmaintd be of one version")]
    NoPipe,
    /// The same.
    #[error(
        "what was asked for is no name of a generation; `mastmaintctl backups` on the other host lists them"
    )]
    NoGeneration,
    /// The accepted configuration cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It does not name the backup.
    #[error("the configuration has no backup {0}; add it under `backups:`")]
    NoBackup(BackupName),
    /// It lies here.
    #[error("backup {0} does not lie on another host (`kind: pulled`)")]
    NotPulled(BackupName),
    /// A key is not where it should be.
    #[error("{key} cannot be read: {source}; it has to be in /etc/mastmaintd/remote, for root only")]
    NoKey {
        /// Which file.
        key: String,
        /// Why.
        source: io::Error,
    },
    /// There is no ssh.
    #[error("ssh cannot be started: {0}; install the package openssh-client")]
    NoSsh(io::Error),
    /// What ssh complains about has no place.
    #[error("what ssh says cannot be kept: {0}")]
    NoScratch(io::Error),
    /// ssh did not come in, or was thrown out again.
    #[error("{}", of_away(at, away))]
    Away {
        /// Whose host.
        at: Sender,
        /// Why.
        away: Away,
    },
    /// ssh itself failed in words that are not known.
    #[error("ssh to {} failed: {says}", host(at))]
    Ssh {
        /// Whose host.
        at: Sender,
        /// Its last words.
        says: String,
    },
    /// The program is not there.
    #[error(
        "{} has no mastmaintctl for {}: {says}. Install mastmaintd there, or name the program by its path in authorized_keys",
        host(at), at.user()
    )]
    NoProgram {
        /// Whose host.
        at: Sender,
        /// What the shell there says.
        says: String,
    },
    /// The other host did not want to, or could not.
    #[error("{} does not send {}: {says}", host(at), at.backup())]
    NotSent {
        /// Whose host.
        at: Sender,
        /// Its last words.
        says: String,
    },
    /// Nobody waits any more.
    #[error("nobody waits for it any more")]
    Left,
}

impl Failure {
    /// Stable code for machines.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::NoPipe | Self::NoGeneration => "bad-request",
            Self::Store(error) => error.code(),
            Self::NoBackup(_) | Self::NotPulled(_) => "no-backup",
            Self::NoKey { .. } => "no-key",
            Self::NoSsh(_) | Self::NoScratch(_) | Self::Ssh { .. } => "no-ssh",
            Self::Away { away: Away::OtherHost(_), .. } => "other-host",
            Self::Away { away: Away::NotLetIn(_), .. } => "wrong-key",
            Self::Away { away: Away::NoAnswer(_), .. } => "no-answer",
            Self::NoProgram { .. } | Self::NotSent { .. } => "not-sent",
            Self::Left => "cancelled",
        }
    }
}

fn host(at: &Sender) -> String {
    match at.port() {
        Some(port) => format!("{} (port {port})", at.host()),
        None => at.host().to_owned(),
    }
}

fn of_away(at: &Sender, away: &Away) -> String {
    let (host, user) = (host(at), at.user());
    match away {
        Away::OtherHost(says) => format!(
            "{host} does not answer with the key that is known of it, and nothing was asked of it: {says}. Compare the key \
             that it has (there: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub) with the file of `known_hosts:`; if nobody \
             has changed it, somebody else answers in its place"
        ),
        Away::NotLetIn(says) => format!(
            "{host} lets nobody in as {user} with the key that is given: {says}. See that the public half of `ssh_key:` is in \
             authorized_keys of {user} there, that it has no passphrase, and that sshd takes it"
        ),
        Away::NoAnswer(says) => format!(
            "{host} cannot be reached, or not any more: {says}. See whether it is up and the network reaches it, and try again"
        ),
    }
}

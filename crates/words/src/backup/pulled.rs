//! A backup that another host keeps and verifies, and sends when a restore asks for it.

use crate::{BackupName, NameError};
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf, str::FromStr};

/// A backup of another host that has mastmaintctl, pulled from there over ssh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pulled {
    /// Who sends it.
    pub from: Sender,
    /// The file with the key of ssh.
    pub ssh_key: PathBuf,
    /// The file with the hosts that ssh knows.
    pub known_hosts: PathBuf,
}

/// Who sends a backup, and under which name it has it: `ssh://USER@HOST:PORT/BACKUP`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sender {
    user: String,
    host: String,
    port: Option<u16>,
    backup: BackupName,
}

/// Why a text names no sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownSender {
    /// Another way, or none.
    #[error("is no place of a backup on another host; write it as ssh://root@backup.example/nightly-files")]
    NotSsh,
    /// Nobody is named, or with a password.
    #[error(
        "does not say as whom: write ssh://USER@HOST/BACKUP with a user of the other host and no password"
    )]
    User,
    /// No host, or one that ssh would take for something else.
    #[error("names no host; write a name or an address, an IPv6 address in brackets")]
    Host,
    /// No port.
    #[error("has a port that is none; it is from 1 to 65535, and 22 where none is written")]
    Port,
    /// No name of a backup.
    #[error("names no backup of the other host behind the last /: {0}")]
    Backup(NameError),
}

impl Sender {
    /// As whom.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Which host.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its port, where it is not the usual one.
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// What the backup is called there.
    pub const fn backup(&self) -> &BackupName {
        &self.backup
    }
}

impl FromStr for Sender {
    type Err = UnknownSender;

    fn from_str(text: &str) -> Result<Self, UnknownSender> {
        let rest = text.strip_prefix("ssh://").ok_or(UnknownSender::NotSsh)?;
        let (at, backup) = rest.split_once('/').ok_or(UnknownSender::NotSsh)?;
        let (user, host) = at.rsplit_once('@').ok_or(UnknownSender::User)?;
        if !is_word(user, "._-") {
            return Err(UnknownSender::User);
        }
        let (host, port) = match host.strip_prefix('[').and_then(|host| host.split_once(']')) {
            Some((host, port)) if host.contains(':') && is_word(host.trim_start_matches(':'), ":.") => {
                (host, port.strip_prefix(':').or_else(|| port.is_empty().then_some("")))
            }
            Some(_) => return Err(UnknownSender::Host),
            None => {
                let (host, port) = host.split_once(':').unwrap_or((host, ""));
                if !is_word(host, ".-_") {
                    return Err(UnknownSender::Host);
                }
                (host, Some(port))
            }
        };
        let port = match port.ok_or(UnknownSender::Port)? {
            "" => None,
            port => Some(port.parse().ok().filter(|port| *port > 0).ok_or(UnknownSender::Port)?),
        };
        let backup = backup.parse().map_err(UnknownSender::Backup)?;
        Ok(Self { user: user.to_owned(), host: host.to_owned(), port, backup })
    }
}

/// Letters, digits and these, and no option of a program.
fn is_word(text: &str, others: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
    begins && text.len() <= 255 && text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

impl TryFrom<String> for Sender {
    type Error = UnknownSender;

    fn try_from(text: String) -> Result<Self, UnknownSender> {
        text.parse()
    }
}

impl From<Sender> for String {
    fn from(sender: Sender) -> Self {
        sender.to_string()
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port, backup } = self;
        let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "ssh://{user}@{open}{host}{close}")?;
        if let Some(port) = port {
            write!(f, ":{port}")?;
        }
        write!(f, "/{backup}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_is_a_user_a_host_and_a_backup() {
        for text in [
            "ssh://root@backup.example/nightly-files",
            "ssh://mast_maint@10.0.0.2:2222/files",
            "ssh://root@[2001:db8::1]/files",
            "ssh://root@[::1]:22/files",
        ] {
            let sender: Sender = text.parse().unwrap();
            assert_eq!(sender.to_string(), text);
            let json = serde_json::to_string(&sender).unwrap();
            assert_eq!(serde_json::from_str::<Sender>(&json).unwrap(), sender);
        }
        let sender: Sender = "ssh://root@[::1]:2222/files".parse().unwrap();
        assert_eq!((sender.user(), sender.host(), sender.port()), ("root", "::1", Some(2222)));
        assert_eq!(sender.backup().as_str(), "files");
    }

    #[test]
    fn nothing_in_it_can_be_an_option_or_a_word_of_a_shell() {
        let why = |text: &str| text.parse::<Sender>().unwrap_err();
        for text in ["", "backup.example", "sftp:root@b:/files", "ssh://root@b"] {
            assert_eq!(why(text), UnknownSender::NotSsh, "{text}");
        }
        for text in ["ssh://b/files", "ssh://@b/files", "ssh://root:secret@b/files", "ssh://-oX@b/files"] {
            assert_eq!(why(text), UnknownSender::User, "{text}");
        }
        for text in [
            "ssh://root@/files",
            "ssh://root@-oProxyCommand=x/files",
            "ssh://root@b;id/files",
            "ssh://root@[b c]/files",
            "ssh://root@[-x]/files",
            "ssh://root@b\n/files",
        ] {
            assert_eq!(why(text), UnknownSender::Host, "{text}");
        }
        for text in ["ssh://root@b:0/files", "ssh://root@b:x/files", "ssh://root@[::1]x/files"] {
            assert_eq!(why(text), UnknownSender::Port, "{text}");
        }
        for text in ["ssh://root@b/", "ssh://root@b/a/b", "ssh://root@b/$(id)", "ssh://root@b/a b"] {
            assert!(matches!(why(text), UnknownSender::Backup(_)), "{text}");
        }
    }
}

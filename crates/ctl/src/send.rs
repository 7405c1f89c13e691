//! `send`: a state of a backup goes to another host, by a pipe that a person has laid or by ssh that asks for it. The key
//! of who asks may be good for one backup only (`command=` in `authorized_keys`): then what was asked for stands in a
//! variable, and chooses among the states of that backup and nothing else.

use crate::{check, error::CtlError, exit, print, received};
use jiff::Timestamp;
use mastmaint_words::{
    BackupName, RunId,
    restore::{RestoreOrder, is_generation},
};
use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where sshd puts what was asked for, if `authorized_keys` says what is run instead.
const ASKED: &str = "SSH_ORIGINAL_COMMAND";
/// The words with which a restore asks.
const WORDS: [&str; 2] = ["mastmaintctl", "send"];

/// What is typed of what is sent.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Sent {
    /// From which backup of this host.
    #[arg(value_name = "NAME")]
    pub(crate) backup: BackupName,
    /// From which of its states, like daily.1; the newest complete one if it is not said.
    #[arg(long, value_name = "STATE")]
    pub(crate) snapshot: Option<String>,
    /// With public/system/cache.
    #[arg(long)]
    pub(crate) with_media: bool,
    /// Send what no verification has proved.
    #[arg(long)]
    pub(crate) unproved: bool,
}

impl Sent {
    /// The same, as whoever asks over ssh wants it: what a restore asks for of this backup is added to what is typed.
    /// What is no such question is not obeyed: whoever wrote the command into `authorized_keys` has decided.
    fn asked(mut self, asked: &str) -> Result<Self, CtlError> {
        let mut words = asked.split(' ').filter(|word| !word.is_empty());
        if !WORDS.into_iter().all(|word| words.next() == Some(word)) {
            return Ok(self);
        }
        let refused = |what: &str| {
            let only = format!("mastmaintctl send {}", self.backup);
            Err(CtlError::Usage(format!(
                "{what}; this key is good for `{only}`, with --snapshot, --with-media and --unproved"
            )))
        };
        if words.next() != Some(self.backup.as_str()) {
            return refused("another backup is asked for");
        }
        while let Some(word) = words.next() {
            match (word, word == "--snapshot") {
                (_, true) => match words.next().filter(|name| is_generation(name)) {
                    Some(name) if self.snapshot.as_ref().is_none_or(|typed| typed == name) => {
                        self.snapshot = Some(name.to_owned());
                    }
                    _ => return refused("another state is asked for than there can be"),
                },
                ("--with-media", _) => self.with_media = true,
                ("--unproved", _) => self.unproved = true,
                _ => return refused("something else is asked for"),
            }
        }
        Ok(self)
    }
}

/// Writes a state of a backup on this host to standard output, its names and proofs first.
pub(crate) fn send(config: &Path, typed: &Sent) -> Result<u8, CtlError> {
    let asked = match std::env::var(ASKED) {
        Ok(asked) => typed.clone().asked(&asked)?,
        Err(_) => typed.clone(),
    };
    let settings = check::load(config)?;
    let backup = check::backup(&settings, &asked.backup)?;
    if backup.place.is_pulled() {
        let what = format!("{} lies on another host, which sends it itself", asked.backup);
        return Err(CtlError::Usage(what));
    }
    if io::stdout().is_terminal() {
        let how =
            format!("type `mastmaintctl send {} | ssh HOST mastmaintctl restore --stdin`", asked.backup);
        return Err(CtlError::Usage(format!("a backup is nothing for a terminal: {how}")));
    }
    let backup = backup.clone();
    let order = RestoreOrder {
        run: RunId::new(Timestamp::now())?,
        job: None,
        name: asked.backup,
        backup,
        live: settings
            .instance
            .map_or_else(|| PathBuf::from("/home/mastodon/live"), |instance| instance.live),
        user: String::new(),
        snapshot: asked.snapshot,
        with_media: asked.with_media,
        with_env: true,
        unproved: asked.unproved,
    };
    let order = serde_json::to_string(&order).map_err(io::Error::from)?;
    let status = Command::new(received::program())
        .arg("--state")
        .arg(crate::restore::STATE)
        .arg("--proofs")
        .arg(Path::new(crate::manifest::STATE).join("proofs"))
        .args(["send", &order])
        .stdin(Stdio::null())
        .status()
        .map_err(|error| received::failed(&error.to_string()))?;
    if !status.success() {
        print::talk("the other host refuses what did not come whole; nothing is changed there");
    }
    Ok(if status.success() { exit::FINE } else { exit::NOT_FINE })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed() -> Sent {
        Sent { backup: "files".parse().unwrap(), snapshot: None, with_media: false, unproved: false }
    }

    #[test]
    fn a_key_for_one_backup_chooses_among_its_states() {
        let asked = |text: &str| typed().asked(text).unwrap();
        assert_eq!(asked("mastmaintctl send files"), typed());
        let wanted = asked("mastmaintctl send files --snapshot daily.1 --with-media --unproved");
        let expected =
            Sent { snapshot: Some("daily.1".to_owned()), with_media: true, unproved: true, ..typed() };
        assert_eq!(wanted, expected);
        // Whatever else was typed at the other end: what is in authorized_keys is done.
        for other in ["", "id", "sh -c 'mastmaintctl send other'", "mastmaintctl restore"] {
            assert_eq!(asked(other), typed(), "{other}");
        }
    }

    #[test]
    fn a_key_for_one_backup_gets_no_other() {
        for asked in [
            "mastmaintctl send",
            "mastmaintctl send other",
            "mastmaintctl send files --config /tmp/x",
            "mastmaintctl send files --snapshot",
            "mastmaintctl send files --snapshot ../x",
            "mastmaintctl send files --snapshot 'daily.0'",
            "mastmaintctl send files; id",
        ] {
            let refused = typed().asked(asked).unwrap_err().to_string();
            assert!(refused.contains("good for `mastmaintctl send files`"), "{asked}: {refused}");
        }
        let fixed = Sent { snapshot: Some("daily.0".to_owned()), ..typed() };
        assert!(fixed.clone().asked("mastmaintctl send files --snapshot daily.1").is_err());
        assert_eq!(fixed.clone().asked("mastmaintctl send files").unwrap(), fixed);
    }
}

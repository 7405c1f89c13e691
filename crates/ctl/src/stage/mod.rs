//! `mastmaintctl stage`: the boot drill, opened for a person. `mastmaint-verify` hands a dump and its file backup to the boot
//! room; here a port of the loopback is forwarded to the socket on which Mastodon listens there.

mod apart;
mod asking;
mod door;
mod error;
mod fields;
mod forward;
mod ground;
mod relay;
mod reply;
mod request;
mod session;
mod way;

pub use apart::Told;
pub(crate) use apart::pass_on;
pub use error::StageError;

use crate::{check, cli::CONFIG, error::CtlError, when::When};
use asking::Asking;
use forward::Port;
use ground::Ground;
use mastmaint_config::Settings;
use mastmaint_words::{
    BackupName, Span,
    backup::{Order, Place},
    stage::{Asked, Stage},
};
use session::{Session, Signals};
use std::{
    io::{self, Read as _},
    path::PathBuf,
};

/// Longer than anybody looks at it; drills wait as long.
const LONGEST: Span = Span::from_secs(7 * 86_400);
const SHORTEST: Span = Span::from_secs(1);
/// Instead of a command.
const FROM_INPUT: &str = "-";
/// A longer one is none.
const LONGEST_COMMAND: u64 = 64 * 1024;

/// What is typed of a stage.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Typed {
    /// A dump with `drill: {boot: true}`.
    #[arg(value_name = "BACKUP")]
    backup: BackupName,
    /// How long it stays up, once it is.
    #[arg(long = "for", value_name = "TIME", default_value = "4h")]
    lasts: Span,
    /// At which port of 127.0.0.1; any that is free if it is not said.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Run this first in the copy, like `bin/rails assets:precompile`; nothing is staged if it fails. - takes it from
    /// standard input.
    #[arg(long = "try", value_name = "COMMAND")]
    change: Option<String>,
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
}

/// Stages a backup, and stays for as long as it is staged.
pub(crate) fn stage(when: &When, typed: &Typed) -> Result<u8, CtlError> {
    let order = order(&check::load(&typed.config)?, &typed.backup)?;
    let change = typed.change.clone().map(change).transpose()?;
    if typed.lasts < SHORTEST || typed.lasts > LONGEST {
        let why = format!("--for {} makes no sense; from {SHORTEST} to {LONGEST} does", typed.lasts);
        return Err(CtlError::Usage(why));
    }
    // From here on whatever is begun is ended in order.
    let signals = Signals::hold_back()?;
    let ground = Ground::find()?;
    // Before anything is begun: also at a port that is taken nothing is.
    let port = Port::take(typed.port)?;
    let stage = Stage { port: port.number, lasts: typed.lasts, change };
    let mut command = ground.command();
    command.arg("--stage");
    let asking = Asking::start(command, &Asked { stage, order })?;
    let session =
        Session { when, typed, ground: &ground, signals, asking, port: Some(port), chosen: None, open: None };
    session.hold()
}

/// The command that is tried: as it was typed, or, so that nobody reads it off the list of processes, what comes on
/// standard input.
fn change(typed: String) -> Result<String, CtlError> {
    if typed != FROM_INPUT {
        return Ok(typed);
    }
    let mut text = String::new();
    io::stdin()
        .lock()
        .take(LONGEST_COMMAND)
        .read_to_string(&mut text)
        .map_err(|source| CtlError::System { what: "cannot read the command of --try", source })?;
    if text.trim().is_empty() {
        return Err(CtlError::Usage("no command came on standard input for `--try -`".to_owned()));
    }
    Ok(text.trim_end().to_owned())
}

/// What `mastmaint-verify` gets to know of the backup, if it can be staged.
fn order(settings: &Settings, name: &BackupName) -> Result<Order, CtlError> {
    let backup = check::backup(settings, name)?;
    let of = |other: &Option<BackupName>| other.as_ref().and_then(|name| settings.backups.get(name)).cloned();
    let (files, inside) = (of(&backup.files), of(&backup.inside));
    let boots = backup.drill.as_ref().is_some_and(|plan| plan.boot);
    let lacking = match (&backup.place, boots, &files) {
        (Place::Postgres { .. }, true, Some(_)) => None,
        (Place::Postgres { .. }, true, None) => Some("it names no file backup (`files:`)"),
        (Place::Postgres { .. }, false, _) => {
            Some("it has no drill that starts Mastodon (`drill: {boot: true}`)")
        }
        _ => Some("it is no dump of the database (`kind: postgres`)"),
    };
    if let Some(lacking) = lacking {
        return Err(StageError::NoBoot(name.clone(), lacking).into());
    }
    if backup.is_remote(&settings.backups) {
        return Err(StageError::Elsewhere(name.clone()).into());
    }
    Ok(Order { name: name.clone(), backup: backup.clone(), files, inside, full: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(backups: &str, name: &str) -> &'static str {
        let text = format!("backups:\n{backups}jobs: {{}}\n");
        let settings = mastmaint_config::load_str("m.yaml", &text).unwrap().settings;
        match order(&settings, &name.parse().unwrap()) {
            Ok(order) => {
                assert!(order.files.is_some());
                "staged"
            }
            Err(CtlError::Stage(StageError::NoBoot(..))) => "no-boot",
            Err(CtlError::Stage(StageError::Elsewhere(_))) => "elsewhere",
            Err(CtlError::Usage(_)) => "usage",
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn only_a_dump_that_mastodon_is_started_on_is_staged() {
        let files = "  files: {kind: tree, path: /b/files, live: live}\n";
        let dump = |more: &str| format!("{files}  dump: {{kind: postgres, path: /b/*.dump{more}}}\n");
        assert_eq!(refused(&dump(", files: files, drill: {boot: true}"), "dump"), "staged");
        assert_eq!(refused(&dump(", files: files, drill: {}"), "dump"), "no-boot");
        assert_eq!(refused(&dump(", files: files"), "dump"), "no-boot");
        assert_eq!(refused(files, "files"), "no-boot");
        assert_eq!(refused(files, "other"), "usage");
    }
}

//! A copy that comes from another host: `send` on the backup server writes it, `restore --stdin` reads it. What is read is
//! foreign, so it is read behind walls like those of the restore room, in a unit of its own that has this program's pipe.

use crate::{
    check,
    error::CtlError,
    exit, print,
    restore::Typed,
    walls::{self, walled},
};
use jiff::Timestamp;
use mastmaint_config::settings::Instance;
use mastmaint_words::{
    BackupName, RunId, Span,
    backup::{Backup, Place},
    restore::RestoreOrder,
};
use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const PACKAGED: &str = "/usr/lib/mastmaintd/mastmaint-restore";
const CAPABILITIES: &str = "CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER";

/// Reads, checks and keeps what comes on standard input; gives the run under which it lies, if it is all there.
pub(crate) fn receive(config: &Path, asked: &Typed) -> Result<Option<RunId>, CtlError> {
    let settings = check::load(config)?;
    let Some(instance) = settings.instance else {
        return Err(CtlError::Usage(
            "there is no instance in the configuration whose files could come back".to_owned(),
        ));
    };
    if io::stdin().is_terminal() {
        let how =
            "on the backup server type `mastmaintctl send NAME | ssh THIS-HOST mastmaintctl restore --stdin`";
        return Err(CtlError::Usage(format!("nothing is sent here: {how}")));
    }
    let run = RunId::new(Timestamp::now())?;
    let order = order(run.clone(), &instance, asked)?;
    let state = Path::new(crate::restore::STATE);
    let program = program();
    let mut command = if walls::are_here() && program == Path::new(PACKAGED) {
        let writes = [instance.live.parent().unwrap_or(&instance.live), state];
        let writes = writes.map(|path| format!("ReadWritePaths={}", path.display()));
        walled(&format!("mastmaint-receive-{run}"), CAPABILITIES, &writes, &program)
    } else {
        Command::new(&program)
    };
    command.arg("--state").arg(state).arg("--proofs").arg(state.join("proofs"));
    if nix::unistd::Group::from_name(TRIES).is_ok_and(|group| group.is_some()) {
        command.args(["--group", TRIES]);
    }
    let status =
        command.args(["prepare", "--stdin", &order]).status().map_err(|error| failed(&error.to_string()))?;
    Ok(status.success().then_some(run))
}

/// The group of the room in which the copy is tried.
const TRIES: &str = "mastmaintd-tootctl";

fn order(run: RunId, instance: &Instance, asked: &Typed) -> Result<String, CtlError> {
    let name: BackupName = "received".parse().map_err(|_| CtlError::BadReply)?;
    let order = RestoreOrder {
        run,
        name,
        // What it is the stream says.
        backup: Backup {
            place: Place::Tree { path: PathBuf::new() },
            max_age: None,
            require: Vec::new(),
            forbid: Vec::new(),
            live: None,
            files: None,
            inside: None,
            decrypt: None,
            drill: None,
            budget: mastmaint_words::backup::Budget::default(),
            prove_every: Span::default(),
            wait: Span::default(),
        },
        live: instance.live.clone(),
        user: instance.user.clone(),
        snapshot: None,
        with_media: asked.with_media,
        with_env: asked.with_env,
        unproved: asked.unproved,
    };
    Ok(serde_json::to_string(&order).map_err(io::Error::from)?)
}

/// Writes a state of a backup on this host to standard output, its names and proofs first.
pub(crate) fn send(config: &Path, asked: &Sent) -> Result<u8, CtlError> {
    let settings = check::load(config)?;
    let Some(backup) = settings.backups.get(&asked.backup) else {
        return Err(CtlError::Usage(format!(
            "there is no backup {}; see `mastmaintctl backups`",
            asked.backup
        )));
    };
    if io::stdout().is_terminal() {
        let how =
            format!("type `mastmaintctl send {} | ssh HOST mastmaintctl restore --stdin`", asked.backup);
        return Err(CtlError::Usage(format!("a backup is nothing for a terminal: {how}")));
    }
    let order = RestoreOrder {
        run: RunId::new(Timestamp::now())?,
        name: asked.backup.clone(),
        backup: backup.clone(),
        live: settings
            .instance
            .map_or_else(|| PathBuf::from("/home/mastodon/live"), |instance| instance.live),
        user: String::new(),
        snapshot: asked.snapshot.clone(),
        with_media: asked.with_media,
        with_env: true,
        unproved: asked.unproved,
    };
    let order = serde_json::to_string(&order).map_err(io::Error::from)?;
    let state = Path::new(crate::restore::STATE);
    let status = Command::new(program())
        .arg("--state")
        .arg(state)
        .arg("--proofs")
        .arg(Path::new(crate::manifest::STATE).join("proofs"))
        .args(["send", &order])
        .stdin(Stdio::null())
        .status()
        .map_err(|error| failed(&error.to_string()))?;
    if !status.success() {
        print::talk("the other host refuses what did not come whole; nothing is changed there");
    }
    Ok(if status.success() { exit::FINE } else { exit::NOT_FINE })
}

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

fn failed(why: &str) -> CtlError {
    CtlError::Command { command: "mastmaint-restore".to_owned(), why: why.to_owned() }
}

/// It is installed with the programs of the rooms; built, it is beside this one.
pub(crate) fn program() -> PathBuf {
    let beside = std::env::current_exe().map(|exe| exe.with_file_name("mastmaint-restore"));
    beside.ok().filter(|path| path.exists()).unwrap_or_else(|| PACKAGED.into())
}

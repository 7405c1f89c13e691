//! A copy that comes from another host: `send` on the backup server writes it, `restore --stdin` reads it. What is read is
//! foreign, so it is read behind walls like those of the restore room, in a unit of its own that has this program's pipe.

use crate::{
    error::CtlError,
    restore::Typed,
    walls::{self, walled},
};
use jiff::Timestamp;
use mastmaint_config::{Settings, settings::Instance};
use mastmaint_words::{
    BackupName, RunId, Span,
    backup::{Backup, Place},
    restore::RestoreOrder,
};
use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    process::Command,
};

const PACKAGED: &str = "/usr/lib/mastmaintd/mastmaint-restore";
const CAPABILITIES: &str = "CAP_DAC_READ_SEARCH CAP_DAC_OVERRIDE CAP_CHOWN CAP_FOWNER";

/// Reads, checks and keeps what comes on standard input; gives the run under which it lies, if it is all there.
pub(crate) fn receive(settings: &Settings, asked: &Typed) -> Result<Option<RunId>, CtlError> {
    let Some(instance) = &settings.instance else {
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
    let order = order(run.clone(), instance, asked)?;
    let state = Path::new(crate::restore::STATE);
    let program = program();
    let is_walled = walls::are_here() && program == Path::new(PACKAGED);
    let mut command = if is_walled {
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
    let order = if is_walled { walls::word(&order) } else { order };
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
        job: None,
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

pub(crate) fn failed(why: &str) -> CtlError {
    CtlError::Command { command: "mastmaint-restore".to_owned(), why: why.to_owned() }
}

/// It is installed with the programs of the rooms; built, it is beside this one.
pub(crate) fn program() -> PathBuf {
    let beside = std::env::current_exe().map(|exe| exe.with_file_name("mastmaint-restore"));
    beside.ok().filter(|path| path.exists()).unwrap_or_else(|| PACKAGED.into())
}

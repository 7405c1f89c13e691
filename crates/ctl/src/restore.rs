//! `restore`, `rollback`, `prune`, `restores`: the way back by hand. What is done is done by runs, in rooms; this asks,
//! shows and, for what only a person may do, starts `mastmaint-restore` itself.

use crate::{
    by_hand::{self, Fragment, Ran},
    check,
    client::Daemon,
    error::CtlError,
    exit, print, received,
    when::When,
};
use mastmaint_control::words::VERSION;
use mastmaint_words::{
    BackupName, JobName, RunId, human,
    restore::{Phase, Restoring},
};
use serde::Serialize;
use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where the restore room keeps its journals.
pub(crate) const STATE: &str = "/var/lib/mastmaintd-restore";
/// The job that is written for a restore by hand.
const JOB: &str = "restore-by-hand";

/// What is typed of a restore.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is typed or not")]
pub struct Typed {
    /// From which backup.
    #[arg(value_name = "NAME", required_unless_present_any = ["stdin", "prepared"])]
    pub(crate) backup: Option<BackupName>,
    /// What `mastmaintctl send` on another host writes into this command.
    #[arg(long, conflicts_with_all = ["backup", "snapshot", "prepared"])]
    pub(crate) stdin: bool,
    /// A copy that was made before, or came from another host, by its run.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["backup", "snapshot", "with_media", "with_env", "unproved", "rehearse"])]
    pub(crate) prepared: Option<RunId>,
    /// From which of its states, like daily.1; the newest complete one if it is not said.
    #[arg(long, value_name = "STATE")]
    pub(crate) snapshot: Option<String>,
    /// Uploads are those of the backup, too; else today's stay and only what is missing comes back.
    #[arg(long)]
    pub(crate) with_media: bool,
    /// .env.production is that of the backup, too; else today's stays.
    #[arg(long)]
    pub(crate) with_env: bool,
    /// Take what no verification has proved.
    #[arg(long)]
    pub(crate) unproved: bool,
    /// Make and check the copy, and nothing else.
    #[arg(long, conflicts_with = "yes")]
    pub(crate) rehearse: bool,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Rehearses, asks, and switches in what was rehearsed.
pub(crate) fn restore(daemon: &Daemon, config: &Path, asked: &Typed) -> Result<u8, CtlError> {
    let prepared = match (&asked.prepared, &asked.backup) {
        (Some(run), _) => run.clone(),
        (None, Some(backup)) => {
            check::backup(&check::load(config)?, backup)?;
            let rehearsed = run_by_hand(daemon, config, &rehearsal(asked, backup)?)?;
            if rehearsed.status != exit::FINE {
                return Ok(rehearsed.status);
            }
            rehearsed.run
        }
        (None, None) => match received::receive(config, asked)? {
            Some(run) => run,
            None => return Ok(exit::NOT_FINE),
        },
    };
    let later = format!("`mastmaintctl restore --prepared {prepared}` switches it in, or `prune` removes it");
    if asked.rehearse {
        print::talk(&format!("the copy is made and checked, and nothing was changed; {later}"));
        return Ok(exit::FINE);
    }
    if !asked.yes && !is_wanted("Stop Mastodon for the switch and bring these files back?")? {
        print::talk(&format!("nothing was stopped and nothing was changed; the copy is kept: {later}"));
        return Ok(exit::NOT_FINE);
    }
    let job = written(&Job { steps: vec![Step { restore: What::Prepared { prepared: &prepared } }] })?;
    run_by_hand(daemon, config, &job).map(|ran| ran.status)
}

/// Runs a job that is written for this one run. No hold keeps a restore from running.
fn run_by_hand(daemon: &Daemon, config: &Path, job: &str) -> Result<Ran, CtlError> {
    let name: JobName = JOB.parse().map_err(|_| CtlError::BadReply)?;
    let text = format!("jobs:\n  {JOB}: {job}\n");
    by_hand::run(daemon, &Fragment { config, what: "restore", job: name, text, despite_hold: false })
}

/// Changes places again.
pub(crate) fn rollback(daemon: &Daemon, config: &Path, run: &RunId, yes: bool) -> Result<u8, CtlError> {
    if !yes && !is_wanted(&format!("Stop Mastodon and switch back to what was there before {run}?"))? {
        print::talk("nothing was stopped and nothing was changed");
        return Ok(exit::NOT_FINE);
    }
    let text = written(&Job { steps: vec![Step { restore: What::Back { rollback: run } }] })?;
    run_by_hand(daemon, config, &text).map(|ran| ran.status)
}

/// Removes what a restore has replaced. Only a person does that, so no run does.
pub(crate) fn prune(state: &Path, run: &RunId) -> Result<u8, CtlError> {
    let program = received::program();
    let failed = |why: String| CtlError::Command { command: format!("{} prune", program.display()), why };
    let status = Command::new(&program)
        .arg("--state")
        .arg(state)
        .args(["prune", "--run", run.as_str()])
        .stdin(Stdio::null())
        .status()
        .map_err(|error| failed(error.to_string()))?;
    Ok(if status.success() { exit::FINE } else { exit::NOT_FINE })
}

/// What was restored, newest first.
pub(crate) fn list(state: &Path, when: &When, json: bool) -> Result<u8, CtlError> {
    let mut restores = journals(state)?;
    restores.sort_by(|a, b| b.run.cmp(&a.run));
    if json {
        print::json(&Listing { version: VERSION, restores })?;
        return Ok(exit::FINE);
    }
    if restores.is_empty() {
        print::talk("nothing was restored on this host");
    }
    let mut text = String::new();
    for restore in &restores {
        let _ = writeln!(text, "{}  {}  {}", restore.run, when.at(restore.began), stands(restore));
    }
    print::data(&text)?;
    Ok(exit::FINE)
}

#[derive(Serialize)]
struct Listing {
    version: u16,
    restores: Vec<Restoring>,
}

fn journals(state: &Path) -> Result<Vec<Restoring>, CtlError> {
    let directory = Restoring::directory(state);
    let entries = match fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(|source| CtlError::File {
            what: "cannot read",
            path: directory.clone(),
            source,
            advice: "only root may; try with sudo",
        })?,
    };
    let files = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "json"));
    let read = |path: PathBuf| serde_json::from_slice(&fs::read(path).ok()?).ok();
    Ok(files.filter_map(read).collect())
}

/// How a restore stands, for people.
fn stands(restore: &Restoring) -> String {
    let of = match &restore.generation {
        Some(generation) => format!("{} of {}", generation.name, restore.backup),
        None => restore.backup.to_string(),
    };
    let amount = || format!("{} files, {}", restore.plan.whole.files, human::bytes(restore.plan.whole.bytes));
    match &restore.phase {
        Phase::Preparing => format!("{of}: being copied"),
        Phase::Prepared => format!("{of}: {} copied and checked, not switched in", amount()),
        Phase::Switching { .. } => format!("{of}: in the middle of its switch"),
        Phase::Switched if restore.today.is_some() => {
            format!("{of}: live; what was there is {}", restore.before().display())
        }
        Phase::Switched => format!("{of}: live; nothing was there before"),
        Phase::GoingBack { .. } => format!("{of}: on its way back"),
        Phase::Back => format!("{of}: taken back; what was restored is {}", restore.restored().display()),
        Phase::Refused { code, why } => format!("{of}: not restored: {} [{code}]", print::tame(why)),
        Phase::Pruned => format!("{of}: what was beside has been removed"),
    }
}

/// Asks a person at their terminal, which standard input need not be; nobody to ask is a no.
fn is_wanted(question: &str) -> Result<bool, CtlError> {
    let Ok(terminal) = File::open("/dev/tty") else {
        return Err(CtlError::Usage(
            "nobody can be asked here, because there is no terminal; say --yes, or --rehearse".to_owned(),
        ));
    };
    print::talk(&format!("{question} Type yes."));
    let mut line = String::new();
    BufReader::new(terminal).read_line(&mut line)?;
    Ok(line.trim() == "yes")
}

#[derive(Serialize)]
struct Job<'a> {
    steps: Vec<Step<'a>>,
}

#[derive(Serialize)]
struct Step<'a> {
    restore: What<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'a> {
    Rehearsal {
        backup: &'a BackupName,
        #[serde(skip_serializing_if = "Option::is_none")]
        snapshot: Option<&'a str>,
        with_media: bool,
        with_env: bool,
        unproved: bool,
        rehearse: bool,
    },
    Back {
        rollback: &'a RunId,
    },
    Prepared {
        prepared: &'a RunId,
    },
}

fn rehearsal(asked: &Typed, backup: &BackupName) -> Result<String, CtlError> {
    let restore = What::Rehearsal {
        backup,
        snapshot: asked.snapshot.as_deref(),
        with_media: asked.with_media,
        with_env: asked.with_env,
        unproved: asked.unproved,
        rehearse: true,
    };
    written(&Job { steps: vec![Step { restore }] })
}

/// JSON is YAML, and quotes whatever needs it.
fn written(job: &Job<'_>) -> Result<String, CtlError> {
    Ok(serde_json::to_string(job).map_err(io::Error::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_a_job_that_the_configuration_takes() {
        let asked = Typed {
            backup: None,
            stdin: false,
            prepared: None,
            snapshot: Some("daily.1".into()),
            with_media: true,
            with_env: false,
            unproved: false,
            rehearse: false,
            yes: true,
        };
        let run = "20261126T200000Z-7k3f9q".parse().unwrap();
        let back = written(&Job { steps: vec![Step { restore: What::Back { rollback: &run } }] }).unwrap();
        let prepared = What::Prepared { prepared: &run };
        let prepared = written(&Job { steps: vec![Step { restore: prepared }] }).unwrap();
        for job in [rehearsal(&asked, &"files".parse().unwrap()).unwrap(), back, prepared] {
            let text = format!(
                "instance: {{live: /home/mastodon/live, user: mastodon, services: [mastodon-web]}}\n\
                 backups: {{files: {{kind: tree, path: /backup/files}}}}\njobs: {{restore-by-hand: {job}}}\n"
            );
            mastmaint_config::load_str("m.yaml", &text).unwrap();
        }
    }
}

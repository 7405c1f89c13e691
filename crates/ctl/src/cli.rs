//! The command line, as clap reads it. The same description makes the completions of the package.

use crate::{
    error::CtlError, guard::Guard, hold::HoldCommand, judge, print, restore, send, stage, tell::Acknowledged,
};
use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use mastmaint_words::{BackupName, JobName, RunId};
use std::path::PathBuf;

/// Where the configuration is unless said otherwise.
pub const CONFIG: &str = "/etc/mastmaintd/mastmaintd.yaml";

/// Look after the maintenance of a Mastodon server.
#[derive(Debug, Parser)]
#[command(
    name = "mastmaintctl",
    version,
    max_term_width = 100,
    after_help = "Exit status: 0 fine, 1 another outcome, 2 usage, 3 overdue, 4 daemon cannot be reached, 78 bad configuration."
)]
pub struct Cli {
    /// Where the daemon's sockets are.
    #[arg(long, global = true, value_name = "DIR", default_value = "/run/mastmaintd")]
    pub runtime_dir: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show how everything stands; exit 3 if a job is overdue.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the jobs: when each runs next, when it ran last and how that went.
    Jobs {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Run a job now; prints the id of the run.
    Run {
        /// Which job.
        job: JobName,
        /// Stay, show what it does, and exit with its outcome; Ctrl-C detaches and ends nothing.
        #[arg(short, long)]
        follow: bool,
        /// Change nothing: commands that have a dry run make one, other steps are skipped.
        #[arg(long)]
        dry_run: bool,
        /// Also while a hold keeps the job from running.
        #[arg(long)]
        despite_hold: bool,
    },
    /// Change Mastodon under guard: what goes wrong is put back as it was. Root only; a hold keeps it from running.
    Guard(Guard),
    /// End a run: TERM, its grace, KILL. A second cancel kills at once.
    Cancel {
        /// Id of the run, or as much of it as names its second, or a job's name for its current run.
        #[arg(value_name = "RUN|JOB")]
        run: String,
    },
    /// Start a run that was skipped because it would remove too much, allowing what its look found (within 24 h).
    Approve {
        /// Id of the skipped run, or as much of it as names its second, or its job's name.
        #[arg(value_name = "RUN|JOB")]
        run: String,
        /// Stay, show what it does, and exit with its outcome.
        #[arg(short, long)]
        follow: bool,
    },
    /// List the backups: how old the newest is, how much is proved, when one was brought to life and how long that took.
    Backups {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what the last verification of a backup found, and what to do.
    Backup {
        /// Which.
        #[arg(value_name = "NAME")]
        backup: BackupName,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List past runs, newest first.
    History {
        /// Of this job only.
        job: Option<JobName>,
        /// At most this many.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        number: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the times in which probes said no, newest first.
    Incidents {
        /// At most this many.
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        number: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a run: its steps, how each ended and why.
    Show {
        /// Id of the run, the beginning of one, or a job's name for its newest run.
        #[arg(value_name = "RUN|JOB")]
        run: String,
        /// Print the kept output of its steps instead.
        #[arg(long)]
        output: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Do not start a job by schedule until it is resumed; it can still be run by hand.
    Pause {
        /// Which job.
        job: JobName,
    },
    /// Take a pause back.
    Resume {
        /// Which job.
        job: JobName,
    },
    /// Verify a backup now; prints the id of the run.
    Verify {
        /// Which.
        #[arg(value_name = "NAME")]
        backup: BackupName,
        /// Read everything, and bring a dump to life that has a drill, whatever the budget and the age of its proof.
        #[arg(long)]
        full: bool,
        /// Stay, show how far it is, and exit with its outcome; Ctrl-C detaches and ends nothing.
        #[arg(short, long)]
        follow: bool,
        /// Print JSON.
        #[arg(long, conflicts_with = "follow")]
        json: bool,
    },
    /// List everything in the newest complete state of a file backup (rsnapshot, tree), with the hash of what is proved.
    /// Asks no daemon; who may not read the backup and the proofs needs root.
    Manifest {
        /// Which.
        #[arg(value_name = "NAME")]
        backup: BackupName,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = CONFIG)]
        config: PathBuf,
        /// Where the room keeps its proofs.
        #[arg(long, value_name = "DIR", default_value = crate::manifest::STATE)]
        state: PathBuf,
    },
    /// Bring Mastodon's files, its database, or both back from backups: what comes back is made and checked beside, you
    /// are asked, and all services are stopped for the seconds in which it changes places with what is there. Needs root.
    Restore {
        /// What is restored, and how.
        #[command(flatten)]
        what: restore::Typed,
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = CONFIG)]
        config: PathBuf,
    },
    /// Write a state of a file backup of this host to standard output, for a restore on the host of Mastodon. Needs root.
    Send {
        /// What is sent.
        #[command(flatten)]
        what: send::Sent,
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = CONFIG)]
        config: PathBuf,
    },
    /// Start Mastodon from a backup for yourself to look at, on a database and a Redis of its own, at an address of this host
    /// only; nothing of it stays. Needs root.
    Stage(stage::Typed),
    /// Pass on what browsers ask of a stage, which starts it.
    #[command(hide = true)]
    StageRelay(stage::Told),
    /// Switch back to what was there before a restore; what was uploaded since comes along, what was written into the
    /// restored database since stays in that. Needs root.
    Rollback {
        /// The run that restored.
        run: RunId,
        /// How PostgreSQL is reached, as for `restore`.
        #[arg(long = "env", value_name = "NAME=VALUE", value_parser = restore::variable)]
        environment: Vec<(String, String)>,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = CONFIG)]
        config: PathBuf,
    },
    /// Remove what a restore has replaced, unless it holds uploads that are nowhere else. Needs root.
    Prune {
        /// The run that restored.
        run: RunId,
        /// How PostgreSQL is reached, as for `restore`.
        #[arg(long = "env", value_name = "NAME=VALUE", value_parser = restore::variable)]
        environment: Vec<(String, String)>,
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = CONFIG)]
        config: PathBuf,
        /// Where the room keeps its journals.
        #[arg(long, value_name = "DIR", default_value = restore::STATE)]
        state: PathBuf,
    },
    /// List what was restored, and what is still beside. Asks no daemon; needs root.
    Restores {
        /// Where the room keeps its journals.
        #[arg(long, value_name = "DIR", default_value = restore::STATE)]
        state: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say that you know what is wrong with a job, or of a finding: nobody is reminded of it until something changes.
    Ack {
        /// Which job, or which finding of a backup, like F12.
        #[arg(value_name = "JOB|FINDING")]
        what: Acknowledged,
        /// Not longer than this: a date, a date with time, or a duration like 3d.
        #[arg(long, value_name = "DATE")]
        until: Option<String>,
    },
    /// Try out how people are told.
    Notify {
        /// What to do.
        #[command(subcommand)]
        what: Notify,
    },
    /// Keep jobs from running for a while: a freeze, or one's own work on the server.
    Hold {
        /// What to do.
        #[command(subcommand)]
        command: HoldCommand,
    },
    /// Have the daemon read its configuration again; exit 78 if it refuses.
    Reload,
    /// Check a configuration without the daemon; exit 78 if it has mistakes.
    Check {
        /// Which; conf.d/ beside it is read too.
        #[arg(default_value = CONFIG)]
        file: PathBuf,
    },
    /// Print the configuration that is in effect once files and defaults are merged.
    Config {
        /// Which; conf.d/ beside it is read too.
        #[arg(default_value = CONFIG)]
        file: PathBuf,
    },
    /// Look at this host and write a first configuration; never over an existing one.
    Init {
        /// Look at the system below this directory.
        #[arg(long, value_name = "DIR", default_value = "/")]
        root: PathBuf,
        /// Write here instead of etc/mastmaintd/mastmaintd.yaml below the root; - is standard output.
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Show the rooms that steps run in, and fit them to the configuration.
    Rooms {
        /// Write the drop-ins that the configuration asks for, remove ours that it does not, reload systemd.
        #[arg(long)]
        apply: bool,
        /// The configuration.
        #[arg(long, value_name = "FILE", default_value = CONFIG)]
        config: PathBuf,
        /// Where units of the admin are kept.
        #[arg(long, value_name = "DIR", default_value = crate::rooms::SYSTEMD_DIR)]
        systemd_dir: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say what became of a saved run of tootctl or rails, without daemon or configuration; exit 1 unless it is ok.
    Judge(judge::Saved),
    /// Print a completion script.
    #[command(hide = true)]
    Completions {
        /// For which shell.
        shell: Shell,
    },
}

/// What can be done about telling people.
#[derive(Debug, Subcommand)]
pub enum Notify {
    /// Send a test to every target and show what each answers; exit 1 if one does not take it.
    Test {
        /// To this one only: its position under `notify:`, from 1.
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
        target: Option<u16>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// The command line as data, for whoever makes completions or checks the manual.
pub fn command() -> clap::Command {
    Cli::command()
}

/// The completion script for a shell.
pub fn completion_script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "mastmaintctl", &mut script);
    script
}

pub(crate) fn completions(shell: Shell) -> Result<u8, CtlError> {
    print::data(&String::from_utf8_lossy(&completion_script(shell)))?;
    Ok(crate::exit::FINE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn completions_know_every_visible_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = String::from_utf8(completion_script(shell)).unwrap();
            for sub in command().get_subcommands().filter(|s| !s.is_hide_set()) {
                assert!(script.contains(sub.get_name()), "{shell}: {}", sub.get_name());
            }
        }
    }

    #[test]
    fn a_history_of_none_is_refused() {
        assert!(Cli::try_parse_from(["mastmaintctl", "history", "-n", "0"]).is_err());
        assert!(Cli::try_parse_from(["mastmaintctl", "run", "Not A Job"]).is_err());
    }
}

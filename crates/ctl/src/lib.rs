//! What people type: asks the daemon over its sockets, checks and prints configurations, writes the first one and
//! fits the rooms to it. Data goes to standard output, talk to standard error.

pub mod backups;
mod by_hand;
pub mod check;
pub mod cli;
pub mod client;
pub mod error;
pub mod follow;
pub mod guard;
pub mod hold;
pub mod init;
pub mod judge;
pub mod look;
pub mod manifest;
pub mod order;
pub mod print;
pub mod received;
pub mod render;
pub mod restore;
pub mod restores;
pub mod rooms;
pub mod send;
pub mod stage;
pub mod table;
pub mod tell;
mod walls;
pub mod when;

pub use mastmaint_words::exit;

use clap::Parser as _;
use std::process::ExitCode;

/// Reads the command line, does what it says and tells how that went.
pub fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version are no mistakes; clap knows which stream each belongs on.
        Err(mistake) => {
            let code = if mistake.use_stderr() { exit::USAGE } else { exit::FINE };
            return if mistake.print().is_ok() {
                ExitCode::from(code)
            } else {
                ExitCode::from(exit::NOT_FINE)
            };
        }
    };
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        // A reader that has seen enough (`| head`) is no failure of ours.
        Err(error::CtlError::Print(gone)) if gone.kind() == std::io::ErrorKind::BrokenPipe => {
            ExitCode::from(exit::FINE)
        }
        Err(error) => {
            print::talk(&format!("mastmaintctl: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(cli: cli::Cli) -> Result<u8, error::CtlError> {
    use cli::Command;
    let daemon = client::Daemon::new(cli.runtime_dir);
    let when = when::When::of_this_host();
    match cli.command {
        Command::Status { json } => look::status(&daemon, &when, json),
        Command::Jobs { json } => look::jobs(&daemon, &when, json),
        Command::Backups { json } => backups::list(&daemon, &when, json),
        Command::Backup { backup, json } => backups::show(&daemon, &when, &backup, json),
        Command::History { job, number, json } => look::history(&daemon, &when, job, number, json),
        Command::Incidents { number, json } => look::incidents(&daemon, &when, number, json),
        Command::Show { run, output, json } => look::show(&daemon, &when, &run, output, json),
        Command::Run { job, follow, dry_run, despite_hold } => {
            order::run(&daemon, job, order::How { follow, dry_run, despite_hold })
        }
        Command::Guard(guard) => guard::guard(&daemon, &guard),
        Command::Approve { run, follow } => order::approve(&daemon, run, follow),
        Command::Cancel { run } => order::cancel(&daemon, run),
        Command::Pause { job } => order::pause(&daemon, job),
        Command::Resume { job } => order::resume(&daemon, job),
        Command::Verify { backup, full, follow, json } => {
            backups::verify(&daemon, &backup, full, follow, json)
        }
        Command::Manifest { backup, json, config, state } => {
            manifest::manifest(&config, &state, &backup, json)
        }
        Command::Restore { what, config } => restore::restore(&daemon, &config, &what),
        Command::Send { what, config } => send::send(&config, &what),
        Command::Stage(typed) => stage::stage(&when, &typed),
        Command::StageRelay(told) => stage::pass_on(told),
        Command::Rollback { run, environment, yes, config } => {
            restore::rollback(&daemon, &config, &run, &environment, yes)
        }
        Command::Prune { run, environment, config, state } => {
            restore::prune(&daemon, &config, &state, &run, &environment)
        }
        Command::Restores { state, json } => restores::list(&state, &when, json),
        Command::Ack { what, until } => tell::ack(&daemon, &when, what, until.as_deref()),
        Command::Notify { what: cli::Notify::Test { target, json } } => tell::test(&daemon, target, json),
        Command::Hold { command } => hold::hold(&daemon, &when, command),
        Command::Reload => order::reload(&daemon),
        Command::Check { file } => check::check(&file, &when),
        Command::Config { file } => check::config(&file),
        Command::Init { root, output } => init::init(&root, output.as_deref()),
        Command::Rooms { apply, config, systemd_dir, json } => {
            rooms::rooms(&config, &systemd_dir, apply, json)
        }
        Command::Judge(saved) => judge::judge(&saved),
        Command::Completions { shell } => cli::completions(shell),
    }
}

//! `mastmaint-drill`: brings one dump to life, and Mastodon on it where that is wanted. Its descriptor 0 is the connection
//! over which the order, the open dump and the files come. All it does is in the library.

use mastmaint_verify::{
    VerifyError,
    drill::{Host, Network, answer, sweep},
};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::{
    io,
    os::{fd::AsFd as _, unix::net::UnixStream},
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
};

const USAGE: &str = "usage: mastmaint-drill [--sweep] [--own-network] [--rubies DIRS] [--gems DIRS] --place DIR; \
                     descriptor 0 is the connection. With --sweep it only removes what a dead drill left in DIR, with \
                     --own-network it leaves that of the host. DIRS are parted by colons: what holds versions of Ruby, \
                     and gems for a file backup without any";

fn main() -> ExitCode {
    match run(std::env::args().skip(1)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(why)) => complain(&format!("{why}\n{USAGE}"), 2),
        Err(Failure::Io(error)) => complain(&format!("error: {error}"), 1),
        Err(Failure::Drill(error)) => complain(&format!("error: {error} [{}]", error.code()), 1),
    }
}

enum Failure {
    Usage(String),
    Io(io::Error),
    Drill(VerifyError),
}

fn run(mut arguments: impl Iterator<Item = String>) -> Result<(), Failure> {
    let (mut place, mut is_sweep, mut host) = (None, false, Host::default());
    let mut is_to_leave = false;
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--sweep" => is_sweep = true,
            "--own-network" => is_to_leave = true,
            "--rubies" => host.rubies = directories(arguments.next()),
            "--gems" => host.gems = directories(arguments.next()),
            "--place" => place = arguments.next().map(PathBuf::from),
            other => return Err(Failure::Usage(format!("unknown argument {other:?}"))),
        }
    }
    let place = place.ok_or_else(|| Failure::Usage("--place is missing".to_owned()))?;
    if is_sweep {
        return sweep(&place).map_err(Failure::Drill);
    }
    if is_to_leave {
        // Whoever has left sees no processes of another drill any more that a dead one has left.
        sweep(&place).map_err(Failure::Drill)?;
        host.network = Network::leave();
    }
    // Who is told to end takes its server down first.
    let is_cancelled = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&is_cancelled)).map_err(Failure::Io)?;
    }
    let connection = io::stdin().as_fd().try_clone_to_owned().map_err(Failure::Io)?;
    answer(&UnixStream::from(connection), &place, &host, &is_cancelled).map_err(Failure::Drill)?;
    Ok(())
}

fn directories(given: Option<String>) -> Vec<PathBuf> {
    std::env::split_paths(&given.unwrap_or_default()).filter(|path| path.is_absolute()).collect()
}

#[expect(clippy::print_stderr, reason = "a program on its own has nowhere else to say why it ended")]
fn complain(text: &str, status: u8) -> ExitCode {
    eprintln!("mastmaint-drill: {text}");
    ExitCode::from(status)
}

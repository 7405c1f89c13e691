//! `mastmaint-runner`: one connection to a room, on descriptor 0. All it does is in the library.

use mastmaint_runner::room::{Options, serve};
use nix::sys::signal::SigSet;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

const USAGE: &str = "usage: mastmaint-runner --room tootctl|systemctl|run|verify|probe --accepted DIR --state DIR \
                     [--spare DIR] [--config FILE] [--rooms DIR] [--unwalled]; descriptor 0 is the connection";

fn main() -> ExitCode {
    let options = match parse(std::env::args_os().skip(1)) {
        Ok(options) => options,
        Err(error) => return complain(&format!("{error}\n{USAGE}"), 2),
    };
    if !options.walled {
        // The keys of the invoker's terminal are meant for the daemon; the step outlives it.
        let _ = nix::unistd::setsid();
    }
    let served = SigSet::empty()
        .thread_set_mask()
        .map_err(std::io::Error::from)
        .and_then(|()| std::io::stdin().as_fd().try_clone_to_owned())
        .map(UnixStream::from)
        .and_then(|stream| {
            // The step must not find the connection, and closing it must end it.
            nix::unistd::dup2_stdin(std::fs::File::open("/dev/null")?)?;
            serve(&options, stream)
        });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        // The client went away: nothing that anybody could mend.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => complain(&format!("the connection on descriptor 0 cannot be served: {error}"), 1),
    }
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Options, String> {
    let (mut room, mut accepted, mut state, mut config) = (None, None, None, None);
    let (mut spare, mut rooms, mut walled) = (None, None, true);
    while let Some(argument) = arguments.next() {
        let name = argument.to_string_lossy().into_owned();
        let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
        match name.as_str() {
            "--room" => room = Some(value()?.to_string_lossy().parse()?),
            "--accepted" => accepted = Some(value()?.into()),
            "--state" => state = Some(value()?.into()),
            "--spare" => spare = Some(value()?.into()),
            "--rooms" => rooms = Some(value()?.into()),
            "--config" => config = Some(value()?.into()),
            "--unwalled" => walled = false,
            _ => return Err(format!("unknown argument {name:?}")),
        }
    }
    Ok(Options {
        room: room.ok_or("--room is missing")?,
        accepted: accepted.ok_or("--accepted is missing")?,
        state: state.ok_or("--state is missing")?,
        spare,
        config: config.unwrap_or_else(|| "/etc/mastmaintd/mastmaintd.yaml".into()),
        rooms: rooms.unwrap_or_else(|| "/run/mastmaintd-rooms".into()),
        walled,
    })
}

#[expect(clippy::print_stderr, reason = "standard error is the runner's journal, for its own trouble only")]
fn complain(text: &str, status: u8) -> ExitCode {
    eprintln!("mastmaint-runner: {text}");
    ExitCode::from(status)
}

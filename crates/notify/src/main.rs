//! `mastmaint-notify`: one connection to the notify room, on descriptor 0. All it does is in the library.

use std::{
    ffi::OsString,
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    path::PathBuf,
    process::ExitCode,
};

const USAGE: &str = "usage: mastmaint-notify --accepted DIR; descriptor 0 is the connection";

fn main() -> ExitCode {
    let accepted = match parse(std::env::args_os().skip(1)) {
        Ok(accepted) => accepted,
        Err(error) => return complain(&format!("{error}\n{USAGE}"), 2),
    };
    let stream = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from);
    match stream.and_then(|stream| mastmaint_notify::room::serve(&accepted, stream)) {
        Ok(()) => ExitCode::SUCCESS,
        // The client went away: nothing that anybody could mend.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => complain(&format!("the connection on descriptor 0 cannot be served: {error}"), 1),
    }
}

fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<PathBuf, String> {
    match (arguments.next(), arguments.next(), arguments.next()) {
        (Some(name), Some(accepted), None) if name == "--accepted" => Ok(accepted.into()),
        _ => Err("--accepted DIR is all there is".to_owned()),
    }
}

#[expect(clippy::print_stderr, reason = "standard error is the room's journal, for its own trouble only")]
fn complain(text: &str, status: u8) -> ExitCode {
    eprintln!("mastmaint-notify: {text}");
    ExitCode::from(status)
}

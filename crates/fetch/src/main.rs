//! `mastmaint-fetch`: one connection of a restore, on descriptor 0. All it does is in the library.

use mastmaint_fetch::{Place, answer};
use mastmaint_words::restore::Fetched;
use std::{
    io,
    os::{fd::AsFd as _, unix::net::UnixStream},
    path::PathBuf,
    process::ExitCode,
};

const USAGE: &str = "usage: mastmaint-fetch --accepted DIR [--scratch DIR]; descriptor 0 is the connection, over which a \
                     restore says which backup it wants and hands over a pipe for it";

fn main() -> ExitCode {
    let (mut accepted, mut scratch) = (None, std::env::temp_dir());
    let mut arguments = std::env::args_os().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.to_str(), arguments.next()) {
            (Some("--accepted"), Some(given)) => accepted = Some(PathBuf::from(given)),
            (Some("--scratch"), Some(given)) => scratch = given.into(),
            _ => return complain(&format!("what {} means is not known\n{USAGE}", argument.display()), 2),
        }
    }
    let Some(accepted) = accepted else { return complain(&format!("--accepted is missing\n{USAGE}"), 2) };
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from);
    let place = Place { accepted: &accepted, scratch: &scratch, credentials: credentials.as_deref() };
    let connection = io::stdin().as_fd().try_clone_to_owned().map(UnixStream::from).and_then(|connection| {
        // ssh must not find the connection: its end is seen by both sides.
        nix::unistd::dup2_stdin(std::fs::File::open("/dev/null")?)?;
        Ok(connection)
    });
    match connection.and_then(|connection| answer(&connection, &place)) {
        Ok(Fetched::Sent) => ExitCode::SUCCESS,
        // Told to who asked; here it is for the journal.
        Ok(Fetched::Failed { code, why }) => complain(&format!("{why} [{code}]"), 1),
        // Whoever asked is gone: nothing that anybody could mend.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => complain(&format!("the connection on descriptor 0 cannot be served: {error}"), 1),
    }
}

#[expect(clippy::print_stderr, reason = "standard error is the room's journal, for its own trouble only")]
fn complain(text: &str, status: u8) -> ExitCode {
    eprintln!("mastmaint-fetch: {text}");
    ExitCode::from(status)
}

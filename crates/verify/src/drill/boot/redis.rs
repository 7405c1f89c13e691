//! An empty Redis for a boot: on a Unix socket only, and nothing of it is kept.

use super::process::{Running, telling};
use crate::{
    drill::Stop,
    error::VerifyError,
    finding::{Code, Finding},
};
use std::{
    io::{self, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

const PROGRAMS: [&str; 3] =
    ["/usr/bin/redis-server", "/usr/bin/valkey-server", "/usr/local/bin/redis-server"];
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// A start takes a hundredth of this; a host under load may need longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// The server of this host; else what is missing.
pub(super) fn program() -> Result<PathBuf, String> {
    let found = PROGRAMS.into_iter().map(PathBuf::from).find(|path| path.exists());
    found.ok_or_else(|| "there is no server of Redis on this host (package redis-server)".to_owned())
}

/// Starts one below a directory.
pub(super) fn start(
    program: &Path,
    directory: &Path,
    socket: &Path,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<Running, Stop> {
    let of = || VerifyError::drill(directory);
    let mut command = Command::new(program);
    command.args(["--port", "0", "--unixsocketperm", "700", "--save", "", "--appendonly", "no"]);
    command.args(["--daemonize", "no", "--supervised", "no", "--unixsocket"]).arg(socket);
    command.arg("--dir").arg(directory).env_clear().env("LC_ALL", "C").current_dir(directory);
    let mut server = Running::start(&mut command, &directory.join("redis.log")).map_err(of())?;
    let begun = Instant::now();
    while !answers(socket) {
        if is_cancelled() {
            return Err(VerifyError::Cancelled.into());
        }
        if server.ended().map_err(of())?.is_some() || begun.elapsed() > PATIENCE {
            let what = "Mastodon was not started: the scratch Redis does not come up";
            let advice = "See what it says; whether Mastodon comes up from the backups is not known.";
            let said = server.said();
            let evidence = telling(&said).into_iter().map(|line| crate::finding::shown(line.as_bytes()));
            return Err(Finding::warn(Code::NotChecked, what, advice).with(evidence).into());
        }
        thread::sleep(LOOK_EVERY);
    }
    Ok(server)
}

fn answers(socket: &Path) -> bool {
    let ping = || -> io::Result<bool> {
        let mut connection = UnixStream::connect(socket)?;
        connection.set_read_timeout(Some(Duration::from_secs(5)))?;
        connection.write_all(b"PING\r\n")?;
        let mut answer = [0; 5];
        connection.read_exact(&mut answer)?;
        Ok(&answer == b"+PONG")
    };
    ping().unwrap_or(false)
}

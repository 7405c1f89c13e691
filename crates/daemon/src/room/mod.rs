//! The way to the rooms: one connection, one runner. Under systemd a connection to a room's socket makes systemd
//! start the runner in its sandbox; without systemd the same runner is started as a child with one end of a socket
//! pair. Beyond [`Rooms::open`] nobody can tell the two apart.

mod connection;

pub use connection::{Connection, RoomError};

use mastmaint_words::Room;
use std::{
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use tokio::net::UnixStream;

/// Variables of the daemon that mean something to systemd's libraries; a child that saw them would answer for us.
const NOT_FOR_CHILDREN: [&str; 8] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "JOURNAL_STREAM",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "INVOCATION_ID",
];

/// A room that does not open is tried again after these pauses: nothing was asked of it yet, and systemd 252 was seen
/// to lose an instance to the end of the one before it.
const OPEN_AGAIN: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(500)];

/// Where the rooms are.
#[derive(Debug, Clone)]
pub enum Rooms {
    /// Behind systemd's sockets, `DIR/ROOM.sock`.
    Sockets {
        /// The directory of the sockets.
        dir: PathBuf,
    },
    /// Children of the daemon, for tests, laptops and containers.
    Children(ChildRooms),
}

/// What a runner needs to be told when no unit file tells it.
#[derive(Debug, Clone)]
pub struct ChildRooms {
    /// The program `mastmaint-runner`.
    pub runner: PathBuf,
    /// Root of the accepted configurations.
    pub accepted: PathBuf,
    /// Below it every room has its state directory.
    pub state: PathBuf,
    /// Below it every room keeps steps while its state directory cannot be written.
    pub spare: PathBuf,
    /// The configuration file, for the systemctl room's `accept`.
    pub config: PathBuf,
}

impl Rooms {
    /// Opens a room and hears its hello.
    ///
    /// # Errors
    /// [`RoomError::Unavailable`] with what to do, if it cannot be opened or says nothing.
    pub async fn open(&self, room: Room) -> Result<Connection, RoomError> {
        let mut tries = OPEN_AGAIN.into_iter();
        loop {
            match (self.open_once(room).await, tries.next()) {
                (Err(RoomError::Unavailable { .. }), Some(pause)) => tokio::time::sleep(pause).await,
                (result, _) => return result,
            }
        }
    }

    async fn open_once(&self, room: Room) -> Result<Connection, RoomError> {
        let stream = match self {
            Self::Sockets { dir } => connect(&dir.join(format!("{room}.sock")), room).await?,
            Self::Children(children) => children.start(room)?,
        };
        Connection::greet(stream, room, self.remedy(room)).await
    }

    /// What to do about a room that cannot be opened.
    fn remedy(&self, room: Room) -> String {
        match self {
            Self::Sockets { .. } => {
                format!("see \"journalctl -u 'mastmaintd-{room}@*'\"; {}", shut(room))
            }
            Self::Children(children) => format!("see that {} can be run", children.runner.display()),
        }
    }
}

/// What opens a room whose socket was stopped, disabled or masked, or whose unit is masked.
fn shut(room: Room) -> String {
    let (socket, unit) = (format!("mastmaintd-{room}.socket"), format!("mastmaintd-{room}@.service"));
    format!("try: systemctl unmask {socket} {unit} && systemctl enable --now {socket}")
}

async fn connect(socket: &Path, room: Room) -> Result<UnixStream, RoomError> {
    UnixStream::connect(socket).await.map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => shut(room),
            _ => format!("see \"systemctl status mastmaintd-{room}.socket\""),
        };
        RoomError::unavailable(room, format!("{}: {error}", socket.display()), remedy)
    })
}

impl ChildRooms {
    /// Starts a runner. It is the leader of its own process group, so that Ctrl-C at the daemon's terminal does not
    /// reach it, and it is never killed by us: a step outlives the daemon.
    fn start(&self, room: Room) -> Result<UnixStream, RoomError> {
        let failed = |what: &str, error: &std::io::Error| {
            let remedy = format!("see that {} can be run", self.runner.display());
            RoomError::unavailable(room, format!("{what}: {error}"), remedy)
        };
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(|e| failed("socket pair", &e))?;
        ours.set_nonblocking(true).map_err(|e| failed("socket pair", &e))?;
        let mut command = tokio::process::Command::new(&self.runner);
        command
            .args(["--room", room.as_str(), "--unwalled", "--accepted"])
            .arg(&self.accepted)
            .arg("--state")
            .arg(self.state.join(room.as_str()))
            .arg("--spare")
            .arg(self.spare.join(room.as_str()))
            .arg("--config")
            .arg(&self.config)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            // What it has to say it says over the connection; an inherited pipe that nobody reads could stall it.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        for name in NOT_FOR_CHILDREN {
            command.env_remove(name);
        }
        // Dropping the handle leaves the process alone; tokio reaps it when it has ended.
        drop(command.spawn().map_err(|e| failed(&self.runner.display().to_string(), &e))?);
        UnixStream::from_std(ours).map_err(|e| failed("socket pair", &e))
    }
}

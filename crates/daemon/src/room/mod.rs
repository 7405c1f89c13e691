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
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
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

/// How long a warmed room waits for its step. The runner waits longer, so it is there when it is taken.
const WARM: Duration = Duration::from_secs(15);

/// The rooms.
#[derive(Debug, Clone)]
pub struct Rooms {
    way: Way,
    warm: Arc<Mutex<Vec<Warm>>>,
}

/// A room that was opened before it was needed.
#[derive(Debug)]
struct Warm {
    room: Room,
    since: Instant,
    connection: Connection,
}

/// Where the rooms are.
#[derive(Debug, Clone)]
pub enum Way {
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
    /// Rooms that are reached this way.
    pub fn new(way: Way) -> Self {
        Self { way, warm: Arc::default() }
    }

    /// Opens a room and hears its hello. One that was warmed is there at once.
    ///
    /// # Errors
    /// [`RoomError::Unavailable`] with what to do, if it cannot be opened or says nothing.
    pub async fn open(&self, room: Room) -> Result<Connection, RoomError> {
        if let Some(connection) = self.take_warm(room) {
            return Ok(connection);
        }
        let mut tries = OPEN_AGAIN.into_iter();
        loop {
            match (self.way.open(room).await, tries.next()) {
                (Err(RoomError::Unavailable { .. }), Some(pause)) => tokio::time::sleep(pause).await,
                (result, _) => return result,
            }
        }
    }

    /// Opens a room for a step that is due in a moment: starting a sandboxed unit takes longer than a slot may be late.
    /// Opening asks nothing of it; if the step does not come the runner goes away by itself.
    pub fn warm(&self, room: Room) {
        let rooms = self.clone();
        tokio::spawn(async move {
            // One that cannot be opened says so when it is needed.
            if let Ok(connection) = rooms.way.open(room).await {
                rooms.lock().push(Warm { room, since: Instant::now(), connection });
            }
        });
    }

    fn take_warm(&self, room: Room) -> Option<Connection> {
        let mut warm = self.lock();
        warm.retain(|warm| warm.since.elapsed() < WARM);
        let place = warm.iter().position(|warm| warm.room == room)?;
        Some(warm.swap_remove(place).connection)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Warm>> {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Way {
    async fn open(&self, room: Room) -> Result<Connection, RoomError> {
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
            Self::Children(children) => format!("see that {} can be run", children.program(room).display()),
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
    /// The notify room has a program of its own, beside the one of the others: it brings TLS along, which those that
    /// are started for each step need not carry.
    fn program(&self, room: Room) -> PathBuf {
        match room {
            Room::Notify => self.runner.with_file_name("mastmaint-notify"),
            Room::Tootctl
            | Room::Systemctl
            | Room::Run
            | Room::Verify
            | Room::Remote
            | Room::Restore
            | Room::Probe
            | Room::Change => self.runner.clone(),
        }
    }

    /// Starts a runner. It is the leader of its own process group, so that Ctrl-C at the daemon's terminal does not
    /// reach it, and it is never killed by us: a step outlives the daemon.
    fn start(&self, room: Room) -> Result<UnixStream, RoomError> {
        let failed = |what: &str, error: &std::io::Error| {
            let remedy = format!("see that {} can be run", self.program(room).display());
            RoomError::unavailable(room, format!("{what}: {error}"), remedy)
        };
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(|e| failed("socket pair", &e))?;
        ours.set_nonblocking(true).map_err(|e| failed("socket pair", &e))?;
        let program = self.program(room);
        let mut command = tokio::process::Command::new(&program);
        command.arg("--accepted").arg(&self.accepted);
        if room != Room::Notify {
            command
                .args(["--room", room.as_str(), "--unwalled", "--state"])
                .arg(self.state.join(room.as_str()))
                .arg("--spare")
                .arg(self.spare.join(room.as_str()))
                .arg("--config")
                .arg(&self.config);
        }
        command
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            // What it has to say it says over the connection; an inherited pipe that nobody reads could stall it.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0);
        for name in NOT_FOR_CHILDREN {
            command.env_remove(name);
        }
        // Dropping the handle leaves the process alone; tokio reaps it when it has ended.
        drop(command.spawn().map_err(|e| failed(&program.display().to_string(), &e))?);
        UnixStream::from_std(ours).map_err(|e| failed("socket pair", &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{io::AsyncWriteExt, net::UnixListener};

    #[tokio::test]
    async fn a_warmed_room_is_there_at_once_and_is_used_once() {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("run.sock")).unwrap();
        let opened = Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let counted = Arc::clone(&opened);
        tokio::spawn(async move {
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                let hello = br#"{"v":1,"event":"hello","room":"run","program":"x","oldest":1}"#;
                stream.write_all(&[hello.as_slice(), b"\n"].concat()).await.unwrap();
                kept.push(stream);
            }
        });
        let rooms = Rooms::new(Way::Sockets { dir: dir.path().to_owned() });
        rooms.warm(Room::Run);
        while rooms.lock().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(rooms.take_warm(Room::Tootctl).is_none());
        let _first = rooms.open(Room::Run).await.unwrap();
        assert_eq!(opened.load(std::sync::atomic::Ordering::SeqCst), 1);
        let _second = rooms.open(Room::Run).await.unwrap();
        assert_eq!(opened.load(std::sync::atomic::Ordering::SeqCst), 2);
    }
}

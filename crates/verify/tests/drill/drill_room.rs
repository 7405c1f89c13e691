//! A place in which dumps are brought to life by the real `mastmaint-drill`, as a user that PostgreSQL accepts.

use crate::common::Mounted;
use mastmaint_verify::{
    Code, VerifyError,
    drill::{Door, Drill, Drilled, Order, Shape, Times},
    prove::{Tell, Untold},
    wire::{self, Wait},
};
use std::{
    fs::{self, File},
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::{
            fs::{PermissionsExt as _, chown},
            net::{UnixListener, UnixStream},
            process::CommandExt as _,
        },
    },
    path::{Path, PathBuf},
    process::{Child, Command},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// As the verify room asks.
pub(crate) fn ask(
    room: UnixStream,
    order: &Order,
    handed: &[BorrowedFd<'_>],
    tell: &dyn Tell,
) -> Result<Drilled, VerifyError> {
    Ok(wire::ask(room, order, handed, Wait::WhileWanted, tell)?)
}

/// Whether there is a PostgreSQL to drill with; `cargo xtask test` installs it.
pub(crate) fn is_here() -> bool {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let is_here = installed.into_iter().any(|v| v.path().join("bin/initdb").exists());
    if !is_here {
        println!("left out: there is no PostgreSQL");
    }
    is_here
}

/// The user that drills where the tests run as root, which PostgreSQL refuses.
fn user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|l| l.starts_with("postgres:")).unwrap();
    let mut fields = line.split(':').skip(2).map(|f| f.parse().unwrap());
    Some((fields.next().unwrap(), fields.next().unwrap()))
}

pub(crate) struct Room {
    at: TempDir,
    place: PathBuf,
}

impl Room {
    pub(crate) fn new() -> Self {
        let at = tempfile::tempdir().unwrap();
        fs::set_permissions(at.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let place = at.path().join("place");
        fs::create_dir(&place).unwrap();
        let room = Self { at, place };
        hand_over(&room.place);
        // Where it was built may be nobody else's business.
        let (built, here) =
            (Path::new(env!("CARGO_BIN_EXE_mastmaint-drill")), room.at.path().join("mastmaint-drill"));
        if fs::hard_link(built, &here).is_err() {
            fs::copy(built, &here).unwrap();
        }
        room
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.at.path().join(name)
    }

    /// A small disk for it; only root can mount one.
    pub(crate) fn on_a_small_disk(size: &str) -> Option<(Self, Mounted)> {
        user()?;
        let room = Self::new();
        let options = format!("size={size},mode=0700");
        let mounted = Mounted::at(&room.place, &["-t", "tmpfs", "-o", &options, "tmpfs"]).unwrap();
        hand_over(&room.place);
        Some((room, mounted))
    }

    /// Starts the program, with its end of a connection.
    pub(crate) fn start(&self) -> (Child, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let mut command = drilling(&self.at.path().join("mastmaint-drill"), &self.place);
        (command.stdin(OwnedFd::from(theirs)).spawn().unwrap(), ours)
    }

    /// A socket behind which it is started for each connection, as systemd does it.
    pub(crate) fn door(&self) -> Door {
        let path = self.file("drill.sock");
        let socket = UnixListener::bind(&path).unwrap();
        let (program, place) = (self.at.path().join("mastmaint-drill"), self.place.clone());
        thread::spawn(move || {
            for connection in socket.incoming() {
                let mut command = drilling(&program, &place);
                command.stdin(OwnedFd::from(connection.unwrap())).status().unwrap();
            }
        });
        Door::Socket(path)
    }

    pub(crate) fn drill(&self, order: &Order, dump: &Path) -> Drilled {
        let dump = File::open(dump).unwrap();
        let (mut program, connection) = self.start();
        let drilled = ask(connection, order, &[dump.as_fd()], &Untold).unwrap();
        assert!(program.wait().unwrap().success());
        assert!(self.is_clean(), "something is left");
        drilled
    }

    /// A drill of a text that comes through a pipe and is held back in its middle until `meanwhile` is done.
    pub(crate) fn drill_with_a_pause(
        &self,
        order: &Order,
        text: &str,
        meanwhile: impl FnOnce(&mut Child),
    ) -> Result<Drilled, VerifyError> {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let reader = OwnedFd::from(reader);
        let (mut program, connection) = self.start();
        let (first, rest) = text.split_at(text.len() / 2);
        thread::scope(|scope| {
            let asking = scope.spawn(move || ask(connection, order, &[reader.as_fd()], &Untold));
            let mut write = |part: &str| drop(std::io::Write::write_all(&mut writer, part.as_bytes()));
            write(first);
            meanwhile(&mut program);
            write(rest);
            drop(writer);
            let result = asking.join().unwrap();
            program.wait().unwrap();
            result
        })
    }

    /// The process of the scratch server, once it is ready.
    pub(crate) fn server(&self) -> i32 {
        let begun = Instant::now();
        loop {
            let text = fs::read_to_string(self.place.join("scratch/data/postmaster.pid")).unwrap_or_default();
            if text.contains("ready") {
                return text.lines().next().unwrap().parse().unwrap();
            }
            assert!(begun.elapsed() < Duration::from_mins(2), "the server does not come up");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The server's process that serves the one who restores.
    pub(crate) fn backend(&self) -> i32 {
        let server = self.server();
        let begun = Instant::now();
        loop {
            let is_backend = |pid: i32| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&line).contains("postgres mastodon [local]")
            };
            if let Some(pid) = self.processes().into_iter().find(|p| *p != server && is_backend(*p)) {
                return pid;
            }
            assert!(begun.elapsed() < Duration::from_mins(2), "nobody is served");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Processes that work in it.
    pub(crate) fn processes(&self) -> Vec<i32> {
        let place = self.place.canonicalize().unwrap();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let numbers = processes.filter_map(|p| p.file_name().to_str()?.parse::<i32>().ok());
        numbers
            .filter(|pid| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|c| c.starts_with(&place)))
            .collect()
    }

    /// Whether a process with this word in its command works in it.
    pub(crate) fn has_started(&self, word: &str) -> bool {
        let has_word = |pid: i32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(word)
        };
        self.processes().into_iter().any(has_word)
    }

    pub(crate) fn is_clean(&self) -> bool {
        !self.place.join("scratch").exists() && self.processes().is_empty()
    }
}

fn hand_over(path: &Path) {
    if let Some((uid, gid)) = user() {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}

fn drilling(program: &Path, place: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("--place").arg(place);
    if let Some((uid, gid)) = user() {
        command.uid(uid).gid(gid).current_dir("/");
    }
    command
}

/// What is true of the fixture's instance.
pub(crate) fn order(shape: Shape) -> Order {
    Order {
        dump: "mastodon.dump".to_owned(),
        shape,
        size: 1024,
        domain: Some("mast.test".to_owned()),
        code: [20_260_611_150_940].into(),
        before: None,
        assertions: Vec::new(),
        reserve: 0,
        boot: None,
        stage: None,
    }
}

/// A good drill of before that took so many bytes.
pub(crate) fn before(bytes: u64) -> Drill {
    Drill {
        at: crate::common::now(),
        dump: "yesterday.dump".to_owned(),
        is_good: true,
        server: Some(15),
        bytes,
        times: Times::default(),
        counts: None,
        boot: None,
        harmless: Vec::new(),
    }
}

pub(crate) fn codes(drilled: &Drilled) -> Vec<Code> {
    drilled.findings.iter().map(|f| f.code).collect()
}

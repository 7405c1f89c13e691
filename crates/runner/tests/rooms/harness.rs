//! A room in a scratch directory, and clients of it.

use mastmaint_config::accepted::RoomView;
use mastmaint_config::settings::{Action, Environment, Instance, Judged, OnPartial, Step};
use mastmaint_runner::codec::{decode, encode_request, read_frame};
use mastmaint_runner::protocol::{Event, EventKind, MAX_FRAME, Op, StepReport};
use mastmaint_words::{Digest, Room, Span, StepIndex, StepKey};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

pub(crate) const JOB: &str = "job";

/// A room with one job, whose steps are given.
pub(crate) struct Scratch {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) room: Room,
    /// Prepended to PATH.
    pub(crate) path: Option<PathBuf>,
}

impl Scratch {
    pub(crate) fn new(room: Room, services: &[&str], actions: Vec<Action>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Self { dir, room, path: None };
        let step = |action| Step {
            action,
            timeout: Span::from_secs(60),
            grace: Span::from_secs(2),
            quiet_limit: None,
            on_partial: OnPartial::GoOn,
            go_on: false,
            prove: mastmaint_config::settings::Prove::default(),
            at_most: None,
            dangerous: false,
            judged: Judged::default(),
            environment: Environment::default(),
        };
        let steps: BTreeMap<_, _> = (0..).map(StepIndex).zip(actions.into_iter().map(step)).collect();
        let instance = Instance {
            live: scratch.dir.path().join("live"),
            user: own_user(),
            services: services.iter().map(|name| name.parse().unwrap()).collect(),
            settle: mastmaint_config::settings::USUAL_SETTLE,
            environment: Environment::default(),
            url: None,
        };
        let view = RoomView {
            digest: digest(),
            room,
            instance: Some(instance),
            backups: mastmaint_words::backup::Backups::new(),
            steps: [(JOB.parse().unwrap(), steps)].into(),
            requires: BTreeMap::new(),
            notify: vec![],
            probes: BTreeMap::new(),
        };
        let accepted = scratch.dir.path().join("accepted").join(room.as_str());
        fs::create_dir_all(&accepted).unwrap();
        fs::write(accepted.join(format!("{}.json", digest())), serde_json::to_vec(&view).unwrap()).unwrap();
        scratch
    }

    /// Changes the accepted configuration behind the room's back.
    pub(crate) fn edit_accepted(&self, from: &str, to: &str) {
        let path =
            self.dir.path().join("accepted").join(self.room.as_str()).join(format!("{}.json", digest()));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(path, text.replace(from, to)).unwrap();
    }

    /// A run room with one step: a shell script.
    pub(crate) fn shell(script: &str) -> Self {
        let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        Self::new(Room::Run, &[], vec![Action::Run(argv)])
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub(crate) fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mastmaint-runner"));
        command.args(["--room", self.room.as_str(), "--unwalled", "--accepted"]);
        command.arg(self.dir.path().join("accepted")).arg("--state").arg(self.state());
        command.arg("--config").arg(self.dir.path().join("mastmaintd.yaml"));
        if let Some(path) = &self.path {
            command.env("PATH", format!("{}:/usr/bin:/bin", path.display()));
        }
        command
    }

    /// A new runner with a connection to it, greeted.
    pub(crate) fn connect(&self) -> Client {
        Client::of(self.command(), self.room)
    }
}

/// One connection and the runner behind it.
pub(crate) struct Client {
    pub(crate) runner: Child,
    pub(crate) stream: UnixStream,
    reader: BufReader<UnixStream>,
}

impl Client {
    pub(crate) fn of(mut command: Command, room: Room) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_read_timeout(Some(Duration::from_secs(40))).unwrap();
        let runner = command.stdin(OwnedFd::from(theirs)).spawn().unwrap();
        // The command holds the other end until it is dropped.
        drop(command);
        let mut client = Self { runner, reader: BufReader::new(ours.try_clone().unwrap()), stream: ours };
        match client.next().unwrap().kind {
            EventKind::Hello { room: said, .. } => assert_eq!(said, room),
            other => panic!("no hello: {other:?}"),
        }
        client
    }

    pub(crate) fn ask(&mut self, op: Op) -> &mut Self {
        self.stream.write_all(&encode_request(op).unwrap()).unwrap();
        self
    }

    /// The next event; `None` at the end.
    pub(crate) fn next(&mut self) -> Option<Event> {
        read_frame(&mut self.reader, MAX_FRAME).ok().flatten().map(|line| decode(&line).unwrap())
    }

    /// Events up to one that satisfies.
    pub(crate) fn until(&mut self, last: impl Fn(&EventKind) -> bool) -> Vec<Event> {
        let mut events = Vec::new();
        loop {
            let event = self.next().unwrap_or_else(|| panic!("the connection ended after {events:#?}"));
            let over = last(&event.kind);
            events.push(event);
            if over {
                return events;
            }
        }
    }

    pub(crate) fn until_started(&mut self) -> i32 {
        match self.until(|kind| matches!(kind, EventKind::Started { .. })).pop().unwrap().kind {
            EventKind::Started { pid, .. } => pid,
            _ => unreachable!(),
        }
    }

    /// Waits until the step has printed this line.
    pub(crate) fn until_line(&mut self, line: &str) {
        self.until(|kind| matches!(kind, EventKind::Line { text, .. } if text == line));
    }

    pub(crate) fn report(&mut self) -> StepReport {
        match self.until(|kind| !is_told(kind)).pop().unwrap().kind {
            EventKind::Finished { report } => *report,
            other => panic!("not finished: {other:?}"),
        }
    }

    /// The next answer that is not an event of a step.
    pub(crate) fn answer(&mut self) -> EventKind {
        self.until(|kind| !is_told(kind)).pop().unwrap().kind
    }

    pub(crate) fn refusal(&mut self) -> (String, String) {
        match self.answer() {
            EventKind::Refused { code, message } => (code, message),
            other => panic!("not refused: {other:?}"),
        }
    }

    /// Goes away without a word.
    pub(crate) fn leave(self) -> Child {
        self.runner
    }
}

fn is_told(kind: &EventKind) -> bool {
    use EventKind::{Copy, Ending, Line, Omitted, Progress, Slow, Started};
    matches!(
        kind,
        Started { .. }
            | Line { .. }
            | Omitted { .. }
            | Progress(_)
            | Slow { .. }
            | Ending { .. }
            | Copy { .. }
    )
}

pub(crate) fn digest() -> Digest {
    "0123456789abcdef0123456789abcdef".parse().unwrap()
}

pub(crate) fn key(step: u16) -> StepKey {
    StepKey { run: "20261123T003000Z-7k3f9q".parse().unwrap(), step: StepIndex(step) }
}

pub(crate) fn start(step: u16) -> Op {
    Op::Start { digest: digest(), job: JOB.parse().unwrap(), key: key(step), dry_run: false, limit: None }
}

pub(crate) fn dry_run(step: u16) -> Op {
    Op::Start { digest: digest(), job: JOB.parse().unwrap(), key: key(step), dry_run: true, limit: None }
}

pub(crate) fn collect() -> Op {
    Op::Collect { key: key(0), after: 0 }
}

pub(crate) fn cancel() -> Op {
    Op::Cancel { key: key(0), gently: false }
}

pub(crate) fn forget() -> Op {
    Op::Forget { key: key(0) }
}

pub(crate) fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
}

pub(crate) fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !happened() {
        assert!(begin.elapsed() < Duration::from_secs(20), "in vain for: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whoever runs the tests: tootctl is run as nobody else.
pub(crate) fn own_user() -> String {
    nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name
}

//! A state directory that cannot be written: nothing runs whose start could not be recorded.

use super::harness::{Scratch, collect, start};
use mastmaint_config::settings::SystemctlVerb;
use mastmaint_runner::protocol::EventKind;
use mastmaint_words::Outcome;
use std::fs;
use std::path::Path;
use std::process::Command;

/// A small file system of its own for the room's state; `None` where mounting is not allowed.
struct Mount<'a>(&'a Path);

impl<'a> Mount<'a> {
    fn tmpfs(on: &'a Path, options: &str) -> Option<Self> {
        fs::create_dir_all(on).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(on).output();
        mounted.is_ok_and(|o| o.status.success()).then_some(Self(on))
    }
}

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

fn marker(room: &Scratch) -> std::path::PathBuf {
    room.dir.path().join("ran")
}

fn touching() -> Scratch {
    let elsewhere = tempfile::tempdir().unwrap().keep();
    let room = Scratch::shell(&format!("touch {}/ran", elsewhere.display()));
    std::os::unix::fs::symlink(elsewhere.join("ran"), marker(&room)).unwrap();
    room
}

#[test]
fn where_no_directory_can_be_made_nothing_runs() {
    let room = touching();
    fs::write(room.state(), "in the way").unwrap();
    let (code, message) = room.connect().ask(start(0)).refusal();
    assert_eq!(code, "no-state");
    assert!(message.contains(room.state().to_str().unwrap()), "{message}");
    assert!(!marker(&room).exists());
}

#[test]
fn a_file_size_limit_of_nothing_is_a_full_disk_too() {
    let room = touching();
    let runner = room.command();
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\""])
        .arg(runner.get_program())
        .args(runner.get_args());
    let mut client = super::harness::Client::of(limited, room.room);
    assert_eq!(client.ask(start(0)).refusal().0, "no-state");
    assert!(!marker(&room).exists());
    // Nothing stays behind that could be taken for a start.
    assert_eq!(room.connect().ask(collect()).answer(), EventKind::Unknown);
}

#[test]
fn a_disk_that_fills_up_meanwhile_does_not_lose_the_outcome() {
    let filler = tempfile::tempdir().unwrap();
    let go = filler.path().join("go");
    let room = Scratch::shell(&format!("echo ready; while [ ! -e {} ]; do sleep 0.05; done", go.display()));
    let state = room.state();
    let Some(_mount) = Mount::tmpfs(&state, "size=512k") else {
        eprintln!("not allowed to mount: the file size limit's test has to do");
        return;
    };
    let mut client = room.connect();
    client.ask(start(0)).until_line("ready");
    // Fill it to the last byte.
    let mut full = fs::File::create(state.join("full")).unwrap();
    while std::io::Write::write(&mut full, &[0; 4096]).is_ok_and(|n| n > 0) {}
    fs::write(&go, "").unwrap();
    assert_eq!(client.report().verdict.outcome, Outcome::Ok);
    assert!(state.join("steps/20261123T003000Z-7k3f9q.1/outcome.json").exists());
    // And while it is full, the next one is refused, by name and without a trace.
    let other = touching();
    fs::remove_dir_all(other.state()).ok();
    std::os::unix::fs::symlink(&state, other.state()).unwrap();
    let mut op = start(0);
    if let mastmaint_runner::protocol::Op::Start { key, .. } = &mut op {
        key.run = "20261123T003000Z-zzzzzz".parse().unwrap();
    }
    assert_eq!(other.connect().ask(op).refusal().0, "no-state");
    assert!(!marker(&other).exists());
}

#[test]
fn a_read_only_state_refuses_and_still_reports() {
    let room = Scratch::shell("echo done");
    let state = room.state();
    let Some(_mount) = Mount::tmpfs(&state, "size=1m") else {
        eprintln!("not allowed to mount: the test with a file in the way has to do");
        return;
    };
    let mut client = room.connect();
    let report = client.ask(start(0)).report();
    assert!(client.leave().wait().unwrap().success());
    let remounted = Command::new("mount").args(["-o", "remount,ro"]).arg(&state).status().unwrap();
    assert!(remounted.success());
    assert_eq!(room.connect().ask(collect()).report(), report);
    let mut op = start(0);
    if let mastmaint_runner::protocol::Op::Start { key, .. } = &mut op {
        key.run = "20261123T003000Z-zzzzzz".parse().unwrap();
    }
    assert_eq!(room.connect().ask(op).refusal().0, "no-state");
}

#[test]
fn a_state_that_cannot_be_written_stops_no_maintenance() {
    let room = Scratch::shell("echo ready; sleep 0.5; echo done");
    fs::write(room.state(), "in the way").unwrap();
    let spare = room.dir.path().join("spare");
    let command = || {
        let mut command = room.command();
        command.arg("--spare").arg(&spare);
        command
    };
    let mut client = super::harness::Client::of(command(), room.room);
    client.ask(start(0)).until_line("ready");
    // Another runner finds it there, and later its outcome.
    let report = super::harness::Client::of(command(), room.room).ask(collect()).report();
    assert_eq!(report.verdict.outcome, Outcome::Ok);
    drop(client);
    assert_eq!(super::harness::Client::of(command(), room.room).ask(start(0)).report(), report);
}

#[test]
fn no_service_is_stopped_without_a_durable_record() {
    let room = super::systemctl::room(SystemctlVerb::Stop, &["mastodon-web"]);
    fs::write(room.state(), "in the way").unwrap();
    let mut command = room.command();
    command.arg("--spare").arg(room.dir.path().join("spare"));
    let (code, _) = super::harness::Client::of(command, room.room).ask(start(0)).refusal();
    assert_eq!(code, "no-state");
}

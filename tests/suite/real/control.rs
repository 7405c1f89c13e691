//! Clients of the control sockets that send rubbish, far too much, or nothing.

use crate::place_with;
use mastmaint_tests::{Place, ctl::ctl, wait_for};
use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

fn connect(place: &Place, socket: &str) -> UnixStream {
    let stream = UnixStream::connect(place.path("run").join(socket)).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream.set_write_timeout(Some(Duration::from_mins(1))).unwrap();
    stream
}

#[test]
fn rubbish_is_answered_and_does_no_harm() {
    let place = place_with("");
    let daemon = place.start().unwrap();
    for socket in ["observe.sock", "control.sock"] {
        for rubbish in [&b"hello\n"[..], b"{\"ask\":\"no-such-thing\"}\n", b"\xff\xfe\x00\n", b"{}\n"] {
            let mut stream = connect(&place, socket);
            stream.write_all(rubbish).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.contains("bad-request"), "{socket}: {answer}");
        }
    }
    daemon.ctl(&["status"]).exits(0);
}

#[test]
fn doing_is_refused_on_the_socket_for_looking() {
    let place = place_with("");
    let daemon = place.start().unwrap();
    let mut stream = connect(&place, "observe.sock");
    stream.write_all(b"{\"ask\":\"run\",\"job\":\"work\",\"dry_run\":false}\n").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("not-allowed"), "{answer}");
    assert!(daemon.newest("work").is_none());
}

#[test]
fn a_gigabyte_without_a_newline_is_cut_off() {
    let place = place_with("");
    let daemon = place.start().unwrap();
    let mut stream = connect(&place, "observe.sock");
    let piece = vec![b'x'; 1 << 20];
    let sent = (0..1024).take_while(|_| stream.write_all(&piece).is_ok()).count();
    assert!(sent < 1024, "all of it was taken");
    let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let peak: u64 = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .and_then(|l| l.trim().trim_end_matches(" kB").parse().ok())
        .unwrap();
    assert!(peak < 100_000, "peak of {peak} kB");
    daemon.ctl(&["status"]).exits(0);
}

#[test]
fn clients_that_say_nothing_keep_nobody_out() {
    let place = place_with("");
    let daemon = place.start().unwrap();
    let silent: Vec<_> = (0..20).map(|_| connect(&place, "observe.sock")).collect();
    daemon.ctl(&["run", "work", "--follow"]).exits(0);
    drop(silent);
    daemon.ctl(&["status"]).exits(0);
}

#[test]
fn followers_that_hung_up_keep_no_places() {
    // Of a run that waits there is nothing to tell.
    let place = Place::new(
        "  long:\n    lock: one\n    timeout: 10m\n    steps: [{run: [/bin/sleep, \"301.3\"]}]\n  \
           work:\n    lock: one\n    steps: [{run: [/bin/true]}]\n",
    )
    .unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "long"]).exits(0);
    let run = daemon.ctl(&["run", "work"]).exits(0).stdout.trim().to_owned();
    let follow = |half: bool| {
        let mut stream = connect(&place, "observe.sock");
        writeln!(stream, "{{\"ask\":\"follow\",\"run\":\"{run}\"}}").unwrap();
        if half {
            // As `nc -U` and its like do at the end of their input: it listens still.
            stream.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let mut reader = BufReader::new(stream);
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        first.contains("waiting").then_some(reader)
    };
    let mut followers: Vec<_> = (0..32).map(|n| follow(n % 8 == 0).unwrap()).collect();
    let refused = daemon.ctl(&["status"]);
    assert!(refused.stderr.contains("too many clients"), "there is still a place: {refused:?}");
    let last = followers.pop();
    drop(followers);
    assert!(wait_for(|| daemon.ctl(&["status"]).code == Some(0)), "{}", daemon.log());
    // Each place is given back when its loss is noticed, not at once.
    let mut others = Vec::new();
    assert!(wait_for(|| {
        others.extend(follow(others.len() % 8 == 0));
        others.len() == 20
    }));
    drop(others);
    // Who is still there is told.
    daemon.ctl(&["cancel", "work"]).exits(0);
    let mut told = String::new();
    last.unwrap().read_to_string(&mut told).unwrap();
    assert!(told.contains("run-ended") || told.contains("cancelled"), "{told}");
}

#[test]
fn no_daemon_is_exit_4_and_an_unknown_job_says_so() {
    ctl(Path::new("/nonexistent"), &["status"]).exits(4);
    let place = place_with("");
    let daemon = place.start().unwrap();
    let answer = daemon.ctl(&["run", "wrok"]).exits(1);
    assert!(answer.stderr.contains("wrok"), "{answer:?}");
    daemon.ctl(&["history", "-n", "0"]).exits(2);
}

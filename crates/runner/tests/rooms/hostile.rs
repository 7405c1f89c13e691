//! Clients that send rubbish, too much, or nothing.

use super::harness::{Client, Scratch, collect, key, start};
use mastmaint_runner::protocol::{EventKind, Op, VERSION};
use mastmaint_words::Outcome;
use std::io::Write;
use std::time::{Duration, Instant};

fn peak_rss_kib(client: &Client) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", client.runner.id())).unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    peak.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn rubbish_is_refused_in_one_line() {
    let room = Scratch::shell("true");
    for rubbish in [
        "GET / HTTP/1.1\r\n",
        "{}\n",
        "\n",
        "{\"v\":1,\"op\":\"reboot\"}\n",
        "{\"v\":1,\"op\":\"cancel\",\"key\":{\"run\":\"../../etc\",\"step\":0}}\n",
        "{\"v\":99999999,\"op\":\"cancel\"}\n",
        "\u{0}\u{1}\u{2}\n",
    ] {
        let mut client = room.connect();
        client.stream.write_all(rubbish.as_bytes()).unwrap();
        assert_eq!(client.refusal().0, "bad-request", "{rubbish:?}");
        assert_eq!(client.next(), None);
        assert!(client.runner.wait().unwrap().success(), "{rubbish:?}");
    }
    let mut client = room.connect();
    client.stream.write_all("[".repeat(60_000).as_bytes()).unwrap();
    client.stream.write_all(b"\n").unwrap();
    assert_eq!(client.refusal().0, "bad-request");
}

#[test]
fn versions_are_told_apart() {
    let room = Scratch::shell("true");
    let key = serde_json::to_string(&key(0)).unwrap();
    for (v, op, code) in
        [(0, "collect", Some("version")), (VERSION + 1, "collect", None), (VERSION + 1, "x", Some("version"))]
    {
        let mut client = room.connect();
        client
            .stream
            .write_all(format!("{{\"v\":{v},\"op\":\"{op}\",\"key\":{key},\"new\":[]}}\n").as_bytes())
            .unwrap();
        match code {
            Some(code) => assert_eq!(client.refusal().0, code, "{v} {op}"),
            None => assert_eq!(client.answer(), EventKind::Unknown),
        }
    }
}

#[test]
fn a_gigabyte_without_a_newline_is_refused_early() {
    let room = Scratch::shell("true");
    let mut client = room.connect();
    let before = peak_rss_kib(&client);
    let chunk = vec![b'x'; 1024 * 1024];
    let sent = (0..1024).take_while(|_| client.stream.write_all(&chunk).is_ok()).count();
    assert!(sent < 16, "it was closed long before the end, not after {sent} MiB");
    assert_eq!(client.refusal().0, "too-large");
    assert!(client.runner.wait().unwrap().success());
    assert!(before < 64 * 1024, "{before} KiB");
}

#[test]
fn a_gigabyte_to_a_running_step_does_not_hurt_it() {
    let room = Scratch::shell("echo ready; sleep 4");
    let mut client = room.connect();
    client.ask(start(0)).until_line("ready");
    let chunk = vec![b'x'; 1024 * 1024];
    let sent = (0..1024).take_while(|_| client.stream.write_all(&chunk).is_ok()).count();
    assert!(sent < 16, "closed at once: {sent} MiB");
    assert!(peak_rss_kib(&client) < 64 * 1024);
    assert_eq!(room.connect().ask(collect()).report().verdict.outcome, Outcome::Ok);
}

#[test]
fn a_client_that_says_nothing_is_sent_away() {
    let room = Scratch::shell("true");
    let mut client = room.connect();
    let begin = Instant::now();
    let (code, message) = client.refusal();
    assert_eq!(code, "bad-request");
    assert!(message.contains("30 s"), "{message}");
    assert!(begin.elapsed() >= Duration::from_secs(29));
    assert!(client.runner.wait().unwrap().success());
}

#[test]
fn a_client_that_leaves_at_once_leaves_nothing() {
    let room = Scratch::shell("true");
    let mut runner = room.connect().leave();
    let begin = Instant::now();
    assert!(runner.wait().unwrap().success());
    assert!(begin.elapsed() < Duration::from_secs(20));
    assert!(!room.state().exists());
}

#[test]
fn another_step_on_the_connection_of_a_running_one_is_refused() {
    let room = Scratch::shell("echo ready; sleep 1");
    let mut client = room.connect();
    client.ask(start(0)).until_line("ready");
    assert_eq!(client.ask(Op::Collect { key: key(5), after: 0 }).refusal().0, "busy");
    assert_eq!(client.ask(Op::Forget { key: key(0) }).refusal().0, "busy");
    assert_eq!(client.report().verdict.outcome, Outcome::Ok);
}

#[test]
fn the_first_line_comes_soon() {
    let room = Scratch::shell("true");
    let mut times: Vec<Duration> = (0..20)
        .map(|_| {
            let begin = Instant::now();
            drop(room.connect());
            begin.elapsed()
        })
        .collect();
    times.sort();
    println!("spawn to hello: median {:?}, worst {:?}", times[10], times[19]);
    assert!(times[10] < Duration::from_secs(2), "{times:?}");
}

#[test]
fn wrong_arguments_are_said() {
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_mastmaint-runner")).arg("--sudo").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--sudo"));
}

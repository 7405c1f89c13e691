//! A step from start to forget, with clients and runners that come and go.

use super::harness::{
    Client, JOB, Scratch, cancel, collect, digest, dry_run, forget, is_alive, key, own_user, start, wait_for,
};
use mastmaint_config::settings::Action;
use mastmaint_runner::protocol::{EventKind, Op};
use mastmaint_words::{Outcome, Room, Span};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::time::{Duration, Instant};

fn signal(runner: &std::process::Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(runner.id()).unwrap()), signal).unwrap();
}

#[test]
fn a_step_is_started_finished_and_forgotten() {
    let room = Scratch::shell("echo hello");
    let mut client = room.connect();
    let events = client.ask(start(0)).until(|kind| matches!(kind, EventKind::Finished { .. }));
    assert!(matches!(events[0].kind, EventKind::Started { .. }), "{events:?}");
    assert!(events.iter().any(|e| matches!(&e.kind, EventKind::Line { text, .. } if text == "hello")));
    let EventKind::Finished { report } = &events.last().unwrap().kind else { unreachable!() };
    assert_eq!((report.verdict.outcome, report.exit), (Outcome::Ok, Some(0)));
    let numbers: Vec<_> = events.iter().map(|e| e.seq).filter(|seq| *seq > 0).collect();
    assert!(numbers.iter().copied().eq(1..=numbers.len() as u64), "{numbers:?}");
    assert!(room.state().join("steps/20261123T003000Z-7k3f9q.1/outcome.json").exists());
    assert_eq!(client.ask(forget()).answer(), EventKind::Forgotten);
    assert_eq!(client.next(), None);
    assert!(client.runner.wait().unwrap().success());
    assert_eq!(fs::read_dir(room.state().join("steps")).unwrap().count(), 0);
    assert_eq!(room.connect().ask(collect()).answer(), EventKind::Unknown);
    assert_eq!(room.connect().ask(forget()).answer(), EventKind::Forgotten);
    assert_eq!(room.connect().ask(cancel()).answer(), EventKind::Unknown);
}

#[test]
fn a_step_outlives_its_client_and_is_collected_by_another() {
    let room = Scratch::shell("echo one; sleep 1; echo two");
    let mut client = room.connect();
    client.ask(start(0)).until_line("one");
    let mut runner = client.leave();
    // While it runs: followed through a fresh runner, from its beginning.
    let mut second = room.connect();
    second.ask(collect()).until_line("two");
    let report = second.report();
    assert_eq!(report.verdict.outcome, Outcome::Ok);
    drop(second);
    runner.wait().unwrap();
    // After both have gone: from disk, whole and then only what was not seen.
    let whole = room.connect().ask(collect()).until(|kind| matches!(kind, EventKind::Finished { .. }));
    let texts: Vec<_> = whole
        .iter()
        .filter_map(|e| {
            if let EventKind::Line { text, .. } = &e.kind { Some((e.seq, text.as_str())) } else { None }
        })
        .collect();
    assert_eq!(texts.iter().map(|(_, text)| *text).collect::<Vec<_>>(), ["one", "two"]);
    assert!(whole.iter().any(|e| matches!(e.kind, EventKind::Copy { .. })), "the copy is there: {whole:?}");
    let rest = Op::Collect { key: key(0), after: texts[0].0 };
    let rest = room.connect().ask(rest).until(|kind| matches!(kind, EventKind::Finished { .. }));
    assert!(
        rest.iter().all(|e| !matches!(&e.kind, EventKind::Line { text, .. } if text == "one")),
        "{rest:?}"
    );
    assert!(
        rest.iter().any(|e| matches!(&e.kind, EventKind::Line { text, .. } if text == "two")),
        "{rest:?}"
    );
    // Started again it is only reported again.
    assert_eq!(room.connect().ask(start(0)).report(), report);
}

#[test]
fn of_two_starts_at_once_one_runs() {
    let scratch = tempfile::tempdir().unwrap();
    let count = scratch.path().join("count");
    let script = format!("echo x >> {}; sleep 0.5", count.display());
    let room = Scratch::new(
        Room::Run,
        &[],
        vec![Action::Run(["/bin/sh", "-c", &script].map(str::to_owned).to_vec())],
    );
    let mut clients: Vec<Client> = (0..6).map(|_| room.connect()).collect();
    for client in &mut clients {
        client.ask(start(0));
    }
    for client in &mut clients {
        assert_eq!(client.report().verdict.outcome, Outcome::Ok);
    }
    assert_eq!(fs::read_to_string(count).unwrap(), "x\n");
}

#[test]
fn a_cancel_comes_from_a_second_connection_and_a_second_one_kills() {
    let room = Scratch::shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
    room.edit_accepted(r#""grace":"2s""#, r#""grace":"10m""#);
    let mut client = room.connect();
    client.ask(start(0)).until_line("ready");
    assert_eq!(room.connect().ask(cancel()).answer(), EventKind::Cancelling);
    client.until(|kind| matches!(kind, EventKind::Ending { .. }));
    let begin = Instant::now();
    assert_eq!(client.ask(cancel()).answer(), EventKind::Cancelling);
    assert_eq!(client.report().verdict.outcome, Outcome::Cancelled);
    assert!(begin.elapsed() < Duration::from_mins(1), "the grace of 10 m was not waited for");
    assert_eq!(client.ask(cancel()).refusal().0, "not-running");
    assert_eq!(room.connect().ask(forget()).answer(), EventKind::Forgotten, "by way of the one that lingers");
}

#[test]
fn a_killed_runner_means_interrupted_and_nothing_of_the_step_lives_on() {
    let room = Scratch::shell("setsid env -i sleep 600 & echo $!; trap '' HUP; sleep 600");
    let mut client = room.connect();
    let child = client.ask(start(0)).until_started();
    let line = client.until(|kind| matches!(kind, EventKind::Line { .. })).pop().unwrap().kind;
    let EventKind::Line { text, .. } = line else { unreachable!() };
    let grandchild: i32 = text.parse().unwrap();
    signal(&client.runner, Signal::SIGKILL);
    client.runner.wait().unwrap();
    assert!(is_alive(child), "this test needs the child to outlive its runner");
    let report = room.connect().ask(collect()).report();
    assert_eq!(report.verdict.outcome, Outcome::Interrupted);
    assert_eq!(report.verdict.reasons[0].code, "runner-died");
    assert!(!is_alive(child) && !is_alive(grandchild));
    // It stays so, also for a start: it never runs twice.
    assert_eq!(room.connect().ask(start(0)).report(), report);
    assert_eq!(room.connect().ask(forget()).answer(), EventKind::Forgotten);
}

#[test]
fn a_stopped_room_interrupts_the_step() {
    let room = Scratch::shell("echo ready; exec sleep 600");
    let mut client = room.connect();
    let child = client.ask(start(0)).until_started();
    client.until_line("ready");
    signal(&client.runner, Signal::SIGTERM);
    assert_eq!(client.report().verdict.outcome, Outcome::Interrupted);
    assert!(client.runner.wait().unwrap().success());
    assert!(!is_alive(child));
    assert_eq!(room.connect().ask(collect()).report().verdict.outcome, Outcome::Interrupted);
}

#[test]
fn a_client_that_reads_nothing_delays_nothing() {
    let room = Scratch::shell(
        "i=0; while [ $i -lt 3000 ]; do echo \"$i xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"; i=$((i+1)); done; echo last",
    );
    let mut stalled = room.connect();
    stalled.ask(start(0));
    let mut also_stalled = room.connect();
    also_stalled.ask(collect());
    let outcome = room.state().join("steps/20261123T003000Z-7k3f9q.1/outcome.json");
    wait_for("the outcome", || outcome.exists());
    assert_eq!(room.connect().ask(collect()).report().verdict.outcome, Outcome::Ok);
    // The one that stalls loses nothing if it reads in the end.
    assert_eq!(stalled.report().verdict.outcome, Outcome::Ok);
}

#[test]
fn a_limit_ends_a_step_as_the_jobs_timeout() {
    let room = Scratch::shell("exec sleep 600");
    let Op::Start { digest, job, key, .. } = start(0) else { unreachable!() };
    let limited =
        Op::Start { digest, job, key, dry_run: false, limit: Some(Span::new(Duration::from_millis(300))) };
    assert_eq!(room.connect().ask(limited).report().verdict.outcome, Outcome::TimedOut);
}

#[test]
fn what_the_config_does_not_hold_is_refused_and_leaves_nothing() {
    let room = Scratch::shell("echo never");
    let mut client = room.connect();
    let (code, message) = client.ask(start(7)).refusal();
    assert_eq!(code, "not-in-config");
    assert!(message.contains("step 8") && message.contains("reload"), "{message}");
    let Op::Start { job, key, .. } = start(0) else { unreachable!() };
    let digest = digest().as_str().replace('0', "f").parse().unwrap();
    let unknown = Op::Start { digest, job, key, dry_run: false, limit: None };
    assert_eq!(client.ask(unknown).refusal().0, "not-in-config");
    assert_eq!(client.ask(collect()).answer(), EventKind::Unknown);
    assert_eq!(fs::read_dir(room.state().join("steps")).unwrap().count(), 0);
}

#[test]
fn a_dry_run_runs_only_what_can_be_tried() {
    let room = Scratch::shell("echo really; false");
    let report = room.connect().ask(dry_run(0)).report();
    assert_eq!(
        (report.verdict.outcome, report.verdict.reasons[0].code.as_str()),
        (Outcome::Skipped, "no-dry-run")
    );
    let argv = |args: &str| Action::Tootctl(args.split(' ').map(str::to_owned).collect());
    let room = Scratch::new(Room::Tootctl, &[], vec![argv("media remove --days 7"), argv("cache clear")]);
    room.file("live/bin/tootctl", "#!/bin/sh\necho \"args: $*\"\n", 0o755);
    let mut client = room.connect();
    client
        .ask(dry_run(0))
        .until(|kind| matches!(kind, EventKind::Line { text, .. } if text.contains("--dry-run")));
    let report = room.connect().ask(dry_run(1)).report();
    assert_eq!(report.verdict.outcome, Outcome::Skipped);
}

#[test]
fn a_missing_tootctl_fails_with_its_path() {
    let room = Scratch::new(Room::Tootctl, &[], vec![Action::Tootctl(vec!["cache".into(), "clear".into()])]);
    let report = room.connect().ask(start(0)).report();
    assert_eq!(report.verdict.outcome, Outcome::Failed);
    assert_eq!(report.verdict.reasons[0].code, "live-missing");
    assert!(report.verdict.reasons[0].text.contains(room.dir.path().join("live").to_str().unwrap()));
}

#[test]
fn a_misspelt_option_is_refused_before_it_becomes_a_name() {
    let args = ["accounts", "cull", "--dryrun"].map(str::to_owned).to_vec();
    let room = Scratch::new(Room::Tootctl, &[], vec![Action::Tootctl(args)]);
    room.file("live/bin/tootctl", "#!/bin/sh\necho 'Visited 0 accounts, removed 0'\n", 0o755);
    let report = room.connect().ask(start(0)).report();
    assert_eq!((report.verdict.outcome, report.exit), (Outcome::Failed, None));
    assert_eq!(report.verdict.reasons[0].code, "unknown-option");
    assert!(report.verdict.reasons[0].text.contains("--dry-run?"), "{report:?}");
}

#[test]
fn what_the_installed_version_lacks_fails_before_it_runs() {
    let args = ["media", "remove", "--keep-interacted"].map(str::to_owned).to_vec();
    let room = Scratch::new(Room::Tootctl, &[], vec![Action::Tootctl(args)]);
    room.file("live/bin/tootctl", "#!/bin/sh\necho 'Removed 0 media attachments (approx. 0 Bytes)'\n", 0o755);
    let version = "def major\n  4\nend\ndef minor\n  3\nend\ndef patch\n  1\nend\n";
    room.file("live/lib/mastodon/version.rb", version, 0o644);
    let report = room.connect().ask(start(0)).report();
    assert_eq!((report.verdict.outcome, report.exit), (Outcome::Failed, None));
    assert_eq!(report.verdict.reasons[0].code, "not-in-this-version");
}

#[test]
fn tootctl_never_runs_as_somebody_else() {
    let room = Scratch::new(Room::Tootctl, &[], vec![Action::Tootctl(vec!["cache".into(), "clear".into()])]);
    room.file("live/bin/tootctl", "#!/bin/sh\necho OK\n", 0o755);
    room.edit_accepted(&format!("\"user\":\"{}\"", own_user()), "\"user\":\"somebody-else\"");
    let report = room.connect().ask(start(0)).report();
    assert_eq!(report.verdict.outcome, Outcome::Failed);
    assert_eq!(report.verdict.reasons[0].code, "wrong-user");
    assert!(report.verdict.reasons[0].text.contains("somebody-else"), "{report:?}");
}

#[test]
fn a_step_finds_neither_the_connection_nor_the_runners_variables() {
    let room = Scratch::shell(
        "ls -l /proc/self/fd | grep -c socket; env | cut -d= -f1 | sort | tr '\\n' ' '; grep -E 'Sig(Blk|Ign)' /proc/self/status; readlink /proc/self/fd/0",
    );
    let command = room.command();
    let mut ignoring = std::process::Command::new("sh");
    ignoring
        .args(["-c", "trap '' HUP INT TERM; exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args());
    let mut command = ignoring;
    command.env("NOTIFY_SOCKET", "/nowhere").env("LISTEN_FDS", "1");
    let events =
        Client::of(command, Room::Run).ask(start(0)).until(|k| matches!(k, EventKind::Finished { .. }));
    let texts: String = events
        .iter()
        .filter_map(
            |e| if let EventKind::Line { text, .. } = &e.kind { Some(format!("{text}\n")) } else { None },
        )
        .collect();
    assert!(texts.starts_with("0\n"), "{texts}");
    assert!(!texts.contains("NOTIFY_SOCKET") && !texts.contains("LISTEN_FDS"), "{texts}");
    for line in texts.lines().filter(|line| line.starts_with("Sig")) {
        let mask = u64::from_str_radix(line.rsplit('\t').next().unwrap(), 16).unwrap();
        // Without the real-time signals, which the tests' invoker may ignore.
        assert_eq!(mask & 0x7fff_ffff, 0, "blocked or ignored: {line}");
    }
    assert!(texts.contains("MASTMAINT_STEP") && texts.ends_with("/dev/null\n"), "{texts}");
}

#[test]
fn a_room_names_what_it_keeps() {
    let room = Scratch::shell("echo ready; sleep 1");
    room.connect().ask(start(0)).until_line("ready");
    let mut client = room.connect();
    client.ask(Op::List);
    let EventKind::Kept { key, job, working, .. } = client.answer() else { panic!("nothing is kept") };
    assert_eq!((key.to_string().as_str(), job.as_str(), working), ("20261123T003000Z-7k3f9q.1", JOB, true));
    assert_eq!(client.answer(), EventKind::Listed);
    room.connect().ask(collect()).report();
    client.ask(Op::List);
    let mut working = true;
    while working {
        match client.answer() {
            EventKind::Kept { working: still, .. } => working = still,
            EventKind::Listed => drop(client.ask(Op::List)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_a_newer_version_says_is_passed_over() {
    let line = br#"{"v":2,"seq":7,"event":"weather","sunny":true}"#;
    let event: mastmaint_runner::protocol::Event = mastmaint_runner::codec::decode(line).unwrap();
    assert_eq!((event.seq, event.kind), (7, EventKind::Other));
}

//! Both ends over real sockets, and every word there and back.

#![expect(clippy::unwrap_used, reason = "these helpers are part of tests")]

use mastmaint_control::{Client, ClientError, decode_request, encode_reply, encode_request, words::*};
use mastmaint_words::{Grade, Hold, HoldId, HoldScope, Numbers, Outcome, Reason, RunId, StepIndex, Trigger};
use proptest::prelude::*;
use std::{
    io::{BufRead, BufReader, Write},
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::PathBuf,
    thread,
    time::Duration,
};

fn run_id() -> RunId {
    "20261123T003000Z-7k3f9q".parse().unwrap()
}

fn overdue_backup() -> OverdueBackup {
    OverdueBackup { backup: "files".parse().unwrap(), since: time(), verified: Some(time()), newest: None }
}

fn time() -> jiff::Timestamp {
    "2026-11-23T00:30:00Z".parse().unwrap()
}

fn requests() -> Vec<Request> {
    let job = "clean-media".parse::<mastmaint_words::JobName>().unwrap();
    vec![
        Request::Status,
        Request::Jobs,
        Request::History { job: Some(job.clone()), limit: 20 },
        Request::History { job: None, limit: 0 },
        Request::Show { run: "2026\n\"".to_owned() },
        Request::Output { run: run_id(), step: StepIndex(3) },
        Request::Follow { run: run_id() },
        Request::Run { job: job.clone(), dry_run: true, despite_hold: true },
        Request::Cancel { run: "clean-media".to_owned() },
        Request::Pause { job: job.clone() },
        Request::Resume { job },
        Request::Backups,
        Request::Holds,
        Request::Incidents { limit: 20 },
        Request::HoldAdd {
            from: time(),
            until: time(),
            scope: HoldScope::All,
            reason: "own\n\"work".to_owned(),
        },
        Request::HoldRemove { id: HoldId(3) },
        Request::Reload,
    ]
}

fn run_line() -> RunLine {
    RunLine {
        run: run_id(),
        job: "clean-media".parse().unwrap(),
        trigger: Trigger::Retry { of: run_id(), attempt: 2, slot: Some(time()) },
        dry_run: false,
        state: RunState::Ended,
        queued: time(),
        started: Some(time()),
        ended: Some(time()),
        took_seconds: Some(12.5),
        outcome: Some(Outcome::TimedOut),
        grade: Some(Grade::Read),
        reason: Some("the time limit of 3h was reached".to_owned()),
        numbers: Numbers { visited: Some(1), failed: None, removed: Some(0), bytes: Some(u64::MAX) },
        step: Some(StepNow {
            step: StepIndex(1),
            of: 2,
            title: "tootctl media remove".to_owned(),
            since: time(),
            progress: Some(progress()),
        }),
        waits_for: Some(WaitLine {
            lock: Some("mastodon".parse().unwrap()),
            job: "clean-cards".parse().unwrap(),
            run: run_id(),
            running: true,
            until: time(),
        }),
    }
}

fn hold_line() -> HoldLine {
    let hold = Hold { from: time(), until: time(), scope: HoldScope::Change, reason: "freeze".to_owned() };
    HoldLine { id: Some(HoldId(1)), hold, on: true, uid: Some(0) }
}

fn progress() -> StepProgress {
    StepProgress {
        lines: 1,
        errors: 2,
        bar_percent: Some(50),
        items_done: Some(6),
        items_of: Some(12),
        last: "l".to_owned(),
        sign: Some("output".to_owned()),
        sign_at: Some(time()),
    }
}

fn step_line() -> StepLine {
    StepLine {
        step: StepIndex(0),
        title: "tootctl media remove --days 14".to_owned(),
        started: time(),
        ended: None,
        took_seconds: 0.25,
        outcome: None,
        grade: None,
        reasons: vec![Reason::unreachable("postgres-unreachable", "PostgreSQL does not answer")],
        numbers: Numbers::default(),
        exit: Some(1),
        signal: Some("SIGTERM".to_owned()),
        peak_rss_bytes: Some(320 << 20),
        space: Some(mastmaint_words::Space { total_bytes: 9, free_before_bytes: 3, free_after_bytes: 5 }),
        lines: 2,
        bytes: 80,
        output_kept: true,
    }
}

fn probe() -> ProbeLine {
    ProbeLine {
        probe: "web".parse().unwrap(),
        kind: "web".to_owned(),
        state: ProbeState::Down,
        since: Some(time()),
        at: Some(time()),
        said: Some("/about answers 500".to_owned()),
    }
}

fn incident() -> IncidentLine {
    IncidentLine {
        probe: "web".parse().unwrap(),
        opened: time(),
        known: time(),
        closed: Some(time()),
        why: "/about answers 500".to_owned(),
        ended: None,
    }
}

fn replies() -> Vec<Reply> {
    let digest: mastmaint_words::Digest = "0123456789abcdef0123456789abcdef".parse().unwrap();
    let job_line = JobLine {
        job: "clean-media".parse().unwrap(),
        description: None,
        schedule: Some("30 0 * * * Europe/Paris".to_owned()),
        next: Some(time()),
        retry: Some(1),
        last: Some(run_line()),
        current: None,
        paused: true,
        change: true,
        held: Some(hold_line()),
    };
    let status = Status {
        brackets: vec![],
        daemon: "0.1.0".to_owned(),
        pid: 1,
        since: time(),
        sentence: "idle".to_owned(),
        config: ConfigStatus {
            digest: digest.clone(),
            path: PathBuf::from("/etc/mastmaintd/mastmaintd.yaml"),
            since: time(),
            warnings: vec!["w".to_owned()],
            refused: vec![],
        },
        running: vec![run_line()],
        queued: vec![],
        holds: vec![hold_line()],
        next: Some(NextLine { job: "clean-media".parse().unwrap(), at: time() }),
        ledger: LedgerStatus::NotRecording { why: "disk full".to_owned() },
        approvals: vec![],
        space: None,
        journal_lost: 3,
        overdue: vec![OverdueLine { job: "clean-media".parse().unwrap(), slot: time() }],
        probes: vec![probe()],
        overdue_backups: vec![overdue_backup()],
        notify: vec![TargetLine {
            target: 1,
            kind: "mail".to_owned(),
            failing: Some("nobody answers".to_owned()),
            waiting: 2,
        }],
    };
    let recording = Status { ledger: LedgerStatus::Recording, next: None, ..status.clone() };
    let detail = RunDetail { run: run_line(), digest: digest.clone(), steps: vec![step_line()] };
    let step = StepIndex(1);
    let mut replies = vec![
        Reply::Status(Box::new(status)),
        Reply::Status(Box::new(recording)),
        Reply::Jobs { jobs: vec![job_line] },
        Reply::History { runs: vec![run_line()], space: None },
        Reply::Run(Box::new(detail)),
        Reply::Tested {
            answers: vec![TestAnswer {
                target: 1,
                kind: "mail".to_owned(),
                told: true,
                said: "250 queued".to_owned(),
            }],
        },
        Reply::Output { text: "a\nb\u{0}".to_owned() },
        Reply::Queued {
            run: run_id(),
            waits_for: Some("lock mastodon".to_owned()),
            already: false,
            unrecorded: false,
            over: None,
        },
        Reply::Holds { holds: vec![hold_line(), HoldLine { id: None, uid: None, on: false, ..hold_line() }] },
        Reply::HoldAdded { id: HoldId(7) },
        Reply::Incidents { incidents: vec![incident()] },
        Reply::Backups {
            backups: vec![],
            overdue: vec![overdue_backup()],
            unverified: vec!["other".parse().unwrap()],
        },
        Reply::Reloaded { digest, warnings: vec![] },
        Reply::ReloadRefused { mistakes: vec!["x:1:1: …".to_owned()] },
        Reply::Done,
        Reply::Error { code: "unknown-job".to_owned(), message: "m".to_owned() },
    ];
    replies.extend(
        [
            FollowEvent::Waiting { why: "lock".to_owned() },
            FollowEvent::StepStarted { step, of: 2, title: "t".to_owned() },
            FollowEvent::Line { step, stderr: true, text: "Größe".to_owned() },
            FollowEvent::Progress { step, progress: Box::new(progress()) },
            FollowEvent::StepEnded { step: Box::new(step_line()) },
            FollowEvent::RunEnded { run: Box::new(run_line()) },
        ]
        .map(Reply::Follow),
    );
    replies
}

#[test]
fn every_request_reads_back() {
    for request in requests() {
        let line = encode_request(&request).unwrap();
        assert_eq!(line.iter().position(|b| *b == b'\n'), Some(line.len() - 1));
        assert_eq!(decode_request(&line), Ok(request));
    }
}

#[test]
fn every_reply_reads_back() {
    for reply in replies() {
        let line = encode_reply(&reply);
        assert_eq!(line.iter().position(|b| *b == b'\n'), Some(line.len() - 1));
        assert_eq!(serde_json::from_slice::<Reply>(&line).unwrap(), reply);
    }
}

#[test]
fn what_is_too_large_is_said_not_sent() {
    let long = Request::Show { run: "x".repeat(MAX_REQUEST) };
    assert!(encode_request(&long).unwrap_err().contains("more than 16384"));
    let code = |reply| match reply {
        Err(Reply::Error { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    assert_eq!(code(decode_request(&vec![b' '; MAX_REQUEST + 1])), "too-large");
    assert_eq!(code(decode_request(&vec![b' '; MAX_REQUEST])), "bad-request");
    assert_eq!(code(decode_request(br#"{"ask":"shell"}"#)), "bad-request");

    let line = encode_reply(&Reply::Output { text: "x".repeat(MAX_REPLY) });
    assert!(line.len() < 1000);
    assert!(matches!(serde_json::from_slice(&line), Ok(Reply::Error { code, .. }) if code == "too-large"));
}

/// A daemon that answers one request with these bytes and hangs up.
fn daemon(answer: Vec<u8>) -> (tempfile::TempDir, PathBuf, thread::JoinHandle<String>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("observe.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let served = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut line = String::new();
        BufReader::new(&stream).read_line(&mut line).unwrap();
        // A client that has seen enough hangs up first.
        let _ = (&stream).write_all(&answer);
        line
    });
    (dir, path, served)
}

fn ask(answer: &[u8]) -> Result<Reply, ClientError> {
    let (_dir, path, served) = daemon(answer.to_vec());
    let reply = Client::connect(&path, Some(Duration::from_secs(5))).unwrap().ask(&Request::Status);
    assert_eq!(served.join().unwrap(), "{\"ask\":\"status\"}\n");
    reply
}

#[test]
fn a_question_has_its_answer() {
    assert_eq!(ask(&encode_reply(&Reply::Done)).unwrap(), Reply::Done);
}

#[test]
fn a_daemon_that_hangs_up_or_talks_rubbish_is_named() {
    for (answer, unreachable) in
        [(b"".as_slice(), true), (b"{\"reply\":\"done\"", true), (b"SSH-2.0\n", false), (b"\xff\n", false)]
    {
        let error = ask(answer).unwrap_err();
        assert_eq!(matches!(error, ClientError::Unreachable { .. }), unreachable, "{answer:?}: {error}");
    }
    let endless = vec![b'x'; MAX_REPLY + 10];
    assert!(matches!(ask(&endless), Err(ClientError::Protocol { why, .. }) if why.contains("more than")));
}

#[test]
fn who_is_turned_away_before_they_ask_is_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("observe.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut client = Client::connect(&path, Some(Duration::from_secs(5))).unwrap();
    let no_place = Reply::Error { code: "too-many-clients".into(), message: "too many".into() };
    listener.accept().unwrap().0.write_all(&encode_reply(&no_place)).unwrap();
    // The daemon has hung up by now.
    assert_eq!(client.ask(&Request::Status).unwrap(), no_place);
}

#[test]
fn a_streamed_answer_ends_at_its_last_piece() {
    let piece = Reply::Output { text: "a".to_owned() };
    let lines =
        [encode_reply(&piece), encode_reply(&piece), encode_reply(&Reply::Done), encode_reply(&piece)];
    let (_dir, path, _served) = daemon(lines.concat());
    let mut client = Client::connect(&path, None).unwrap();
    let got: Vec<Reply> = client
        .stream(&Request::Output { run: run_id(), step: StepIndex(0) })
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(got, [piece.clone(), piece, Reply::Done]);
}

#[test]
fn a_streamed_answer_that_breaks_is_an_error_once() {
    let (_dir, path, _served) = daemon(encode_reply(&Reply::Output { text: "a".to_owned() }));
    let mut client = Client::connect(&path, None).unwrap();
    let got: Vec<_> = client.stream(&Request::Follow { run: run_id() }).unwrap().collect();
    assert!(matches!(got.as_slice(), [Ok(_), Err(ClientError::Unreachable { .. })]), "{got:?}");
}

#[test]
fn nobody_there_is_said_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let error = Client::connect(&path, None).unwrap_err();
    assert!(error.to_string().contains("systemctl status mastmaintd"), "{error}");
    // A socket that its daemon left behind.
    drop(UnixListener::bind(&path).unwrap());
    let error = Client::connect(&path, None).unwrap_err();
    assert!(error.to_string().contains("nobody listens"), "{error}");
    // One that accepts and says nothing.
    let silent = dir.path().join("silent.sock");
    let _listener = UnixListener::bind(&silent).unwrap();
    let error = Client::connect(&silent, Some(Duration::from_millis(50))).unwrap().ask(&Request::Status);
    assert!(matches!(error, Err(ClientError::Unreachable { why, .. }) if why == "no answer in time"));
}

#[test]
fn a_socket_that_is_for_others_is_said_with_what_to_do() {
    const INSIDE: &str = "MASTMAINT_TEST_INSIDE";
    // Nothing is forbidden to root, and tests may run as root: so this one runs once more as nobody in particular.
    if std::env::var_os(INSIDE).is_none() {
        let ran = std::process::Command::new("unshare")
            .args(["--user", "--map-user=1000"])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "a_socket_that_is_for_others_is_said_with_what_to_do"])
            .env(INSIDE, "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stdout);
        assert!(
            ran.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&ran.stderr)
        );
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("control.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).unwrap();
    let error = Client::connect(&path, None).unwrap_err();
    assert!(matches!(error, ClientError::PermissionDenied { .. }), "{error}");
    assert!(error.to_string().contains("sudo"));
}

proptest! {
    #[test]
    fn no_bytes_make_the_daemon_stumble(line in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Err(reply) = decode_request(&line) {
            let Reply::Error { message, .. } = &reply else { panic!("{reply:?}") };
            prop_assert!(!message.contains('\n'));
            prop_assert!(encode_reply(&reply).len() < 2000);
        }
    }

    #[test]
    fn nothing_that_looks_like_a_request_does_either(
        ask in prop_oneof!["status|show|output|run|history|reload", "\\PC{0,10}"],
        run in "\\PC{0,30}",
        number in any::<i64>(),
    ) {
        let line = serde_json::json!({"ask": ask, "run": run, "job": run, "step": number, "limit": number, "dry_run": number});
        let _ = decode_request(line.to_string().as_bytes());
    }
}

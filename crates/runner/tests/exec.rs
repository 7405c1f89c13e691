//! Real processes: how they end, what is left of them, what they find. One at a time, as `execute` itself takes care.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use mastmaint_runner::{
    exec::{Limits, Orders, Sink, StepCommand, execute},
    output::Patterns,
    protocol::{EndingCause, EventKind, LineClass, Sign, StepReport, Stream},
    redact::Redactor,
    verdict::Judge,
};
use mastmaint_words::{Outcome, StepIndex, StepKey};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    sync::{PoisonError, RwLock},
    thread,
    time::{Duration, Instant},
};

const LONG: Duration = Duration::from_mins(1);
const SHORT: Duration = Duration::from_millis(300);

#[derive(Default)]
struct Events(Vec<EventKind>);

impl Sink for Events {
    fn event(&mut self, kind: EventKind) {
        self.0.push(kind);
    }
}

impl Events {
    fn lines(&self, wanted: Stream) -> Vec<&str> {
        let mut lines = Vec::new();
        for event in &self.0 {
            if let EventKind::Line { stream, text, .. } = event
                && *stream == wanted
            {
                lines.push(text.as_str());
            }
        }
        lines
    }

    fn copy(&self) -> String {
        use base64::{Engine, prelude::BASE64_STANDARD};
        let mut gzip = Vec::new();
        for event in &self.0 {
            if let EventKind::Copy { data } = event {
                assert!(data.len() <= 45 * 1024);
                gzip.extend(BASE64_STANDARD.decode(data).unwrap());
            }
        }
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&gzip[..]), &mut text).unwrap();
        text
    }
}

struct Done {
    report: StepReport,
    events: Events,
    took: Duration,
}

fn sh(script: &str) -> StepCommand {
    StepCommand {
        program: "sh".into(),
        args: vec!["-c".to_owned(), script.to_owned()],
        environment: BTreeMap::from([("PATH".to_owned(), "/usr/local/bin:/usr/bin:/bin".to_owned())]),
        directory: "/".into(),
        patterns: Patterns::default(),
    }
}

/// Held alone by tests that have children of their own, because a step takes every new child for its own.
static CHILDREN: RwLock<()> = RwLock::new(());

fn run_with(command: &StepCommand, timeout: Duration, grace: Duration, orders: impl FnOnce(Orders)) -> Done {
    let _guard = CHILDREN.read().unwrap_or_else(PoisonError::into_inner);
    run_unguarded(command, timeout, grace, orders)
}

fn run_unguarded(
    command: &StepCommand,
    timeout: Duration,
    grace: Duration,
    orders: impl FnOnce(Orders),
) -> Done {
    let limits = Limits { timeout, timeout_cause: EndingCause::StepTimeout, grace, quiet: None };
    run_within(command, limits, orders)
}

fn run_within(command: &StepCommand, limits: Limits, orders: impl FnOnce(Orders)) -> Done {
    let key = StepKey { run: "20261123T003000Z-7k3f9q".parse().unwrap(), step: StepIndex(0) };
    let (sender, mut receiver) = Orders::new().unwrap();
    orders(sender);
    let redactor = Redactor::from_secrets(["hidden-value".to_owned()]);
    let mut events = Events::default();
    let start = Instant::now();
    let report = execute(
        key,
        command,
        limits,
        &mut receiver,
        &redactor,
        &|ended| Judge::of_any().judge(ended),
        &mut events,
    );
    Done { report, events, took: start.elapsed() }
}

fn run(script: &str) -> Done {
    run_with(&sh(script), LONG, LONG, drop)
}

/// Whether a process with this in its command line lives.
fn lives(mark: &str) -> bool {
    let mut entries = fs::read_dir("/proc").unwrap().flatten();
    entries.any(|e| {
        let line = fs::read(e.path().join("cmdline")).unwrap_or_default();
        let stat = fs::read_to_string(e.path().join("stat")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(mark) && !stat.contains(") Z ")
    })
}

fn code(done: &Done) -> &str {
    &done.report.verdict.reasons[0].code
}

#[test]
fn a_step_that_ends_well() {
    let done = run("echo out; echo err >&2; printf 'no newline'");
    assert_eq!(done.report.verdict.outcome, Outcome::Ok);
    assert_eq!((done.report.exit, done.report.lines, done.report.bytes), (Some(0), 3, 18));
    assert_eq!(done.events.lines(Stream::Stdout), ["out", "no newline"]);
    assert_eq!(done.events.lines(Stream::Stderr), ["err"]);
    assert!(matches!(done.events.0[0], EventKind::Started { pid, .. } if pid > 1));
    assert!(done.events.copy().contains("stderr| err\n"));
    assert!(done.report.peak_rss_bytes.unwrap() > 100_000);
}

#[test]
fn it_finds_nothing_that_was_not_given() {
    // cargo runs this test with dozens of variables.
    assert!(std::env::vars().count() > 5);
    let done = run(
        "env; pwd; umask; ls -l /proc/self/fd | grep -v ' -> /proc/' | wc -l; cat; readlink /proc/self/fd/0",
    );
    let lines = done.events.lines(Stream::Stdout);
    let variables: Vec<_> = lines
        .iter()
        .filter(|l| {
            l.contains('=')
                && !l.starts_with("PWD=")
                && !l.starts_with("_=")
                && !l.starts_with("SHLVL=")
                && !l.starts_with("OLDPWD=")
        })
        .collect();
    assert_eq!(variables, [&"PATH=/usr/local/bin:/usr/bin:/bin"]);
    assert!(lines.contains(&"/") && lines.contains(&"0022") && lines.contains(&"/dev/null"), "{lines:?}");
    // stdin, stdout, stderr and the line "total".
    assert!(lines.contains(&"4"), "{lines:?}");
}

#[test]
fn it_inherits_no_ignored_signal_and_no_descriptor() {
    // This very test once more, as the child of a shell that ignores INT and HUP, like nohup.
    const AGAIN: &str = "MASTMAINT_TEST_IGNORING";
    if std::env::var_os(AGAIN).is_none() {
        let _guard = CHILDREN.write().unwrap_or_else(PoisonError::into_inner);
        let exe = std::env::current_exe().unwrap();
        let status = Command::new("sh")
            .args([
                "-c",
                "trap '' INT HUP QUIT USR1; exec 7</dev/null; exec \"$0\" --exact it_inherits_no_ignored_signal_and_no_descriptor",
            ])
            .arg(exe)
            .env(AGAIN, "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    nix::sys::signal::SigSet::from(nix::sys::signal::Signal::SIGUSR2).thread_block().unwrap();
    let done = run("grep -E 'Sig(Ign|Blk)' /proc/self/status; test -e /proc/self/fd/7 && echo open");
    // Signals 32 and 33 belong to the C library.
    let masks: Vec<_> =
        done.events.lines(Stream::Stdout).iter().map(|l| l.replace("18000", "00000")).collect();
    assert_eq!(masks, ["SigBlk:\t0000000000000000", "SigIgn:\t0000000000000000"]);
}

#[test]
fn exit_status_and_signals_are_told() {
    let done = run("echo 'it broke' >&2; exit 3");
    assert_eq!((done.report.exit, code(&done)), (Some(3), "exit-status"));
    assert_eq!(done.report.verdict.reasons[0].text, "it exited with 3: it broke");
    let done = run("kill -TERM $$");
    assert_eq!((done.report.signal.as_deref(), code(&done)), (Some("SIGTERM"), "killed-from-outside"));
    let done = run("kill -KILL $$");
    assert_eq!((done.report.signal.as_deref(), code(&done)), (Some("SIGKILL"), "killed-from-outside"));
    let done = run("kill -SEGV $$");
    assert_eq!((done.report.signal.as_deref(), code(&done)), (Some("SIGSEGV"), "crashed"));
    let done = run("echo 'Error processing 7: no'; exit 0");
    assert_eq!(done.report.verdict.outcome, Outcome::Partial);
}

#[test]
fn a_timeout_is_term_then_kill_for_the_whole_tree() {
    let script = "trap 'echo got TERM' TERM; (trap '' TERM; exec -a x sleep 1001) & sleep 1002 & while :; do wait; done";
    let script = script.replace("exec -a x ", "");
    let done = run_with(&sh(&script), SHORT, SHORT, drop);
    assert_eq!(done.report.verdict.outcome, Outcome::TimedOut);
    assert_eq!((code(&done), done.report.signal.as_deref()), ("step-timeout", Some("SIGKILL")));
    assert!(done.events.lines(Stream::Stdout).contains(&"got TERM"));
    assert!(done.took >= 2 * SHORT && done.took < LONG / 2, "{:?}", done.took);
    assert!(!lives("sleep\u{0}1001") && !lives("sleep\u{0}1002"));
    let order: Vec<_> = done
        .events
        .0
        .iter()
        .filter_map(|e| match e {
            EventKind::Slow { .. } => Some("slow"),
            EventKind::Ending { why: EndingCause::StepTimeout, .. } => Some("ending"),
            _ => None,
        })
        .collect();
    assert_eq!(order, ["slow", "ending"]);
}

#[test]
fn the_grace_is_for_grandchildren_too() {
    // The shell dies of TERM at once, what it started needs a moment to clean up.
    let script = "(trap 'sleep 0.4; echo cleaned; exit 0' TERM; sleep 1003 & wait) & wait";
    let done = run_with(&sh(script), SHORT, LONG, drop);
    assert_eq!(done.report.verdict.outcome, Outcome::TimedOut);
    assert_eq!(done.events.lines(Stream::Stdout), ["cleaned"]);
    assert!(done.took < LONG / 2);
}

#[test]
fn a_grandchild_with_a_session_of_its_own_neither_survives_nor_delays() {
    let script = "setsid sh -c 'trap \"\" TERM; while :; do sleep 1004; done' & sleep 0.2; echo done";
    let done = run(script);
    assert_eq!(done.report.verdict.outcome, Outcome::Ok);
    assert_eq!(code(&done), "left-processes");
    assert_eq!(done.events.lines(Stream::Stdout), ["done"]);
    assert!(done.took < LONG / 2, "{:?}", done.took);
    assert!(!lives("sleep\u{0}1004") && !lives("while :; do sleep 1004"));
    let done = run_with(&sh(&script.replace("echo done", "sleep 1005")), SHORT, SHORT, drop);
    assert_eq!(done.report.verdict.outcome, Outcome::TimedOut);
    assert!(!lives("sleep\u{0}1004") && !lives("sleep\u{0}1005"));
}

#[test]
fn a_daemon_that_closed_its_pipes_does_not_survive() {
    let done = run("setsid sh -c 'trap \"\" TERM HUP; sleep 1006' </dev/null >/dev/null 2>&1 & sleep 0.2");
    assert_eq!(done.report.verdict.outcome, Outcome::Ok);
    assert!(!lives("sleep\u{0}1006"));
}

#[test]
fn output_that_comes_after_the_end_is_read() {
    let done = run("(sleep 0.1; echo late) & exit 0");
    assert_eq!(done.events.lines(Stream::Stdout), ["late"]);
    assert_eq!(done.report.verdict.outcome, Outcome::Ok);
}

#[test]
fn processes_that_breed_are_ended() {
    let script = "f() { sleep 1007 & (trap '' TERM; while :; do sleep 1007; done) & }; for i in 1 2 3 4 5 6 7 8; do f; done; wait";
    let done = run_with(&sh(script), SHORT, SHORT, drop);
    assert_eq!(done.report.verdict.outcome, Outcome::TimedOut);
    assert!(!lives("sleep\u{0}1007"));
}

#[test]
fn a_stopped_process_is_ended() {
    let done = run_with(&sh("kill -STOP $$; echo awake"), SHORT, LONG, drop);
    assert_eq!(done.report.verdict.outcome, Outcome::TimedOut);
    assert!(done.took < LONG / 2, "{:?}", done.took);
}

#[test]
fn a_cancel_is_term_and_a_second_one_is_kill() {
    let stubborn = sh("trap '' TERM; while :; do sleep 0.05; done");
    let done = run_with(&stubborn, LONG, LONG, |orders| {
        thread::spawn(move || {
            thread::sleep(SHORT);
            orders.cancel(EndingCause::Cancel);
            thread::sleep(SHORT);
            orders.cancel(EndingCause::Cancel);
        });
    });
    assert_eq!((done.report.verdict.outcome, code(&done)), (Outcome::Cancelled, "cancelled"));
    assert!(done.took >= 2 * SHORT && done.took < LONG / 2, "{:?}", done.took);
    let done = run_with(&sh("sleep 1008"), LONG, LONG, |orders| orders.cancel(EndingCause::RoomStopped));
    assert_eq!((done.report.verdict.outcome, code(&done)), (Outcome::Interrupted, "room-stopped"));
    assert!(done.took < LONG / 2);
}

#[test]
fn both_pipes_are_read_whatever_the_other_does() {
    let done = run(
        "i=0; while [ $i -lt 20000 ]; do echo 'a line on standard error' >&2; i=$((i+1)); done; echo end",
    );
    assert_eq!((done.report.verdict.outcome, done.report.lines), (Outcome::Ok, 20_001));
    let done = run("exec >&-; echo still >&2; exec 2>&-; sleep 0.2; exit 4");
    assert_eq!(done.report.exit, Some(4));
    assert_eq!(done.events.lines(Stream::Stderr), ["still"]);
}

#[test]
fn much_output_is_counted_whole_and_told_in_part() {
    let done = run("seq 1 1000000");
    assert_eq!((done.report.lines, done.report.bytes), (1_000_000, 6_888_896));
    let told = done.events.lines(Stream::Stdout).len() as u64;
    let omitted: u64 =
        done.events.0.iter().map(|e| if let EventKind::Omitted { lines } = e { *lines } else { 0 }).sum();
    assert_eq!((told, told + omitted), (250, 1_000_000));
    let copy = done.events.copy();
    assert!(copy.starts_with("1\n2\n") && copy.ends_with("999999\n1000000\n"));
    assert_eq!(copy.lines().count() as u64 - 1 + done.report.omitted, 1_000_000);
}

#[test]
fn secrets_do_not_come_out_by_any_way() {
    let done = run(
        "echo 'Error: hidden-value'; echo hidden-value >&2; sleep 1.2; echo postgres://me:hidden-value@db; exit 1",
    );
    let everything = format!("{:?}{:?}{}", done.report, done.events.0, done.events.copy());
    assert!(done.events.0.iter().any(|e| matches!(e, EventKind::Progress(_))));
    assert!(everything.contains("[redacted]"));
    assert!(!everything.contains("hidden-value"));
    assert!(done.events.0.iter().any(|e| matches!(e, EventKind::Line { class: LineClass::Error, .. })));
}

#[test]
fn what_cannot_be_started_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    };
    let missing = folder.path().join("hidden-value");
    // A process that is born while a script is being written keeps it busy for a moment.
    let guard = CHILDREN.write().unwrap_or_else(PoisonError::into_inner);
    let scripts = [
        file("script", "#!/no/such/ruby\n", 0o755),
        file("plain", "#!/bin/sh\n", 0o644),
        file("text", "\u{7f}rubbish", 0o755),
    ];
    drop(guard);
    let [script, plain, text] = scripts;
    for (program, directory, code) in [
        (missing.clone(), Path::new("/"), "program-missing"),
        ("no-such-program-anywhere".into(), Path::new("/"), "program-missing"),
        (script, Path::new("/"), "interpreter-missing"),
        (plain, Path::new("/"), "not-executable"),
        (text, Path::new("/"), "not-a-program"),
        ("/bin/sh".into(), &missing, "directory-missing"),
        ("/bin/sh".into(), Path::new("/bin/sh"), "directory-missing"),
    ] {
        let command = StepCommand { program: program.clone(), directory: directory.into(), ..sh("") };
        let done = run_with(&command, LONG, LONG, drop);
        assert_eq!(done.report.verdict.outcome, Outcome::Failed);
        assert_eq!(done.report.verdict.reasons[0].code, code, "{}", program.display());
        assert!(!done.report.verdict.reasons[0].text.contains("hidden-value"));
        assert_eq!((done.report.exit, done.report.signal), (None, None));
    }
}

#[test]
fn no_dead_process_stays_in_the_table() {
    run("for i in 1 2 3; do (setsid sleep 0.1 &) ; done; sleep 0.3; (setsid sleep 1009 &)");
    let own = std::process::id();
    let children = fs::read_dir("/proc").unwrap().flatten().filter(|e| {
        let stat = fs::read_to_string(e.path().join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(&format!("Z {own} ")))
    });
    // Another test's main process may be one for a moment; orphans would be four.
    assert!(children.count() < 2);
}

#[test]
fn a_child_of_somebody_else_is_left_alone() {
    let _guard = CHILDREN.write().unwrap_or_else(PoisonError::into_inner);
    let mut other = Command::new("sleep").arg("1010").spawn().unwrap();
    run_unguarded(&sh("true"), LONG, LONG, drop);
    assert_eq!(other.try_wait().unwrap(), None);
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn what_the_admin_fears_or_misses_in_the_output_fails_the_step() {
    let judged = |expect: &[&str], fail_on: &[&str]| {
        let own = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
        let patterns = Patterns { expect: own(expect), fail_on: own(fail_on) };
        let command = StepCommand { patterns, ..sh("echo copied 5; echo 2 lost >&2") };
        let long = Duration::from_mins(1);
        let verdict = run_with(&command, long, long, drop).report.verdict;
        (verdict.outcome, verdict.reasons.first().map_or(String::new(), |r| r.code.clone()))
    };
    assert_eq!(judged(&["^copied [0-9]+$"], &["^5 lost"]), (Outcome::Ok, String::new()));
    assert_eq!(judged(&["^moved"], &[]), (Outcome::Failed, "expected-line-missing".to_owned()));
    assert_eq!(judged(&["^copied"], &["[1-9] lost"]), (Outcome::Failed, "feared-line".to_owned()));
}

/// The step alone, under a `quiet_limit`.
fn run_quiet(script: &str, quiet: Duration) -> Done {
    let _guard = CHILDREN.read().unwrap_or_else(PoisonError::into_inner);
    let cause = EndingCause::StepTimeout;
    let limits = Limits { timeout: LONG, timeout_cause: cause, grace: SHORT, quiet: Some(quiet) };
    run_within(&sh(script), limits, drop)
}

#[test]
fn a_step_without_a_sign_of_life_is_ended_with_its_tree() {
    let done =
        run_quiet("echo begun; trap '' TERM; sleep 61.234 & wait; sleep 61.234", Duration::from_secs(2));
    assert_eq!((done.report.verdict.outcome, code(&done)), (Outcome::TimedOut, "quiet-limit"));
    assert!(done.took >= Duration::from_secs(2) && done.took < LONG / 2, "{:?}", done.took);
    let place = |wanted: &dyn Fn(&EventKind) -> bool| done.events.0.iter().position(wanted).unwrap();
    let warned = place(&|e| matches!(e, EventKind::Quiet { limit, .. } if limit.get().as_secs() == 2));
    let ended = place(&|e| matches!(e, EventKind::Ending { why: EndingCause::QuietLimit, .. }));
    assert!(warned < ended, "it is said before it is done");
    assert!(!lives("sleep 61.234"));
}

#[test]
fn output_and_work_keep_a_step_alive() {
    // A progress bar grows without a newline; a calculation says nothing at all.
    let bar = "for i in 1 2 3 4 5 6 7 8; do printf =; sleep 0.5; done";
    let work = "end=$(($(date +%s) + 4)); while [ $(date +%s) -lt $end ]; do :; done";
    for script in [bar, work] {
        let done = run_quiet(script, Duration::from_secs(3));
        assert_eq!(done.report.verdict.outcome, Outcome::Ok, "{script}: {:?}", done.report.verdict);
        assert!(done.took >= Duration::from_secs(3), "{script}: too short to show anything");
        let signs = done.events.0.iter().filter_map(|e| match e {
            EventKind::Progress(progress) => progress.sign,
            _ => None,
        });
        let wanted = if script == bar { Sign::Output } else { Sign::Work };
        assert!(signs.into_iter().any(|sign| sign == wanted), "{script}");
    }
}

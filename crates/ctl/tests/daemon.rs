//! The real binary against a made-up daemon: what it prints where, and its exit statuses.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod common;

use common::{FakeDaemon, command, err, out};
use mastmaint_control::{
    encode_reply,
    words::{FollowEvent, Reply, Request, RunDetail, RunLine, RunState, Status, StepProgress},
};
use mastmaint_words::{Outcome, StepIndex};
use std::{
    io::{Read as _, Write as _},
    process::Stdio,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

const RUN: &str = "20261123T003000Z-7k3f9q";

fn history() -> Vec<RunLine> {
    serde_json::from_str(include_str!("replies/history.json")).unwrap()
}

fn detail() -> RunDetail {
    serde_json::from_str(include_str!("replies/show.json")).unwrap()
}

fn healthy() -> Status {
    let mut status: Status = serde_json::from_str(include_str!("replies/status.json")).unwrap();
    status.config.refused.clear();
    status.brackets.iter_mut().for_each(|bracket| bracket.not_confirmed = None);
    status.ledger = mastmaint_control::words::LedgerStatus::Recording;
    status.next.as_mut().unwrap().at = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    status
}

fn queued() -> Reply {
    Reply::Queued {
        run: RUN.parse().unwrap(),
        waits_for: None,
        already: false,
        unrecorded: false,
        over: None,
    }
}

fn run_ended(outcome: Outcome) -> Reply {
    let mut run = history().remove(1);
    run.state = RunState::Ended;
    run.outcome = Some(outcome);
    Reply::Follow(FollowEvent::RunEnded { run: Box::new(run) })
}

#[test]
fn listings_are_json_with_a_version_and_read_back() {
    let daemon = FakeDaemon::saying(|request| {
        vec![match request {
            Request::Jobs => {
                Reply::Jobs { jobs: serde_json::from_str(include_str!("replies/jobs.json")).unwrap() }
            }
            Request::History { .. } => Reply::History { runs: history(), space: None },
            Request::Show { .. } => Reply::Run(Box::new(detail())),
            Request::Output { .. } => Reply::Output { text: "\u{1b}[33mtext\n".into() },
            _ => Reply::Status(Box::new(healthy())),
        }]
        .into_iter()
        .chain(matches!(request, Request::Output { .. }).then_some(Reply::Done))
        .collect()
    });
    for (args, key) in [
        (&["jobs", "--json"][..], "jobs"),
        (&["history", "--json"], "runs"),
        (&["status", "--json"], "sentence"),
        (&["show", RUN, "--json"], "steps"),
        (&["show", RUN, "--json", "--output"], "output"),
    ] {
        let output = daemon.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", err(&output));
        let value: serde_json::Value = serde_json::from_str(&out(&output)).unwrap();
        assert_eq!(value["version"], 1, "{args:?}");
        assert!(!value[key].is_null(), "{args:?}: {value}");
    }
    let json = out(&daemon.run(&["history", "--json"]));
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    let runs: Vec<RunLine> = serde_json::from_value(value["runs"].clone()).unwrap();
    assert_eq!(runs, history());
    assert!(value["runs"][1]["took_seconds"].is_f64() && value["runs"][1]["numbers"]["bytes"].is_u64());
    assert_eq!(value["runs"][1]["started"], "2026-11-23T00:30:00Z");
}

#[test]
fn a_pipe_gets_whole_lines_without_colours() {
    let daemon = FakeDaemon::saying(|_| vec![Reply::History { runs: history(), space: None }]);
    let text = out(&daemon.run(&["history", "clean-previews", "-n", "7"]));
    assert!(text.contains("Permission denied @ apply2files; 15 visited, 3 failed\n"), "{text}");
    assert!(!text.contains('\u{1b}'));
    let asked = daemon.asked();
    assert_eq!(
        asked,
        [("observe.sock", Request::History { job: Some("clean-previews".parse().unwrap()), limit: 7 })]
    );
}

#[test]
fn status_exits_with_what_is_wrong() {
    let code = |change: fn(&mut Status)| {
        let mut status = healthy();
        change(&mut status);
        FakeDaemon::saying(move |request| match request {
            Request::Jobs => vec![Reply::Jobs { jobs: vec![] }],
            _ => vec![Reply::Status(Box::new(status.clone()))],
        })
        .run(&["status"])
        .status
        .code()
    };
    assert_eq!(code(|_| {}), Some(0));
    assert_eq!(code(|s| s.config.refused.push("x".into())), Some(1));
    assert_eq!(code(|s| s.brackets[0].not_confirmed = Some("web does not answer".into())), Some(1));
    assert_eq!(code(|s| s.next.as_mut().unwrap().at = "2026-01-01T00:00:00Z".parse().unwrap()), Some(3));
}

#[test]
fn run_prints_the_id_on_standard_output_only() {
    let daemon = FakeDaemon::saying(|_| vec![queued()]);
    let output = daemon.run(&["run", "clean-media", "--dry-run"]);
    assert_eq!((output.status.code(), out(&output)), (Some(0), format!("{RUN}\n")));
    assert!(err(&output).contains("queued"));
    let asked = [(
        "control.sock",
        Request::Run { job: "clean-media".parse().unwrap(), dry_run: true, despite_hold: false },
    )];
    assert_eq!(daemon.asked(), asked);
}

#[test]
fn a_job_that_runs_already_is_refused_or_followed() {
    let already = || Reply::Queued {
        run: RUN.parse().unwrap(),
        waits_for: Some("waits for lock mastodon".into()),
        already: true,
        unrecorded: false,
        over: None,
    };
    let daemon = FakeDaemon::saying(move |request| match request {
        Request::Run { .. } => vec![already()],
        _ => vec![run_ended(Outcome::Ok)],
    });
    let refused = daemon.run(&["run", "clean-media"]);
    assert_eq!((refused.status.code(), out(&refused).as_str()), (Some(1), ""));
    assert!(
        err(&refused).contains(RUN) && err(&refused).ends_with("[already-running]\n"),
        "{}",
        err(&refused)
    );
    let followed = daemon.run(&["run", "clean-media", "--follow"]);
    assert_eq!(followed.status.code(), Some(0), "{}", err(&followed));
    assert!(err(&followed).contains("this follows it; it waits for lock mastodon"), "{}", err(&followed));
}

#[test]
fn a_run_that_nothing_will_know_of_is_said_to_be_one() {
    let daemon = FakeDaemon::saying(|_| {
        vec![Reply::Queued {
            run: RUN.parse().unwrap(),
            waits_for: None,
            already: false,
            unrecorded: true,
            over: None,
        }]
    });
    let output = daemon.run(&["run", "clean-media"]);
    assert_eq!((output.status.code(), out(&output)), (Some(0), format!("{RUN}\n")));
    assert!(err(&output).contains("the ledger cannot be written"), "{}", err(&output));
}

#[test]
fn a_socket_that_is_not_for_this_user_says_who_may() {
    use mastmaint_control::ClientError;
    let of = |name: &str| {
        let doing = name == "control.sock";
        let error: mastmaint_ctl::error::CtlError =
            ClientError::PermissionDenied { path: name.into(), doing }.into();
        (error.exit_code(), error.to_string())
    };
    let (code, text) = of("control.sock");
    assert!(code == 1 && text.contains("only root may run") && !text.contains("join the group"), "{text}");
    let (code, text) = of("observe.sock");
    assert!(code == 1 && text.contains("join the group mastmaintd to look"), "{text}");
}

#[test]
fn following_ends_with_the_outcome_of_the_run() {
    for outcome in Outcome::ALL {
        let daemon = FakeDaemon::saying(move |request| match request {
            Request::Run { .. } => vec![queued()],
            _ => vec![
                Reply::Follow(FollowEvent::StepStarted {
                    step: StepIndex(0),
                    of: 1,
                    title: "tootctl media remove".into(),
                }),
                Reply::Follow(FollowEvent::Line {
                    step: StepIndex(0),
                    stderr: false,
                    text: "\u{1b}[1mRemoved".into(),
                }),
                Reply::Follow(FollowEvent::Progress {
                    step: StepIndex(0),
                    progress: Box::new(StepProgress {
                        lines: 1,
                        bar_percent: Some(40),
                        last: "x".into(),
                        ..StepProgress::default()
                    }),
                }),
                run_ended(outcome),
            ],
        });
        let output = daemon.run(&["run", "clean-media", "--follow"]);
        let fine = matches!(outcome, Outcome::Ok | Outcome::Skipped);
        assert_eq!(output.status.code(), Some(i32::from(!fine)), "{outcome}");
        assert_eq!(out(&output), "Removed\n");
        let talk = err(&output);
        assert!(talk.contains("step 1/1 tootctl media remove") && talk.contains(outcome.as_str()), "{talk}");
        assert!(!talk.contains("40 %"), "a live line is for terminals: {talk}");
    }
}

#[test]
fn following_survives_a_restart_of_the_daemon() {
    let tries = AtomicUsize::new(0);
    let daemon = FakeDaemon::saying(move |request| match request {
        Request::Run { .. } => vec![queued()],
        _ if tries.fetch_add(1, Ordering::SeqCst) == 0 => vec![],
        _ => vec![run_ended(Outcome::Ok)],
    });
    let output = daemon.run(&["run", "clean-media", "--follow"]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(err(&output).contains("went away"));
}

#[test]
fn ctrl_c_detaches_and_cancels_nothing() {
    let daemon = FakeDaemon::doing(|request, stream| {
        if matches!(request, Request::Run { .. }) {
            stream.write_all(&encode_reply(&queued())).unwrap();
            return;
        }
        let waiting = Reply::Follow(FollowEvent::Waiting { why: "lock mastodon".into() });
        stream.write_all(&encode_reply(&waiting)).unwrap();
        // Open until the client has gone.
        let _ = stream.read(&mut [0]);
    });
    let mut child =
        daemon.command(&["run", "clean-media", "--follow"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let mut talk = Vec::new();
    while !String::from_utf8_lossy(&talk).contains("waiting: lock mastodon") {
        let mut piece = [0; 256];
        let length = stderr.read(&mut piece).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&talk));
        talk.extend_from_slice(&piece[..length]);
    }
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    stderr.read_to_end(&mut talk).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let talk = String::from_utf8(talk).unwrap();
    assert!(talk.contains(&format!("mastmaintctl cancel {RUN}")), "{talk}");
    assert!(!daemon.asked().iter().any(|(_, request)| matches!(request, Request::Cancel { .. })));
}

#[test]
fn kept_output_comes_as_it_is_with_the_steps_named_beside_it() {
    let daemon = FakeDaemon::saying(|request| match request {
        Request::Show { .. } => vec![Reply::Run(Box::new(detail()))],
        _ => vec![
            Reply::Output { text: "one ".into() },
            Reply::Output { text: "\u{1b}[33mtwo".into() },
            Reply::Done,
        ],
    });
    let output = daemon.run(&["show", "clean-previews", "--output"]);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), "one two\n"));
    assert!(err(&output).contains("-- step 2: systemctl reload mastodon-web (no output is kept)"));
}

#[test]
fn refusals_and_silence_have_their_exit_statuses() {
    let refusing = FakeDaemon::saying(|request| {
        vec![match request {
            Request::Reload => Reply::ReloadRefused { mistakes: vec!["a.yaml:1:2: jobs: wrong".into()] },
            _ => Reply::Error { code: "unknown-job".into(), message: "there is no job x; see jobs".into() },
        }]
    });
    let refused = refusing.run(&["reload"]);
    assert_eq!(refused.status.code(), Some(78));
    assert!(err(&refused).starts_with("a.yaml:1:2: jobs: wrong\n"), "{}", err(&refused));
    assert!(err(&refused).ends_with("[bad-config]\n"));
    let unknown = refusing.run(&["run", "x"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(err(&unknown), "mastmaintctl: there is no job x; see jobs [unknown-job]\n");
    let nobody = command(std::path::Path::new("/nonexistent"), &["status"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(4));
    assert!(err(&nobody).ends_with("[unreachable]\n") && err(&nobody).lines().count() == 1);
    let rubbish = FakeDaemon::doing(|_, stream| stream.write_all(b"rubbish\n").unwrap());
    assert_eq!(rubbish.run(&["jobs"]).status.code(), Some(4));
    let off_topic = FakeDaemon::saying(|_| vec![Reply::Done]);
    assert_eq!(off_topic.run(&["jobs"]).status.code(), Some(4));
    assert_eq!(refusing.run(&["frobnicate"]).status.code(), Some(2));
    assert_eq!(refusing.run(&["--help"]).status.code(), Some(0));
}

#[test]
fn orders_go_to_the_control_socket() {
    let daemon = FakeDaemon::saying(|_| vec![Reply::Done]);
    for args in [["cancel", RUN], ["pause", "x"], ["resume", "x"]] {
        let output = daemon.run(&args);
        assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), ""), "{args:?}");
        assert!(err(&output).contains(args[1]));
    }
    assert!(daemon.asked().iter().all(|(socket, _)| *socket == "control.sock"));
    let warned = FakeDaemon::saying(|_| {
        vec![Reply::Reloaded {
            digest: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            warnings: vec!["odd".into()],
        }]
    });
    let output = warned.run(&["reload"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(err(&output).contains("warning: odd"));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let daemon =
        FakeDaemon::saying(|_| vec![Reply::History { runs: vec![history().remove(1); 4000], space: None }]);
    let mut child = daemon.command(&["history"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    std::thread::sleep(Duration::from_millis(10));
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

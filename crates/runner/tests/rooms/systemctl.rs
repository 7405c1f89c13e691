//! The systemctl room with a stand-in systemctl: which units it acts on, what it calls, and what it believes.

use super::harness::{Scratch, cancel, dry_run, start};
use mastmaint_config::settings::{Action, SystemctlAction, SystemctlVerb};
use mastmaint_runner::protocol::{EventKind, Op};
use mastmaint_words::{Grade, Outcome, Room};
use std::fs;

/// Writes down its arguments; knows units by files in its directory: what `show` says of them.
const STAND_IN: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/calls"
case " $* " in *" show "*)
    first=yes
    while [ "$1" != -- ]; do shift; done; shift
    for unit; do
        [ $first ] || echo; first=
        cat "$here/$unit" 2>/dev/null || printf 'LoadState=not-found\nFragmentPath=\nActiveState=inactive\nSubState=dead\nNRestarts=0\nResult=success\n'
    done;;
*) [ ! -e "$here/exit" ] || exit "$(cat "$here/exit")";;
esac
"#;

const SERVICES: [&str; 2] = ["mastodon-web", "mastodon-streaming"];

pub(crate) fn room(verb: SystemctlVerb, units: &[&str]) -> Scratch {
    let units = units.iter().map(|unit| unit.parse().unwrap()).collect();
    let mut room =
        Scratch::new(Room::Systemctl, &SERVICES, vec![Action::Systemctl(SystemctlAction { verb, units })]);
    let path = room.file("bin/systemctl", STAND_IN, 0o755);
    room.path = path.parent().map(Into::into);
    room.edit_accepted("\"settle\":\"10s\"", "\"settle\":\"1s\"");
    room
}

fn state(room: &Scratch, unit: &str, active: &str, fragment: &str) {
    let text = format!(
        "LoadState=loaded\nFragmentPath={fragment}\nActiveState={active}\nSubState=x\nNRestarts=0\nResult=success\n"
    );
    room.file(&format!("bin/{unit}"), &text, 0o644);
}

fn calls(room: &Scratch) -> Vec<String> {
    let text = fs::read_to_string(room.dir.path().join("bin/calls")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_named_unit_is_started_and_its_state_is_read() {
    let room = room(SystemctlVerb::Start, &["mastodon-web"]);
    state(&room, "mastodon-web.service", "active", "");
    let report = room.connect().ask(start(0)).report();
    assert_eq!((report.verdict.outcome, report.verdict.grade), (Outcome::Ok, Grade::Read), "{report:?}");
    // It is not refused for the starts before it.
    let begun = ["reset-failed", "start"]
        .map(|verb| format!("--no-pager --no-ask-password {verb} -- mastodon-web.service"));
    assert_eq!(calls(&room)[..2], begun);
}

#[test]
fn a_unit_that_dies_again_and_again_after_its_start_is_a_failure() {
    let room = room(SystemctlVerb::Restart, &["mastodon-web"]);
    // `active` at each look, and started anew by systemd before each.
    let shown = "n=$(($(cat \"$here/n\" 2>/dev/null) + 1)); echo $n >\"$here/n\"; printf 'LoadState=loaded\\nActiveState=active\\nSubState=running\\nInvocationID=%s\\nNRestarts=%s\\nResult=success\\n' $n $n";
    let looping = STAND_IN.replace("cat \"$here/$unit\" 2>/dev/null ||", &format!("{shown}; :||"));
    room.file("bin/systemctl", &looping, 0o755);
    let verdict = room.connect().ask(start(0)).report().verdict;
    assert_eq!(
        (verdict.outcome, verdict.reasons[0].code.as_str()),
        (Outcome::Failed, "not-stable"),
        "{verdict}"
    );
    assert!(verdict.reasons[0].text.contains("mastodon-web.service does not stay up"), "{verdict}");
}

#[test]
fn a_cancel_while_a_unit_is_watched_is_heard() {
    let room = room(SystemctlVerb::Restart, &["mastodon-web"]);
    state(&room, "mastodon-web.service", "active", "");
    room.edit_accepted("\"settle\":\"1s\"", "\"settle\":\"10m\"");
    let mut client = room.connect();
    client.ask(start(0));
    assert_eq!(room.connect().ask(cancel()).answer(), EventKind::Cancelling);
    assert_eq!(client.report().verdict.outcome, Outcome::Cancelled);
}

#[test]
fn exit_status_0_of_a_unit_that_is_not_there_is_a_failure() {
    for (verb, active, outcome) in [
        (SystemctlVerb::Start, "failed", Outcome::Failed),
        (SystemctlVerb::Restart, "inactive", Outcome::Failed),
        (SystemctlVerb::Stop, "active", Outcome::Failed),
        (SystemctlVerb::Stop, "failed", Outcome::Ok),
        (SystemctlVerb::Status, "active", Outcome::Ok),
    ] {
        let room = room(verb, &["mastodon-web"]);
        state(&room, "mastodon-web.service", active, "");
        let verdict = room.connect().ask(start(0)).report().verdict;
        assert_eq!(verdict.outcome, outcome, "{verb:?} {active}");
        if outcome == Outcome::Failed {
            assert!(
                verdict.reasons[0].text.starts_with(&format!("mastodon-web.service is {active}")),
                "{verdict}"
            );
        }
    }
}

#[test]
fn an_exit_status_is_a_failure_also_when_the_state_is_right() {
    let room = room(SystemctlVerb::Stop, &["mastodon-web"]);
    room.file("bin/exit", "4", 0o644);
    assert_eq!(room.connect().ask(start(0)).report().verdict.outcome, Outcome::Failed);
}

#[test]
fn what_the_instance_does_not_name_is_refused_before_anything_is_called() {
    for unit in ["ssh", "mastodon-sidekiq", "mastodon-web.socket", "mastodon-web2", "reboot.target"] {
        let room = room(SystemctlVerb::Stop, &["mastodon-web", unit]);
        let (code, message) = room.connect().ask(start(0)).refusal();
        assert_eq!(code, "unit-not-named");
        assert!(message.contains("mastodon-web, mastodon-streaming"), "{message}");
        assert!(calls(&room).is_empty(), "{:?}", calls(&room));
        assert_eq!(fs::read_dir(room.state().join("steps")).unwrap().count(), 0);
    }
}

#[test]
fn an_instance_of_a_template_needs_a_loaded_unit_file_of_root() {
    let unit = "mastodon-streaming@4000.service";
    // Any unit file of the distribution will do as the good one.
    let good = fs::read_dir("/lib/systemd/system").into_iter().flatten().flatten();
    let good = good.map(|entry| entry.path()).find(|path| path.to_string_lossy().ends_with("@.service"));
    let ours = tempfile::tempdir().unwrap();
    let ours = ours.path().join("mastodon-streaming@.service").display().to_string();
    fs::write(&ours, "").unwrap();
    let cases = [
        (good.map(|path| path.display().to_string()), true),
        (Some(ours), false),
        (Some(String::new()), false),
    ];
    for (fragment, is_good) in cases {
        let Some(fragment) = fragment else { continue };
        let room = room(SystemctlVerb::Restart, &["mastodon-streaming@4000"]);
        state(&room, unit, "active", &fragment);
        let mut client = room.connect();
        client.ask(start(0));
        if is_good {
            assert_eq!(client.report().verdict.outcome, Outcome::Ok, "{fragment}");
        } else {
            assert_eq!(client.refusal().0, "unit-not-named", "{fragment}");
            assert!(calls(&room).iter().all(|call| call.contains(" show ")), "{:?}", calls(&room));
        }
    }
    let room = room(SystemctlVerb::Restart, &["mastodon-streaming@4000"]);
    assert!(
        room.connect().ask(start(0)).refusal().1.contains("not loaded"),
        "one that systemd does not know"
    );
}

#[test]
fn a_dry_run_only_looks() {
    let room = room(SystemctlVerb::Stop, &["mastodon-web"]);
    assert_eq!(room.connect().ask(dry_run(0)).report().verdict.outcome, Outcome::Skipped);
    assert!(calls(&room).is_empty());
    let room = self::room(SystemctlVerb::Status, &["mastodon-web"]);
    state(&room, "mastodon-web.service", "active", "");
    assert_eq!(room.connect().ask(dry_run(0)).report().verdict.outcome, Outcome::Ok);
}

#[test]
fn a_good_configuration_is_accepted_and_a_bad_one_is_not() {
    let room = Scratch::new(Room::Systemctl, &[], vec![]);
    room.file("mastmaintd.yaml", GOOD, 0o600);
    let mut client = room.connect();
    let digest = match client.ask(Op::Accept { in_use: vec![], keep_all: false }).answer() {
        EventKind::Accepted { digest, .. } => digest,
        other => panic!("not accepted: {other:?}"),
    };
    let stored = room.dir.path().join(format!("accepted/run/{digest}.json"));
    assert!(stored.exists(), "{}", stored.display());
    room.file("mastmaintd.yaml", &GOOD.replace("steps:", "wrong:"), 0o600);
    let EventKind::Rejected { mistakes } =
        client.ask(Op::Accept { in_use: vec![digest.clone()], keep_all: false }).answer()
    else {
        panic!("not rejected")
    };
    assert!(!mistakes.is_empty());
    assert!(stored.exists(), "the one before stays");
}

#[test]
fn what_is_stored_is_thrown_away_only_when_it_is_known_what_runs_use() {
    let room = Scratch::new(Room::Systemctl, &[], vec![]);
    let mut client = room.connect();
    let mut accept = |number: usize, keep_all: bool| {
        room.file("mastmaintd.yaml", &GOOD.replace("hello:", &format!("hello-{number}:")), 0o600);
        match client.ask(Op::Accept { in_use: vec![], keep_all }).answer() {
            EventKind::Accepted { .. } => room.dir.path().join("accepted/run").read_dir().unwrap().count(),
            other => panic!("not accepted: {other:?}"),
        }
    };
    assert_eq!((0..6).map(|number| accept(number, true)).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert!(accept(6, false) < 6);
}

const GOOD: &str = "\
jobs:
  hello:
    schedule: \"30 0 * * *\"
    steps:
      - run: /bin/echo hello
";

#[test]
fn other_rooms_accept_nothing() {
    let room = Scratch::shell("true");
    assert_eq!(room.connect().ask(Op::Accept { in_use: vec![], keep_all: false }).refusal().0, "wrong-room");
}

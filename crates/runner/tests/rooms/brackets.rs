//! Brackets in the systemctl room, with a stand-in systemctl that keeps the states of its units: what is recorded
//! before what, what comes back, and what happens when it does not.

use super::harness::{Client, JOB, Scratch, digest, key, start, wait_for};
use mastmaint_config::settings::{Action, ServicesAction};
use mastmaint_runner::protocol::{BracketLine, EventKind, Op, StepReport};
use mastmaint_words::{Grade, Outcome, Room, StepIndex, StepKey};
use std::{fs, process::Command};

/// Knows units by files of their properties; `UNIT.broken` lets a start of it fail, `UNIT.lacks` is a dependency that
/// does, `UNIT.unmet` a condition; `slow` makes each stop wait; `boot` tells this boot from others.
const STAND_IN: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/calls"
set_to() { sed -i "s/^ActiveState=.*/ActiveState=$2/; s/^InvocationID=.*/InvocationID=$(date +%N)/" "$here/$1"; }
verb=$3
while [ $# -gt 0 ] && [ "$1" != -- ]; do shift; done; [ $# -eq 0 ] || shift
case $verb in
show)
    [ $# -gt 0 ] || { echo UserspaceTimestampMonotonic=$(cat "$here/boot" 2>/dev/null || echo 1); exit; }
    first=yes
    for unit; do
        [ $first ] || echo; first=
        cat "$here/$unit" 2>/dev/null || printf 'LoadState=not-found\nActiveState=inactive\n'
    done;;
list-units) ls "$here" | grep '@.*\.service$' || true;;
stop) ls "$here/../state/brackets" | grep json >> "$here/records"; [ ! -e "$here/slow" ] || sleep 30
    for unit; do sed -i 's/^ActiveState=.*/ActiveState=inactive/' "$here/$unit"; done;;
reset-failed) [ ! -e "$here/resets" ] || for unit; do
    sed -i 's/^ActiveState=.*/ActiveState=inactive/; s/^Result=.*/Result=success/' "$here/$unit"; done;;
start|restart) for unit; do
    [ ! -e "$here/$unit.lacks" ] || { echo "A dependency job for $unit failed." >&2; exit 1; }
    if [ -e "$here/$unit.unmet" ]; then
        printf 'ConditionResult=no\nConditionTimestampMonotonic=5\n' >> "$here/$unit"; continue
    fi
    [ ! -e "$here/$unit.broken" ] || { set_to "$unit" failed; continue; }
    grep -q ActiveState=active "$here/$unit" || set_to "$unit" active
    done;;
esac
"#;

fn stop(mends: bool) -> ServicesAction {
    let units = ["mastodon-web", "mastodon-sidekiq"].map(|unit| unit.parse().unwrap()).to_vec();
    ServicesAction::Stop { units, mends }
}

/// A room with a bracket over these services: steps 0 and 3 stop, 1 and 2 start, 4 leaves them stopped.
fn room(running: &[&str]) -> Scratch {
    use ServicesAction::{KeepDown, Start};
    room_of(running, [stop(true), Start, Start, stop(false), KeepDown, KeepDown])
}

/// The same of a restore of files alone, which keeps nothing down: step 0 stops, 1 starts.
fn of_files(running: &[&str]) -> Scratch {
    room_of(running, [stop(true), ServicesAction::Start])
}

fn room_of(running: &[&str], actions: impl IntoIterator<Item = ServicesAction>) -> Scratch {
    let actions = actions.into_iter().map(Action::Services).collect();
    let mut room = Scratch::new(Room::Systemctl, &["mastodon-web", "mastodon-sidekiq"], actions);
    room.edit_accepted("\"settle\":\"10s\"", "\"settle\":\"1s\"");
    let path = room.file("bin/systemctl", STAND_IN, 0o755);
    room.path = path.parent().map(Into::into);
    for unit in ["mastodon-web", "mastodon-sidekiq"] {
        let active = if running.contains(&unit) { "active" } else { "inactive" };
        let text = format!(
            "LoadState=loaded\nFragmentPath=/etc/x\nRestart=always\nResult=success\nNRestarts=0\nActiveState={active}\nInvocationID=1\n"
        );
        room.file(&format!("bin/{unit}.service"), &text, 0o644);
    }
    room
}

fn both() -> Scratch {
    room(&["mastodon-web", "mastodon-sidekiq"])
}

fn do_step(room: &Scratch, step: u16) -> StepReport {
    room.connect().ask(start(step)).report()
}

fn is_active(room: &Scratch, unit: &str) -> bool {
    let text = fs::read_to_string(room.dir.path().join(format!("bin/{unit}.service"))).unwrap();
    text.contains("ActiveState=active")
}

/// Changes a property of a unit behind the room's back.
fn set(room: &Scratch, unit: &str, name: &str, value: &str) {
    let path = room.dir.path().join(format!("bin/{unit}.service"));
    let text = fs::read_to_string(&path).unwrap();
    let kept = text.lines().filter(|line| !line.starts_with(&format!("{name}=")));
    let lines: Vec<_> = kept.map(str::to_owned).chain([format!("{name}={value}")]).collect();
    // A reader sees all of it or nothing.
    fs::write(path.with_extension("new"), lines.join("\n") + "\n").unwrap();
    fs::rename(path.with_extension("new"), path).unwrap();
}

/// What `set` is for when the host has been down: everything is as systemd has it at boot.
fn reboot(room: &Scratch) {
    room.file("bin/boot", "2", 0o644);
    for unit in ["mastodon-web", "mastodon-sidekiq"] {
        set(room, unit, "ActiveState", "inactive");
        set(room, unit, "InvocationID", "");
    }
}

fn calls(room: &Scratch, verb: &str) -> Vec<String> {
    let text = fs::read_to_string(room.dir.path().join("bin/calls")).unwrap_or_default();
    let of_verb = text.lines().filter_map(|line| line.split_once(&format!(" {verb} ")));
    of_verb.map(|(_, rest)| rest.to_owned()).collect()
}

fn open_brackets(room: &Scratch) -> Vec<BracketLine> {
    let mut brackets = Vec::new();
    let mut client = room.connect();
    client.ask(Op::Brackets);
    loop {
        match client.next().unwrap().kind {
            EventKind::Bracket(line) => brackets.push(line),
            EventKind::Listed => return brackets,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_ran_is_recorded_then_stopped_then_started_in_order() {
    let room = both();
    let report = do_step(&room, 0);
    assert_eq!(report.verdict.outcome, Outcome::Ok, "{report:?}");
    assert!(!is_active(&room, "mastodon-web") && !is_active(&room, "mastodon-sidekiq"));
    let recorded = fs::read_to_string(room.dir.path().join("bin/records")).unwrap();
    assert_eq!(recorded.lines().count(), 1, "the record was not there when the stop was asked for");
    assert_eq!(open_brackets(&room)[0].units.len(), 2);
    assert_eq!(room.connect().ask(Op::Resume { run: key(0).run }).answer(), EventKind::Resumed);
    let report = do_step(&room, 1);
    assert_eq!((report.verdict.outcome, report.verdict.grade), (Outcome::Ok, Grade::Read), "{report:?}");
    // Nothing said where it answers.
    assert!(
        report.verdict.reasons[0].text.starts_with("started and stable; not asked whether it answers"),
        "{report:?}"
    );
    assert_eq!(calls(&room, "start"), ["-- mastodon-web.service", "-- mastodon-sidekiq.service"]);
    assert!(open_brackets(&room).is_empty());
    assert_eq!(room.connect().ask(Op::Resume { run: key(0).run }).refusal().0, "bracket-closed");
    // Done again under another key (a daemon that lost the first): how it was closed is remembered.
    assert_eq!(do_step(&room, 2).verdict.outcome, Outcome::Ok);
}

#[test]
fn only_what_ran_before_is_started() {
    let room = room(&["mastodon-sidekiq"]);
    do_step(&room, 0);
    assert_eq!(calls(&room, "stop"), ["-- mastodon-sidekiq.service"]);
    do_step(&room, 1);
    assert!(!is_active(&room, "mastodon-web") && is_active(&room, "mastodon-sidekiq"));
}

#[test]
fn a_start_of_nothing_is_skipped() {
    let report = do_step(&both(), 1);
    assert_eq!(
        (report.verdict.outcome, report.verdict.reasons[0].code.as_str()),
        (Outcome::Skipped, "nothing-stopped")
    );
}

#[test]
fn what_cannot_be_recorded_is_not_stopped() {
    let room = both();
    // The room's own steps can be written, records cannot.
    fs::create_dir_all(room.state()).unwrap();
    fs::write(room.state().join("brackets"), "in the way").unwrap();
    let report = do_step(&room, 0);
    assert_eq!(
        (report.verdict.outcome, report.verdict.reasons[0].code.as_str()),
        (Outcome::Failed, "no-record")
    );
    assert!(is_active(&room, "mastodon-web") && calls(&room, "stop").is_empty());
}

#[test]
fn a_second_bracket_over_the_same_units_is_refused() {
    let room = both();
    do_step(&room, 0);
    let mut op = start(0);
    if let Op::Start { key, .. } = &mut op {
        key.run = "20261123T003000Z-zzzzzz".parse().unwrap();
    }
    let report = room.connect().ask(op).report();
    assert_eq!(report.verdict.reasons[0].code, "bracket-open", "{report:?}");
    // And its own start leaves the other's services alone.
    let mut op = start(1);
    if let Op::Start { key, .. } = &mut op {
        key.run = "20261123T003000Z-zzzzzz".parse().unwrap();
    }
    assert_eq!(room.connect().ask(op).report().verdict.outcome, Outcome::Skipped);
    assert!(!is_active(&room, "mastodon-web"));
}

#[test]
fn a_start_whose_runner_is_killed_is_gone_on_with() {
    let room = both();
    do_step(&room, 0);
    let mut client = room.connect();
    client.ask(start(1));
    wait_for("the first start", || !calls(&room, "start").is_empty());
    let mut runner = client.leave();
    runner.kill().unwrap();
    runner.wait().unwrap();
    assert_eq!(open_brackets(&room).len(), 1, "the record is there until everything is up");
    let report = room.connect().ask(Op::Collect { key: key(1), after: 0 }).report();
    assert_eq!(report.verdict.outcome, Outcome::Ok, "{report:?}");
    assert!(is_active(&room, "mastodon-web") && is_active(&room, "mastodon-sidekiq"));
}

#[test]
fn a_stop_whose_runner_is_killed_is_interrupted_and_what_it_stopped_comes_back() {
    let room = both();
    room.file("bin/slow", "", 0o644);
    let mut client = room.connect();
    client.ask(start(0));
    wait_for("the stop", || !calls(&room, "stop").is_empty());
    let mut runner = client.leave();
    runner.kill().unwrap();
    runner.wait().unwrap();
    let report = room.connect().ask(Op::Collect { key: key(0), after: 0 }).report();
    assert_eq!(report.verdict.outcome, Outcome::Interrupted, "{report:?}");
    assert_eq!(do_step(&room, 1).verdict.outcome, Outcome::Ok);
    assert!(is_active(&room, "mastodon-web") && is_active(&room, "mastodon-sidekiq"));
}

#[test]
fn a_start_that_is_owed_needs_no_room_on_the_disk() {
    let room = both();
    do_step(&room, 0);
    // Not even the step can be recorded.
    fs::remove_dir_all(room.state().join("steps")).unwrap();
    fs::write(room.state().join("steps"), "in the way").unwrap();
    let mut command: Command = room.command();
    command.arg("--spare").arg(room.dir.path().join("spare"));
    let report = Client::of(command, room.room).ask(start(1)).report();
    assert_eq!(report.verdict.outcome, Outcome::Ok, "{report:?}");
    assert!(is_active(&room, "mastodon-web"));
}

#[test]
fn what_does_not_come_up_is_tried_again_and_said() {
    let room = both();
    do_step(&room, 0);
    room.file("bin/mastodon-web.service.broken", "", 0o644);
    let report = do_step(&room, 1);
    assert_eq!(
        (report.verdict.outcome, report.verdict.reasons[0].code.as_str()),
        (Outcome::Failed, "not-confirmed")
    );
    assert!(report.verdict.reasons[0].text.contains("mastodon-web.service is failed"), "{report:?}");
    assert_eq!(calls(&room, "start").iter().filter(|call| call.contains("web")).count(), 3);
    assert!(open_brackets(&room)[0].not_confirmed.is_some());
}

/// A close that is on its way, all started and noted, whose runner is killed while it watches.
fn killed_while_it_watches() -> Scratch {
    let room = both();
    do_step(&room, 0);
    // Long enough for the kill to come before the end of the watch.
    let (long, short) = ("\"settle\":\"59s\"", "\"settle\":\"1s\"");
    let record = room.state().join(format!("brackets/{}.json", key(0).run));
    let edit = |from: &str, to: &str| {
        let text = fs::read_to_string(&record).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&record, text.replace(from, to)).unwrap();
    };
    edit(short, long);
    let mut client = room.connect();
    client.ask(start(1));
    wait_for("the starts are noted", || {
        fs::read_to_string(&record).unwrap_or_default().matches("\"ours\"").count() == 2
    });
    let mut runner = client.leave();
    runner.kill().unwrap();
    runner.wait().unwrap();
    edit(long, short);
    room
}

fn collected(room: &Scratch) -> StepReport {
    room.connect().ask(Op::Collect { key: key(1), after: 0 }).report()
}

/// Web cannot be started for this reason, of which this is said.
fn hindered(hindrance: &str, said: &str) {
    let room = both();
    do_step(&room, 0);
    let hindrance = room.file(&format!("bin/mastodon-web.service.{hindrance}"), "", 0o644);
    let report = do_step(&room, 1);
    let reason = &report.verdict.reasons[0];
    assert_eq!(
        (report.verdict.outcome, reason.code.as_str()),
        (Outcome::Failed, "not-confirmed"),
        "{report:?}"
    );
    assert!(reason.text.contains(said), "{report:?}");
    assert!(open_brackets(&room)[0].not_confirmed.is_some());
    // What stood in the way is gone: whoever looks next starts it.
    fs::remove_file(hindrance).unwrap();
    assert_eq!(do_step(&room, 2).verdict.outcome, Outcome::Ok);
    assert!(is_active(&room, "mastodon-web") && open_brackets(&room).is_empty());
}

#[test]
fn a_start_that_fails_by_a_dependency_is_not_taken_for_somebodys_stop() {
    hindered("lacks", "A dependency job for mastodon-web.service failed");
}

#[test]
fn a_start_that_does_nothing_is_not_taken_for_somebodys_stop() {
    hindered("unmet", "mastodon-web.service is inactive (, a condition in its unit file is not met)");
}

#[test]
fn a_service_that_comes_up_and_cannot_be_started_again_was_stopped_by_nobody() {
    let room = both();
    do_step(&room, 0);
    room.file("bin/mastodon-sidekiq.service.broken", "", 0o644);
    assert_eq!(do_step(&room, 1).verdict.outcome, Outcome::Failed);
    // Web came up then, and was noted; it fell, and now its database is gone as well.
    set(&room, "mastodon-web", "ActiveState", "failed");
    set(&room, "mastodon-web", "Result", "exit-code");
    room.file("bin/mastodon-web.service.lacks", "", 0o644);
    fs::remove_file(room.dir.path().join("bin/mastodon-sidekiq.service.broken")).unwrap();
    // `systemctl reset-failed` makes it look as if it had been stopped.
    room.file("bin/resets", "", 0o644);
    let report = do_step(&room, 2);
    assert_eq!(report.verdict.reasons[0].code, "not-confirmed", "{report:?}");
}

#[test]
fn what_systemd_has_not_started_after_a_reboot_is_started() {
    let room = killed_while_it_watches();
    reboot(&room);
    let report = collected(&room);
    assert_eq!(report.verdict.outcome, Outcome::Ok, "{report:?}");
    assert!(is_active(&room, "mastodon-web") && is_active(&room, "mastodon-sidekiq"), "{report:?}");
}

#[test]
fn what_systemd_has_started_after_a_reboot_is_watched_and_asked() {
    let room = killed_while_it_watches();
    reboot(&room);
    for unit in ["mastodon-web", "mastodon-sidekiq"] {
        set(&room, unit, "ActiveState", "active");
        set(&room, unit, "InvocationID", "boot");
    }
    let report = collected(&room);
    let text = &report.verdict.reasons[0].text;
    assert_eq!(report.verdict.outcome, Outcome::Ok, "{report:?}");
    assert!(text.contains("not asked whether it answers: mastodon-web"), "nobody wanted to ask: {report:?}");
}

#[test]
fn what_a_restart_of_the_host_has_started_is_stopped_again_by_the_same_run() {
    let room = both();
    do_step(&room, 0);
    reboot(&room);
    set(&room, "mastodon-web", "ActiveState", "active");
    assert_eq!(do_step(&room, 3).verdict.outcome, Outcome::Ok);
    assert!(!is_active(&room, "mastodon-web"));
    let open = open_brackets(&room);
    assert_eq!(
        (open.len(), open[0].units.len()),
        (1, 2),
        "what it had stopped before is owed still: {open:?}"
    );
    assert!(matches!(room.connect().ask(Op::Resume { run: key(0).run }).answer(), EventKind::Resumed));
    assert_eq!(do_step(&room, 1).verdict.outcome, Outcome::Ok);
    assert!(is_active(&room, "mastodon-web") && is_active(&room, "mastodon-sidekiq"));
}

#[test]
fn what_is_kept_down_is_said_and_only_its_own_run_goes_on_in_it() {
    let room = both();
    do_step(&room, 0);
    let report = do_step(&room, 4);
    assert_eq!(report.verdict.reasons[0].code, "kept-down", "{report:?}");
    assert!(
        report.verdict.reasons[0].text.contains("systemctl start mastodon-web mastodon-sidekiq"),
        "{report:?}"
    );
    let open = open_brackets(&room);
    assert!(
        open[0].not_confirmed.as_ref().is_some_and(|why| why.contains("do not belong together")),
        "{open:?}"
    );
    assert!(!is_active(&room, "mastodon-web"));
    // Only the run itself goes on in it, while nobody has started anything.
    assert!(matches!(room.connect().ask(Op::Resume { run: key(0).run }).answer(), EventKind::Resumed));
    do_step(&room, 5);
    set(&room, "mastodon-web", "ActiveState", "active");
    set(&room, "mastodon-web", "InvocationID", "2");
    assert!(matches!(room.connect().ask(Op::Resume { run: key(0).run }).answer(), EventKind::Refused { .. }));
}

#[test]
fn what_is_kept_down_is_named_although_nothing_of_it_ran() {
    let room = room(&[]);
    do_step(&room, 0);
    let report = do_step(&room, 4);
    let text = &report.verdict.reasons[0].text;
    assert!(text.contains("systemctl start mastodon-sidekiq mastodon-web"), "{report:?}");
    assert_eq!(open_brackets(&room)[0].units.len(), 2);
}

/// The start of a step of another run.
fn other(step: u16) -> Op {
    Op::Start {
        digest: digest(),
        job: JOB.parse().unwrap(),
        key: StepKey { run: "20261123T003000Z-zzzzzz".parse().unwrap(), step: StepIndex(step) },
        dry_run: false,
        limit: None,
    }
}

#[test]
fn only_a_restore_takes_over_what_an_earlier_run_saw_not_come_back() {
    let room = both();
    do_step(&room, 0);
    // As three tries in vain leave it: web crashes at each start, and sidekiq was stopped by a person since.
    let record = room.state().join(format!("brackets/{}.json", key(0).run));
    let text = fs::read_to_string(&record).unwrap();
    assert!(text.contains(r#"{"is":"stopped"}"#), "{text}");
    fs::write(&record, text.replace(r#"{"is":"stopped"}"#, r#"{"is":"not-confirmed","why":"web crashes"}"#))
        .unwrap();
    set(&room, "mastodon-web", "ActiveState", "activating");
    set(&room, "mastodon-web", "Result", "exit-code");
    let refused = room.connect().ask(other(3)).report();
    assert_eq!(refused.verdict.reasons[0].code, "bracket-open", "{refused:?}");
    assert!(refused.verdict.reasons[0].text.contains("a restore or a rollback takes it over"), "{refused:?}");
    let taken = room.connect().ask(other(0)).report();
    assert_eq!(taken.verdict.outcome, Outcome::Ok, "{taken:?}");
    assert_eq!(taken.verdict.reasons[0].code, "not-all-up", "what was there did not work: {taken:?}");
    assert!(!is_active(&room, "mastodon-web"));
    let open = open_brackets(&room);
    assert_eq!((open.len(), open[0].units.len(), &open[0].not_confirmed), (1, 2, &None), "{open:?}");
    // What ran before the first of them is what comes back.
    let started = room.connect().ask(other(1)).report();
    assert_eq!(started.verdict.outcome, Outcome::Ok, "{started:?}");
    assert!(is_active(&room, "mastodon-web") && is_active(&room, "mastodon-sidekiq"));
    assert!(open_brackets(&room).is_empty());
    // Nothing is left to the run before it.
    assert_eq!(do_step(&room, 1).verdict.outcome, Outcome::Skipped);
}

#[test]
fn only_a_restore_takes_over_what_an_earlier_one_keeps_down() {
    let room = both();
    do_step(&room, 0);
    do_step(&room, 4);
    // It would start them again at its end.
    let refused = room.connect().ask(other(3)).report();
    assert_eq!(refused.verdict.reasons[0].code, "bracket-open", "{refused:?}");
    assert!(refused.verdict.reasons[0].text.contains("keeps Mastodon down"), "{refused:?}");
    let taken = room.connect().ask(other(0)).report();
    assert_eq!(taken.verdict.outcome, Outcome::Ok, "{taken:?}");
    let open = open_brackets(&room);
    assert_eq!((open.len(), open[0].units.len()), (1, 2), "{open:?}");
    assert!(open[0].not_confirmed.is_none(), "{open:?}");
}

#[test]
fn what_has_failed_before_a_restore_comes_back_with_it() {
    let room = room(&["mastodon-sidekiq"]);
    set(&room, "mastodon-web", "ActiveState", "failed");
    do_step(&room, 0);
    assert_eq!(do_step(&room, 1).verdict.outcome, Outcome::Ok);
    assert!(is_active(&room, "mastodon-web") && is_active(&room, "mastodon-sidekiq"));
}

#[test]
fn what_has_failed_comes_back_with_files_alone_too() {
    let room = of_files(&["mastodon-sidekiq"]);
    set(&room, "mastodon-web", "ActiveState", "failed");
    let stopped = do_step(&room, 0);
    assert_eq!(stopped.verdict.reasons[0].code, "not-all-up", "{stopped:?}");
    assert_eq!(do_step(&room, 1).verdict.outcome, Outcome::Ok);
    assert!(is_active(&room, "mastodon-web") && is_active(&room, "mastodon-sidekiq"));
}

/// Starts what a restore has stopped; what is said of the rest.
fn does_not_run(room: &Scratch) -> String {
    let report = do_step(room, 1);
    let reason = &report.verdict.reasons[0];
    assert_eq!(
        (report.verdict.outcome, reason.code.as_str()),
        (Outcome::Partial, "not-running"),
        "{report:?}"
    );
    reason.text.clone()
}

#[test]
fn what_a_person_had_stopped_before_a_restore_stays_so_and_that_is_no_success() {
    // As in the post-mortem: all of it.
    let room = of_files(&[]);
    assert_eq!(do_step(&room, 0).verdict.reasons, [], "nothing failed");
    let said = does_not_run(&room);
    assert!(said.starts_with("Mastodon does not run: "), "{said}");
    assert!(said.contains("\"systemctl start mastodon-web mastodon-sidekiq\""), "{said}");
    assert!(calls(&room, "start").is_empty() && open_brackets(&room).is_empty());

    // A part of it, beside what has failed.
    let room = of_files(&[]);
    set(&room, "mastodon-sidekiq", "ActiveState", "failed");
    do_step(&room, 0);
    let said = does_not_run(&room);
    assert!(said.starts_with("not all of Mastodon runs: mastodon-web did not run"), "{said}");
    assert!(is_active(&room, "mastodon-sidekiq") && !is_active(&room, "mastodon-web"));

    // What is disabled is left so, and told.
    let room = of_files(&["mastodon-web"]);
    set(&room, "mastodon-sidekiq", "UnitFileState", "disabled");
    do_step(&room, 0);
    let report = do_step(&room, 1);
    assert_eq!(report.verdict.outcome, Outcome::Ok, "{report:?}");
    assert!(report.verdict.reasons[1].text.contains("mastodon-sidekiq"), "{report:?}");
}

#[test]
fn what_systemd_is_about_to_start_is_waited_for() {
    let room = killed_while_it_watches();
    reboot(&room);
    set(&room, "mastodon-web", "Job", "7");
    let started = calls(&room, "start").len();
    let mut client = room.connect();
    client.ask(Op::Collect { key: key(1), after: 0 });
    client.until_line("systemd is about to start mastodon-web; waiting for it");
    assert_eq!(calls(&room, "start").len(), started, "it was not waited for");
    set(&room, "mastodon-web", "ActiveState", "active");
    set(&room, "mastodon-web", "InvocationID", "boot");
    set(&room, "mastodon-web", "Job", "0");
    assert_eq!(client.report().verdict.outcome, Outcome::Ok);
    assert!(is_active(&room, "mastodon-sidekiq"));
}

#[test]
fn a_reboot_does_not_end_the_care_for_what_is_not_back() {
    let room = both();
    do_step(&room, 0);
    room.file("bin/mastodon-web.service.broken", "", 0o644);
    assert_eq!(do_step(&room, 1).verdict.reasons[0].code, "not-confirmed");
    reboot(&room);
    let report = do_step(&room, 2);
    assert_eq!(report.verdict.reasons[0].code, "not-confirmed", "{report:?}");
    assert_eq!(open_brackets(&room).len(), 1);
}

#[test]
fn what_somebody_takes_over_is_theirs_and_never_proved() {
    // Stopped by a person while it is watched: the other one is watched on.
    let room = killed_while_it_watches();
    set(&room, "mastodon-web", "ActiveState", "inactive");
    let report = collected(&room);
    assert_eq!(
        (report.verdict.outcome, report.verdict.grade, report.verdict.reasons[0].code.as_str()),
        (Outcome::Partial, Grade::Read, "taken-over"),
        "{report:?}"
    );
    assert!(open_brackets(&room).is_empty() && !is_active(&room, "mastodon-web"));

    // All of them: nothing was watched, so nothing is ok.
    let room = killed_while_it_watches();
    for unit in ["mastodon-web", "mastodon-sidekiq"] {
        set(&room, unit, "InvocationID", "theirs");
    }
    let report = collected(&room);
    assert_eq!(report.verdict.outcome, Outcome::Cancelled, "{report:?}");
    assert!(
        report.verdict.reasons[0].text.contains("mastodon-web was started by somebody else"),
        "{report:?}"
    );
    assert!(open_brackets(&room).is_empty());
}

#[test]
fn services_that_come_up_under_the_steps_interrupt_them() {
    let room = both();
    do_step(&room, 0);
    assert_eq!(room.connect().ask(Op::Resume { run: key(0).run }).answer(), EventKind::Resumed);
    set(&room, "mastodon-web", "ActiveState", "active");
    set(&room, "mastodon-web", "InvocationID", "theirs");
    let (code, message) = room.connect().ask(Op::Resume { run: key(0).run }).refusal();
    assert!(code == "bracket-closed" && message.contains("mastodon-web"), "{code}: {message}");
    let report = do_step(&room, 1);
    assert_eq!(
        (report.verdict.outcome, report.verdict.reasons[0].code.as_str()),
        (Outcome::Interrupted, "came-up-early"),
        "{report:?}"
    );
    assert!(is_active(&room, "mastodon-web") && is_active(&room, "mastodon-sidekiq"));
    assert!(open_brackets(&room).is_empty());
    // How it was closed is remembered with that.
    assert_eq!(do_step(&room, 2).verdict.reasons[0].code, "came-up-early");
}

#[test]
fn where_nothing_ran_nothing_is_said_to_be_up() {
    let room = room_of(&[], [stop(false), ServicesAction::Start]);
    assert_eq!(do_step(&room, 0).verdict.outcome, Outcome::Ok);
    let report = do_step(&room, 1);
    assert_eq!(
        (report.verdict.outcome, report.verdict.reasons[0].code.as_str()),
        (Outcome::Skipped, "nothing-stopped"),
        "{report:?}"
    );
    assert!(open_brackets(&room).is_empty());
}

#[test]
fn web_is_asked_as_its_proxy_asks_it() {
    let room = both();
    let live = room.dir.path().join("live");
    fs::create_dir_all(&live).unwrap();
    let socket = live.join("puma.sock");
    fs::write(
        live.join(".env.production"),
        format!("LOCAL_DOMAIN=social.example\nSOCKET={}\nREDIS_URL=rediss://cache\n", socket.display()),
    )
    .unwrap();
    // What the probe room is told of the same configuration.
    let view =
        fs::read_to_string(room.dir.path().join(format!("accepted/systemctl/{}.json", digest()))).unwrap();
    let view = view.replace("\"room\":\"systemctl\"", "\"room\":\"probe\"");
    room.file(&format!("accepted/probe/{}.json", digest()), &view, 0o644);
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let asked = std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        let mut answers = ["HTTP/1.1 503 Starting\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"].into_iter();
        let mut asked = String::new();
        for answer in answers.by_ref() {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = [0; 1024];
            let length = stream.read(&mut bytes).unwrap();
            asked.push_str(&String::from_utf8_lossy(&bytes[..length]));
            stream.write_all(answer.as_bytes()).unwrap();
        }
        asked
    });
    do_step(&room, 0);
    let report = do_step(&room, 1);
    let text = &report.verdict.reasons[0].text;
    assert!(
        !text.contains("mastodon-web") && text.contains("mastodon-sidekiq (Redis is reached by rediss"),
        "{report:?}"
    );
    assert_eq!(asked.join().unwrap().matches("Host: social.example\r\nX-Forwarded-Proto: https").count(), 2);
}

//! The kill matrix of guarded changes: at each of their writes and effects the process that does it is killed by SIGKILL,
//! in a change that is well and in one that is not. Afterwards everything is as before or as after, never between, web
//! is up, and the run has ended once.

use super::{
    guard::{built, copies, next_build, seen},
    kills::{ARMED, Dice, arm, history, put_deadly_programs_in_place},
};
use crate::{answering::states, host::ctl, image::Debian, machine::Machine};
use std::time::{Duration, Instant};

const LIVE: &str = "/home/mastodon/live";
/// Of each release, in the gate and with `--long`.
const SAMPLE: usize = 6;
const ALL: usize = 60;

/// Whether the change that passes by is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Well,
    Bad,
}

/// Every failpoint with the highest number of times that it is passed by before.
const PLACES: [(&str, Change, u32); 17] = [
    ("guard.before-record", Change::Well, 0),
    ("guard.recorded", Change::Well, 0),
    ("guard.before-kept", Change::Well, 0),
    ("guard.kept", Change::Well, 0),
    ("guard.recorded", Change::Bad, 0),
    ("guard.path", Change::Bad, 4),
    ("guard.rebuilt", Change::Bad, 2),
    ("guard.exchanged", Change::Bad, 2),
    ("guard.put-back", Change::Bad, 0),
    ("guard.put-back-recorded", Change::Bad, 0),
    ("step.begun", Change::Well, 5),
    ("step.before-outcome", Change::Well, 5),
    ("step.outcome", Change::Bad, 2),
    ("run.step-recorded", Change::Well, 5),
    ("run.step-recorded", Change::Bad, 2),
    ("run.before-step-end", Change::Well, 5),
    ("run.step-end-recorded", Change::Bad, 2),
];

/// It changes the theme in use and leaves a new file; whether it is well is the build's.
const JOBS: &str = "  change:
    steps:
      - guard: [[/bin/sh, -c, 'date +%N > app/javascript/styles/plum.scss; date +\"body {%N}\" > app/javascript/styles/application.scss']]
        memory: 1 MB
";

pub(crate) fn every_kill_in_a_change_ends_as_before_or_as_after(debian: Debian) {
    let mut machine = built(debian, JOBS);
    put_deadly_programs_in_place(&machine);
    let long = std::env::var_os("MASTMAINT_LONG_TESTS").is_some();
    let mut dice = Dice::new();
    let begin = Instant::now();
    let (mut kills, mut stayed) = (0, 0);
    while kills < if long { ALL } else { SAMPLE } {
        let only = std::env::var("MASTMAINT_FAILPOINT").ok();
        let is_wanted = |place: &(&str, Change, u32)| only.as_deref().is_none_or(|only| only == place.0);
        let round: Vec<_> = PLACES.into_iter().filter(is_wanted).collect();
        assert!(!round.is_empty(), "there is no failpoint {only:?}");
        let (point, change, passes) = round[dice.below(round.len())];
        let passes = u32::try_from(dice.below(passes as usize + 1)).unwrap();
        eprintln!("{} kill {}: {change:?} at {point} after {passes}", debian.suite(), kills + 1);
        stayed += usize::from(end_once(&mut machine, point, change, passes, End::Kill));
        kills += 1;
    }
    // The same with the power of the whole host.
    let cuts = if long { PLACES.len() } else { 0 };
    for (point, change, _) in PLACES.into_iter().take(cuts) {
        eprintln!("{} power cut: {change:?} at {point}", debian.suite());
        stayed += usize::from(end_once(&mut machine, point, change, 0, End::PowerCut));
    }
    eprintln!(
        "{}: {kills} kills and {cuts} power cuts in {} s, {stayed} changes stayed",
        debian.suite(),
        begin.elapsed().as_secs()
    );
}

/// What ends a change in its middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Kill,
    PowerCut,
}

/// One change that is ended once; whether it stayed.
fn end_once(machine: &mut Machine, point: &'static str, change: Change, passes: u32, end: End) -> bool {
    let what = format!("{end:?}: {change:?} at {point} after {passes}");
    next_build(machine, if change == Change::Well { "whole" } else { "half" }, "");
    let (before, runs) = (seen(machine), history(machine).len());
    machine.sh(&format!("rm -f {ARMED}/hit/*")).ok();
    arm(machine, point, passes);
    ctl(machine, "run change").ok();
    machine.until(&format!("{what} is hit"), Duration::from_mins(2), |m| {
        (m.sh(&format!("test -e {ARMED}/hit/{point}")).status == 0).then_some(())
    });
    if end == End::PowerCut {
        machine.power_cut();
        machine.power_on();
        let answers = |m: &Machine| (ctl(m, "status").status != 4).then_some(());
        machine.until("the daemon answers", Duration::from_mins(2), answers);
    }
    let machine = &*machine;
    let run = machine.until(&format!("the run is over after {what}"), Duration::from_mins(3), |m| {
        let runs_now = history(m);
        let is_over = runs_now.len() == runs + 1 && runs_now.iter().all(|run| run["state"] == "ended");
        is_over.then(|| runs_now[0].clone())
    });
    assert_eq!(states(machine), ["active"; 4], "{what}");
    assert_eq!(copies(machine), "", "{what}: {run}");
    let ours = machine.sh(&format!("find {LIVE} -name '.mastmaintd-*'")).out;
    assert_eq!(ours, "", "{what}: {run}");
    let stayed = seen(machine) != before;
    assert!(!stayed || change == Change::Well, "{what}: a bad change stayed: {run}");
    if stayed {
        // As after: the source, what was built of it, and what the build says of that belong together.
        machine
            .sh(&format!(
                "cd {LIVE} && cmp app/javascript/styles/application.scss public/packs/assets/application-a1.css && \
                 test -s app/javascript/styles/plum.scss && \
                 /usr/lib/mastmaintd/mastmaint-prove --live {LIVE} assets | grep -q '\"count\":0'"
            ))
            .ok();
        assert!(run["outcome"] == "ok" || run["outcome"] == "interrupted", "{what}: {run}");
    } else {
        assert_ne!(run["outcome"], "ok", "{what}: {run}");
    }
    stayed
}

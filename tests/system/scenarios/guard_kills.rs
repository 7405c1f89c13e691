//! The kill matrix of guarded changes: at each of their writes and effects the process that does it is killed by SIGKILL,
//! or the host loses its power, in a change that is well and in such that are not. Afterwards everything is as before or
//! as after, never between, web is up, and the run has ended once.

use super::{
    cut::{Cut, End, Place, all, is_long, wanted},
    guard::{built, copies, next_build, seen},
    kills::{Dice, put_deadly_programs_in_place},
    restore::LIVE,
};
use crate::{answering::ail, image::Debian, machine::Machine, uploads};

/// Of each release, in the gate.
const SAMPLE: usize = 6;
/// With `--long`; each place at least once. Power cuts come beside them, one at each place.
const ALL: usize = 60;
const UPLOADS: &str = "/home/mastodon/live/public/system";

/// Whether the change that passes by is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Well,
    /// Its build is only half.
    Bad,
    /// Only the look finds that the site is not well: web is restarted before and after. It takes its time.
    Ill,
}

/// Every failpoint with the highest number of times that it is passed by before.
const PLACES: [Place<Change>; 25] = [
    ("guard.copied", Change::Well, 3),
    ("guard.before-record", Change::Well, 0),
    ("guard.recorded", Change::Well, 0),
    ("guard.before-kept", Change::Well, 0),
    ("guard.kept", Change::Well, 0),
    ("guard.recorded", Change::Bad, 0),
    ("guard.path", Change::Bad, 4),
    ("guard.rebuilt", Change::Bad, 1),
    ("guard.exchanged", Change::Bad, 1),
    ("guard.before-away", Change::Bad, 0),
    ("guard.away", Change::Bad, 0),
    ("guard.put-back", Change::Bad, 0),
    ("guard.put-back-recorded", Change::Bad, 0),
    ("step.before-begin", Change::Well, 6),
    ("step.begun", Change::Well, 6),
    ("step.before-outcome", Change::Well, 6),
    ("step.outcome", Change::Bad, 4),
    ("run.step-recorded", Change::Well, 6),
    ("run.step-recorded", Change::Bad, 4),
    ("run.before-step-end", Change::Well, 6),
    ("run.step-end-recorded", Change::Bad, 4),
    // With one step more: the first restart, and all that comes after it.
    ("step.begun", Change::Ill, 8),
    ("step.before-outcome", Change::Ill, 8),
    ("guard.put-back-recorded", Change::Ill, 0),
    ("run.before-step-end", Change::Ill, 8),
];

/// It changes the theme in use, leaves a new file in what is kept, and one that was not there; whether it is well is the
/// build's.
const JOBS: &str = "  change:
    steps:
      - guard: [[/bin/sh, -c, 'date +%N > app/javascript/styles/plum.scss; date +%N > config/plum.yml; date +\"body {%N}\" > app/javascript/styles/application.scss']]
        memory: 1 MB
        keep: [config/plum.yml]
";

pub(crate) fn every_kill_in_a_change_ends_as_before_or_as_after(debian: Debian) {
    let mut machine = built(debian, JOBS);
    put_deadly_programs_in_place(&machine);
    let cuts = plan(&mut Dice::new());
    all(debian, "changes", &cuts, |change, cut| end_once(&mut machine, change, cut));
}

/// A sample, or every place by a kill, again until there are enough, and once more by a power cut.
fn plan(dice: &mut Dice) -> Vec<(Change, Cut)> {
    let mut places = wanted(&PLACES);
    if !is_long() {
        places.retain(|(_, change, _)| *change != Change::Ill);
        let one = |dice: &mut Dice| {
            let (point, change, passes) = places[dice.below(places.len())];
            (change, Cut::random(dice, point, passes, End::Kill))
        };
        return (0..SAMPLE).map(|_| one(dice)).collect();
    }
    let kills = places.iter().cycle().take(ALL.max(places.len())).map(|place| (place, End::Kill));
    let power = places.iter().map(|place| (place, End::PowerCut));
    let all = kills.chain(power);
    all.map(|((point, change, passes), end)| (*change, Cut::random(dice, point, *passes, end))).collect()
}

/// One change that is cut once; whether it stayed.
fn end_once(machine: &mut Machine, change: Change, cut: Cut) -> bool {
    next_build(machine, if change == Change::Bad { "half" } else { "whole" }, "");
    let before = seen(machine);
    if change == Change::Ill {
        ail(machine, "web", "500");
    }
    uploads::begin(machine, UPLOADS);
    let run = cut.once(machine, "mastmaintctl run change", |_| ());
    if change == Change::Ill {
        ail(machine, "web", "");
    }
    let machine = &*machine;
    uploads::are_all_there(machine, UPLOADS, &cut.to_string());
    assert_eq!(copies(machine), "", "{cut}: {run}");
    let stayed = seen(machine) != before;
    assert!(!stayed || change != Change::Bad, "{cut}: a bad change stayed: {run}");
    if stayed {
        // As after: the source, what was built of it, and what the build says of that belong together.
        machine
            .sh(&format!(
                "cd {LIVE} && cmp app/javascript/styles/application.scss public/packs/assets/application-a1.css && \
                 test -s app/javascript/styles/plum.scss && test -s config/plum.yml && \
                 /usr/lib/mastmaintd/mastmaint-prove --live {LIVE} assets | grep -q '\"count\":0'"
            ))
            .ok();
        assert!(run["outcome"] == "ok" || run["outcome"] == "interrupted", "{cut}: {run}");
        // What the next one adds was not there before it.
        machine.sh(&format!("rm {LIVE}/config/plum.yml")).ok();
    } else {
        assert_ne!(run["outcome"], "ok", "{cut}: {run}");
    }
    stayed
}

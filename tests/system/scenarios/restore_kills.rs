//! The kill matrix of a restore of files: at each of its writes and effects, and at those of its way back, the process that
//! does it is killed by SIGKILL, or the host loses its power. Afterwards live is as before or as after, with all uploads
//! of today, and what was there is beside.

use super::{
    cut::{Cut, End, Place, Way, all, plan, rollback},
    kills::{ARMED, Dice, await_hit, put_deadly_programs_in_place},
    restore::{LIVE, UPLOADS, back_up, host, tree, wreck},
};
use crate::{
    host::{ctl, ended_run},
    image::Debian,
    machine::Machine,
    uploads,
};
use serde_json::Value;

/// Where, with the highest number of times that it is passed by before.
const PLACES: [Place<Way>; 42] = [
    ("prepare.begun", Way::Restore, 0),
    ("prepare.half", Way::Restore, 0),
    ("prepare.copied", Way::Restore, 0),
    ("prepare.prepared", Way::Restore, 0),
    ("switch.before-mark", Way::Restore, 0),
    ("switch.marked", Way::Restore, 0),
    ("switch.before-environment", Way::Restore, 0),
    ("switch.environment", Way::Restore, 0),
    ("switch.before-uploads", Way::Restore, 0),
    ("switch.uploads", Way::Restore, 0),
    ("switch.before-exchange", Way::Restore, 0),
    ("switch.exchanged", Way::Restore, 0),
    ("switch.before-keep", Way::Restore, 0),
    ("switch.kept", Way::Restore, 0),
    ("switch.before-missing", Way::Restore, 0),
    ("switch.missing", Way::Restore, 0),
    ("switch.before-unmark", Way::Restore, 0),
    ("switch.unmarked", Way::Restore, 0),
    ("open.recorded", Way::Restore, 0),
    ("open.stopped", Way::Restore, 0),
    ("close.begun", Way::Restore, 0),
    ("close.started", Way::Restore, 3),
    ("close.put-away", Way::Restore, 0),
    // Those that every step passes by: prepare, try, assets, match, stop, switch, start.
    ("step.before-begin", Way::Restore, 6),
    ("step.begun", Way::Restore, 6),
    ("step.before-outcome", Way::Restore, 6),
    ("step.outcome", Way::Restore, 6),
    ("run.step-recorded", Way::Restore, 6),
    ("run.before-step-end", Way::Restore, 6),
    ("run.step-end-recorded", Way::Restore, 6),
    ("switch.before-mark", Way::Back, 0),
    ("switch.marked", Way::Back, 0),
    ("back.before-environment", Way::Back, 0),
    ("back.environment", Way::Back, 0),
    ("back.before-uploads", Way::Back, 0),
    ("back.uploads", Way::Back, 0),
    ("back.before-exchange", Way::Back, 0),
    ("back.exchanged", Way::Back, 0),
    ("back.before-put-away", Way::Back, 0),
    ("back.put-away", Way::Back, 0),
    ("switch.before-unmark", Way::Back, 0),
    // Stop, back, start.
    ("step.before-outcome", Way::Back, 2),
];
/// Of these in the gate, beside one power cut; `--long` takes all, each by a kill and by a power cut.
const SAMPLE: usize = 3;
const ALWAYS: &str = "switch.before-exchange";
/// The good tree, to have it again once what lay in memory is gone.
const GOOD: &str = "/var/tmp/good.tar";

pub(crate) fn cut_anywhere_it_is_finished_before_mastodon_starts(debian: Debian) {
    let mut machine = host(debian);
    let good = tree(&machine, LIVE);
    machine.sh(&format!("tar -C {LIVE} --exclude ./public/system -cf {GOOD} .")).ok();
    put_deadly_programs_in_place(&machine);
    let cuts = plan(&mut Dice::new(), &PLACES, SAMPLE, (ALWAYS, Way::Restore));
    all(debian, "restores of files", &cuts, |way, cut| {
        let is_after = cut_once(&mut machine, way, cut, &good);
        if cut.end == End::PowerCut {
            heal(&machine);
        }
        is_after
    });
    // One that nobody cuts removes what is left of copies that were cut.
    ctl(&machine, "run restore-files --follow").ok();
    let copies = machine.sh(&format!("ls -d {LIVE}/../.mastmaintd-restore/*/live 2>/dev/null")).out;
    assert_eq!(copies, "", "copies that nobody wants");
}

/// One restore, or its way back, that is cut once; whether it ended as after.
fn cut_once(machine: &mut Machine, way: Way, cut: Cut, good: &str) -> bool {
    let at = format!("{LIVE}/{UPLOADS}/1");
    wreck(machine);
    let wrecked = tree(machine, LIVE);
    let (begin, before, after) = match way {
        Way::Restore => ("mastmaintctl run restore-files".to_owned(), wrecked.as_str(), good),
        Way::Back => {
            ctl(machine, "run restore-files --follow").ok();
            (rollback(&ended_run(machine, "restore-files"), ""), good, wrecked.as_str())
        }
    };
    assert_eq!(tree(machine, LIVE), before);
    uploads::begin(machine, &at);
    // Whoever finishes the switch at the next boot is killed as well, once.
    let again = second(cut);
    let run = cut.once(machine, &begin, |dark| {
        if let Some(point) = again {
            dark.write(&format!("{ARMED}/{point}"), "0");
        }
    });
    if let Some(point) = again {
        await_hit(machine, point);
        is_finished_before_mastodon_starts(machine, cut);
    }
    uploads::are_all_there(machine, &at, &cut.to_string());
    assert_eq!(machine.sh(&format!("cat {at}/new.png")).out, "new\n", "{cut}: {run:#}");
    let env = machine.sh(&format!("stat -c '%a %U' {LIVE}/.env.production; cat {LIVE}/.env.production")).ok();
    assert!(env.starts_with("640 mastodon\n") && env.contains("today=1"), "{cut}: {env}");
    let now = tree(machine, LIVE);
    assert!(now == before || now == after, "{cut}: neither as before nor as after: {run:#}\n{now}");
    let ended_as_after = now == after;
    assert!(ended_as_after || run["outcome"] != "ok", "{cut}: {run:#}");
    if way == Way::Restore {
        what_is_said(machine, cut, &run, ended_as_after, &wrecked);
    }
    Cut::tidy(machine);
    ended_as_after
}

fn what_is_said(machine: &Machine, cut: Cut, run: &Value, is_restored: bool, wrecked: &str) {
    let id = run["run"].as_str().unwrap();
    let restores = ctl(machine, "restores").ok();
    let line = restores.lines().find(|line| line.starts_with(id)).unwrap_or_default();
    if !is_restored {
        assert!(!line.contains(": live; what was there is "), "{cut}: {line}");
        // A whole copy may be switched in yet; of half a one nothing is left.
        let is_there = machine.sh(&format!("test -e {LIVE}/../.mastmaintd-restore/{id}/live")).status == 0;
        assert_eq!(is_there, line.contains("copied and checked, not switched in"), "{cut}: {line}");
        return;
    }
    assert!(line.contains(": live; what was there is "), "{cut}: {restores}");
    assert_eq!(tree(machine, &format!("{LIVE}.before-{id}")), wrecked, "{cut}: what was there is beside");
    let uploads = machine.sh(&format!("cat {LIVE}/{UPLOADS}/1/old.png")).out;
    assert_eq!(uploads, "old\n", "{cut}: what only the backup had");
    if is_in_the_middle(cut.point) && cut.end == End::Kill {
        // The program that was killed has failed, and what became of its switch is said.
        assert_eq!(run["outcome"], "failed", "{cut}: {run:#}");
    }
}

/// Whether live is neither the old tree nor the new one there.
fn is_in_the_middle(point: &str) -> bool {
    !point.contains("mark") && (point.starts_with("switch.") || point.starts_with("back."))
}

/// Where the program that finishes it after a power cut comes by in any case.
fn second(cut: Cut) -> Option<&'static str> {
    let is_cut = cut.end == End::PowerCut && is_in_the_middle(cut.point);
    let point = if cut.point.contains(".before-") { cut.point } else { "switch.before-unmark" };
    is_cut.then_some(point)
}

/// By the unit that was killed at it and went on.
fn is_finished_before_mastodon_starts(machine: &Machine, cut: Cut) {
    let said = machine.sh("journalctl -b -o cat -u mastmaintd-resume -u mastodon-web").ok();
    let at = |what: &str| said.find(what).unwrap_or_else(|| panic!("{cut}: no {what:?}: {said}"));
    assert!(at("Finished ") < at("Started mastodon-web"), "{cut}: nobody waited for it: {said}");
}

/// After a power cut the backup is gone, and live may be the wrecked one: both are made good again.
fn heal(machine: &Machine) {
    machine
        .sh(&format!(
            "cd {LIVE} && find . -mindepth 1 -maxdepth 1 ! -name public -exec rm -rf {{}} + && tar -xpf {GOOD} && \
             echo old >{UPLOADS}/1/old.png && chown mastodon:mastodon {UPLOADS}/1/old.png"
        ))
        .ok();
    back_up(machine);
    let verified = ctl(machine, "verify files --follow");
    assert_eq!(verified.status, 0, "{}{}", verified.out, verified.err);
}

//! A run that is cut once at a failpoint, by a SIGKILL or with the power of the whole host, and what must be so
//! afterwards whatever it was: it has ended once, everything is up, nothing is owed and nothing lies about.

use super::{
    kills::{ARMED, Dice, arm, await_hit, history},
    restore::LIVE,
};
use crate::image::Debian;
use crate::{
    answering::{all_are, open_brackets, states},
    host::ctl,
    machine::Machine,
};
use serde_json::Value;
use std::{
    fmt,
    time::{Duration, Instant},
};

/// What of a restore is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Restore,
    Back,
}

/// How a person takes a run back, by a line of sh that does not wait for it.
pub(super) fn rollback(run: &Value, more: &str) -> String {
    let run = run["run"].as_str().unwrap();
    format!("systemd-run -q --collect -p WorkingDirectory=/root mastmaintctl rollback {run} --yes {more}")
}

/// What ends a run in its middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Kill,
    PowerCut,
}

/// Where something of a kind is cut, with the highest number of times that it is passed by before.
pub(super) type Place<K> = (&'static str, K, u32);

/// The places that are asked for: all, or those that `MASTMAINT_FAILPOINT` names (for whoever looks for what one of them
/// breaks).
pub(super) fn wanted<K: Copy>(places: &[Place<K>]) -> Vec<Place<K>> {
    let only = std::env::var("MASTMAINT_FAILPOINT").ok();
    let is_wanted =
        |point: &str| only.as_deref().is_none_or(|only| only.split(',').any(|name| name == point));
    let wanted: Vec<_> = places.iter().copied().filter(|place| is_wanted(place.0)).collect();
    assert!(!wanted.is_empty(), "there is no failpoint {only:?}");
    wanted
}

/// Whether the whole matrix is asked for.
pub(super) fn is_long() -> bool {
    std::env::var_os("MASTMAINT_LONG_TESTS").is_some()
}

/// Each place by a kill and by a power cut; in the gate some of them by a kill, and always one by a power cut.
pub(super) fn plan<K: Copy>(
    dice: &mut Dice,
    places: &[Place<K>],
    sample: usize,
    always: (&'static str, K),
) -> Vec<(K, Cut)> {
    let mut places = wanted(places);
    if is_long() {
        let both = places.into_iter().flat_map(|place| [(place, End::Kill), (place, End::PowerCut)]);
        return both
            .map(|((point, kind, passes), end)| (kind, Cut::random(dice, point, passes, end)))
            .collect();
    }
    let mut cuts = Vec::new();
    while cuts.len() < sample && !places.is_empty() {
        let (point, kind, passes) = places.swap_remove(dice.below(places.len()));
        cuts.push((kind, Cut::random(dice, point, passes, End::Kill)));
    }
    cuts.push((always.1, Cut { point: always.0, passes: 0, end: End::PowerCut }));
    cuts
}

/// Makes each cut in its turn (`one` says whether it ended as after) and says how they ended.
pub(super) fn all<K: Copy + fmt::Debug>(
    debian: Debian,
    what: &str,
    cuts: &[(K, Cut)],
    mut one: impl FnMut(K, Cut) -> bool,
) {
    let begin = Instant::now();
    let mut after = 0;
    for (number, (kind, cut)) in cuts.iter().enumerate() {
        eprintln!("{} {}: {kind:?}, {cut}", debian.suite(), number + 1);
        after += usize::from(one(*kind, *cut));
    }
    let kills = cuts.iter().filter(|(_, cut)| cut.end == End::Kill).count();
    eprintln!(
        "{}: {kills} kills and {} power cuts of {what} in {} s, {after} ended as after, {} as before",
        debian.suite(),
        cuts.len() - kills,
        begin.elapsed().as_secs(),
        cuts.len() - after
    );
}

/// One cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) point: &'static str,
    /// How often it is passed by before.
    pub(super) passes: u32,
    pub(super) end: End,
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = if self.end == End::Kill { "a kill" } else { "a power cut" };
        write!(f, "{end} at {} after {}", self.point, self.passes)
    }
}

impl Cut {
    /// At a point that is passed by at most so often before.
    pub(super) fn random(dice: &mut Dice, point: &'static str, most_passes: u32, end: End) -> Self {
        let passes = dice.below(most_passes as usize + 1);
        Self { point, passes: u32::try_from(passes).unwrap(), end }
    }

    /// Begins a run by a line of sh, cuts it, and waits until all is over. `dark` is done while the host has no power.
    #[track_caller]
    pub(super) fn once(&self, machine: &mut Machine, begin: &str, dark: impl FnOnce(&Machine)) -> Value {
        let known: Vec<Value> = history(machine).iter().map(|run| run["run"].clone()).collect();
        machine.sh(&format!("rm -f {ARMED}/hit/*")).ok();
        arm(machine, self.point, self.passes);
        machine.sh(begin).ok();
        await_hit(machine, self.point);
        if self.end == End::PowerCut {
            machine.power_cut();
            dark(machine);
            machine.power_on();
            let answers = |m: &Machine| (ctl(m, "status").status != 4).then_some(());
            machine.until("the daemon answers", Duration::from_mins(2), answers);
        }
        let machine = &*machine;
        let run = machine.until(&format!("the run is over after {self}"), Duration::from_mins(4), |m| {
            let runs = history(m);
            let is_over = runs.len() > known.len() && runs.iter().all(|run| run["state"] == "ended");
            is_over.then(|| runs[0].clone())
        });
        self.leaves_nothing(machine, &run);
        let runs: Vec<Value> = history(machine).iter().map(|run| run["run"].clone()).collect();
        assert_eq!(runs[1..], known[..], "a run was lost or doubled after {self}");
        run
    }

    /// Removes the trees that a person would remove: the next backup need not have them.
    pub(super) fn tidy(machine: &Machine) {
        machine.sh(&format!("rm -rf {LIVE}.before-* {LIVE}.restored-*")).ok();
    }

    #[track_caller]
    fn leaves_nothing(&self, machine: &Machine, run: &Value) {
        all_are(machine, "active");
        machine.until(&format!("the bracket is closed after {self}"), Duration::from_mins(3), |m| {
            open_brackets(m).is_empty().then_some(())
        });
        assert_eq!(states(machine), ["active"; 4], "{self}: {run:#}");
        let between = machine.sh("ls /var/lib/mastmaintd-restore/switching 2>/dev/null").out;
        assert_eq!(between, "", "a switch is half done after {self}: {run:#}");
        let ours = machine.sh(&format!("find {LIVE}/ -name '.mastmaintd-*'")).ok();
        assert_eq!(ours, "", "it lies about after {self}: {run:#}");
    }
}

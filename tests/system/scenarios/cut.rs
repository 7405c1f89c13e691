//! A run that is cut once at a failpoint, by a SIGKILL or with the power of the whole host, and what must be so
//! afterwards whatever it was: it has ended once, everything is up, nothing is owed and nothing lies about.

use super::{
    kills::{ARMED, Dice, arm, await_hit, history},
    restore::LIVE,
};
use crate::{
    answering::{all_are, open_brackets, states},
    host::ctl,
    machine::Machine,
};
use serde_json::Value;
use std::{fmt, time::Duration};

/// What ends a run in its middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Kill,
    PowerCut,
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

    /// Begins a run by a line of sh, cuts it, and waits until all is over. `dark` is done while the host has no power, or
    /// right after the kill.
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
        } else {
            dark(machine);
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

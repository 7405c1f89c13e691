//! Closing a bracket: what was recorded is started in order and watched until it stays up and answers. What does not
//! come up is tried again; what somebody else has taken over is left to them.

use super::{
    Scene,
    attempt::{Attempts, Tried},
    confirm::Asker,
    held,
    record::{Brackets, Phase, Record, Seen},
    switch,
};
use crate::systemctl::UnitState;
use jiff::Timestamp;
use mastmaint_failpoints::failpoint;
use mastmaint_words::UnitName;
use std::time::{Duration, Instant};

/// How patiently services are started.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// So often, before it is said that it failed.
    pub tries: u32,
    /// How long a service may take to come up and answer, beyond the time for which it must stay up.
    pub patience: Duration,
    /// Between two tries.
    pub pause: Duration,
    /// Between two looks.
    pub look: Duration,
    /// How long systemd may take to start or stop a unit.
    pub systemd: Duration,
    /// How long a unit that systemd is about to start by itself (a boot) is waited for before it is started.
    pub queued: Duration,
    /// Whether what is up but does not answer is restarted before a further try.
    pub restarts: bool,
}

impl Pace {
    /// That of a run.
    pub const OF_A_RUN: Self = Self {
        tries: 3,
        patience: Duration::from_secs(90),
        pause: Duration::from_secs(5),
        look: Duration::from_millis(500),
        systemd: Duration::from_secs(100),
        queued: Duration::from_mins(10),
        restarts: true,
    };
    /// That of who comes back to it again and again: what runs by now is not disturbed.
    pub const OF_RECOVERY: Self = Self { tries: 1, restarts: false, ..Self::OF_A_RUN };
}

/// How a try to close a bracket ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Closing {
    /// Every service is up, or somebody else's.
    Closed {
        /// In a sentence.
        how: String,
        /// How they stood.
        seen: Seen,
    },
    /// Not everything came up; the record stays.
    NotConfirmed {
        /// What did not, and why.
        why: String,
    },
    /// The room is being stopped; the record stays.
    Stopped,
}

/// Closes a bracket, its lock held.
pub fn close(
    record: &mut Record,
    brackets: &Brackets,
    by: &str,
    pace: Pace,
    asker: &mut dyn Asker,
    scene: &mut Scene<'_>,
) -> Closing {
    begin(record, scene);
    // If there is no room to say so, the starts are owed all the same.
    let _ = brackets.write(record);
    held::release(&record.run);
    failpoint!("close.begun");
    if !await_systemd(record, pace, scene) {
        return Closing::Stopped;
    }
    if let Err(why) = switch::finish(scene) {
        return not_confirmed(record, brackets, why);
    }
    let mut work = Attempts::new(record, brackets, pace, asker, scene);
    let mut why = String::new();
    for attempt in 1..=pace.tries.max(1) {
        if attempt > 1 && !work.pause(&why) {
            return Closing::Stopped;
        }
        match work.attempt(attempt > 1 && pace.restarts) {
            Tried::Up { seen, started, taken } => {
                let how = describe(by, record, &seen, started, &taken);
                return put_away(record, brackets, how, seen, scene);
            }
            Tried::Stopping => return Closing::Stopped,
            Tried::NotUp { why: not_up } => why = not_up,
        }
    }
    not_confirmed(record, brackets, why)
}

/// What is wrong is written down if there is room for it; the record stays in any case.
fn not_confirmed(record: &mut Record, brackets: &Brackets, why: String) -> Closing {
    record.phase = Phase::NotConfirmed { why: why.clone() };
    let _ = brackets.write(record);
    failpoint!("close.not-confirmed");
    Closing::NotConfirmed { why }
}

/// From here on nothing may rely on the stop any more.
fn begin(record: &mut Record, scene: &Scene<'_>) {
    let boot = scene.systemctl.boot();
    if !boot.is_empty() && boot != record.boot {
        // Whatever was started before, the boot has ended it: nobody has stopped or started anything since.
        record.boot = boot;
        record.rebooted = true;
        for service in &mut record.services {
            service.ours = None;
        }
    }
    if matches!(record.phase, Phase::Stopping | Phase::Stopped) && !record.rebooted {
        // What cannot be looked at now the attempt says.
        let states = scene.systemctl.look(&record.units()).unwrap_or_default();
        record.early = record.came_up(&states);
    }
    record.phase = Phase::Starting;
}

/// What systemd is about to start is not down: at boot it waits for what comes before it. False if the room is being
/// stopped.
fn await_systemd(record: &Record, pace: Pace, scene: &mut Scene<'_>) -> bool {
    let (begin, mut has_said) = (Instant::now(), false);
    while begin.elapsed() < pace.queued {
        let states = scene.systemctl.look(&record.units()).unwrap_or_default();
        let services = record.services.iter().zip(&states);
        let queued: Vec<&str> = services
            .filter(|(_, state)| state.is_about_to_start())
            .map(|(service, _)| service.unit.as_str())
            .collect();
        if queued.is_empty() {
            return true;
        }
        if !std::mem::replace(&mut has_said, true) {
            scene.say(format!("systemd is about to start {}; waiting for it", queued.join(", ")));
        }
        if scene.wait(pace.look) {
            return false;
        }
    }
    true
}

/// In a sentence, for people.
fn describe(by: &str, record: &Record, seen: &Seen, started: usize, taken: &[String]) -> String {
    let mut how = match (record.rebooted, started) {
        _ if seen.up.is_empty() && taken.is_empty() => {
            "nothing was running, so nothing is started".to_owned()
        }
        _ if seen.up.is_empty() => format!("{by} has nothing left to start"),
        (true, 0) => format!("the host was restarted and systemd started the services; {by} saw them work"),
        (true, _) => format!("the host was restarted; {by} started what systemd had not, and saw it work"),
        (false, _) => format!("{by} started the services and saw them stay up"),
    };
    let early: Vec<&str> = seen.early.iter().map(UnitName::as_str).collect();
    let early = (!early.is_empty()).then(|| format!("somebody had started {} before", early.join(", ")));
    for more in taken.iter().chain(&early) {
        how.push_str("; ");
        how.push_str(more);
    }
    how
}

fn put_away(
    record: &mut Record,
    brackets: &Brackets,
    how: String,
    seen: Seen,
    scene: &mut Scene<'_>,
) -> Closing {
    record.phase = Phase::Closed { at: Timestamp::now(), how: how.clone(), seen: seen.clone() };
    failpoint!("close.confirmed");
    if let Err(error) = brackets.put_away(record) {
        // It is closed again by whoever looks next; the services are up.
        scene.say(format!("the record of the stop cannot be put away: {error}"));
    }
    failpoint!("close.put-away");
    Closing::Closed { how, seen }
}

impl Record {
    pub(super) fn units(&self) -> Vec<UnitName> {
        self.services.iter().map(|service| service.unit.clone()).collect()
    }

    /// The services that somebody has started since they were stopped, while they should have been down.
    pub(crate) fn came_up(&self, states: &[UnitState]) -> Vec<UnitName> {
        let services = self.services.iter().zip(states);
        let up = services.filter(|(service, state)| {
            state.is_meant_to_run() && !state.invocation.is_empty() && state.invocation != service.before
        });
        up.map(|(service, _)| service.unit.clone()).collect()
    }
}

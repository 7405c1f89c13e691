//! Closing a bracket: what was recorded is started in order and watched until it stays up and answers. What does not
//! come up is tried again; what somebody else has taken over is left to them.

use super::{
    Scene,
    confirm::{Asker, Said},
    policy::{self, Standing, TakenOver, Watch},
    record::{Brackets, Phase, Record},
};
use crate::systemctl::UnitState;
use jiff::Timestamp;
use mastmaint_config::settings::SystemctlVerb;
use mastmaint_failpoints::failpoint;
use mastmaint_words::UnitName;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

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
        /// Services that could not be asked whether they answer, each with the reason.
        not_asked: Vec<String>,
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
    // From here on nothing may rely on the stop any more. If there is no room to say so, the starts are owed all the
    // same.
    record.phase = Phase::Starting;
    let _ = brackets.write(record);
    failpoint!("close.begun");
    let mut work = Work { record, brackets, pace, asker, scene, not_up: BTreeSet::new() };
    let mut why = String::new();
    for attempt in 1..=pace.tries.max(1) {
        if attempt > 1 {
            work.scene.say(format!("trying again: {why}"));
            if work.scene.wait(pace.pause) {
                return Closing::Stopped;
            }
        }
        match work.attempt(attempt > 1 && pace.restarts) {
            Ok(Some(up)) => return work.put_away(by, up),
            Ok(None) => return Closing::Stopped,
            Err(not_up) => why = not_up,
        }
    }
    work.record.phase = Phase::NotConfirmed { why: why.clone() };
    let _ = work.brackets.write(work.record);
    failpoint!("close.not-confirmed");
    Closing::NotConfirmed { why }
}

/// A service while it is watched.
struct Watched {
    unit: UnitName,
    watch: Watch,
    said: Option<Said>,
    gone: Option<TakenOver>,
    /// Waiting does not help.
    is_hopeless: bool,
}

impl Watched {
    fn new(unit: UnitName) -> Self {
        Self { unit, watch: Watch::default(), said: None, gone: None, is_hopeless: false }
    }
}

struct Work<'a, 's> {
    record: &'a mut Record,
    brackets: &'a Brackets,
    pace: Pace,
    asker: &'a mut dyn Asker,
    scene: &'a mut Scene<'s>,
    /// What was not up when the last try was given up.
    not_up: BTreeSet<UnitName>,
}

/// What came of a try in which everything came up.
#[derive(Default)]
struct Up {
    taken: Vec<String>,
    not_asked: Vec<String>,
    started: usize,
}

impl Work<'_, '_> {
    /// Starts what is owed and watches it. `Ok(None)` if the room is being stopped.
    fn attempt(&mut self, restart: bool) -> Result<Option<Up>, String> {
        let owed: Vec<UnitName> = self.record.services.iter().map(|service| service.unit.clone()).collect();
        let mut up = Up::default();
        let mut watched: Vec<UnitName> = Vec::new();
        let states = self.scene.systemctl.look(&owed)?;
        let mut failures: Vec<String> = Vec::new();
        for (index, (unit, state)) in owed.iter().zip(states).enumerate() {
            if self.scene.is_stopping() {
                return Ok(None);
            }
            if let Some(taken) = policy::taken_over(&self.record.services[index], &state) {
                let taken = taken.describe(unit);
                self.scene.say(taken.clone());
                up.taken.push(taken);
                continue;
            }
            up.started += usize::from(!state.is_up());
            watched.push(unit.clone());
            if let Err(error) = self.start(unit, &state, restart) {
                failures.push(format!("{unit} cannot be started: {error}"));
            }
            failpoint!("close.started");
        }
        self.note_starts(&watched)?;
        failpoint!("close.noted");
        if !failures.is_empty() {
            return Err(failures.join("; "));
        }
        self.watch(&watched, up)
    }

    /// A start of what runs already does nothing, except that it takes back a stop that is still on its way.
    fn start(&self, unit: &UnitName, state: &UnitState, restart: bool) -> Result<(), String> {
        let units = std::slice::from_ref(unit);
        if state.active == "failed" {
            // Else a unit that was restarted too often is refused. What cannot be forgotten is tried all the same.
            let _ = self.scene.systemctl.act(SystemctlVerb::ResetFailed, units, self.pace.systemd);
        }
        let is_ill = restart && state.is_up() && self.not_up.contains(unit);
        let verb = if is_ill { SystemctlVerb::Restart } else { SystemctlVerb::Start };
        self.scene.systemctl.act(verb, units, self.pace.systemd)
    }

    /// Remembers which starts are ours, so that those of others are known by not being among them.
    fn note_starts(&mut self, started: &[UnitName]) -> Result<(), String> {
        let states = self.scene.systemctl.look(started)?;
        for (unit, state) in started.iter().zip(&states) {
            if let Some(service) = self.record.services.iter_mut().find(|service| service.unit == *unit) {
                service.ours = Some(state.invocation.clone());
            }
        }
        // Without room for it a person's stop is taken for a fault until the next try.
        let _ = self.brackets.write(self.record);
        Ok(())
    }

    /// Waits until everything stays up and answers. `Ok(None)` if the room is being stopped.
    fn watch(&mut self, units: &[UnitName], mut up: Up) -> Result<Option<Up>, String> {
        let settle = self.record.settle.get();
        let (since, begin) = (Timestamp::now(), Instant::now());
        let mut watched: Vec<Watched> = units.iter().cloned().map(Watched::new).collect();
        loop {
            if self.scene.is_stopping() {
                return Ok(None);
            }
            let states = self.scene.systemctl.look(units)?;
            let mut wrong: Vec<String> = Vec::new();
            self.not_up.clear();
            for (service, state) in watched.iter_mut().zip(&states) {
                if let Err(why) = self.look_at(service, state, since) {
                    wrong.push(why);
                    self.not_up.insert(service.unit.clone());
                }
            }
            if wrong.is_empty() {
                let took = begin.elapsed().as_millis();
                self.scene.say(format!("watched for {took} ms"));
                for service in watched {
                    self.note(service, &mut up);
                }
                return Ok(Some(up));
            }
            let is_hopeless = watched.iter().any(|service| service.is_hopeless);
            if is_hopeless || begin.elapsed() > settle + self.pace.patience {
                return Err(wrong.join("; "));
            }
            if self.scene.wait(self.pace.look.min(settle)) {
                return Ok(None);
            }
        }
    }

    /// Whether one service is up, or somebody else's; else what is wrong with it.
    fn look_at(&mut self, service: &mut Watched, state: &UnitState, since: Timestamp) -> Result<(), String> {
        let owed = self.record.services.iter().find(|owed| owed.unit == service.unit);
        service.gone = service.gone.or_else(|| owed.and_then(|owed| policy::taken_over(owed, state)));
        if service.gone.is_some() {
            service.is_hopeless = false;
            return Ok(());
        }
        let falls = service.watch.falls();
        let standing = service.watch.see(Instant::now(), state, self.record.settle.get());
        if service.watch.falls() > falls {
            // What it answered before it fell counts for nothing.
            service.said = None;
        }
        service.is_hopeless = standing == Standing::Hopeless;
        if matches!(standing, Standing::Down | Standing::Hopeless) {
            return Err(describe(&service.unit, state));
        }
        if !matches!(service.said, Some(Said::Answers { .. } | Said::NotAsked { .. })) {
            service.said = Some(self.asker.ask(&self.record.digest, &service.unit, since));
        }
        match &service.said {
            Some(Said::Silent { why }) => Err(format!("{} does not answer: {why}", service.unit)),
            _ if standing == Standing::Young => {
                Err(format!("{} has not stayed up for {}", service.unit, self.record.settle))
            }
            _ => Ok(()),
        }
    }

    /// Takes down what is known of a service that is up.
    fn note(&mut self, service: Watched, up: &mut Up) {
        let Watched { unit, said, gone, .. } = service;
        if let Some(taken) = gone {
            up.taken.push(taken.describe(&unit));
            return;
        }
        match said {
            Some(Said::NotAsked { why }) => up.not_asked.push(format!("{unit} ({why})")),
            Some(Said::Answers { what }) => self.scene.say(format!("{unit} stays up and answers: {what}")),
            Some(Said::Silent { .. }) | None => {}
        }
    }

    fn put_away(&mut self, by: &str, up: Up) -> Closing {
        let rebooted = self.record.boot != self.scene.systemctl.boot();
        let mut how = match (rebooted, up.started) {
            (true, 0) => {
                format!("the host was restarted and systemd started the services; {by} saw them work")
            }
            (true, _) => {
                format!("the host was restarted; {by} started what systemd had not, and saw it work")
            }
            (false, _) => format!("{by} started the services and saw them stay up"),
        };
        for taken in &up.taken {
            how.push_str("; ");
            how.push_str(taken);
        }
        let not_asked = up.not_asked;
        self.record.phase =
            Phase::Closed { at: Timestamp::now(), how: how.clone(), not_asked: not_asked.clone() };
        failpoint!("close.confirmed");
        if let Err(error) = self.brackets.put_away(self.record) {
            // It is closed again by whoever looks next; the services are up.
            self.scene.say(format!("the record of the stop cannot be put away: {error}"));
        }
        failpoint!("close.put-away");
        Closing::Closed { how, not_asked }
    }
}

fn describe(unit: &UnitName, state: &UnitState) -> String {
    let result = if matches!(state.result.as_str(), "" | "success") {
        String::new()
    } else {
        format!(", {}", state.result)
    };
    let restarts =
        if state.restarts == 0 { String::new() } else { format!(", restarted {} times", state.restarts) };
    let name = unit.with_suffix();
    format!("{name} is {} ({}{result}{restarts}); see journalctl -u {name}", state.active, state.sub)
}

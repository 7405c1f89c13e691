//! One attempt after the other to get what a bracket owes up: started in order, its starts noted, watched.

use super::{
    Scene,
    close::Pace,
    confirm::{Asker, Said},
    policy::{self, Standing, TakenOver, Watch},
    record::{Brackets, Record, Seen, Service},
};
use crate::systemctl::UnitState;
use jiff::Timestamp;
use mastmaint_config::settings::SystemctlVerb;
use mastmaint_failpoints::failpoint;
use mastmaint_words::UnitName;
use std::{collections::BTreeSet, time::Instant};

/// How an attempt ended.
pub(super) enum Tried {
    /// Everything is up, or somebody else's.
    Up {
        seen: Seen,
        /// How many it had to start.
        started: usize,
        /// What is somebody else's, each in a sentence.
        taken: Vec<String>,
    },
    /// Something is not.
    NotUp { why: String },
    /// The room is being stopped.
    Stopping,
}

/// The attempts at one bracket.
pub(super) struct Attempts<'a, 's> {
    record: &'a mut Record,
    brackets: &'a Brackets,
    pace: Pace,
    asker: &'a mut dyn Asker,
    scene: &'a mut Scene<'s>,
    /// What was not up when the last attempt was given up.
    not_up: BTreeSet<UnitName>,
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
    fn new(service: &Service) -> Self {
        let watch = Watch::after(&service.before);
        Self { unit: service.unit.clone(), watch, said: None, gone: None, is_hopeless: false }
    }
}

impl<'a, 's> Attempts<'a, 's> {
    pub(super) fn new(
        record: &'a mut Record,
        brackets: &'a Brackets,
        pace: Pace,
        asker: &'a mut dyn Asker,
        scene: &'a mut Scene<'s>,
    ) -> Self {
        Self { record, brackets, pace, asker, scene, not_up: BTreeSet::new() }
    }

    /// Waits before a further attempt; false if the room is being stopped.
    pub(super) fn pause(&mut self, why: &str) -> bool {
        self.scene.say(format!("trying again: {why}"));
        !self.scene.wait(self.pace.pause)
    }

    /// Starts what is owed and watches it.
    pub(super) fn attempt(&mut self, restart: bool) -> Tried {
        self.start_all(restart)
            .and_then(|started| started.map_or(Ok(Tried::Stopping), |started| self.watch(started)))
            .unwrap_or_else(|why| Tried::NotUp { why })
    }

    /// Starts what is owed and is nobody else's; how many were not up. `None` if the room is being stopped.
    fn start_all(&mut self, restart: bool) -> Result<Option<usize>, String> {
        let owed = self.record.units();
        let states = self.scene.systemctl.look(&owed)?;
        let verbs: Vec<Option<SystemctlVerb>> = (self.record.services.iter().zip(&states))
            .map(|(service, state)| {
                let is_ours = policy::taken_over(service, state).is_none();
                is_ours.then(|| self.verb(&service.unit, state, restart))
            })
            .collect();
        self.forget_starts(&states, &verbs);
        let mut failures: Vec<String> = Vec::new();
        for ((unit, state), verb) in owed.iter().zip(&states).zip(verbs) {
            if self.scene.is_stopping() {
                return Ok(None);
            }
            let Some(verb) = verb else { continue };
            if let Err(error) = self.start(unit, state, verb) {
                failures.push(format!("{unit} cannot be started: {error}"));
            }
            failpoint!("close.started");
        }
        let now = self.scene.systemctl.look(&owed)?;
        self.note_starts(&now);
        failpoint!("close.noted");
        if failures.is_empty() {
            Ok(Some(states.iter().filter(|state| !state.is_up()).count()))
        } else {
            Err(failures.join("; "))
        }
    }

    /// A start of what runs already does nothing, except that it takes back a stop that is still on its way.
    fn verb(&self, unit: &UnitName, state: &UnitState, restart: bool) -> SystemctlVerb {
        let is_ill = restart && state.is_up() && self.not_up.contains(unit);
        if is_ill { SystemctlVerb::Restart } else { SystemctlVerb::Start }
    }

    fn start(&self, unit: &UnitName, state: &UnitState, verb: SystemctlVerb) -> Result<(), String> {
        let units = std::slice::from_ref(unit);
        if state.active == "failed" {
            // Else a unit that was restarted too often is refused. What cannot be forgotten is tried all the same.
            let _ = self.scene.systemctl.act(SystemctlVerb::ResetFailed, units, self.pace.systemd);
        }
        self.scene.systemctl.act(verb, units, self.pace.systemd)
    }

    /// A start of ours that is over says nothing any more: if the next one comes to nothing (a dependency, a condition)
    /// the unit looks as if somebody had stopped it.
    fn forget_starts(&mut self, states: &[UnitState], verbs: &[Option<SystemctlVerb>]) {
        let mut changed = false;
        for ((service, state), verb) in self.record.services.iter_mut().zip(states).zip(verbs) {
            if verb.is_some_and(|verb| verb == SystemctlVerb::Restart || !state.is_up()) {
                changed |= service.ours.take().is_some();
            }
        }
        if changed {
            let _ = self.brackets.write(self.record);
        }
    }

    /// Remembers which starts are ours, so that those of others are known by not being among them. Only what was seen
    /// up has been started.
    fn note_starts(&mut self, states: &[UnitState]) {
        let mut changed = false;
        for (service, state) in self.record.services.iter_mut().zip(states) {
            if service.ours.is_none() && state.is_up() && !state.invocation.is_empty() {
                service.ours = Some(state.invocation.clone());
                changed = true;
            }
        }
        if changed {
            // Without room for it a person's stop is taken for a fault until the next try.
            let _ = self.brackets.write(self.record);
        }
    }

    /// Waits until everything stays up and answers.
    fn watch(&mut self, started: usize) -> Result<Tried, String> {
        let units = self.record.units();
        let settle = self.record.settle.get();
        let (since, begin) = (Timestamp::now(), Instant::now());
        let mut watched: Vec<Watched> = self.record.services.iter().map(Watched::new).collect();
        loop {
            if self.scene.is_stopping() {
                return Ok(Tried::Stopping);
            }
            let states = self.scene.systemctl.look(&units)?;
            self.note_starts(&states);
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
                return Ok(self.sum_up(watched, started));
            }
            let is_hopeless = watched.iter().any(|service| service.is_hopeless);
            if is_hopeless || begin.elapsed() > settle + self.pace.patience {
                return Err(wrong.join("; "));
            }
            if self.scene.wait(self.pace.look.min(settle)) {
                return Ok(Tried::Stopping);
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
            return Err(state.describe(&service.unit));
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

    fn sum_up(&mut self, watched: Vec<Watched>, started: usize) -> Tried {
        let mut seen = Seen { early: self.record.early.clone(), ..Seen::default() };
        let mut sentences = Vec::new();
        for Watched { unit, said, gone, .. } in watched {
            if let Some(taken) = gone {
                sentences.push(taken.describe(&unit));
                let whose = if taken == TakenOver::Started { &mut seen.theirs } else { &mut seen.left };
                whose.push(unit);
                continue;
            }
            match said {
                Some(Said::NotAsked { why }) => seen.not_asked.push(format!("{unit} ({why})")),
                Some(Said::Answers { what }) => {
                    self.scene.say(format!("{unit} stays up and answers: {what}"));
                }
                Some(Said::Silent { .. }) | None => {}
            }
            seen.up.push(unit);
        }
        Tried::Up { seen, started, taken: sentences }
    }
}

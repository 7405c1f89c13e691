//! The task: asks what is due, takes in what is answered, and sleeps until something is due again. A probe that has not
//! been answered is not asked a second time.

use super::{
    Heard,
    ask::{self, Answer},
    policy::{Change, Standing, Terms},
    quiet::{Quiet, uptime},
};
use crate::{
    notify::{Fact, Messenger},
    recorder::{Owed, Recorder},
    room::Rooms,
    tell::{ProbeNews, Teller, Told},
};
use jiff::{SignedDuration, Timestamp};
use mastmaint_config::{accepted::DaemonView, probes::Probe};
use mastmaint_control::words::{ProbeLine, ProbeState};
use mastmaint_ledger::Incident;
use mastmaint_runner::{probe::Said, protocol::AskedProbe};
use mastmaint_words::ProbeName;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, watch};

/// How soon a ledger that could not be read is tried again.
const LOAD_AGAIN: Duration = Duration::from_mins(1);
/// A no is asked about again this long after it was asked for, where the probe's own time is longer: three of them make an
/// incident, which shall not take three of those. A service that is restarted by hand is up again before the third.
const ASK_AGAIN: Duration = Duration::from_secs(15);
/// An incident that was over longer ago than this is nothing that anybody has yet to hear of.
const STALE: SignedDuration = SignedDuration::from_hours(24);
const TAKEN_OUT: &str = "the probe was taken out of the configuration";

/// What the task needs.
#[derive(Debug)]
pub struct Needs {
    /// The way to the probe room.
    pub rooms: Rooms,
    /// Where incidents are kept.
    pub recorder: Recorder,
    /// Where they are said.
    pub teller: Teller,
    /// Who tells people.
    pub messenger: Messenger,
    /// The configuration in force.
    pub view: Arc<DaemonView>,
}

/// A probe and where it stands.
struct Watched {
    probe: Probe,
    standing: Standing,
    /// What it noted the last time.
    note: Option<String>,
    due: Instant,
    asking: bool,
    /// When it was asked last.
    asked: Instant,
    /// What was said last, and when.
    last: Option<(Timestamp, Said)>,
    /// Answers in a row that could not be had.
    blind: u16,
}

struct Task {
    needs: Needs,
    watched: BTreeMap<ProbeName, Watched>,
    /// Incidents of an earlier daemon, until the ledger has been read.
    loaded: bool,
    quiet: Quiet,
    answers: mpsc::UnboundedSender<Answer>,
}

/// Runs until nobody tells it anything any more.
pub(super) async fn run(
    needs: Needs,
    mut heard: mpsc::UnboundedReceiver<Heard>,
    shown: watch::Sender<Vec<ProbeLine>>,
) {
    let (answers, mut answered) = mpsc::unbounded_channel();
    let quiet = Quiet::of(uptime(), Instant::now());
    let mut task = Task { needs, watched: BTreeMap::new(), loaded: false, quiet, answers };
    task.load().await;
    task.take_in_view().await;
    loop {
        task.ask_what_is_due(Instant::now());
        task.show(&shown);
        tokio::select! {
            heard = heard.recv() => match heard {
                Some(heard) => task.hear(heard).await,
                None => return,
            },
            Some(answer) = answered.recv() => task.take_in(answer).await,
            () = sleep_until(task.next()) => {
                if !task.loaded {
                    task.load().await;
                }
            }
        }
    }
}

/// Without anything due there is nothing to wake up for.
async fn sleep_until(next: Option<Instant>) {
    match next {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

impl Task {
    fn next(&self) -> Option<Instant> {
        let due = self.watched.values().map(|watched| watched.due).min();
        let load = (!self.loaded).then(|| Instant::now() + LOAD_AGAIN);
        [due, load].into_iter().flatten().min()
    }

    /// Goes on with what an earlier daemon left open. Whoever had opened or closed one may not have come to telling of it.
    async fn load(&mut self) {
        let Ok(incidents) = self.needs.recorder.with(|ledger| ledger.newest_incidents()).await else {
            return;
        };
        self.loaded = true;
        let now = Timestamp::now();
        for incident in incidents {
            let is_stale = incident.closed.is_some_and(|closed| now.duration_since(closed) > STALE);
            if !is_stale {
                self.needs.messenger.tell(Fact::Incident(Box::new(incident.clone())));
            }
            let open = Some(incident).filter(|incident| incident.closed.is_none());
            let Some(open) = open else { continue };
            match self.watched.get_mut(&open.probe) {
                Some(watched) if watched.standing.incident().is_none() => {
                    watched.standing = Standing::with(Some(open));
                }
                Some(_) => {}
                None => self.adopt(open).await,
            }
        }
    }

    /// An incident whose probe is not watched, or not yet.
    async fn adopt(&mut self, open: Incident) {
        let name = open.probe.clone();
        match self.needs.view.probes.get(&name) {
            Some(probe) => {
                let watched = Watched::new(probe.clone(), Standing::with(Some(open)));
                self.watched.insert(name, watched);
            }
            None => self.give_up(Standing::with(Some(open))).await,
        }
    }

    async fn give_up(&self, standing: Standing) {
        if let Some(incident) = standing.give_up(Timestamp::now(), TAKEN_OUT) {
            self.close(incident).await;
        }
    }

    async fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Config(view) => {
                self.needs.view = view;
                self.take_in_view().await;
            }
            Heard::Stopped(stopped) => self.quiet.stopped(stopped, Instant::now()),
            Heard::Building(building) => self.quiet.building(building),
            Heard::LedgerAnew => {
                for incident in self.watched.values().filter_map(|watched| watched.standing.incident()) {
                    self.keep(incident).await;
                }
            }
        }
    }

    /// Watches the probes of the configuration; one that asks what it asked before goes on as it was.
    async fn take_in_view(&mut self) {
        let probes = self.needs.view.probes.clone();
        let gone: Vec<ProbeName> =
            self.watched.keys().filter(|name| !probes.contains_key(*name)).cloned().collect();
        for name in gone {
            if let Some(watched) = self.watched.remove(&name) {
                self.give_up(watched.standing).await;
            }
        }
        for (name, probe) in probes {
            let watched =
                self.watched.entry(name).or_insert_with(|| Watched::new(probe.clone(), Standing::default()));
            if watched.probe.question != probe.question {
                watched.note = None;
                watched.standing.pause();
            }
            if watched.probe != probe {
                watched.due = Instant::now();
                watched.probe = probe;
            }
        }
    }

    fn ask_what_is_due(&mut self, now: Instant) {
        let mut asked = Vec::new();
        for (name, watched) in self.watched.iter_mut().filter(|(_, watched)| watched.due <= now) {
            watched.due = after(watched.due, watched.probe.every.get(), now);
            if self.quiet.is_on(&watched.probe.question, now) {
                watched.standing.pause();
            } else if !watched.asking {
                (watched.asking, watched.asked) = (true, now);
                asked.push(AskedProbe { name: name.clone(), note: watched.note.clone() });
            }
        }
        if !asked.is_empty() {
            let view = &self.needs.view;
            let place = (view.digest.clone(), &view.probes);
            ask::ask(self.needs.rooms.clone(), place, asked, self.answers.clone());
        }
    }

    async fn take_in(&mut self, Answer { digest, of }: Answer) {
        let is_of_now = digest == self.needs.view.digest;
        let Some(watched) = self.watched.get_mut(&of.name) else { return };
        watched.asking = false;
        // What was asked of another configuration, while services were stopped or of half a build says nothing.
        if !is_of_now || self.quiet.is_on(&watched.probe.question, Instant::now()) {
            return;
        }
        let now = as_kept(Timestamp::now());
        watched.note = of.note;
        let change = watched.standing.hear(&of.name, Terms::of(&watched.probe), now, &of.said);
        if watched.standing.doubtful_since().is_some() {
            watched.due = watched.due.min(watched.asked + ASK_AGAIN);
        }
        let blind = watched.is_blind(&of.said);
        watched.last = Some((now, of.said));
        if let Some(news) = blind {
            self.needs.teller.of_daemon(Told::Probe(news.of(of.name)));
        }
        match change {
            Some(Change::Opened(incident)) => {
                let remedy = watched.probe.question.remedy();
                let news = ProbeNews::Opened { incident: incident.clone(), remedy };
                self.needs.teller.of_daemon(Told::Probe(news));
                self.keep(&incident).await;
                self.needs.messenger.tell(Fact::Incident(Box::new(incident)));
            }
            Some(Change::Closed(incident)) => self.close(incident).await,
            None => {}
        }
    }

    async fn close(&self, incident: Incident) {
        self.needs.teller.of_daemon(Told::Probe(ProbeNews::Closed { incident: incident.clone() }));
        self.keep(&incident).await;
        self.needs.messenger.tell(Fact::Incident(Box::new(incident)));
    }

    async fn keep(&self, incident: &Incident) {
        // What cannot be written now is written when it can; the ledger's own news says that it cannot.
        let _ = self.needs.recorder.owe(Owed::Incident(Box::new(incident.clone()))).await;
    }

    fn show(&self, shown: &watch::Sender<Vec<ProbeLine>>) {
        let now = Instant::now();
        let line = |(name, watched): (&ProbeName, &Watched)| {
            watched.line(name, self.quiet.is_on(&watched.probe.question, now))
        };
        let lines: Vec<ProbeLine> = self.watched.iter().map(line).collect();
        shown.send_if_modified(|old| {
            let changed = *old != lines;
            *old = lines;
            changed
        });
    }
}

/// As exact as the ledger keeps times: an incident that is read back must be the one that was told.
fn as_kept(at: Timestamp) -> Timestamp {
    Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at)
}

/// The next time in the probe's rhythm; those that were missed are not made up for.
fn after(due: Instant, every: Duration, now: Instant) -> Instant {
    let next = due + every;
    if next > now { next } else { now + every }
}

/// Whether a probe can be asked at all.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Blind {
    Began { why: String },
    Ended,
}

impl Blind {
    fn of(self, probe: ProbeName) -> ProbeNews {
        match self {
            Self::Began { why } => ProbeNews::Blind { probe, why },
            Self::Ended => ProbeNews::SeesAgain { probe },
        }
    }
}

impl Watched {
    fn new(probe: Probe, standing: Standing) -> Self {
        let now = Instant::now();
        Self { probe, standing, note: None, due: now, asking: false, asked: now, last: None, blind: 0 }
    }

    /// Whether it begins or ends here that the probe cannot be asked: as many times in a row as make an incident.
    fn is_blind(&mut self, said: &Said) -> Option<Blind> {
        let before = self.blind >= self.probe.down_after;
        self.blind = match said {
            Said::NotAsked { .. } => self.blind.saturating_add(1),
            Said::Answers { .. } | Said::Silent { .. } => 0,
        };
        match (before, self.blind >= self.probe.down_after, said) {
            (false, true, Said::NotAsked { why }) => Some(Blind::Began { why: why.clone() }),
            (true, false, _) => Some(Blind::Ended),
            _ => None,
        }
    }

    fn line(&self, name: &ProbeName, is_quiet: bool) -> ProbeLine {
        let incident = self.standing.incident();
        let state = match (incident, &self.last) {
            (Some(_), _) => ProbeState::Down,
            (None, _) if is_quiet => ProbeState::Quiet,
            (None, None | Some((_, Said::NotAsked { .. }))) => ProbeState::Unknown,
            (None, Some(_)) if self.standing.doubtful_since().is_some() => ProbeState::Doubtful,
            (None, Some(_)) => ProbeState::Up,
        };
        let since = incident.map(|incident| incident.opened).or_else(|| self.standing.doubtful_since());
        let said = self.last.as_ref().map(|(_, said)| match said {
            Said::Answers { what } => what.clone(),
            Said::Silent { why } | Said::NotAsked { why } => why.clone(),
        });
        ProbeLine {
            probe: name.clone(),
            kind: self.probe.question.kind().to_owned(),
            state,
            since,
            at: self.last.as_ref().map(|(at, _)| *at),
            said: said.or_else(|| incident.map(|incident| incident.why.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rhythm_is_kept_and_what_was_missed_is_not_made_up_for() {
        let (start, minute) = (Instant::now(), Duration::from_mins(1));
        assert_eq!(after(start, minute, start), start + minute);
        assert_eq!(after(start, minute, start + minute / 2), start + minute, "no drift");
        assert_eq!(after(start, minute, start + minute * 5), start + minute * 6);
    }

    #[test]
    fn a_time_is_the_same_after_the_ledger_had_it() {
        let at: Timestamp = "2026-11-26T17:47:52.123456789Z".parse().unwrap();
        assert_eq!(as_kept(at).to_string(), "2026-11-26T17:47:52.123456Z");
    }

    #[test]
    fn a_probe_that_cannot_be_asked_is_told_once() {
        let text = "instance: {}\njobs: {}\nprobes: {redis: {down_after: 2}}\n";
        let settings = mastmaint_config::load_str("m.yaml", text).unwrap().settings;
        let mut watched = Watched::new(settings.probes["redis"].clone(), Standing::default());
        let blind = Said::NotAsked { why: "no room".into() };
        let yes = Said::Answers { what: String::new() };
        let said: Vec<bool> =
            [&blind, &blind, &blind, &yes, &yes].map(|said| watched.is_blind(said).is_some()).to_vec();
        assert_eq!(said, [false, true, false, true, false]);
    }
}

//! The loop: while there is a bracket it is looked whether somebody works on it, and if nobody does it is closed, again
//! and again until that works or a person has taken over.

use crate::{
    args::Args,
    decide::{self, Daemon, Decision},
    others,
    people::{News, People},
};
use jiff::Timestamp;
use mastmaint_config::settings::SystemctlVerb;
use mastmaint_failpoints::failpoint;
use mastmaint_health::{Entry, Journal, MessageId};
use mastmaint_runner::{
    bracket::{self, Brackets, Closing, Pace, Phase, ProbeRoom, Record, Scene, Seen, held},
    systemctl::Systemctl,
};
use mastmaint_words::{RunId, UnitName};
use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

/// Between two looks, while something is stopped.
const LOOK: Duration = Duration::from_secs(2);
/// How long systemd may take to stop services.
const STOP: Duration = Duration::from_mins(5);
/// Between two looks at what is kept down.
const KEPT: Duration = Duration::from_secs(30);
/// So many of those looks later it is said again.
const REMIND_EVERY: u32 = 120;
/// With `--now` a start that goes on is waited for.
const LOCK: Duration = Duration::from_mins(15);
/// Whom `journalctl -u` shows what is told here.
const OF_UNIT: &str = "mastmaintd.service";

/// The watch over brackets.
pub(crate) struct Watch {
    args: Args,
    journal: Journal,
    stopping: Arc<AtomicBool>,
    systemctl: Systemctl,
    /// Since when the daemon has not answered.
    silent: Option<Instant>,
    people: People,
    /// Per run how often it was tried in vain, and when it is tried next.
    tries: BTreeMap<RunId, (u32, Instant)>,
}

impl Watch {
    pub(crate) fn new(args: Args, journal: Journal, stopping: Arc<AtomicBool>) -> Self {
        let systemctl = Systemctl::new(true);
        let people = People::new(args.rooms.clone(), args.accepted.clone(), journal.clone());
        Self { args, journal, stopping, systemctl, silent: None, people, tries: BTreeMap::new() }
    }

    /// Returns the exit status: 0 when nothing is owed, 1 if something still is.
    pub(crate) fn until_nothing_is_owed(&mut self) -> u8 {
        let status = self.look_after_all();
        self.people.finish();
        status
    }

    fn look_after_all(&mut self) -> u8 {
        loop {
            let (records, damaged) = Brackets::list(&self.args.state);
            for path in &damaged {
                self.set_aside(path);
            }
            if records.is_empty() {
                return 0;
            }
            for record in &records {
                if self.is_stopping() {
                    return 0;
                }
                if let Err(error) = self.look_after(&record.run) {
                    self.tell(
                        record,
                        Entry::error(format!("{}: its bracket cannot be looked after: {error}", record.job)),
                    );
                }
            }
            if self.args.now {
                return u8::from(!Brackets::list(&self.args.state).0.is_empty());
            }
            if self.is_stopping() {
                return 0;
            }
            sleep(LOOK);
        }
    }

    /// Closes a bracket if it is nobody's. The lock is held from the first look at who works on it to the end: a
    /// daemon that comes back asks for it before it goes on.
    fn look_after(&mut self, run: &RunId) -> Result<(), std::io::Error> {
        let patience = if self.args.now { LOCK } else { Duration::ZERO };
        // Whoever holds the lock works on it.
        let Some(brackets) = Brackets::lock(&self.args.state, patience)? else { return Ok(()) };
        let Some(mut record) = brackets.of_run(run)? else { return Ok(()) };
        if let Phase::Closed { .. } = record.phase {
            return brackets.put_away(&record);
        }
        if self.tries.get(run).is_some_and(|(_, next)| *next > Instant::now()) {
            return Ok(());
        }
        if let Phase::KeptDown { why } = &record.phase {
            let why = why.clone();
            return self.keep_down(record, &why, &brackets);
        }
        if !self.args.now {
            let daemon = self.daemon(&record);
            let works = || others::works(&self.args.rooms, &self.systemctl, run);
            if decide::decide(run, &daemon, works) == Decision::Leave {
                return Ok(());
            }
        }
        failpoint!("recover.decided");
        if record.must_match && matches!(record.phase, Phase::Stopping | Phase::Stopped) {
            let why = format!(
                "the daemon that restores is gone in the middle, and whether code, database and secrets belong together is \
                 not known; start mastmaintd, which goes on with run {run}, or see to them and start the services yourself"
            );
            record.phase = Phase::KeptDown { why: why.clone() };
            brackets.write(&record)?;
            return self.keep_down(record, &why, &brackets);
        }
        self.close(&mut record, &brackets);
        Ok(())
    }

    /// What a restore has left without anything whole to run on is started by a person only; whoever did has taken over.
    fn keep_down(
        &mut self,
        mut record: Record,
        why: &str,
        brackets: &Brackets,
    ) -> Result<(), std::io::Error> {
        let units = record.all_units();
        let boot = self.systemctl.boot();
        if (!boot.is_empty() && boot != record.boot) || held::holds(&record.run) {
            // systemd has started what was stopped, or has its start in its queue; that is no person.
            self.tell(
                &record,
                Entry::warning(format!(
                    "{}: the host was restarted; what is kept down stays down",
                    record.job
                )),
            );
            if !units.is_empty() {
                self.systemctl.act(SystemctlVerb::Stop, &units, STOP).map_err(std::io::Error::other)?;
            }
            record.boot = boot;
            brackets.write(&record)?;
            held::release(&record.run);
        }
        let states = self.systemctl.look(&units).map_err(std::io::Error::other)?;
        let is_down =
            |unit: &UnitName| units.iter().zip(&states).any(|(u, state)| u == unit && state.is_down());
        if record.is_taken_over(is_down) {
            let how = "a person has started the services again".to_owned();
            self.tell(
                &record,
                Entry::warning(format!("{}: {how}", record.job)).id(MessageId::BracketRecovered),
            );
            record.phase =
                Phase::Closed { at: Timestamp::now(), how, seen: Seen { theirs: units, ..Seen::default() } };
            return brackets.put_away(&record);
        }
        let tries = self.tries.get(&record.run).map_or(1, |(tries, _)| tries.saturating_add(1));
        if (tries - 1).is_multiple_of(REMIND_EVERY) {
            let text = format!("{}: Mastodon stays down: {why}", record.job);
            self.tell(&record, Entry::error(text).id(MessageId::BracketNotConfirmed));
        }
        self.tries.insert(record.run.clone(), (tries, Instant::now() + KEPT));
        Ok(())
    }

    fn close(&mut self, record: &mut Record, brackets: &Brackets) {
        let stopping = Arc::clone(&self.stopping);
        let (journal, job) = (self.journal.clone(), record.job.clone());
        let run = record.run.clone();
        let mut tell = |text: String| {
            journal.log(Entry::info(format!("{job}: {text}")).job(&job).run(&run).of_unit(OF_UNIT));
        };
        let mut scene = Scene {
            state: &self.args.state,
            systemctl: &self.systemctl,
            tell: &mut tell,
            stopping: &move || stopping.load(Ordering::SeqCst),
        };
        let mut asker = ProbeRoom::new(&self.args.rooms);
        match bracket::close(
            record,
            brackets,
            "mastmaintd-recover",
            Pace::OF_RECOVERY,
            &mut asker,
            &mut scene,
        ) {
            Closing::Closed { how, seen } => {
                self.tries.remove(&record.run);
                let left_out = if seen.not_asked.is_empty() {
                    String::new()
                } else {
                    format!("; not asked whether it answers: {}", seen.not_asked.join(", "))
                };
                let text = format!("{}: nobody worked on the run any more: {how}{left_out}", record.job);
                self.tell(record, Entry::warning(text).id(MessageId::BracketRecovered));
                failpoint!("recover.told");
                self.tell_people(record, &News::Back { how });
            }
            Closing::NotConfirmed { why } => {
                let tries = self.tries.get(&record.run).map_or(1, |(tries, _)| tries.saturating_add(1));
                let wait = decide::backoff(tries);
                self.tries.insert(record.run.clone(), (tries, Instant::now() + wait));
                let units: Vec<&str> = record.services.iter().map(|service| service.unit.as_str()).collect();
                let then = if self.args.now {
                    format!("start them yourself: systemctl start {}", units.join(" "))
                } else {
                    format!("tried again in {} s", wait.as_secs())
                };
                let text = format!("{}: Mastodon is not back: {why}; {then}", record.job);
                self.tell(record, Entry::error(text).id(MessageId::BracketNotConfirmed));
                if tries == 1 {
                    self.tell_people(record, &News::NotBack { why });
                }
            }
            Closing::Stopped => {}
        }
    }

    /// A daemon that is there tells of it by itself, and whoever removes the package sees it.
    fn tell_people(&mut self, record: &Record, news: &News) {
        if self.silent.is_some() && !self.args.now {
            self.people.tell(record, news);
        }
    }

    fn daemon(&mut self, record: &Record) -> Daemon {
        if let Some(runs) = others::held_by_daemon(&self.args.observe) {
            self.silent = None;
            return Daemon::Holds(runs);
        }
        let silent = self.silent.get_or_insert_with(Instant::now).elapsed();
        // A daemon that took up the run a moment ago is alive, although its sockets are not there yet.
        let resumed =
            record.resumed.and_then(|at| Duration::try_from(Timestamp::now().duration_since(at)).ok());
        let unit: Result<UnitName, _> = OF_UNIT.parse();
        let states = unit.map(|unit| self.systemctl.look(&[unit]));
        let unit = states.ok().and_then(Result::ok).and_then(|states| Some(states.first()?.active.clone()));
        Daemon::Silent {
            unit: unit.unwrap_or_default(),
            since: resumed.map_or(silent, |resumed| silent.min(resumed)),
        }
    }

    /// A record that cannot be read: a person has to look; nothing is gained by reading it for ever.
    fn set_aside(&self, path: &Path) {
        let aside = path.with_extension("damaged");
        let moved = fs::rename(path, &aside);
        let at = moved
            .map_or_else(|error| format!("{} ({error})", path.display()), |()| aside.display().to_string());
        let text = format!(
            "the record of a stop cannot be read: {at}; see whether Mastodon runs (systemctl status 'mastodon*') and \
             start what does not"
        );
        self.journal.log(Entry::error(text).id(MessageId::BracketNotConfirmed).of_unit(OF_UNIT));
    }

    fn tell(&self, record: &Record, entry: Entry) {
        self.journal.log(entry.job(&record.job).run(&record.run).of_unit(OF_UNIT));
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

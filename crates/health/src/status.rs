//! The sentence of `systemctl status`: what a person would say who was asked how it goes. Pure; who sends it does so
//! whenever something changed and whenever it is awake anyway, because "in 3 h" grows old.

use jiff::{Timestamp, civil, tz::TimeZone};
use mastmaint_words::{BackupName, Hold, HoldScope, JobName, Outcome, ProbeName, StepIndex, UnitName, human};

/// Everything that the sentence is made of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Situation {
    /// What the daemon is about.
    pub phase: Phase,
    /// The newest configuration, if it was refused.
    pub refused: Option<Refused>,
    /// Why runs are not recorded: `disk full`, `read-only`.
    pub not_recording: Option<String>,
    /// Services that runs have stopped.
    pub stopped: Vec<Stopped>,
    /// What probes say no to.
    pub down: Vec<Down>,
    /// The hold that is on; of several the foremost.
    pub hold: Option<Hold>,
    /// Why somebody cannot be told of what happens.
    pub not_notifying: Option<String>,
    /// Jobs that should have begun and did not.
    pub overdue: Vec<JobName>,
    /// Backups that are not known to be fresh.
    pub stale: Vec<BackupName>,
    /// Runs that run.
    pub running: Vec<NowRunning>,
    /// How many runs wait.
    pub queued: usize,
    /// The job that is due next.
    pub next: Option<NextRun>,
    /// The newest run of each job that is over.
    pub last: Vec<LastRun>,
}

/// What the daemon is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// It reads the configuration and the ledger.
    Starting,
    /// It does its work.
    #[default]
    Working,
    /// It reads the configuration again.
    Reloading,
    /// It ends.
    Stopping,
}

/// A configuration that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// When.
    pub at: Timestamp,
    /// The first mistake: `FILE:LINE:COLUMN: …`.
    pub mistake: String,
}

/// Services that a run has stopped and that are owed a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Of which job.
    pub job: JobName,
    /// What.
    pub units: Vec<UnitName>,
    /// Why they do not count as started, if that was tried in vain.
    pub not_confirmed: Option<String>,
}

/// A probe that says no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Down {
    /// Which.
    pub probe: ProbeName,
    /// Since when.
    pub since: Timestamp,
    /// What is wrong.
    pub why: String,
}

/// A run that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NowRunning {
    /// Of which job.
    pub job: JobName,
    /// Its step; `None` between steps.
    pub step: Option<StepIndex>,
    /// How many steps it has.
    pub of: u16,
    /// Since when.
    pub since: Timestamp,
}

/// The job that is due next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextRun {
    /// Which.
    pub job: JobName,
    /// When.
    pub at: Timestamp,
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    /// Of which job.
    pub job: JobName,
    /// When it was over.
    pub ended: Timestamp,
    /// What became of it.
    pub outcome: Outcome,
    /// Bytes that it freed, if that is known.
    pub freed: Option<u64>,
}

impl Stopped {
    fn sentence(&self) -> String {
        let units: Vec<&str> = self.units.iter().map(UnitName::as_str).collect();
        match &self.not_confirmed {
            None => format!("{} stopped by {}", units.join(", "), self.job),
            Some(why) => format!("Mastodon is NOT BACK after {}: {why}", self.job),
        }
    }
}

impl Situation {
    /// The sentence, with times of day in `zone`.
    pub fn sentence(&self, now: Timestamp, zone: &TimeZone) -> String {
        let mut parts = Vec::new();
        match self.phase {
            Phase::Starting => return "starting: reading configuration and ledger".to_owned(),
            Phase::Stopping if self.running.is_empty() => return "stopping".to_owned(),
            Phase::Stopping => {
                return format!(
                    "stopping; {} goes on in its room",
                    jobs(self.running.iter().map(|r| &r.job))
                );
            }
            Phase::Reloading => parts.push("reading the configuration again".to_owned()),
            Phase::Working => {}
        }
        if let Some(Refused { at, mistake }) = &self.refused {
            let time = at.to_zoned(zone.clone()).strftime("%H:%M").to_string();
            parts.push(format!("configuration refused at {time}: {mistake}; old one in force"));
        }
        if let Some(why) = &self.not_recording {
            parts.push(format!("not recording: {why}"));
        }
        parts.extend(self.down(now));
        parts.extend(self.stopped.iter().map(Stopped::sentence));
        if let Some(hold) = &self.hold {
            let what = match hold.scope {
                HoldScope::Change => "changes on hold",
                HoldScope::All => "all jobs on hold",
            };
            let until = hold.until.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M").to_string();
            parts.push(format!("{what} until {until} ({})", hold.reason));
        }
        if !self.overdue.is_empty() {
            parts.push(format!("overdue: {}", jobs(self.overdue.iter())));
        }
        if !self.stale.is_empty() {
            let names: Vec<_> = self.stale.iter().map(BackupName::as_str).collect();
            parts.push(format!("not known to be fresh: backup {}", names.join(", ")));
        }
        if let Some(why) = &self.not_notifying {
            parts.push(format!("cannot notify: {why}"));
        }
        parts.push(self.now(now));
        if let Some(NextRun { job, at }) = self.next.as_ref().filter(|_| self.running.is_empty()) {
            parts.push(format!("next {job} {}", human::until(now, *at)));
        }
        parts.extend(self.past(now, zone));
        parts.join("; ")
    }

    /// What is wrong with the site: the first that went wrong in full, the others by name.
    fn down(&self, now: Timestamp) -> Option<String> {
        let first = self.down.iter().min_by_key(|down| down.since)?;
        let long = human::span(human::between(first.since, now).unwrap_or_default());
        let others: Vec<&str> = self
            .down
            .iter()
            .filter(|down| down.probe != first.probe)
            .map(|down| down.probe.as_str())
            .collect();
        let more = if others.is_empty() { String::new() } else { format!("; also {}", others.join(", ")) };
        Some(format!("{} says NO for {long}: {}{more}", first.probe, first.why))
    }

    fn now(&self, now: Timestamp) -> String {
        if self.running.is_empty() && self.queued == 0 {
            return "idle".to_owned();
        }
        let mut parts: Vec<String> = self.running.iter().map(|run| one(run, now)).collect();
        if let Some(first) = parts.first_mut() {
            first.insert_str(0, "running ");
        }
        if self.queued > 0 {
            parts.push(format!("{} waiting", self.queued));
        }
        parts.join(", ")
    }

    /// What did not end well is said for as long as it is the newest run of its job.
    fn past(&self, now: Timestamp, zone: &TimeZone) -> Option<String> {
        let mut bad: Vec<&LastRun> = self.last.iter().filter(|run| !run.outcome.is_fine()).collect();
        bad.sort_by_key(|run| (std::cmp::Reverse(run.outcome), std::cmp::Reverse(run.ended)));
        if let Some((worst, others)) = bad.split_first() {
            let LastRun { job, outcome, ended, .. } = worst;
            let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
            return Some(format!("last {job} {outcome} {}{more}", human::ago(now, *ended)));
        }
        let night: Vec<&LastRun> = self.last.iter().filter(|run| last_night(run.ended, now, zone)).collect();
        if let Some(outcome) = night.iter().map(|run| run.outcome).max() {
            return Some(format!("last night {outcome}{}", freed(&night)));
        }
        let newest = self.last.iter().max_by_key(|run| run.ended)?;
        let LastRun { job, outcome, ended, .. } = newest;
        Some(format!("last {job} {outcome} {}{}", human::ago(now, *ended), freed(&[newest])))
    }
}

fn one(run: &NowRunning, now: Timestamp) -> String {
    let step = run.step.map_or_else(String::new, |step| format!(" step {step}/{}", run.of));
    let time = human::between(run.since, now).unwrap_or_default();
    format!("{}{step} for {}", run.job, human::span(time))
}

fn jobs<'a>(names: impl Iterator<Item = &'a JobName>) -> String {
    names.map(JobName::as_str).collect::<Vec<_>>().join(", ")
}

fn freed(runs: &[&LastRun]) -> String {
    let sum = runs.iter().filter_map(|run| run.freed).fold(0_u64, u64::saturating_add);
    if sum == 0 { String::new() } else { format!(", {} freed", human::bytes(sum)) }
}

/// Between eight in the evening and eight in the morning, the newest such time that is over or going on.
fn last_night(ended: Timestamp, now: Timestamp, zone: &TimeZone) -> bool {
    let today = now.to_zoned(zone.clone()).date();
    let evening = today.yesterday().ok().map(|day| day.at(20, 0, 0, 0));
    let morning = today.at(8, 0, 0, 0);
    let ended: civil::DateTime = ended.to_zoned(zone.clone()).datetime();
    evening.is_some_and(|evening| evening <= ended && ended < morning)
}

#[cfg(test)]
#[path = "status_tests.rs"]
mod tests;

//! From the end of a run to those who want to hear of it.

use super::{
    backups::Found,
    compose::{self, Known},
    policy::{Ended, Say},
    task::Task,
};
use flate2::read::GzDecoder;
use jiff::Timestamp;
use mastmaint_ledger::RunRecord;
use mastmaint_runner::protocol::Notice;
use mastmaint_words::{JobName, Occasion, Outcome, RunId};
use std::io::Read as _;

/// More output than this from a small blob is a trick.
const MAX_OUTPUT: u64 = 4 * 1024 * 1024;

impl Task {
    /// A run is over: is that news?
    pub(super) async fn ended(&mut self, record: RunRecord, now: Timestamp, remembered: bool) {
        let (Some(outcome), Some(at)) = (record.outcome, record.ended) else { return };
        if !self.state.jobs.contains_key(&record.job) {
            return;
        }
        let found =
            if outcome.is_fine() { Found::default() } else { self.found(&record.job, &record.id, now).await };
        let Some(state) = self.state.jobs.get_mut(&record.job) else { return };
        let code = record.reason.as_ref().map_or_else(|| outcome.to_string(), |reason| reason.code.clone());
        let Found { findings, known_by } = found;
        let ended = Ended { run: record.id.clone(), at, outcome, code, findings, known_by };
        let say = if remembered { state.remembered(&ended) } else { state.ended(&ended) };
        match say {
            Some(say) => self.say(&record.job, &say, Some(&record), now).await,
            None => self.keep(&record.job, &[]).await,
        }
        let ping = ping_of(outcome, record.started.is_some()).filter(|_| !remembered);
        if let Some(occasion) = ping {
            self.ping(&record.job, occasion, &record.id, Some(&record), now);
        }
    }

    /// Tells those who want to hear of it; kept with the state that it leaves.
    pub(super) async fn say(&mut self, job: &JobName, say: &Say, record: Option<&RunRecord>, now: Timestamp) {
        let listeners = self.state.listeners(say.occasion(), Some(job));
        if listeners.is_empty() {
            return self.keep(job, &[]).await;
        }
        let known = self.known(say, record).await;
        let notice = compose::compose(&self.state.around(now), job, say, &known);
        if let Some(state) = self.state.jobs.get_mut(job) {
            state.told(say, now);
        }
        let parcels = self.state.parcels(&listeners, &notice, true);
        self.keep(job, &parcels).await;
        self.put(parcels).await;
    }

    /// What the ledger has of the run that is told of.
    pub(super) async fn known(&self, say: &Say, record: Option<&RunRecord>) -> Known {
        let run = match say {
            Say::Trouble { trouble, .. } => trouble.run.clone(),
            Say::Recovered { run, .. } => run.clone(),
            Say::Overdue { .. } => return Known::default(),
        };
        let found = self.recorder.with(move |ledger| {
            let Some(run) = ledger.run(&run)? else { return Ok(None) };
            let output = compose::worst(&run).map(|step| ledger.output(&step.key)).transpose()?.flatten();
            Ok(Some((run, output)))
        });
        match found.await {
            Ok(Some((run, output))) => Known { run: Some(run), output: output.map(|gzip| unpack(&gzip)) },
            _ => Known { run: record.map(compose::bare), output: None },
        }
    }

    /// Pings are of the moment: they are not kept.
    pub(super) fn ping(
        &mut self,
        job: &JobName,
        occasion: Occasion,
        run: &RunId,
        record: Option<&RunRecord>,
        now: Timestamp,
    ) {
        let targets = self.state.targets().filter(|(_, _, view)| view.pings_for(job));
        let targets: Vec<_> = targets.map(|(_, key, _)| key).collect();
        if targets.is_empty() || job.is_by_hand() {
            return;
        }
        let outcome = record.and_then(|record| record.outcome);
        let word = outcome.map_or_else(|| occasion.to_string(), |outcome| outcome.to_string());
        let why = record.and_then(|record| record.reason.as_ref()).map_or("", |reason| &reason.text);
        let around = self.state.around(now);
        let notice = Notice {
            job: Some(job.clone()),
            run: Some(run.clone()),
            outcome,
            ..around.notice(occasion, &around.subject(&format!("{job} {word}")), why)
        };
        for parcel in self.state.parcels(&targets, &notice, false) {
            self.state.outbox.put(parcel);
        }
    }
}

/// The ping at the end of a run, if it gets one: what did not even begin is no news to whoever waits for its end. One that
/// began and then did not do its work is not well: somebody may have to approve it.
fn ping_of(outcome: Outcome, began: bool) -> Option<Occasion> {
    match outcome {
        Outcome::Ok => Some(Occasion::Ok),
        Outcome::Skipped if !began => None,
        _ => Some(Occasion::Failed),
    }
}

fn unpack(gzip: &[u8]) -> String {
    let mut bytes = Vec::new();
    // A damaged copy is told as far as it goes.
    let _ = GzDecoder::new(gzip).take(MAX_OUTPUT).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_well_only_after_ok() {
        for outcome in Outcome::ALL {
            let wanted = if outcome == Outcome::Ok { Occasion::Ok } else { Occasion::Failed };
            assert_eq!(ping_of(outcome, true), Some(wanted), "{outcome}");
        }
        assert_eq!(ping_of(Outcome::Skipped, false), None);
        assert_eq!(ping_of(Outcome::Failed, false), Some(Occasion::Failed));
    }
}

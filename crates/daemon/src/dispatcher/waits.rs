//! Runs that wait for others: how long they may, and what is said of them.

use super::{Active, Dispatcher};
use crate::{admission::Ahead, run::RunSpec, schedule::policy::Terms};
use jiff::{SignedDuration, Timestamp};
use mastmaint_control::words::WaitLine;
use mastmaint_words::{Grade, Outcome, Reason, RunId, Verdict, human};
use std::time::{Duration, Instant};

impl Dispatcher {
    /// Ends every run that has waited as long as it may: its `lock_wait` is over, its window closed meanwhile, or its job
    /// is no more.
    pub(super) async fn end_long_waits(&mut self) {
        if !self.gate_open {
            return;
        }
        let (now, instant) = (Timestamp::now(), Instant::now());
        let over: Vec<(RunId, Verdict)> = self
            .runs
            .iter()
            .filter_map(|(id, active)| {
                let ahead = self.admission.ahead_of(id)?;
                let spec = &active.spec;
                let verdict = self.removed(spec).or_else(|| self.too_late(spec, Some(&ahead), now));
                let verdict = verdict.or_else(|| {
                    let waited = spec.job.lock_wait.get();
                    (active.waits_until <= instant).then(|| waited_too_long(&ahead, waited))
                });
                Some((id.clone(), verdict?))
            })
            .collect();
        for (id, verdict) in over {
            self.end(&id, verdict).await;
        }
    }

    /// The verdict of a run whose window closed before it could start; `ahead` is what it waits for.
    pub(super) fn too_late(&self, spec: &RunSpec, ahead: Option<&Ahead>, now: Timestamp) -> Option<Verdict> {
        let is_open = self.window_is_open(&spec.job_name, &spec.job, &spec.trigger, now);
        (!is_open).then(|| window_closed(ahead, spec.looked.is_some()))
    }

    /// The verdict of a run whose job was taken out of the configuration before it could start.
    pub(super) fn removed(&self, spec: &RunSpec) -> Option<Verdict> {
        let is_there = self.config.view.jobs.contains_key(&spec.job_name);
        let reason =
            || Reason::new("job-removed", "its job was removed from the configuration while it waited");
        (!is_there).then(|| Verdict::because(Outcome::Skipped, Grade::Exit, reason()))
    }

    /// When the first run that waits has waited as long as it may.
    pub(super) fn next_wait_end(&self, now: Timestamp) -> Option<Timestamp> {
        let waiting = self.runs.iter().filter(|(id, _)| self.admission.ahead_of(id).is_some());
        waiting.map(|(_, active)| self.wait_ends(active, now)).min()
    }

    /// What a run waits for, if it waits.
    pub(super) fn wait_line(&self, active: &Active, now: Timestamp) -> Option<WaitLine> {
        let Ahead { lock, job, run, is_running } = self.admission.ahead_of(&active.spec.id)?;
        Some(WaitLine { lock, job, run, running: is_running, until: self.wait_ends(active, now) })
    }

    /// On the wall clock, in whole seconds: that is how the alarm rings.
    fn wait_ends(&self, active: &Active, now: Timestamp) -> Timestamp {
        let spec = &active.spec;
        let left = active.waits_until.saturating_duration_since(Instant::now());
        let seconds = i64::try_from(left.as_secs()).unwrap_or(i64::MAX).saturating_add(1);
        let bound = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
        let closes = spec.trigger.slot().and_then(|slot| {
            Terms::of(&spec.job_name, &spec.job, &self.seed).and_then(|terms| terms.closes(slot))
        });
        closes.map_or(bound, |closes| closes.min(bound))
    }
}

/// Until when a run may wait. One that an earlier daemon made has waited already; a clock that was set back in between
/// gives it the whole wait again.
pub(super) fn may_wait_until(queued: Timestamp, lock_wait: Duration, now: Timestamp) -> Instant {
    let waited = Duration::try_from(now.duration_since(queued)).unwrap_or_default();
    Instant::now() + lock_wait.saturating_sub(waited)
}

/// The verdict of a run whose window closed while it waited for another one, looked, or could not begin at all.
fn window_closed(ahead: Option<&Ahead>, looked: bool) -> Verdict {
    let text = match ahead {
        Some(ahead) => format!("its window closed while it waited for {}", what(ahead)),
        None if looked => "its window closed while it looked how much it would remove".to_owned(),
        None => "its window closed before it could start".to_owned(),
    };
    Verdict::because(Outcome::Skipped, Grade::Exit, Reason::new("window-closed", text))
}

/// `the lock mastodon (clean-media 20261123T003000Z-7k3f9q)`.
fn what(Ahead { lock, job, run, .. }: &Ahead) -> String {
    let what = lock.as_ref().map_or_else(|| "an earlier run".to_owned(), |lock| format!("the lock {lock}"));
    format!("{what} ({job} {run})")
}

fn waited_too_long(ahead: &Ahead, waited: Duration) -> Verdict {
    let text = format!("it waited {} for {}; see lock_wait", human::span(waited), what(ahead));
    Verdict::because(Outcome::Skipped, Grade::Exit, Reason::new("lock-wait", text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_says_for_what_it_waited() {
        let ahead = Ahead {
            lock: Some("mastodon".parse().unwrap()),
            job: "clean-media".parse().unwrap(),
            run: "20261123T003000Z-7k3f9q".parse().unwrap(),
            is_running: true,
        };
        let verdict = waited_too_long(&ahead, Duration::from_hours(12));
        assert_eq!(
            verdict.to_string(),
            "skipped (exit): it waited 12 h for the lock mastodon (clean-media 20261123T003000Z-7k3f9q); see lock_wait"
        );
        let closed = |ahead, looked| window_closed(ahead, looked).reasons[0].text.clone();
        assert_eq!(
            closed(Some(&ahead), true),
            "its window closed while it waited for the lock mastodon (clean-media 20261123T003000Z-7k3f9q)"
        );
        assert_eq!(closed(None, true), "its window closed while it looked how much it would remove");
        assert_eq!(closed(None, false), "its window closed before it could start");
    }

    #[test]
    fn a_restart_does_not_begin_the_wait_anew_and_a_clock_set_back_does() {
        let (queued, now): (Timestamp, Timestamp) =
            ("2026-11-23T00:00:00Z".parse().unwrap(), "2026-11-23T02:00:00Z".parse().unwrap());
        let left = |queued, now| {
            let until = may_wait_until(queued, Duration::from_hours(3), now);
            until.saturating_duration_since(Instant::now()).as_secs().div_ceil(60)
        };
        assert_eq!(left(queued, now), 60);
        assert_eq!(left(now, queued), 180);
        assert_eq!(left(queued, "2026-11-24T00:00:00Z".parse().unwrap()), 0);
    }
}

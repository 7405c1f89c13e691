//! What a clock that was ahead has left behind: instants that lie further ahead of now than they would if they were
//! written now. Waiting for them would silence a job for as long as the clock was ahead.

use super::{Dispatcher, ends::whole_second_after};
use crate::{recorder::Owed, run::policy};
use jiff::Timestamp;
use mastmaint_ledger::{Approval, PlannedRetry};

impl Dispatcher {
    /// Takes such instants back.
    pub(super) async fn cut_to_now(&mut self, now: Timestamp) {
        for retry in self.retries.clone().into_values() {
            let Some(job) = self.config.view.jobs.get(&retry.job) else { continue };
            let wait = policy::backoff(job.retry, retry.attempt.saturating_sub(1));
            let latest = whole_second_after(now.saturating_add(wait).unwrap_or(now));
            if retry.not_before > latest {
                let retry = PlannedRetry { not_before: latest, ..retry };
                self.retries.insert(retry.job.clone(), retry.clone());
                // What cannot be written now is written when it can; the ledger's own news says that it cannot.
                let _ = self.outside.recorder.owe(Owed::PlanRetry { retry: Box::new(retry) }).await;
            }
        }
        let ahead: Vec<Approval> = self.approvals.values().filter(|asked| asked.at > now).cloned().collect();
        for approval in ahead {
            self.keep_approval(Approval { at: now, ..approval }).await;
        }
    }
}

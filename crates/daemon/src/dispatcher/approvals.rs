//! Runs that would remove more than their job allows: kept for a day, and started by a person's word with what their
//! look found as their allowance.

use super::{Active, Dispatcher, runs::Queued};
use crate::{
    recorder::Owed,
    run::{cap, requirements},
    tell::Told,
};
use jiff::{SignedDuration, Timestamp};
use mastmaint_control::words::{ApprovalLine, Reply};
use mastmaint_ledger::Approval;
use mastmaint_words::{Numbers, RunId, StepIndex, Trigger, Verdict};
use std::sync::Arc;

/// An approval is asked for this long.
const VALID: SignedDuration = SignedDuration::from_hours(24);

impl Dispatcher {
    /// A look found too much: noted until its run ends.
    pub(super) fn note_need(&mut self, run: &RunId, step: StepIndex, found: Numbers, why: String) {
        if let Some(active) = self.runs.get_mut(run) {
            active.needs.insert(step, (found, why));
        }
    }

    /// Keeps what a run that is over needs approval for.
    pub(super) async fn keep_need(&mut self, active: &Active, at: Timestamp) {
        if active.needs.is_empty() {
            return;
        }
        let titles = active.spec.job.indexed_steps().filter(|(step, _)| active.needs.contains_key(step));
        let step = |(step, (_, why)): (&StepIndex, &(Numbers, String))| format!("step {step} {why}");
        let approval = Approval {
            run: active.spec.id.clone(),
            job: active.spec.job_name.clone(),
            at,
            found: active.needs.iter().map(|(step, (found, _))| (*step, *found)).collect(),
            titles: titles.map(|(index, step)| (index, step.action.title())).collect(),
            why: active.needs.iter().map(step).collect::<Vec<_>>().join("; "),
            used_by: None,
        };
        // A newer look says more than an older one.
        self.approvals.retain(|_, other| other.job != approval.job || other.used_by.is_some());
        self.keep_approval(approval).await;
    }

    pub(super) async fn keep_approval(&mut self, approval: Approval) {
        self.approvals.insert(approval.run.clone(), approval.clone());
        // What cannot be written now is written when it can; the ledger's own news says that it cannot.
        let _ = self.outside.recorder.owe(Owed::Approval(Box::new(approval))).await;
    }

    /// Those that can be approved now.
    fn open_approvals(&self, now: Timestamp) -> impl Iterator<Item = (&Approval, Timestamp)> {
        self.approvals.values().filter(|approval| approval.used_by.is_none()).filter_map(move |approval| {
            let until = approval.at.checked_add(VALID).ok()?;
            (now < until).then_some((approval, until))
        })
    }

    /// For the page about everything.
    pub(super) fn approval_lines(&self, now: Timestamp) -> Vec<ApprovalLine> {
        let lines = self.open_approvals(now).map(|(approval, until)| ApprovalLine {
            run: approval.run.clone(),
            job: approval.job.clone(),
            at: approval.at,
            until,
            why: approval.why.clone(),
        });
        lines.collect()
    }

    /// Starts a run that was skipped, allowing what its look found.
    pub(super) async fn approve_by_hand(&mut self, text: &str, uid: u32) -> Reply {
        let meant = |approval: &Approval| approval.run.is_meant_by(text) || approval.job.as_str() == text;
        let found: Vec<Approval> = self
            .open_approvals(Timestamp::now())
            .map(|(approval, _)| approval)
            .filter(|approval| meant(approval))
            .cloned()
            .collect();
        let error = |code: &str, message: String| Reply::Error { code: code.to_owned(), message };
        let approval = match found.as_slice() {
            [] => {
                let text = format!(
                    "no run waits for approval that is called {text:?} (it can be given for 24 h; say the whole id, or the job); see \"mastmaintctl status\""
                );
                return error("no-approval", text);
            }
            [one] => one.clone(),
            many => {
                return error(
                    "ambiguous",
                    format!("{text:?} means {} runs; give more of the id", many.len()),
                );
            }
        };
        let name = approval.job.clone();
        let Some(job) = self.config.view.jobs.get(&name).cloned().map(Arc::new) else {
            return error("unknown-job", format!("there is no job {name} any more"));
        };
        if let Some(step) = cap::changed_since(&approval, &job) {
            let was = approval.titles.get(&step).map_or("something else", String::as_str);
            let text = format!(
                "step {step} of {name} has changed since it was looked at: it was {was}; \"mastmaintctl run {name}\" looks again"
            );
            return error("job-changed", text);
        }
        if let Some(run) = self.admission.of_job(&name) {
            return error("already-running", format!("{name} runs or waits already as {run}"));
        }
        // A hold keeps an approved run from running, too: whoever approves may not know of it.
        let trigger = Trigger::Manual { uid, despite_hold: false };
        let queued = self.queue_allowing(&name, &job, trigger, approval.found.clone()).await;
        if let Ok(Queued::Run(run)) = &queued {
            let skipped = approval.run.clone();
            self.outside.teller.of_daemon(Told::Approved { job: name.clone(), skipped, uid });
            self.keep_approval(Approval { used_by: Some(run.clone()), ..approval }).await;
        }
        self.answer_queued(&name, queued).await
    }

    /// An approval counts still if the run that was started with it did nothing: something that its job requires was
    /// not so.
    pub(super) async fn give_approval_back(&mut self, run: &RunId, verdict: &Verdict) {
        let did_nothing = verdict.reasons.first().is_some_and(|reason| reason.code == requirements::NOT_MET);
        let used = self.approvals.values().find(|approval| approval.used_by.as_ref() == Some(run));
        if let Some(approval) = used.filter(|_| did_nothing).cloned() {
            self.keep_approval(Approval { used_by: None, ..approval }).await;
        }
    }

    /// What a run was allowed when it was started.
    pub(super) fn allowance_of(&self, run: &RunId) -> cap::Found {
        cap::allowance(self.approvals.values(), run)
    }
}

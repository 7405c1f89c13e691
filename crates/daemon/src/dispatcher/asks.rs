//! What clients ask, and what is done for those who ask for something to be done. What is only looked at is in
//! `looks.rs`.

use super::{Dispatcher, holds, reply, runs::Queued};
use crate::{control::Ask, recorder::Owed, tell::Told};
use jiff::Timestamp;
use mastmaint_config::zone;
use mastmaint_control::words::{Reply, Request, RunLine};
use mastmaint_words::{Hold, JobName, RunId, StepKey, Trigger};
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// Shorter than mastmaintctl waits for an answer.
const ASKER_PATIENCE: Duration = Duration::from_secs(12);

impl Dispatcher {
    pub(super) async fn answer(&mut self, Ask { request, uid, replies }: Ask) {
        let answer = match request {
            Request::Status => return self.status_page(replies),
            Request::Jobs => Reply::Jobs { jobs: self.job_lines(Timestamp::now()) },
            Request::History { job, limit } => return self.history(job, limit, replies),
            Request::Show { run } => return self.show(run, replies),
            Request::Output { run, step } => return self.output(StepKey { run, step }, replies),
            Request::Follow { run } => return self.follow(run, replies).await,
            Request::Run { job, dry_run, despite_hold } => {
                let trigger = Trigger::Manual { uid, despite_hold };
                let answer = self.run_by_hand(&job, trigger, dry_run).await;
                return self.answer_when_known(answer, replies).await;
            }
            Request::Cancel { run } => self.cancel_by_hand(&run, uid).await,
            Request::Approve { run } => {
                let answer = self.approve_by_hand(&run, uid).await;
                return self.answer_when_known(answer, replies).await;
            }
            Request::Pause { job } => self.pause(job, uid).await,
            Request::Resume { job } => self.resume(job).await,
            Request::AckFinding { finding, until } => {
                return self.acknowledge_finding(finding, until, uid, replies);
            }
            Request::Ack { job, until } => return self.acknowledge(job, until, uid, replies),
            Request::NotifyTest { target } => return self.test_notify(target, replies),
            Request::Backups => return self.backups(replies),
            Request::Incidents { limit } => return self.incidents(limit, replies),
            Request::Holds => Reply::Holds { holds: self.hold_lines(Timestamp::now()) },
            Request::HoldAdd { from, until, scope, reason } => {
                self.add_hold(holds::asked(from, until, scope, reason), uid).await
            }
            Request::HoldRemove { id } => self.remove_hold(id, uid).await,
            Request::Reload => {
                self.begin_reload(Some(replies));
                return;
            }
        };
        reply(&replies, answer).await;
    }

    async fn run_by_hand(&mut self, name: &JobName, trigger: Trigger, dry_run: bool) -> Reply {
        let Some(job) = self.config.view.jobs.get(name).cloned().map(Arc::new) else {
            return unknown_job(name);
        };
        if let Some(run) = self.admission.of_job(name) {
            return error(
                "already-running",
                format!(
                    "{name} runs or waits already as {run}; follow it, or \"mastmaintctl cancel {name}\""
                ),
            );
        }
        let insists = matches!(trigger, Trigger::Manual { despite_hold: true, .. });
        if let Some(hold) = self.hold_of(&job, Timestamp::now()).filter(|_| !dry_run && !insists) {
            return error("held", held(name, hold));
        }
        let queued = self.queue(name, &job, trigger, dry_run, None).await;
        self.answer_queued(name, queued).await
    }

    /// What a person is told who asked for a run.
    pub(super) async fn answer_queued(&mut self, name: &JobName, queued: std::io::Result<Queued>) -> Reply {
        match queued {
            Ok(Queued::Run(run)) => {
                self.admit().await;
                self.plan().await;
                self.is_queued(&run)
            }
            Ok(Queued::Over(verdict)) => match verdict.reasons.into_iter().next() {
                Some(why) => error(&why.code, format!("{}; see \"mastmaintctl status\"", why.text)),
                None => error("not-run", "it was not run; see \"mastmaintctl status\"".to_owned()),
            },
            Ok(Queued::Already) => error("already-running", format!("{name} has run for this slot")),
            Err(e) => error("no-randomness", format!("no run id can be made: {e}")),
        }
    }

    /// That a run waits or runs.
    pub(super) fn is_queued(&self, run: &RunId) -> Reply {
        let unrecorded = self.runs.get(run).is_some_and(|active| !active.spec.recorded);
        let waits_for = self.wait_of(run);
        Reply::Queued { run: run.clone(), waits_for, already: false, unrecorded, over: None }
    }

    /// Answers at once, or when a run that was queued has looked whether something is in its way.
    async fn answer_when_known(&mut self, answer: Reply, replies: mpsc::Sender<Reply>) {
        match answer {
            Reply::Queued { run, .. } if self.is_about_to_say(&run) => {
                self.answer_when_it_has_looked(&run, replies);
            }
            answer => reply(&replies, answer).await,
        }
    }

    /// Whether a run looks just now whether something is in its way, which takes a moment.
    fn is_about_to_say(&self, run: &RunId) -> bool {
        let active = self.runs.get(run);
        active.is_some_and(|active| active.looking && active.spec.job.requires.is_some())
    }

    /// Answers whoever asked for a run when it has looked, or when that takes too long for a person who waits.
    fn answer_when_it_has_looked(&mut self, run: &RunId, replies: mpsc::Sender<Reply>) {
        let (asker, looked) = oneshot::channel();
        let meanwhile = self.is_queued(run);
        if let Some(active) = self.runs.get_mut(run) {
            active.asker = Some(asker);
        }
        tokio::spawn(async move {
            let looked = tokio::time::timeout(ASKER_PATIENCE, looked).await;
            reply(&replies, looked.ok().and_then(Result::ok).unwrap_or(meanwhile)).await;
        });
    }

    async fn cancel_by_hand(&mut self, text: &str, uid: u32) -> Reply {
        let ids: Vec<RunId> = self
            .runs
            .iter()
            .filter(|(id, active)| id.is_meant_by(text) || active.spec.job_name.as_str() == text)
            .map(|(id, _)| id.clone())
            .collect();
        match ids.as_slice() {
            [] if self.cancel_retry(text).await => Reply::Done,
            [] => error(
                "unknown-run",
                format!(
                    "nothing that runs or waits is called {text:?} (say the whole id, or the job); see \"mastmaintctl status\""
                ),
            ),
            [id] => {
                let id = id.clone();
                self.outside.teller.of_run(&self.runs[&id].spec, Told::CancelAsked { uid });
                self.cancel(&id).await;
                Reply::Done
            }
            many => error("ambiguous", format!("{text:?} means {} runs; give more of the id", many.len())),
        }
    }

    /// Takes back the planned retry of a job; false if there is none.
    async fn cancel_retry(&mut self, text: &str) -> bool {
        let Some(job) = self.retries.keys().find(|job| job.as_str() == text).cloned() else { return false };
        self.outside.teller.of_daemon(Told::RetryDropped { job: job.clone() });
        self.drop_retry(&job).await;
        self.plan().await;
        true
    }

    async fn pause(&mut self, job: JobName, uid: u32) -> Reply {
        if !self.config.view.jobs.contains_key(&job) {
            return unknown_job(&job);
        }
        let now = Timestamp::now();
        let owed = Owed::Pause { job: job.clone(), at: now, uid };
        if let Err(not) = self.outside.recorder.owe(owed).await
            && !not.kept
        {
            return error(not.code, format!("the pause cannot be kept: {not}"));
        }
        self.drop_retry(&job).await;
        self.outside.teller.of_daemon(Told::Paused { job: job.clone(), uid });
        self.next.remove(&job);
        self.paused.insert(job, (now, uid));
        self.notify_paused();
        self.plan().await;
        Reply::Done
    }

    async fn resume(&mut self, job: JobName) -> Reply {
        if let Err(not) = self.outside.recorder.owe(Owed::Resume { job: job.clone() }).await
            && !not.kept
        {
            return error(not.code, format!("the end of the pause cannot be kept: {not}"));
        }
        if self.paused.remove(&job).is_some() {
            self.outside.teller.of_daemon(Told::Resumed { job: job.clone() });
            self.notify_paused();
            // What came due during the pause was paused, not missed.
            self.begin_schedule_afresh(&job).await;
        }
        self.look_at_slots().await;
        Reply::Done
    }
}

/// That a run which was just asked for is over already.
pub(super) fn over(run: RunId, line: Box<RunLine>, unrecorded: bool) -> Reply {
    Reply::Queued { run, waits_for: None, already: false, unrecorded, over: Some(line) }
}

/// What a person is told who runs a job during a hold.
fn held(name: &JobName, hold: &Hold) -> String {
    let until = hold.until.to_zoned(zone::local()).strftime("%Y-%m-%d %H:%M %Z");
    format!(
        "{name} is on hold until {until}: {}; run it all the same with --despite-hold, or try it with --dry-run",
        hold.reason
    )
}

pub(super) fn error(code: &str, message: String) -> Reply {
    Reply::Error { code: code.to_owned(), message }
}

pub(super) fn unknown_job(name: &JobName) -> Reply {
    let text = if name.is_by_hand() {
        format!(
            "there is no job {name}: no backup of that name is verified on this host; see \"mastmaintctl backups\""
        )
    } else {
        format!("there is no job {name}; see \"mastmaintctl jobs\"")
    };
    error("unknown-job", text)
}

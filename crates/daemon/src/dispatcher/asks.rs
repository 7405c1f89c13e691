//! What clients ask. Looking is answered from the dispatcher's truth and the ledger; doing changes the truth. Answers
//! that need the ledger are given by tasks of their own, so that a slow reader costs the loop nothing.

use super::{Dispatcher, listing, reply, runs::Queued};
use crate::{control::Ask, recorder::Owed, tell::Told};
use flate2::read::GzDecoder;
use jiff::Timestamp;
use mastmaint_control::words::{FollowEvent, Reply, Request};
use mastmaint_ledger::FindError;
use mastmaint_words::{JobName, RunId, StepIndex, StepKey, Trigger};
use std::{io::Read, sync::Arc, time::Duration};
use tokio::sync::{broadcast, mpsc};

/// A piece of kept output in one reply.
const OUTPUT_PIECE: usize = 32 * 1024;
/// Rooms keep at most 1 MiB of text; more than this from a small blob is a trick.
const MAX_OUTPUT: u64 = 4 * 1024 * 1024;
/// A page is not kept waiting for a slow disk.
const LEDGER_PATIENCE: Duration = Duration::from_secs(1);
/// Nobody reads further back on a terminal.
const MAX_HISTORY: u32 = 10_000;

impl Dispatcher {
    pub(super) async fn answer(&mut self, Ask { request, uid, replies }: Ask) {
        let answer = match request {
            Request::Status => return self.status_page(replies),
            Request::Jobs => Reply::Jobs { jobs: self.job_lines(Timestamp::now()) },
            Request::History { job, limit } => return self.history(job, limit, replies),
            Request::Show { run } => return self.show(run, replies),
            Request::Output { run, step } => return self.output(StepKey { run, step }, replies),
            Request::Follow { run } => return self.follow(run, replies).await,
            Request::Run { job, dry_run } => self.run_by_hand(&job, dry_run, uid).await,
            Request::Cancel { run } => self.cancel_by_hand(&run, uid).await,
            Request::Pause { job } => self.pause(job, uid).await,
            Request::Resume { job } => self.resume(job).await,
            Request::Reload => {
                self.begin_reload(Some(replies));
                return;
            }
        };
        reply(&replies, answer).await;
    }

    /// What the ledger adds to the page is left out if the ledger does not answer: the page must.
    fn status_page(&self, replies: mpsc::Sender<Reply>) {
        let (mut page, recorder) = (self.status(Timestamp::now()), self.outside.recorder.clone());
        tokio::spawn(async move {
            let trend = recorder.with(|ledger| ledger.space_trend());
            if let Ok(Ok(Some(trend))) = tokio::time::timeout(LEDGER_PATIENCE, trend).await {
                page.space = Some(listing::space_line(trend));
            }
            reply(&replies, Reply::Status(Box::new(page))).await;
        });
    }

    async fn run_by_hand(&mut self, name: &JobName, dry_run: bool, uid: u32) -> Reply {
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
        match self.queue(name, &job, Trigger::Manual { uid }, dry_run, None).await {
            Ok(Queued::Run(run)) => {
                let Some(active) = self.runs.get(&run) else {
                    let text = "a job that stops services does not run while the ledger cannot be written";
                    return error("not-recording", format!("{text}; see \"mastmaintctl status\""));
                };
                let unrecorded = !active.spec.recorded;
                self.admit().await;
                let waits_for = self.admission.waits_for(&run);
                Reply::Queued { run, waits_for, already: false, unrecorded }
            }
            Ok(Queued::Already) => error("already-running", format!("{name} has run for this slot")),
            Err(e) => error("no-randomness", format!("no run id can be made: {e}")),
        }
    }

    async fn cancel_by_hand(&mut self, text: &str, uid: u32) -> Reply {
        let ids: Vec<RunId> = self
            .runs
            .iter()
            .filter(|(id, active)| id.as_str().starts_with(text) || active.spec.job_name.as_str() == text)
            .map(|(id, _)| id.clone())
            .collect();
        match ids.as_slice() {
            [] if self.cancel_retry(text).await => Reply::Done,
            [] => error(
                "unknown-run",
                format!("nothing that runs or waits is called {text:?}; see \"mastmaintctl status\""),
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
            // What came due during the pause was paused, not missed.
            self.begin_schedule_afresh(&job).await;
        }
        self.look_at_slots().await;
        Reply::Done
    }

    fn history(&self, job: Option<JobName>, limit: u32, replies: mpsc::Sender<Reply>) {
        let recorder = self.outside.recorder.clone();
        tokio::spawn(async move {
            let limit = limit.min(MAX_HISTORY);
            let answer = match recorder.with(move |ledger| ledger.history(job.as_ref(), limit)).await {
                Ok(records) => {
                    let now = Timestamp::now();
                    Reply::History { runs: records.iter().map(|r| listing::run_line(r, None, now)).collect() }
                }
                Err(not) => error(not.code, not.message),
            };
            reply(&replies, answer).await;
        });
    }

    fn show(&self, text: String, replies: mpsc::Sender<Reply>) {
        let recorder = self.outside.recorder.clone();
        tokio::spawn(async move {
            let found = recorder
                .with(move |ledger| match ledger.find(&text) {
                    Ok(id) => ledger.run(&id).map(|run| run.ok_or(text)),
                    Err(FindError::Ledger(error)) => Err(error),
                    Err(other) => Ok(Err(other.to_string())),
                })
                .await;
            let answer = match found {
                Ok(Ok(run)) => Reply::Run(Box::new(listing::run_detail(&run, Timestamp::now()))),
                Ok(Err(why)) => error("unknown-run", why),
                Err(not) => error(not.code, not.message),
            };
            reply(&replies, answer).await;
        });
    }

    fn output(&self, key: StepKey, replies: mpsc::Sender<Reply>) {
        let recorder = self.outside.recorder.clone();
        tokio::spawn(async move {
            let wanted = key.clone();
            match recorder.with(move |ledger| ledger.output(&wanted)).await {
                Ok(Some(gzip)) => {
                    let text = tokio::task::spawn_blocking(move || unpack(&gzip)).await.unwrap_or_default();
                    for piece in pieces(&text) {
                        reply(&replies, Reply::Output { text: piece.to_owned() }).await;
                    }
                    reply(&replies, Reply::Done).await;
                }
                Ok(None) => {
                    let text = format!("no output of step {} of run {} is kept", key.step, key.run);
                    reply(&replies, error("no-output", text)).await;
                }
                Err(not) => reply(&replies, error(not.code, not.message)).await,
            }
        });
    }

    async fn follow(&self, run: RunId, replies: mpsc::Sender<Reply>) {
        let Some(active) = self.runs.get(&run) else {
            // It may be over already: its end is in the ledger, or at least its newest run's is here.
            let line = self.last.values().find(|record| record.id == run).map(listing::ended_line);
            return match line {
                Some(line) => {
                    reply(&replies, Reply::Follow(FollowEvent::RunEnded { run: Box::new(line) })).await;
                }
                None => self.follow_ended(run, replies),
            };
        };
        let mut events = active.handle.follow.subscribe();
        let current = active.steps.values().find(|step| step.end.is_none()).map(|step| {
            let of = u16::try_from(active.spec.job.steps.len()).unwrap_or(u16::MAX);
            FollowEvent::StepStarted { step: step.key.step, of, title: step.title.clone() }
        });
        let waiting = self.admission.waits_for(&run).map(|why| FollowEvent::Waiting { why });
        tokio::spawn(async move {
            for event in waiting.into_iter().chain(current) {
                reply(&replies, Reply::Follow(event)).await;
            }
            loop {
                match events.recv().await {
                    Ok(event) => {
                        let over = matches!(event, FollowEvent::RunEnded { .. });
                        if replies.send(Reply::Follow(event)).await.is_err() || over {
                            return;
                        }
                    }
                    Err(broadcast::error::RecvError::Lagged(missed)) => {
                        let text = format!("[{missed} events were missed: this terminal is too slow]");
                        let line = FollowEvent::Line { step: StepIndex(0), stderr: true, text };
                        reply(&replies, Reply::Follow(line)).await;
                    }
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        });
    }

    fn follow_ended(&self, run: RunId, replies: mpsc::Sender<Reply>) {
        let recorder = self.outside.recorder.clone();
        tokio::spawn(async move {
            let wanted = run.clone();
            let answer = match recorder.with(move |ledger| ledger.run(&wanted)).await {
                Ok(Some(found)) => {
                    let line = listing::run_line(&found.run, None, Timestamp::now());
                    Reply::Follow(FollowEvent::RunEnded { run: Box::new(line) })
                }
                Ok(None) => {
                    error("unknown-run", format!("there is no run {run}; see \"mastmaintctl history\""))
                }
                Err(not) => error(not.code, not.message),
            };
            reply(&replies, answer).await;
        });
    }
}

fn error(code: &str, message: String) -> Reply {
    Reply::Error { code: code.to_owned(), message }
}

fn unknown_job(name: &JobName) -> Reply {
    error("unknown-job", format!("there is no job {name}; see \"mastmaintctl jobs\""))
}

fn unpack(gzip: &[u8]) -> String {
    let mut bytes = Vec::new();
    // A damaged copy is shown as far as it goes.
    let _ = GzDecoder::new(gzip).take(MAX_OUTPUT).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Cuts a text at character boundaries.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(rest.floor_char_boundary(OUTPUT_PIECE.min(rest.len())));
        rest = after;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_cut_at_characters_and_loses_nothing() {
        let text = "ü€x".repeat(40_000);
        assert_eq!(pieces(&text).collect::<String>(), text);
        assert!(pieces(&text).all(|piece| piece.len() <= OUTPUT_PIECE));
    }
}

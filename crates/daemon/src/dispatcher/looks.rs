//! What is only looked at: answered from the dispatcher's truth and the ledger. Answers that need the ledger are given
//! by tasks of their own, so that a slow reader costs the loop nothing.

use super::{Dispatcher, asks::error, listing, reply};
use flate2::read::GzDecoder;
use jiff::Timestamp;
use mastmaint_control::words::{FollowEvent, Reply};
use mastmaint_ledger::{FindError, Ledger};
use mastmaint_words::{JobName, RunId, StepIndex, StepKey};
use std::{io::Read, time::Duration};
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
    /// What the ledger adds to the page is left out if the ledger does not answer: the page must.
    pub(super) fn status_page(&self, replies: mpsc::Sender<Reply>) {
        let (mut page, recorder) = (self.status(Timestamp::now()), self.outside.recorder.clone());
        tokio::spawn(async move {
            let trend = recorder.with(|ledger| ledger.space_trend());
            if let Ok(Ok(Some(trend))) = tokio::time::timeout(LEDGER_PATIENCE, trend).await {
                page.space = Some(listing::space_line(trend));
            }
            reply(&replies, Reply::Status(Box::new(page))).await;
        });
    }

    pub(super) fn history(&self, job: Option<JobName>, limit: u32, replies: mpsc::Sender<Reply>) {
        let recorder = self.outside.recorder.clone();
        tokio::spawn(async move {
            let limit = limit.min(MAX_HISTORY);
            let asked =
                move |ledger: &mut Ledger| Ok((ledger.history(job.as_ref(), limit)?, ledger.space_trend()?));
            let answer = match recorder.with(asked).await {
                Ok((records, trend)) => {
                    let now = Timestamp::now();
                    let runs = records.iter().map(|r| listing::run_line(r, None, now)).collect();
                    Reply::History { runs, space: trend.map(listing::space_line) }
                }
                Err(not) => error(not.code, not.message),
            };
            reply(&replies, answer).await;
        });
    }

    pub(super) fn show(&self, text: String, replies: mpsc::Sender<Reply>) {
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

    pub(super) fn output(&self, key: StepKey, replies: mpsc::Sender<Reply>) {
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

    pub(super) async fn follow(&self, run: RunId, replies: mpsc::Sender<Reply>) {
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
            let of = active.spec.job.steps_in_sight(step.key.step);
            FollowEvent::StepStarted { step: step.key.step, of, title: step.title.clone() }
        });
        let waiting = self.wait_of(&run).map(|why| FollowEvent::Waiting { why });
        tokio::spawn(async move {
            for event in waiting.into_iter().chain(current) {
                reply(&replies, Reply::Follow(event)).await;
            }
            loop {
                let event = tokio::select! {
                    event = events.recv() => event,
                    () = replies.closed() => return,
                };
                match event {
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

//! One step: begun in its room or found there again, followed to its end, recorded, told, and only then forgotten by
//! the room. The room keeps the truth; a connection that breaks is opened again and asked what became of the step.

use super::{Drive, wire};
use crate::{
    room::{Connection, RoomError},
    tell::Told,
};
use jiff::Timestamp;
use mastmaint_config::settings::{Action, Step};
use mastmaint_control::words::FollowEvent;
use mastmaint_ledger::StepEnd;
use mastmaint_runner::protocol::{Event, EventKind, LineClass, Op, StepReport, Stream};
use mastmaint_words::{Grade, Outcome, Reason, Room, Span, StepIndex, Verdict};
use std::time::{Duration, Instant};

/// How a step comes to this daemon.
#[derive(Debug, Clone, Copy)]
pub(super) enum Begin {
    /// Nobody has started it.
    Fresh {
        /// What is left of the job's time.
        limit: Span,
    },
    /// An earlier daemon sent it to its room.
    Adopted {
        /// Number of the newest event that the journal has.
        after: u64,
        /// When it was sent.
        at: Timestamp,
    },
}

/// Pauses between tries to reach a room in which a step may be going on.
const RECONNECT: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
];
/// Beyond the step's own limits: what a room needs to come up, end a tree and write its outcome.
const RECONNECT_RESERVE: Duration = Duration::from_mins(2);
/// The journal's place in a step's events is saved no more often than this.
const SAVE_PLACE_EVERY: Duration = Duration::from_secs(1);

/// Whether the step can leave a service stopped.
pub(super) fn may_stop_services(step: &Step) -> bool {
    matches!(&step.action, Action::Systemctl(action) if action.verb.stops_services())
}

/// The verdict of a step that must not run because its start could not be recorded.
pub(super) fn not_without_a_record() -> Verdict {
    let text = "services are not stopped while the ledger cannot be written; see \"mastmaintctl status\"";
    Verdict::because(Outcome::Failed, Grade::Exit, Reason::new("not-recording", text))
}

/// How following a step ended.
enum Followed {
    /// The room has told the outcome, and waits on this connection for the leave to forget it.
    Report(Box<StepReport>, Connection),
    /// There is no outcome to wait for.
    Verdict(Verdict),
}

/// What an event says about the end of a step.
enum Heard {
    /// Nothing.
    Nothing,
    /// The room does not know the step.
    Unknown,
    /// It is over.
    End(Box<StepReport>),
}

/// What has been heard of a step so far.
#[derive(Default)]
struct SoFar {
    /// Newest numbered event.
    seq: u64,
    /// The kept copy as it arrives.
    copy: wire::Copy,
}

impl Drive {
    /// Drives a step to its end and returns its verdict; by then it is recorded (if it can be) and told.
    pub(super) async fn drive_step(&mut self, step: StepIndex, definition: &Step, begin: Begin) -> Verdict {
        let room = definition.action.room();
        let clock = Instant::now();
        let mut heard = SoFar::default();
        let mut sent = Timestamp::now();
        if let Begin::Adopted { after, at } = begin {
            heard.seq = after;
            sent = at;
        }
        let followed = self.follow_step(step, definition, room, begin, &mut heard).await;
        let (end, told_by) = match followed {
            Followed::Report(report, connection) => (end_of(*report), Some(connection)),
            Followed::Verdict(verdict) => {
                let ended = Timestamp::now();
                (
                    StepEnd {
                        key: self.spec.key(step),
                        verdict,
                        started: sent,
                        ended,
                        took: Span::new(clock.elapsed()),
                        exit: None,
                        signal: None,
                        lines: 0,
                        bytes: 0,
                        omitted: 0,
                        peak_rss: None,
                    },
                    None,
                )
            }
        };
        let verdict = end.verdict.clone();
        let copy = heard.copy.take();
        let line = wire::step_line(step, definition, &end, copy.is_some());
        let (to_record, key) = (end.clone(), end.key.clone());
        let recorded = self
            .record("the outcome of the step", move |ledger| ledger.end_step(&to_record, copy.as_deref()))
            .await;
        self.tell(Told::StepEnded { step, title: definition.action.title(), end: Box::new(end) });
        let _ = self.follow.send(FollowEvent::StepEnded { step: Box::new(line) });
        // What is in the ledger the room need not keep; what is nowhere else it must.
        if let Some(mut connection) = told_by.filter(|_| recorded || !self.spec.recorded) {
            // What it does not hear it throws away by age.
            let _ = connection.ask_once(Op::Forget { key }).await;
        }
        verdict
    }

    async fn follow_step(
        &mut self,
        step: StepIndex,
        definition: &Step,
        room: Room,
        begin: Begin,
        heard: &mut SoFar,
    ) -> Followed {
        let key = self.spec.key(step);
        let mut connection = None;
        if let Begin::Fresh { limit } = begin {
            let start = Op::Start {
                digest: self.spec.digest.clone(),
                job: self.spec.job_name.clone(),
                key: key.clone(),
                dry_run: self.spec.dry_run,
                limit: Some(limit),
            };
            match self.outside.rooms.open(room).await {
                // Nothing was asked of the room yet: nothing runs.
                Err(error) => return Followed::Verdict(room_verdict(&error)),
                Ok(mut open) => match open.ask(start).await {
                    Ok(()) => connection = Some(open),
                    Err(error) => self.tell(Told::RoomLost { step, why: error.to_string() }),
                },
            }
        }
        let patience = definition.timeout.get() + definition.grace.get() + RECONNECT_RESERVE;
        let give_up = Instant::now() + patience;
        let mut tries = 0_usize;
        loop {
            let lost = match connection.take() {
                Some(open) => match self.listen(step, open, heard).await {
                    Ok(followed) => return followed,
                    Err(RoomError::Refused { code, message, .. }) => {
                        let reason = Reason::new(&code, message);
                        return Followed::Verdict(Verdict::because(Outcome::Failed, Grade::Exit, reason));
                    }
                    Err(error) => {
                        tries = 0;
                        error
                    }
                },
                None => match self.collect(room, &key, heard).await {
                    Ok(open) => {
                        connection = Some(open);
                        continue;
                    }
                    Err(error) => error,
                },
            };
            if Instant::now() >= give_up {
                let text = format!("nothing is known of how it ended: {lost}");
                let reason = Reason::new("room-lost", text);
                return Followed::Verdict(Verdict::because(Outcome::Interrupted, Grade::Exit, reason));
            }
            if tries == RECONNECT.len() - 1 {
                self.tell(Told::RoomLost { step, why: lost.to_string() });
            }
            tokio::time::sleep(RECONNECT[tries.min(RECONNECT.len() - 1)]).await;
            tries += 1;
        }
    }

    async fn collect(
        &self,
        room: Room,
        key: &mastmaint_words::StepKey,
        heard: &mut SoFar,
    ) -> Result<Connection, RoomError> {
        let mut open = self.outside.rooms.open(room).await?;
        heard.copy = wire::Copy::default();
        open.ask(Op::Collect { key: key.clone(), after: heard.seq }).await?;
        Ok(open)
    }

    /// Hears what a room says of a step until it is over.
    async fn listen(
        &mut self,
        step: StepIndex,
        mut connection: Connection,
        heard: &mut SoFar,
    ) -> Result<Followed, RoomError> {
        let mut saved = (Instant::now(), heard.seq);
        loop {
            let event = tokio::select! {
                event = connection.event() => event?,
                changed = self.cancels.changed() => {
                    if changed.is_ok() {
                        connection.ask(Op::Cancel { key: self.spec.key(step) }).await?;
                    } else {
                        // The dispatcher is gone, so is the daemon in a moment: keep listening till then.
                        std::future::pending::<()>().await;
                    }
                    continue;
                }
            };
            if event.seq > heard.seq {
                heard.seq = event.seq;
            }
            match self.hear(step, event, heard)? {
                Heard::Nothing => {}
                Heard::Unknown => return Ok(Followed::Verdict(unknown_to_room())),
                Heard::End(report) => return Ok(Followed::Report(report, connection)),
            }
            if heard.seq > saved.1 && saved.0.elapsed() >= SAVE_PLACE_EVERY {
                saved = (Instant::now(), heard.seq);
                let (key, seq) = (self.spec.key(step), heard.seq);
                if self.spec.recorded {
                    // Loses at most a repeated line after a crash, so a failure is not worth a word of its own.
                    let _ = self.outside.recorder.with(move |ledger| ledger.journaled(&key, seq)).await;
                }
            }
        }
    }

    fn hear(&self, step: StepIndex, event: Event, heard: &mut SoFar) -> Result<Heard, RoomError> {
        let room = self.spec.job.steps.get(usize::from(step.0)).map_or(Room::Run, |s| s.action.room());
        match event.kind {
            EventKind::Line { stream, class, text, .. } => {
                let stderr = stream == Stream::Stderr;
                let _ = self.follow.send(FollowEvent::Line { step, stderr, text: text.clone() });
                self.tell(Told::Line { step, stderr, class, text });
            }
            EventKind::Omitted { lines } => {
                let text = format!(
                    "[{lines} lines are not shown; \"mastmaintctl show {} --output\" has more]",
                    self.spec.id
                );
                self.tell(Told::Line { step, stderr: false, class: LineClass::Output, text });
            }
            EventKind::Progress(progress) => {
                let _ = self.follow.send(FollowEvent::Progress {
                    step,
                    lines: progress.lines,
                    bar_percent: progress.bar_percent,
                    last: progress.last,
                });
            }
            EventKind::Slow { running } => self.tell(Told::Slow { step, running }),
            EventKind::Ending { why, grace } => self.tell(Told::Ending { step, why, grace }),
            EventKind::Copy { data } => heard.copy.push(&data),
            EventKind::Finished { report } => return Ok(Heard::End(report)),
            EventKind::Unknown => return Ok(Heard::Unknown),
            // A cancel that came too late: the end is on its way.
            EventKind::Refused { code, .. } if code == "not-running" => {}
            EventKind::Refused { code, message } => return Err(RoomError::Refused { room, code, message }),
            EventKind::Started { .. }
            | EventKind::Hello { .. }
            | EventKind::Cancelling
            | EventKind::Forgotten
            | EventKind::Accepted { .. }
            | EventKind::Rejected { .. } => {}
        }
        Ok(Heard::Nothing)
    }
}

fn unknown_to_room() -> Verdict {
    let text = "the room knows nothing of this step: it never began, or the room's state was removed";
    Verdict::because(Outcome::Interrupted, Grade::Exit, Reason::new("unknown-to-room", text))
}

fn end_of(report: StepReport) -> StepEnd {
    StepEnd {
        key: report.key,
        verdict: report.verdict,
        started: report.started,
        ended: report.ended,
        took: report.took,
        exit: report.exit,
        signal: report.signal,
        lines: report.lines,
        bytes: report.bytes,
        omitted: report.omitted,
        peak_rss: report.peak_rss_bytes,
    }
}

fn room_verdict(error: &RoomError) -> Verdict {
    let code = match error {
        RoomError::Refused { code, .. } => code.as_str(),
        RoomError::Unavailable { .. } | RoomError::Lost { .. } => "room-unavailable",
        RoomError::Protocol { .. } => "room-protocol",
    };
    Verdict::because(Outcome::Failed, Grade::Exit, Reason::new(code, error.to_string()))
}

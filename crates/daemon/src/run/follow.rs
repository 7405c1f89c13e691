//! Following a step in its room to its end. The room keeps the truth, so a connection may break as often as it likes:
//! it is opened again and the room asked what became of the step. A cancel is owed until the room has said that it
//! heard it.

use super::{Drive, wire};
use crate::{
    room::{Connection, RoomError},
    tell::Told,
};
use mastmaint_control::words::FollowEvent;
use mastmaint_runner::protocol::{Event, EventKind, LineClass, Op, StepReport, Stream};
use mastmaint_words::{Grade, Outcome, Reason, Room, StepIndex, StepKey, Verdict};
use std::time::{Duration, Instant};

/// Pauses between tries to reach a room in which a step may be going on.
const RECONNECT: [Duration; 5] = [
    Duration::from_millis(50),
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(15),
];
/// The journal's place in a step's events is saved no more often than this.
const SAVE_PLACE_EVERY: Duration = Duration::from_secs(1);
/// A start that the room has lost without a trace is sent again this often.
const STARTS: u8 = 3;

/// How following a step ended.
pub(super) enum Followed {
    /// The room has told the outcome, and waits on this connection for the leave to forget it.
    Report(Box<StepReport>, Connection),
    /// There is no outcome to wait for.
    Verdict(Verdict),
}

/// A step being followed.
pub(super) struct Follow<'a> {
    pub(super) drive: &'a mut Drive,
    pub(super) step: StepIndex,
    pub(super) room: Room,
    /// The request that starts it, if it may be started: a room that knows of it starts nothing twice.
    pub(super) start: Option<Op>,
    /// The room as it was opened for the start, which is then sent before anything is asked.
    pub(super) opened: Option<Result<Connection, RoomError>>,
    /// Number of the newest event heard.
    pub(super) seq: u64,
    /// When nothing more is expected of the room.
    pub(super) give_up: Instant,
    /// The kept copy as it arrives.
    pub(super) copy: wire::Copy,
    pub(super) cancel_owed: bool,
}

/// What an event says about the end of a step.
enum Heard {
    Nothing,
    Cancelling,
    Unknown,
    End(Box<StepReport>),
}

/// How listening ended.
enum Listened {
    Unknown,
    End(Box<StepReport>, Connection),
}

impl Follow<'_> {
    pub(super) async fn until_it_is_over(&mut self) -> Followed {
        let mut starting = self.opened.is_some();
        let mut starts = 0_u8;
        let mut tries = 0_usize;
        loop {
            let seq_before = self.seq;
            let asked = if starting { self.start.clone() } else { None };
            let is_start = asked.is_some();
            let heard = match self.reach(asked).await {
                Ok(connection) => self.listen(connection).await,
                // Nothing was ever asked of the room: nothing runs.
                Err(error @ RoomError::Unavailable { .. }) if starting && starts == 0 => {
                    return Followed::Verdict(room_verdict(&error));
                }
                Err(error) => Err(error),
            };
            starts += u8::from(is_start);
            starting = false;
            let lost = match heard {
                Ok(Listened::End(report, connection)) => return Followed::Report(report, connection),
                Ok(Listened::Unknown) if self.start.is_some() && starts < STARTS => {
                    starting = true;
                    continue;
                }
                Ok(Listened::Unknown) => return Followed::Verdict(unknown_to_room()),
                // Only what answers a start is final; whoever is refused a look may look again.
                Err(RoomError::Refused { code, message, .. }) if is_start => {
                    let reason = Reason::new(&code, message);
                    return Followed::Verdict(Verdict::because(Outcome::Failed, Grade::Exit, reason));
                }
                Err(error) => error,
            };
            if Instant::now() >= self.give_up {
                let reason = Reason::new("room-lost", format!("nothing is known of how it ended: {lost}"));
                return Followed::Verdict(Verdict::because(Outcome::Interrupted, Grade::Exit, reason));
            }
            tries = if self.seq > seq_before { 0 } else { tries + 1 };
            if tries == RECONNECT.len() {
                self.drive.tell(Told::RoomLost { step: self.step, why: lost.to_string() });
            }
            self.pause(RECONNECT[tries.saturating_sub(1).min(RECONNECT.len() - 1)]).await;
        }
    }

    /// Waits before the next try; a cancel does not wait.
    async fn pause(&mut self, pause: Duration) {
        let sleep = tokio::time::sleep(pause);
        tokio::select! {
            () = sleep => {}
            changed = self.drive.cancels.changed() => match changed {
                Ok(()) => self.cancel_owed = true,
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// Opens the room and sends the start, or asks what became of the step.
    async fn reach(&mut self, start: Option<Op>) -> Result<Connection, RoomError> {
        let mut open = match self.opened.take() {
            Some(opened) => opened?,
            None => self.drive.outside.rooms.open(self.room).await?,
        };
        self.copy = wire::Copy::default();
        let key = self.key();
        open.ask(start.unwrap_or(Op::Collect { key: key.clone(), after: self.seq })).await?;
        if self.cancel_owed {
            // Whether the room has heard the first one is not known; what a second one means is.
            let gently = *self.drive.cancels.borrow() < 2;
            open.ask(Op::Cancel { key, gently }).await?;
        }
        Ok(open)
    }

    fn key(&self) -> StepKey {
        self.drive.spec.key(self.step)
    }

    /// Hears what a room says of a step until it is over.
    async fn listen(&mut self, mut connection: Connection) -> Result<Listened, RoomError> {
        let lost = RoomError::Lost { room: self.room };
        let mut saved = (Instant::now(), self.seq);
        loop {
            let event = tokio::select! {
                event = connection.event() => event?,
                () = tokio::time::sleep_until(self.give_up.into()) => return Err(lost),
                changed = self.drive.cancels.changed() => {
                    if changed.is_err() {
                        // The dispatcher is gone, so is the daemon in a moment.
                        std::future::pending::<()>().await;
                    }
                    self.cancel_owed = true;
                    connection.ask(Op::Cancel { key: self.key(), gently: false }).await?;
                    continue;
                }
            };
            self.seq = self.seq.max(event.seq);
            match self.hear(event)? {
                Heard::Nothing => {}
                Heard::Cancelling => self.cancel_owed = false,
                Heard::Unknown => return Ok(Listened::Unknown),
                Heard::End(report) => return Ok(Listened::End(report, connection)),
            }
            if self.seq > saved.1 && saved.0.elapsed() >= SAVE_PLACE_EVERY {
                saved = (Instant::now(), self.seq);
                self.save_place().await;
            }
        }
    }

    /// Keeps how far the journal is. Losing it costs a repeated line after a crash, so a failure is not worth a word.
    async fn save_place(&self) {
        if self.drive.spec.recorded {
            let (key, seq) = (self.key(), self.seq);
            let _ = self.drive.outside.recorder.with(move |ledger| ledger.journaled(&key, seq)).await;
        }
    }

    fn hear(&mut self, event: Event) -> Result<Heard, RoomError> {
        let step = self.step;
        match event.kind {
            EventKind::Line { stream, class, text, .. } => {
                let stderr = stream == Stream::Stderr;
                self.show(FollowEvent::Line { step, stderr, text: text.clone() });
                self.drive.tell(Told::Line { step, stderr, class, text });
            }
            EventKind::Omitted { lines } => {
                let run = &self.drive.spec.id;
                let text =
                    format!("[{lines} lines are not shown; \"mastmaintctl show {run} --output\" has more]");
                self.drive.tell(Told::Line { step, stderr: false, class: LineClass::Output, text });
            }
            EventKind::Progress(progress) => {
                let progress = wire::progress(progress);
                self.drive.progress.send_replace(Some((step, progress.clone())));
                self.show(FollowEvent::Progress { step, progress: Box::new(progress) });
            }
            EventKind::Slow { running } => self.drive.tell(Told::Slow { step, running }),
            EventKind::Quiet { running, silence, limit } => {
                self.drive.tell(Told::Quiet { step, running, silence, limit });
            }
            EventKind::Ending { why, grace } => self.drive.tell(Told::Ending { step, why, grace }),
            EventKind::Copy { data } => self.copy.push(&data),
            EventKind::Finished { report } => return Ok(Heard::End(report)),
            EventKind::Unknown => return Ok(Heard::Unknown),
            EventKind::Cancelling => return Ok(Heard::Cancelling),
            // A cancel that came too late: the end is on its way.
            EventKind::Refused { code, .. } if code == "not-running" => return Ok(Heard::Cancelling),
            EventKind::Refused { code, message } => {
                return Err(RoomError::Refused { room: self.room, code, message });
            }
            EventKind::Started { .. }
            | EventKind::Hello { .. }
            | EventKind::Forgotten
            | EventKind::Kept { .. }
            | EventKind::Listed
            | EventKind::Notified { .. }
            | EventKind::Bracket(_)
            | EventKind::Resumed
            | EventKind::Probed { .. }
            | EventKind::Answered(_)
            | EventKind::Looked { .. }
            | EventKind::Accepted { .. }
            | EventKind::Rejected { .. }
            | EventKind::Other => {}
        }
        Ok(Heard::Nothing)
    }

    fn show(&self, event: FollowEvent) {
        // Nobody may be following.
        let _ = self.drive.follow.send(event);
    }
}

fn unknown_to_room() -> Verdict {
    let text =
        "the room knows nothing of this step: the host went down with it, or the room's state was removed";
    Verdict::because(Outcome::Interrupted, Grade::Exit, Reason::new("unknown-to-room", text))
}

fn room_verdict(error: &RoomError) -> Verdict {
    let code = match error {
        RoomError::Refused { code, .. } => code.as_str(),
        RoomError::Unavailable { .. } | RoomError::Lost { .. } => "room-unavailable",
        RoomError::Protocol { .. } => "room-protocol",
    };
    Verdict::because(Outcome::Failed, Grade::Exit, Reason::new(code, error.to_string()))
}

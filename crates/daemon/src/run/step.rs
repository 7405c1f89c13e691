//! One step: begun in its room or found there again, followed to its end, recorded, told, and only then forgotten by
//! the room.

use super::{
    Drive,
    follow::{Follow, Followed},
    wire,
};
use crate::{
    recorder::Owed,
    room::{Connection, RoomError},
    tell::Told,
};
use jiff::Timestamp;
use mastmaint_config::{
    guard::GuardAction,
    settings::{Action, ServicesAction, Step},
};
use mastmaint_control::words::FollowEvent;
use mastmaint_failpoints::failpoint;
use mastmaint_ledger::{StepEnd, Verified};
use mastmaint_runner::{
    bracket::has_closed,
    protocol::{EventKind, Op, StepReport},
};
use mastmaint_words::{Grade, Outcome, Reason, Room, Span, StepIndex, StepKey, UnitName, Verdict};
use std::time::{Duration, Instant};

/// How a step comes to this daemon.
#[derive(Debug)]
pub(super) enum Begin {
    /// Nobody has started it.
    Fresh {
        /// Its room, which nothing was asked of yet.
        room: Result<Connection, RoomError>,
    },
    /// An earlier daemon sent it to its room, or was about to.
    Adopted {
        /// Number of the newest event that the journal has.
        after: u64,
        /// When it was sent.
        at: Timestamp,
        /// Whether it may be started if its room knows nothing of it: nothing was heard of it, and the host has not
        /// been down since.
        may_start: bool,
    },
}

/// Beyond the step's own limits: what a room needs to come up, end a tree and write its outcome.
const RESERVE: Duration = Duration::from_mins(2);
/// What a room may take to forget a step, or to say whether it knows one.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is done beside the steps of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aside {
    /// A dry run, which a cancel ends.
    Look,
    /// What no cancel takes back.
    Owed,
}

/// When a room that says nothing more of a step is given up.
pub(super) fn give_up(step: &Step, from: Instant) -> Instant {
    from + step.timeout.get() + step.grace.get() + RESERVE
}

/// Lets a room forget what it keeps of a step. What it does not hear it throws away by age.
pub(super) async fn let_forget(connection: &mut Connection, key: StepKey) {
    let _ = tokio::time::timeout(PATIENCE, connection.ask_once(Op::Forget { key })).await;
}

/// Whether the step can leave a service stopped or a change half done, so that somebody must know of it.
pub(super) fn needs_a_record(step: &Step) -> bool {
    step.action.stops_services() || matches!(step.action, Action::Guard(GuardAction::Begin(_)))
}

/// The verdict of a step that must not run because its start could not be recorded.
pub(super) fn not_without_a_record() -> Verdict {
    let text = "services are not stopped, and nothing is changed under guard, while the ledger cannot be written; see \"mastmaintctl status\"";
    Verdict::because(Outcome::Failed, Grade::Exit, Reason::new("not-recording", text))
}

impl Drive {
    /// Whether the step starts what the run has stopped, moves what must not stay halfway, or is part of the way back of
    /// its guard: neither a cancel nor the job's timeout takes that back.
    pub(super) fn is_owed(&self, step: StepIndex, definition: &Step) -> bool {
        definition.action.moves_live()
            || matches!(definition.action, Action::Services(ServicesAction::Start))
            || self.spec.job.swap().is_some_and(|swap| swap.is_way_back(step))
            || self.spec.job.way_back().is_some_and(|way| way.holds(step))
            || self.spec.job.guard().is_some_and(|guard| guard.is_way_back(step))
    }

    /// Drives a step to its end and returns its verdict; by then it is recorded (if it can be) and told.
    pub(super) async fn drive_step(&mut self, step: StepIndex, definition: &Step, begin: Begin) -> Verdict {
        let clock = Instant::now();
        let is_owed = self.is_owed(step, definition);
        let limit = self.deadline.saturating_duration_since(clock);
        let start = Op::Start {
            digest: self.spec.digest.clone(),
            job: self.spec.job_name.clone(),
            key: self.spec.key(step),
            dry_run: self.spec.dry_run,
            limit: (!is_owed).then(|| Span::new(limit)),
        };
        let (opened, seq, sent, start) = match begin {
            Begin::Fresh { room } => (Some(room), 0, Timestamp::now(), Some(start)),
            Begin::Adopted { after, at, may_start } => (None, after, at, may_start.then_some(start)),
        };
        // Seen here, so that the same cancel is not heard a second time: that would kill at once.
        let cancel_owed = *self.cancels.borrow_and_update() > 0 && !is_owed;
        let mut follow = Follow {
            step,
            room: definition.action.room(),
            start,
            opened,
            seq,
            give_up: give_up(definition, clock),
            copy: wire::Copy::default(),
            cancel_owed,
            drive: self,
        };
        let followed = follow.until_it_is_over().await;
        let copy = follow.copy.take();
        let (end, told_by) = match followed {
            Followed::Report(mut report, connection) => {
                self.record_backup(&mut report).await;
                (end_of(*report), Some(connection))
            }
            Followed::Verdict(verdict) => {
                (end_without_report(self.spec.key(step), verdict, sent, clock.elapsed()), None)
            }
        };
        self.finish_step(step, definition, end, copy, told_by).await
    }

    /// What a verification came to. Before the end of its step, which makes the room forget it; a daemon that dies in
    /// between hears it again.
    async fn record_backup(&self, report: &mut StepReport) {
        let Some(backup) = report.backup.take() else { return };
        let verified = Verified { at: report.ended, run: report.key.run.clone(), report: *backup };
        // What is not kept either is told by the next verification.
        let _ = self.outside.recorder.owe(Owed::Verified(Box::new(verified))).await;
    }

    async fn finish_step(
        &mut self,
        step: StepIndex,
        definition: &Step,
        end: StepEnd,
        copy: Option<Vec<u8>>,
        told_by: Option<Connection>,
    ) -> Verdict {
        let (verdict, key) = (end.verdict.clone(), end.key.clone());
        let line = wire::step_line(step, definition, &end, copy.is_some());
        failpoint!("run.before-step-end");
        let recorded = self.record_end(end.clone(), copy).await;
        failpoint!("run.step-end-recorded");
        self.note(step, definition, Some(end.clone())).await;
        self.tell(Told::StepEnded { step, title: definition.action.title(), end: Box::new(end) });
        if let Action::Services(action) = &definition.action {
            self.tell_of_bracket(step, action, &verdict);
        }
        let _ = self.follow.send(FollowEvent::StepEnded { step: Box::new(line) });
        // What is in the ledger the room need not keep; what is nowhere else it must.
        if let Some(mut connection) = told_by.filter(|_| recorded || !self.spec.recorded) {
            let_forget(&mut connection, key).await;
        }
        verdict
    }

    /// Says of the services what the end of the step means for them.
    fn tell_of_bracket(&self, step: StepIndex, action: &ServicesAction, verdict: &Verdict) {
        let reason = || verdict.reasons.first().map(|reason| reason.text.clone()).unwrap_or_default();
        match (action, verdict.outcome) {
            (ServicesAction::Stop { units, .. }, Outcome::Ok) => {
                let units: Vec<&str> = units.iter().map(UnitName::as_str).collect();
                self.tell(Told::BracketOpened { step, units: units.join(", ") });
            }
            // That nothing or not everything was stopped, the end of the step has said.
            (_, Outcome::Skipped) | (ServicesAction::Stop { .. }, _) => {}
            (ServicesAction::Start, _) if has_closed(verdict) => {
                self.tell(Told::BracketClosed { step, how: reason() });
            }
            (ServicesAction::Start | ServicesAction::KeepDown, _) => {
                self.tell(Told::BracketNotConfirmed { step, why: reason() });
            }
        }
    }

    /// Whether a step relies on the services being stopped.
    pub(super) fn needs_services_stopped(&self, step: StepIndex) -> bool {
        let stops_them = self.spec.job.swap().is_some_and(|swap| swap.stop_again == step);
        !self.spec.dry_run
            && !stops_them
            && (self.spec.job.bracket().is_some_and(|bracket| bracket.holds(step))
                || self.spec.job.way_back().is_some_and(|way| way.back == step))
    }

    /// Whether what a step relies on is so: a person, or whatever else starts services, may have started what the run
    /// has stopped. The room has looked when it stopped them, so the step right after that need not ask.
    ///
    /// # Errors
    /// With why the step must not run.
    pub(super) async fn services_are_stopped_for(
        &self,
        step: StepIndex,
        resumed: bool,
    ) -> Result<(), String> {
        let follows_the_stop = self.spec.job.bracket().is_some_and(|bracket| bracket.comes_first(step));
        if !self.needs_services_stopped(step) || (follows_the_stop && !resumed) {
            return Ok(());
        }
        self.goes_on_in_bracket().await
    }

    /// Tells the systemctl room that this daemon goes on with the run, and hears whether its services are stopped
    /// still.
    ///
    /// # Errors
    /// With why they are not, or are not known to be.
    pub(super) async fn goes_on_in_bracket(&self) -> Result<(), String> {
        failpoint!("adopt.before-resume");
        let run = self.spec.id.clone();
        let asked = tokio::time::timeout(PATIENCE, async {
            let mut open = self.outside.rooms.open(Room::Systemctl).await?;
            open.ask_once(Op::Resume { run }).await
        });
        let answer = asked.await;
        failpoint!("adopt.resumed");
        match answer {
            Ok(Ok(EventKind::Resumed)) => Ok(()),
            Ok(Ok(EventKind::Refused { message, .. })) => Err(message),
            Ok(Ok(_)) => Err("the systemctl room speaks another language".to_owned()),
            Ok(Err(error)) => Err(format!("whether the services are stopped is not known: {error}")),
            Err(_) => Err("the systemctl room does not say whether the services are stopped".to_owned()),
        }
    }

    /// Whether a step takes back a restore: at the end of one that went wrong, or because a person wants it.
    pub(super) fn is_on_way_back(&self, step: StepIndex) -> bool {
        let goes_back = |step: &Step| step.action.goes_back();
        self.spec.job.swap().is_some_and(|swap| {
            swap.is_way_back(step)
                || swap.holds(step) && self.spec.job.steps.get(usize::from(step.0)).is_some_and(goes_back)
        })
    }

    /// Has something done in the room of a step that is no step of the record: followed to its end, and forgotten.
    pub(super) async fn aside(&mut self, step: StepIndex, definition: &Step, what: Aside) -> Verdict {
        let (key, room) = (self.spec.key(step), definition.action.room());
        let start = Op::Start {
            digest: self.spec.digest.clone(),
            job: self.spec.job_name.clone(),
            key: key.clone(),
            dry_run: what == Aside::Look,
            limit: None,
        };
        let opened = self.outside.rooms.open(room).await;
        let cancel_owed = what == Aside::Look && *self.cancels.borrow_and_update() > 0;
        let mut follow = Follow {
            step,
            room,
            start: Some(start),
            opened: Some(opened),
            seq: 0,
            give_up: give_up(definition, Instant::now()),
            copy: wire::Copy::default(),
            cancel_owed,
            drive: self,
        };
        match follow.until_it_is_over().await {
            Followed::Report(report, mut connection) => {
                let_forget(&mut connection, key).await;
                report.verdict
            }
            Followed::Verdict(verdict) => verdict,
        }
    }

    /// Stops what the run had stopped and something else has started since. The room goes on with the record of the run.
    ///
    /// # Errors
    /// With why not.
    pub(super) async fn stop_once_more(&mut self) -> Result<(), String> {
        let swap = self.spec.job.swap().ok_or("nothing of the run is to be stopped twice")?;
        let definition = self.spec.job.steps.get(usize::from(swap.stop_again.0)).cloned();
        let definition = definition.ok_or("the run has no such step")?;
        let verdict = self.aside(swap.stop_again, &definition, Aside::Owed).await;
        match verdict.outcome {
            Outcome::Ok => Ok(()),
            _ => Err(verdict.reasons.into_iter().next().map_or_else(String::new, |reason| reason.text)),
        }
    }

    /// Whether the room of a step knows it already, although the ledger does not.
    pub(super) async fn is_known_to_room(&self, step: StepIndex, definition: &Step) -> bool {
        let key = self.spec.key(step);
        let looked = tokio::time::timeout(PATIENCE, async {
            let mut open = self.outside.rooms.open(definition.action.room()).await?;
            open.ask_once(Op::Collect { key, after: u64::MAX }).await
        });
        // A room that cannot be asked will not start anything, either.
        matches!(looked.await, Ok(Ok(said)) if said != EventKind::Unknown)
    }
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
        space: report.space,
    }
}

fn end_without_report(key: StepKey, verdict: Verdict, started: Timestamp, took: Duration) -> StepEnd {
    StepEnd {
        key,
        verdict,
        started,
        ended: Timestamp::now(),
        took: Span::new(took),
        exit: None,
        signal: None,
        lines: 0,
        bytes: 0,
        omitted: 0,
        peak_rss: None,
        space: None,
    }
}

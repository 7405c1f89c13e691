//! Steps that rooms keep and the ledger does not know: begun when it could not be written, or before it was damaged.
//! They hold their locks as any other, so nothing is started before every room has been asked; each is followed to
//! its end, told, and thrown away there. Nothing of them is made up in the ledger afterwards.

use super::{Dispatcher, Order};
use crate::{
    accept,
    room::{RoomError, Rooms},
    run::{RunSpec, cap},
    tell::Told,
};
use jiff::Timestamp;
use mastmaint_ledger::StepRecord;
use mastmaint_runner::protocol::{EventKind, Op};
use mastmaint_words::{Digest, JobName, Room, StepKey, Trigger};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// A room that does not answer for so long is not waited for: what it keeps it will tell the next daemon.
const PATIENCE: Duration = Duration::from_secs(20);

/// A step that a room keeps.
#[derive(Debug, Clone)]
pub struct LeftBehind {
    room: Room,
    key: StepKey,
    job: JobName,
    digest: Digest,
    at: Timestamp,
    working: bool,
}

impl Dispatcher {
    /// Asks every room that a job uses what it keeps; the answer comes as an order and opens the gate.
    pub fn ask_what_is_left(&self) {
        let steps = self.config.view.jobs.values().flat_map(|job| &job.steps);
        let mut rooms: BTreeSet<Room> = steps.map(|step| step.action.room()).collect();
        rooms.extend(self.runs.values().flat_map(|run| &run.spec.job.steps).map(|step| step.action.room()));
        let (way, orders) = (self.outside.rooms.clone(), self.orders.clone());
        tokio::spawn(async move {
            let asked: Vec<_> = rooms
                .into_iter()
                .map(|room| {
                    let way = way.clone();
                    tokio::spawn(async move { tokio::time::timeout(PATIENCE, list(&way, room)).await })
                })
                .collect();
            let mut left = Vec::new();
            for answer in asked {
                // A room that cannot be opened runs nothing for us now; its next step says what is wrong with it.
                if let Ok(Ok(Ok(kept))) = answer.await {
                    left.extend(kept);
                }
            }
            // The dispatcher is gone only when the daemon is.
            let _ = orders.send(Order::LeftBehind(left)).await;
        });
    }

    /// Takes in what the rooms keep, and opens the gate.
    pub(super) async fn take_in(&mut self, left: Vec<LeftBehind>) {
        for step in left {
            let run = step.key.run.clone();
            if self.runs.contains_key(&run) {
                continue;
            }
            // A look holds nothing and changes nothing: whoever needs one makes a new one.
            if step.key.step.is_look() {
                self.forget_quietly(&step);
                continue;
            }
            let asked = run.clone();
            let known = self.outside.recorder.with(move |ledger| ledger.run(&asked)).await;
            if known.is_ok_and(|known| known.is_some_and(|known| known.run.ended.is_some())) {
                self.forget_quietly(&step);
            } else {
                self.follow_left_behind(step);
            }
        }
        self.gate_open = true;
        self.look_at_slots().await;
    }

    /// The ledger has it; only the leave to forget it was lost.
    fn forget_quietly(&self, step: &LeftBehind) {
        let (way, room, key) = (self.outside.rooms.clone(), step.room, step.key.clone());
        tokio::spawn(async move {
            let _ = tokio::time::timeout(PATIENCE, async {
                let mut open = way.open(room).await?;
                open.ask_once(Op::Forget { key }).await
            })
            .await;
        });
    }

    fn follow_left_behind(&mut self, step: LeftBehind) {
        let LeftBehind { room, key, job: job_name, digest, at, working } = step;
        let job = accept::read(&self.store, &digest).map_err(|e| e.to_string()).and_then(|view| {
            let job = view.jobs.get(&job_name).filter(|job| job.steps.len() > usize::from(key.step.0));
            job.cloned().ok_or_else(|| format!("its configuration {digest} has no such step"))
        });
        let lost = job.as_ref().err().cloned();
        self.outside.teller.of_daemon(Told::LeftBehind { job: job_name.clone(), working, lost });
        let Ok(job) = job else { return };
        let title = job.steps[usize::from(key.step.0)].action.title();
        let (id, only) = (key.run.clone(), Some(key.step));
        let begun = StepRecord { key, title, room, at, journaled: 0, output_kept: false, end: None };
        let spec = RunSpec {
            id: id.clone(),
            job_name,
            job: Arc::new(job),
            digest,
            trigger: Trigger::Manual { uid: nix::unistd::getuid().as_raw(), despite_hold: true },
            dry_run: false,
            queued: at,
            recorded: false,
            begun: None,
            before: vec![begun],
            started: Some(at),
            allowance: cap::Found::new(),
            looked: None,
            rooms_to_look: Vec::new(),
            only,
        };
        self.enter(spec, None);
        let claim = self.claim(&id);
        self.admission.adopt(claim);
        self.start(&id, Timestamp::now());
    }
}

async fn list(way: &Rooms, room: Room) -> Result<Vec<LeftBehind>, RoomError> {
    let mut open = way.open(room).await?;
    open.ask(Op::List).await?;
    let mut kept = Vec::new();
    loop {
        match open.event().await?.kind {
            EventKind::Kept { key, job, digest, at, working } => {
                kept.push(LeftBehind { room, key, job, digest, at, working });
            }
            // A room of an older version knows no list and refuses.
            EventKind::Listed | EventKind::Refused { .. } => return Ok(kept),
            _ => {}
        }
    }
}

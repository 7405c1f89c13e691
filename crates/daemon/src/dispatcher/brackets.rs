//! What is stopped: the systemctl room keeps the records, this keeps what it last said of them, for `status` and for
//! systemd's sentence.

use super::{Dispatcher, Order};
use crate::room::{RoomError, Rooms};
use mastmaint_config::settings::Action;
use mastmaint_control::words::BracketLine;
use mastmaint_ledger::StepRecord;
use mastmaint_runner::protocol::{EventKind, Op};
use mastmaint_words::Room;
use std::time::Duration;

/// A room that does not answer for so long says it another time.
const PATIENCE: Duration = Duration::from_secs(20);
/// A bracket of which no run of ours has the end in hand is looked at again after this.
const AGAIN: Duration = Duration::from_secs(30);

impl Dispatcher {
    /// Asks what is stopped, now.
    pub fn look_at_brackets(&self) {
        self.look_at_brackets_after(Duration::ZERO);
    }

    fn look_at_brackets_after(&self, pause: Duration) {
        // A host without services has none that could be stopped.
        if self.config.view.instance.is_none() && self.brackets.is_empty() {
            return;
        }
        let (way, orders) = (self.outside.rooms.clone(), self.orders.clone());
        tokio::spawn(async move {
            tokio::time::sleep(pause).await;
            // A room that cannot be asked changes nothing in what is known.
            if let Ok(Ok(open)) = tokio::time::timeout(PATIENCE, list(&way)).await {
                // The dispatcher is gone only when the daemon is.
                let _ = orders.send(Order::Brackets(open)).await;
            }
        });
    }

    /// Takes in what is stopped. What no run of ours will end is asked for again.
    pub(super) fn take_in_brackets(&mut self, open: Vec<BracketLine>) {
        self.brackets = open;
        if self.brackets.iter().any(|bracket| !self.runs.contains_key(&bracket.run)) {
            self.look_at_brackets_after(AGAIN);
        }
    }

    /// A step of a run has begun or ended: an end of a bracket changes what is stopped.
    pub(super) fn watch_for_brackets(&self, record: &StepRecord) {
        let definition = self
            .runs
            .get(&record.key.run)
            .and_then(|active| active.spec.job.steps.get(usize::from(record.key.step.0)));
        if record.end.is_some() && definition.is_some_and(|step| matches!(step.action, Action::Services(_))) {
            self.look_at_brackets();
        }
    }
}

async fn list(way: &Rooms) -> Result<Vec<BracketLine>, RoomError> {
    let mut open = way.open(Room::Systemctl).await?;
    open.ask(Op::Brackets).await?;
    let mut brackets = Vec::new();
    loop {
        match open.event().await?.kind {
            EventKind::Bracket(line) => brackets.push(BracketLine {
                run: line.run,
                job: line.job,
                since: line.opened,
                units: line.units,
                not_confirmed: line.not_confirmed,
            }),
            // A room of an older version knows no brackets and refuses.
            EventKind::Listed | EventKind::Refused { .. } => return Ok(brackets),
            _ => {}
        }
    }
}

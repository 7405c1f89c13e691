//! Asking the probe room: one connection for all that is due, in a task of its own. It is over within a bounded time, and
//! what has not been answered by then could not be asked.

use crate::room::{RoomError, Rooms};
use mastmaint_config::probes::Probes;
use mastmaint_runner::{
    probe::Said,
    protocol::{AskedProbe, EventKind, Op, ProbeAnswer},
};
use mastmaint_words::{Digest, ProbeName, Room};
use std::{collections::BTreeSet, time::Duration};
use tokio::sync::mpsc;

/// The room opens, and gives up on a program that does not, within this beyond the longest timeout.
const BEYOND: Duration = Duration::from_secs(30);

/// What comes back.
#[derive(Debug)]
pub(super) struct Answer {
    /// Which configuration was asked.
    pub(super) digest: Digest,
    /// The answer.
    pub(super) of: ProbeAnswer,
}

/// Asks; each probe has exactly one answer.
pub(super) fn ask(
    rooms: Rooms,
    (digest, probes): (Digest, &Probes),
    asked: Vec<AskedProbe>,
    answers: mpsc::UnboundedSender<Answer>,
) {
    let timeouts = asked.iter().filter_map(|asked| probes.get(&asked.name)).map(|probe| probe.timeout.get());
    let patience = timeouts.max().unwrap_or_default() + BEYOND;
    tokio::spawn(async move {
        let mut left: BTreeSet<ProbeName> = asked.iter().map(|asked| asked.name.clone()).collect();
        let mut say = |of: ProbeAnswer| {
            if left.remove(&of.name) {
                // Nobody hears it only when the daemon ends.
                let _ = answers.send(Answer { digest: digest.clone(), of });
            }
        };
        let converse = converse(&rooms, digest.clone(), asked, &mut say);
        let why = match tokio::time::timeout(patience, converse).await {
            Ok(Ok(())) => "the probe room said nothing of it".to_owned(),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("the probe room gave no answer within {} s", patience.as_secs()),
        };
        for name in left {
            let of = ProbeAnswer { name, said: Said::NotAsked { why: why.clone() }, note: None };
            let _ = answers.send(Answer { digest: digest.clone(), of });
        }
    });
}

async fn converse(
    rooms: &Rooms,
    digest: Digest,
    probes: Vec<AskedProbe>,
    say: &mut impl FnMut(ProbeAnswer),
) -> Result<(), RoomError> {
    let room = Room::Probe;
    let mut open = rooms.open(room).await?;
    open.ask(Op::Ask { digest, probes }).await?;
    loop {
        match open.event().await?.kind {
            EventKind::Answered(answer) => say(answer),
            EventKind::Listed => return Ok(()),
            EventKind::Refused { code, message } => return Err(RoomError::Refused { room, code, message }),
            _ => {}
        }
    }
}

//! Having the notify room send: one connection a message, within a bounded time.

use super::outbox::Parcel;
use crate::room::{RoomError, Rooms};
use mastmaint_config::accepted::DaemonView;
use mastmaint_control::words::TestAnswer;
use mastmaint_runner::protocol::{EventKind, Notice, Op};
use mastmaint_words::{Digest, Room};
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// The room gives up by itself before this.
const PATIENCE: Duration = Duration::from_secs(100);

/// What became of a message.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) parcel: Parcel,
    /// Why it was not taken.
    pub(super) error: Option<String>,
}

/// Sends a message in a task of its own. Its target is at this position of this configuration.
pub(super) fn post(
    rooms: Rooms,
    (digest, position): (Digest, u16),
    parcel: Parcel,
    answers: mpsc::UnboundedSender<Answer>,
) {
    tokio::spawn(async move {
        let told = tell(&rooms, digest, position, parcel.notice.clone()).await;
        // Nobody hears it only when the daemon ends; the message is told again by the next one.
        let _ = answers.send(Answer { parcel, error: told.err() });
    });
}

/// Sends a test to every target, or to one (counted from 1), all at once.
pub(super) async fn test(
    rooms: Rooms,
    view: Arc<DaemonView>,
    only: Option<u16>,
    notice: Notice,
) -> Vec<TestAnswer> {
    let wanted = (1_u16..).zip(&view.notify).filter(|(number, _)| only.is_none_or(|only| only == *number));
    let asked: Vec<_> = wanted
        .map(|(number, target)| {
            let (rooms, digest, notice) = (rooms.clone(), view.digest.clone(), notice.clone());
            let told = tokio::spawn(async move { tell(&rooms, digest, number - 1, notice).await });
            (number, target.label.clone(), told)
        })
        .collect();
    let mut answers = Vec::with_capacity(asked.len());
    for (target, kind, told) in asked {
        let said = told.await.unwrap_or_else(|error| Err(error.to_string()));
        let (told, said) = match said {
            Ok(answer) => (true, answer),
            Err(why) => (false, why),
        };
        answers.push(TestAnswer { target, kind, told, said });
    }
    answers
}

async fn tell(rooms: &Rooms, digest: Digest, target: u16, notice: Notice) -> Result<String, String> {
    let asked = async {
        let mut room = rooms.open(Room::Notify).await?;
        room.ask_once(Op::Notify { digest, target, notice: Box::new(notice) }).await
    };
    match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok(EventKind::Notified { answer })) => Ok(answer),
        Ok(Ok(other)) => Err(format!("the notify room answered {other:?}")),
        // Its own words are about the other side; that it is the room that says them is no news.
        Ok(Err(RoomError::Refused { message, .. })) => Err(message),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("the notify room gave no answer within {} s", PATIENCE.as_secs())),
    }
}

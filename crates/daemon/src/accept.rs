//! Having the configuration accepted: the systemctl room checks the files and stores what it accepted; the daemon
//! reads back its own part. It never reads the files themselves.

use crate::room::{Connection, RoomError, Rooms};
use mastmaint_config::accepted::DaemonView;
use mastmaint_runner::protocol::{EventKind, Op};
use mastmaint_words::{Digest, Room};
use std::{path::Path, sync::Arc, time::Duration};

/// Reading some small files takes milliseconds; a room that takes this long will not do it.
const PATIENCE: Duration = Duration::from_mins(1);

/// A configuration that is good.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// The daemon's part of it.
    pub view: Arc<DaemonView>,
    /// What is odd but not wrong, for people.
    pub warnings: Vec<String>,
}

/// Why there is no new configuration.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It has mistakes.
    #[error("the configuration has mistakes:\n{}", .0.join("\n"))]
    Mistakes(Vec<String>),
    /// Nobody could look at it.
    #[error("the configuration cannot be checked: {0}")]
    Room(#[from] RoomError),
    /// What was accepted cannot be read back.
    #[error("the accepted configuration cannot be read: {0}")]
    Store(String),
}

impl Refusal {
    /// One text a mistake.
    pub fn mistakes(&self) -> Vec<String> {
        match self {
            Self::Mistakes(mistakes) => mistakes.clone(),
            Self::Room(_) | Self::Store(_) => vec![self.to_string()],
        }
    }
}

/// Asks for the configuration to be checked and stored, and reads the daemon's part. `in_use` are the digests that
/// runs still follow: they stay stored. Where nobody knows which those are (`None`), all do.
///
/// # Errors
/// See [`Refusal`]; nothing has changed then.
pub async fn accept(rooms: &Rooms, store: &Path, in_use: Option<Vec<Digest>>) -> Result<Accepted, Refusal> {
    accept_in(rooms.open(Room::Systemctl).await?, store, in_use).await
}

/// The same in a systemctl room that is open already.
///
/// # Errors
/// See [`Refusal`]; nothing has changed then.
pub async fn accept_in(
    mut room: Connection,
    store: &Path,
    in_use: Option<Vec<Digest>>,
) -> Result<Accepted, Refusal> {
    let asked = tokio::time::timeout(
        PATIENCE,
        room.ask_once(Op::Accept { keep_all: in_use.is_none(), in_use: in_use.unwrap_or_default() }),
    )
    .await;
    match asked.map_err(|_| RoomError::Lost { room: Room::Systemctl })?? {
        EventKind::Accepted { digest, warnings } => {
            let view = read(store, &digest)?;
            Ok(Accepted { view: Arc::new(view), warnings })
        }
        EventKind::Rejected { mistakes } => Err(Refusal::Mistakes(mistakes)),
        other => Err(Refusal::Store(format!("the systemctl room answered {other:?}"))),
    }
}

/// Reads the daemon's part of a configuration that was accepted before.
///
/// # Errors
/// If it is not there any more or cannot be read.
pub fn read(store: &Path, digest: &Digest) -> Result<DaemonView, Refusal> {
    mastmaint_config::Store::new(store).daemon_view(digest).map_err(|e| Refusal::Store(e.to_string()))
}

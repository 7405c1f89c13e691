//! Whether a service answers is asked by the probe room, which has the instance's user and network; the systemctl room
//! has neither. Without walls it is asked here.

use crate::{
    door::Door,
    probe::{self, Prober},
    protocol::{EventKind, Op},
};
use jiff::Timestamp;
use mastmaint_words::{Digest, Room, UnitName};
use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

pub use crate::probe::Said;

/// A service that takes this long has not answered; the probe itself gives up sooner.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a room that does not open is tried.
const OPENING: Duration = Duration::from_secs(5);

/// Who asks services whether they work.
pub trait Asker {
    /// Asks one; `since` is when it was started, so that an older sign of life does not count.
    fn ask(&mut self, digest: &Digest, unit: &UnitName, since: Timestamp) -> Said;
}

/// Asks the probe room.
#[derive(Debug)]
pub struct ProbeRoom(Door);

impl ProbeRoom {
    /// The room whose socket is in this directory.
    pub fn new(rooms: &Path) -> Self {
        Self(Door::of(rooms, Room::Probe, PATIENCE))
    }
}

impl Asker for ProbeRoom {
    fn ask(&mut self, digest: &Digest, unit: &UnitName, since: Timestamp) -> Said {
        let op = Op::Probe { digest: digest.clone(), unit: unit.clone(), since };
        let begin = Instant::now();
        loop {
            // A room that idled is closed by its runner: the next try opens a fresh one.
            match self.0.ask(op.clone()) {
                Ok(EventKind::Probed { said }) => return said,
                Ok(EventKind::Refused { message, .. }) => return Said::NotAsked { why: message },
                Ok(_) => return Said::NotAsked { why: "the probe room speaks another language".to_owned() },
                Err(_) if begin.elapsed() < OPENING => sleep(Duration::from_millis(200)),
                Err(error) => {
                    let why = format!(
                        "the probe room cannot be asked: {error}; see systemctl status mastmaintd-probe.socket"
                    );
                    return Said::NotAsked { why };
                }
            }
        }
    }
}

/// Asks from here, without walls.
#[derive(Debug)]
pub struct Here(pub Prober);

impl Asker for Here {
    fn ask(&mut self, digest: &Digest, unit: &UnitName, since: Timestamp) -> Said {
        probe::probe(&self.0, digest, unit, since).unwrap_or_else(|why| Said::NotAsked { why })
    }
}

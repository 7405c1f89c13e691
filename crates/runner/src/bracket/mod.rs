//! Brackets: the time in which a job has stopped services and owes their start. The record is on disk before the stop,
//! whatever happens after it; closing is the same for a run, for a room that takes up a start that was cut, and for
//! `mastmaintd-recover`.

mod attempt;
mod close;
mod confirm;
pub mod held;
mod open;
mod others;
mod policy;
mod record;
mod switch;
mod units;
mod verdict;

pub use close::{Closing, Pace, close};
pub use confirm::{Asker, Here, ProbeRoom, Said};
pub(crate) use open::{Opening, open};
pub(crate) use policy::{Standing, Watch};
pub use record::{Brackets, Phase, Record, Seen, Service};
pub(crate) use units::Down;
pub(crate) use verdict::{NOT_CONFIRMED, NOTHING_STOPPED, of_closed, with_the_rest};
pub use verdict::{has_closed, has_started_nothing, is_not_confirmed, is_started, was_all_up};

use crate::systemctl::Systemctl;
use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

/// Where a bracket is opened or closed, and who listens.
pub struct Scene<'a> {
    /// State directory of the systemctl room.
    pub state: &'a Path,
    /// systemctl.
    pub systemctl: &'a Systemctl,
    /// Hears what is done.
    pub tell: &'a mut dyn FnMut(String),
    /// Whether what is under way should end soon: the room or the service is being stopped.
    pub stopping: &'a dyn Fn() -> bool,
}

impl Scene<'_> {
    fn say(&mut self, text: String) {
        (self.tell)(text);
    }

    fn is_stopping(&self) -> bool {
        (self.stopping)()
    }

    /// Waits; true if it should end instead.
    fn wait(&self, pause: Duration) -> bool {
        const GLANCE: Duration = Duration::from_millis(100);
        let begin = Instant::now();
        while begin.elapsed() < pause {
            if self.is_stopping() {
                return true;
            }
            sleep(GLANCE.min(pause.saturating_sub(begin.elapsed())));
        }
        self.is_stopping()
    }
}

impl std::fmt::Debug for Scene<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scene").field("state", &self.state).finish_non_exhaustive()
    }
}

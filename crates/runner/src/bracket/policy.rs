//! What is owed to a service and when it counts as up. Pure: how it was recorded and how it stands in, a decision out.

use super::record::Service;
use crate::systemctl::{Stamps, UnitState};
use mastmaint_words::UnitName;
use std::time::{Duration, Instant};

/// A service that comes up and goes down this often is not coming up.
const MOST_FALLS: u32 = 3;

/// Why a service is not ours to start any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TakenOver {
    /// Somebody masked it.
    Masked,
    /// Its unit file is gone.
    Gone,
    /// Somebody stopped it after we had started it.
    Stopped,
    /// Somebody started or restarted it after we had.
    Started,
}

impl TakenOver {
    /// For people.
    pub(crate) fn describe(self, unit: &UnitName) -> String {
        let what = match self {
            Self::Masked => "is masked",
            Self::Gone => "has no unit file any more",
            Self::Stopped => "was stopped by somebody after it had been started",
            Self::Started => "was started by somebody else",
        };
        format!("{unit} {what}; it is left to them")
    }
}

/// Whether somebody else has taken a service over since it was stopped.
pub(crate) fn taken_over(service: &Service, state: &UnitState) -> Option<TakenOver> {
    match state.load.as_str() {
        "masked" => return Some(TakenOver::Masked),
        "not-found" => return Some(TakenOver::Gone),
        _ => {}
    }
    // It was up by a start of ours in this boot; before a further start this is forgotten.
    let ours = service.ours.as_ref()?;
    // What systemd always restarts is inactive without a fault only if somebody stopped it, or if systemd could not
    // restart it or has not yet.
    let stopped = state.active == "inactive"
        && state.result == "success"
        && state.always_restarts
        && !state.is_refused
        && !state.is_about_to_start();
    // Each start has an id of its own; those that systemd makes by itself are counted (just before they get their id),
    // and a person's begins the count anew.
    let started = state.is_meant_to_run()
        && state.invocation != *ours
        && !state.invocation.is_empty()
        && state.restarts == 0;
    if stopped {
        Some(TakenOver::Stopped)
    } else if started {
        Some(TakenOver::Started)
    } else {
        None
    }
}

/// One service being watched after its start.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    /// The start that was stopped.
    before: String,
    up: Option<Up>,
    falls: u32,
}

#[derive(Debug, Clone, Copy)]
struct Up {
    since: Instant,
    stamps: Stamps,
    restarts: u64,
}

/// How a watched service stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Up, but not for long enough.
    Young,
    /// Up and unchanged for long enough.
    Settled,
    /// Not up, or not for long.
    Down,
    /// Down for good, or up and down again and again: waiting does not help.
    Hopeless,
}

impl Watch {
    /// One of a service whose start `before` was stopped.
    pub(crate) fn after(before: &str) -> Self {
        Self { before: before.to_owned(), up: None, falls: 0 }
    }

    /// Takes in how it stands now.
    pub(crate) fn see(&mut self, now: Instant, state: &UnitState, settle: Duration) -> Standing {
        let is_new = !state.invocation.is_empty() && state.invocation != self.before;
        let is_done = state.is_oneshot && state.active == "inactive" && state.result == "success" && is_new;
        if !state.is_up() && !is_done {
            if self.up.take().is_some() {
                self.falls += 1;
            }
            // What systemd does not intend to start stays down, however long it is waited for.
            let is_hopeless = state.is_down() && !state.is_about_to_start() || self.falls >= MOST_FALLS;
            return if is_hopeless { Standing::Hopeless } else { Standing::Down };
        }
        match self.up {
            Some(up) if up.stamps == state.stamps && up.restarts == state.restarts => {
                if now.duration_since(up.since) >= settle { Standing::Settled } else { Standing::Young }
            }
            before => {
                // Down and up again between two looks.
                self.falls += u32::from(before.is_some());
                self.up = Some(Up { since: now, stamps: state.stamps, restarts: state.restarts });
                if self.falls >= MOST_FALLS { Standing::Hopeless } else { Standing::Young }
            }
        }
    }

    /// How often it went down again.
    pub(crate) const fn falls(&self) -> u32 {
        self.falls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: Duration = Duration::from_secs(10);

    fn state(active: &str, invocation: &str, restarts: u64) -> UnitState {
        UnitState {
            load: "loaded".into(),
            active: active.into(),
            result: "success".into(),
            invocation: invocation.into(),
            restarts,
            always_restarts: true,
            ..UnitState::default()
        }
    }

    fn owed(ours: Option<&str>) -> Service {
        Service { unit: "mastodon-web".parse().unwrap(), before: "a".into(), ours: ours.map(str::to_owned) }
    }

    #[test]
    fn a_person_takes_over_by_stopping_starting_or_masking() {
        let after = owed(Some("b"));
        assert_eq!(taken_over(&after, &state("inactive", "b", 0)), Some(TakenOver::Stopped));
        assert_eq!(taken_over(&after, &state("active", "c", 0)), Some(TakenOver::Started));
        let masked = UnitState { load: "masked".into(), ..state("inactive", "a", 0) };
        assert_eq!(taken_over(&owed(None), &masked), Some(TakenOver::Masked));
    }

    #[test]
    fn what_systemd_or_a_crash_does_is_nobodys_doing() {
        let after = owed(Some("b"));
        assert_eq!(taken_over(&after, &state("active", "b", 0)), None);
        assert_eq!(taken_over(&after, &state("active", "c", 1)), None, "restarted by systemd");
        assert_eq!(taken_over(&after, &state("active", "b", 1)), None, "counted before it had its id");
        assert_eq!(taken_over(&after, &state("activating", "b", 4)), None, "about to be");
        let failed = UnitState { result: "exit-code".into(), ..state("failed", "b", 5) };
        assert_eq!(taken_over(&after, &failed), None);
        assert_eq!(taken_over(&owed(None), &state("inactive", "a", 0)), None, "our own stop");
        let refused = UnitState { is_refused: true, ..state("inactive", "b", 0) };
        assert_eq!(taken_over(&after, &refused), None, "its condition is not met any more");
        let queued = UnitState { job: 7, ..state("inactive", "b", 0) };
        assert_eq!(taken_over(&after, &queued), None, "about to be started");
        let ends_by_itself = UnitState { always_restarts: false, ..state("inactive", "b", 0) };
        assert_eq!(taken_over(&after, &ends_by_itself), None);
    }

    #[test]
    fn up_is_what_stays_up_unchanged() {
        let mut watch = Watch::after("a");
        let at = |seconds| Instant::now() + Duration::from_secs(seconds);
        let begin = Instant::now();
        assert_eq!(watch.see(begin, &state("activating", "b", 0), SETTLE), Standing::Down);
        assert_eq!(watch.see(begin, &state("active", "b", 0), SETTLE), Standing::Young);
        assert_eq!(watch.see(at(9), &state("active", "b", 0), SETTLE), Standing::Young);
        // `systemctl is-active` says yes all the while: only the count tells.
        assert_eq!(watch.see(at(11), &state("active", "c", 1), SETTLE), Standing::Young);
        assert_eq!(watch.falls(), 1);
        assert_eq!(watch.see(at(12), &state("active", "d", 2), SETTLE), Standing::Young);
        assert_eq!(watch.see(at(13), &state("active", "e", 3), SETTLE), Standing::Hopeless);
    }

    #[test]
    fn a_failed_unit_is_not_waited_for_and_a_shim_may_be_over() {
        let now = Instant::now();
        assert_eq!(Watch::after("a").see(now, &state("failed", "b", 5), SETTLE), Standing::Hopeless);
        let shim = UnitState { is_oneshot: true, ..state("inactive", "b", 0) };
        let mut watch = Watch::after("a");
        watch.see(now, &shim, SETTLE);
        assert_eq!(watch.see(now + SETTLE, &shim, SETTLE), Standing::Settled);
        // One that was not started at all is not over.
        assert_eq!(Watch::after("b").see(now, &shim, SETTLE), Standing::Hopeless);
        assert_eq!(Watch::after("a").see(now, &state("inactive", "a", 0), SETTLE), Standing::Hopeless);
        let queued = UnitState { job: 7, ..state("inactive", "a", 0) };
        assert_eq!(Watch::after("a").see(now, &queued, SETTLE), Standing::Down);
    }
}

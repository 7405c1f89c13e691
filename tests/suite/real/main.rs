//! The real binaries, end to end: a daemon without root and systemd, its runner as a child, and an instance whose
//! tootctl is the stand-in.
#![expect(clippy::unwrap_used, reason = "a test whose ground gives way has to end there")]

mod approvals;
mod config;
mod control;
mod guard;
mod holds;
mod notify;
mod outcomes;
mod probes;
mod progress;
mod proofs;
mod pull;
mod requires;
mod restarts;
mod stage;
mod state;
mod trees;
mod verify;

use mastmaint_tests::Place;

/// A place whose only job, `work`, clears the cache, with this weather.
fn place_with(weather: &str) -> Place {
    let place = Place::new("  work:\n    steps: [{tootctl: cache clear}]\n").unwrap();
    place.instance.weather(&format!("speed: 50\nweather: {{{weather}}}\n")).unwrap();
    place
}

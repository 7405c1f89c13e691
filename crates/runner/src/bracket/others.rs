//! What other runs owe of the services that are to be stopped, and what becomes of it.

use super::{
    Scene,
    open::{Opening, not_recorded},
    record::{Brackets, Phase, Record, Seen},
};
use crate::systemctl::{Claim, claim};
use jiff::Timestamp;
use mastmaint_words::{Reason, UnitName};
use std::time::{Duration, Instant};

/// Nobody holds the lock for longer than a look unless services are being started, and then none is stopped; except for a
/// restore, which may be what they need: a try of `mastmaintd-recover` takes no longer than that.
const PATIENCE: Patience = Patience { look: Duration::from_secs(10), longest: Duration::from_mins(3) };

/// How long the lock is waited for.
#[derive(Debug, Clone, Copy)]
struct Patience {
    look: Duration,
    longest: Duration,
}

/// Takes the lock of all brackets.
pub(super) fn lock(opening: &Opening, scene: &mut Scene<'_>) -> Result<Brackets, Reason> {
    lock_within(PATIENCE, opening, scene)
}

fn lock_within(patience: Patience, opening: &Opening, scene: &mut Scene<'_>) -> Result<Brackets, Reason> {
    let begin = Instant::now();
    let mut has_said = false;
    loop {
        let taken = Brackets::lock(scene.state, patience.look).map_err(|error| not_recorded(&error))?;
        if let Some(brackets) = taken {
            return Ok(brackets);
        }
        if !opening.mends || begin.elapsed() >= patience.longest || scene.is_stopping() {
            let text = "nothing was stopped: services are just being started after another run";
            return Err(Reason::new("bracket-busy", text));
        }
        if !std::mem::replace(&mut has_said, true) {
            scene.say(
                "services are just being started after another run; the end of that is waited for".to_owned(),
            );
        }
    }
}

/// What other runs owe of the same units, all of it to be taken over.
pub(super) fn owed(opening: &Opening, scene: &Scene<'_>) -> Result<Vec<Record>, Reason> {
    let records = Brackets::list(scene.state).0;
    let others =
        records.into_iter().filter(|other| other.run != opening.run && shares(other, &opening.units));
    // Whoever restores mends what an earlier run has left without a whole set, or not up.
    let (taken, others): (Vec<Record>, Vec<Record>) = others.partition(|other| {
        opening.mends && matches!(other.phase, Phase::KeptDown { .. } | Phase::NotConfirmed { .. })
    });
    let Some(other) = others.first() else { return Ok(taken) };
    let why = match other.phase {
        Phase::KeptDown { .. } => "keeps Mastodon down; another restore, or a rollback, takes that over",
        Phase::NotConfirmed { .. } => {
            "has stopped services that are not back; it is over once they are, and a restore or a rollback takes it over"
        }
        _ => "has stopped services too and is not over",
    };
    let text =
        format!("nothing was stopped: run {} of {} {why}; see \"mastmaintctl status\"", other.run, other.job);
    Err(Reason::new("bracket-open", text))
}

/// Puts away what the new record owes from now on.
pub(super) fn take_over(opening: &Opening, taken: Vec<Record>, brackets: &Brackets) -> Result<(), Reason> {
    for mut other in taken {
        let is_kept = matches!(other.phase, Phase::KeptDown { .. });
        let how = format!("run {} has taken it over", opening.run);
        other.phase = Phase::Closed { at: Timestamp::now(), how, seen: Seen::default() };
        match brackets.put_away(&other) {
            // mastmaintd-recover would go on starting them, under the steps of this run.
            Err(error) if !is_kept => return Err(not_recorded(&error)),
            // What is kept down it goes on keeping down.
            Err(_) | Ok(()) => {}
        }
    }
    Ok(())
}

/// Whether a record is about units that are named. What keeps down nothing that it knows keeps down all.
fn shares(other: &Record, units: &[UnitName]) -> bool {
    let theirs = other.all_units();
    (theirs.is_empty() && matches!(other.phase, Phase::KeptDown { .. }))
        || theirs.iter().any(|unit| claim(unit, units) != Claim::Foreign)
        || units
            .iter()
            .any(|unit| theirs.iter().any(|one| claim(unit, std::slice::from_ref(one)) != Claim::Foreign))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::systemctl::Systemctl;
    use mastmaint_words::{JobName, Span};
    use std::sync::mpsc::channel;

    fn waits(mends: bool, longest: Duration) -> (Result<(), String>, usize) {
        let state = tempfile::tempdir().unwrap();
        let opening = Opening {
            run: "20261123T003000Z-7k3f9q".parse().unwrap(),
            job: "restore".parse::<JobName>().unwrap(),
            digest: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            units: vec![],
            must_match: false,
            mends,
            settle: Span::from_secs(1),
            timeout: Duration::from_secs(1),
        };
        let held = Brackets::lock(state.path(), Duration::ZERO).unwrap();
        let (told, hears) = channel::<()>();
        let mut said = 0;
        let taken = std::thread::scope(|scope| {
            // Whoever starts services is done once it is said that they are waited for, or does not come to an end.
            scope.spawn(move || {
                let _is_waited_for = hears.recv();
                drop(held);
            });
            let mut tell = |_: String| {
                said += 1;
                if longest > Duration::from_secs(1) {
                    told.send(()).unwrap();
                }
            };
            let systemctl = Systemctl::new(false);
            let mut scene =
                Scene { state: state.path(), systemctl: &systemctl, tell: &mut tell, stopping: &|| false };
            let patience = Patience { look: Duration::from_millis(20), longest };
            let taken = lock_within(patience, &opening, &mut scene);
            drop(told);
            taken.map(drop).map_err(|reason| reason.code)
        });
        (taken, said)
    }

    #[test]
    fn only_a_restore_waits_for_a_try_to_start_services_and_not_for_ever() {
        assert_eq!(waits(true, Duration::from_mins(5)), (Ok(()), 1));
        assert_eq!(waits(true, Duration::from_millis(300)).0, Err("bracket-busy".into()));
        assert_eq!(waits(false, Duration::from_mins(5)), (Err("bracket-busy".into()), 0));
    }
}

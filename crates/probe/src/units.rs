//! Whether the instance's units run, and are not restarted again and again: a unit that crash-loops is active each time
//! that somebody looks.

use crate::{Asker, Heard, fine, unknown, wrong};
use mastmaint_runner::systemctl::{UnitState, template_of};
use mastmaint_words::UnitName;
use std::collections::BTreeMap;

/// How often systemd has restarted each unit.
type Restarts = BTreeMap<String, u64>;

/// Asks for every unit. The note is how often each had been restarted.
pub(crate) fn ask(asker: &Asker, note: Option<&str>) -> Heard {
    let known: Restarts = note.and_then(|note| serde_json::from_str(note).ok()).unwrap_or_default();
    match look(asker) {
        Ok(states) => judge(&states, &known),
        Err(why) => unknown(why).into(),
    }
}

/// The units that are named and the loaded instances of templates among them, with whether each is named.
fn look(asker: &Asker) -> Result<Vec<(UnitName, UnitState, bool)>, String> {
    let systemctl = &asker.prober.systemctl;
    let is_template = |unit: &UnitName| unit.with_suffix().contains("@.");
    let services = &asker.instance.services;
    let templates: Vec<String> = services.iter().filter_map(template_of).collect();
    let named: Vec<UnitName> = services.iter().filter(|unit| !is_template(unit)).cloned().collect();
    let instances = systemctl.instances_of(&templates)?;
    let instances: Vec<UnitName> = instances.into_iter().filter(|unit| !named.contains(unit)).collect();
    let mut states = Vec::new();
    for (units, is_named) in [(named, true), (instances, false)] {
        let looked = systemctl.look(&units)?;
        states.extend(units.into_iter().zip(looked).map(|(unit, state)| (unit, state, is_named)));
    }
    Ok(states)
}

fn judge(states: &[(UnitName, UnitState, bool)], known: &Restarts) -> Heard {
    let mut restarts = Restarts::new();
    let mut faults = Vec::new();
    for (unit, state, is_named) in states {
        let name = unit.with_suffix();
        let before = known.get(&name).copied();
        restarts.insert(name.clone(), state.restarts);
        // An instance that nobody started is none that should run.
        if !state.is_up() && (*is_named || state.active != "inactive") {
            faults.push(state.describe(unit));
        } else if before.is_some_and(|before| state.restarts > before) {
            let count = state.restarts - before.unwrap_or_default();
            faults
                .push(format!("{name} ended by itself and was restarted {count} times since the last look"));
        }
    }
    let said = if faults.is_empty() {
        fine(format!("{} units run", states.len()))
    } else {
        wrong(faults.join("; "))
    };
    Heard { said, note: serde_json::to_string(&restarts).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_runner::probe::Said;

    fn unit(name: &str, active: &str, restarts: u64, is_named: bool) -> (UnitName, UnitState, bool) {
        let state = UnitState { active: active.to_owned(), restarts, ..UnitState::default() };
        (name.parse().unwrap(), state, is_named)
    }

    #[test]
    fn a_unit_that_is_restarted_between_two_looks_is_wrong_though_it_is_active() {
        let first = judge(&[unit("mastodon-web", "active", 7, true)], &Restarts::new());
        assert!(matches!(first.said, Said::Answers { .. }));
        let known: Restarts = serde_json::from_str(&first.note.unwrap()).unwrap();
        assert!(matches!(
            judge(&[unit("mastodon-web", "active", 7, true)], &known).said,
            Said::Answers { .. }
        ));
        let again = judge(&[unit("mastodon-web", "active", 9, true)], &known);
        assert!(matches!(again.said, Said::Silent { why } if why.contains("restarted 2 times")));
        // Somebody started it anew: the count begins again.
        assert!(matches!(
            judge(&[unit("mastodon-web", "active", 0, true)], &known).said,
            Said::Answers { .. }
        ));
    }

    #[test]
    fn what_should_run_and_does_not_is_wrong() {
        let said = |one| judge(&[one], &Restarts::new()).said;
        for active in ["inactive", "failed", "activating"] {
            assert!(matches!(said(unit("mastodon-web", active, 0, true)), Said::Silent { .. }), "{active}");
        }
        assert!(matches!(said(unit("mastodon-streaming@4000", "failed", 0, false)), Said::Silent { .. }));
        assert!(matches!(said(unit("mastodon-streaming@4001", "inactive", 0, false)), Said::Answers { .. }));
    }
}

//! Which units the names of the configuration mean, how they stand, and what of them does not run.

use crate::systemctl::{Claim, Systemctl, UnitState, claim, template_of};
use mastmaint_words::UnitName;

/// What is named: the units themselves, and the loaded instances of templates and shims.
pub(super) fn all_of(
    systemctl: &Systemctl,
    named: &[UnitName],
) -> Result<Vec<(UnitName, UnitState)>, String> {
    let templates: Vec<String> = named.iter().filter_map(template_of).collect();
    let mut instances = systemctl.instances_of(&templates)?;
    instances.sort();
    let mut units: Vec<UnitName> = Vec::new();
    for name in named {
        let own = std::slice::from_ref(name);
        let is_template = name.with_suffix().contains("@.");
        let itself = own.iter().filter(|_| !is_template);
        let of_it = instances.iter().filter(|unit| matches!(claim(unit, own), Claim::InstanceOf(_)));
        for unit in itself.chain(of_it) {
            if units.iter().all(|known| known.with_suffix() != unit.with_suffix()) {
                units.push(unit.clone());
            }
        }
    }
    let states = systemctl.look(&units)?;
    // An instance that no file of root stands behind is not ours to stop, as for any step.
    let ours = units.into_iter().zip(states).filter(|(unit, state)| {
        let is_named = named.iter().any(|name| name.with_suffix() == unit.with_suffix());
        is_named || Systemctl::trusts(state).is_ok()
    });
    Ok(ours.collect())
}

/// What of an instance does not run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Down {
    /// Nobody has said that it is not to run.
    pub(super) wanted: Vec<UnitName>,
    /// Somebody has: it is disabled or masked.
    pub(super) unwanted: Vec<UnitName>,
    /// Whether anything else of it runs.
    pub(super) is_rest_up: bool,
}

impl Down {
    /// Looks at these services.
    pub(crate) fn look(systemctl: &Systemctl, services: &[UnitName]) -> Result<Self, String> {
        all_of(systemctl, services).map(|units| Self::of(&units))
    }

    /// What is about to be started is not down, and neither is a shim that is over.
    fn of(units: &[(UnitName, UnitState)]) -> Self {
        let mut found = Self::default();
        for (unit, state) in units {
            let is_over = state.is_oneshot && !state.remains && state.active == "inactive";
            if state.load == "not-found" || is_over {
                continue;
            }
            if !state.is_down() || state.is_about_to_start() {
                found.is_rest_up = true;
            } else if state.is_unwanted() {
                found.unwanted.push(unit.clone());
            } else {
                found.wanted.push(unit.clone());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str, active: &str, enablement: &str) -> (UnitName, UnitState) {
        let load = if enablement == "masked" { "masked" } else { "loaded" };
        let state = UnitState {
            load: load.into(),
            active: active.into(),
            enablement: enablement.into(),
            ..UnitState::default()
        };
        (name.parse().unwrap(), state)
    }

    fn names(units: &[UnitName]) -> Vec<&str> {
        units.iter().map(UnitName::as_str).collect()
    }

    #[test]
    fn what_is_disabled_or_masked_is_down_by_somebodys_wish_unless_it_has_failed() {
        let down = Down::of(&[
            unit("web", "active", "enabled"),
            unit("sidekiq", "inactive", "enabled"),
            unit("by-hand", "inactive", "static"),
            unit("fell", "failed", "disabled"),
            unit("spare", "inactive", "disabled"),
            unit("never", "inactive", "masked"),
            unit("dead", "failed", "masked"),
        ]);
        assert_eq!(names(&down.wanted), ["sidekiq", "by-hand", "fell"]);
        assert_eq!(names(&down.unwanted), ["spare", "never", "dead"]);
        assert!(down.is_rest_up);
    }

    #[test]
    fn what_comes_up_or_is_over_is_not_down() {
        let (queued, mut queued_state) = unit("queued", "inactive", "enabled");
        queued_state.job = 7;
        let (shim, mut shim_state) = unit("shim", "inactive", "enabled");
        shim_state.is_oneshot = true;
        let (stays, stays_state) =
            (unit("stays", "inactive", "enabled").0, UnitState { remains: true, ..shim_state.clone() });
        let gone = (
            unit("gone", "", "").0,
            UnitState { load: "not-found".into(), active: "inactive".into(), ..UnitState::default() },
        );
        let down = Down::of(&[
            unit("rises", "activating", "enabled"),
            (queued, queued_state),
            (shim.clone(), shim_state.clone()),
            gone,
        ]);
        assert_eq!(down, Down { is_rest_up: true, ..Down::default() });
        // A shim that is over says nothing about whether anything runs; one that should have stayed does.
        let down = Down::of(&[(shim, shim_state), (stays, stays_state)]);
        assert_eq!((names(&down.wanted), down.is_rest_up), (vec!["stays"], false));
    }
}

//! Whether the instance's units run, and are not restarted again and again: a unit that crash-loops is active each time
//! that somebody looks, and may run for minutes in between.

use crate::{Asker, Heard, fine, unknown, wrong};
use jiff::{SignedDuration, Timestamp};
use mastmaint_runner::systemctl::{UnitState, template_of};
use mastmaint_words::UnitName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many ends within `LATELY` are a loop, whether or not it runs at the moment.
const LOOP: usize = 3;
const LATELY: SignedDuration = SignedDuration::from_mins(10);

/// What is remembered of each unit.
type Known = BTreeMap<String, Remembered>;

/// What is remembered of a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    /// How often systemd has restarted it, as it counts.
    count: u64,
    /// When that was seen lately, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    seen: Vec<i64>,
    /// Whether it ran in any look since systemd has it loaded.
    #[serde(default)]
    ran: bool,
}

/// Asks for every unit. The note is how often each had been restarted, when lately, and whether it ever ran.
pub(crate) fn ask(asker: &Asker, note: Option<&str>) -> Heard {
    let known: Known = note.and_then(|note| serde_json::from_str(note).ok()).unwrap_or_default();
    match look(asker) {
        Ok(states) => judge(&states, &known, Timestamp::now()),
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

fn judge(states: &[(UnitName, UnitState, bool)], known: &Known, now: Timestamp) -> Heard {
    let mut noted = Known::new();
    let mut faults = Vec::new();
    for (unit, state, is_named) in states {
        let name = unit.with_suffix();
        let next = Remembered::next(known.get(&name), state, now);
        let before = known.get(&name).map_or(state.restarts, |before| before.count);
        let since = state.restarts.saturating_sub(before);
        // An instance that nobody started is none that should run.
        if !state.is_up() && (*is_named || state.active != "inactive") {
            faults.push(state.describe(unit));
        } else if !state.is_up() && next.ran {
            // systemd forgets a unit that is down and that no other unit wants.
            faults.push(format!(
                "{name} ran and is stopped, and is still wanted; start it, or disable it if it is to stay so"
            ));
        } else if since > 0 {
            faults
                .push(format!("{name} ended by itself and was restarted {since} times since the last look"));
        } else if next.seen.len() >= LOOP {
            let (count, minutes) = (next.seen.len(), LATELY.as_mins());
            faults.push(format!(
                "{name} ended by itself and was restarted {count} times within {minutes} minutes"
            ));
        }
        noted.insert(name, next);
    }
    let said = if faults.is_empty() {
        fine(format!("{} units run", states.len()))
    } else {
        wrong(faults.join("; "))
    };
    Heard { said, note: serde_json::to_string(&noted).ok() }
}

impl Remembered {
    /// After a look that finds this. A count that is lower begins anew: somebody has started the unit.
    fn next(before: Option<&Self>, state: &UnitState, now: Timestamp) -> Self {
        let ran = state.is_up() || before.is_some_and(|before| before.ran);
        let count = state.restarts;
        let Some(before) = before.filter(|before| before.count <= count) else {
            return Self { count, seen: Vec::new(), ran };
        };
        let is_late = |at: &i64| (0..=LATELY.as_secs()).contains(&(now.as_second() - at));
        let new = usize::try_from(count - before.count).unwrap_or(LOOP).min(LOOP);
        let seen = before.seen.iter().copied().filter(is_late);
        let mut seen: Vec<i64> = seen.chain(std::iter::repeat_n(now.as_second(), new)).collect();
        seen.drain(..seen.len().saturating_sub(LOOP * 2));
        Self { count, seen, ran }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_runner::probe::Said;

    fn unit(name: &str, active: &str, restarts: u64, is_named: bool) -> (UnitName, UnitState, bool) {
        let state = UnitState { active: active.to_owned(), restarts, ..UnitState::default() };
        (name.parse().unwrap(), state, is_named)
    }

    /// What is said in a look after the other, each of them so many seconds after the first, with this count of restarts.
    fn looks(of: &[(i64, u64)]) -> Vec<Said> {
        let begin = Timestamp::UNIX_EPOCH;
        let mut known = Known::new();
        let look = |(after, restarts): &(i64, u64)| {
            let now = begin + SignedDuration::from_secs(*after);
            let heard = judge(&[unit("mastodon-web", "active", *restarts, true)], &known, now);
            known = serde_json::from_str(&heard.note.unwrap()).unwrap();
            heard.said
        };
        of.iter().map(look).collect()
    }

    fn is_wrong(said: &Said) -> bool {
        matches!(said, Said::Silent { .. })
    }

    #[test]
    fn a_unit_that_is_restarted_between_two_looks_is_wrong_though_it_is_active() {
        let said = looks(&[(0, 7), (20, 7), (40, 9), (60, 9)]);
        assert_eq!(said.iter().map(is_wrong).collect::<Vec<_>>(), [false, false, true, false]);
        assert!(matches!(&said[2], Said::Silent { why } if why.contains("restarted 2 times")));
        // Somebody started it anew: the count begins again.
        assert!(!looks(&[(0, 9), (20, 0)]).iter().any(is_wrong));
    }

    #[test]
    fn one_that_ends_every_few_minutes_is_wrong_while_it_runs_too() {
        let said =
            looks(&[(0, 0), (100, 1), (120, 1), (280, 2), (300, 2), (460, 3), (480, 3), (500, 3), (1061, 3)]);
        let wrong: Vec<bool> = said.iter().map(is_wrong).collect();
        assert_eq!(wrong, [false, true, false, true, false, true, true, true, false]);
        assert!(matches!(&said[6], Said::Silent { why } if why.contains("3 times within 10 minutes")));
    }

    #[test]
    fn an_instance_that_ran_and_is_stopped_is_wrong_until_it_runs_or_is_not_wanted_any_more() {
        let mut known = Known::new();
        let mut look = |states: &[(UnitName, UnitState, bool)]| {
            let heard = judge(states, &known, Timestamp::UNIX_EPOCH);
            known = serde_json::from_str(&heard.note.unwrap()).unwrap();
            heard.said
        };
        let shim = || unit("mastodon-streaming", "active", 0, true);
        let of = |port: &str, active| unit(&format!("mastodon-streaming@{port}"), active, 0, false);
        let stopped = |said: &Said| match said {
            Said::Silent { why } => why.matches("ran and is stopped").count(),
            _ => 0,
        };
        assert!(!is_wrong(&look(&[
            shim(),
            of("4000", "active"),
            of("4001", "active"),
            of("4002", "inactive")
        ])));
        for _ in 0..2 {
            let said = look(&[shim(), of("4000", "active"), of("4001", "inactive"), of("4002", "inactive")]);
            assert_eq!(stopped(&said), 1, "{said:?}");
        }
        assert!(!is_wrong(&look(&[shim(), of("4000", "active"), of("4001", "active")])));
        assert_eq!(stopped(&look(&[shim(), of("4000", "inactive"), of("4001", "inactive")])), 2);
        // What nobody wants systemd does not list any more.
        assert!(!is_wrong(&look(&[shim()])));
        assert!(!is_wrong(&look(&[shim(), of("4000", "inactive")])));
        // A note of a version before this one.
        assert!(serde_json::from_str::<Known>(r#"{"a.service":{"count":3}}"#).is_ok());
    }

    #[test]
    fn what_should_run_and_does_not_is_wrong() {
        let said = |one| judge(&[one], &Known::new(), Timestamp::UNIX_EPOCH).said;
        for active in ["inactive", "failed", "activating"] {
            assert!(matches!(said(unit("mastodon-web", active, 0, true)), Said::Silent { .. }), "{active}");
        }
        assert!(matches!(said(unit("mastodon-streaming@4000", "failed", 0, false)), Said::Silent { .. }));
        assert!(matches!(said(unit("mastodon-streaming@4001", "inactive", 0, false)), Said::Answers { .. }));
    }
}

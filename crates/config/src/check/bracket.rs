//! Jobs that stop services: what is stopped, what is done when it is up again, and which plain stops are no way to do
//! it. The ends of the bracket become steps like any other, so that they are run, recorded and taken over like them.

use super::{command, job, step};
use crate::{
    diagnostic::Place,
    mistake::Mistake,
    read::{Fields, Reader},
    settings::{Action, Judged, OnPartial, Prove, ServicesAction, Step, SystemctlVerb},
    tree::{Kind, Node},
};
use mastmaint_words::{Span, UnitName};

pub(super) const STOPPED: &str = "with_services_stopped";
/// More than any unit of Mastodon takes to stop (15 s) or systemd lets one take (90 s).
const STOP: Span = Span::from_secs(300);
/// Three tries, each with all the patience that the runner has for services that do not come up.
const START: Span = Span::from_secs(900);
const GRACE: Span = Span::from_secs(10);

/// What is to be stopped; `None` if nothing is.
pub(super) fn units(
    reader: &mut Reader,
    f: &Fields<'_>,
    around: &step::Surroundings<'_>,
) -> Option<Vec<UnitName>> {
    let node = f.get(STOPPED)?;
    let path = f.path_of(STOPPED);
    let named = match &node.kind {
        Kind::Bool(false) => return None,
        Kind::Bool(true) => None,
        Kind::Text(text) => Some(text.split_whitespace().map(|unit| (unit.to_owned(), node.place)).collect()),
        Kind::Seq(items) => Some(listed(reader, node, items, &path)?),
        _ => {
            let wanted = "true, or a list of units of instance.services";
            reader.wrong(node.place, &path, Mistake::WrongType { wanted, found: node.kind_name() });
            return None;
        }
    };
    if around.instance.is_none() && !around.instance_is_wrong {
        reader.wrong(f.key_place(STOPPED), &path, Mistake::NoServices);
        return None;
    }
    let Some(named) = named else {
        let all = around.instance.map(|instance| instance.services.clone())?;
        if all.is_empty() {
            reader.wrong(node.place, &path, Mistake::NoServices);
        }
        return (!all.is_empty()).then_some(all);
    };
    if named.is_empty() {
        let wanted = "true, or at least one unit, like [mastodon-web]";
        reader.wrong(node.place, &path, Mistake::Empty { wanted });
        return None;
    }
    let mut units: Vec<UnitName> = Vec::new();
    for (unit, place) in named {
        if let Some(unit) = step::named_unit(reader, place, &path, around, unit)
            && !units.contains(&unit)
        {
            units.push(unit);
        }
    }
    (!units.is_empty()).then_some(units)
}

fn listed(reader: &mut Reader, node: &Node, items: &[Node], path: &str) -> Option<Vec<(String, Place)>> {
    Some(command::list(reader, items, path)?.into_iter().zip(command::places(node)).collect())
}

/// What is done when the services are up again.
pub(super) fn then(
    reader: &mut Reader,
    f: &Fields<'_>,
    around: &step::Surroundings<'_>,
    is_bracket: bool,
) -> Vec<Step> {
    let Some(node) = f.get("then") else { return vec![] };
    let steps = job::list(reader, node, &f.path_of("then"), around);
    // A list of units that is wrong has been reported.
    let meant_to = f.get(STOPPED).is_some_and(|node| !matches!(node.kind, Kind::Bool(false)));
    if !is_bracket && !meant_to {
        reader.wrong(f.key_place("then"), &f.path_of("then"), Mistake::ThenWithoutBracket);
    }
    steps
}

/// A job that stops services starts them again. A plain stop does not, so it is for runbooks only, where a person
/// means it.
pub(super) fn plain_stops<'s>(
    reader: &mut Reader,
    f: &Fields<'_>,
    steps: &(impl Iterator<Item = &'s Step> + Clone),
) {
    let of = |verb: SystemctlVerb| {
        steps.clone().enumerate().filter_map(move |(at, step)| match &step.action {
            Action::Systemctl(action) if action.verb == verb => Some((at, action.units.as_slice())),
            _ => None,
        })
    };
    let place = f.get("steps").map_or(f.place, |node| node.place);
    let path = f.path_of("steps");
    for (at, stopped) in of(SystemctlVerb::Stop) {
        let Some(unit) = stopped.first() else { continue };
        let starts = of(SystemctlVerb::Start).chain(of(SystemctlVerb::Restart));
        let starts_again = { starts }.find_map(|(later, started)| {
            started.iter().filter(|_| later > at).find(|unit| stopped.contains(unit))
        });
        if let Some(unit) = starts_again {
            reader.wrong(place, &path, Mistake::StopAndStart { unit: unit.to_string() });
        } else if f.get("schedule").is_some() {
            reader.wrong(place, &path, Mistake::StopOnSchedule { unit: unit.to_string() });
        } else {
            reader.odd(place, &path, Mistake::StaysStopped { unit: unit.to_string() });
        }
    }
}

/// The steps of a job with the ends of its bracket.
pub(crate) fn put_together(
    stopped: Option<Vec<UnitName>>,
    within: Vec<Step>,
    then: Vec<Step>,
    settle: Span,
) -> Vec<Step> {
    let Some(units) = stopped else { return within.into_iter().chain(then).collect() };
    std::iter::once(stop(units, false)).chain(within).chain([start(settle)]).chain(then).collect()
}

/// The step that stops services; with `mends` also those that an earlier restore keeps down.
pub(super) fn stop(units: Vec<UnitName>, mends: bool) -> Step {
    of_its_own(Action::Services(ServicesAction::Stop { units, mends }), STOP)
}

/// The step that starts them again.
pub(super) fn start(settle: Span) -> Step {
    of_its_own(Action::Services(ServicesAction::Start), Span::new(START.get() + settle.get() * 3))
}

/// The step that leaves them stopped for a person.
pub(super) fn keep_down() -> Step {
    of_its_own(Action::Services(ServicesAction::KeepDown), STOP)
}

/// A step that nobody writes.
pub(super) fn of_its_own(action: Action, timeout: Span) -> Step {
    Step {
        action,
        timeout,
        grace: GRACE,
        on_partial: OnPartial::Stop,
        go_on: false,
        quiet_limit: None,
        dangerous: false,
        judged: Judged::default(),
        prove: Prove::default(),
        at_most: None,
        environment: crate::settings::Environment::new(),
    }
}

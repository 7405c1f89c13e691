//! One step: which action it has, and whether that can be done.

use super::{
    Defaults,
    command::{self, Key},
    database, guard, judged, restore, restoring, tootctl,
};
use crate::{
    diagnostic::Place,
    guard::GuardAction,
    mistake::{self, Mistake},
    read::{At, Fields, Reader},
    settings::{
        Action, AtMost, Environment, Instance, OnPartial, Step, SystemctlAction, SystemctlVerb, USUAL_SETTLE,
        VerifyAction,
    },
    tree::{Kind, Node},
    units,
};
use mastmaint_words::{ProbeName, Span, UnitName};

/// The keys of a step.
pub(crate) const KEYS: &[&str] = &[
    "tootctl",
    "systemctl",
    "run",
    "verify",
    "probe",
    "restore",
    "restore-database",
    "redis-flush",
    "guard",
    "keep",
    "build",
    "memory",
    "restart",
    "full",
    "timeout",
    "grace",
    "quiet_limit",
    "on_partial",
    "continue",
    "prove",
    "at_most",
    "dangerous",
    "tolerate",
    "expect",
    "fail_on",
    "environment",
];
const ACTIONS: [(&str, Key); 9] = [
    ("tootctl", Key::Tootctl),
    ("systemctl", Key::Systemctl),
    ("run", Key::Run),
    ("verify", Key::Verify),
    ("probe", Key::Probe),
    ("restore", Key::Restore),
    (database::KEY, Key::RestoreDatabase),
    ("redis-flush", Key::RedisFlush),
    ("guard", Key::Guard),
];
/// A service that was just started needs some seconds until it answers; one that takes longer is not well.
const PROBE_TIMEOUT: Span = Span::from_secs(120);

/// What a step takes from its surroundings.
pub(super) struct Surroundings<'a> {
    pub(super) defaults: &'a Defaults,
    pub(super) instance: Option<&'a Instance>,
    /// The instance was written but is wrong: its absence is no mistake of the step.
    pub(super) instance_is_wrong: bool,
    pub(super) is_scheduled: bool,
    pub(super) job_timeout: Option<At<Span>>,
    pub(super) environment: &'a Environment,
    /// The names of the probes, as written.
    pub(super) probes: &'a [&'a str],
}

/// The steps that one entry of a list becomes: one, or those of a guard, or of a copy with what is looked at in it.
pub(super) fn steps(reader: &mut Reader, node: &Node, path: &str, around: &Surroundings<'_>) -> Vec<Step> {
    let wanted = "a map with an action, like `tootctl: media remove --days 14`";
    let Some(f) = reader.fields(node, path, wanted, KEYS) else { return vec![] };
    let step = step(reader, &f, around);
    if f.get("guard").is_none() {
        guard::misplaced(reader, &f);
        return match f.get("restore") {
            Some(node) => step.map(|step| restoring::with_looks(node, step)).unwrap_or_default(),
            None => step.into_iter().collect(),
        };
    }
    let written = guard::written(reader, &f, around);
    let settle = around.instance.map_or(USUAL_SETTLE, |instance| instance.settle);
    written.zip(step).map(|(written, step)| guard::steps(written, &step, settle)).unwrap_or_default()
}

fn step(reader: &mut Reader, f: &Fields<'_>, around: &Surroundings<'_>) -> Option<Step> {
    let action = action(reader, f, around);
    let written = reader.span_within(f, "timeout", "a timeout", super::TIMEOUT, "a step takes at most 30d");
    if let (Some(own), Some(job)) = (&written, &around.job_timeout)
        && own.value > job.value
    {
        let odd = Mistake::StepOutlivesJob { step: own.value.to_string(), job: job.value.to_string() };
        reader.odd(own.place, &f.path_of("timeout"), odd);
    }
    let inherited = around.job_timeout.as_ref().map_or(around.defaults.timeout, |at| at.value);
    let usual = match action {
        Some(Action::Probe(_)) => inherited.min(PROBE_TIMEOUT),
        Some(Action::Restore(_) | Action::Database(_)) => inherited.max(restore::TIMEOUT),
        _ => inherited,
    };
    let timeout = written.as_ref().map_or(usual, |at| at.value);
    let grace = reader
        .span_within(f, "grace", "a grace", super::GRACE, "a grace is at most 1d")
        .map_or(around.defaults.grace, |at| at.value);
    let quiet_limit = super::quiet_limit(reader, f);
    let on_partial = reader
        .word(f, "on_partial", "word", &[("go-on", OnPartial::GoOn), ("stop", OnPartial::Stop)])
        .unwrap_or_default();
    let go_on = reader.boolean(f, "continue").unwrap_or(false);
    let prove = super::effect::prove(reader, f, action.as_ref());
    let at_most = super::effect::at_most(reader, f, action.as_ref());
    // Whatever is in it: a look comes first, and a person who approves it.
    let asks_first =
        matches!(action, Some(Action::RedisFlush)).then(|| AtMost { items: Some(0), ..AtMost::default() });
    let at_most = asks_first.or(at_most);
    let judged = judged::judged(reader, f, action.as_ref());
    let own = reader.environment(f, "environment");
    let dangerous = tootctl::dangerous(reader, f, action.as_ref(), around.is_scheduled);
    let action = action?;
    let quiet_limit = quiet_limit_of(reader, f, &action, quiet_limit, timeout, around);
    let mut environment = Environment::new();
    if matches!(action, Action::Systemctl(_) | Action::Verify(_) | Action::Probe(_) | Action::Restore(_)) {
        if !own.is_empty() {
            let why = "only tootctl, run and restore-database steps have variables";
            reader.odd(f.key_place("environment"), &f.path_of("environment"), Mistake::NoEffect { why });
        }
    } else {
        environment.clone_from(around.environment);
        environment.extend(own);
    }
    Some(Step {
        action,
        timeout,
        grace,
        quiet_limit,
        on_partial,
        go_on,
        prove,
        at_most,
        dangerous,
        judged,
        environment,
    })
}

/// What a step writes counts for more than the default. systemctl says nothing while it waits for a unit.
#[expect(clippy::option_option, reason = "nothing written and null written are two things")]
fn quiet_limit_of(
    reader: &mut Reader,
    f: &Fields<'_>,
    action: &Action,
    own: Option<Option<At<Span>>>,
    timeout: Span,
    around: &Surroundings<'_>,
) -> Option<Span> {
    let is_silent = matches!(action, Action::Systemctl(_) | Action::Probe(_));
    if let Some(Some(limit)) = &own {
        let why = match action {
            Action::Systemctl(_) => {
                Some("systemctl is silent while it waits for a unit, which has time limits of its own")
            }
            Action::Probe(_) => {
                Some("a probe that waits for an answer is silent, and has a timeout of its own")
            }
            _ => (limit.value >= timeout).then_some("the step's timeout ends it before"),
        };
        if let Some(why) = why {
            reader.odd(limit.place, &f.path_of("quiet_limit"), Mistake::NoEffect { why });
        }
    }
    let limit = own.map_or(around.defaults.quiet_limit, |own| own.map(|at| at.value));
    limit.filter(|_| !is_silent)
}

fn action(reader: &mut Reader, f: &Fields<'_>, around: &Surroundings<'_>) -> Option<Action> {
    let mut given = ACTIONS.iter().filter(|(name, _)| f.get(name).is_some());
    let Some((name, key)) = given.next() else {
        reader.wrong(f.place, &f.path, Mistake::NoAction);
        return None;
    };
    if let Some((second, _)) = given.next() {
        reader.wrong(f.key_place(second), &f.path, Mistake::TwoActions { first: name, second });
        return None;
    }
    let path = f.path_of(name);
    if matches!(
        key,
        Key::Tootctl | Key::Systemctl | Key::Restore | Key::RestoreDatabase | Key::RedisFlush | Key::Guard
    ) && around.instance.is_none()
        && !around.instance_is_wrong
    {
        reader.wrong(f.key_place(name), &path, Mistake::NoInstance { action: name });
    }
    let node = f.get(name)?;
    match key {
        Key::Tootctl => {
            if around.instance.is_some_and(|instance| instance.user == "root") {
                reader.odd(f.key_place(name), &path, Mistake::TootctlAsRoot);
            }
            command::words(reader, node, &path, *key).map(Action::Tootctl)
        }
        Key::Run => command::words(reader, node, &path, *key).map(Action::Run),
        Key::Systemctl => systemctl(reader, node, &path, around).map(Action::Systemctl),
        Key::Verify => verify(reader, f).map(Action::Verify),
        Key::Probe => probe(reader, f, around).map(Action::Probe),
        Key::Restore => restore::action(reader, f).map(Action::Restore),
        Key::RestoreDatabase => database::action(reader, f).map(Action::Database),
        Key::RedisFlush => flush(reader, f, around),
        // What it is made of is read with the keys that only it has.
        Key::Guard => Some(Action::Guard(GuardAction::Check)),
    }
}

/// Only a person flushes, and only after having seen what is lost.
fn flush(reader: &mut Reader, f: &Fields<'_>, around: &Surroundings<'_>) -> Option<Action> {
    let path = f.path_of("redis-flush");
    if around.is_scheduled {
        reader.wrong(f.key_place("redis-flush"), &path, Mistake::FlushOnSchedule);
    }
    if reader.boolean(f, "redis-flush")? {
        return Some(Action::RedisFlush);
    }
    let why = "a step that does nothing is none: write true, or leave it out".to_owned();
    reader.wrong(f.key_place("redis-flush"), &path, Mistake::BadName { why });
    None
}

fn verify(reader: &mut Reader, f: &Fields<'_>) -> Option<VerifyAction> {
    let full = reader.boolean(f, "full").unwrap_or(false);
    let given = reader.text(f, "verify", "the name of a backup, like nightly-files")?;
    match given.value.parse() {
        Ok(backup) => Some(VerifyAction { backup, full, remote: false }),
        Err(error) => {
            let error: mastmaint_words::NameError = error;
            reader.wrong(given.place, &f.path_of("verify"), Mistake::BadName { why: error.to_string() });
            None
        }
    }
}

fn probe(reader: &mut Reader, f: &Fields<'_>, around: &Surroundings<'_>) -> Option<ProbeName> {
    let given = reader.text(f, "probe", "the name of a probe, like web")?;
    match given.value.parse() {
        Ok(probe) if around.probes.contains(&given.value.as_str()) => Some(probe),
        _ => {
            let help = match mistake::nearest(&given.value, around.probes.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => "name one of those under `probes:`, or add it there".to_owned(),
            };
            let given_name = given.value.chars().take(64).collect();
            let mistake = Mistake::UnknownWord { what: "probe", given: given_name, help };
            reader.wrong(given.place, &f.path_of("probe"), mistake);
            None
        }
    }
}

fn systemctl(
    reader: &mut Reader,
    node: &Node,
    path: &str,
    around: &Surroundings<'_>,
) -> Option<SystemctlAction> {
    let (verb, units, of_units) = if let Kind::Map(pairs) = &node.kind {
        let kept = reader.pairs(node, path, "a map with one verb")?;
        let [(verb, place, value)] = kept.as_slice() else {
            if pairs.len() != 1 {
                reader.wrong(
                    node.place,
                    path,
                    Mistake::TooMany { what: "verbs", count: pairs.len(), max: 1 },
                );
            }
            return None;
        };
        let at = crate::read::join(path, verb);
        let units: Vec<String> = match &value.kind {
            Kind::Text(text) => text.split_whitespace().map(str::to_owned).collect(),
            Kind::Seq(items) => command::list(reader, items, &at)?,
            Kind::Null => vec![],
            _ => {
                let mistake = Mistake::WrongType { wanted: "a list of units", found: value.kind_name() };
                reader.wrong(value.place, &at, mistake);
                return None;
            }
        };
        (At { value: (*verb).to_owned(), place: *place }, units, command::places(value))
    } else {
        let mut words = command::words(reader, node, path, Key::Systemctl)?.into_iter();
        let mut places = command::places(node);
        let place = places.next().unwrap_or(node.place);
        (At { value: words.next().unwrap_or_default(), place }, words.collect(), places)
    };
    let Some(known) = SystemctlVerb::ALL.into_iter().find(|known| known.as_str() == verb.value) else {
        let help = mistake::help(&verb.value, &SystemctlVerb::ALL.map(SystemctlVerb::as_str));
        let given = verb.value.chars().take(64).collect();
        reader.wrong(verb.place, path, Mistake::UnknownWord { what: "verb", given, help });
        return None;
    };
    if units.is_empty() {
        reader.wrong(verb.place, path, Mistake::Empty { wanted: "at least one unit, like [mastodon-web]" });
        return None;
    }
    let units: Vec<(String, Place)> = units.into_iter().zip(of_units).collect();
    let names: Vec<_> =
        units.into_iter().filter_map(|(unit, at)| named_unit(reader, at, path, around, unit)).collect();
    (!names.is_empty()).then_some(SystemctlAction { verb: known, units: names })
}

pub(super) fn named_unit(
    reader: &mut Reader,
    at: Place,
    path: &str,
    around: &Surroundings<'_>,
    unit: String,
) -> Option<UnitName> {
    let name = match unit.parse::<UnitName>() {
        Ok(name) => name,
        Err(error) => {
            reader.wrong(at, path, Mistake::BadName { why: error.to_string() });
            return None;
        }
    };
    if let Some(instance) = around.instance
        && !units::is_named(&instance.services, &name)
    {
        let known: Vec<_> = instance.services.iter().map(UnitName::as_str).collect();
        let help = match mistake::nearest(&unit, known.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("add it there, or use one of {}", known.join(", ")),
        };
        reader.wrong(at, path, Mistake::UnitNotNamed { unit, help });
        return None;
    }
    Some(name)
}

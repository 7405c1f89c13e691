//! One job: its schedule, its policy, its steps.

use super::{
    Defaults, MOST_STEPS, TIMEOUT, bracket, guard, probes::Known, requires, restore, restoring, step,
};
use crate::{
    calendar::Schedule,
    mistake::Mistake,
    read::{At, Fields, Reader},
    settings::{Action, Instance, Job, Step, USUAL_SETTLE, Window},
    tree::{Kind, Node},
};
use mastmaint_words::Span;

/// The keys of a job.
pub(crate) const KEYS: &[&str] = &[
    "description",
    "schedule",
    "timezone",
    "random_delay",
    "window",
    "catch_up",
    "timeout",
    "retry",
    "change",
    "requires",
    "lock",
    "lock_wait",
    "environment",
    "with_services_stopped",
    "steps",
    "then",
];
/// The keys of a window.
pub(crate) const WINDOW: &[&str] = &["from", "until"];

/// `instance`: `None` if there is none, `Some(None)` if it is written but wrong.
#[expect(clippy::option_option, reason = "absent, wrong and right are three things here")]
pub(super) fn job(
    reader: &mut Reader,
    node: &Node,
    name: &str,
    defaults: &Defaults,
    instance: Option<Option<&Instance>>,
    probes: Known<'_>,
) -> Option<Job> {
    let path = crate::read::join("jobs", name);
    let f = reader.fields(node, &path, "a map with schedule and steps", KEYS)?;
    let description = reader.text(&f, "description", "a sentence").map(|at| at.value);
    let random_delay = super::random_delay(reader, &f).map_or(defaults.random_delay, |at| at.value);
    let window = window(reader, &f);
    let schedule = schedule(reader, &f, defaults);
    let catch_up = reader.boolean(&f, "catch_up").unwrap_or(false);
    // What has no effect on a runbook is no part of it either: its settings are those of its effective configuration.
    let (random_delay, window, catch_up) =
        if f.get("schedule").is_some() { (random_delay, window, catch_up) } else { Default::default() };
    let job_timeout = reader.span_within(&f, "timeout", "a timeout", TIMEOUT, "a job takes at most 30d");
    let retry = super::retry(reader, &f, defaults.retry);
    let is_change = reader.boolean(&f, "change").unwrap_or(false);
    let has_window = f.get("schedule").is_some() && f.get("window").is_some();
    let required = requires::requires(reader, &f, instance, has_window);
    let own_lock = super::lock(reader, &f);
    let lock_wait = super::lock_wait(reader, &f).map_or(defaults.lock_wait, |at| at.value);
    let mut environment = defaults.environment.clone();
    environment.extend(reader.environment(&f, "environment"));
    let around = step::Surroundings {
        defaults,
        instance: instance.flatten(),
        instance_is_wrong: instance.is_some_and(|i| i.is_none()),
        is_scheduled: f.get("schedule").is_some(),
        job_timeout: job_timeout.clone(),
        environment: &environment,
        probes: probes.names,
    };
    let settle = around.instance.map_or(USUAL_SETTLE, |instance| instance.settle);
    let stopped = bracket::units(reader, &f, &around);
    let within = steps(reader, &f, &around);
    let restores = restore::stands_right(reader, &f, &within, &around);
    let then = bracket::then(reader, &f, &around, stopped.is_some() || restores);
    bracket::plain_stops(reader, &f, &within.iter().chain(&then));
    let is_guarded = guard::is_one(reader, &path, stopped.is_some() || restores);
    let steps = match (restores, around.instance) {
        (true, Some(instance)) => restoring::put_together(within, then, instance, probes.of_visitors),
        _ => bracket::put_together(stopped, restoring::with_fits(within), then, settle),
    };
    if let (Some(schedule), Some(window)) = (&schedule, &window)
        && let Some(mistake) = super::window::oddity(schedule, window)
    {
        reader.odd(f.get("window").map_or(f.place, |node| node.place), &f.path_of("window"), mistake);
    }
    if let (Some(schedule), Some(window)) = (&schedule, &window)
        && let Some(mistake) = super::window::mistake(schedule, window, random_delay)
    {
        let key = if matches!(mistake, Mistake::DelayBeyondWindow { .. }) && f.get("random_delay").is_some() {
            "random_delay"
        } else {
            "window"
        };
        reader.wrong(f.get(key).map_or(f.place, |node| node.place), &f.path_of(key), mistake);
    }
    let needs_lock =
        |step: &Step| !matches!(step.action, Action::Run(_) | Action::Verify(_) | Action::Probe(_));
    let lock = own_lock.unwrap_or_else(|| match &defaults.lock {
        Some(written) => written.clone(),
        None if steps.iter().any(needs_lock) => "mastodon".parse().ok(),
        None => None,
    });
    let timeout = job_timeout.map_or_else(|| sum(&steps), |at| at.value);
    Some(Job {
        description,
        schedule,
        random_delay,
        window,
        catch_up,
        timeout,
        retry,
        change: is_change || is_guarded,
        requires: required,
        lock,
        lock_wait,
        steps,
    })
}

/// The timeout of a job that writes none: what all its steps may take, graces included, at most 30 days.
fn sum(steps: &[Step]) -> Span {
    let total = steps.iter().map(|step| step.timeout.get() + step.grace.get()).sum();
    Span::new(total).min(Span::from_secs(TIMEOUT.1)).max(Span::from_secs(1))
}

fn steps(reader: &mut Reader, f: &Fields<'_>, around: &step::Surroundings<'_>) -> Vec<Step> {
    let Some(node) = f.get("steps") else {
        reader.wrong(f.place, &f.path, Mistake::EmptySteps);
        return vec![];
    };
    list(reader, node, &f.path_of("steps"), around)
}

/// The steps of a list.
pub(super) fn list(
    reader: &mut Reader,
    node: &Node,
    path: &str,
    around: &step::Surroundings<'_>,
) -> Vec<Step> {
    let items = match &node.kind {
        Kind::Seq(items) if !items.is_empty() => items,
        Kind::Seq(_) | Kind::Null => {
            reader.wrong(node.place, path, Mistake::EmptySteps);
            return vec![];
        }
        _ => {
            let wanted = "a list of steps, each after a hyphen";
            reader.wrong(node.place, path, Mistake::WrongType { wanted, found: node.kind_name() });
            return vec![];
        }
    };
    if items.len() > MOST_STEPS {
        let mistake = Mistake::TooMany { what: "steps", count: items.len(), max: MOST_STEPS };
        reader.wrong(node.place, path, mistake);
    }
    let numbered = items.iter().take(MOST_STEPS).enumerate();
    numbered
        .flat_map(|(index, item)| step::steps(reader, item, &format!("{path}[{}]", index + 1), around))
        .collect()
}

fn schedule(reader: &mut Reader, f: &Fields<'_>, defaults: &Defaults) -> Option<Schedule> {
    let zone = match f.get("timezone") {
        Some(_) => super::zone(reader, f),
        None => Some(defaults.timezone.clone()),
    };
    if f.get("schedule").is_none() {
        for key in ["timezone", "random_delay", "window", "catch_up"] {
            if f.get(key).is_some() {
                let why = "the job has no schedule and is started by hand only";
                reader.odd(f.key_place(key), &f.path_of(key), Mistake::NoEffect { why });
            }
        }
        return None;
    }
    let cron = reader.text(f, "schedule", "five fields or an @alias, like \"30 0 * * *\"")?;
    // A zone that is wrong has been reported; the expression is then judged in a zone that every host has.
    let zone = zone.map_or_else(|| "UTC".to_owned(), |zone| zone.value);
    match Schedule::parse(&cron.value, &zone) {
        Ok(schedule) => Some(schedule),
        Err(error) => {
            reader.wrong(cron.place, &f.path_of("schedule"), Mistake::BadSchedule { error });
            None
        }
    }
}

fn window(reader: &mut Reader, f: &Fields<'_>) -> Option<Window> {
    let node = f.get("window")?;
    let f = reader.fields(node, &f.path_of("window"), "a map, like {until: \"02:30\"}", WINDOW)?;
    let from = time(reader, &f, "from");
    let until = time(reader, &f, "until");
    if f.get("until").is_none() {
        let help = "write when the window ends, like until: \"02:30\"";
        reader.wrong(f.place, &f.path, Mistake::MissingKey { key: "until", help });
    }
    let until = until?;
    if from.as_ref().is_some_and(|from| from.value == until.value) {
        reader.wrong(until.place, &f.path_of("until"), Mistake::EmptyWindow);
        return None;
    }
    Some(Window { from: from.map(|at| at.value), until: until.value })
}

pub(super) fn time(reader: &mut Reader, f: &Fields<'_>, key: &str) -> Option<At<jiff::civil::Time>> {
    let text = reader.text(f, key, "a time of day, like \"02:30\"")?;
    let parsed = text.value.split_once(':').and_then(|(hour, minute)| {
        let part = |text: &str| (text.len() == 2).then(|| text.parse::<i8>().ok()).flatten();
        jiff::civil::Time::new(part(hour)?, part(minute)?, 0, 0).ok()
    });
    if parsed.is_none() {
        let given = text.value.chars().take(64).collect();
        reader.wrong(text.place, &f.path_of(key), Mistake::BadTime { given });
    }
    parsed.map(|value| At { value, place: text.place })
}

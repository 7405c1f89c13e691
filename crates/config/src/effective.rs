//! The effective configuration as YAML in the schema of the config file, every default written out. Reading it gives
//! the same settings again.

mod written_guard;
mod written_target;

use crate::guard::GuardAction;
use crate::probes::Probes;
use crate::requires::Requires;
use crate::settings::{
    Action, AtMost, Copied, DatabaseAction, Dump, Environment, Job, OnPartial, Prove, Restore, RestoreAction,
    Retry, Settings, Step,
};
use jiff::Timestamp;
use mastmaint_words::{
    BackupName, LockName, ProbeName, RunId, Span, StepIndex, UnitName,
    backup::{Backup, Budget, Decrypt, DrillPlan, Place},
};
use serde::Serialize;
use std::{collections::BTreeMap, path::Path};

#[derive(Serialize)]
struct Document<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<Instance<'a>>,
    ledger: crate::settings::LedgerSettings,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    backups: BTreeMap<&'a str, WrittenBackup<'a>>,
    jobs: BTreeMap<&'a str, WrittenJob<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notify: Vec<written_target::WrittenTarget<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    holds: Vec<WrittenHold<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    probes: &'a Probes,
}

#[derive(Serialize)]
struct WrittenHold<'a> {
    from: Timestamp,
    until: Timestamp,
    reason: &'a str,
}

#[derive(Serialize)]
struct Instance<'a> {
    live: &'a Path,
    user: &'a str,
    services: &'a [UnitName],
    settle: Span,
    environment: &'a Environment,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

#[derive(Serialize)]
struct WrittenBackup<'a> {
    #[serde(flatten)]
    place: &'a Place,
    #[serde(rename = "in", skip_serializing_if = "Option::is_none")]
    inside: Option<&'a BackupName>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    decrypt: BTreeMap<&'static str, &'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_age: Option<Span>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    require: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    forbid: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<&'a BackupName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drill: Option<&'a DrillPlan>,
    // Not of one that another host verifies.
    #[serde(flatten)]
    proving: Option<Proving>,
}

/// How a backup is verified.
#[derive(Serialize)]
struct Proving {
    budget: Budget,
    prove_every: Span,
    wait: Span,
}

#[derive(Serialize)]
struct WrittenJob<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(flatten)]
    timing: Option<Timing<'a>>,
    timeout: Span,
    retry: Retry,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    change: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    requires: Option<&'a Requires>,
    lock: Option<&'a LockName>,
    lock_wait: Span,
    #[serde(skip_serializing_if = "Option::is_none")]
    with_services_stopped: Option<&'a [UnitName]>,
    steps: Vec<WrittenStep<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    then: Vec<WrittenStep<'a>>,
}

/// What only a job with a schedule has.
#[derive(Serialize)]
struct Timing<'a> {
    schedule: &'a str,
    timezone: &'a str,
    random_delay: Span,
    #[serde(skip_serializing_if = "Option::is_none")]
    window: Option<WrittenWindow>,
    catch_up: bool,
}

#[derive(Serialize)]
struct WrittenWindow {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    until: String,
}

#[derive(Serialize)]
struct WrittenStep<'a> {
    #[serde(flatten)]
    action: BTreeMap<&'static str, WrittenAction<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    full: bool,
    timeout: Span,
    grace: Span,
    #[serde(skip_serializing_if = "Option::is_none")]
    quiet_limit: Option<Span>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on_partial: Option<OnPartial>,
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    go_on: Option<bool>,
    #[serde(flatten)]
    guard: Option<written_guard::OwnKeys<'a>>,
    #[serde(skip_serializing_if = "Prove::is_none")]
    prove: Prove,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_most: Option<AtMost>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    dangerous: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tolerate: Option<Tolerate>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    expect: &'a [String],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    fail_on: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    environment: &'a Environment,
}

#[derive(Serialize)]
struct Tolerate {
    errors: u32,
}

#[derive(Serialize)]
#[serde(untagged)]
enum WrittenAction<'a> {
    Words(&'a [String]),
    Backup(&'a BackupName),
    Restore(WrittenRestore<'a, Restore>),
    Database(WrittenRestore<'a, Dump>),
    Flag(bool),
    Probe(&'a ProbeName),
    Units(BTreeMap<&'static str, &'a [UnitName]>),
    Commands(Vec<&'a [String]>),
}

/// A restore of files, or of a database.
#[derive(Serialize)]
#[serde(untagged)]
enum WrittenRestore<'a, T> {
    Forth {
        #[serde(flatten)]
        what: &'a T,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        without_assets: bool,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        rehearse: bool,
    },
    Back {
        rollback: &'a RunId,
    },
    Prepared {
        prepared: &'a RunId,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        without_assets: bool,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        rehearse: bool,
    },
    Prune {
        prune: &'a RunId,
    },
}

/// The effective configuration for people: what is secret about the targets of `notify:` is masked. Elsewhere it is as
/// [`effective_yaml`] has it.
///
/// # Errors
/// As that.
pub fn shown_yaml(settings: &Settings) -> Result<String, String> {
    let notify = settings.notify.iter().map(crate::targets::Target::masked).collect();
    effective_yaml(&Settings { notify, ..settings.clone() })
}

/// The effective configuration as YAML.
///
/// # Errors
/// Only if a path is not UTF-8, which no configuration can say.
pub fn effective_yaml(settings: &Settings) -> Result<String, String> {
    let instance = settings.instance.as_ref().map(|i| Instance {
        live: &i.live,
        user: &i.user,
        services: &i.services,
        settle: i.settle,
        environment: &i.environment,
        url: i.url.as_deref(),
    });
    let jobs = settings.jobs.iter().map(|(name, job)| (name.as_str(), written(job))).collect();
    let backups = settings.backups.iter().map(|(name, b)| (name.as_str(), written_backup(b))).collect();
    let holds = settings.holds.iter();
    let holds =
        holds.map(|hold| WrittenHold { from: hold.from, until: hold.until, reason: &hold.reason }).collect();
    let notify = settings.notify.iter().map(written_target::written).collect();
    let probes = &settings.probes;
    let document = Document { instance, ledger: settings.ledger, backups, jobs, holds, notify, probes };
    let yaml = serde_yaml::to_string(&document).map_err(|error| error.to_string())?;
    Ok(format!(
        "# The effective configuration of mastmaintd: what the files say, with every default written out.\n\
         # It may hold secrets of environments. What each key means is in the sample that the package installs.\n{yaml}"
    ))
}

fn written_backup(backup: &Backup) -> WrittenBackup<'_> {
    let keys = match &backup.decrypt {
        None => [None, None],
        Some(Decrypt::Age { key }) => [Some(("age", key)), None],
        Some(Decrypt::Gpg { key, passphrase }) => {
            [key.as_ref().map(|k| ("gpg", k)), passphrase.as_ref().map(|p| ("passphrase_file", p))]
        }
    };
    WrittenBackup {
        place: &backup.place,
        inside: backup.inside.as_ref(),
        decrypt: keys.into_iter().flatten().map(|(key, path)| (key, path.as_path())).collect(),
        max_age: backup.max_age,
        require: &backup.require,
        forbid: &backup.forbid,
        live: backup.live.as_deref(),
        files: backup.files.as_ref(),
        drill: backup.drill.as_ref(),
        proving: (!backup.place.is_pulled()).then_some(Proving {
            budget: backup.budget,
            prove_every: backup.prove_every,
            wait: backup.wait,
        }),
    }
}

fn written(job: &Job) -> WrittenJob<'_> {
    let time = |time: jiff::civil::Time| format!("{:02}:{:02}", time.hour(), time.minute());
    let timing = job.schedule.as_ref().map(|schedule| Timing {
        schedule: schedule.as_str(),
        timezone: schedule.timezone_name(),
        random_delay: job.random_delay,
        window: job.window.map(|w| WrittenWindow { from: w.from.map(time), until: time(w.until) }),
        catch_up: job.catch_up,
    });
    let (bracket, guard, swap, way_back) = (job.bracket(), job.guard(), job.swap(), job.way_back());
    let (mut steps, mut then) = (Vec::new(), Vec::new());
    for (index, step) in job.indexed_steps() {
        let list = if bracket.is_some_and(|bracket| index > bracket.start) { &mut then } else { &mut steps };
        list.extend(match &step.action {
            Action::Guard(GuardAction::Begin(point)) => written_guard::written(job, step, point),
            // A part of the guard, which stands there as a whole.
            _ if guard.is_some_and(|guard| guard.begin < index && index <= guard.look_again) => None,
            // What follows from a restore of a database.
            _ if swap.is_some_and(|swap| swap.matches <= index && index <= swap.keep_down) => None,
            // And of one of files alone.
            _ if way_back.is_some_and(|way| way.holds(index)) => None,
            _ => written_step(job, index, step),
        });
    }
    WrittenJob {
        description: job.description.as_deref(),
        timing,
        timeout: job.timeout,
        retry: job.retry,
        change: job.change,
        requires: job.requires.as_ref(),
        lock: job.lock.as_ref(),
        lock_wait: job.lock_wait,
        // A restore has a bracket of its own.
        with_services_stopped: bracket.filter(|_| !job.restores()).map(|bracket| bracket.units),
        steps,
        then,
    }
}

/// `None` for the ends of a bracket and the parts of a guard, which no file writes as steps.
fn written_step<'a>(job: &Job, index: StepIndex, step: &'a Step) -> Option<WrittenStep<'a>> {
    let forth =
        |what, rehearse| WrittenRestore::Forth { what, without_assets: takes_any(job, index), rehearse };
    let loaded = |what, rehearse| WrittenRestore::Forth { what, without_assets: false, rehearse };
    let action = match &step.action {
        Action::Tootctl(words) | Action::Run(words) => WrittenAction::Words(words),
        Action::Verify(action) => WrittenAction::Backup(&action.backup),
        Action::Probe(probe) => WrittenAction::Probe(probe),
        Action::Systemctl(action) => {
            WrittenAction::Units(BTreeMap::from([(action.verb.as_str(), action.units.as_slice())]))
        }
        // A copy that is there already stands where it is looked at.
        Action::Restore(RestoreAction::Assets { copy: Copied::By(prepared), needed }) => {
            let (without_assets, rehearse) = (!needed, !job.restores());
            WrittenAction::Restore(WrittenRestore::Prepared { prepared, without_assets, rehearse })
        }
        Action::Database(DatabaseAction::Switch(Copied::By(prepared))) => {
            let (without_assets, rehearse) = (false, false);
            WrittenAction::Database(WrittenRestore::Prepared { prepared, without_assets, rehearse })
        }
        Action::Restore(
            RestoreAction::Try(_)
            | RestoreAction::Assets { .. }
            | RestoreAction::Switch(_)
            | RestoreAction::Back(Copied::Here)
            | RestoreAction::Ask(_),
        )
        | Action::Database(
            DatabaseAction::Fits(_)
            | DatabaseAction::WouldMatch { .. }
            | DatabaseAction::Ready(_)
            | DatabaseAction::Switch(Copied::Here)
            | DatabaseAction::MatchNew { .. }
            | DatabaseAction::Match
            | DatabaseAction::Back(Copied::Here),
        )
        | Action::Services(_)
        | Action::Guard(_) => {
            return None;
        }
        Action::Restore(RestoreAction::Rehearse(restore)) => WrittenAction::Restore(forth(restore, true)),
        Action::Restore(RestoreAction::Prepare(restore)) => WrittenAction::Restore(forth(restore, false)),
        Action::Restore(RestoreAction::Back(Copied::By(rollback))) => {
            WrittenAction::Restore(WrittenRestore::Back { rollback })
        }
        Action::RedisFlush => WrittenAction::Flag(true),
        Action::Database(DatabaseAction::Rehearse(dump)) => WrittenAction::Database(loaded(dump, true)),
        Action::Database(DatabaseAction::Load(dump)) => WrittenAction::Database(loaded(dump, false)),
        Action::Database(DatabaseAction::Back(Copied::By(rollback))) => {
            WrittenAction::Database(WrittenRestore::Back { rollback })
        }
        Action::Database(DatabaseAction::Prune(prune)) => {
            WrittenAction::Database(WrittenRestore::Prune { prune })
        }
    };
    Some(WrittenStep {
        action: BTreeMap::from([(step.action.kind(), action)]),
        full: matches!(&step.action, Action::Verify(action) if action.full),
        timeout: step.timeout,
        grace: step.grace,
        quiet_limit: step.quiet_limit,
        on_partial: Some(step.on_partial),
        go_on: Some(step.go_on),
        guard: None,
        prove: step.prove,
        at_most: step.at_most,
        dangerous: step.dangerous,
        tolerate: tolerate(step),
        expect: &step.judged.expect,
        fail_on: &step.judged.fail_on,
        environment: &step.environment,
    })
}

/// Whether the copy of a step may have assets that are not whole.
fn takes_any(job: &Job, index: StepIndex) -> bool {
    let looks = job.steps.iter().skip(usize::from(index.0)).find_map(|step| match step.action {
        Action::Restore(RestoreAction::Assets { needed, .. }) => Some(!needed),
        _ => None,
    });
    looks.unwrap_or(false)
}

/// Steps without items that could fail have none to tolerate.
fn tolerate(step: &Step) -> Option<Tolerate> {
    let has_items = !matches!(
        step.action,
        Action::Systemctl(_)
            | Action::Verify(_)
            | Action::Probe(_)
            | Action::Restore(_)
            | Action::Database(_)
    );
    has_items.then_some(Tolerate { errors: step.judged.tolerated_errors })
}

//! A guard in the schema of the config file: its parts in one step again.

use super::{WrittenAction, WrittenStep};
use crate::{
    guard::{GuardAction, SafePoint},
    settings::{Action, Job, Prove, Step},
};
use mastmaint_words::{Bytes, UnitName};
use serde::Serialize;
use std::{collections::BTreeMap, path::PathBuf};

/// What only a guard has.
#[derive(Serialize)]
pub(super) struct OwnKeys<'a> {
    #[serde(skip_serializing_if = "<[PathBuf]>::is_empty")]
    keep: &'a [PathBuf],
    build: bool,
    memory: Bytes,
    restart: &'a [UnitName],
}

/// The guard that begins with this step; `None` if it is not whole, which no configuration makes.
pub(super) fn written<'a>(job: &'a Job, begin: &'a Step, point: &'a SafePoint) -> Option<WrittenStep<'a>> {
    let guard = job.guard()?;
    let at = |index: mastmaint_words::StepIndex| job.steps.get(usize::from(index.0));
    let Action::Systemctl(restart) = &at(guard.restart)?.action else { return None };
    let commands: Vec<&Step> = job.steps.iter().filter(|step| command(step).is_some()).collect();
    let first = commands.first()?;
    let written = commands.len() - usize::from(point.builds);
    let argvs: Vec<&[String]> = commands.iter().take(written).filter_map(|step| command(step)).collect();
    // Whether what nobody wrote is built, or nothing: a command that builds is enough.
    let build = point.builds || argvs.iter().any(|argv| crate::effect::builds_assets(argv));
    Some(WrittenStep {
        action: BTreeMap::from([("guard", WrittenAction::Commands(argvs))]),
        full: false,
        timeout: first.timeout,
        grace: first.grace,
        quiet_limit: first.quiet_limit,
        on_partial: None,
        go_on: None,
        guard: Some(OwnKeys { keep: &point.keep, build, memory: point.memory, restart: &restart.units }),
        prove: Prove::default(),
        at_most: None,
        dangerous: false,
        tolerate: None,
        expect: &first.judged.expect,
        fail_on: &first.judged.fail_on,
        environment: &begin.environment,
    })
}

fn command(step: &Step) -> Option<&[String]> {
    match &step.action {
        Action::Guard(GuardAction::Command(argv)) => Some(argv),
        _ => None,
    }
}

//! A process with what is looked at around it: whether it may run at all, a sample of what it must remove, the room on
//! the disk of the media, and after it whether its effect is there.

use super::plan::Process;
use super::work::settled;
use crate::exec::{Limits, OrderReceiver, Sink, execute};
use crate::guard;
use crate::proof::{self, Again, Around, Proof, Prover};
use crate::protocol::{EndingCause, EventKind, StepReport};
use crate::verdict::{Judge, Terms, cut_short};
use jiff::Timestamp;
use mastmaint_instance::Free;
use mastmaint_words::{Looked, Outcome, Reason, Sample, Space, Span, StepKey, Verdict};
use std::time::{Duration, Instant};

/// A look before the command takes at most this long.
const BEFORE: Duration = Duration::from_mins(1);
/// A look after it may go beyond the step's timeout by this much.
const BEYOND: Duration = Duration::from_mins(1);
/// What a second run must have left of the timeout to be begun.
const LEAST: Duration = Duration::from_secs(5);

const NO_PROVER: &str = "there is no mastmaint-prove beside mastmaint-runner";

/// Runs the process and looks at its effect.
pub(super) fn run(
    key: StepKey,
    process: &Process,
    orders: &mut OrderReceiver,
    sink: &mut dyn Sink,
) -> StepReport {
    let (around, clock) = (&process.around, Instant::now());
    let named = match one_state(around) {
        Ok(named) => named,
        Err(verdict) => return settled(key, redacted(verdict, process)),
    };
    let forced =
        around.forces_build.as_ref().map(|(live, environment)| guard::Forced::begin(live, environment));
    if let Some(stay_up) = &around.stay_up {
        stay_up.count_anew();
    }
    let sample = sample(process);
    let before = free(around);
    let mut report = once(key, process, left(process, clock), orders, sink);
    report.space = before.zip(free(around)).map(|(before, after)| Space {
        total_bytes: after.total,
        free_before_bytes: before.free,
        free_after_bytes: after.free,
    });
    if around.looks_only {
        // How many files there are all in all: what the dry run finds no row for, and what rows name.
        let numbers = &mut report.verdict.numbers;
        numbers.visited = numbers.removed.zip(named).map(|(found, named)| found + named).or(numbers.visited);
        return report;
    }
    if let Some(stay_up) = around.stay_up.as_ref().filter(|_| report.verdict.outcome == Outcome::Ok) {
        let wait = &mut |patience| orders.wait(patience);
        report.verdict = stay_up.watch(wait).unwrap_or_else(cut_short);
        (report.ended, report.took) = (Timestamp::now(), Span::new(clock.elapsed()));
        return report;
    }
    // What broke off has its reason already; there is nothing to prove.
    if report.exit == Some(0) && is_over(report.verdict.outcome) {
        if let Some(sample) = sample {
            let limit = left(process, clock).timeout + BEYOND;
            take(&mut report.verdict, process, second_look(around.prover.as_ref(), sample, limit));
        }
        if around.assets {
            let limit = left(process, clock).timeout + BEYOND;
            let looked = match &around.prover {
                Some(prover) => prover.assets(limit),
                None => Err(NO_PROVER.to_owned()),
            };
            take(&mut report.verdict, process, proof::of_assets(looked));
            // Of what is there already nothing is wrong: that alone proves no build.
            let none =
                forced.filter(|_| report.verdict.outcome == Outcome::Ok).and_then(|f| f.nothing_built());
            if let Some(none) = none {
                report.verdict = redacted(Verdict { numbers: report.verdict.numbers, ..none }, process);
            }
        }
        if let Some(again) = &around.again {
            let proof = once_more(process, again, &report, left(process, clock), orders);
            take(&mut report.verdict, process, proof);
        }
        (report.ended, report.took) = (Timestamp::now(), Span::new(clock.elapsed()));
    }
    report
}

/// Whether it ran to its end, however that was.
const fn is_over(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Ok | Outcome::Partial | Outcome::Failed)
}

fn once(
    key: StepKey,
    process: &Process,
    limits: Limits,
    orders: &mut OrderReceiver,
    sink: &mut dyn Sink,
) -> StepReport {
    execute(key, &process.command, limits, orders, &process.redactor, process.judge.as_ref(), sink)
}

/// What is left of the step's time.
fn left(process: &Process, since: Instant) -> Limits {
    let timeout = process.limits.timeout.saturating_sub(since.elapsed());
    Limits { timeout, ..process.limits }
}

fn free(around: &Around) -> Option<Free> {
    around.media.as_deref().and_then(|path| Free::at(path).ok())
}

/// How many files rows name, if that was looked at; the verdict that keeps the command from running.
fn one_state(around: &Around) -> Result<Option<u64>, Verdict> {
    if !around.one_state {
        return Ok(None);
    }
    let looked =
        around.prover.as_ref().map_or_else(|| Err(NO_PROVER.to_owned()), |prover| prover.together(BEFORE));
    proof::of_state(looked).map(Some)
}

/// What the command must remove, or why that is not known.
fn sample(process: &Process) -> Option<Result<Sample, String>> {
    let rows = process.around.sample?;
    let Some(prover) = &process.around.prover else {
        return Some(Err(NO_PROVER.to_owned()));
    };
    Some(match prover.before(rows, &process.command.args, BEFORE.min(process.limits.timeout)) {
        Ok(Looked::Sample(sample)) => Ok(sample),
        Ok(Looked::Blind { why, .. }) | Err(why) => Err(why),
        Ok(_) => Err("the prover answered something else".to_owned()),
    })
}

fn second_look(prover: Option<&Prover>, sample: Result<Sample, String>, limit: Duration) -> Proof {
    let looked = sample.and_then(|sample| match prover {
        Some(prover) => prover.after(&sample, limit),
        None => Err("there is no prover".to_owned()),
    });
    proof::of_sample(looked)
}

/// The same with `--dry-run`: what it says is for the verdict only.
fn once_more(
    process: &Process,
    again: &Again,
    report: &StepReport,
    limits: Limits,
    orders: &mut OrderReceiver,
) -> Proof {
    if limits.timeout < LEAST {
        let text = "its effect was not looked at: the step's timeout is used up";
        return Proof::NotTaken(Reason::new("not-proved", text));
    }
    let judge =
        Judge::tootctl(&again.command.args).with(Terms { version: again.version, ..Terms::default() });
    let dry = execute(
        report.key.clone(),
        &again.command,
        Limits { timeout_cause: EndingCause::StepTimeout, ..limits },
        orders,
        &process.redactor,
        &|ended| judge.judge(ended),
        &mut Quiet,
    );
    let how = proof::HowRead { deletes_files: again.deletes_files, counts_visits: again.counts_visits };
    let numbers = report.verdict.numbers;
    let done = if again.counts_visits { numbers.visited } else { numbers.removed };
    proof::of_again(&dry.verdict, done, again.tolerance, how)
}

fn take(verdict: &mut Verdict, process: &Process, proof: Proof) {
    *verdict = redacted(proof::merge(verdict.clone(), proof), process);
}

fn redacted(mut verdict: Verdict, process: &Process) -> Verdict {
    for reason in &mut verdict.reasons {
        reason.text = process.redactor.redact(&reason.text).into_owned();
    }
    verdict
}

/// Hears nothing.
struct Quiet;

impl Sink for Quiet {
    fn event(&mut self, _: EventKind) {}
}

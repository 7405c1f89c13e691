//! The sentences. Pure: something worth telling in, entries out.

use super::{Telling, Told, holds, probes};
use crate::{recorder::LedgerNews, run::RunSpec};
use jiff::Timestamp;
use mastmaint_config::zone;
use mastmaint_health::{Entry, Level, MessageId, Stream};
use mastmaint_runner::protocol::{EndingCause, LineClass};
use mastmaint_words::{Numbers, Outcome, StepIndex, Trigger, Verdict, human};
use std::time::Duration;

/// The entries for something worth telling. Pure.
pub(super) fn entries(told: Told, spec: Option<&RunSpec>) -> Vec<Entry> {
    let one = |entry: Entry| vec![entry];
    match told {
        Told::Ready { jobs, adopted, warnings } => {
            let taken = match adopted {
                0 => String::new(),
                1 => "; goes on with 1 run of before".to_owned(),
                many => format!("; goes on with {many} runs of before"),
            };
            let ready = Entry::info(format!(
                "ready: {}{taken}",
                if jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") }
            ))
            .id(MessageId::DaemonReady);
            warnings.into_iter().map(Entry::warning).chain([ready]).collect()
        }
        Told::Stopping => {
            one(Entry::info("stopping; what runs goes on in its room").id(MessageId::DaemonStopping))
        }
        Told::CannotStart { why, config } => {
            let entry = Entry::error(format!("cannot start: {why}"));
            one(if config { entry.id(MessageId::ConfigRefused) } else { entry })
        }
        Told::ConfigAccepted { digest, warnings, changes } => {
            let text = format!("configuration {digest} is in force: {changes}");
            let accepted = Entry::info(text).id(MessageId::ConfigAccepted);
            warnings.into_iter().map(Entry::warning).chain([accepted]).collect()
        }
        Told::ConfigRefused { mistakes } => {
            let text = "the new configuration is refused, the old one stays in force";
            let refused = Entry::error(text).id(MessageId::ConfigRefused);
            let each = mistakes.into_iter().map(|m| Entry::error(m).id(MessageId::ConfigRefused));
            [refused].into_iter().chain(each).collect()
        }
        Told::ClockStepped => {
            one(Entry::notice("the clock was set or the host slept: every schedule was looked at again")
                .id(MessageId::ClockStepped))
        }
        Told::Ledger(news) => one(of_ledger(news)),
        Told::NothingKnown { why } => one(Entry::error(why)),
        Told::UnreadableRows { rows } => {
            let text = "cannot be read by this version and are passed over; install the newer one again";
            one(Entry::error(format!("{rows} rows of the ledger {text}")).id(MessageId::LedgerNotRecording))
        }
        Told::LostAtTheEnd { entries } => {
            let text = "entries could not be written before the end and are only in this journal";
            one(Entry::error(format!("ledger: {entries} {text}")).id(MessageId::LedgerNotRecording))
        }
        Told::SchedulerBroken { why } => {
            one(Entry::error(format!("the scheduler does not take its plan: {why}; restart mastmaintd")))
        }
        Told::SlotsCovered { job, missed } => {
            let text = format!("{job}: {missed} earlier slots were missed; one run stands for all of them");
            one(Entry::warning(text).id(MessageId::SlotMissed).job(&job).items(Some(missed.into())))
        }
        Told::SlotsMissed { job, slots, newest, why } => {
            let count = if slots == 1 { "the slot".to_owned() } else { format!("{slots} slots up to") };
            let text = format!("{job}: {count} {} was missed and is not run: {why}", on_the_clock(newest));
            one(Entry::warning(text).id(MessageId::SlotMissed).job(&job).items(Some(slots.into())))
        }
        Told::RetryDropped { job } => {
            let text = format!("{job}: its planned retry is given up");
            one(Entry::notice(text).id(MessageId::RetryPlanned).job(&job))
        }
        Told::LeftBehind { job, working, lost } => {
            let what = if working { "still goes on" } else { "is over" };
            let then = lost.map_or_else(
                || "it is followed to its end".to_owned(),
                |why| format!("it cannot be followed: {why}"),
            );
            let text = format!("{job}: a step that the ledger does not know {what} in its room; {then}");
            one(Entry::warning(text).id(MessageId::StepAdopted).job(&job))
        }
        Told::RunGivenUp { run, job, verdict } => {
            one(of_verdict(format!("{job}: {verdict}"), &verdict).job(&job).run(&run))
        }
        Told::Approved { job, skipped, uid } => {
            let text = format!("{job} is started by user {uid}, allowing what the look of {skipped} found");
            one(Entry::notice(text).job(&job).run(&skipped))
        }
        Told::Paused { job, uid } => {
            let text = format!("{job} is paused by user {uid}: it does not run by schedule until resumed");
            one(Entry::notice(text).id(MessageId::JobPaused).job(&job))
        }
        Told::Resumed { job } => {
            one(Entry::notice(format!("{job} is resumed")).id(MessageId::JobResumed).job(&job))
        }
        Told::Telling(telling) => one(of_telling(telling)),
        Told::Hold(news) => one(holds::entry(&news)),
        Told::Probe(news) => one(probes::entry(news)),
        of_a_run => one(of_run(of_a_run, spec)),
    }
}

/// The entry for something about telling people.
fn of_telling(telling: Telling) -> Entry {
    match telling {
        Telling::NotTold { target, why } => {
            let text = format!("cannot notify target {target}: {why}; it is tried again");
            Entry::error(text).id(MessageId::NotNotified)
        }
        Telling::ToldAgain { target } => {
            Entry::notice(format!("target {target} is notified again")).id(MessageId::NotifiedAgain)
        }
        Telling::MessageGivenUp { target, subject } => {
            let text = format!("target {target} was never told, and will not be any more: {subject}");
            Entry::error(text).id(MessageId::NotNotified)
        }
        Telling::FindingAcknowledged { finding, until, uid } => {
            let until = until.map_or_else(|| "it is gone".to_owned(), on_the_clock);
            let text = format!("finding {finding}: user {uid} knows; nobody is reminded until {until}");
            Entry::notice(text).id(MessageId::Acknowledged)
        }
        Telling::TargetGone { target, subject } => {
            let target = target.map_or_else(String::new, |target| format!(" {target}"));
            let text =
                format!("target{target} is not in the configuration any more and was never told: {subject}");
            Entry::warning(text).id(MessageId::NotNotified)
        }
        Telling::Acknowledged { job, until, uid } => {
            let until = until.map_or_else(|| "it changes".to_owned(), on_the_clock);
            let text = format!("{job}: user {uid} knows; nobody is reminded until {until}");
            Entry::notice(text).id(MessageId::Acknowledged).job(&job)
        }
    }
}

/// The entry for something about a run. What is no run's has been dealt with.
fn of_run(told: Told, spec: Option<&RunSpec>) -> Entry {
    let step_of = |step: StepIndex| {
        spec.map_or_else(String::new, |spec| {
            format!("{} {step}/{}", spec.job_name, spec.job.steps_in_sight(step))
        })
    };
    let job = || spec.map_or_else(String::new, |spec| spec.job_name.to_string());
    match told {
        Told::RunStarted => {
            let (trigger, dry) =
                spec.map_or(("", ""), |s| (s.trigger.as_str(), if s.dry_run { ", dry run" } else { "" }));
            let caught_up = spec.is_some_and(|s| matches!(s.trigger, Trigger::CatchUp { .. }));
            let id = if caught_up { MessageId::CatchUp } else { MessageId::RunStarted };
            Entry::info(format!("{} started ({trigger}{dry})", job())).id(id)
        }
        Told::RunWaits { why } => Entry::info(format!("{} {why}", job())).id(MessageId::RunQueued),
        Told::RetryOutsideWindow => {
            let text = format!("{}: not tried again, its window would be closed by then", job());
            Entry::warning(text).id(MessageId::SlotMissed)
        }
        Told::CancelAsked { uid } => Entry::notice(format!("{} is cancelled by user {uid}", job())),
        Told::NotStopped { step, why } => {
            Entry::error(format!("{}: not stopped again: {why}", job())).step(step)
        }
        Told::NotRecorded { what, why } => Entry::error(format!("{}: {what} is not recorded: {why}", job()))
            .id(MessageId::LedgerNotRecording),
        Told::StepStarted { step, title } => {
            Entry::info(format!("{}: {title}", step_of(step))).id(MessageId::StepStarted).step(step)
        }
        Told::StepAdopted { step, title } => {
            let text =
                format!("{}: {title} goes on; it was begun before the daemon's restart", step_of(step));
            Entry::notice(text).id(MessageId::StepAdopted).step(step)
        }
        Told::RoomLost { step, why } => {
            let text = format!("{}: {why}; trying again, the step itself may be going on", step_of(step));
            Entry::warning(text).step(step)
        }
        Told::Line { step, stderr, class, text } => {
            let level = match class {
                LineClass::Output | LineClass::Success => Level::Info,
                LineClass::Warning => Level::Warning,
                LineClass::Error => Level::Error,
            };
            let stream = if stderr { Stream::Stderr } else { Stream::Stdout };
            // Two jobs may speak at once, and plain journalctl shows no fields.
            let text = format!("{} {step}: {text}", job());
            Entry::new(level, text).id(MessageId::StepOutput).step(step).stream(stream)
        }
        Told::Slow { step, running } => {
            let running = human::span(running.get());
            let text = format!("{}: still running after {running}; its timeout is near", step_of(step));
            Entry::warning(text).id(MessageId::StepSlow).step(step)
        }
        Told::Quiet { step, running, silence, limit } => {
            let [running, silence, limit] = [running, silence, limit].map(|span| human::span(span.get()));
            let text = format!(
                "{}: still running after {running}, without a sign of life for {silence}; it is ended after {limit} of that",
                step_of(step)
            );
            Entry::warning(text).id(MessageId::StepQuiet).step(step)
        }
        Told::Ending { step, why, grace } => {
            let why = match why {
                EndingCause::StepTimeout => "the step's timeout is over",
                EndingCause::JobTimeout => "the job's timeout is over",
                EndingCause::QuietLimit => "no sign of life within its quiet_limit",
                EndingCause::Cancel => "it is cancelled",
                EndingCause::RoomStopped => "its room is being stopped",
            };
            let grace = human::span(grace.get());
            let text = format!("{}: {why}: TERM was sent, KILL follows after {grace}", step_of(step));
            Entry::warning(text).id(MessageId::StepEnding).step(step)
        }
        Told::StepEnded { step, title, end } => {
            let how = ended_how(&end.verdict, Some(end.took.get()));
            let text = format!("{}: {title}: {how}", step_of(step));
            of_verdict(text, &end.verdict).id(ended_id(&end.verdict)).step(step).duration(end.took.get())
        }
        Told::BracketOpened { step, units } => {
            let text = format!("{}: {units} stopped, to be started again whatever happens", job());
            Entry::notice(text).id(MessageId::BracketOpened).step(step)
        }
        Told::BracketClosed { step, how } => {
            Entry::notice(format!("{}: {how}", job())).id(MessageId::BracketClosed).step(step)
        }
        Told::BracketNotConfirmed { step, why } => {
            Entry::error(format!("{}: {why}", job())).id(MessageId::BracketNotConfirmed).step(step)
        }
        Told::RetryPlanned { at, attempt, of } => {
            let text = format!("{}: tried again at {} (retry {attempt} of {of})", job(), on_the_clock(at));
            Entry::notice(text).id(MessageId::RetryPlanned)
        }
        Told::RunEnded { verdict, started, ended } => {
            let took = started.and_then(|s| ended.duration_since(s).try_into().ok());
            let text = format!("{}: {}", job(), ended_how(&verdict, took));
            let entry = of_verdict(text, &verdict).id(MessageId::run_ended(verdict.outcome));
            took.map_or(entry.clone(), |took| entry.duration(took))
        }
        other => Entry::debug(format!("{other:?}")),
    }
}

fn of_ledger(news: LedgerNews) -> Entry {
    match news {
        LedgerNews::NotRecording { why } => Entry::error(why).id(MessageId::LedgerNotRecording),
        LedgerNews::RecordingAgain => {
            let text = "runs are recorded again; what happened in between is only in this journal";
            Entry::notice(text).id(MessageId::LedgerRecordingAgain)
        }
        LedgerNews::SetAside { path } => {
            let text =
                format!("the ledger was damaged: it is kept as {}, a new one is begun", path.display());
            Entry::error(text).id(MessageId::LedgerSetAside)
        }
    }
}

/// An instant as the host's people read it.
pub(super) fn on_the_clock(at: Timestamp) -> String {
    at.to_zoned(zone::local()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string()
}

/// An entry at the level of an outcome, with its fields.
fn of_verdict(text: String, verdict: &Verdict) -> Entry {
    let level = match verdict.outcome {
        Outcome::Ok | Outcome::Skipped => Level::Info,
        Outcome::Partial | Outcome::Cancelled => Level::Warning,
        Outcome::Interrupted | Outcome::TimedOut | Outcome::Failed => Level::Error,
    };
    Entry::new(level, text)
        .outcome(verdict.outcome)
        .grade(verdict.grade)
        .items(verdict.numbers.removed)
        .bytes(verdict.numbers.bytes)
}

/// A step that its room never ran has an entry of its own in the catalog.
fn ended_id(verdict: &Verdict) -> MessageId {
    match verdict.reasons.first() {
        Some(reason) if reason.code == "room-unavailable" => MessageId::RoomUnavailable,
        _ => MessageId::StepEnded,
    }
}

/// `ok (read) in 1.4 s, 15 removed, 1.1 MB freed`, `failed (exit) in 5.2 s: PostgreSQL does not answer …`.
fn ended_how(verdict: &Verdict, took: Option<Duration>) -> String {
    let mut text = format!("{} ({})", verdict.outcome, verdict.grade);
    let parts = [
        took.map(|took| format!(" in {}", human::took(took))),
        counted(verdict.numbers),
        verdict.reasons.first().map(|reason| format!(": {}", reason.text)),
    ];
    text.extend(parts.into_iter().flatten());
    text
}

/// `, 15 removed, 1.1 MB freed`, or `, 8 visited` of what removes nothing.
pub(crate) fn counted(numbers: Numbers) -> Option<String> {
    let Numbers { visited, removed, bytes, .. } = numbers;
    let items = removed.map(|removed| format!(", {removed} removed"));
    let items = items.or_else(|| visited.map(|visited| format!(", {visited} visited")));
    let word = if removed.is_some() { " freed" } else { "" };
    let bytes = bytes.filter(|bytes| *bytes > 0).map(|bytes| format!(", {}{word}", human::bytes(bytes)));
    let parts: Vec<String> = items.into_iter().chain(bytes).collect();
    (!parts.is_empty()).then(|| parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_words::{Grade, Reason};

    #[test]
    fn an_end_says_how_long_what_and_why() {
        let numbers = Numbers { removed: Some(15), bytes: Some(1_153_434), ..Numbers::default() };
        let ok = Verdict { outcome: Outcome::Ok, grade: Grade::Read, reasons: vec![], numbers };
        let took = Some(Duration::from_millis(1_420));
        assert_eq!(ended_how(&ok, took), "ok (read) in 1.4 s, 15 removed, 1.1 MB freed");
        let visited = Numbers { visited: Some(8), ..Numbers::default() };
        assert_eq!(ended_how(&Verdict { numbers: visited, ..ok }, took), "ok (read) in 1.4 s, 8 visited");
        let reason = Reason::new("postgres-unreachable", "PostgreSQL does not answer");
        let failed = Verdict::because(Outcome::Failed, Grade::Exit, reason);
        assert_eq!(ended_how(&failed, None), "failed (exit): PostgreSQL does not answer");
    }

    #[test]
    fn a_slow_step_is_told_in_round_numbers() {
        let told = |ms| {
            let running = mastmaint_words::Span::new(Duration::from_millis(ms));
            entries(Told::Slow { step: StepIndex(0), running }, None).remove(0).message
        };
        assert_eq!(told(4_003), ": still running after 4 s; its timeout is near");
        assert_eq!(told(5_400_120), ": still running after 1 h 30 min; its timeout is near");
    }

    #[test]
    fn what_is_bad_is_loud() {
        let told = |outcome| {
            let verdict = Verdict::because(outcome, Grade::Read, Reason::new("x", "x"));
            let ended = Timestamp::UNIX_EPOCH;
            entries(Told::RunEnded { verdict, started: None, ended }, None).remove(0).level
        };
        let loud: Vec<_> = Outcome::ALL.into_iter().filter(|o| told(*o) <= Level::Warning).collect();
        assert_eq!(loud, &Outcome::ALL[2..], "everything but ok and skipped");
    }
}

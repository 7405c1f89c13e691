//! What became of a step, from what is known after its end. Pure: the same end gives the same verdict. Exit status 0
//! is not success: a known command must state its success and must not have said that something went wrong.

mod commands;
mod explain;
mod numbers;
mod options;
mod sentence;
mod template;

pub use commands::dry_run_of;
pub(crate) use commands::is_statement;
pub(crate) use explain::{is_exception, is_known_reason};
pub(crate) use options::misspelt;

use crate::{
    exec::{Ended, Ending},
    output::Summary,
    protocol::EndingCause,
};
use commands::Command;
use mastmaint_words::{Grade, Numbers, Outcome, Reason, Verdict};

/// The verdict on `bin/tootctl` with these arguments.
pub fn judge_tootctl(args: &[String], ended: &Ended) -> Verdict {
    let command = Command::find(args);
    let numbers = numbers::of(command, &ended.summary);
    let verdict = match bad_end(ended, Program::Tootctl) {
        Some((outcome, reason)) => Verdict::because(outcome, Grade::Exit, reason),
        None => at_exit_zero(args, command, &ended.summary, numbers),
    };
    with_survivors(Verdict { numbers, ..verdict }, ended)
}

/// The verdict on any other program: its exit status, and whether its output says that something went wrong.
pub fn judge_program(ended: &Ended) -> Verdict {
    let summary = &ended.summary;
    let verdict = match bad_end(ended, Program::Other) {
        Some((outcome, reason)) => Verdict::because(outcome, Grade::Exit, reason),
        None if summary.errors() > 0 => {
            let reason = sentence::errors(summary, summary.errors(), None);
            Verdict::because(Outcome::Partial, Grade::Read, reason)
        }
        None => ok(Grade::Exit),
    };
    let numbers = Numbers { failed: some_if_any(summary.item_errors), ..Numbers::default() };
    with_survivors(Verdict { numbers, ..verdict }, ended)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Program {
    Tootctl,
    Other,
}

const fn ok(grade: Grade) -> Verdict {
    Verdict {
        outcome: Outcome::Ok,
        grade,
        reasons: Vec::new(),
        numbers: Numbers { visited: None, failed: None, removed: None, bytes: None },
    }
}

fn some_if_any(count: u64) -> Option<u64> {
    (count > 0).then_some(count)
}

/// Why it cannot be fine, from its end alone.
fn bad_end(ended: &Ended, program: Program) -> Option<(Outcome, Reason)> {
    if let Some(cause) = ended.cut_short {
        return Some(cut_short(cause));
    }
    let reason = match &ended.ending {
        Ending::Exited(0) => return None,
        Ending::CouldNotStart { code, text } => Reason::new(code, text),
        Ending::Signalled { by_oom_killer: true, .. } => out_of_memory(),
        Ending::Signalled { name, .. } => signalled(name),
        Ending::Exited(status) => exited(*status, ended, program),
    };
    Some((Outcome::Failed, reason))
}

fn cut_short(cause: EndingCause) -> (Outcome, Reason) {
    let (outcome, code, text) = match cause {
        EndingCause::StepTimeout => {
            (Outcome::TimedOut, "step-timeout", "it took longer than the step's timeout and was ended")
        }
        EndingCause::JobTimeout => {
            (Outcome::TimedOut, "job-timeout", "the job's timeout was used up, so the step was ended")
        }
        EndingCause::QuietLimit => (
            Outcome::TimedOut,
            "quiet-limit",
            "it showed no sign of life within its quiet_limit (no output, no processor time) and was ended",
        ),
        EndingCause::Cancel => (Outcome::Cancelled, "cancelled", "it was cancelled"),
        EndingCause::RoomStopped => {
            (Outcome::Interrupted, "room-stopped", "its room was stopped while it ran")
        }
    };
    (outcome, Reason::new(code, text))
}

fn out_of_memory() -> Reason {
    Reason::new(
        "out-of-memory",
        "the kernel's OOM killer ended it: the memory of the host or of its room was used up (see `journalctl -k`)",
    )
}

fn signalled(name: &str) -> Reason {
    match name {
        "SIGKILL" | "SIGTERM" | "SIGINT" | "SIGHUP" | "SIGQUIT" => Reason::new(
            "killed-from-outside",
            format!("something outside of mastmaintd ended it with {name}"),
        ),
        "SIGSEGV" | "SIGBUS" | "SIGILL" | "SIGABRT" | "SIGFPE" | "SIGSYS" | "SIGTRAP" => {
            Reason::new("crashed", format!("it crashed ({name})"))
        }
        _ => Reason::new("ended-by-signal", format!("it was ended by {name}")),
    }
}

fn exited(status: i32, ended: &Ended, program: Program) -> Reason {
    // A shell between us and the program turns a signal into 128 + its number; Ruby does so with INT.
    let signal = match status {
        129 => Some("SIGHUP"),
        130 => Some("SIGINT"),
        137 => Some("SIGKILL"),
        143 => Some("SIGTERM"),
        _ => None,
    };
    match signal {
        Some("SIGKILL") if ended.oom_kills > 0 => out_of_memory(),
        Some(name) => signalled(name),
        None => explain::exit_status(status, &ended.summary, program == Program::Tootctl),
    }
}

/// The verdict on tootctl after exit status 0.
fn at_exit_zero(args: &[String], command: Option<&Command>, summary: &Summary, numbers: Numbers) -> Verdict {
    if args.is_empty() {
        let text = "no command was given: tootctl printed its help and did nothing";
        return Verdict::because(Outcome::Failed, Grade::Read, Reason::new("no-command", text));
    }
    // Where tootctl is fine it says nothing on standard error, so a complaint there is no smaller than an error.
    let errors = summary.errors() + summary.complaints;
    let told = || sentence::errors(summary, errors, numbers.visited);
    if let Some(missing) = command.and_then(|c| c.missing_statement(args, summary)) {
        let mut reasons = Vec::new();
        if errors > 0 {
            reasons.push(told());
        } else if let Some(reason) = sentence::unexpected(summary) {
            reasons.push(reason);
        }
        let text = format!("it exited with 0 but never said {missing:?}, so it did not get to its end");
        reasons.push(Reason::new("no-success-line", text));
        return Verdict { outcome: Outcome::Failed, grade: Grade::Read, reasons, numbers };
    }
    let has_statement = command.is_some_and(Command::has_statement);
    if errors > 0 {
        let outcome = if nothing_was_done(has_statement, summary, numbers) {
            Outcome::Failed
        } else {
            Outcome::Partial
        };
        return Verdict::because(outcome, Grade::Read, told());
    }
    if let Some((removed, of)) = numbers::media_shortfall(summary) {
        let text = format!("only {removed} of {of} media attachments were removed");
        return Verdict::because(Outcome::Partial, Grade::Read, Reason::new("items-left", text));
    }
    if let Some(reason) = sentence::unexpected(summary) {
        return Verdict::because(Outcome::Partial, Grade::Read, reason);
    }
    ok(if has_statement { Grade::Read } else { Grade::Exit })
}

/// Whether error lines mean that nothing was done, rather than not everything.
fn nothing_was_done(has_statement: bool, summary: &Summary, numbers: Numbers) -> bool {
    let Some(visited) = numbers.visited else {
        // A bare `OK` beside an error line is worth nothing; without any statement there may be some of the work.
        return has_statement;
    };
    // Logger lines alone tell of the surroundings (a cache that could not be told), not of the items.
    summary.item_errors + summary.plain_errors > 0 && summary.item_errors >= visited
}

fn with_survivors(mut verdict: Verdict, ended: &Ended) -> Verdict {
    let count = ended.survivors_killed;
    if count > 0 && ended.cut_short.is_none() {
        let processes = if count == 1 { "process" } else { "processes" };
        let text = format!("{count} {processes} that it left behind had to be ended");
        verdict.reasons.push(Reason::new("left-processes", text));
    }
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn ended(ending: Ending) -> Ended {
        Ended { ending, cut_short: None, summary: Summary::default(), survivors_killed: 0, oom_kills: 0 }
    }

    fn said(statements: &[&str]) -> Ended {
        let statements = statements.iter().map(|s| (*s).to_owned()).collect();
        Ended { summary: Summary { statements, ..Summary::default() }, ..ended(Ending::Exited(0)) }
    }

    fn outcome_and_code(verdict: &Verdict) -> (Outcome, &str) {
        (verdict.outcome, verdict.reasons.first().map_or("", |r| r.code.as_str()))
    }

    #[test]
    fn what_was_ended_from_here_is_not_a_failure() {
        for (cause, expected) in [
            (EndingCause::StepTimeout, (Outcome::TimedOut, "step-timeout")),
            (EndingCause::JobTimeout, (Outcome::TimedOut, "job-timeout")),
            (EndingCause::QuietLimit, (Outcome::TimedOut, "quiet-limit")),
            (EndingCause::Cancel, (Outcome::Cancelled, "cancelled")),
            (EndingCause::RoomStopped, (Outcome::Interrupted, "room-stopped")),
        ] {
            let killed = Ending::Signalled { name: "SIGKILL".into(), by_oom_killer: false };
            for ending in [killed, Ending::Exited(0), Ending::Exited(1)] {
                let ended = Ended { cut_short: Some(cause), ..ended(ending) };
                assert_eq!(outcome_and_code(&judge_program(&ended)), expected);
                assert_eq!(outcome_and_code(&judge_tootctl(&args("cache clear"), &ended)), expected);
            }
        }
    }

    #[test]
    fn the_oom_killer_is_named_also_behind_a_shell() {
        let by_signal = ended(Ending::Signalled { name: "SIGKILL".into(), by_oom_killer: true });
        let by_shell = Ended { oom_kills: 1, ..ended(Ending::Exited(137)) };
        for ended in [by_signal, by_shell] {
            assert_eq!(outcome_and_code(&judge_program(&ended)), (Outcome::Failed, "out-of-memory"));
        }
        let other = ended(Ending::Exited(137));
        assert_eq!(outcome_and_code(&judge_program(&other)), (Outcome::Failed, "killed-from-outside"));
    }

    #[test]
    fn statuses_remove_must_state_each_part_that_was_not_skipped() {
        let statuses = "Done after 0.05s, removed 60 out of 60 statuses.";
        let media = "Done after 0.17s, removed 15 out of 15 media_attachments.";
        let conversations = "Done after 0.05s, removed 60 out of 60 conversations.";
        let judge = |line: &str, statements: &[&str]| judge_tootctl(&args(line), &said(statements)).outcome;
        assert_eq!(judge("statuses remove", &[statuses, media, conversations]), Outcome::Ok);
        assert_eq!(judge("statuses remove", &[statuses, media]), Outcome::Failed);
        assert_eq!(judge("statuses remove", &[conversations]), Outcome::Failed);
        let skipping = "statuses remove --skip_status_remove --skip-media-remove";
        assert_eq!(judge(skipping, &[conversations]), Outcome::Ok);
        let short = "Done after 0.17s, removed 9 out of 15 media_attachments.";
        let verdict = judge_tootctl(&args("statuses remove"), &said(&[statuses, short, conversations]));
        assert_eq!(outcome_and_code(&verdict), (Outcome::Partial, "items-left"));
    }

    #[test]
    fn the_statement_of_another_command_is_none() {
        let verdict = judge_tootctl(&args("media remove --days 7"), &said(&["OK"]));
        assert_eq!(outcome_and_code(&verdict), (Outcome::Failed, "no-success-line"));
        let verdict = judge_tootctl(&args("media remove --help"), &said(&[]));
        assert_eq!(outcome_and_code(&verdict), (Outcome::Failed, "no-success-line"));
    }

    #[test]
    fn a_command_without_a_statement_is_graded_by_its_exit() {
        let verdict = judge_tootctl(&args("feeds vacuum"), &said(&[]));
        assert_eq!((verdict.outcome, verdict.grade), (Outcome::Ok, Grade::Exit));
        let summary = Summary {
            item_errors: 1,
            first_errors: vec!["Error processing 1: x".into()],
            ..Summary::default()
        };
        let verdict = judge_tootctl(&args("accounts rotate"), &Ended { summary, ..said(&[]) });
        assert_eq!(outcome_and_code(&verdict), (Outcome::Partial, "error-lines"));
    }

    #[test]
    fn what_nobody_expects_on_standard_error_is_not_fine() {
        let with = |line: &str, unexpected: u64| {
            let mut ended = said(&["OK"]);
            ended.summary.unexpected = unexpected;
            ended.summary.complaints = 1 - unexpected;
            ended.summary.first_unexpected = (unexpected > 0).then(|| line.to_owned());
            ended.summary.first_errors = vec![line.to_owned()];
            ended
        };
        let strange = with("something odd", 1);
        let verdict = judge_tootctl(&args("cache clear"), &strange);
        assert_eq!(outcome_and_code(&verdict), (Outcome::Partial, "unexpected-stderr"));
        assert!(verdict.reasons[0].text.contains("something odd"));
        // Other programs write there what they like.
        assert_eq!(judge_program(&strange).outcome, Outcome::Ok);
        let refused = with("Failed to connect to localhost:6379 (ECONNREFUSED) (redis://localhost:6379)", 0);
        let verdict = judge_tootctl(&args("cache clear"), &refused);
        assert_eq!(outcome_and_code(&verdict), (Outcome::Failed, "redis-unreachable"));
        assert_eq!(judge_program(&refused).outcome, Outcome::Ok);
    }

    #[test]
    fn a_program_that_says_error_is_not_fine() {
        let summary = Summary {
            logged_errors: 1,
            first_errors: vec!["pg_dump: error: no".into()],
            ..Summary::default()
        };
        let verdict = judge_program(&Ended { summary, ..said(&[]) });
        assert_eq!(outcome_and_code(&verdict), (Outcome::Partial, "error-lines"));
    }

    #[test]
    fn what_was_left_behind_is_said() {
        let verdict = judge_program(&Ended { survivors_killed: 2, ..said(&[]) });
        assert_eq!(outcome_and_code(&verdict), (Outcome::Ok, "left-processes"));
    }
}

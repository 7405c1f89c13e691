//! What became of a step, from what is known after its end. Pure: the same end gives the same verdict. Exit status 0
//! is not success: a known command must state its success and must not have said that something went wrong.

mod debris;
mod end;
mod explain;
mod known;
mod numbers;
mod patterns;
mod place;
mod rails;
mod sentence;
mod tootctl;

pub(crate) use end::cut_short;
pub(crate) use explain::{is_exception, is_known_reason};
pub(crate) use rails::is_built;

use crate::exec::Ended;
use mastmaint_tootctl::{Program, Series, program};
use mastmaint_words::{Grade, Numbers, Outcome, Reason, Verdict};

/// Judges the ends of one command.
#[derive(Debug, Clone)]
pub struct Judge {
    program: Program,
    terms: Terms,
}

/// What is agreed on beside the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terms {
    /// The installed Mastodon; the rules of the newest hold where it is not known.
    pub version: Option<Series>,
    /// So many items may fail: what is gone for ever fails for ever.
    pub tolerated_errors: u64,
    /// Whose signals those are that did not come from here.
    pub signals: Signals,
}

/// Whose signals those are that did not come from here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signals {
    /// A step ran here: whoever else ended it did what nobody asked for.
    #[default]
    Stranger,
    /// A run by hand: the person at the terminal ended it.
    Person,
}

impl Judge {
    /// A judge of `bin/tootctl` with these arguments.
    pub fn tootctl(args: &[String]) -> Self {
        Self { program: Program::Tootctl(args.to_vec()), terms: Terms::default() }
    }

    /// A judge of a program and its arguments; it sees tootctl and rails behind what stands before them.
    pub fn of_line(argv: &[String]) -> Self {
        Self { program: program(argv), terms: Terms::default() }
    }

    /// A judge of a program of which nothing is known.
    pub fn of_any() -> Self {
        Self { program: Program::Other, terms: Terms::default() }
    }

    /// The same under other terms.
    pub fn with(self, terms: Terms) -> Self {
        Self { terms, ..self }
    }

    /// The verdict on one end.
    pub fn judge(&self, ended: &Ended) -> Verdict {
        let verdict = match &self.program {
            Program::Tootctl(args) => tootctl::judge(args, &self.terms, ended),
            Program::Rails(args) => match end::bad(ended, end::Kind::Rails, self.terms.signals) {
                Some(verdict) => verdict,
                None => rails::at_exit_zero(args, &self.terms, &ended.summary),
            },
            Program::Other => match end::bad(ended, end::Kind::Other, self.terms.signals) {
                Some(verdict) => verdict,
                None => other_at_exit_zero(ended, &self.terms),
            },
        };
        with_survivors(patterns::heed(verdict, ended), ended)
    }
}

/// The verdict on any other program after exit status 0: whether its output says that something went wrong.
fn other_at_exit_zero(ended: &Ended, terms: &Terms) -> Verdict {
    let summary = &ended.summary;
    if summary.errors() == 0 {
        return ok(Grade::Exit);
    }
    let reason = sentence::errors(summary, summary.errors(), None);
    let numbers = Numbers { failed: some_if_any(summary.item_errors), ..Numbers::default() };
    let is_tolerated =
        summary.errors() == summary.item_errors && summary.item_errors <= terms.tolerated_errors;
    let (outcome, reason) =
        if is_tolerated { (Outcome::Ok, tolerated(&reason, terms)) } else { (Outcome::Partial, reason) };
    Verdict { numbers, ..Verdict::because(outcome, Grade::Read, reason) }
}

/// Said beside `ok`.
fn tolerated(reason: &Reason, terms: &Terms) -> Reason {
    let text = format!("{} (up to {} are tolerated)", reason.text, terms.tolerated_errors);
    Reason::new("tolerated", text)
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
    use crate::{exec::Ending, output::Summary, protocol::EndingCause};

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    fn tootctl(line: &str, ended: &Ended) -> Verdict {
        Judge::tootctl(&args(line)).judge(ended)
    }

    fn ended(ending: Ending) -> Ended {
        Ended::by_itself(ending, Summary::default())
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
                assert_eq!(outcome_and_code(&Judge::of_any().judge(&ended)), expected);
                assert_eq!(outcome_and_code(&tootctl("cache clear", &ended)), expected);
            }
        }
    }

    #[test]
    fn the_oom_killer_is_named_also_behind_a_shell() {
        let by_signal = ended(Ending::Signalled { name: "SIGKILL".into(), by_oom_killer: true });
        let by_shell = Ended { oom_kills: 1, ..ended(Ending::Exited(137)) };
        for ended in [by_signal, by_shell] {
            assert_eq!(outcome_and_code(&Judge::of_any().judge(&ended)), (Outcome::Failed, "out-of-memory"));
        }
        let other = ended(Ending::Exited(137));
        assert_eq!(
            outcome_and_code(&Judge::of_any().judge(&other)),
            (Outcome::Failed, "killed-from-outside")
        );
    }

    #[test]
    fn statuses_remove_must_state_each_part_that_was_not_skipped() {
        let statuses = "Done after 0.05s, removed 60 out of 60 statuses.";
        let media = "Done after 0.17s, removed 15 out of 15 media_attachments.";
        let conversations = "Done after 0.05s, removed 60 out of 60 conversations.";
        let judge = |line: &str, statements: &[&str]| tootctl(line, &said(statements)).outcome;
        assert_eq!(judge("statuses remove", &[statuses, media, conversations]), Outcome::Ok);
        assert_eq!(judge("statuses remove", &[statuses, media]), Outcome::Failed);
        assert_eq!(judge("statuses remove", &[conversations]), Outcome::Failed);
        let skipping = "statuses remove --skip_status_remove --skip-media-remove";
        assert_eq!(judge(skipping, &[conversations]), Outcome::Ok);
        let short = "Done after 0.17s, removed 9 out of 15 media_attachments.";
        let verdict = tootctl("statuses remove", &said(&[statuses, short, conversations]));
        assert_eq!(outcome_and_code(&verdict), (Outcome::Partial, "items-left"));
    }

    #[test]
    fn the_statement_of_another_command_is_none() {
        let verdict = tootctl("media remove --days 7", &said(&["OK"]));
        assert_eq!(outcome_and_code(&verdict), (Outcome::Failed, "no-success-line"));
        let verdict = tootctl("media remove --help", &said(&[]));
        assert_eq!(outcome_and_code(&verdict), (Outcome::Failed, "only-help"));
    }

    #[test]
    fn a_command_without_a_statement_is_graded_by_its_exit() {
        let verdict = tootctl("feeds vacuum", &said(&[]));
        assert_eq!((verdict.outcome, verdict.grade), (Outcome::Ok, Grade::Exit));
        let summary = Summary {
            item_errors: 1,
            first_errors: vec!["Error processing 1: x".into()],
            ..Summary::default()
        };
        let verdict = tootctl("accounts fix-duplicates", &Ended { summary, ..said(&[]) });
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
        let verdict = tootctl("cache clear", &strange);
        assert_eq!(outcome_and_code(&verdict), (Outcome::Partial, "unexpected-stderr"));
        assert!(verdict.reasons[0].text.contains("something odd"));
        // Other programs write there what they like.
        assert_eq!(Judge::of_any().judge(&strange).outcome, Outcome::Ok);
        let refused = with("Failed to connect to localhost:6379 (ECONNREFUSED) (redis://localhost:6379)", 0);
        let verdict = tootctl("cache clear", &refused);
        assert_eq!(outcome_and_code(&verdict), (Outcome::Failed, "redis-unreachable"));
        assert_eq!(Judge::of_any().judge(&refused).outcome, Outcome::Ok);
    }

    #[test]
    fn a_program_that_says_error_is_not_fine() {
        let summary = Summary {
            logged_errors: 1,
            first_errors: vec!["pg_dump: error: no".into()],
            ..Summary::default()
        };
        let verdict = Judge::of_any().judge(&Ended { summary, ..said(&[]) });
        assert_eq!(outcome_and_code(&verdict), (Outcome::Partial, "error-lines"));
    }

    #[test]
    fn a_misuse_that_tootctl_does_not_refuse_is_no_success() {
        for (line, statement, code) in [
            ("accounts cull --dryrun", "Visited 0 accounts, removed 0", "unknown-option"),
            ("accounts refresh --domain", "Refreshed 0 accounts", "no-option-value"),
            ("media remove --days -7", "Removed 99 media attachments (approx. 1 MB)", "number-too-small"),
            ("domains purge —dry-run x.example", "Removed 0 accounts", "dash"),
        ] {
            let verdict = tootctl(line, &said(&[statement]));
            assert_eq!(outcome_and_code(&verdict), (Outcome::Failed, code), "{line}");
        }
        // What tootctl would have refused, it knows better than we do.
        let verdict = tootctl(
            "media remove --of-the-future",
            &said(&["Removed 0 media attachments (approx. 0 Bytes)"]),
        );
        assert_eq!(verdict.outcome, Outcome::Ok);
    }

    #[test]
    fn a_help_page_is_no_success() {
        let help = Ended { summary: Summary { help: 9, ..Summary::default() }, ..said(&[]) };
        assert_eq!(outcome_and_code(&tootctl("media", &help)), (Outcome::Failed, "no-command"));
        assert_eq!(outcome_and_code(&tootctl("nodes --x", &help)), (Outcome::Failed, "only-help"));
        assert_eq!(tootctl("--version", &said(&[])).outcome, Outcome::Ok);
    }

    #[test]
    fn a_try_is_not_the_deed_nor_the_deed_a_try() {
        let dry = "Removed 5 orphans (approx. 97.7 KB) (DRY RUN)";
        let wet = "Removed 5 orphans (approx. 97.7 KB)";
        let judge = |line: &str, statement: &str| tootctl(line, &said(&[statement]));
        assert_eq!(judge("media remove-orphans --dry-run", dry).outcome, Outcome::Ok);
        assert_eq!(outcome_and_code(&judge("media remove-orphans", dry)), (Outcome::Failed, "only-tried"));
        assert_eq!(
            outcome_and_code(&judge("media remove-orphans --dry-run", wet)),
            (Outcome::Failed, "not-only-tried")
        );
    }

    #[test]
    fn what_fails_for_ever_can_be_tolerated() {
        let with = |errors: u64, tolerated: u64, visited: u64| {
            let statements = vec![format!("Refreshed {visited} accounts")];
            let first_errors = vec!["Error processing 1: No address for dead.example".to_owned()];
            let summary = Summary { statements, item_errors: errors, first_errors, ..Summary::default() };
            let terms = Terms { tolerated_errors: tolerated, ..Terms::default() };
            let judge = Judge::tootctl(&args("accounts refresh --all")).with(terms);
            let verdict = judge.judge(&Ended { summary, ..said(&[]) });
            (verdict.outcome, verdict.reasons.first().map_or(String::new(), |r| r.code.clone()))
        };
        assert_eq!(with(3, 3, 8), (Outcome::Ok, "tolerated".to_owned()));
        assert_eq!(with(4, 3, 8), (Outcome::Partial, "network-unreachable".to_owned()));
        assert_eq!(with(8, 9, 8), (Outcome::Failed, "network-unreachable".to_owned()));
        assert_eq!(with(0, 3, 8), (Outcome::Ok, String::new()));
    }

    #[test]
    fn a_signal_of_a_person_is_a_cancel() {
        let terms = Terms { signals: Signals::Person, ..Terms::default() };
        let judge = Judge::tootctl(&args("media remove")).with(terms);
        for ending in [
            Ending::Signalled { name: "SIGTERM".into(), by_oom_killer: false },
            Ending::Exited(130),
            Ending::Exited(143),
        ] {
            assert_eq!(judge.judge(&ended(ending)).outcome, Outcome::Cancelled);
        }
        for ending in [
            Ending::Signalled { name: "SIGSEGV".into(), by_oom_killer: false },
            Ending::Signalled { name: "SIGPIPE".into(), by_oom_killer: false },
            Ending::Exited(139),
            Ending::Exited(1),
        ] {
            assert_eq!(judge.judge(&ended(ending)).outcome, Outcome::Failed);
        }
        let raised = Summary { ruby_signal: Some("SIGTERM".into()), ..Summary::default() };
        let raised = Ended { summary: raised, ..ended(Ending::Exited(1)) };
        let rails = Judge::of_line(&args("bin/rails assets:precompile"));
        assert_eq!(rails.clone().with(terms).judge(&raised).outcome, Outcome::Cancelled);
        assert_eq!(outcome_and_code(&rails.judge(&raised)), (Outcome::Failed, "killed-from-outside"));
    }

    #[test]
    fn what_was_left_behind_is_said() {
        let verdict = Judge::of_any().judge(&Ended { survivors_killed: 2, ..said(&[]) });
        assert_eq!(outcome_and_code(&verdict), (Outcome::Ok, "left-processes"));
    }
}

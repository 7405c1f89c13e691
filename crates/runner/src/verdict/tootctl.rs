//! The verdict on tootctl.

use super::{Terms, debris, end, numbers, ok, sentence, tolerated};
use crate::{exec::Ended, output::Summary};
use mastmaint_tootctl::{Call, Command};
use mastmaint_words::{Grade, Numbers, Outcome, Reason, Verdict};

pub(super) fn judge(args: &[String], terms: &Terms, ended: &Ended) -> Verdict {
    let call = Call::read(args, terms.version);
    let summary = &ended.summary;
    let numbers = numbers::of(&call, summary);
    let mut verdict = match end::bad(ended, end::Kind::Tootctl, terms.signals) {
        Some(verdict) => verdict,
        None => at_exit_zero(&call, terms, summary, numbers),
    };
    if verdict.outcome != Outcome::Ok {
        verdict.reasons.extend(debris::left(&call, summary));
    }
    Verdict { numbers, ..verdict }
}

fn at_exit_zero(call: &Call, terms: &Terms, summary: &Summary, numbers: Numbers) -> Verdict {
    let failed =
        |code: &str, text: String| Verdict::because(Outcome::Failed, Grade::Read, Reason::new(code, text));
    if let Some(misuse) = call.silent_misuse() {
        return failed(misuse.wrong.code(), misuse.wrong.to_string());
    }
    if call.command().is_none_or(Command::has_statement) && summary.help > 0 {
        return failed("only-help", "tootctl printed its help and did nothing".to_owned());
    }
    // Where tootctl is fine it says nothing on standard error, so a complaint there is no smaller than an error.
    let errors = summary.errors() + summary.complaints;
    if let Some(missing) = missing_statement(call, summary) {
        let mut reasons = Vec::new();
        if errors > 0 {
            reasons.push(sentence::errors(summary, errors, numbers.visited));
        } else if let Some(reason) = sentence::unexpected(summary) {
            reasons.push(reason);
        }
        let text = format!("it exited with 0 but never said \"{missing}\", so it did not get to its end");
        reasons.push(Reason::new("no-success-line", text));
        return Verdict { outcome: Outcome::Failed, grade: Grade::Read, reasons, numbers };
    }
    if let Some(verdict) = another_mode(call, summary) {
        return verdict;
    }
    let has_statement = call.expected().next().is_some();
    let grade = if has_statement { Grade::Read } else { Grade::Exit };
    if errors > 0 {
        return with_errors(call, terms, summary, numbers, errors);
    }
    if let Some((removed, of)) = numbers::media_shortfall(call, summary) {
        let text = format!("only {removed} of {of} media attachments were removed");
        return Verdict::because(Outcome::Partial, Grade::Read, Reason::new("items-left", text));
    }
    // `Imported 3, skipped 0, failed to import 2`: the command counts for itself.
    if let Some(failed) = numbers.failed {
        let done = numbers.visited.unwrap_or(failed).saturating_sub(failed);
        let outcome = if done > 0 { Outcome::Partial } else { Outcome::Failed };
        let text = format!("{failed} of {} items failed, as it counts itself", done + failed);
        return Verdict::because(outcome, Grade::Read, Reason::new("items-failed", text));
    }
    if let Some(reason) = sentence::unexpected(summary) {
        return Verdict::because(Outcome::Partial, Grade::Read, reason);
    }
    ok(grade)
}

/// The shape of a line that should have been there.
fn missing_statement(call: &Call, summary: &Summary) -> Option<String> {
    let is_said = |statement: &&mastmaint_tootctl::Statement| {
        summary.statements.iter().any(|text| statement.read(text).is_some())
    };
    let shape = call.expected().find(|statement| !is_said(statement))?.shapes.first()?;
    let parts = shape.split('{').map(|part| part.split_once('}').map_or(part, |(_, after)| after));
    Some(parts.collect::<Vec<_>>().join("…"))
}

/// The line of success of a dry run where none was asked for, or the other way round.
fn another_mode(call: &Call, summary: &Summary) -> Option<Verdict> {
    let was_asked = call.command()?.has_dry_run() && call.has("dry-run");
    let (_, was_dry) = numbers::found(call, summary).find(|(_, was_dry)| *was_dry != was_asked)?;
    let reason = if was_dry {
        Reason::new("only-tried", "it made a dry run though none was asked for: nothing was done")
    } else {
        Reason::new("not-only-tried", "it was asked for a dry run and did not say that it made one")
    };
    Some(Verdict::because(Outcome::Failed, Grade::Read, reason))
}

fn with_errors(call: &Call, terms: &Terms, summary: &Summary, numbers: Numbers, errors: u64) -> Verdict {
    let has_statement = call.expected().next().is_some();
    let outcome =
        if nothing_was_done(has_statement, summary, numbers) { Outcome::Failed } else { Outcome::Partial };
    let files_go_first = call.command().is_some_and(|c| c.files_go_first) && !call.has("dry-run");
    let gone = if files_go_first { sentence::files_gone(summary, numbers.visited) } else { None };
    let reason = gone.unwrap_or_else(|| sentence::errors(summary, errors, numbers.visited));
    let only_items = errors == summary.item_errors && summary.unexpected == 0;
    if outcome == Outcome::Partial && only_items && errors <= terms.tolerated_errors {
        return Verdict::because(Outcome::Ok, Grade::Read, tolerated(&reason, terms));
    }
    Verdict::because(outcome, Grade::Read, reason)
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

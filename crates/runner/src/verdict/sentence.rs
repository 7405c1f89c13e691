//! The sentences of a verdict on error lines: how many of how many, and the first of them as short as it can be told.

use super::explain::explain;
use crate::output::{Summary, cut, is_foreign_error};
use mastmaint_words::{Cause, Reason};

/// Longest quoted line, in bytes.
const MAX_QUOTE: usize = 160;
/// Longer paths are told by their end.
const MAX_PATH: usize = 40;

/// The reason that `errors` lines say that something went wrong; `visited` counts the items that were looked at.
pub(super) fn errors(summary: &Summary, errors: u64, visited: Option<u64>) -> Reason {
    let first = summary.first_errors.first().map_or("", String::as_str);
    let known = explain(first);
    let failed = summary.item_errors;
    let others = errors.saturating_sub(failed);
    let lines =
        |count: u64| if count == 1 { "1 error line".to_owned() } else { format!("{count} error lines") };
    let what = match (failed, others) {
        (0, _) => format!("it exited with 0 but wrote {}", lines(others)),
        (_, 0) => items(failed, visited),
        _ => format!("{} and it wrote {} more", items(failed, visited), lines(others)),
    };
    let what = known.as_ref().map_or_else(|| what.clone(), |known| format!("{}: {what}", known.says));
    let first = shorten(first);
    let text = match errors {
        1 => format!("{what}: {first}"),
        _ => format!("{what}, the first: {first}"),
    };
    let (code, cause) = known.map_or(("error-lines", Cause::Other), |known| (known.code, known.cause));
    Reason { code: code.to_owned(), text, cause }
}

/// The reason where every error of an item came from the database, and the files went before it was asked.
pub(super) fn files_gone(summary: &Summary, visited: Option<u64>) -> Option<Reason> {
    let failed = summary.item_errors;
    let codes: Vec<_> =
        summary.first_errors.iter().map(|line| explain(line).map(|known| known.code)).collect();
    let (Some(Some(code)), true) = (codes.first(), failed > 0) else { return None };
    if !codes.iter().all(|code| code.is_some_and(is_refusal)) {
        return None;
    }
    let of =
        visited.filter(|visited| *visited >= failed).map_or_else(String::new, |all| format!(" of {all}"));
    let first = summary.first_errors.first().map_or("", String::as_str);
    let text = format!(
        "the database refused {failed}{of} updates; their files are gone, the first: {}",
        shorten(first)
    );
    Some(Reason::new(code, text))
}

/// Whether it was the database that did not take a change.
fn is_refusal(code: &str) -> bool {
    code.starts_with("database-") && code != "database-missing"
}

/// The reason that standard error held what nobody expects there.
pub(super) fn unexpected(summary: &Summary) -> Option<Reason> {
    let first = summary.first_unexpected.as_deref()?;
    let lines =
        if summary.unexpected == 1 { "1 line".to_owned() } else { format!("{} lines", summary.unexpected) };
    let text = format!(
        "it exited with 0 but wrote {lines} to standard error, where it says nothing when all is well: {}",
        shorten(first)
    );
    Some(Reason::new("unexpected-stderr", text))
}

fn items(failed: u64, visited: Option<u64>) -> String {
    match visited.filter(|visited| *visited >= failed) {
        Some(1) => "the only item failed".to_owned(),
        Some(visited) if visited == failed => format!("all {visited} items failed"),
        Some(visited) => format!("{failed} of {visited} items failed"),
        None if failed == 1 => "1 item failed".to_owned(),
        None => format!("{failed} items failed"),
    }
}

/// What a line says, without what only programs want to know.
fn shorten(line: &str) -> String {
    let mut text = line.trim();
    if let Some((_, message)) = text.split_once(" -- ").filter(|(head, _)| head.contains(", [")) {
        text = message.split_once(": ").map_or(message, |(_, said)| said);
    }
    if let Some(rest) = text.strip_prefix("Error processing ") {
        text = rest.split_once(": ").map_or(rest, |(_, said)| said);
    }
    // `PG::ReadOnlySqlTransaction: ERROR:  cannot execute …`: the sentence is enough.
    while let Some((head, said)) = text.split_once(": ") {
        let is_level = matches!(head.to_ascii_lowercase().as_str(), "error" | "fatal" | "[error]")
            || is_foreign_error(text);
        let is_class = head.contains("::") && !head.contains(' ');
        if !(is_level || is_class) || said.trim().is_empty() {
            break;
        }
        text = said.trim_start();
    }
    // Ruby's `Permission denied @ apply2files - /a/long/path`.
    let short = match text.split_once(" @ ").and_then(|(said, rest)| Some((said, rest.split_once(" - ")?.1)))
    {
        Some((said, path)) if !path.contains(' ') => format!("{said} ({})", end_of(path)),
        _ => text.to_owned(),
    };
    cut(&short, MAX_QUOTE).into_owned()
}

fn end_of(path: &str) -> String {
    if path.len() <= MAX_PATH {
        return path.to_owned();
    }
    let begin = path.len() - path.len().min(MAX_PATH);
    let begin = path.ceil_char_boundary(begin);
    let end = &path[begin..];
    format!("…{}", end.find('/').map_or(end, |at| &end[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str, item_errors: u64, logged_errors: u64, visited: Option<u64>) -> String {
        let summary =
            Summary { item_errors, logged_errors, first_errors: vec![line.to_owned()], ..Summary::default() };
        errors(&summary, summary.errors(), visited).text
    }

    #[test]
    fn a_tired_admin_can_read_it() {
        let denied = "Error processing 117: Permission denied @ apply2files - /home/mastodon/live/public/system/\
                      cache/media_attachments/files/117/000/001/original/a1b2c3.png";
        assert_eq!(
            said(denied, 4, 0, Some(15)),
            "a file may not be read or written by the step's user, or its room does not allow it: 4 of 15 items failed, \
             the first: Permission denied (…/files/117/000/001/original/a1b2c3.png)"
        );
        assert_eq!(
            said("Error processing 1: odd", 15, 2, Some(15)).split(',').next(),
            Some("all 15 items failed and it wrote 2 error lines more")
        );
        let read_only = "Error processing 9: PG::ReadOnlySqlTransaction: ERROR:  cannot execute UPDATE in a read-only transaction";
        assert_eq!(
            said(read_only, 1, 0, None),
            "the database takes no changes: 1 item failed: cannot execute UPDATE in a read-only transaction"
        );
        let redis = "E, [2026-11-23T02:58:30.138691 #4275] ERROR -- : RedisCacheStore: clear failed, returned nil: \
                     Redis::CannotConnectError: Failed to connect to cache.example:6379";
        assert_eq!(
            said(redis, 0, 1, None),
            "Redis does not answer at cache.example:6379: it exited with 0 but wrote 1 error line: RedisCacheStore: clear failed, returned nil: \
             Redis::CannotConnectError: Failed to connect to cache.example:6379"
        );
        assert!(said(&"x ".repeat(400), 0, 2, None).len() < 250);
    }

    #[test]
    fn a_database_that_refuses_costs_the_files() {
        let line = "Error processing 9: PG::RaiseException: ERROR:  cannot execute UPDATE in a read-only transaction";
        let with = |lines: &[&str]| Summary {
            item_errors: 15,
            first_errors: lines.iter().map(|line| (*line).to_owned()).collect(),
            ..Summary::default()
        };
        let reason = files_gone(&with(&[line, line]), Some(15)).unwrap();
        assert!(
            reason.text.starts_with("the database refused 15 of 15 updates; their files are gone"),
            "{}",
            reason.text
        );
        assert_eq!(reason.code, "database-read-only");
        assert!(files_gone(&with(&[line, "Error processing 1: Permission denied @ x"]), Some(15)).is_none());
    }

    #[test]
    fn a_path_is_told_by_its_end() {
        assert_eq!(end_of("/tmp/x"), "/tmp/x");
        assert!(end_of(&"/ä".repeat(100)).len() < 50);
    }
}

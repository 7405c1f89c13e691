//! What a line is: the words of tootctl first, then the signs that hold for every program.

use super::{
    remarks,
    signs::{Sign, sign},
};
use crate::{
    protocol::{LineClass, Stream},
    verdict::{is_built, is_exception, is_known_reason},
};
use mastmaint_tootctl::{is_milestone, is_notice, is_statement};

/// What a line is, for the summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Plain output.
    Plain,
    /// Worth a warning.
    Warning,
    /// The rest of a warning.
    Aside,
    /// The command's own statement of success.
    Statement,
    /// Something is now in the database that is taken away later.
    Milestone,
    /// tootctl's help.
    Help,
    /// One item that a command swallowed.
    ItemError,
    /// Another line that begins with an error, on standard output.
    PlainError,
    /// A line that a logger wrote as an error, or an error on standard error.
    LoggedError,
    /// A line on standard error that names trouble, as programs that go on well do, too.
    Complaint,
    /// Any other line on standard error: what is expected there is plain or a warning.
    Unexpected,
    /// The first line of an uncaught Ruby exception.
    Exception,
}

impl Kind {
    pub(super) const fn class(self) -> LineClass {
        match self {
            Self::Plain | Self::Aside | Self::Unexpected | Self::Milestone | Self::Help => LineClass::Output,
            Self::Warning => LineClass::Warning,
            Self::Statement => LineClass::Success,
            Self::ItemError | Self::PlainError | Self::LoggedError | Self::Complaint | Self::Exception => {
                LineClass::Error
            }
        }
    }
}

/// What tootctl says of one item and goes on.
const ITEM_ERRORS: [&str; 3] = ["Error processing ", "Account failed: ", "Error while importing "];
pub(super) fn classify(stream: Stream, text: &str) -> Kind {
    let on_stdout = stream == Stream::Stdout;
    if text.trim_start().is_empty() {
        return Kind::Plain;
    }
    if is_item_error(text) {
        return Kind::ItemError;
    }
    if !on_stdout && is_exception(text) {
        return Kind::Exception;
    }
    if on_stdout && is_notice(text) {
        return Kind::Plain;
    }
    let sign = sign(text);
    // What is harmless is as a warning is: only other lines need to be asked.
    if !on_stdout && sign != Some(Sign::Warning) && remarks::is_harmless(text) {
        return Kind::Warning;
    }
    if remarks::is_of_telemetry(text) {
        return Kind::Warning;
    }
    match sign {
        Some(Sign::Logged) => return Kind::LoggedError,
        Some(Sign::Error) => return if on_stdout { Kind::PlainError } else { Kind::LoggedError },
        Some(Sign::Complaint) => return if on_stdout { Kind::PlainError } else { Kind::Complaint },
        Some(Sign::Warning) => return Kind::Warning,
        Some(Sign::Fine) => return Kind::Plain,
        None => {}
    }
    if on_stdout {
        // A build that leaves something out has not done what was asked.
        let is_left_out = text.starts_with("Invalid ") && text.ends_with(" skipping");
        return match () {
            () if is_left_out => Kind::PlainError,
            () if is_statement(text) || is_built(text) => Kind::Statement,
            () if is_milestone(text) => Kind::Milestone,
            () if is_help(text) => Kind::Help,
            () => Kind::Plain,
        };
    }
    match () {
        () if remarks::is_expected(text) || is_backtrace(text) => Kind::Plain,
        () if is_known_reason(text) => Kind::Complaint,
        () => Kind::Unexpected,
    }
}

fn is_item_error(text: &str) -> bool {
    let text = text.trim_start().as_bytes();
    ITEM_ERRORS
        .iter()
        .any(|e| text.get(..e.len()).is_some_and(|head| head.eq_ignore_ascii_case(e.as_bytes())))
}

/// `  tootctl media remove    # Remove …`, as Thor lists commands.
fn is_help(text: &str) -> bool {
    text.strip_prefix("  tootctl ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase()))
}

/// Further lines of a backtrace: its first has told everything.
fn is_backtrace(text: &str) -> bool {
    text.starts_with(['\t', ' ']) && (text.trim_start().starts_with("from ") || text.contains(" levels..."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Stream::{Stderr, Stdout};

    #[test]
    fn tells_lines_apart() {
        for (stream, text, kind) in [
            (Stdout, "I, [2026-11-23T02:54:33 #1]  INFO -- : [dotenv] Loaded .env.production", Kind::Plain),
            (Stdout, "E, [2026-11-23T02:54:33 #1] ERROR -- : clear failed", Kind::LoggedError),
            (Stdout, "F, [2026-11-23T02:54:33 #1] FATAL -- : gone", Kind::LoggedError),
            (Stdout, "W, [2026-11-23T02:54:33 #1]  WARN -- : Switching to red", Kind::Warning),
            (
                Stderr,
                "E, [2026-11-23T02:54:33 #1] ERROR -- : OpenTelemetry error: Unable to export 9 spans",
                Kind::Warning,
            ),
            (Stderr, "OpenTelemetry export error: connection refused", Kind::Warning),
            (Stderr, "E, [2026-11-23T02:54:33 #1] ERROR -- : no OpenTelemetry error: x", Kind::LoggedError),
            (Stdout, "Error processing 1: OpenTelemetry error: x", Kind::ItemError),
            (Stdout, "Error processing 117: Permission denied", Kind::ItemError),
            (Stdout, "Error fetching list of files: AccessDenied", Kind::PlainError),
            (Stderr, "Error connecting to Redis on localhost:6379", Kind::LoggedError),
            (Stdout, "Removed 15 media attachments (approx. 1.11 MB)", Kind::Statement),
            (Stdout, "OK", Kind::Statement),
            (Stderr, "OK", Kind::Unexpected),
            (
                Stderr,
                "a.rb:6:in 'new_client': Database not found: x. (ActiveRecord::NoDatabaseError)",
                Kind::Exception,
            ),
            (Stderr, "\tfrom a.rb:6:in 'new_client'", Kind::Plain),
            (Stdout, "Errors: 0", Kind::Plain),
            (Stdout, "Visited by nobody", Kind::Plain),
            (Stdout, "Invalid theme path \"styles/x\" in themes.yml, skipping", Kind::PlainError),
            (Stdout, "", Kind::Plain),
            (Stdout, "  tootctl media remove    # Remove remote media files", Kind::Help),
            (Stdout, "Error while importing StatusesIndex: x", Kind::ItemError),
            (
                Stdout,
                "Extract the deletion target from statuses... This might take a while...",
                Kind::Milestone,
            ),
            (
                Stderr,
                "Ignoring debug-1.9.2 because its extensions are not built. Try: gem pristine",
                Kind::Plain,
            ),
            (
                Stderr,
                "ERROR: ld.so: object 'libjemalloc.so' from LD_PRELOAD cannot be preloaded",
                Kind::Warning,
            ),
            (Stderr, "WARNING:  database \"m\" has a collation version mismatch", Kind::Warning),
            (
                Stderr,
                "INFO  2026-11-23T02:54:33.793Z pid=4275 tid=2vkn: Sidekiq 8.0.4 connecting to Redis",
                Kind::Plain,
            ),
            (
                Stderr,
                "2026-11-23T02:54:33.793Z pid=4275 tid=2vkn INFO: Sidekiq 7.3 connecting to Redis",
                Kind::Plain,
            ),
            (Stderr, "2026-11-23T02:54:33.793Z pid=4275 tid=2vkn WARN: odd", Kind::Warning),
            (Stderr, "2026-11-23T02:54:33.793Z pid=4275 tid=2vkn ERROR: gone", Kind::LoggedError),
            (Stderr, "NOTE: Faraday::Error::ClientError is deprecated with no replacement", Kind::Warning),
            (Stderr, " Container live-redis-1  Running", Kind::Plain),
            (Stderr, "sudo: unable to resolve host x: Name or service not known", Kind::Warning),
            (Stderr, "DETAIL:  The database was created using collation version 2.31", Kind::Plain),
            (Stderr, "(process:12): VIPS-WARNING **: 03:00:00.1: odd", Kind::Warning),
            (Stderr, "`/home/mastodon` is not writable.", Kind::Plain),
            (Stderr, "/x/a.rb:6: warning: method redefined", Kind::Warning),
            (Stderr, "DEPRECATION WARNING: to be removed", Kind::Warning),
            (
                Stdout,
                "I, [2026-11-23T02:54:33 #1]  INFO -- : retried after PG::ConnectionBad: x",
                Kind::Plain,
            ),
            (Stdout, "{\"level\":\"info\",\"error\":null}", Kind::Plain),
            (Stdout, "Alert settings saved", Kind::Plain),
            (Stderr, "err", Kind::Unexpected),
            (Stdout, "0 errors, 15 done", Kind::Plain),
            (Stdout, "12 passed, 0 failed", Kind::Plain),
            (Stdout, "    error.example", Kind::Plain),
            (Stdout, "Found and removed orphan: cache/Error.png", Kind::Plain),
            // Names of files are anybody's words.
            (Stdout, "Found and removed orphan: cache/x: error: y/Errno::EACCES: z", Kind::Plain),
            (Stdout, "Unrecognized file found: cannot level=error open", Kind::Plain),
            (Stderr, "fatal: not a git repository (or any of the parent directories): .git", Kind::Warning),
            (Stderr, "<jemalloc>: Error in munmap(): Invalid argument", Kind::Warning),
            (Stderr, "(process:12): GLib-GObject-CRITICAL **: 03:00:00: assertion failed", Kind::Warning),
            (Stderr, "[fog][WARNING] Unable to load the 'unf' gem.", Kind::Warning),
            (Stderr, "WARN[0000] compose.yml: `version` is obsolete", Kind::Warning),
            (Stderr, "WARNUNG:  Datenbank »m« hat eine andere Version der Sortierfolge", Kind::Warning),
            (Stderr, "HINWEIS:  Tabelle »x« existiert nicht, wird übersprungen", Kind::Plain),
        ] {
            assert_eq!(classify(stream, text), kind, "{text}");
        }
    }

    #[test]
    fn errors_are_told_by_general_signs() {
        for (stream, text) in [
            (Stdout, "E, [2026-11-23T02:54:33.138691 #4275] ERROR -- sidekiq: pool is gone"),
            (Stdout, "E, [2026-11-23T02:54:33.138691 #4275] ERROR -- : [req] RedisCacheStore: clear failed"),
            (Stdout, "F, [2026-11-23T02:54:33.138691 #4275] FATAL -- rack-timeout: source=x"),
            (Stdout, "{\"level\":\"error\",\"message\":\"RedisCacheStore: clear failed\"}"),
            (Stdout, "{\"time\": 1, \"severity\": \"FATAL\", \"m\": \"x\"}"),
            (Stdout, "{\"level\":50,\"msg\":\"gone\"}"),
            (Stdout, "ts=2026 level=error msg=gone"),
            (Stderr, "curl: (7) Failed to connect"),
            (Stderr, "ERR: gone"),
            (Stderr, "[crit] gone"),
            (Stderr, "error[E0432]: unresolved"),
            (Stdout, "[ERROR] RedisCacheStore: clear failed, returned nil"),
            (Stdout, "2026-11-23 02:54:33 [error] gone"),
            (Stdout, "[2026-11-23T02:54:33.1Z] ERROR gone"),
            (Stdout, "error processing 117: Permission denied"),
            (Stdout, "  Error processing 117: Permission denied"),
            (Stdout, "PG::ConnectionBad: server closed the connection unexpectedly"),
            (Stdout, "ActiveRecord::StatementInvalid: PG::ReadOnlySqlTransaction"),
            (Stdout, "Stoplight::Red: light"),
            (Stdout, "NoMethodError: undefined method"),
            (Stdout, "RedisCacheStore: clear failed, returned nil: Redis::CannotConnectError: no"),
            (
                Stdout,
                "Importing : |====E, [2026-11-23T02:54:33.138691 #4275] ERROR -- : bulk indexing went wrong",
            ),
            (Stdout, "|E, [2026-11-23T02:54:33.138691 #4275] ERROR -- : bulk indexing went wrong"),
            (Stdout, "Could not remove 1234: Access Denied"),
            (Stdout, "Build with Vite failed! ❌"),
            (Stderr, "psql:x.sql:1: FEHLER:  Relation »x« existiert nicht"),
            (Stderr, "psql:x.sql:1: ERREUR:  la relation « x » n'existe pas"),
            (Stderr, "psql:x.sql:1: エラー:  リレーション\"x\"は存在しません"),
            (Stdout, "ОШИБКА:  отношение \"x\" не существует"),
            (Stdout, "Unable to delete attachment 5"),
            (Stderr, "RedisCacheStore: clear failed, returned nil: Redis::CannotConnectError"),
            (Stderr, "rake aborted!"),
            (Stderr, "pg_dump: error: connection to server failed"),
            (Stderr, "rsync error: some files could not be transferred (code 23)"),
            (Stderr, "npm ERR! code 1"),
            (Stderr, "tar: live: Cannot open: Permission denied"),
            (Stderr, "cat: x: Permission denied"),
            (Stderr, "PG::ReadOnlySqlTransaction: ERROR:  cannot execute UPDATE"),
            (Stderr, "bundler: failed to load command: rake"),
            (Stderr, "Error connecting to Redis on localhost:6379 (Errno::ECONNREFUSED)"),
        ] {
            let kind = classify(stream, text);
            assert_eq!(kind.class(), LineClass::Error, "{text}: {kind:?}");
        }
    }
}

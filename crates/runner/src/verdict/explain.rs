//! Turns the lines in which a program says why it failed into a code and a sentence.

use crate::output::Summary;
use mastmaint_words::{Cause, Reason};

/// A known reason: any of these texts gives it away.
struct Known {
    texts: &'static [&'static str],
    code: &'static str,
    cause: Cause,
    /// What a tired admin needs to know; the line itself is quoted after it.
    says: &'static str,
}

const fn known(texts: &'static [&'static str], code: &'static str, says: &'static str) -> Known {
    Known { texts, code, cause: Cause::Other, says }
}

const fn silent(texts: &'static [&'static str], code: &'static str, says: &'static str) -> Known {
    Known { texts, code, cause: Cause::Unreachable, says }
}

/// The first that fits counts, so the special stand before the general.
const KNOWN: &[Known] = &[
    known(
        &["env: ‘ruby’", "env: 'ruby'", "env: ruby:"],
        "ruby-missing",
        "Ruby is not in the PATH of the step; set PATH in the instance's environment",
    ),
    known(
        &["Bundler::RubyVersionMismatch", "Your Ruby version is", "rbenv: version"],
        "wrong-ruby",
        "the Ruby that was found is not the one that Mastodon wants; look at PATH in the instance's environment",
    ),
    known(
        &["(Bundler::", "Run `bundle install`", "bundle install"],
        "gems-missing",
        "gems are missing; run `bundle install` in the Rails root as the instance's user",
    ),
    known(
        &["ActiveRecord::NoDatabaseError", "Database not found"],
        "database-missing",
        "the database does not exist; look at DB_NAME in .env.production",
    ),
    known(
        &["with your username/password", "password authentication failed", "Peer authentication failed"],
        "database-refused",
        "PostgreSQL does not let this user in; look at the instance's user and DB_USER, DB_PASS",
    ),
    silent(
        &[
            "There is an issue connecting with your hostname",
            "PG::ConnectionBad",
            "the database system is",
            "terminating connection due to administrator command",
            "server closed the connection unexpectedly",
        ],
        "postgres-unreachable",
        "PostgreSQL does not answer",
    ),
    silent(
        &[
            "Redis::CannotConnectError",
            "RedisClient::CannotConnectError",
            "connecting to Redis",
            "(redis://",
            "port 6379",
        ],
        "redis-unreachable",
        "Redis does not answer",
    ),
    known(
        &["PG::ReadOnlySqlTransaction", "read-only transaction"],
        "database-read-only",
        "the database takes no changes",
    ),
    known(
        &["ActiveRecord::QueryCanceled", "PG::QueryCanceled"],
        "database-timeout",
        "PostgreSQL cancelled a query that took too long",
    ),
    known(&["Errno::ENOSPC", "No space left on device", "PG::DiskFull"], "disk-full", "a disk is full"),
    known(
        &["AccessDenied", "Access Denied", "PermanentRedirect", "Aws::S3::Errors"],
        "store-refused",
        "the object store refused; look at the S3 settings in .env.production",
    ),
    silent(
        &[
            "Connection refused",
            "ECONNREFUSED",
            "failed to connect",
            "Failed to open TCP connection",
            "No address for",
            "getaddrinfo",
            "Network is unreachable",
            "Temporary failure in name resolution",
            "Connection timed out",
            "execution expired",
        ],
        "network-unreachable",
        "a server does not answer",
    ),
    known(
        &["Permission denied", "Errno::EACCES", "Operation not permitted", "Read-only file system"],
        "permission-denied",
        "a file may not be read or written by the step's user, or its room does not allow it",
    ),
    known(
        &["RAILS_ENV environment variable is not set"],
        "rails-env-missing",
        "RAILS_ENV is not set; set it in the instance's environment",
    ),
    known(
        &["Mastodon now requires that these variables are set"],
        "settings-missing",
        "Mastodon does not find its settings; is .env.production there and readable for the instance's user?",
    ),
];

fn find(text: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.texts.iter().any(|t| text.contains(t)))
}

/// The code of a line and whether a retry can help, where they are known.
pub(super) fn code_of(text: &str) -> Option<(&'static str, Cause)> {
    find(text).map(|known| (known.code, known.cause))
}

/// Whether a line holds one of the reasons that are known.
pub(crate) fn is_known_reason(text: &str) -> bool {
    find(text).is_some()
}

/// The reason for an exit status other than 0.
pub(super) fn exit_status(status: i32, summary: &Summary, is_tootctl: bool) -> Reason {
    let exception = summary.exception.as_deref();
    let first = summary.first_stderr.first().map(String::as_str);
    let error = summary.first_errors.first().map(String::as_str);
    // What tootctl refuses with comes first; other programs may begin standard error with a table.
    let said = if is_tootctl { first.or(error) } else { error.or(first) };
    let Some(line) = exception.or(said) else {
        return Reason::new("exit-status", format!("it exited with {status} and said nothing about it"));
    };
    let message = exception_message(line).unwrap_or_else(|| line.to_owned());
    let quoted = |says: &str| format!("{says} (exit status {status}): {message}");
    if let Some(known) = find(line) {
        return Reason { code: known.code.to_owned(), text: quoted(known.says), cause: known.cause };
    }
    // tootctl refuses with one sentence on standard error; everything else comes with a backtrace.
    if is_tootctl && exception.is_none() && status == 1 && first.is_some() {
        return Reason::new("usage-error", quoted("tootctl refused the command"));
    }
    Reason::new("exit-status", format!("it exited with {status}: {message}"))
}

/// Whether a line is the first of a Ruby backtrace: `FILE:LINE:in 'METHOD': MESSAGE (Class)`.
pub(crate) fn is_exception(text: &str) -> bool {
    text.ends_with(')') && parts(text).is_some()
}

/// `MESSAGE (Class)` of the first line of a Ruby backtrace.
fn exception_message(text: &str) -> Option<String> {
    let (message, class) = parts(text)?;
    Some(format!("{message} ({class})"))
}

fn parts(text: &str) -> Option<(&str, &str)> {
    let (place, rest) = text.split_once(":in ")?;
    place
        .rsplit_once(':')
        .filter(|(_, line)| !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit()))?;
    let rest = rest.strip_prefix(['`', '\''])?;
    let (_, said) = rest.split_once("': ")?;
    let (message, class) = said.strip_suffix(')')?.rsplit_once(" (")?;
    (class.starts_with(|c: char| c.is_ascii_uppercase()) && !class.contains(' ')).then_some((message, class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_backtrace_becomes_a_sentence() {
        let line = "/x/postgresql_adapter.rb:67:in `rescue in new_client': There is an issue connecting with your \
                    hostname: /var/run/postgresql. (ActiveRecord::DatabaseConnectionError)";
        assert!(is_exception(line));
        let summary = Summary { exception: Some(line.into()), ..Summary::default() };
        let reason = exit_status(1, &summary, true);
        assert_eq!(reason.code, "postgres-unreachable");
        assert_eq!(reason.cause, Cause::Unreachable);
        assert_eq!(
            reason.text,
            "PostgreSQL does not answer (exit status 1): There is an issue connecting with your hostname: \
             /var/run/postgresql. (ActiveRecord::DatabaseConnectionError)"
        );
    }

    #[test]
    fn other_exits_quote_what_was_said() {
        let said = |line: &str| Summary { first_stderr: vec![line.into()], ..Summary::default() };
        assert_eq!(exit_status(1, &said("No domain(s) given"), true).code, "usage-error");
        assert_eq!(exit_status(1, &said("No domain(s) given"), false).code, "exit-status");
        let curl = Summary {
            first_errors: vec!["curl: (7) Failed to connect".into()],
            ..said("  % Total    % Received")
        };
        assert_eq!(exit_status(7, &curl, false).text, "it exited with 7: curl: (7) Failed to connect");
        assert_eq!(
            exit_status(127, &said("env: ‘ruby’: No such file or directory"), true).code,
            "ruby-missing"
        );
        assert_eq!(
            exit_status(3, &Summary::default(), true).text,
            "it exited with 3 and said nothing about it"
        );
    }
}

//! Turns the lines in which a program says why it failed into a code and a sentence.

use super::{
    known::{BUILD_FAILED, KNOWN, Known},
    place,
};
use crate::output::Summary;
use aho_corasick::AhoCorasick;
use mastmaint_words::{Cause, Reason};
use std::sync::LazyLock;

/// All texts of all reasons, and for each the reason it gives away.
static TEXTS: LazyLock<Option<(AhoCorasick, Vec<usize>)>> = LazyLock::new(|| {
    let texts = KNOWN.iter().flat_map(|known| known.texts);
    let owners = KNOWN.iter().enumerate().flat_map(|(at, known)| known.texts.iter().map(move |_| at));
    Some((AhoCorasick::new(texts).ok()?, owners.collect()))
});

fn find(text: &str) -> Option<&'static Known> {
    let (texts, owners) = TEXTS.as_ref()?;
    let first = texts.find_overlapping_iter(text).map(|found| owners[found.pattern().as_usize()]).min()?;
    KNOWN.get(first)
}

/// What Ruby writes when it crashes: `a.rb:1: [BUG] Segmentation fault at 0x0000000000000008`.
const RUBY_CRASHED: &str = "[BUG] ";
/// With this `timeout`, the program, exits after it has ended what it started.
const ENDED_BY_TIMEOUT: i32 = 124;

/// What is known of the reason that a line gives.
#[derive(Debug, Clone)]
pub(super) struct Explained {
    pub(super) code: &'static str,
    pub(super) cause: Cause,
    /// `PostgreSQL does not answer at /var/run/postgresql`.
    pub(super) says: String,
    /// What to do; may be empty.
    pub(super) remedy: &'static str,
}

/// The reason that a line gives, where it is known.
pub(super) fn explain(text: &str) -> Option<Explained> {
    let known = find(text)?;
    let says = match place::of(text).filter(|_| known.cause == Cause::Unreachable) {
        Some(place) => format!("{} at {place}", known.says),
        None => known.says.to_owned(),
    };
    Some(Explained { code: known.code, cause: known.cause, says, remedy: known.remedy })
}

/// Whether a line holds one of the reasons that are known.
pub(crate) fn is_known_reason(text: &str) -> bool {
    find(text).is_some()
}

/// The reasons for an exit status other than 0: a sentence, then what the program said itself.
pub(super) fn exit_status(status: i32, summary: &Summary, is_tootctl: bool) -> Vec<Reason> {
    let exception = summary.exception.as_deref();
    let (stderr, errors) = (&summary.first_stderr, &summary.first_errors);
    // What tootctl refuses with comes first; other programs may begin standard error with a table.
    let (first, second) = if is_tootctl { (stderr, errors) } else { (errors, stderr) };
    // Older versions refuse on standard output.
    let last = summary.last_stdout.as_deref().filter(|_| is_tootctl && status == 1);
    let mut lines: Vec<&str> =
        exception.into_iter().chain(first.iter().chain(second).map(String::as_str)).chain(last).collect();
    // A warning only where nothing else was said: nearly always it has nothing to do with the end.
    if lines.is_empty() {
        lines.extend(summary.last_aside.as_deref());
    }
    // `rails aborted!` says nothing that the status does not say.
    if lines.iter().any(|line| !line.ends_with("aborted!")) {
        lines.retain(|line| !line.ends_with("aborted!"));
    }
    // That a build failed is true of every reason that it may have.
    let tells = |line: &&&str| find(line).is_some_and(|known| known.code != BUILD_FAILED);
    let known = lines.iter().find(tells).or_else(|| lines.iter().find(|line| find(line).is_some()));
    if status == ENDED_BY_TIMEOUT && known.is_none() {
        let text = "it exited with 124, as `timeout` does: it took longer than the limit that stands there";
        let said = lines.first().map(|line| Reason::new("said", format!("it said: {}", line.trim())));
        return [Reason::new("outer-timeout", text)].into_iter().chain(said).collect();
    }
    let Some(line) = known.or(lines.first()) else {
        return vec![Reason::new(
            "exit-status",
            format!("it exited with {status} and said nothing about it"),
        )];
    };
    let message = exception_message(line).unwrap_or_else(|| line.trim().to_owned());
    if let Some(known) = explain(line) {
        let remedy = if known.remedy.is_empty() { String::new() } else { format!("; {}", known.remedy) };
        let text = format!("{}{remedy} (exit status {status})", known.says);
        let reason = Reason { code: known.code.to_owned(), text, cause: known.cause };
        return vec![reason, Reason::new("said", format!("it said: {message}"))];
    }
    // tootctl refuses with one sentence; everything else comes with a backtrace.
    if is_tootctl && exception.is_none() && status == 1 {
        return vec![Reason::new("usage-error", format!("tootctl refused the command: {message}"))];
    }
    vec![Reason::new("exit-status", format!("it exited with {status}: {message}"))]
}

/// The reasons for a crash: what a program says while it goes down.
pub(super) fn crash(signal: &str, summary: &Summary) -> Vec<Reason> {
    let said =
        summary.first_errors.iter().chain(&summary.first_stderr).find(|line| line.contains(RUBY_CRASHED));
    match said.and_then(|line| Some((line, explain(line)?))) {
        Some((line, known)) => {
            let text = format!("{} ({signal}); {}", known.says, known.remedy);
            let reason = Reason { code: known.code.to_owned(), text, cause: known.cause };
            vec![reason, Reason::new("said", format!("it said: {}", line.trim()))]
        }
        None => vec![Reason::new("crashed", format!("it crashed ({signal})"))],
    }
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
        let reasons = exit_status(1, &summary, true);
        assert_eq!(reasons[0].code, "postgres-unreachable");
        assert_eq!(reasons[0].cause, Cause::Unreachable);
        assert_eq!(reasons[0].text, "PostgreSQL does not answer at /var/run/postgresql (exit status 1)");
        assert_eq!(
            reasons[1].text,
            "it said: There is an issue connecting with your hostname: /var/run/postgresql. \
             (ActiveRecord::DatabaseConnectionError)"
        );
    }

    #[test]
    fn other_exits_quote_what_was_said() {
        let said = |line: &str| Summary { first_stderr: vec![line.into()], ..Summary::default() };
        let code =
            |status, summary: &Summary, is_tootctl| exit_status(status, summary, is_tootctl)[0].code.clone();
        assert_eq!(code(1, &said("No domain(s) given"), true), "usage-error");
        assert_eq!(code(1, &said("No domain(s) given"), false), "exit-status");
        let old = Summary { last_stdout: Some("No domain(s) given".into()), ..Summary::default() };
        assert_eq!(code(1, &old, true), "usage-error");
        let curl = Summary {
            first_errors: vec!["curl: (7) could not connect".into()],
            ..said("  % Total    % Received")
        };
        assert_eq!(exit_status(7, &curl, false)[0].text, "it exited with 7: curl: (7) could not connect");
        assert_eq!(code(127, &said("env: ‘ruby’: No such file or directory"), true), "ruby-missing");
        assert_eq!(
            exit_status(3, &Summary::default(), true)[0].text,
            "it exited with 3 and said nothing about it"
        );
    }

    #[test]
    fn a_limit_outside_and_a_crash_of_ruby_have_sentences() {
        let of = |status, summary: &Summary, is_tootctl| exit_status(status, summary, is_tootctl);
        let silent = of(124, &Summary::default(), false);
        assert_eq!((silent.len(), silent[0].code.as_str()), (1, "outer-timeout"));
        let said = Summary { first_stderr: vec!["still copying".into()], ..Summary::default() };
        assert_eq!(of(124, &said, false)[1].text, "it said: still copying");
        let down =
            Summary { first_errors: vec!["FATAL:  the database system is starting up".into()], ..said };
        assert_eq!(of(124, &down, false)[0].code, "postgres-unreachable", "why it took so long says more");
        let bug = "/gems/x.rb:7: [BUG] Segmentation fault at 0x0000000000000008";
        let crashed = Summary { first_stderr: vec![bug.into()], ..Summary::default() };
        let reasons = crash("SIGABRT", &crashed);
        assert!(reasons[0].text.starts_with("Ruby itself crashed (SIGABRT); "), "{reasons:?}");
        assert_eq!(reasons[1].text, format!("it said: {bug}"));
        assert_eq!(crash("SIGSEGV", &Summary::default())[0].text, "it crashed (SIGSEGV)");
        assert_eq!(of(1, &crashed, false)[0].code, "ruby-crashed");
    }

    #[test]
    fn faults_of_every_kind_have_a_name() {
        for (line, code) in [
            (
                "Error processing 1: PG::DiskFull: ERROR:  could not extend file \"base/1\": No space left on device",
                "disk-full",
            ),
            ("Error processing 1: Read-only file system @ apply2files - /x", "read-only-files"),
            ("Error processing 1: PG::TRDeadlockDetected: ERROR:  deadlock detected", "database-deadlock"),
            (
                "Error processing 1: PG::QueryCanceled: ERROR:  canceling statement due to statement timeout",
                "database-timeout",
            ),
            ("Error processing 1: FATAL:  sorry, too many clients already", "database-busy"),
            ("x: ERROR:  prepared statement \"a17\" does not exist", "pgbouncer-statements"),
            ("Error processing 1: READONLY You can't write against a read only replica.", "redis-read-only"),
            ("x: OOM command not allowed when used memory > 'maxmemory'.", "redis-memory-full"),
            ("x: MISCONF Redis is configured to save RDB snapshots, but", "redis-read-only"),
            ("x: NOAUTH Authentication required. (redis://localhost:6379)", "redis-refused"),
            ("x: LOADING Redis is loading the dataset in memory", "redis-unreachable"),
            ("x: The AWS Access Key Id you provided does not exist (InvalidAccessKeyId)", "store-refused"),
            ("x: SSL_connect returned=1 errno=0 state=error: certificate verify failed", "tls-failed"),
            (
                "x: Failed to open TCP connection to s3.example:443 (getaddrinfo: Name or service not known)",
                "network-unreachable",
            ),
            ("[403] {\"error\":{\"type\":\"cluster_block_exception\"}}", "search-read-only"),
            ("PG::UndefinedColumn: ERROR:  column accounts.x does not exist", "migrations-pending"),
            (
                "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
                "memory-short",
            ),
            ("sh: 1: node: not found", "node-missing"),
            ("ruby: error while loading shared libraries: libicui18n.so.72: cannot open", "library-missing"),
            ("`secret_key_base` for production environment must be a type of String", "secrets-missing"),
        ] {
            assert_eq!(explain(line).map(|e| e.code), Some(code), "{line}");
        }
        assert!(explain("Removed 15 media attachments (approx. 1.11 MB)").is_none());
    }
}

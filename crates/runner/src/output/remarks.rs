//! What stands on standard error of a run in which nothing is wrong: remarks of Bundler, of libraries that are loaded
//! first, of shells without a terminal, and what follows a warning. A storm of warnings is read as fast as anything
//! else: each list is one search.

use aho_corasick::{AhoCorasick, AhoCorasickBuilder};
use std::sync::LazyLock;

/// Remarks of Bundler, of the gem loader about gems of another Ruby, of perl and the shell about locales, of libraries
/// about their own future, of git about whose a directory is.
const EXPECTED: [&str; 14] = [
    "is not writable.",
    "as your home directory temporarily",
    "Bundler will use `",
    "because its extensions are not built",
    "are supported and installed on your system",
    "Falling back to ",
    "Don't run Bundler as root",
    "for all non-root users on this machine",
    "Resolving dependencies...",
    "will be unused by any of the platforms",
    // `Redis#sadd will always return an Integer (called from: /x/y.rb:5:in `block')`.
    "(called from",
    "called from /",
    "To add an exception for this directory",
    "git config --global",
];
/// What stands on standard error before lines that belong to the one before.
const CONTINUED: [&str; 9] =
    ["DETAIL:", "HINT:", "CONTEXT:", "NOTICE:", "LOCATION:", "STATEMENT:", "LINE 1:", "\tLC_", "\tLANG"];
/// What programs say there that only start another one: `docker compose`, `podman`, `time`, `nohup`.
const OF_STARTERS: [&str; 13] = [
    "Container ",
    "Network ",
    "Volume ",
    "[+] ",
    "✔ ",
    "real\t",
    "user\t",
    "sys\t",
    "nohup: ignoring input",
    "Creating ",
    "Starting ",
    "Recreating ",
    "Emulate Docker CLI",
];
/// Has a sign of an error and is none: a library that is to be loaded first and is not there, shims that rbenv cannot
/// write, gems and versions that ask git where no repository is, shells that look for a terminal, an allocator that
/// does not know its settings.
const HARMLESS: [&str; 10] = [
    "from LD_PRELOAD cannot be preloaded",
    "rbenv: cannot rehash",
    "sudo: unable to resolve host",
    "not a git repository",
    "detected dubious ownership in repository",
    "git: not found",
    "git: command not found",
    "Inappropriate ioctl for device",
    "no job control in this shell",
    "annot set LC_",
];
/// What OpenTelemetry's library logs when what it measured cannot be sent anywhere: the command itself goes on, and does
/// the same with it and without.
const OF_TELEMETRY: [&str; 2] = ["OpenTelemetry error: ", "OpenTelemetry export error"];
/// The allocator writes its remarks so.
const OF_JEMALLOC: &str = "<jemalloc>: ";
/// No line with one of these is taken for the rest of a warning.
const TROUBLE: [&str; 22] = [
    "fail",
    "error",
    "exception",
    "fatal",
    "abort",
    "terminat",
    "kill",
    "crash",
    "refus",
    "denied",
    "lost",
    "timeout",
    "timed out",
    "corrupt",
    "broken",
    "unable",
    "cannot",
    "could not",
    "can't",
    "not found",
    "segmentation",
    "no space",
];

static EXPECTED_ANYWHERE: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(EXPECTED).ok());
static HARMLESS_ANYWHERE: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| AhoCorasick::new(HARMLESS).ok());
static TROUBLE_ANYWHERE: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasickBuilder::new().ascii_case_insensitive(true).build(TROUBLE).ok());

/// Whether a line is harmless though it may begin as errors do.
pub(super) fn is_harmless(text: &str) -> bool {
    text.starts_with(OF_JEMALLOC) || HARMLESS_ANYWHERE.as_ref().is_some_and(|words| words.is_match(text))
}

/// Whether a line is a logger's, or a line by itself, about telemetry alone.
pub(super) fn is_of_telemetry(text: &str) -> bool {
    let message = text.split_once(" -- : ").map_or(text, |(_, message)| message);
    OF_TELEMETRY.iter().any(|begin| message.trim_start().starts_with(begin))
}

/// Whether a line without any sign is one of those that are expected.
pub(super) fn is_expected(text: &str) -> bool {
    EXPECTED_ANYWHERE.as_ref().is_some_and(|words| words.is_match(text))
        || CONTINUED.iter().any(|begin| text.starts_with(begin))
        || OF_STARTERS.iter().any(|begin| text.trim_start().starts_with(begin))
}

/// Whether a line without any sign may be the rest of the warning before it:
/// `You can add ostruct to your Gemfile to silence this warning.`
pub(super) fn may_continue(text: &str) -> bool {
    TROUBLE_ANYWHERE.as_ref().is_some_and(|words| !words.is_match(text))
}

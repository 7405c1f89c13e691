//! The tootctl commands worth scheduling, as data: what each says when it got to its end, and whether it can look
//! without touching (`--dry-run`).

use super::template::{self, Found};
use crate::output::Summary;

/// A command that is known.
#[derive(Debug)]
pub(super) struct Command {
    words: &'static str,
    /// Each must be found.
    statements: &'static [Statement],
    dry_run: bool,
}

/// A line that says that the command got to its end.
#[derive(Debug)]
struct Statement {
    /// It has one of these shapes.
    shapes: &'static [&'static str],
    /// It is not expected with this option.
    unless: Option<&'static str>,
}

const fn line(shapes: &'static [&'static str]) -> Statement {
    Statement { shapes, unless: None }
}

const fn known(words: &'static str, statements: &'static [Statement]) -> Command {
    Command { words, statements, dry_run: false }
}

const fn with_dry_run(words: &'static str, statements: &'static [Statement]) -> Command {
    Command { words, statements, dry_run: true }
}

const OK: &[Statement] = &[line(&["OK"])];

/// `visited` counts what was looked at, failures included; `removed` what was really done.
const COMMANDS: &[Command] = &[
    with_dry_run(
        "media remove",
        &[line(&[
            "Removed {visited} media attachments (approx. {bytes})",
            "Visited {visited} accounts and removed profile media totaling {bytes}",
        ])],
    ),
    with_dry_run("media remove-orphans", &[line(&["Removed {removed} orphans (approx. {bytes})"])]),
    with_dry_run(
        "preview-cards remove",
        &[line(&[
            "Removed {visited} preview cards (approx. {bytes})",
            "Removed {visited} link-type preview cards (approx. {bytes})",
            "Removed media from {visited} preview cards (approx. {bytes})",
            "Removed media from {visited} link-type preview cards (approx. {bytes})",
        ])],
    ),
    known(
        "statuses remove",
        &[
            Statement {
                shapes: &["Done after {any}s, removed {removed} out of {visited} statuses."],
                unless: Some("--skip-status-remove"),
            },
            Statement { shapes: &[super::numbers::MEDIA_DONE], unless: Some("--skip-media-remove") },
            line(&["Done after {any}s, removed {removed} out of {visited} conversations."]),
        ],
    ),
    with_dry_run("accounts cull", &[line(&["Visited {visited} accounts, removed {removed}"])]),
    with_dry_run("accounts prune", &[line(&["OK, pruned {removed} accounts"])]),
    known("accounts refresh", &[line(&["Refreshed {visited} accounts", "OK"])]),
    known("cache clear", OK),
    known("cache recount", &[line(&["OK, recounted {visited} records"])]),
    with_dry_run("feeds build", &[line(&["Regenerated feeds for {visited} accounts", "OK"])]),
    known("feeds clear", OK),
    known("feeds vacuum", &[]),
    known("emoji purge", OK),
    known("search deploy", &[line(&["Indexed {visited} records, de-indexed {removed}"])]),
];

impl Command {
    /// The command that these arguments call.
    pub(super) fn find(args: &[String]) -> Option<&'static Self> {
        let words: Vec<String> =
            args.iter().take_while(|a| !a.starts_with('-')).take(2).map(|a| a.replace('_', "-")).collect();
        let words = words.join(" ");
        COMMANDS.iter().find(|c| c.words == words)
    }

    pub(super) const fn has_statement(&self) -> bool {
        !self.statements.is_empty()
    }

    /// The shape of a line that should have been there.
    pub(super) fn missing_statement(&self, args: &[String], summary: &Summary) -> Option<&'static str> {
        if args.iter().any(|a| matches!(a.as_str(), "--help" | "-h")) {
            return self.statements.first()?.shapes.first().copied();
        }
        let missing = self.statements.iter().find(|statement| {
            let is_expected = statement.unless.is_none_or(|option| !has_option(args, option));
            is_expected && !summary.statements.iter().any(|text| statement.read(text).is_some())
        })?;
        missing.shapes.first().copied()
    }

    /// What the lines say that belong to this command.
    pub(super) fn read<'a>(&'a self, summary: &'a Summary) -> impl Iterator<Item = Found> + 'a {
        summary.statements.iter().filter_map(|text| self.statements.iter().find_map(|s| s.read(text)))
    }
}

impl Statement {
    fn read(&self, text: &str) -> Option<Found> {
        let text = plain(text);
        self.shapes.iter().find_map(|shape| template::read(shape, text))
    }
}

fn plain(text: &str) -> &str {
    text.strip_suffix("(DRY RUN)").unwrap_or(text).trim_end()
}

fn has_option(args: &[String], option: &str) -> bool {
    args.iter().any(|a| a.replace('_', "-") == option)
}

/// Whether a line is a statement of success of any command.
pub(crate) fn is_statement(text: &str) -> bool {
    // Nearly every line of a long output ends here.
    matches!(text.as_bytes().first(), Some(b'R' | b'V' | b'D' | b'O' | b'I'))
        && COMMANDS.iter().flat_map(|c| c.statements).any(|s| s.read(text).is_some())
}

/// The same command with `--dry-run`; `None` where the command has none.
pub fn dry_run_of(args: &[String]) -> Option<Vec<String>> {
    let command = Command::find(args)?;
    command.dry_run.then(|| {
        let mut args = args.to_vec();
        if !has_option(&args, "--dry-run") {
            args.push("--dry-run".to_owned());
        }
        args
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn finds_commands_however_they_are_written() {
        for line in [
            "preview_cards remove --days 30",
            "preview-cards remove",
            "media remove-orphans",
            "media remove_orphans",
        ] {
            assert!(Command::find(&args(line)).is_some(), "{line}");
        }
        assert!(Command::find(&args("media usage")).is_none());
        assert!(Command::find(&args("")).is_none());
    }

    #[test]
    fn a_dry_run_is_only_there_where_tootctl_has_one() {
        assert_eq!(dry_run_of(&args("media remove --days 7")), Some(args("media remove --days 7 --dry-run")));
        assert_eq!(dry_run_of(&args("accounts cull --dry_run")), Some(args("accounts cull --dry_run")));
        assert_eq!(dry_run_of(&args("statuses remove")), None);
        assert_eq!(dry_run_of(&args("self-destruct")), None);
    }

    #[test]
    fn statements_are_told_from_other_lines() {
        assert!(is_statement("Removed 5 orphans (approx. 97.7 KB) (DRY RUN)"));
        assert!(is_statement("Regenerated feeds for 0 accounts"));
        assert!(!is_statement("Removing temporary database indices to restore write performance..."));
    }
}

//! What is known of rails' own tasks: `assets:precompile` and those of the database.

use super::{Terms, sentence};
use crate::output::Summary;
use mastmaint_tootctl::Series;
use mastmaint_words::{Grade, Outcome, Reason, Verdict};

/// Lines with which a build says that it is whole: Vite's, Webpacker's, and those of both when nothing was to do.
const BUILT: [&str; 5] = [
    "Build with Vite complete",
    "Skipping vite build",
    "Compiled all packs in",
    "Everything's up-to-date",
    "Compilation succeeded",
];

/// Whether a line is such a one.
pub(crate) fn is_built(text: &str) -> bool {
    text.starts_with(['B', 'S', 'C', 'E']) && BUILT.iter().any(|begin| text.starts_with(begin))
}

/// The verdict on rails after exit status 0.
pub(super) fn at_exit_zero(args: &[String], terms: &Terms, summary: &Summary) -> Verdict {
    let is_build = args.iter().any(|arg| arg.starts_with("assets:") || arg == "webpacker:compile");
    let says_built = summary.statements.iter().any(|text| is_built(text));
    let errors = summary.errors();
    if errors == 0 && args.iter().any(|arg| arg == "assets:precompile") && !says_built && is_by_vite(terms) {
        let text = "it exited with 0 but never said that the assets are built, so it did not get to its end";
        let reason = Reason::new("no-success-line", text);
        return Verdict::because(Outcome::Failed, Grade::Read, reason);
    }
    if errors == 0 {
        return super::ok(if is_build && says_built { Grade::Read } else { Grade::Exit });
    }
    // A build that leaves a theme out, or goes on after an error, is not the build that was asked for.
    let outcome = if is_build { Outcome::Failed } else { Outcome::Partial };
    Verdict::because(outcome, Grade::Read, sentence::errors(summary, errors, None))
}

/// Vite always says what it did; what Webpacker says depends on the log level.
fn is_by_vite(terms: &Terms) -> bool {
    terms.version.is_none_or(|version| version >= Series::new(4, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(task: &str, summary: &Summary) -> (Outcome, Grade) {
        let verdict = at_exit_zero(&[task.to_owned()], &Terms::default(), summary);
        (verdict.outcome, verdict.grade)
    }

    #[test]
    fn a_build_with_an_error_is_none() {
        let built = Summary { statements: vec!["Build with Vite complete: /x".into()], ..Summary::default() };
        assert_eq!(judge("assets:precompile", &built), (Outcome::Ok, Grade::Read));
        assert_eq!(judge("assets:precompile", &Summary::default()), (Outcome::Failed, Grade::Read));
        let old = Terms { version: Some(Series::new(4, 3)), ..Terms::default() };
        let verdict = at_exit_zero(&["assets:precompile".to_owned()], &old, &Summary::default());
        assert_eq!((verdict.outcome, verdict.grade), (Outcome::Ok, Grade::Exit));
        let left_out = Summary {
            plain_errors: 1,
            first_errors: vec!["Invalid theme path \"styles/x\" in themes.yml, skipping".into()],
            ..built
        };
        assert_eq!(judge("assets:precompile", &left_out), (Outcome::Failed, Grade::Read));
        assert_eq!(judge("db:migrate", &left_out), (Outcome::Partial, Grade::Read));
    }
}

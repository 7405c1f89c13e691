//! What is known of rails' own tasks: `assets:precompile` and those of the database.

use super::sentence;
use crate::output::Summary;
use mastmaint_words::{Grade, Outcome, Verdict};

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
pub(super) fn at_exit_zero(args: &[String], summary: &Summary) -> Verdict {
    let is_build = args.iter().any(|arg| arg.starts_with("assets:") || arg == "webpacker:compile");
    let grade = if is_build && summary.statements.iter().any(|text| is_built(text)) {
        Grade::Read
    } else {
        Grade::Exit
    };
    let errors = summary.errors();
    if errors == 0 {
        return super::ok(grade);
    }
    // A build that leaves a theme out, or goes on after an error, is not the build that was asked for.
    let outcome = if is_build { Outcome::Failed } else { Outcome::Partial };
    Verdict::because(outcome, Grade::Read, sentence::errors(summary, errors, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(task: &str, summary: &Summary) -> (Outcome, Grade) {
        let verdict = at_exit_zero(&[task.to_owned()], summary);
        (verdict.outcome, verdict.grade)
    }

    #[test]
    fn a_build_with_an_error_is_none() {
        let built = Summary { statements: vec!["Build with Vite complete: /x".into()], ..Summary::default() };
        assert_eq!(judge("assets:precompile", &built), (Outcome::Ok, Grade::Read));
        assert_eq!(judge("assets:precompile", &Summary::default()), (Outcome::Ok, Grade::Exit));
        let left_out = Summary {
            plain_errors: 1,
            first_errors: vec!["Invalid theme path \"styles/x\" in themes.yml, skipping".into()],
            ..built
        };
        assert_eq!(judge("assets:precompile", &left_out), (Outcome::Failed, Grade::Read));
        assert_eq!(judge("db:migrate", &left_out), (Outcome::Partial, Grade::Read));
    }
}

//! What is looked at in a copy before anything is stopped: whether its built assets are whole, without which every page
//! answers 500, and whether what streaming needs is there.

use super::{
    plan::{Named, Work, beside_me, no_instance, run},
    restore::PATH,
};
use crate::{
    environment,
    exec::{Ended, Ending, StepCommand},
    output::Patterns,
    redact::Redactor,
    verdict::Judge,
};
use mastmaint_config::{accepted::RoomView, requires::Service, settings::Step};
use mastmaint_words::{Grade, Outcome, Reason, RunId, Verdict, restore::Restoring};
use std::path::{Path, PathBuf};

/// What `mastmaint-prove` says by its exit status.
const WHOLE: i32 = 0;
const NOT_WHOLE: i32 = 1;
const UNKNOWN: i32 = 3;
const MISSING: i32 = 4;

/// Looks at the assets in the copy of a run; `needed`: nothing is switched in without them.
pub(super) fn assets(view: &RoomView, step: &Step, of: &RunId, needed: bool, named: &Named) -> Work {
    let Some(instance) = &view.instance else { return no_instance() };
    let copy = Restoring::copy(&instance.live, of);
    let streams = instance.services.iter().any(|unit| Service::of(unit) == Some(Service::Streaming));
    let mut args = vec!["--live".to_owned(), copy.display().to_string(), "told".to_owned()];
    args.extend(streams.then(|| "streaming".to_owned()));
    let command = StepCommand {
        program: beside_me("mastmaint-prove"),
        args,
        environment: environment::for_program(&step.environment, Path::new("/"), PATH),
        directory: PathBuf::from("/"),
        patterns: Patterns::default(),
    };
    run(command, step, named, Redactor::from_secrets([]), Box::new(move |ended| judge(ended, needed)))
}

/// Its exit status decides; its last word says what is wrong.
fn judge(ended: &Ended, needed: bool) -> Verdict {
    let (Ending::Exited(status), None) = (&ended.ending, &ended.cut_short) else {
        return Judge::of_any().judge(ended);
    };
    let said = ended.summary.last_stdout.clone().unwrap_or_default();
    let of =
        |outcome, grade, code: &str, text: String| Verdict::because(outcome, grade, Reason::new(code, text));
    let (code, grade) = match *status {
        WHOLE => return of(Outcome::Ok, Grade::Proved, "assets-whole", said),
        NOT_WHOLE => ("assets-incomplete", Grade::Proved),
        UNKNOWN => ("assets-unknown", Grade::Read),
        MISSING => {
            let text = format!(
                "{said}. Nothing was stopped. Take another state, or take streaming out of \
                 instance.services for this restore; then, as Mastodon's user in live, `yarn install`, and start streaming"
            );
            return of(Outcome::Failed, Grade::Proved, "modules-missing", text);
        }
        _ => return Judge::of_any().judge(ended),
    };
    if needed {
        let text = format!(
            "what would come back cannot show its pages: {said}. Nothing was stopped. Take a backup that has public/packs \
             and public/assets, or say --without-assets (without_assets: true) and build right after the switch: \
             mastmaintctl guard --recipe precompile"
        );
        return of(Outcome::Failed, grade, code, text);
    }
    let text = format!("{said}; build right after the switch: mastmaintctl guard --recipe precompile");
    of(Outcome::Ok, Grade::Exit, code, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Summary;

    fn judged(status: i32, needed: bool) -> (Outcome, String, String) {
        let said = "the assets are not whole: there is no manifest of a build in public/packs".to_owned();
        let summary = Summary { last_stdout: Some(said), ..Summary::default() };
        let ended = Ended::by_itself(Ending::Exited(status), summary);
        let verdict = judge(&ended, needed);
        (verdict.outcome, verdict.reasons[0].code.clone(), verdict.reasons[0].text.clone())
    }

    #[test]
    fn only_whole_assets_are_switched_in_unless_somebody_says_otherwise() {
        assert_eq!(judged(WHOLE, true).0, Outcome::Ok);
        let (outcome, code, text) = judged(NOT_WHOLE, true);
        assert_eq!((outcome, code.as_str()), (Outcome::Failed, "assets-incomplete"));
        assert!(text.contains("no manifest") && text.contains("--without-assets"), "{text}");
        assert_eq!(judged(UNKNOWN, true).0, Outcome::Failed);
        for status in [NOT_WHOLE, UNKNOWN] {
            let (outcome, _, text) = judged(status, false);
            assert!(outcome == Outcome::Ok && text.contains("mastmaintctl guard"), "{text}");
        }
        for needed in [true, false] {
            let (outcome, code, text) = judged(MISSING, needed);
            assert_eq!((outcome, code.as_str()), (Outcome::Failed, "modules-missing"));
            assert!(text.contains("yarn install"), "{text}");
        }
        assert_eq!(judged(101, false).0, Outcome::Failed, "it was not looked");
    }
}

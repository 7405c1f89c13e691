//! `probe` steps: `mastmaint-probe` asks one probe until it says yes or the step's time is nearly over. A service that was
//! just restarted needs some seconds, so one no is none.

use super::{
    Options,
    ask::{ask_program, passed_on},
    plan::{Named, Work, run},
};
use crate::{
    environment,
    exec::{Ended, Ending, StepCommand},
    output::Patterns,
    redact::Redactor,
    verdict::Judge,
};
use mastmaint_config::settings::{Environment, Step};
use mastmaint_words::{Grade, Outcome, ProbeName, Reason, Verdict};
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

/// What the program says by its exit status.
const YES: i32 = 0;
const NO: i32 = 1;
const NOT_ASKED: i32 = 3;
/// It gives up so much before the step's timeout: it says better than TERM what is wrong.
const MARGIN: Duration = Duration::from_secs(5);
const PATH: &str = "/usr/bin:/bin";

pub(super) fn plan(options: &Options, step: &Step, probe: &ProbeName, named: &Named) -> Work {
    ask(options, step, named, &["--until-yes", probe.as_str()], format!("the probe {probe}"))
}

/// Pages and themes as a visitor gets them.
pub(super) fn look(options: &Options, step: &Step, named: &Named) -> Work {
    ask(options, step, named, &["--visit"], "the site".to_owned())
}

/// Asks until what is asked says yes.
fn ask(options: &Options, step: &Step, named: &Named, words: &[&str], whom: String) -> Work {
    let time = named.limit.map_or(step.timeout, |limit| limit.min(step.timeout)).get();
    let within = time.saturating_sub(MARGIN.min(time / 4));
    let mut args = vec![
        "--accepted".to_owned(),
        options.accepted.display().to_string(),
        "--digest".to_owned(),
        named.digest.to_string(),
        "--within-ms".to_owned(),
        within.as_millis().to_string(),
    ];
    args.extend(words.iter().map(|word| (*word).to_owned()));
    let mut environment = environment::for_program(&Environment::new(), Path::new("/"), PATH);
    if !options.walled {
        args.push("--unwalled".to_owned());
        environment.extend(passed_on());
    }
    let command = StepCommand {
        program: ask_program(),
        args,
        environment,
        directory: PathBuf::from("/"),
        patterns: Patterns::default(),
    };
    run(command, step, named, Redactor::from_secrets([]), Box::new(move |ended| judge(&whom, ended)))
}

/// Its exit status decides, and its last word says why.
fn judge(whom: &str, ended: &Ended) -> Verdict {
    let Ending::Exited(status) = ended.ending else { return Judge::of_any().judge(ended) };
    if ended.cut_short.is_some() {
        return Judge::of_any().judge(ended);
    }
    let why = ended.summary.first_stderr.last().map_or("it does not say why", String::as_str);
    let because =
        |outcome, grade, code: &str, text: String| Verdict::because(outcome, grade, Reason::new(code, text));
    match status {
        YES => because(Outcome::Ok, Grade::Proved, "probe-yes", format!("{whom} says yes")),
        NO => because(Outcome::Failed, Grade::Proved, "probe-no", format!("{whom} says no: {why}")),
        NOT_ASKED => {
            let text = format!("{whom} cannot be asked: {why}");
            because(Outcome::Failed, Grade::Exit, "probe-not-asked", text)
        }
        _ => Judge::of_any().judge(ended),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Summary;

    fn said(status: i32, why: &str) -> Verdict {
        let summary = Summary { first_stderr: vec![why.to_owned()], ..Summary::default() };
        let ended = Ended::by_itself(Ending::Exited(status), summary);
        judge("the probe web", &ended)
    }

    #[test]
    fn only_a_yes_is_ok() {
        assert_eq!(said(YES, "").outcome, Outcome::Ok);
        let no = said(NO, "/about answers 500");
        assert_eq!((no.outcome, no.reasons[0].code.as_str()), (Outcome::Failed, "probe-no"));
        assert_eq!(no.reasons[0].text, "the probe web says no: /about answers 500");
        assert_eq!(said(NOT_ASKED, "x").reasons[0].code, "probe-not-asked");
        assert_eq!(said(2, "usage").outcome, Outcome::Failed);
    }
}

//! The parts of a guarded change as steps: its ends and its check are done by the runner itself, its commands are
//! processes like those of any step, judged strictly.

use super::{
    Options,
    plan::{Named, Work, failed, home, installed_version, no_dry_run, patterns, run, terms, wrong_user},
    probed,
};
use crate::{
    environment,
    exec::{Ended, Sink, StepCommand},
    guard::{self, Scene},
    proof::{Around, Prover},
    protocol::{EventKind, LineClass, Stream},
    redact::Redactor,
    verdict::Judge,
};
use jiff::Timestamp;
use mastmaint_config::{
    accepted::RoomView,
    effect,
    guard::GuardAction,
    settings::{Environment, Instance, Step},
};
use mastmaint_words::{Grade, JobName, Outcome, Reason, RunId, Verdict};

/// What Rails is run as where the configuration says nothing.
const PRODUCTION: &str = "production";
/// With this a build says that it was none.
const SKIPPED: &str = "Skipping vite build";

/// An end or the check of a change, ready to be done.
pub(super) struct Part {
    action: GuardAction,
    options: Options,
    run: RunId,
    job: JobName,
    instance: Instance,
    variables: Environment,
}

impl Part {
    /// Whether it may be done again by another runner if the one before died of it.
    pub(super) const fn is_owed(&self) -> bool {
        matches!(self.action, GuardAction::Keep | GuardAction::PutBack)
    }

    /// Does it.
    pub(super) fn act(&self, sink: &mut dyn Sink) -> Verdict {
        let live = &self.instance.live;
        let redactor = Redactor::for_instance(live, &self.variables);
        let mut tell = |text: String| {
            let text = redactor.redact(&text).into_owned();
            let class = LineClass::Output;
            sink.event(EventKind::Line { at: Timestamp::now(), stream: Stream::Stdout, class, text });
        };
        let prover = Prover::beside_me(live.clone(), self.variables.clone()).ok();
        let mut scene = Scene {
            state: &self.options.state,
            live,
            run: &self.run,
            job: &self.job,
            environment: rails_environment(&self.variables),
            prover: prover.as_ref(),
            tell: &mut tell,
        };
        let mut verdict = match &self.action {
            GuardAction::Begin(point) => guard::begin(point, &mut scene),
            GuardAction::Check => guard::check(&mut scene),
            GuardAction::Keep => guard::keep(&mut scene),
            GuardAction::PutBack => guard::put_back(&mut scene),
            GuardAction::Command(_) | GuardAction::Look => return elsewhere(),
        };
        for reason in &mut verdict.reasons {
            reason.text = redactor.redact(&reason.text).into_owned();
        }
        verdict
    }
}

/// These are processes.
fn elsewhere() -> Verdict {
    Verdict::because(Outcome::Failed, Grade::Exit, Reason::new("wrong-room", "this is no end of a change"))
}

pub(super) fn plan(
    options: &Options,
    view: &RoomView,
    step: &Step,
    action: &GuardAction,
    named: &Named,
) -> Work {
    if named.dry_run {
        return no_dry_run(&action.title());
    }
    if matches!(action, GuardAction::Look) {
        return probed::look(options, step, named);
    }
    let Some(instance) = &view.instance else {
        return failed(
            "no-instance",
            "the configuration names no instance; add `instance:` with its services",
        );
    };
    if let Some(verdict) = wrong_user(options, instance) {
        return Work::Settled(verdict);
    }
    if let GuardAction::Command(argv) = action {
        return command(instance, step, argv, named);
    }
    Work::Guard(Box::new(Part {
        action: action.clone(),
        options: options.clone(),
        run: named.key.run.clone(),
        job: named.job.clone(),
        instance: instance.clone(),
        variables: environment::for_change(instance, &step.environment, &home(), &[]),
    }))
}

fn command(instance: &Instance, step: &Step, argv: &[String], named: &Named) -> Work {
    let Some((program, arguments)) = argv.split_first() else {
        return failed("no-program", "the guard has a command without a word; write what is run");
    };
    let environment = environment::for_change(instance, &step.environment, &home(), argv);
    let redactor = Redactor::for_instance(&instance.live, &environment);
    let builds = effect::builds_assets(argv);
    let around = Around {
        assets: builds,
        prover: Prover::beside_me(instance.live.clone(), environment.clone()).ok(),
        forces_build: Some((instance.live.clone(), rails_environment(&environment).to_owned())),
        ..Around::default()
    };
    let command = StepCommand {
        program: program.into(),
        args: arguments.to_vec(),
        environment,
        directory: instance.live.clone(),
        patterns: patterns(step),
    };
    let judge = Judge::of_line(argv).with(terms(step, installed_version(instance)));
    let judge = move |ended: &Ended| strictly(judge.judge(ended), ended);
    let mut work = run(command, step, named, redactor, Box::new(judge));
    if let Work::Run(process) = &mut work {
        process.around = around;
    }
    work
}

/// A build that was skipped is none, whatever its exit status.
fn strictly(verdict: Verdict, ended: &Ended) -> Verdict {
    let is_skipped = ended.summary.statements.iter().any(|text| text.starts_with(SKIPPED));
    if verdict.outcome != Outcome::Ok || !is_skipped {
        return verdict;
    }
    let text =
        "Vite skipped the build although that had been made impossible: what is there now is an older build";
    Verdict::because(Outcome::Failed, Grade::Read, Reason::new("build-skipped", text))
}

fn rails_environment(variables: &Environment) -> &str {
    variables.get("RAILS_ENV").map_or(PRODUCTION, String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{exec::Ending, output::Summary};

    #[test]
    fn a_build_that_was_skipped_is_not_ok() {
        let said = |line: &str| {
            let summary = Summary { statements: vec![line.to_owned()], ..Summary::default() };
            let ended = Ended::by_itself(Ending::Exited(0), summary);
            let argv = ["bin/rails", "assets:precompile"].map(str::to_owned);
            strictly(Judge::of_line(&argv).judge(&ended), &ended).outcome
        };
        assert_eq!(said("Build with Vite complete: /live/public/packs"), Outcome::Ok);
        assert_eq!(
            said("Skipping vite build. Watched files have not changed since the last build"),
            Outcome::Failed
        );
    }
}

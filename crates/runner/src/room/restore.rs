//! `restore` steps: `mastmaint-restore` is asked for one part of it, and the journal that it keeps decides.

use super::{
    Options, copied,
    plan::{
        DONE, NOT_DONE, NOTHING_TO_DO, Named, Work, beside_me, failed, home, no_dry_run, no_instance, run,
    },
    probed, uploads,
};
use crate::{
    environment,
    exec::{Ended, Ending, StepCommand},
    output::Patterns,
    redact::Redactor,
    verdict::Judge,
};
use mastmaint_config::{
    accepted::RoomView,
    settings::{Environment, Instance, Restore, RestoreAction, Step},
};
use mastmaint_instance::{Variables, settings_of};
use mastmaint_words::{
    Digest, Grade, Outcome, Reason, RunId, Verdict, human,
    restore::{BY_HAND, Phase, RestoreOrder, Restoring},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Where the verify room keeps its proofs.
const VERIFY_STATE: &str = "/var/lib/mastmaintd-verify";
/// The group of the room in which the copy is tried: it may enter it, the user of the instance elsewhere may not.
const TRIES: &str = "mastmaintd-tootctl";
/// What `tootctl --version` says.
const VERSION: &str = r"^[0-9]+\.[0-9]+\.[0-9]+";
/// What opens repositories looks for its own helpers here.
pub(super) const PATH: &str = "/usr/bin:/bin";

pub(super) fn plan(
    options: &Options,
    view: &RoomView,
    step: &Step,
    action: &RestoreAction,
    named: &Named,
) -> Work {
    if named.dry_run && action.moves_live() {
        return no_dry_run(&step.action.title());
    }
    let asked = match action {
        RestoreAction::Try(copy) => return tried(view, step, copy.run(&named.key.run), named),
        RestoreAction::Assets { copy, needed } => {
            return copied::assets(view, step, copy.run(&named.key.run), *needed, named);
        }
        RestoreAction::Ask(probe) => return probed::plan(options, step, probe, named),
        RestoreAction::Rehearse(restore) | RestoreAction::Prepare(restore) => {
            coming_along(view, step).and_then(|()| prepared(view, restore, named))
        }
        RestoreAction::Switch(copy) => {
            coming_along(view, step).map(|()| of(copy.run(&named.key.run), Wanted::Switched))
        }
        RestoreAction::Back(copy) => Ok(of(copy.run(&named.key.run), Wanted::Back)),
    };
    let asked = match asked {
        Ok(asked) => asked,
        Err(work) => return work,
    };
    let command = StepCommand {
        program: beside_me("mastmaint-restore"),
        args: arguments(options, &view.digest, &asked),
        environment: environment::for_program(&step.environment, Path::new("/"), PATH),
        directory: PathBuf::from("/"),
        patterns: Patterns::default(),
    };
    // Half a copy takes as much room as the instance, and nobody wants it.
    let half = ["--state", &options.state.display().to_string(), "tidy", "--run", asked.run.as_str()];
    let tidies = StepCommand { args: half.map(str::to_owned).to_vec(), ..command.clone() };
    let (state, wanted) = (options.state.clone(), asked.wanted);
    let judge = move |ended: &Ended| judge(ended, wanted, || journal(&state, &asked.run));
    let mut work = run(command, step, named, Redactor::from_secrets([]), Box::new(judge));
    if let Work::Run(process) = &mut work {
        process.is_owed = action.moves_live();
        process.is_last = step.action.goes_back();
        process.tidies = (wanted == Wanted::Prepared).then_some(tidies);
    }
    work
}

/// Today's uploads are in the copy's place after the switch.
fn coming_along(view: &RoomView, step: &Step) -> Result<(), Work> {
    let instance = view.instance.as_ref().ok_or_else(no_instance)?;
    uploads::come_along(instance, &environment::for_tootctl(instance, &step.environment, &home()))
}

/// What the program is asked for.
struct Asked {
    /// The run that restores, or that is taken back.
    run: RunId,
    wanted: Wanted,
    /// Which restore, as its last arguments say it.
    which: Vec<String>,
    /// What it makes its copy of lies on another host.
    is_pulled: bool,
}

/// How far the journal must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Prepared,
    Switched,
    Back,
}

impl Wanted {
    const fn verb(self) -> &'static str {
        match self {
            Self::Prepared => "prepare",
            Self::Switched => "switch",
            Self::Back => "back",
        }
    }

    const fn is(self, phase: &Phase) -> bool {
        match self {
            Self::Prepared => matches!(phase, Phase::Prepared),
            Self::Switched => matches!(phase, Phase::Switched),
            Self::Back => matches!(phase, Phase::Back),
        }
    }
}

fn prepared(view: &RoomView, restore: &Restore, named: &Named) -> Result<Asked, Work> {
    let own = &named.key.run;
    let order = order(view, restore, named)?;
    let is_pulled = order.backup.place.is_pulled();
    let order = serde_json::to_string(&order)
        .map_err(|error| failed("no-order", &format!("the restore cannot be described: {error}")))?;
    Ok(Asked { run: own.clone(), wanted: Wanted::Prepared, which: vec![order], is_pulled })
}

fn of(run: &RunId, wanted: Wanted) -> Asked {
    let which = vec!["--run".to_owned(), run.to_string()];
    Asked { run: run.clone(), wanted, which, is_pulled: false }
}

/// Variables of a process that works in the copy of a run, which has no settings of its own before the switch unless
/// they count.
pub(super) fn with_settings(instance: &Instance, step: &Step, run: &RunId) -> Result<Environment, Work> {
    let environment = environment::for_tootctl(instance, &step.environment, &home());
    let settings = Variables::read(&settings_of(&instance.live, run), &environment);
    settings.map(Variables::into_pairs).map_err(|error| {
        failed("no-settings", &format!("the settings of the instance cannot be read: {error}"))
    })
}

/// Mastodon's own code, started in the copy: what is of another version of Ruby, or lacks a gem, is found while the site
/// is up. Its settings are those that will count.
fn tried(view: &RoomView, step: &Step, run_of_copy: &RunId, named: &Named) -> Work {
    let Some(instance) = &view.instance else {
        return no_instance();
    };
    let copy = Restoring::copy(&instance.live, run_of_copy);
    let mut environment = match with_settings(instance, step, run_of_copy) {
        Ok(environment) => environment,
        Err(work) => return work,
    };
    // Nothing can be written there.
    environment.insert("BOOTSNAP_READONLY".to_owned(), "true".to_owned());
    let redactor = Redactor::for_instance(&settings_of(&instance.live, run_of_copy), &environment);
    let command = StepCommand {
        program: copy.join("bin/tootctl"),
        args: vec!["--version".to_owned()],
        environment,
        directory: copy,
        patterns: Patterns { expect: vec![VERSION.to_owned()], fail_on: Vec::new() },
    };
    run(command, step, named, redactor, Box::new(|ended| Judge::of_any().judge(ended)))
}

fn order(view: &RoomView, restore: &Restore, named: &Named) -> Result<RestoreOrder, Work> {
    let instance = view.instance.as_ref().ok_or_else(no_instance)?;
    let backup = view.backups.get(&restore.backup).ok_or_else(|| {
        let text = format!("the configuration has no backup {}; add it under `backups:`", restore.backup);
        failed("no-backup", &text)
    })?;
    Ok(RestoreOrder {
        run: named.key.run.clone(),
        job: Some(named.job.clone()).filter(|job| job.as_str() != BY_HAND),
        name: restore.backup.clone(),
        backup: backup.clone(),
        live: instance.live.clone(),
        user: instance.user.clone(),
        snapshot: restore.snapshot.clone(),
        with_media: restore.with_media,
        with_env: restore.with_env,
        unproved: restore.unproved,
    })
}

fn arguments(options: &Options, digest: &Digest, asked: &Asked) -> Vec<String> {
    let proofs =
        if options.walled { PathBuf::from(VERIFY_STATE) } else { options.state.with_file_name("verify") };
    let shown = |path: &Path| path.display().to_string();
    let mut arguments = vec![
        "--state".to_owned(),
        shown(&options.state),
        "--proofs".to_owned(),
        shown(&proofs.join("proofs")),
    ];
    if options.walled {
        arguments.extend(["--group".to_owned(), TRIES.to_owned()]);
    }
    if asked.is_pulled {
        // Root and network never meet: who reaches other hosts is behind this door, which is open to root only.
        let door = if options.walled {
            ["--fetch".to_owned(), shown(&options.rooms.join("fetch.sock"))]
        } else {
            ["--accepted".to_owned(), shown(&options.accepted)]
        };
        arguments.extend(door);
        arguments.extend(["--digest".to_owned(), digest.to_string()]);
    }
    arguments.push(asked.wanted.verb().to_owned());
    arguments.extend(asked.which.iter().cloned());
    arguments
}

fn journal(state: &Path, run: &RunId) -> io::Result<Restoring> {
    Ok(serde_json::from_slice(&fs::read(Restoring::path(state, run))?)?)
}

/// The journal decides if there is one that fits how the program ended; what ended otherwise is judged as any program.
fn judge(ended: &Ended, wanted: Wanted, journal: impl Fn() -> io::Result<Restoring>) -> Verdict {
    if ended.cut_short.is_some() {
        return Judge::of_any().judge(ended);
    }
    let verdict =
        |outcome, grade, code: &str, text: String| Verdict::because(outcome, grade, Reason::new(code, text));
    match (&ended.ending, journal()) {
        (Ending::Exited(NOTHING_TO_DO), Ok(journal)) => {
            verdict(Outcome::Skipped, Grade::Read, "nothing-to-do", journal.plan.sentence)
        }
        (Ending::Exited(DONE), Ok(journal)) if wanted.is(&journal.phase) => done(&journal, wanted),
        (Ending::Exited(DONE), journal) => {
            let is = journal.map_or_else(|error| error.to_string(), |journal| format!("{:?}", journal.phase));
            let text = format!("mastmaint-restore said that it is done, but its journal does not: {is}");
            verdict(Outcome::Failed, Grade::Exit, "no-journal", text)
        }
        (Ending::Exited(NOT_DONE), Ok(journal)) => match (&journal.phase, &journal.trouble) {
            (Phase::Refused { code, why }, _) => verdict(Outcome::Failed, Grade::Read, code, why.clone()),
            (_, Some(trouble)) => verdict(Outcome::Failed, Grade::Read, &trouble.code, trouble.why.clone()),
            _ => Judge::of_any().judge(ended),
        },
        (Ending::Exited(_), _) | (_, Err(_)) => Judge::of_any().judge(ended),
        (_, Ok(journal)) if wanted == Wanted::Prepared || !journal.is_between() => {
            Judge::of_any().judge(ended)
        }
        (_, Ok(journal)) => {
            let text = format!(
                "it was killed in the middle of the switch; that is finished, or taken back, before any service is \
                 started: see \"mastmaintctl restores\" for {}",
                journal.run
            );
            verdict(Outcome::Failed, Grade::Exit, "switch-cut", text)
        }
    }
}

fn done(journal: &Restoring, wanted: Wanted) -> Verdict {
    let plan = &journal.plan;
    let text = match wanted {
        Wanted::Prepared => {
            format!("{}; every file was checked; {} were free before", plan.sentence, human::bytes(plan.free))
        }
        Wanted::Switched => {
            let beside = match journal.today {
                Some(_) => format!("what was there is {}", journal.before().display()),
                None => "nothing was there before".to_owned(),
            };
            format!("{}; {beside}; \"mastmaintctl rollback {}\" takes it back", plan.sentence, journal.run)
        }
        Wanted::Back => format!(
            "{} is again what it was before run {}; what that had restored is {}",
            journal.live.display(),
            journal.run,
            journal.restored().display()
        ),
    };
    let mut verdict = Verdict::because(Outcome::Ok, Grade::Proved, Reason::new("restored", text));
    if wanted == Wanted::Back {
        return verdict;
    }
    let told = [
        ("lost", &plan.would_be_lost),
        ("differs", &plan.differs),
        ("kept", &plan.kept),
        ("note", &plan.notes),
    ];
    for (code, lines) in told {
        verdict.reasons.extend(lines.iter().map(|line| Reason::new(code, line.clone())));
    }
    let afterwards = plan.afterwards().filter(|_| wanted == Wanted::Switched);
    verdict.reasons.extend(afterwards.map(|what| Reason::new("cache-lost", what)));
    verdict.numbers.visited = Some(plan.whole.files);
    verdict.numbers.bytes = Some(plan.whole.bytes);
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Summary;

    fn ended(ending: Ending) -> Ended {
        Ended::by_itself(ending, Summary::default())
    }

    fn restoring(phase: &str) -> Restoring {
        let text = format!(
            r#"{{"run":"20261126T200000Z-7k3f9q","backup":"files","live":"/home/mastodon/live","phase":{phase},
                "began":"2026-11-26T20:00:00Z","at":"2026-11-26T20:01:00Z"}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn judged(status: i32, phase: &str, wanted: Wanted) -> (Outcome, String) {
        let verdict = judge(&ended(Ending::Exited(status)), wanted, || Ok(restoring(phase)));
        (verdict.outcome, verdict.reasons[0].code.clone())
    }

    #[test]
    fn exit_0_is_not_enough() {
        let (prepared, switched) = (r#"{"is":"prepared"}"#, r#"{"is":"switched"}"#);
        assert_eq!(judged(0, prepared, Wanted::Prepared), (Outcome::Ok, "restored".into()));
        assert_eq!(judged(0, switched, Wanted::Switched), (Outcome::Ok, "restored".into()));
        assert_eq!(judged(0, prepared, Wanted::Switched), (Outcome::Failed, "no-journal".into()));
        assert_eq!(judged(0, r#"{"is":"switching","step":"exchange"}"#, Wanted::Switched).0, Outcome::Failed);
        assert_eq!(judged(0, r#"{"is":"back"}"#, Wanted::Back).0, Outcome::Ok);
        let none = judge(&ended(Ending::Exited(0)), Wanted::Switched, || Err(io::Error::other("gone")));
        assert_eq!(none.outcome, Outcome::Failed);
    }

    #[test]
    fn a_cache_that_did_not_come_back_is_told_when_it_matters() {
        let told = |wanted, is_lost| {
            let mut journal = restoring(r#"{"is":"switched"}"#);
            journal.plan.cache_lost = is_lost;
            let verdict = done(&journal, wanted);
            verdict.reasons.into_iter().find(|reason| reason.code == "cache-lost").map(|reason| reason.text)
        };
        let text = told(Wanted::Switched, true).unwrap();
        assert!(text.contains("media remove --days 0") && text.contains("clean-lost-cache"), "{text}");
        assert_eq!(told(Wanted::Switched, false), None);
        assert_eq!(told(Wanted::Prepared, true), None, "nothing came back yet");
    }

    #[test]
    fn a_refusal_says_why() {
        let refused = r#"{"is":"refused","code":"no-space","why":"1 GB is missing"}"#;
        assert_eq!(judged(1, refused, Wanted::Prepared), (Outcome::Failed, "no-space".into()));
        assert_eq!(judged(9, r#"{"is":"prepared"}"#, Wanted::Prepared).0, Outcome::Failed);
    }
}

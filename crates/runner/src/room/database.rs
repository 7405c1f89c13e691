//! `restore-database` steps: in the verify room `mastmaint-verify` opens the dump and has it loaded beside today's
//! database; in the tootctl room `mastmaint-database` lets the two change names, as the instance's user.

use super::{
    Options,
    plan::{
        DONE, NOT_DONE, NOTHING_TO_DO, Named, Work, beside_me, failed, home, no_dry_run, no_instance, run,
        wrong_user,
    },
    restore::with_settings,
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
    settings::{DatabaseAction, Dump, Step},
};
use mastmaint_instance::settings_of;
use mastmaint_words::{
    Grade, Outcome, Reason, RunId, Verdict,
    backup::Backup,
    database::{LoadOrder, LoadPhase, Loading},
    human,
    restore::Restoring,
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What reads dumps looks for its own helpers here.
const PATH: &str = "/usr/bin:/bin";
/// What codes of sets that do not belong together begin with.
const NO_MATCH: &str = "no-match";
/// How long a server that does not answer is waited for.
const WAIT_SECONDS: &str = "90";
/// Where it is noted that a pooler is paused: what is left there at the end of the room goes on by its unit.
const PAUSED: &str = "paused";
/// The socket of the room in which dumps are loaded.
const DATABASES: &str = "database.sock";

pub(super) fn plan(
    options: &Options,
    view: &RoomView,
    step: &Step,
    action: &DatabaseAction,
    named: &Named,
) -> Work {
    let own = &named.key.run;
    let (verb, of) = match action {
        DatabaseAction::Rehearse(dump) | DatabaseAction::Load(dump) => {
            return load(options, view, step, dump, named);
        }
        DatabaseAction::Fits(copy) => return fits(options, view, step, copy.run(own), named),
        DatabaseAction::WouldMatch { database, .. } => ("match", Some(database.run(own))),
        DatabaseAction::Ready(copy) => ("ready", Some(copy.run(own))),
        DatabaseAction::Switch(copy) => ("switch", Some(copy.run(own))),
        DatabaseAction::Back(copy) => ("back", Some(copy.run(own))),
        DatabaseAction::Prune(run) => ("prune", Some(run)),
        DatabaseAction::MatchNew { .. } | DatabaseAction::Match => ("match", None),
    };
    if named.dry_run {
        return no_dry_run(&step.action.title());
    }
    let Some(instance) = &view.instance else { return no_instance() };
    if let Some(verdict) = wrong_user(options, instance) {
        return Work::Settled(verdict);
    }
    let environment = environment::for_tootctl(instance, &step.environment, &home());
    let settings = of.map_or_else(|| instance.live.clone(), |run| settings_of(&instance.live, run));
    let redactor = Redactor::for_instance(&settings, &environment);
    let mut args = vec!["--live".to_owned(), instance.live.display().to_string()];
    match action {
        DatabaseAction::WouldMatch { files, .. } => {
            let copy = files.as_ref().map(|copy| Restoring::copy(&instance.live, copy.run(own)));
            args.extend(copy.into_iter().flat_map(|copy| ["--code".to_owned(), copy.display().to_string()]));
        }
        DatabaseAction::Ready(_) | DatabaseAction::Prune(_) => {}
        // While services are stopped a server that is just being restarted is no reason to go back.
        _ => args.extend(["--wait".to_owned(), WAIT_SECONDS.to_owned()]),
    }
    if action.moves_live() {
        args.extend(["--paused".to_owned(), options.state.join(PAUSED).display().to_string()]);
    }
    args.push(verb.to_owned());
    args.extend(strictly(action, own));
    args.extend(of.into_iter().flat_map(|run| ["--run".to_owned(), run.to_string()]));
    let command = StepCommand {
        program: beside_me("mastmaint-database"),
        args,
        environment,
        directory: PathBuf::from("/"),
        patterns: Patterns::default(),
    };
    let mut work = run(command, step, named, redactor, Box::new(judge));
    if let Work::Run(process) = &mut work {
        process.is_owed = action.moves_live();
        process.is_last = step.action.goes_back();
    }
    work
}

/// Mastodon is started on no database that comes back and would have to be migrated first. What was there before may lack
/// what it lacked.
fn strictly(action: &DatabaseAction, own: &RunId) -> Vec<String> {
    let (files, after) = match action {
        DatabaseAction::WouldMatch { files, .. } => (files, None),
        DatabaseAction::MatchNew { files, database } => (files, Some(database.run(own))),
        _ => return Vec::new(),
    };
    let mut args = vec!["--strict".to_owned()];
    args.extend(files.iter().map(|_| "--but-post".to_owned()));
    args.extend(after.into_iter().flat_map(|run| ["--after".to_owned(), run.to_string()]));
    args
}

/// Whether a copy of files belongs to the database that stays. A database that cannot be asked is no reason to leave a wrecked instance as it is.
fn fits(options: &Options, view: &RoomView, step: &Step, of: &RunId, named: &Named) -> Work {
    let Some(instance) = &view.instance else { return no_instance() };
    if let Some(verdict) = wrong_user(options, instance) {
        return Work::Settled(verdict);
    }
    let copy = Restoring::copy(&instance.live, of);
    let environment = match with_settings(instance, step, of) {
        Ok(environment) => environment,
        Err(work) => return work,
    };
    let redactor = Redactor::for_instance(&settings_of(&instance.live, of), &environment);
    let command = StepCommand {
        program: beside_me("mastmaint-database"),
        args: vec!["--live".to_owned(), copy.display().to_string(), "match".to_owned()],
        environment,
        directory: PathBuf::from("/"),
        patterns: Patterns::default(),
    };
    run(command, step, named, redactor, Box::new(|ended| compared(judge(ended))))
}

/// Only that it does not match is a reason to stop. That nothing could be asked is no outcome of its own: the restore does
/// what it is there for, and how little is known is the grade.
fn compared(verdict: Verdict) -> Verdict {
    let is_no = verdict.reasons.first().is_some_and(|reason| reason.code.starts_with(NO_MATCH));
    if verdict.outcome != Outcome::Failed || is_no {
        return verdict;
    }
    let why = verdict.reasons.into_iter().next().map_or_else(String::new, |reason| reason.text);
    let text = format!("whether code and database belong together is not known: {why}");
    Verdict::because(Outcome::Ok, Grade::Exit, Reason::new("not-compared", text))
}

/// Has a dump loaded.
fn load(options: &Options, view: &RoomView, step: &Step, dump: &Dump, named: &Named) -> Work {
    if view.instance.is_none() {
        return no_instance();
    }
    let Some(backup) = view.backups.get(&dump.backup) else {
        let text = format!("the configuration has no backup {}; add it under `backups:`", dump.backup);
        return failed("no-backup", &text);
    };
    let inside: Option<Backup> = backup.inside.as_ref().and_then(|name| view.backups.get(name)).cloned();
    let order = LoadOrder {
        run: named.key.run.clone(),
        digest: named.digest.clone(),
        name: dump.backup.clone(),
        backup: backup.clone(),
        inside,
        dump: dump.dump.clone(),
        unproved: dump.unproved,
        variables: step.environment.keys().cloned().collect(),
    };
    let order = match serde_json::to_string(&order) {
        Ok(order) => order,
        Err(error) => return failed("no-order", &format!("the restore cannot be described: {error}")),
    };
    let shown = |path: &Path| path.display().to_string();
    let mut args = vec!["--load".to_owned(), "--state".to_owned(), shown(&options.state)];
    args.extend(["--accepted".to_owned(), shown(&options.accepted)]);
    if options.walled {
        args.extend(["--databases".to_owned(), shown(&options.rooms.join(DATABASES))]);
    }
    args.push(order);
    let tidy = [vec!["--tidy".to_owned()], args.clone()].concat();
    let command = StepCommand {
        program: beside_me("mastmaint-verify"),
        args,
        environment: environment::for_program(&step.environment, Path::new("/"), PATH),
        directory: PathBuf::from("/"),
        patterns: Patterns::default(),
    };
    let redactor = Redactor::for_program(&step.environment, &[]);
    let (state, of) = (options.state.clone(), named.key.run.clone());
    let tidies = StepCommand { args: tidy, ..command.clone() };
    let mut work =
        run(command, step, named, redactor, Box::new(move |ended| loaded(ended, || kept(&state, &of))));
    if let Work::Run(process) = &mut work {
        process.tidies = Some(tidies);
    }
    work
}

fn kept(state: &Path, run: &RunId) -> io::Result<Loading> {
    Ok(serde_json::from_slice(&fs::read(Loading::path(state, run))?)?)
}

/// The record decides if it fits how the program ended; what ended otherwise is judged as any program.
fn loaded(ended: &Ended, record: impl Fn() -> io::Result<Loading>) -> Verdict {
    if ended.cut_short.is_some() {
        return Judge::of_any().judge(ended);
    }
    match (&ended.ending, record()) {
        (Ending::Exited(DONE), Ok(Loading { phase: LoadPhase::Loaded, plan, .. })) => {
            let text = format!("{}; {} rows, {}", plan.sentence, plan.rows, human::bytes(plan.bytes));
            let mut verdict = Verdict::because(Outcome::Ok, Grade::Proved, Reason::new("loaded", text));
            for (code, lines) in
                [("lost", plan.would_be_lost), ("differs", plan.differs), ("note", plan.notes)]
            {
                verdict.reasons.extend(lines.into_iter().map(|line| Reason::new(code, line)));
            }
            verdict.numbers.visited = Some(plan.rows);
            verdict.numbers.bytes = Some(plan.bytes);
            verdict
        }
        (Ending::Exited(DONE), record) => {
            let is = record.map_or_else(|error| error.to_string(), |record| format!("{:?}", record.phase));
            let text =
                format!("mastmaint-verify said that the dump is loaded, but its record does not: {is}");
            Verdict::because(Outcome::Failed, Grade::Exit, Reason::new("no-record", text))
        }
        (Ending::Exited(NOT_DONE), Ok(Loading { phase: LoadPhase::Refused { code, why }, .. })) => {
            Verdict::because(Outcome::Failed, Grade::Read, Reason::new(&code, why))
        }
        _ => Judge::of_any().judge(ended),
    }
}

/// Its exit status decides; its last word says what it did, or why it did not.
fn judge(ended: &Ended) -> Verdict {
    let Ending::Exited(status) = ended.ending else { return Judge::of_any().judge(ended) };
    if ended.cut_short.is_some() {
        return Judge::of_any().judge(ended);
    }
    let said = ended.summary.last_stdout.clone().unwrap_or_default();
    match status {
        DONE => match coded(&said) {
            // It was done, and there is something to do.
            Some((code, what)) => Verdict::because(Outcome::Ok, Grade::Read, Reason::new(code, what)),
            None => Verdict::because(Outcome::Ok, Grade::Proved, Reason::new("database", said)),
        },
        NOTHING_TO_DO => Verdict::because(Outcome::Skipped, Grade::Read, Reason::new("nothing-to-do", said)),
        NOT_DONE => match ended.summary.first_stderr.last().and_then(|line| complaint(line)) {
            Some((code, why)) => Verdict::because(Outcome::Failed, Grade::Read, Reason::new(code, why)),
            None => Judge::of_any().judge(ended),
        },
        _ => Judge::of_any().judge(ended),
    }
}

/// `mastmaint-database: error: WHY [code]`.
fn complaint(line: &str) -> Option<(&str, &str)> {
    coded(line.split_once("error: ")?.1)
}

/// `WHAT [code]`.
fn coded(said: &str) -> Option<(&str, &str)> {
    let (why, code) = said.strip_suffix(']')?.rsplit_once(" [")?;
    let is_code = !code.is_empty() && code.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    is_code.then_some((code, why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Summary;
    use mastmaint_config::settings::Copied;

    fn ended(status: i32, out: &str, err: &str) -> Ended {
        let summary = Summary {
            last_stdout: Some(out.to_owned()),
            first_stderr: vec![err.to_owned()],
            ..Summary::default()
        };
        Ended::by_itself(Ending::Exited(status), summary)
    }

    #[test]
    fn the_last_word_says_what_was_done_or_why_not() {
        let done = judge(&ended(DONE, "mastodon_production is the new one", ""));
        assert_eq!((done.outcome, done.grade), (Outcome::Ok, Grade::Proved));
        assert_eq!(done.reasons[0].text, "mastodon_production is the new one");
        let nothing = judge(&ended(NOTHING_TO_DO, "nothing was switched", ""));
        assert_eq!(
            (nothing.outcome, nothing.reasons[0].text.as_str()),
            (Outcome::Skipped, "nothing was switched")
        );
        let why = "mastmaint-database: error: psql of pid 7 [idle] is connected [foreign-sessions]";
        let refused = judge(&ended(NOT_DONE, "", why));
        assert_eq!(refused.outcome, Outcome::Failed);
        assert_eq!(refused.reasons[0].code, "foreign-sessions");
        assert_eq!(refused.reasons[0].text, "psql of pid 7 [idle] is connected");
        assert_eq!(judge(&ended(2, "", "usage")).outcome, Outcome::Failed);
        assert_eq!(judge(&ended(NOT_DONE, "", "panicked")).outcome, Outcome::Failed);
    }

    #[test]
    fn files_alone_are_refused_only_by_a_database_that_was_asked() {
        let said = |err: &str| compared(judge(&ended(NOT_DONE, "", err)));
        let no = said("mastmaint-database: error: it is newer than the code [no-match-code]");
        assert_eq!((no.outcome, no.reasons[0].code.as_str()), (Outcome::Failed, "no-match-code"));
        let silent = said("mastmaint-database: error: nobody answers [database-silent]");
        assert_eq!((silent.outcome, silent.reasons[0].code.as_str()), (Outcome::Ok, "not-compared"));
        assert!(silent.reasons[0].text.ends_with("nobody answers"), "{silent:?}");
        assert_eq!(compared(judge(&ended(DONE, "m fits", ""))).grade, Grade::Proved);
        // Migrations that are still to be run are told, and nothing is called proved.
        let older = compared(judge(&ended(DONE, "m fits once 2 migrations were run [must-migrate]", "")));
        assert_eq!((older.outcome, older.grade), (Outcome::Ok, Grade::Read));
        assert_eq!(older.reasons[0], Reason::new("must-migrate", "m fits once 2 migrations were run"));
    }

    #[test]
    fn only_what_comes_back_must_be_migrated() {
        let run = "20261126T200000Z-7k3f9q".parse().unwrap();
        let of = |action| strictly(&action, &run).join(" ");
        let (files, database) = (Some(Copied::Here), Copied::Here);
        let would = |files| DatabaseAction::WouldMatch { files, database: database.clone() };
        assert_eq!(
            (of(would(None)), of(would(files.clone()))),
            ("--strict".into(), "--strict --but-post".into())
        );
        let new = DatabaseAction::MatchNew { files, database: database.clone() };
        assert_eq!(of(new), format!("--strict --but-post --after {run}"));
        assert_eq!(
            (of(DatabaseAction::Match), of(DatabaseAction::Back(database))),
            (String::new(), String::new())
        );
    }

    #[test]
    fn exit_0_without_a_record_is_no_load() {
        let record = |phase: &str| {
            let text = format!(
                r#"{{"run":"20261126T200000Z-7k3f9q","backup":"base","phase":{phase},"plan":{{"sentence":"m.dump is beside"}},
                    "began":"2026-11-26T20:00:00Z","at":"2026-11-26T20:01:00Z"}}"#
            );
            Ok(serde_json::from_str(&text).unwrap())
        };
        let ok = ended(DONE, "", "");
        assert_eq!(loaded(&ok, || record(r#"{"is":"loaded"}"#)).outcome, Outcome::Ok);
        assert_eq!(loaded(&ok, || record(r#"{"is":"loading"}"#)).reasons[0].code, "no-record");
        assert_eq!(loaded(&ok, || Err(io::Error::other("gone"))).outcome, Outcome::Failed);
        let refused = loaded(&ended(NOT_DONE, "", ""), || {
            record(r#"{"is":"refused","code":"no-right","why":"mastodon may not make databases"}"#)
        });
        assert_eq!(refused.reasons[0].code, "no-right");
    }
}

//! `verify` steps: `mastmaint-verify` is run with what the configuration says of the backup, and its report decides.

use super::{
    Options,
    plan::{Named, Work, beside_me, failed, no_dry_run, run},
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
    settings::{Step, VerifyAction},
};
use mastmaint_words::{
    BackupName, Grade, Outcome, Reason, Room, Verdict,
    backup::{Finding, Order, Report, Severity},
};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// More reasons than these do not fit the report of a step.
const REASONS: usize = 8;
/// What reads dumps looks for its own helpers here.
const PATH: &str = "/usr/bin:/bin";

pub(super) fn plan(
    options: &Options,
    view: &RoomView,
    step: &Step,
    action: &VerifyAction,
    named: &Named,
) -> Work {
    if named.dry_run {
        return no_dry_run(&step.action.title());
    }
    let Some(backup) = view.backups.get(&action.backup) else {
        let text = format!("the configuration has no backup {}; add it under `backups:`", action.backup);
        return failed("no-backup", &text);
    };
    let other = |name: &Option<BackupName>| name.as_ref().and_then(|name| view.backups.get(name)).cloned();
    let mut order = Order {
        name: action.backup.clone(),
        backup: backup.clone(),
        files: other(&backup.files),
        inside: other(&backup.inside),
        full: action.full,
    };
    if let Some(credentials) = std::env::var_os("CREDENTIALS_DIRECTORY") {
        hand_over(&mut order, Path::new(&credentials));
    }
    let order = match serde_json::to_string(&order) {
        Ok(order) => order,
        Err(error) => return failed("no-order", &format!("the backup cannot be described: {error}")),
    };
    let state = options.state.clone();
    let command = StepCommand {
        program: beside_me("mastmaint-verify"),
        args: arguments(options, order),
        environment: environment::for_program(&step.environment, Path::new("/"), PATH),
        directory: PathBuf::from("/"),
        patterns: Patterns::default(),
    };
    let name = action.backup.clone();
    let (kept_state, kept_name) = (state.clone(), name.clone());
    let judge = move |ended: &Ended| judge(ended, || kept(&state, &name));
    let mut work = run(command, step, named, Redactor::from_secrets([]), Box::new(judge));
    if let Work::Run(process) = &mut work {
        process.leaves = Some(Box::new(move || kept(&kept_state, &kept_name).ok()));
    }
    work
}

/// Names the keys where systemd has put them.
fn hand_over(order: &mut Order, credentials: &Path) {
    let backups = [Some(&mut order.backup), order.files.as_mut(), order.inside.as_mut()];
    backups.into_iter().flatten().for_each(|backup| backup.take_keys_from(credentials));
}

/// In a walled room dumps are brought to life in other rooms, which may read nothing; else beside this process.
fn arguments(options: &Options, order: String) -> Vec<String> {
    let mut arguments = vec!["--state".to_owned(), options.state.display().to_string()];
    // The doors of the drill and the boot room are open to root only.
    if options.walled && options.room == Room::Verify {
        for (option, socket) in [("--drills", "drill.sock"), ("--boots", "boot.sock")] {
            arguments.extend([option.to_owned(), options.rooms.join(socket).display().to_string()]);
        }
    }
    arguments.push(order);
    arguments
}

/// The report that `mastmaint-verify` has kept just now.
fn kept(state: &Path, backup: &BackupName) -> io::Result<Report> {
    Ok(serde_json::from_slice(&fs::read(Report::path(state, backup))?)?)
}

/// The report decides if there is one; what ended otherwise is judged as any program.
fn judge(ended: &Ended, report: impl Fn() -> io::Result<Report>) -> Verdict {
    let outcome = match ended.ending {
        Ending::Exited(0) => Outcome::Ok,
        Ending::Exited(status) if status == i32::from(Report::PARTIAL) => Outcome::Partial,
        Ending::Exited(status) if status == i32::from(Report::FAILED) => Outcome::Failed,
        _ => return Judge::of_any().judge(ended),
    };
    if ended.cut_short.is_some() {
        return Judge::of_any().judge(ended);
    }
    match report() {
        Ok(report) => Verdict { reasons: reasons(&report), ..verdict(outcome, &report) },
        Err(error) => {
            let text = format!("the backup was verified, but the report cannot be read: {error}");
            Verdict::because(Outcome::Failed, Grade::Exit, Reason::new("no-report", text))
        }
    }
}

fn verdict(outcome: Outcome, report: &Report) -> Verdict {
    let mut verdict =
        Verdict::because(outcome, Grade::Proved, Reason::new("verified", report.sentence.clone()));
    if let Some(summary) = report.summary {
        verdict.numbers.visited = Some(summary.files);
        verdict.numbers.failed = (summary.bad > 0).then_some(summary.bad);
    }
    verdict
}

/// The findings that count, the worst first, then the sentence.
fn reasons(report: &Report) -> Vec<Reason> {
    let counting = report.findings.iter().filter(|f| f.severity > Severity::Info);
    let said =
        |f: &Finding| Reason::new(&f.code.name(), format!("{}: {}. {}", report.backup, f.what, f.advice));
    let mut reasons: Vec<Reason> = counting.map(said).take(REASONS - 1).collect();
    reasons.push(Reason::new("verified", format!("{}: {}", report.backup, report.sentence)));
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Summary;
    use mastmaint_words::backup::Code;

    fn ended(ending: Ending) -> Ended {
        Ended::by_itself(ending, Summary::default())
    }

    fn report(findings: Vec<Finding>) -> Report {
        Report {
            backup: "files".to_owned(),
            kind: "tree".to_owned(),
            newest: None,
            sentence: "63 of 63 files proved".to_owned(),
            summary: None,
            drill: None,
            findings,
            store_bytes: 0,
        }
    }

    #[test]
    fn the_report_decides() {
        let bad = || {
            report(vec![
                Finding::fail(Code::Rot, "rot in a", "Look after the disk."),
                Finding::info(Code::MediaNewer, "newer", "Nothing to do."),
            ])
        };
        let verdict = judge(&ended(Ending::Exited(11)), || Ok(bad()));
        assert_eq!((verdict.outcome, verdict.grade), (Outcome::Failed, Grade::Proved));
        let codes: Vec<_> = verdict.reasons.iter().map(|r| r.code.as_str()).collect();
        assert_eq!(codes, ["rot", "verified"], "what is only good to know is no reason");
        let verdict = judge(&ended(Ending::Exited(0)), || Ok(report(vec![])));
        assert_eq!(verdict.outcome, Outcome::Ok);
        assert!(verdict.reasons[0].text.contains("63 of 63"), "{:?}", verdict.reasons);
    }

    #[test]
    fn keys_are_where_systemd_has_put_them() {
        let text = r#"{"name":"a","backup":{"kind":"restic","repository":"sftp:b@host:/x","prove_every":"7d","wait":"2h",
            "password_file":"/etc/mastmaintd/remote/pass","ssh_key":"/etc/mastmaintd/remote/key"},
            "files":{"kind":"borg","repository":"/b","password_file":"/etc/pass","prove_every":"7d","wait":"2h"}}"#;
        let mut order: Order = serde_json::from_str(text).unwrap();
        hand_over(&mut order, Path::new("/run/credentials/room"));
        let text = serde_json::to_string(&order).unwrap();
        for path in ["/run/credentials/room/remote_pass", "/run/credentials/room/remote_key", "\"/etc/pass\""]
        {
            assert!(text.contains(path), "{path}: {text}");
        }
    }

    #[test]
    fn without_a_report_nothing_is_well() {
        let none = || Err(io::Error::other("gone"));
        assert_eq!(judge(&ended(Ending::Exited(0)), none).outcome, Outcome::Failed);
        assert_eq!(judge(&ended(Ending::Exited(1)), || Ok(report(vec![]))).outcome, Outcome::Failed);
    }
}

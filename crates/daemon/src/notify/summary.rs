//! What the night brought, as the mail of a nightly script would say it. Pure: runs in, a text out.

use super::{compose::Surroundings, trend};
use jiff::Timestamp;
use mastmaint_ledger::{RunRecord, SpaceTrend, Verified};
use mastmaint_runner::protocol::Notice;
use mastmaint_words::{BackupName, JobName, Occasion, Outcome, backup::Severity, human};
use std::fmt::Write as _;

/// So many runs are listed; of more only the end is.
const MOST_LISTED: usize = 60;

/// What there is to sum up.
#[derive(Debug, Default)]
pub(super) struct News {
    /// The runs that ended, oldest first.
    pub(super) runs: Vec<RunRecord>,
    /// The jobs that are behind, with the slots for which nothing has begun.
    pub(super) overdue: Vec<(JobName, Timestamp)>,
    /// Each backup with its last verification, if there was one, and whether it is not known to be fresh.
    pub(super) backups: Vec<(BackupName, Option<Verified>, bool)>,
    /// The disk of the media.
    pub(super) space: Option<SpaceTrend>,
}

/// The summary of what was since an instant.
pub(super) fn compose(around: &Surroundings, since: Timestamp, news: &News) -> Notice {
    let News { runs, overdue, backups, space } = news;
    let unknown = backups.iter().filter(|(_, _, is_overdue)| *is_overdue).count();
    let headline = headline(runs, overdue.len() + unknown);
    let mut text = format!("From {} to {}:\n\n", around.clock(since), around.clock(around.now));
    if runs.is_empty() {
        text.push_str("Nothing ran.\n");
    }
    let omitted = runs.len().saturating_sub(MOST_LISTED);
    if omitted > 0 {
        let _ = writeln!(text, "  ({omitted} earlier runs are not listed)");
    }
    for run in &runs[omitted..] {
        let _ = writeln!(text, "  {}", line(around, run));
    }
    for (job, slot) in overdue {
        let _ = writeln!(text, "\n{job} is overdue: nothing has begun for {}.", around.clock(*slot));
    }
    if !backups.is_empty() {
        text.push_str("\nBackups:\n");
    }
    for (name, verified, is_overdue) in backups {
        text.push_str(&of_backup(around, name, verified.as_ref(), *is_overdue));
    }
    if let Some(bytes) = freed(runs) {
        let _ = writeln!(text, "\nFreed in all: {}.", human::bytes(bytes));
    }
    if let Some(space) = space {
        let _ = writeln!(text, "\n{}", trend::of(space));
    }
    text.push_str("\nTo look closer:\n  mastmaintctl status\n  mastmaintctl history\n");
    around.notice(Occasion::Summary, &around.subject(&headline), &text)
}

/// `3 runs, all well, 22 GB freed`, `1 of 3 runs did not end well: clean-media failed`.
fn headline(runs: &[RunRecord], overdue: usize) -> String {
    let mut bad: Vec<&RunRecord> =
        runs.iter().filter(|run| run.outcome.is_some_and(|outcome| !outcome.is_fine())).collect();
    bad.sort_by_key(|run| std::cmp::Reverse(run.outcome));
    let count = runs.len();
    let noun = if count == 1 { "run" } else { "runs" };
    let mut text = match (count, bad.first()) {
        (0, _) => "nothing ran".to_owned(),
        (_, None) => {
            let freed = freed(runs).map(|bytes| format!(", {} freed", human::bytes(bytes)));
            format!("{count} {noun}, all well{}", freed.unwrap_or_default())
        }
        (_, Some(worst)) => {
            let outcome = worst.outcome.unwrap_or(Outcome::Failed);
            format!("{} of {count} {noun} did not end well: {} {outcome}", bad.len(), worst.job)
        }
    };
    if overdue > 0 {
        let _ = write!(text, ", {overdue} overdue");
    }
    text
}

/// `Tue 24 Nov 00:31  clean-media  ok (read) in 4 min 51 s, 33553 removed, 22 GB freed`.
fn line(around: &Surroundings, run: &RunRecord) -> String {
    let mut text = format!("{}  {}  ", around.clock(run.started.unwrap_or(run.queued)), run.job);
    if let Some(outcome) = run.outcome {
        let _ = write!(text, "{outcome}");
    }
    if let Some(grade) = run.grade {
        let _ = write!(text, " ({grade})");
    }
    if let (Some(started), Some(ended)) = (run.started, run.ended) {
        let took = ended.duration_since(started).try_into().unwrap_or_default();
        let _ = write!(text, " in {}", human::took(took));
    }
    text.push_str(&crate::tell::counted(run.numbers).unwrap_or_default());
    if let Some(reason) = &run.reason {
        let _ = write!(text, ": {}", reason.text);
    }
    text
}

/// What would come back and how we know; what is wrong with it; that nobody has looked.
fn of_backup(
    around: &Surroundings,
    name: &BackupName,
    verified: Option<&Verified>,
    is_overdue: bool,
) -> String {
    let Some(Verified { at, report, .. }) = verified else {
        return format!("  {name}: was never verified\n");
    };
    let mut text = format!("  {name}: {}\n", report.sentence);
    for finding in report.findings.iter().filter(|finding| finding.severity > Severity::Info) {
        let _ = writeln!(text, "    {}: {}", finding.severity.word(), finding.what);
    }
    if is_overdue {
        let _ = writeln!(text, "    not known to be fresh: it was verified last on {}", around.clock(*at));
    }
    text
}

fn freed(runs: &[RunRecord]) -> Option<u64> {
    let bytes: u64 = runs.iter().filter_map(|run| run.numbers.bytes).fold(0, u64::saturating_add);
    (bytes > 0).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZone;
    use mastmaint_words::Numbers;
    use mastmaint_words::{Grade, Reason, Trigger};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn around() -> Surroundings {
        let (site, zone) = ("social.example".to_owned(), TimeZone::UTC);
        Surroundings { site, zone, now: at("2026-11-24T07:00:00Z") }
    }

    fn run(job: &str, outcome: Outcome, freed: Option<u64>) -> RunRecord {
        let started = at("2026-11-24T00:31:00Z");
        let reason = (!outcome.is_fine()).then(|| Reason::new("x", "PostgreSQL does not answer"));
        RunRecord {
            id: "20261124T003100Z-7k3f9q".parse().unwrap(),
            job: job.parse().unwrap(),
            trigger: Trigger::Schedule { slot: started },
            digest: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            dry_run: false,
            queued: started,
            started: Some(started),
            ended: Some(at("2026-11-24T00:35:51Z")),
            outcome: Some(outcome),
            grade: Some(Grade::Read),
            reason,
            cancel_asked: None,
            numbers: Numbers { removed: freed.map(|_| 33_553), bytes: freed, ..Numbers::default() },
        }
    }

    fn of(runs: &[RunRecord], overdue: &[(JobName, Timestamp)]) -> Notice {
        let news = News { runs: runs.to_vec(), overdue: overdue.to_vec(), ..News::default() };
        compose(&around(), at("2026-11-23T07:00:00Z"), &news)
    }

    #[test]
    fn a_good_night_is_a_line_for_each_run_and_what_it_freed() {
        let runs =
            [run("clean-media", Outcome::Ok, Some(22 << 30)), run("clean-preview-cards", Outcome::Ok, None)];
        let notice = of(&runs, &[]);
        assert_eq!(notice.subject, "[social.example] 2 runs, all well, 22 GB freed");
        let line = "  Tue 24 Nov 00:31  clean-media  ok (read) in 4 min 51 s, 33553 removed, 22 GB freed\n";
        assert!(notice.text.contains(line), "{}", notice.text);
        assert!(notice.text.contains("Freed in all: 22 GB."), "{}", notice.text);
    }

    #[test]
    fn a_bad_night_names_the_worst_and_a_night_without_runs_is_told_as_well() {
        let runs = [run("a", Outcome::Partial, None), run("b", Outcome::Failed, None)];
        let late = [("c".parse().unwrap(), at("2026-11-24T00:30:00Z"))];
        let notice = of(&runs, &late);
        assert_eq!(notice.subject, "[social.example] 2 of 2 runs did not end well: b failed, 1 overdue");
        assert!(notice.text.contains("c is overdue: nothing has begun for Tue 24 Nov 00:30."));
        assert_eq!(of(&[], &[]).subject, "[social.example] nothing ran");
    }

    #[test]
    fn the_disk_of_the_media_is_said_as_in_the_post_mortem() {
        let week = Some((at("2026-11-17T00:35:00Z"), 70 << 30));
        let space =
            SpaceTrend { total: 100 << 30, free: 70 << 30, at: at("2026-11-24T00:35:00Z"), earlier: week };
        let news = News { space: Some(space), ..News::default() };
        let text = compose(&around(), at("2026-11-23T07:00:00Z"), &news).text;
        assert!(text.contains("The disk of the media is stable at about 30 GB (for 7 d).\n"), "{text}");
    }

    #[test]
    fn each_backup_has_its_sentence_and_what_is_wrong_with_it() {
        let report = r#"{"backup":"files","kind":"tree","sentence":"63 of 63 files proved","findings":[
            {"code":"rot","severity":"fail","what":"rot in a","evidence":[],"advice":"look"},
            {"code":"age-by-file-time","severity":"info","what":"known by its file","evidence":[],"advice":""}]}"#;
        let verified = Verified {
            at: at("2026-11-21T02:00:00Z"),
            run: "20261121T020000Z-7k3f9q".parse().unwrap(),
            report: serde_json::from_str(report).unwrap(),
        };
        let backups =
            vec![("files".parse().unwrap(), Some(verified), true), ("dumps".parse().unwrap(), None, false)];
        let notice = compose(&around(), at("2026-11-23T07:00:00Z"), &News { backups, ..News::default() });
        assert_eq!(notice.subject, "[social.example] nothing ran, 1 overdue");
        let told = "Backups:\n  files: 63 of 63 files proved\n    failure: rot in a\n    not known to be fresh: it was \
            verified last on Sat 21 Nov 02:00\n  dumps: was never verified\n";
        assert!(notice.text.contains(told), "{}", notice.text);
    }

    #[test]
    fn more_runs_than_anybody_reads_are_counted() {
        let runs = vec![run("a", Outcome::Ok, None); 100];
        assert!(of(&runs, &[]).text.contains("(40 earlier runs are not listed)"));
    }
}

//! `mastmaintctl backups`: what would come back, how it is known, and how long it would take.

use crate::{
    print::tame,
    table::{Cell, Tone, columns},
    when::When,
};
use mastmaint_control::words::{BackupLine, OverdueBackup};
use mastmaint_words::{
    BackupName,
    backup::{Boot, Drill, Severity},
    human,
};
use std::{fmt::Write as _, time::Duration};

/// What is older is told with its date.
const DAY: Duration = Duration::from_hours(24);

const NOTHING: &str = "-";

/// One row a backup.
pub fn backups(backups: &[BackupLine], when: &When, width: Option<usize>) -> String {
    let rows: Vec<[Cell; 9]> = backups.iter().map(|backup| row(backup, when)).collect();
    let titles = [
        "BACKUP",
        "STATE",
        "NEWEST",
        "PROVED",
        "OLDEST PROOF",
        "DRILL",
        "RESTORED IN",
        "VERIFIED",
        "LOST NOW",
    ];
    columns(titles, &rows, width)
}

fn row(backup: &BackupLine, when: &When) -> [Cell; 9] {
    let (proved, oldest) = backup.proof.map_or((NOTHING.to_owned(), NOTHING.to_owned()), |proof| {
        let oldest = proof.oldest.map_or_else(|| NOTHING.to_owned(), |at| when.passed(at));
        (format!("{} of {}", proof.proved, proof.files), oldest)
    });
    let (drill, took) = backup.drill.as_ref().map_or((NOTHING.into(), NOTHING.to_owned()), |drill| {
        let tone = if drill.is_good { Tone::Plain } else { Tone::Bad };
        (Cell::toned(when.passed(drill.at), tone), restored(drill))
    });
    [
        tame(&backup.backup).into(),
        state(backup.worst),
        backup.newest.as_ref().map_or_else(|| NOTHING.to_owned(), |newest| when.passed(newest.at)).into(),
        proved.into(),
        oldest.into(),
        drill,
        took.into(),
        when.passed(backup.verified).into(),
        lost(backup, when).unwrap_or_else(|| NOTHING.to_owned()).into(),
    ]
}

fn state(worst: Option<Severity>) -> Cell {
    match worst {
        Some(Severity::Fail) => Cell::toned("bad", Tone::Bad),
        Some(Severity::Warn) => Cell::toned("doubtful", Tone::Odd),
        Some(Severity::Info) | None => Cell::toned("good", Tone::Good),
    }
}

/// One that was not restored took no time.
fn restored(drill: &Drill) -> String {
    if drill.counts.is_some() { human::took(drill.times.restore) } else { "not restored".to_owned() }
}

/// Mastodon on a restored dump.
fn booted(boot: &Boot) -> String {
    let Some(version) = boot.version.as_ref().filter(|_| boot.is_good) else {
        return "Mastodon was not seen to come up; a finding says why".to_owned();
    };
    let times = &boot.times;
    let migrated = if times.migrate.is_zero() {
        String::new()
    } else {
        format!(", database migrated in {}", human::took(times.migrate))
    };
    format!(
        "Mastodon {} answered {} after its start; files copied in {}{migrated}",
        tame(version),
        human::took(times.start),
        human::took(times.files)
    )
}

/// Everything about one.
pub fn backup(backup: &BackupLine, when: &When) -> String {
    let mut text = format!("{} ({}): {}\n", tame(&backup.backup), tame(&backup.kind), tame(&backup.sentence));
    let _ = writeln!(text, "verified {} by run {}", when.both(backup.verified), backup.run);
    if let Some(newest) = &backup.newest {
        let lost = lost(backup, when).unwrap_or_default();
        let _ =
            writeln!(text, "newest: {}, made {}; lost now: {lost}", tame(&newest.name), when.both(newest.at));
    }
    if let Some(run) = &backup.current {
        let _ = writeln!(text, "being verified now by run {run}");
    }
    if let Some(drill) = &backup.drill {
        let word = if drill.is_good { "good" } else { "not good" };
        let server = drill.server.map_or_else(String::new, |major| format!(" in PostgreSQL {major}"));
        let _ = writeln!(
            text,
            "last drill: {word}, {} of {}{server}: {}, {} in all, {} on disk",
            when.passed(drill.at),
            tame(&drill.dump),
            restored(drill),
            human::took(drill.times.total),
            human::bytes(drill.bytes)
        );
        if let Some(boot) = &drill.boot {
            let _ = writeln!(text, "last boot: {}", booted(boot));
        }
    }
    for known in &backup.findings {
        let finding = &known.finding;
        let word = finding.severity.word();
        let _ = writeln!(text, "\n{} {word}: {} [{}]", known.id, tame(&finding.what), finding.code);
        for line in &finding.evidence {
            let _ = writeln!(text, "    {}", tame(line));
        }
        let _ = writeln!(text, "    what to do: {}", tame(&finding.advice));
        let _ = writeln!(text, "    since {}", when.both(known.since));
        if let Some(ack) = known.ack {
            let until = ack.until.map(|at| format!(" until {}", when.both(at))).unwrap_or_default();
            let _ = writeln!(text, "    acknowledged {} by user {}{until}", when.passed(ack.at), ack.uid);
        }
    }
    text
}

/// What a restore of the newest would lose: `statuses since 02:14:00, 5 h 12 min`.
fn lost(backup: &BackupLine, when: &When) -> Option<String> {
    let newest = backup.newest.as_ref()?;
    let what = match backup.kind.as_str() {
        "postgres" => "statuses",
        "redis" => "queues and feeds",
        _ => "files",
    };
    let age = human::between(newest.at, when.now).unwrap_or_default();
    let since = if age > DAY { when.brief(newest.at) } else { when.clock(newest.at) };
    Some(format!("{what} since {since}, {}", human::span(age)))
}

/// What is not known to be fresh, and what nobody has looked at, a line each.
pub fn not_well_known(overdue: &[OverdueBackup], unverified: &[BackupName], when: &When) -> String {
    let mut text = String::new();
    for late in overdue {
        let _ = writeln!(text, "{}", Tone::Bad.paint(&format!("{}: {}", late.backup, not_fresh(late, when))));
    }
    for name in unverified {
        let _ = writeln!(text, "{name}: never verified; `mastmaintctl verify {name}` does it now");
    }
    text
}

/// `not known to be fresh since …: verified last 2 d ago`.
pub fn not_fresh(late: &OverdueBackup, when: &When) -> String {
    let verified = late
        .verified
        .map_or_else(|| "never verified".to_owned(), |at| format!("verified last {}", when.passed(at)));
    let newest = late.newest.map(|at| format!(", the newest seen then was made {}", when.passed(at)));
    format!("not known to be fresh since {}: {verified}{}", when.both(late.since), newest.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use anstream::adapter::strip_str;

    #[test]
    fn a_backup_says_how_old_how_sure_and_how_long() {
        let lines: Vec<BackupLine> = serde_json::from_str(
            r#"[{"backup": "database", "kind": "postgres", "verified": "2026-11-23T06:30:00Z", "run": "20261123T063000Z-7k3f9q",
                 "newest": {"name": "a.dump", "at": "2026-11-23T02:00:00Z"}, "sentence": "a.dump, made 4 h ago", "worst": "warn",
                 "proof": {"files": 3, "proved": 2, "oldest": "2026-11-20T06:30:00Z", "bad": 0, "bytes": 5},
                 "drill": {"at": "2026-11-22T06:30:00Z", "dump": "a.dump", "is_good": true, "server": 17, "bytes": 1048576,
                           "times": {"prepare": 1.0, "restore": 7.1, "ask": 0.1, "total": 8.4}, "boot": {"is_good": true, "version": "4.6.5",
                           "times": {"files": 3.0, "migrate": 61.0, "start": 7.0, "ask": 0.5}}, "counts": {"tables": 1, "views": 0,
                           "materialized": 0, "accounts": 1, "local_accounts": 1, "users": 1, "statuses": 1, "local_statuses": 1,
                           "media": 0, "migrations": 1, "newest_migration": 1}},
                 "findings": [{"id": "F12", "since": "2026-11-22T06:30:00Z", "ack": {"at": "2026-11-23T06:30:00Z", "uid": 0}, "code": "overdue", "severity": "warn", "what": "it is\u001b[2J old", "advice": "See."}]},
                {"backup": "files", "kind": "tree", "verified": "2026-11-23T06:30:00Z", "run": "20261123T063000Z-7k3f9q",
                 "sentence": "no complete backup", "worst": "fail", "findings": []}]"#,
        )
        .unwrap();
        let when = When { now: "2026-11-23T07:30:00Z".parse().unwrap(), zone: jiff::tz::TimeZone::UTC };
        let table = strip_str(&backups(&lines, &when, None)).to_string();
        let rows: Vec<&str> = table.lines().collect();
        for part in [
            "doubtful",
            "5 h 30 min ago",
            "2 of 3",
            "3 d 1 h ago",
            "1 d 1 h ago",
            "7.1 s",
            "1 h ago",
            "statuses since 02:00:00, 5 h 30 min",
        ] {
            assert!(rows[1].contains(part), "{part} in {table}");
        }
        assert!(rows[2].contains("bad") && rows[2].contains('-'), "{table}");
        let page = backup(&lines[0], &when);
        assert!(
            page.contains(
                "last drill: good, 1 d 1 h ago of a.dump in PostgreSQL 17: 7.1 s, 8.4 s in all, 1 MB on disk"
            ),
            "{page}"
        );
        let boot = "last boot: Mastodon 4.6.5 answered 7.0 s after its start; files copied in 3.0 s, database migrated in 1 min";
        assert!(page.contains(boot), "{page}");
        assert!(page.contains("F12 warning: it is old [overdue]") && !page.contains('\u{1b}'), "{page}");
        assert!(page.contains("acknowledged 1 h ago by user 0"), "{page}");
        let late = OverdueBackup {
            backup: "other".parse().unwrap(),
            since: "2026-11-23T01:30:00Z".parse().unwrap(),
            verified: None,
            newest: None,
        };
        let text = strip_str(&not_well_known(&[late], &["files".parse().unwrap()], &when)).to_string();
        assert!(text.contains(
            "other: not known to be fresh since Mon 2026-11-23 01:30:00 UTC (6 h ago): never verified\n"
        ));
        assert!(text.ends_with("files: never verified; `mastmaintctl verify files` does it now\n"), "{text}");
    }
}

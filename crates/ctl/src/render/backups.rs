//! `mastmaintctl backups`: what would come back, how it is known, and how long it would take.

use crate::{
    print::tame,
    table::{Cell, Tone, columns},
    when::When,
};
use mastmaint_control::words::BackupLine;
use mastmaint_words::{
    backup::{Drill, Severity},
    human,
};
use std::fmt::Write as _;

const NOTHING: &str = "-";

/// One row a backup.
pub fn backups(backups: &[BackupLine], when: &When, width: Option<usize>) -> String {
    let rows: Vec<[Cell; 8]> = backups.iter().map(|backup| row(backup, when)).collect();
    let titles = ["BACKUP", "STATE", "NEWEST", "PROVED", "OLDEST PROOF", "DRILL", "RESTORED IN", "VERIFIED"];
    columns(titles, &rows, width)
}

fn row(backup: &BackupLine, when: &When) -> [Cell; 8] {
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

/// Everything about one.
pub fn backup(backup: &BackupLine, when: &When) -> String {
    let mut text = format!("{} ({}): {}\n", tame(&backup.backup), tame(&backup.kind), tame(&backup.sentence));
    let _ = writeln!(text, "verified {} by run {}", when.both(backup.verified), backup.run);
    if let Some(newest) = &backup.newest {
        let lost = when.passed(newest.at);
        let _ =
            writeln!(text, "newest: {} of {}; what is younger would be lost now", tame(&newest.name), lost);
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
    }
    for finding in &backup.findings {
        let word = match finding.severity {
            Severity::Fail => "failure",
            Severity::Warn => "warning",
            Severity::Info => "note",
        };
        let _ = writeln!(text, "\n{word}: {} [{}]", tame(&finding.what), finding.code);
        for line in &finding.evidence {
            let _ = writeln!(text, "    {}", tame(line));
        }
        let _ = writeln!(text, "    what to do: {}", tame(&finding.advice));
    }
    text
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
                           "times": {"prepare": 1.0, "restore": 7.1, "ask": 0.1, "total": 8.4}, "counts": {"tables": 1, "views": 0,
                           "materialized": 0, "accounts": 1, "local_accounts": 1, "users": 1, "statuses": 1, "local_statuses": 1,
                           "media": 0, "migrations": 1, "newest_migration": 1}},
                 "findings": [{"code": "overdue", "severity": "warn", "what": "it is\u001b[2J old", "advice": "See."}]},
                {"backup": "files", "kind": "tree", "verified": "2026-11-23T06:30:00Z", "run": "20261123T063000Z-7k3f9q",
                 "sentence": "no complete backup", "worst": "fail", "findings": []}]"#,
        )
        .unwrap();
        let when = When { now: "2026-11-23T07:30:00Z".parse().unwrap(), zone: jiff::tz::TimeZone::UTC };
        let table = strip_str(&backups(&lines, &when, None)).to_string();
        let rows: Vec<&str> = table.lines().collect();
        for part in ["doubtful", "5 h 30 min ago", "2 of 3", "3 d 1 h ago", "1 d 1 h ago", "7.1 s", "1 h ago"]
        {
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
        assert!(page.contains("[overdue]") && !page.contains('\u{1b}'), "{page}");
    }
}

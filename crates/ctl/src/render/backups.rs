//! `mastmaintctl backups` and `backup`: what would come back, how we know, and what is wrong with it.

use super::listed;
use crate::{
    order::count,
    print::tame,
    table::{Cell, Tone, columns},
    when::When,
};
use jiff::Timestamp;
use mastmaint_control::words::{BackupDetail, BackupLine, OverdueBackup, Severities};
use mastmaint_words::{
    backup::{Drill, KnownFinding, Severity},
    human,
};
use std::fmt::Write as _;

/// One row a backup.
pub fn backups(lines: &[BackupLine], when: &When, width: Option<usize>) -> String {
    let rows: Vec<[Cell; 9]> = lines
        .iter()
        .map(|line| {
            let newest = line.newest.as_ref();
            let tone = if line.overdue.is_some() { Tone::Bad } else { Tone::Plain };
            let age = newest.map_or_else(|| "-".to_owned(), |newest| age(when, newest.at));
            [
                line.backup.as_str().into(),
                line.kind.as_str().into(),
                newest.map_or_else(|| "-".to_owned(), |newest| tame(&newest.name)).into(),
                Cell::toned(age, tone),
                proved(line).unwrap_or_else(|| "-".to_owned()).into(),
                line.verified.map_or_else(|| "never".to_owned(), |at| listed(when, at, width)).into(),
                Cell::toned(found(line.findings), tone_of(line.findings)),
                line.drill.as_ref().map_or_else(|| "-".into(), |drill| drilled(drill, when)),
                lost(line, when).unwrap_or_else(|| "-".to_owned()).into(),
            ]
        })
        .collect();
    let titles = ["BACKUP", "KIND", "NEWEST", "AGE", "PROVED", "VERIFIED", "FINDINGS", "DRILL", "LOST NOW"];
    let mut text = columns(titles, &rows, width);
    for late in lines.iter().filter_map(|line| line.overdue.as_ref()) {
        let _ = writeln!(text, "{}", Tone::Bad.paint(&format!("{}: {}", late.backup, not_fresh(late, when))));
    }
    text
}

/// The page of one backup.
pub fn backup(detail: &BackupDetail, when: &When) -> String {
    let line = &detail.line;
    let mut text = format!("backup {} ({})\n", line.backup, tame(&line.kind));
    let mut field = |name: &str, value: &str| {
        let _ = writeln!(text, "  {name:<10}{value}");
    };
    if let Some(newest) = &line.newest {
        field("newest", &format!("{}, made {}", tame(&newest.name), when.both(newest.at)));
    }
    if let Some(late) = &line.overdue {
        field("overdue", &Tone::Bad.paint(&not_fresh(late, when)));
    }
    if let Some(lost) = lost(line, when) {
        field("lost now", &lost);
    }
    if let Some(proved) = proved(line) {
        let bytes = line.bytes.map(|bytes| format!(" ({})", human::bytes(bytes))).unwrap_or_default();
        let oldest = line.oldest_proof.map(|at| format!(", oldest proof {}", when.passed(at)));
        field("proved", &format!("{proved} files{bytes}{}", oldest.unwrap_or_default()));
    }
    if let Some(drill) = &line.drill {
        let (restored, total) = (human::took(drill.times.restore), human::took(drill.times.total));
        let how = if drill.is_good { "" } else { ", not well" };
        let text = format!("{}{how}: restored in {restored}, {total} in all", when.both(drill.at));
        field("drill", &if drill.is_good { text } else { Tone::Bad.paint(&text) });
    }
    match (line.verified, &line.run) {
        (Some(at), Some(run)) => field("verified", &format!("{} by run {run}", when.both(at))),
        _ => field("verified", "never; `mastmaintctl verify` does it now"),
    }
    if let Some(run) = &line.current {
        field("now", &format!("being verified by run {}", run.run));
    }
    if let Some(sentence) = &line.sentence {
        field("says", &tame(sentence));
    }
    if !detail.known.is_empty() {
        text.push('\n');
    }
    for known in &detail.known {
        finding(&mut text, known, when);
    }
    text
}

fn finding(text: &mut String, known: &KnownFinding, when: &When) {
    let finding = &known.finding;
    let (word, tone) = match finding.severity {
        Severity::Fail => ("failure", Tone::Bad),
        Severity::Warn => ("warning", Tone::Odd),
        Severity::Info => ("note", Tone::Plain),
    };
    let _ = writeln!(text, "{} {}: {} [{}]", known.id, tone.paint(word), tame(&finding.what), finding.code);
    for line in &finding.evidence {
        let _ = writeln!(text, "      {}", tame(line).replace('\n', " "));
    }
    let _ = writeln!(text, "    what to do: {}", tame(&finding.advice));
    let _ = writeln!(text, "    since {}", when.both(known.since));
    if let Some(ack) = known.ack {
        let until = ack.until.map(|at| format!(" until {}", when.both(at))).unwrap_or_default();
        let _ = writeln!(text, "    acknowledged {} by user {}{until}", when.passed(ack.at), ack.uid);
    }
}

/// `12 of 12`.
fn proved(line: &BackupLine) -> Option<String> {
    Some(format!("{} of {}", line.proved?, line.files?))
}

/// `2 failures, 1 warning, 1 acknowledged`.
fn found(findings: Severities) -> String {
    let Severities { fail, warn, acknowledged, .. } = findings;
    let some = |number: usize, noun| (number > 0).then(|| count(number, noun));
    let known = (acknowledged > 0).then(|| format!("{acknowledged} acknowledged"));
    let parts: Vec<_> = [some(fail, "failure"), some(warn, "warning"), known].into_iter().flatten().collect();
    if parts.is_empty() { "-".to_owned() } else { parts.join(", ") }
}

const fn tone_of(findings: Severities) -> Tone {
    match findings {
        Severities { fail: 0, warn: 0, .. } => Tone::Plain,
        Severities { fail: 0, .. } => Tone::Odd,
        _ => Tone::Bad,
    }
}

/// `2 d ago, 7.1 s`: when it was brought to life, and how long restoring took.
fn drilled(drill: &Drill, when: &When) -> Cell {
    if drill.is_good {
        format!("{}, {}", when.passed(drill.at), human::took(drill.times.restore)).into()
    } else {
        Cell::toned(format!("not well {}", when.passed(drill.at)), Tone::Bad)
    }
}

/// What a restore of the newest would lose: `statuses since 02:14:00, 5 h 12 min`.
fn lost(line: &BackupLine, when: &When) -> Option<String> {
    let newest = line.newest.as_ref()?;
    let what = match line.kind.as_str() {
        "postgres" => "statuses",
        "redis" => "queues and feeds",
        _ => "files",
    };
    let since = if human::between(newest.at, when.now).is_some_and(|age| age.as_secs() > 86_400) {
        when.brief(newest.at)
    } else {
        when.clock(newest.at)
    };
    Some(format!("{what} since {since}, {}", age(when, newest.at)))
}

fn age(when: &When, at: Timestamp) -> String {
    human::between(at, when.now).map_or_else(|| "0 s".to_owned(), human::span)
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

    const DATABASE: &str = r#"{"backup": "database", "kind": "postgres", "verified": "2026-11-26T05:40:00Z",
        "run": "20261126T053000Z-7k3f9q", "newest": {"name": "mastodon-26.dump", "at": "2026-11-26T02:14:00Z"},
        "sentence": "mastodon-26.dump, made 3 h ago", "files": 3, "proved": 3, "bytes": 62000000,
        "oldest_proof": "2026-11-25T05:40:00Z",
        "drill": {"at": "2026-11-24T05:40:00Z", "dump": "mastodon-24.dump", "is_good": true, "times": {
            "prepare": {"secs": 1, "nanos": 0}, "restore": {"secs": 7, "nanos": 100000000},
            "ask": {"secs": 0, "nanos": 0}, "total": {"secs": 9, "nanos": 0}}},
        "findings": {"fail": 1, "warn": 1, "info": 0, "acknowledged": 1},
        "known": [{"id": "F12", "since": "2026-11-25T05:40:00Z", "code": "secrets-do-not-fit", "severity": "fail",
            "what": "the secrets\u001b[2J do not fit", "evidence": ["users.otp_secret"], "advice": "Find the right ones.",
            "ack": {"at": "2026-11-26T06:00:00Z", "uid": 0}}]}"#;

    fn when() -> When {
        When { now: "2026-11-26T07:26:00Z".parse().unwrap(), zone: jiff::tz::TimeZone::UTC }
    }

    #[test]
    fn a_backup_says_what_would_be_lost_and_what_was_found() {
        let detail: BackupDetail = serde_json::from_str(DATABASE).unwrap();
        let mut unknown: BackupLine =
            serde_json::from_str(r#"{"backup": "files", "kind": "rsnapshot"}"#).unwrap();
        unknown.overdue = Some(OverdueBackup {
            backup: unknown.backup.clone(),
            since: "2026-11-26T01:00:00Z".parse().unwrap(),
            verified: None,
            newest: None,
        });
        let text = strip_str(&backups(&[detail.line.clone(), unknown], &when(), None)).to_string();
        let lines: Vec<&str> = text.lines().collect();
        for part in [
            "mastodon-26.dump",
            "5 h 12 min",
            "3 of 3",
            "1 failure, 1 warning, 1 acknowledged",
            "2 d 1 h ago, 7.1 s",
        ] {
            assert!(lines[1].contains(part), "{part}: {text}");
        }
        assert!(lines[1].ends_with("statuses since 02:14:00, 5 h 12 min"), "{text}");
        assert!(lines[2].starts_with("files ") && lines[2].contains("never"), "{text}");
        assert!(
            lines[3].starts_with("files: not known to be fresh since") && lines[3].contains("never verified")
        );
    }

    #[test]
    fn the_page_has_every_finding_with_its_id_and_what_to_do() {
        let detail: BackupDetail = serde_json::from_str(DATABASE).unwrap();
        let text = strip_str(&backup(&detail, &when())).to_string();
        assert!(
            text.contains(
                "F12 failure: the secrets do not fit [secrets-do-not-fit]\n      users.otp_secret\n"
            )
        );
        assert!(text.contains("    what to do: Find the right ones.\n"), "{text}");
        assert!(text.contains("acknowledged 1 h 26 min ago by user 0\n"), "{text}");
        assert!(text.contains("3 of 3 files (59.1 MB), oldest proof 1 d 1 h ago\n"), "{text}");
    }
}

//! What the answers of a restored database mean. Pure: answers in, findings out.

use super::{Answers, Counts, Drill, Order};
use crate::{
    finding::{Code, Finding},
    prove::grouped,
};

/// Everything that there is to say of a database that was brought to life.
pub fn judge(order: &Order, answers: &Answers, counts: &Counts) -> Vec<Finding> {
    let (dump, facts) = (&order.dump, &answers.facts);
    let mut findings = facts.is_mastodon(dump);
    if let Some(refused) = &answers.refused {
        let what = format!("{dump} does not answer what the database of a Mastodon answers");
        let advice = "Perhaps the database of something else. It does not bring the instance back.";
        findings.push(Finding::fail(Code::NotAMastodon, what, advice).with([refused.clone()]));
        return findings;
    }
    findings.extend(order.domain.as_deref().and_then(|domain| facts.is_of(dump, domain)));
    findings.extend(facts.fits_code(dump, &order.code));
    if !answers.invalid.is_empty() {
        let count = answers.invalid.len();
        let what = format!("indexes of the restored database that cannot be used: {count}");
        let advice = "Rebuild them in the running database (REINDEX INDEX CONCURRENTLY NAME); where one is unique, look for rows that break it first.";
        let shown = answers.invalid.iter().take(20).cloned();
        findings.push(Finding::fail(Code::IndexInvalid, what, advice).with(shown));
    }
    if findings.iter().all(|f| f.code != Code::NotAMastodon) {
        findings.extend(nobody(dump, counts));
    }
    let before = order.before.as_ref().and_then(|b| b.counts.as_ref().map(|c| (b, c)));
    findings.extend(before.and_then(|(drill, before)| fell(dump, drill, before, counts)));
    findings
}

/// What is never zero. Tables without any row are told by `is_mastodon`.
fn nobody(dump: &str, counts: &Counts) -> Option<Finding> {
    let advice = "It does not bring the instance back. See what pg_dump was told to leave out, and what happened to the running database.";
    if counts.local_accounts == 0 {
        let what = format!("{dump} has no account of this instance");
        return Some(Finding::fail(Code::NotAMastodon, what, advice));
    }
    (counts.local_statuses == 0).then(|| {
        let what = format!("{dump} has no post of this instance");
        Finding::warn(Code::NotAMastodon, what, "Nothing to do if nobody has written anything yet.")
    })
}

/// Compares with the last good drill.
fn fell(dump: &str, drill: &Drill, before: &Counts, now: &Counts) -> Option<Finding> {
    let pairs = [
        ("accounts of this instance", before.local_accounts, now.local_accounts),
        ("users", before.users, now.users),
        ("posts of this instance", before.local_statuses, now.local_statuses),
    ];
    let fallen: Vec<_> = pairs.into_iter().filter(|(_, before, now)| now < before).collect();
    let share = |before: u64, now: u64| u128::from(now) * 100 / u128::from(before.max(1));
    let least = fallen.iter().map(|(_, before, now)| share(*before, *now)).min()?;
    let lines = fallen.iter().map(|(what, before, now)| {
        format!("{what}: {} now, {} in {}", grouped(*now), grouped(*before), drill.dump)
    });
    let what = format!("{dump} has less in it than the last good drill: {least} % of what there was");
    let advice = "If nothing was deleted on purpose, compare it with an older dump before that is gone.";
    Some(
        match least {
            0..50 => Finding::fail(Code::Shrunk, what, advice),
            50..80 => Finding::warn(Code::Shrunk, what, advice),
            _ => Finding::info(Code::Shrunk, what, "Nothing to do: so much is deleted now and then."),
        }
        .with(lines),
    )
}

impl Answers {
    /// The numbers that are kept.
    pub fn counts(&self) -> Counts {
        let facts = &self.facts;
        let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        Counts {
            tables: number(facts.tables.len()),
            views: facts.views,
            materialized: facts.materialized,
            accounts: facts.count("accounts"),
            local_accounts: facts.local_accounts,
            users: facts.count("users"),
            statuses: facts.count("statuses"),
            local_statuses: facts.local_statuses,
            media: self.media,
            migrations: number(facts.migrations.len()),
            newest_migration: facts.migrations.last().copied().unwrap_or(0),
            newest_status: facts.newest_status(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Severity;
    use jiff::Timestamp;

    fn counts(local_accounts: u64, users: u64, local_statuses: u64) -> Counts {
        Counts { local_accounts, users, local_statuses, ..Counts::default() }
    }

    fn drill(counts: Counts) -> Drill {
        Drill {
            at: Timestamp::UNIX_EPOCH,
            dump: "last.dump".to_owned(),
            is_good: true,
            server: Some(17),
            bytes: 0,
            times: super::super::Times::default(),
            counts: Some(counts),
            boot: None,
            harmless: Vec::new(),
        }
    }

    #[test]
    fn a_fall_is_told_by_how_deep_it_is() {
        let before = counts(100, 100, 1000);
        let severity = |now: Counts| fell("x", &drill(before), &before, &now).map(|f| f.severity);
        assert_eq!(severity(counts(100, 101, 1200)), None);
        assert_eq!(severity(counts(100, 100, 990)), Some(Severity::Info));
        assert_eq!(severity(counts(100, 70, 2000)), Some(Severity::Warn));
        assert_eq!(severity(counts(100, 0, 2000)), Some(Severity::Fail));
        let told = fell("x", &drill(before), &before, &counts(100, 70, 990)).unwrap();
        assert_eq!(
            told.evidence,
            ["users: 70 now, 100 in last.dump", "posts of this instance: 990 now, 1,000 in last.dump"]
        );
    }

    #[test]
    fn nobody_is_never_fine() {
        assert_eq!(nobody("x", &counts(0, 1, 1)).unwrap().severity, Severity::Fail);
        assert_eq!(nobody("x", &counts(1, 1, 0)).unwrap().severity, Severity::Warn);
        assert_eq!(nobody("x", &counts(1, 1, 1)), None);
    }
}

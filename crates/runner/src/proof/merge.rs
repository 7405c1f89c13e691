//! What a look at the effect makes of a verdict. Pure.

use mastmaint_words::{Grade, Looked, Numbers, Outcome, Reason, Together, Verdict};

/// What a look said of a step that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The effect is there.
    Proved,
    /// It agrees, as far as it can see: nothing more is known than before.
    Agrees,
    /// The effect is missing.
    Missing {
        /// All of it, or some.
        outcome: Outcome,
        /// What was seen.
        reason: Reason,
    },
    /// Nothing can be said.
    NotTaken(Reason),
}

/// The verdict with what was seen. What was seen outweighs what was said, and never makes it better.
pub(crate) fn merge(mut verdict: Verdict, proof: Proof) -> Verdict {
    match proof {
        Proof::Proved if verdict.outcome == Outcome::Ok => verdict.grade = Grade::Proved,
        Proof::Proved | Proof::Agrees => {}
        Proof::Missing { outcome, reason } => {
            let at = usize::from(verdict.outcome >= outcome && !verdict.reasons.is_empty());
            verdict.reasons.insert(at, reason);
            verdict.outcome = verdict.outcome.max(outcome);
            verdict.grade = Grade::Proved;
        }
        Proof::NotTaken(reason) => verdict.reasons.push(reason),
    }
    verdict
}

fn not_taken(why: impl std::fmt::Display) -> Proof {
    Proof::NotTaken(Reason::new("not-proved", format!("its effect was not looked at: {why}")))
}

/// What the second look at a sample says.
pub(crate) fn of_sample(looked: Result<Looked, String>) -> Proof {
    match looked {
        Ok(Looked::Gone { items: 0, .. }) => not_taken("no row had to go"),
        Ok(Looked::Gone { files: 0, .. }) => {
            not_taken("the sampled rows are cleared, but none of their files was there before")
        }
        Ok(Looked::Gone { .. }) => Proof::Proved,
        Ok(Looked::Left { items, rows, files, dangling, example }) => {
            let outcome = if rows.max(files) >= items { Outcome::Failed } else { Outcome::Partial };
            Proof::Missing { outcome, reason: left(items, rows, files, dangling, example) }
        }
        Ok(Looked::Blind { why, .. }) | Err(why) => not_taken(why),
        Ok(Looked::Sample(_) | Looked::State(_) | Looked::Assets { .. } | Looked::Migrations { .. }) => {
            not_taken("the prover answered something else")
        }
    }
}

/// What a look at a build of the assets says.
pub(crate) fn of_assets(looked: Result<Looked, String>) -> Proof {
    match looked {
        Ok(Looked::Assets { count: 0, .. }) => Proof::Proved,
        Ok(Looked::Assets { count, faults, .. }) => {
            let more = match count.saturating_sub(faults.len()) {
                0 => String::new(),
                more => format!("; and {more} more"),
            };
            // What is skipped because nothing seems to have changed is not skipped without this file.
            let text = format!(
                "{}{more}; remove tmp/cache/vite/last-build-production.json (4.4 and newer) and build again",
                faults.join("; ")
            );
            Proof::Missing { outcome: Outcome::Failed, reason: Reason::new("assets-incomplete", text) }
        }
        Ok(Looked::Blind { why, .. }) | Err(why) => not_taken(why),
        Ok(_) => not_taken("the prover answered something else"),
    }
}

fn left(items: usize, rows: usize, files: usize, dangling: usize, example: Option<String>) -> Reason {
    let such = example.map(|key| format!(" ({key})")).unwrap_or_default();
    if files == 0 && dangling > 0 {
        let text = format!("{dangling} of {items} sampled rows still name files that are gone");
        return Reason::new("rows-without-files", text);
    }
    let text = if rows == 0 {
        format!(
            "the files of {files} of {items} sampled rows are still there although the rows are cleared{such}: the \
             store did not delete them, and only remove-orphans finds them now"
        )
    } else {
        format!("{rows} of {items} sampled rows are not cleared, the files of {files} are still there{such}")
    };
    Reason::new("effect-missing", text)
}

/// What the dry run right after says: `found` items where `removed` were said to be removed.
pub(crate) fn of_again(dry: &Verdict, removed: Option<u64>, tolerance: u64, how: HowRead) -> Proof {
    let Some(found) = how.found(dry.numbers).filter(|_| dry.outcome == Outcome::Ok) else {
        let why = dry.reasons.first().map_or("it told no number", |reason| reason.text.as_str());
        return not_taken(format!("the dry run after it did not end well: {why}"));
    };
    if found <= tolerance {
        // A dry run looks at rows: of files that are still there it knows nothing.
        return if how.deletes_files { Proof::Agrees } else { Proof::Proved };
    }
    let outcome = if found >= removed.unwrap_or(0) { Outcome::Failed } else { Outcome::Partial };
    let text = format!(
        "the same with --dry-run right after still finds {found} items, more than the tolerance of {tolerance}"
    );
    Proof::Missing { outcome, reason: Reason::new("effect-missing", text) }
}

/// How the numbers of a dry run are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HowRead {
    pub(crate) deletes_files: bool,
    pub(crate) counts_visits: bool,
}

impl HowRead {
    fn found(self, numbers: Numbers) -> Option<u64> {
        match numbers.bytes {
            Some(0) if self.counts_visits => Some(0),
            _ if self.counts_visits => numbers.visited,
            _ => numbers.removed,
        }
    }
}

/// How many files rows name; the verdict that keeps a command from running because database and files are not one
/// state, or are not known to be.
pub(crate) fn of_state(looked: Result<Looked, String>) -> Result<u64, Verdict> {
    let refused = |reason| Err(Verdict::because(Outcome::Failed, Grade::Read, reason));
    let text = match looked {
        Ok(Looked::State(Together::Seems { named })) => return Ok(named),
        Ok(Looked::State(Together::Hole { from, until, files })) => format!(
            "{files} uploads of the time from {from} to {until} were looked at that no row names, and the database knows \
             nothing else of that time: it was restored from before it, and they are no orphans. If nobody wants them \
             back, remove them by hand"
        ),
        Ok(Looked::State(Together::DatabaseOlder { rows, files })) => format!(
            "the newest row of the database is of {rows}, but there are media files of up to {files}: the database is \
             older than the files (a restore under way?), and files that it does not know are no orphans"
        ),
        Ok(Looked::State(Together::FilesMissing { rows, missing })) => format!(
            "{missing} of the newest {rows} media rows name files that are not there: database and files are not of \
             one state (a restore under way, another PAPERCLIP_ROOT_PATH?)"
        ),
        Ok(Looked::Blind { why, silent: true }) => {
            return refused(Reason::unreachable("not-one-state-known", not_known(&why)));
        }
        Ok(Looked::Blind { why, silent: false }) | Err(why) => {
            return refused(Reason::new("not-one-state-known", not_known(&why)));
        }
        Ok(_) => {
            return refused(Reason::new(
                "not-one-state-known",
                not_known("the prover answered something else"),
            ));
        }
    };
    refused(Reason::new("not-one-state", text))
}

fn not_known(why: &str) -> String {
    format!(
        "nothing was removed, because it cannot be told whether database and files belong together: {why}. See that \
         tootctl's user reaches both by .env.production, as Mastodon does"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok() -> Verdict {
        Verdict { outcome: Outcome::Ok, grade: Grade::Read, reasons: vec![], numbers: Numbers::default() }
    }

    fn seen(looked: Looked) -> Verdict {
        merge(ok(), of_sample(Ok(looked)))
    }

    fn left(rows: usize, files: usize, dangling: usize) -> Looked {
        Looked::Left { items: 15, rows, files, dangling, example: None }
    }

    #[test]
    fn only_what_was_seen_to_go_is_proved() {
        assert_eq!(seen(Looked::Gone { items: 15, files: 30 }).grade, Grade::Proved);
        for looked in [
            Looked::Gone { items: 0, files: 0 },
            Looked::Gone { items: 15, files: 0 },
            Looked::Blind { why: "PostgreSQL sleeps".into(), silent: true },
        ] {
            let verdict = seen(looked);
            assert_eq!((verdict.outcome, verdict.grade), (Outcome::Ok, Grade::Read));
            assert_eq!(verdict.reasons[0].code, "not-proved");
        }
    }

    #[test]
    fn what_is_still_there_outweighs_what_was_said() {
        for (looked, outcome, code) in [
            (left(0, 15, 0), Outcome::Failed, "effect-missing"),
            (left(0, 12, 0), Outcome::Partial, "effect-missing"),
            (left(15, 0, 15), Outcome::Failed, "rows-without-files"),
            (left(3, 0, 3), Outcome::Partial, "rows-without-files"),
            (left(15, 15, 0), Outcome::Failed, "effect-missing"),
        ] {
            let verdict = seen(looked);
            assert_eq!((verdict.outcome, verdict.grade), (outcome, Grade::Proved));
            assert_eq!(verdict.reasons[0].code, code);
        }
    }

    #[test]
    fn a_look_never_makes_a_verdict_better() {
        let failed =
            Verdict::because(Outcome::Failed, Grade::Read, Reason::new("items-failed", "15 of 15 failed"));
        let after = merge(failed.clone(), Proof::Proved);
        assert_eq!(after, failed);
        let after = merge(failed, of_sample(Ok(left(3, 0, 3))));
        let codes: Vec<_> = after.reasons.iter().map(|r| r.code.as_str()).collect();
        assert_eq!((after.outcome, codes), (Outcome::Failed, vec!["items-failed", "rows-without-files"]));
    }

    #[test]
    fn a_build_that_is_not_whole_is_none() {
        let looked = |count, faults: &[&str]| {
            let faults = faults.iter().map(|fault| (*fault).to_owned()).collect();
            of_assets(Ok(Looked::Assets { themes: 2, files: 800, count, faults }))
        };
        assert_eq!(looked(0, &[]), Proof::Proved);
        let Proof::Missing { outcome, reason } = looked(7, &["the theme plum …", "public/x is empty"])
        else {
            panic!("it would be believed")
        };
        assert_eq!((outcome, reason.code.as_str()), (Outcome::Failed, "assets-incomplete"));
        assert!(
            reason.text.starts_with("the theme plum …; public/x is empty; and 5 more; remove "),
            "{}",
            reason.text
        );
        assert!(matches!(of_assets(Err("x".into())), Proof::NotTaken(_)));
    }

    #[test]
    fn a_dry_run_right_after_finds_no_more_than_the_tolerance() {
        let dry = |removed: u64, bytes: u64| Verdict {
            numbers: Numbers { removed: Some(removed), bytes: Some(bytes), ..Numbers::default() },
            ..ok()
        };
        let rows = HowRead { deletes_files: false, counts_visits: false };
        let files = HowRead { deletes_files: true, counts_visits: false };
        assert_eq!(of_again(&dry(10, 9), Some(100), 10, rows), Proof::Proved);
        assert_eq!(of_again(&dry(10, 9), Some(100), 10, files), Proof::Agrees);
        let outcome = |proof| match proof {
            Proof::Missing { outcome, .. } => Some(outcome),
            _ => None,
        };
        assert_eq!(outcome(of_again(&dry(11, 9), Some(100), 10, files)), Some(Outcome::Partial));
        assert_eq!(outcome(of_again(&dry(100, 9), Some(100), 10, files)), Some(Outcome::Failed));
        let visits = HowRead { deletes_files: true, counts_visits: true };
        assert_eq!(of_again(&dry(500, 0), Some(500), 10, visits), Proof::Agrees);
        let broken = Verdict::because(Outcome::Failed, Grade::Exit, Reason::new("x", "down"));
        assert!(matches!(of_again(&broken, None, 10, rows), Proof::NotTaken(_)));
    }

    #[test]
    fn a_database_older_than_the_files_keeps_orphans_from_being_removed() {
        let at = |text: &str| text.parse().unwrap();
        let older =
            Together::DatabaseOlder { rows: at("2026-11-01T00:00:00Z"), files: at("2026-11-23T00:00:00Z") };
        let verdict = of_state(Ok(Looked::State(older))).unwrap_err();
        assert_eq!((verdict.outcome, verdict.reasons[0].code.as_str()), (Outcome::Failed, "not-one-state"));
        assert_eq!(of_state(Ok(Looked::State(Together::Seems { named: 7 }))), Ok(7));
    }

    #[test]
    fn what_is_not_known_keeps_them_as_well_and_is_tried_again_only_if_something_was_silent() {
        let blind = |silent| Ok(Looked::Blind { why: "x".into(), silent });
        for (looked, again) in [(blind(true), true), (blind(false), false), (Err("no prover".into()), false)]
        {
            let verdict = of_state(looked).unwrap_err();
            assert_eq!((verdict.outcome, verdict.is_worth_retrying()), (Outcome::Failed, again));
            assert_eq!(verdict.reasons[0].code, "not-one-state-known");
        }
    }
}

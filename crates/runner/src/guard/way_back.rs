//! How a change ends: it stays, or it is put back. Both can be done again by another runner if the one before died.

use super::{
    NOT_KEPT, RESTART_OWED, Scene, boot, check,
    exchange::{self, Became, Restored},
    failed, no_record, open,
    record::{Change, Phase, Record},
    tree::Named,
};
use mastmaint_failpoints::failpoint;
use mastmaint_words::{Grade, Outcome, Reason, Verdict};
use std::{ffi::OsString, fs::File, os::fd::AsFd as _};

/// From here on the change stays.
pub(crate) fn keep(scene: &mut Scene<'_>) -> Verdict {
    let change = Change::of(scene.state, scene.run);
    let record = match change.record() {
        Ok(Some(Record { phase: Phase::PutBack { .. }, .. })) => {
            return no_record("the change was put back already");
        }
        Ok(Some(record)) => record,
        Ok(None) => return no_record("it is not there"),
        Err(error) => return no_record(error),
    };
    failpoint!("guard.before-kept");
    if record.phase != Phase::Kept
        && let Err(error) = change.write(&Record { phase: Phase::Kept, ..record })
    {
        return no_record(format!("that the change stays cannot be written: {error}"));
    }
    failpoint!("guard.kept");
    // What is left of them is thrown away with the record.
    let _ = change.drop_copies();
    let text = "the assets are whole, web is up and the site is well: the change stays";
    Verdict::because(Outcome::Ok, Grade::Proved, Reason::new("kept", text))
}

/// Puts back what was changed, unless nothing was or the change stays.
pub(crate) fn put_back(scene: &mut Scene<'_>) -> Verdict {
    let change = Change::of(scene.state, scene.run);
    let skipped =
        |code: &str, text: &str| Verdict::because(Outcome::Skipped, Grade::Read, Reason::new(code, text));
    let record = match change.record() {
        Ok(Some(record)) => record,
        Ok(None) => {
            // Copies of a change that never began.
            let _ = change.forget();
            return skipped("nothing-begun", "nothing had been changed");
        }
        Err(error) => return no_record(error),
    };
    match &record.phase {
        Phase::Kept => {
            let _ = change.drop_copies();
            return skipped("kept", "the change had been found well and stays");
        }
        // By one that was killed before it could say so.
        Phase::PutBack { how, not, owes_restart } => {
            let _ = change.drop_copies();
            return done(how, not.as_deref(), *owes_restart);
        }
        Phase::Begun => {}
    }
    if let Err(verdict) = may_be_put_back(&record, &change, scene) {
        return verdict;
    }
    let outside = check::outside(&record, &change, scene.live);
    let how = match all(&record, &change, scene) {
        Ok(how) => how,
        Err(verdict) => return verdict,
    };
    let not = match outside {
        Ok(None) => None,
        Ok(Some(changed)) => Some(format!("changed beside what was kept, and NOT put back: {changed}")),
        Err(error) => Some(format!("what was changed beside what was kept cannot be told: {error}")),
    };
    let owes_restart = record.boot != boot();
    failpoint!("guard.put-back");
    // Where that cannot be written, whoever looks next finds everything as it was.
    if change
        .write(&Record {
            phase: Phase::PutBack { how: how.clone(), not: not.clone(), owes_restart },
            ..record
        })
        .is_ok()
    {
        failpoint!("guard.put-back-recorded");
        let _ = change.drop_copies();
    }
    done(&how, not.as_deref(), owes_restart)
}

fn done(how: &str, not: Option<&str>, owes_restart: bool) -> Verdict {
    let code = if owes_restart { RESTART_OWED } else { "put-back" };
    let mut verdict = Verdict::because(Outcome::Ok, Grade::Proved, Reason::new(code, how));
    verdict.reasons.extend(not.map(|not| Reason::new(NOT_KEPT, not)));
    verdict
}

/// What a person can do where files alone do not bring back what was.
fn advice(record: &Record, change: &Change) -> String {
    let place = change.place();
    let files = format!("what was kept is in {place}/files");
    match &record.dump {
        Some(dump) => format!(
            "{files}; put back the database from {dump}, which this run verified before, then these, then restart Mastodon and \
             remove {place}"
        ),
        None => format!(
            "{files}, and this run verified no dump before: go on with the code that fits the migrated database, or put back \
             the newest dump of before {} and then these; then restart Mastodon and remove {place}",
            record.begun.strftime("%Y-%m-%d %H:%M UTC")
        ),
    }
}

/// Files alone do not bring back what a migration changed, and code that is older than its database is worse than none.
fn may_be_put_back(record: &Record, change: &Change, scene: &mut Scene<'_>) -> Result<(), Verdict> {
    let advice = || advice(record, change);
    let now = scene.migrations();
    match (&record.migrations, now) {
        (Some(before), Ok(now)) if *before != now => {
            let count = before.symmetric_difference(&now).count();
            let text = format!(
                "the change migrated the database ({count} migrations), so its files alone are not put back; {}",
                advice()
            );
            Err(failed("migrated", text))
        }
        (_, Err(why)) if record.migrates => {
            let text = format!(
                "whether the database was migrated cannot be told ({why}), so the files alone are not put back; {}",
                advice()
            );
            Err(failed("database-unknown", text))
        }
        (None, _) | (_, Err(_)) => {
            scene.say("whether the database was migrated is not known".to_owned());
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Puts back each path, as many as can be.
fn all(record: &Record, change: &Change, scene: &mut Scene<'_>) -> Result<String, Verdict> {
    let cannot = |why: String| {
        failed(
            "not-put-back",
            format!("{why}; what was kept is in {}/files, in the order of its record", change.place()),
        )
    };
    let (live, identity) =
        open(scene.live).map_err(|error| cannot(format!("{}: {error}", scene.live.display())))?;
    // After a restart of the host devices may have other numbers.
    let is_same = identity.1 == record.live.1 && (identity.0 == record.live.0 || record.boot != boot());
    if !is_same {
        let text = format!("{} is another directory than the one that was changed", scene.live.display());
        return Err(cannot(text));
    }
    let files = File::open(change.files()).map_err(|error| cannot(format!("the copies: {error}")))?;
    let (mut back, mut left, mut not) = (Vec::new(), Vec::new(), Vec::new());
    for (index, kept) in record.kept.iter().enumerate() {
        let own = OsString::from(index.to_string());
        let copy = kept.was_there.then_some(Named { at: files.as_fd(), name: &own });
        failpoint!("guard.path");
        match exchange::put_back(live.as_fd(), &kept.path, copy, scene.run.as_str()) {
            Ok(Restored { became, left: more }) => {
                if became == Became::PutBack {
                    back.push(kept.path.display().to_string());
                }
                left.extend(more.map(|more| format!("; beside {}, {more}", kept.path.display())));
            }
            Err(error) => not.push(format!("{}: {error}", kept.path.display())),
        }
    }
    if !not.is_empty() {
        let text = format!("not all could be put back: {}", not.join("; "));
        return Err(cannot(text));
    }
    let how = if back.is_empty() {
        "nothing of what is kept had been changed".to_owned()
    } else {
        format!("put back: {}", back.join(", "))
    };
    Ok(how + &left.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_named_only_where_the_run_verified_one() {
        let mut record = Record {
            run: "20261127T030000Z-7k3f9q".parse().unwrap(),
            job: "upgrade".parse().unwrap(),
            begun: "2026-11-27T03:00:00Z".parse().unwrap(),
            boot: "1".into(),
            live: (1, 2),
            kept: vec![],
            migrates: false,
            dump: Some("nightly-dump".parse().unwrap()),
            migrations: None,
            phase: Phase::Begun,
        };
        let change = Change::of(std::path::Path::new("/state"), &record.run);
        let with = advice(&record, &change);
        assert!(
            with.contains("put back the database from nightly-dump, which this run verified before"),
            "{with}"
        );
        record.dump = None;
        let without = advice(&record, &change);
        assert!(without.contains("this run verified no dump before"), "{without}");
        assert!(without.contains("the newest dump of before 2026-11-27 03:00 UTC"), "{without}");
    }
}

//! Whether what was loaded is the database of this Mastodon.

use crate::{code, error::DatabaseError, load::Load};
use mastmaint_verify::{
    Severity,
    drill::{Counts, Order, judge},
    dump::Beside,
    revive::answers,
};
use std::path::Path;

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) counts: Counts,
    /// What differs from the code that is there.
    pub(crate) differs: Vec<String>,
    pub(crate) notes: Vec<String>,
}

/// Asks it what a Mastodon asks of its database.
pub(crate) fn check(load: &Load<'_>) -> Result<Checked, DatabaseError> {
    let (bench, dump) = (&load.bench, load.dump);
    let settings = bench.site.settings;
    let is_cancelled = || bench.site.tell.is_cancelled();
    let answers = answers(&bench.server.of(&bench.names.new, &is_cancelled), settings.domain())?;
    let counts = answers.counts();
    let expected = Order {
        dump: dump.name.clone(),
        shape: dump.shape,
        size: dump.size,
        domain: settings.domain().map(str::to_owned),
        // Code may come back as well: what does not fit is told and not refused.
        code: std::collections::BTreeSet::new(),
        before: None,
        assertions: Vec::new(),
        reserve: 0,
        boot: None,
        stage: None,
    };
    let mut checked = Checked { counts, ..Checked::default() };
    for finding in judge(&expected, &answers, &counts) {
        if finding.severity == Severity::Fail {
            return Err(DatabaseError::Dump(Box::new(finding)));
        }
        checked.notes.push(format!("{}. {}", finding.what, finding.advice));
    }
    let code = code::migrations(&settings.live)?;
    if !code.is_empty() {
        checked.differs.extend(beside(&Beside::of(&answers.facts.migrations, &code), &settings.live));
    }
    Ok(checked)
}

fn beside(beside: &Beside, code: &Path) -> Option<String> {
    let code = code.display();
    let Beside { newer, older } = beside;
    if let Some(newest) = newer.last() {
        let count = newer.len();
        return Some(format!(
            "the database is newer than the code in {code}: {count} migrations, up to {newest}, are not in it; newer code has to come back too"
        ));
    }
    (*older > 0).then(|| {
        format!("the database is older than the code in {code}: {older} migrations are still to be run (rails db:migrate)")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_told_and_never_refused_here() {
        let of = |database: &[u64], code: &[u64]| {
            beside(
                &Beside::of(&database.iter().copied().collect(), &code.iter().copied().collect()),
                Path::new("live"),
            )
        };
        assert_eq!(of(&[1, 2], &[1, 2]), None);
        assert!(
            of(&[1, 2, 3], &[1, 2]).unwrap().contains("newer than the code in live: 1 migrations, up to 3")
        );
        assert!(of(&[1], &[1, 2, 3]).unwrap().contains("2 migrations are still to be run"));
    }
}

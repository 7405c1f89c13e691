//! The databases of a restore, and the mark of one that is loaded and checked.

use jiff::Timestamp;
use mastmaint_verify::shown;
use mastmaint_words::{RunId, database::Beside};

/// Whatever the mark says after the run was loaded by that run.
const MARK: &str = "mastmaintd: loaded and checked, run ";

/// The names of the databases of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    pub(crate) run: RunId,
    /// The one that Mastodon uses.
    pub(crate) today: String,
    /// Loaded, before the switch.
    pub(crate) new: String,
    /// What was today's before the switch.
    pub(crate) before: String,
    /// What was restored and is not today's any more.
    pub(crate) restored: String,
}

impl Names {
    pub(crate) fn of(today: &str, run: &RunId) -> Self {
        let beside = |which: Beside| which.name(today, run);
        Self {
            run: run.clone(),
            today: today.to_owned(),
            new: beside(Beside::New),
            before: beside(Beside::Before),
            restored: beside(Beside::Restored),
        }
    }

    pub(crate) fn all(&self) -> [&str; 4] {
        [&self.today, &self.new, &self.before, &self.restored]
    }

    /// Whether a comment is the mark of this run.
    pub(crate) fn is_mark(&self, comment: Option<&str>) -> bool {
        run_of(comment).is_some_and(|run| run == self.run.as_str())
    }

    /// Whether a name is that of a loaded database of another run.
    pub(crate) fn is_leftover(&self, name: &str) -> bool {
        let Some((_, run)) = name.rsplit_once("_new_") else { return false };
        id(run).is_some_and(|run| run != self.run && Beside::New.name(&self.today, &run) == name)
    }
}

/// `20261126t200000z_7k3f9q` as the id that it was made of.
fn id(text: &str) -> Option<RunId> {
    let (time, tail) = text.split_once('_')?;
    format!("{}-{tail}", time.to_ascii_uppercase()).parse().ok()
}

/// The run in a mark.
pub(crate) fn run_of(comment: Option<&str>) -> Option<&str> {
    Some(comment?.strip_prefix(MARK)?.split_once(',')?.0)
}

/// What is written on a database that is whole and checked.
pub(crate) fn mark(run: &RunId, dump: &str, made: Timestamp) -> String {
    format!("{MARK}{run}, dump {} of {made}", shown(dump.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::of("mastodon_production", &"20261126T200000Z-7k3f9q".parse().unwrap())
    }

    #[test]
    fn a_mark_is_that_of_one_run() {
        let names = names();
        let made = "2026-11-26T02:00:00Z".parse().unwrap();
        let mark = mark(&names.run, "x\n.dump", made);
        assert_eq!(
            mark,
            "mastmaintd: loaded and checked, run 20261126T200000Z-7k3f9q, dump x\\n.dump of 2026-11-26T02:00:00Z"
        );
        assert!(names.is_mark(Some(&mark)));
        let other = Names::of("mastodon_production", &"20261126T200000Z-7k3f9r".parse().unwrap());
        assert!(!other.is_mark(Some(&mark)) && !names.is_mark(Some("ours")) && !names.is_mark(None));
    }

    #[test]
    fn a_leftover_is_a_new_one_of_this_database_and_another_run() {
        let names = names();
        let is = |name: &str| names.is_leftover(name);
        assert!(is("mastodon_production_new_20261125t200000z_7k3f9q"));
        for other in [
            names.new.as_str(),
            "mastodon_production_before_20261125t200000z_7k3f9q",
            "mastodon_production_restored_20261125t200000z_7k3f9q",
            "mastodon_new_20261125t200000z_7k3f9q",
            "other_mastodon_production_new_20261125t200000z_7k3f9q",
            "mastodon_production_new_ideas",
            "mastodon_production_new_",
            "mastodon_production",
        ] {
            assert!(!is(other), "{other}");
        }
    }
}

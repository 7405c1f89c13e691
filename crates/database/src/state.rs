//! How far a restore is, by nothing but the names of databases and their marks. Pure.

use crate::names::Names;

/// A database of the server.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Deserialize)]
pub(crate) struct Listed {
    pub(crate) name: String,
    /// Who owns it.
    #[serde(default)]
    pub(crate) owner: String,
    /// Whether the role may do with it what its owner may.
    #[serde(default)]
    pub(crate) mine: bool,
    /// The comment on it.
    #[serde(default)]
    pub(crate) mark: Option<String>,
    /// Its bytes, if the role may know.
    #[serde(default)]
    pub(crate) bytes: Option<u64>,
}

/// How far the restore of a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing of it is there.
    Untouched,
    /// The new database is there, and it is not known to be whole.
    HalfLoaded,
    /// The new database is whole and checked.
    Loaded,
    /// The restored one is today's, and the one before it stays beside.
    Switched,
    /// The restored one is today's, and nothing is there to go back to.
    SwitchedForGood,
    /// It was taken back.
    Back,
    /// Another one than the restored is today's, and the one before it stays beside: another restore was switched in.
    Superseded,
    /// There is no database of today's name, but the one before it: somebody renamed it.
    NoToday,
    /// More databases of this run than it ever makes.
    Mixed,
}

/// The state that an arrangement of databases is.
pub(crate) fn state(names: &Names, listed: &[Listed]) -> State {
    let find = |name: &str| listed.iter().find(|database| database.name == name);
    let marked = |database: &Listed| names.is_mark(database.mark.as_deref());
    let (today, new) = (find(&names.today).map(marked), find(&names.new).map(marked));
    let (before, restored) = (find(&names.before).is_some(), find(&names.restored).is_some());
    match (today, new, before, restored) {
        (None, None, true, _) => State::NoToday,
        (Some(true), None, true, false) => State::Switched,
        (Some(true), None, false, false) => State::SwitchedForGood,
        (Some(false), None, true, _) => State::Superseded,
        (Some(false), None, false, true) => State::Back,
        (Some(false) | None, Some(true), false, false) => State::Loaded,
        (Some(false) | None, Some(false), false, false) => State::HalfLoaded,
        (Some(false) | None, None, false, false) => State::Untouched,
        _ => State::Mixed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::mark;
    use jiff::Timestamp;

    /// Every arrangement, with what it is; `!` is with the mark of the run.
    #[test]
    fn every_arrangement_is_one_state() {
        use State::*;
        let run = "20261126T200000Z-7k3f9q".parse().unwrap();
        let names = Names::of("m", &run);
        let mark = mark(&run, "x", Timestamp::UNIX_EPOCH);
        let mut seen = Vec::new();
        for today in [None, Some(false), Some(true)] {
            for new in [None, Some(false), Some(true)] {
                for (before, restored) in [(false, false), (true, false), (false, true), (true, true)] {
                    let mut listed = vec![Listed { name: "other".into(), ..Listed::default() }];
                    let mut add = |name: &str, marked: bool| {
                        let mark = Some(if marked { mark.clone() } else { "ours".to_owned() });
                        listed.push(Listed { name: name.to_owned(), mark, ..Listed::default() });
                    };
                    if let Some(marked) = today {
                        add(&names.today, marked);
                    }
                    if let Some(marked) = new {
                        add(&names.new, marked);
                    }
                    if before {
                        add(&names.before, false);
                    }
                    if restored {
                        add(&names.restored, true);
                    }
                    seen.push(((today, new, before, restored), state(&names, &listed)));
                }
            }
        }
        let (no, plain, ours) = (None, Some(false), Some(true));
        let expected = [
            ((no, no, false, false), Untouched),
            ((plain, no, false, false), Untouched),
            ((no, plain, false, false), HalfLoaded),
            ((plain, plain, false, false), HalfLoaded),
            ((no, ours, false, false), Loaded),
            ((plain, ours, false, false), Loaded),
            ((ours, no, true, false), Switched),
            ((ours, no, false, false), SwitchedForGood),
            ((plain, no, false, true), Back),
            ((plain, no, true, false), Superseded),
            ((plain, no, true, true), Superseded),
            ((no, no, true, false), NoToday),
            ((no, no, true, true), NoToday),
        ];
        assert_eq!(seen.len(), 36);
        for (arrangement, is) in seen {
            let wanted =
                expected.iter().find(|(of, _)| *of == arrangement).map_or(Mixed, |(_, state)| *state);
            assert_eq!(is, wanted, "{arrangement:?}");
        }
    }
}

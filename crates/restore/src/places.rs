//! Where the two trees are. What is done next follows from that alone: a process that was killed left nothing else.

use crate::{
    error::RestoreError,
    inode::{Seen, seen_at},
    open::c_name,
    stage::{LIVE, Stage},
    today::Parent,
};
use mastmaint_words::restore::Restoring;
use std::{ffi::OsStr, io, os::fd::AsFd as _};

/// What has one of the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// What was live before.
    Today,
    /// What was restored.
    Staged,
    /// Something else.
    Other,
    /// Nothing.
    Nobody,
}

/// What has each of the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Places {
    /// `live`.
    pub(crate) live: Who,
    /// The place of the copy.
    pub(crate) stage: Who,
    /// `live.before-RUN`.
    pub(crate) before: Who,
    /// `live.restored-RUN`.
    pub(crate) restored: Who,
    /// There was nothing live before.
    pub(crate) bare: bool,
}

/// What the switch does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forth {
    /// Bring today's things over and exchange the trees.
    Exchange,
    /// Give the old tree its name.
    Keep,
    /// Both are where they belong.
    Missing,
}

/// What the way back does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// Exchange the trees again: the old one is `live.before-RUN`.
    ExchangeKept,
    /// Exchange them again: the old one has no name yet.
    ExchangeStaged,
    /// The restored one is live, where nothing was before, or beside.
    PutAwayLive,
    /// It has the name of the old one.
    PutAwayKept,
    /// It is where it was copied.
    PutAwayStaged,
    /// The old tree is ours and nothing is live.
    Return,
    /// Both are where they belong.
    Done,
}

impl Places {
    /// Looks.
    pub(crate) fn look(
        parent: &Parent,
        stage: Option<&Stage>,
        restoring: &Restoring,
    ) -> Result<Self, RestoreError> {
        let who = |found: Option<Seen>| who(found, restoring);
        let beside = |path: std::path::PathBuf| parent.look(path.file_name().unwrap_or_default());
        let staged = match stage {
            Some(stage) => seen_at(stage.fd.as_fd(), &c_name(OsStr::new(LIVE))?)
                .map_err(|source: io::Error| crate::error::io_at(b"live", "look at in the copy")(source))?,
            None => None,
        };
        Ok(Self {
            live: who(beside(restoring.live.clone())?),
            stage: who(staged),
            before: who(beside(restoring.before())?),
            restored: who(beside(restoring.restored())?),
            bare: restoring.today.is_none(),
        })
    }

    /// What the switch does next; nothing if a tree is not where it can be.
    pub(crate) const fn forth(self) -> Option<Forth> {
        match (self.live, self.stage, self.before) {
            (Who::Today, Who::Staged, Who::Nobody) => Some(Forth::Exchange),
            (Who::Nobody, Who::Staged, Who::Nobody) if self.bare => Some(Forth::Exchange),
            (Who::Staged, Who::Today, Who::Nobody) => Some(Forth::Keep),
            (Who::Staged, Who::Nobody, Who::Today) => Some(Forth::Missing),
            (Who::Staged, Who::Nobody, _) if self.bare => Some(Forth::Missing),
            _ => None,
        }
    }

    /// What the way back does next.
    pub(crate) const fn home(self) -> Option<Home> {
        match (self.live, self.stage, self.before, self.restored) {
            (Who::Staged, _, _, Who::Nobody) if self.bare => Some(Home::PutAwayLive),
            (Who::Staged, _, Who::Today, Who::Nobody) => Some(Home::ExchangeKept),
            (Who::Staged, Who::Today, _, Who::Nobody) => Some(Home::ExchangeStaged),
            (Who::Today, _, Who::Staged, Who::Nobody) => Some(Home::PutAwayKept),
            (Who::Today, Who::Staged, _, Who::Nobody) => Some(Home::PutAwayStaged),
            (Who::Nobody, Who::Staged, _, Who::Nobody) if self.bare => Some(Home::PutAwayStaged),
            (Who::Nobody, Who::Today, _, _) => Some(Home::Return),
            (Who::Today, _, _, Who::Staged) => Some(Home::Done),
            (Who::Nobody, _, _, Who::Staged) if self.bare => Some(Home::Done),
            _ => None,
        }
    }

    /// Which name stands for the wrong thing, for people.
    pub(crate) fn told(self) -> String {
        let word = |who| match who {
            Who::Today => "today's tree",
            Who::Staged => "the restored tree",
            Who::Other => "something else",
            Who::Nobody => "nothing",
        };
        let Self { live, stage, before, restored, .. } = self;
        format!(
            "live is {}, the place of the copy holds {}, live.before is {}, live.restored is {}",
            word(live),
            word(stage),
            word(before),
            word(restored)
        )
    }
}

fn who(found: Option<Seen>, restoring: &Restoring) -> Who {
    let Some(found) = found else { return Who::Nobody };
    let is = |inode: Option<mastmaint_words::restore::Inode>| inode.is_some_and(|i| i.is(&found.inode));
    match () {
        () if !found.is_directory() => Who::Other,
        () if is(restoring.staged) => Who::Staged,
        () if is(restoring.today) => Who::Today,
        () => Who::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Who; 4] = [Who::Today, Who::Staged, Who::Other, Who::Nobody];

    /// Every arrangement in which each tree is in one place.
    fn arrangements() -> Vec<Places> {
        let mut all = Vec::new();
        for live in ALL {
            for stage in ALL {
                for before in ALL {
                    for restored in ALL {
                        for bare in [false, true] {
                            let names = [live, stage, before, restored];
                            let count = |who| names.iter().filter(|w| **w == who).count();
                            if count(Who::Staged) <= 1 && count(Who::Today) <= usize::from(!bare) {
                                all.push(Places { live, stage, before, restored, bare });
                            }
                        }
                    }
                }
            }
        }
        all
    }

    fn swap(places: Places, step: Home) -> Places {
        let Places { live, stage, before, .. } = places;
        match step {
            Home::ExchangeKept => Places { live: before, before: live, ..places },
            Home::ExchangeStaged => Places { live: stage, stage: live, ..places },
            Home::PutAwayLive => Places { live: Who::Nobody, restored: live, ..places },
            Home::PutAwayKept => Places { before: Who::Nobody, restored: before, ..places },
            Home::PutAwayStaged => Places { stage: Who::Nobody, restored: stage, ..places },
            Home::Return => Places { live: stage, stage: Who::Nobody, ..places },
            Home::Done => places,
        }
    }

    #[test]
    fn the_switch_ends_and_the_way_back_ends_from_wherever_it_is() {
        for start in arrangements() {
            let mut places = start;
            for _ in 0..3 {
                let Some(step) = places.forth() else { break };
                places = match step {
                    Forth::Exchange => Places { live: places.stage, stage: places.live, ..places },
                    Forth::Keep => Places { before: places.stage, stage: Who::Nobody, ..places },
                    Forth::Missing => places,
                };
            }
            if start.forth().is_some() {
                assert_eq!(places.forth(), Some(Forth::Missing), "{start:?}");
                assert_eq!(places.live, Who::Staged, "{start:?}");
            }
            let mut places = start;
            for _ in 0..4 {
                let Some(step) = places.home() else { break };
                places = swap(places, step);
            }
            // From wherever the switch can be, also from each step of the way back.
            if start.forth().is_some() && start.restored == Who::Nobody {
                assert_eq!(places.home(), Some(Home::Done), "{start:?}");
                let expected = if start.bare { Who::Nobody } else { Who::Today };
                assert_eq!((places.live, places.restored), (expected, Who::Staged), "{start:?}");
            }
        }
    }

    #[test]
    fn what_is_not_ours_is_never_moved_into_live() {
        for places in arrangements() {
            if places.live == Who::Other {
                assert_eq!((places.forth(), places.home()), (None, None), "{places:?}");
            }
        }
    }
}

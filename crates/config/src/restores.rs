//! Restores: files and databases that come back from backups. In a job a restore is several ordinary steps, so that it
//! is run, recorded and taken over like any other; what is switched in must be one matching set of code, database and
//! secrets, or is taken back before anything starts.

use crate::settings::{Action, Job, ServicesAction, Step};
use mastmaint_words::{BackupName, ProbeName, Room, RunId, StepIndex};
use serde::{Deserialize, Serialize};

/// The parts of a restore. All services are stopped between those that prepare and those that move what is live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestoreAction {
    /// A copy is made beside the running instance and checked, and nothing else.
    Rehearse(Restore),
    /// The same, to be switched in.
    Prepare(Restore),
    /// Mastodon's code is started in the copy, as the instance's user and with the settings that count.
    Try(Copied),
    /// Whether the built assets of the copy are whole.
    Assets {
        /// Which copy.
        copy: Copied,
        /// Whether nothing is switched in if they are not; else that is told.
        needed: bool,
    },
    /// The copy changes places with what is there.
    Switch(Copied),
    /// What was switched in changes places with what was there before.
    Back(Copied),
    /// A probe is asked about what was started.
    Ask(ProbeName),
}

/// Which copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Copied {
    /// The one that the same run has made.
    Here,
    /// One that an earlier run has made, or that came from another host.
    By(RunId),
}

impl RestoreAction {
    pub(crate) fn title(&self) -> String {
        let of = |restore: &Restore| match &restore.snapshot {
            Some(name) => format!("{name} of {}", restore.backup),
            None => restore.backup.to_string(),
        };
        match self {
            Self::Rehearse(restore) => format!("rehearse the restore of {}", of(restore)),
            Self::Prepare(restore) => format!("prepare the restore of {}", of(restore)),
            Self::Try(_) => "try the code that was restored".to_owned(),
            Self::Assets { .. } => "look at the assets that were restored".to_owned(),
            Self::Ask(probe) => format!("see that the probe {probe} says yes"),
            Self::Switch(_) => "switch to what was restored".to_owned(),
            Self::Back(Copied::Here) => "switch back to the files that were there before".to_owned(),
            Self::Back(Copied::By(run)) => format!("switch back to what was there before {run}"),
        }
    }

    /// Whether it moves what is live: such a step is never left halfway.
    pub const fn moves_live(&self) -> bool {
        matches!(self, Self::Switch(_) | Self::Back(_))
    }

    /// The room in which it is done.
    pub const fn room(&self) -> Room {
        match self {
            Self::Rehearse(_) | Self::Prepare(_) | Self::Switch(_) | Self::Back(_) => Room::Restore,
            Self::Try(_) | Self::Assets { .. } => Room::Tootctl,
            Self::Ask(_) => Room::Probe,
        }
    }
}

impl Copied {
    /// The run that made it.
    pub const fn run<'a>(&'a self, own: &'a RunId) -> &'a RunId {
        match self {
            Self::Here => own,
            Self::By(run) => run,
        }
    }
}

/// What is restored, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restore {
    /// From which backup.
    pub backup: BackupName,
    /// From which of its states, by name (`daily.1`); the newest complete one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
    /// Uploads, too, are those of the backup; else today's stay and only what is missing comes back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_media: bool,
    /// Settings and secrets, too, are those of the backup; else today's stay.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_env: bool,
    /// What is not proved will do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unproved: bool,
}

/// The parts of a restore of a database. The dump goes into a new one beside today's; then the two change names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DatabaseAction {
    /// The dump is brought to life beside today's database and checked, and nothing else.
    Rehearse(Dump),
    /// The same, to be switched in.
    Load(Dump),
    /// Whether the code of a copy, and its secrets where they come back too, belong to today's database.
    Fits(Copied),
    /// Whether the new database belongs to the code and the secrets that it will find.
    WouldMatch {
        /// The files that come back with it; those of today if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files: Option<Copied>,
        /// Which new one.
        database: Copied,
    },
    /// Whether the new database could be switched in now.
    Ready(Copied),
    /// The new database takes the name of today's, which stays beside.
    Switch(Copied),
    /// Whether code, the database that was switched in, and secrets belong together; migrations too.
    MatchNew {
        /// The files that came back with it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        files: Option<Copied>,
        /// Which one.
        database: Copied,
    },
    /// Whether code, database and secrets belong together. What was there before may lack migrations, as it did.
    Match,
    /// What was switched in changes names with what was there before.
    Back(Copied),
    /// The databases beside today's that a run has left are dropped.
    Prune(RunId),
}

/// Which dump is brought to life, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dump {
    /// From which backup.
    pub backup: BackupName,
    /// Which of its dumps, by name; the newest complete one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dump: Option<String>,
    /// What is not proved will do.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unproved: bool,
}

impl DatabaseAction {
    /// The room in which it is done: the verify room opens the dump, all else is asked of PostgreSQL as the instance.
    pub const fn room(&self) -> Room {
        match self {
            Self::Rehearse(_) | Self::Load(_) => Room::Verify,
            Self::Fits(_)
            | Self::WouldMatch { .. }
            | Self::Ready(_)
            | Self::Switch(_)
            | Self::MatchNew { .. }
            | Self::Match
            | Self::Back(_)
            | Self::Prune(_) => Room::Tootctl,
        }
    }

    /// Whether it moves what is live: such a step is never left halfway.
    pub const fn moves_live(&self) -> bool {
        matches!(self, Self::Switch(_) | Self::Back(_))
    }

    pub(crate) fn title(&self) -> String {
        let of = |dump: &Dump| match &dump.dump {
            Some(name) => format!("{name} of {}", dump.backup),
            None => dump.backup.to_string(),
        };
        match self {
            Self::Rehearse(dump) => format!("rehearse the restore of the database from {}", of(dump)),
            Self::Load(dump) => format!("load the database from {}", of(dump)),
            Self::Fits(_) => "see that what comes back belongs to the database".to_owned(),
            Self::WouldMatch { .. } => "see that what comes back belongs together".to_owned(),
            Self::Ready(_) => "see that the database can be switched".to_owned(),
            Self::Switch(_) => "switch to the database that was loaded".to_owned(),
            Self::MatchNew { .. } | Self::Match => {
                "see that code, database and secrets belong together".to_owned()
            }
            Self::Back(Copied::Here) => "switch back to the database that was there before".to_owned(),
            Self::Back(Copied::By(run)) => format!("switch back to the database before {run}"),
            Self::Prune(run) => format!("drop the databases that {run} has left beside"),
        }
    }
}

/// Where a restore of a database lies among the steps of its job. What follows [`Swap::matches`] up to the start is for
/// a set that does not match; [`Swap::keep_down`] comes after a way back that left none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swap {
    /// Services are stopped.
    pub stop: StepIndex,
    /// Whether code, database and secrets belong together.
    pub matches: StepIndex,
    /// Services that a restart of the host has started are stopped again.
    pub stop_again: StepIndex,
    /// Whether what was taken back belongs together.
    pub matches_again: StepIndex,
    /// Services are started.
    pub start: StepIndex,
    /// Services stay down.
    pub keep_down: StepIndex,
}

impl Swap {
    /// Whether a step belongs to the way there: what goes wrong in it is taken back.
    pub fn holds(&self, step: StepIndex) -> bool {
        self.stop < step && step <= self.matches
    }

    /// Whether there is anything that could be taken back: not of what is taken back itself.
    pub fn has_way_back(&self) -> bool {
        self.matches_again.0 > self.stop_again.0 + 1
    }

    /// Whether a step is part of the way back, which is owed once services were stopped.
    pub fn is_way_back(&self, step: StepIndex) -> bool {
        self.stop_again <= step && step <= self.keep_down && step != self.start
    }
}

/// Where the way back of a restore of files alone lies among the steps of its job: for services that do not come up on
/// what was switched in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WayBack {
    /// The files change places.
    pub switch: StepIndex,
    /// Services are started on them.
    pub start: StepIndex,
    /// And stopped again.
    pub stop_again: StepIndex,
    /// The files of before are there again.
    pub back: StepIndex,
    /// Services are started on those.
    pub start_again: StepIndex,
}

impl WayBack {
    /// Whether a step is part of it.
    pub fn holds(&self, step: StepIndex) -> bool {
        self.stop_again <= step && step <= self.start_again
    }
}

impl Job {
    /// Whether it ends with other files or another database in the place of the instance's.
    pub fn restores(&self) -> bool {
        self.steps.iter().any(|step| step.action.moves_live())
    }

    /// Where its restore of a database lies, if it has one that must match.
    pub fn swap(&self) -> Option<Swap> {
        let at = |wanted: fn(&Action) -> bool| {
            self.indexed_steps().filter(move |(_, step)| wanted(&step.action)).map(|(index, _)| index)
        };
        let stops = |action: &Action| matches!(action, Action::Services(ServicesAction::Stop { .. }));
        let is_match = |action: &Action| {
            matches!(action, Action::Database(DatabaseAction::MatchNew { .. } | DatabaseAction::Match))
        };
        let mut stop = at(stops);
        let mut matches = at(is_match);
        Some(Swap {
            stop: stop.next()?,
            matches: matches.next()?,
            stop_again: stop.next()?,
            matches_again: matches.next()?,
            start: at(|action| matches!(action, Action::Services(ServicesAction::Start))).next()?,
            keep_down: at(|action| matches!(action, Action::Services(ServicesAction::KeepDown))).next()?,
        })
    }

    /// Where the way back of its restore of files lies, if it has one.
    pub fn way_back(&self) -> Option<WayBack> {
        let moves = |step: &Step| matches!(step.action, Action::Restore(RestoreAction::Switch(_)));
        let goes_back = |step: &Step| matches!(step.action, Action::Restore(RestoreAction::Back(_)));
        let stops = |step: &Step| matches!(step.action, Action::Services(ServicesAction::Stop { .. }));
        let starts = |step: &Step| matches!(step.action, Action::Services(ServicesAction::Start));
        let is_one = |five: &[Step]| {
            matches!(five, [there, up, down, back, up_again]
                if moves(there) && starts(up) && stops(down) && goes_back(back) && starts(up_again))
        };
        let switch = u16::try_from(self.steps.windows(5).position(is_one)?).ok()?;
        let after = |steps: u16| StepIndex(switch.saturating_add(steps));
        Some(WayBack {
            switch: after(0),
            start: after(1),
            stop_again: after(2),
            back: after(3),
            start_again: after(4),
        })
    }

    /// The first step from this one on that asks no probe about what a restore has started.
    pub fn after_probes(&self, from: StepIndex) -> StepIndex {
        let rest = self.steps.iter().skip(usize::from(from.0));
        let asked = rest.take_while(|step| matches!(step.action, Action::Restore(RestoreAction::Ask(_))));
        StepIndex(from.0.saturating_add(u16::try_from(asked.count()).unwrap_or(u16::MAX)))
    }
}

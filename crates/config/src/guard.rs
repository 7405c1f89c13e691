//! Guarded changes: a change of the instance between a safe point and a check, put back as a whole if anything goes
//! wrong. In a job it is several ordinary steps, so that it is run, recorded and taken over like any other.

use crate::{command_line, settings::Action, settings::Job};
use mastmaint_words::{BackupName, Bytes, Room, StepIndex};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What builds the assets, where no command of a guard does.
pub const BUILD: [&str; 2] = ["bin/rails", "assets:precompile"];
/// Free memory without which nothing is built, where nothing is written: a build takes 1.6 to 1.8 GB.
pub const MEMORY: Bytes = Bytes::new(2 << 30);

/// A part of a guarded change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GuardAction {
    /// What may be changed is copied, and what would keep a build from being one is removed.
    Begin(SafePoint),
    /// A command of the change.
    Command(Vec<String>),
    /// Whether the assets are whole.
    Check,
    /// Whether a visitor gets pages and every theme.
    Look,
    /// The change stays.
    Keep,
    /// What was changed is put back, unless the change stays.
    PutBack,
}

/// What a guard is asked for beside its commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SafePoint {
    /// Kept beside what every guard keeps, below the Rails root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<PathBuf>,
    /// It is refused below so much free memory.
    pub memory: Bytes,
    /// Whether the last command is [`BUILD`], which nobody wrote.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub builds: bool,
    /// Whether a command migrates the database.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub migrates: bool,
    /// The dump that the same run has verified before: what a migrated database can be brought back from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dump: Option<BackupName>,
}

impl GuardAction {
    /// The room in which it is done.
    pub const fn room(&self) -> Room {
        match self {
            Self::Begin(_) | Self::Command(_) | Self::Check | Self::Keep | Self::PutBack => Room::Change,
            Self::Look => Room::Probe,
        }
    }

    /// One line for people.
    pub fn title(&self) -> String {
        match self {
            Self::Begin(_) => "keep what the change may spoil".to_owned(),
            Self::Command(argv) => command_line::shown(argv),
            Self::Check => "see that the assets are whole".to_owned(),
            Self::Look => "look at the site and its themes as a visitor".to_owned(),
            Self::Keep => "let the change stay".to_owned(),
            Self::PutBack => "put back what the change spoiled".to_owned(),
        }
    }
}

/// Where the guard of a job lies among its steps. What follows [`Guard::keep`] is for a change that does not stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Guard {
    /// The safe point.
    pub begin: StepIndex,
    /// The check of the assets.
    pub check: StepIndex,
    /// Web is restarted.
    pub restart: StepIndex,
    /// The visitor's look.
    pub look: StepIndex,
    /// From here on the change stays.
    pub keep: StepIndex,
    /// Everything is put back.
    pub put_back: StepIndex,
    /// Whether web, which the run had not restarted, is well on what was put back.
    pub look_first: StepIndex,
    /// Web is restarted on what was put back.
    pub restart_again: StepIndex,
    /// And looked at.
    pub look_again: StepIndex,
}

impl Guard {
    /// Whether a step belongs to the change: what goes wrong in it is put back.
    pub fn holds(&self, step: StepIndex) -> bool {
        self.begin <= step && step <= self.keep
    }

    /// Whether a step is part of the way back, which is owed once the guard has begun.
    pub fn is_way_back(&self, step: StepIndex) -> bool {
        self.put_back <= step && step <= self.look_again
    }
}

impl Job {
    /// Where its guard lies, if it has one.
    pub fn guard(&self) -> Option<Guard> {
        let at = |wanted: fn(&GuardAction) -> bool| {
            let mut steps = self.indexed_steps();
            steps
                .find(|(_, step)| matches!(&step.action, Action::Guard(action) if wanted(action)))
                .map(|s| s.0)
        };
        let begin = at(|action| matches!(action, GuardAction::Begin(_)))?;
        let check = at(|action| matches!(action, GuardAction::Check))?;
        let after = |steps: u16| StepIndex(check.0.saturating_add(steps));
        Some(Guard {
            begin,
            check,
            restart: after(1),
            look: after(2),
            keep: after(3),
            put_back: after(4),
            look_first: after(5),
            restart_again: after(6),
            look_again: after(7),
        })
    }

    /// How many steps there are for somebody who looks at this one: those of the way back of a guard are seen on it only.
    pub fn steps_in_sight(&self, step: StepIndex) -> u16 {
        let all = u16::try_from(self.steps.len()).unwrap_or(u16::MAX);
        match self.guard() {
            Some(guard) if step <= guard.keep && all == guard.look_again.0 + 1 => guard.put_back.0,
            _ => all,
        }
    }
}

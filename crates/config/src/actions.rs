//! What a step does: one variant for each kind, which room does it, and how it is called. A part of [`crate::settings`].

use crate::{
    guard::GuardAction,
    restores::{DatabaseAction, RestoreAction},
};
use mastmaint_words::{BackupName, ProbeName, Room, UnitName};
use serde::{Deserialize, Serialize};

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Arguments of `bin/tootctl`.
    Tootctl(Vec<String>),
    /// A verb and the units it acts on.
    Systemctl(SystemctlAction),
    /// A program of the admin with its arguments; no shell reads it.
    Run(Vec<String>),
    /// A backup that is verified.
    Verify(VerifyAction),
    /// A probe that is asked until it says yes.
    Probe(ProbeName),
    /// A part of a restore of files.
    Restore(RestoreAction),
    /// A part of a restore of a database.
    Database(DatabaseAction),
    /// The instance's Redis is emptied, once a person has seen what is in it.
    RedisFlush,
    /// An end of a bracket.
    Services(ServicesAction),
    /// A part of a guarded change.
    Guard(GuardAction),
}

/// What the verify room and the remote room do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyAction {
    /// Which backup.
    pub backup: BackupName,
    /// Everything is read, whatever the budget and the age of its proof.
    #[serde(default)]
    pub full: bool,
    /// It lies on another host: the remote room does it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub remote: bool,
}

/// The two ends of a bracket, the time in which a job has stopped services and owes their start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ServicesAction {
    /// Those of these units that run are recorded and stopped.
    Stop {
        /// In the order in which they are started again; a template stands for its loaded instances.
        units: Vec<UnitName>,
        /// What an earlier restore keeps down is taken over: this one brings a whole set.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        mends: bool,
    },
    /// What was recorded is started again and watched until it stays up and answers.
    Start,
    /// What was recorded stays down until a person starts it: there is nothing whole that it could run on.
    KeepDown,
}

/// What the systemctl room does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemctlAction {
    /// What to do.
    pub verb: SystemctlVerb,
    /// To which units, in this order; each named by `instance.services` or loaded from such a template.
    pub units: Vec<UnitName>,
}

/// What the systemctl room knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SystemctlVerb {
    /// Start units.
    Start,
    /// Stop units.
    Stop,
    /// Stop and start units.
    Restart,
    /// Ask units to read their configuration again.
    Reload,
    /// Show their state for people; fails if one is not active.
    Status,
    /// Show their properties for machines.
    Show,
    /// Forget that they failed.
    ResetFailed,
}

impl SystemctlVerb {
    /// Every verb.
    pub const ALL: [Self; 7] =
        [Self::Start, Self::Stop, Self::Restart, Self::Reload, Self::Status, Self::Show, Self::ResetFailed];

    /// The word that systemctl knows it by.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Status => "status",
            Self::Show => "show",
            Self::ResetFailed => "reset-failed",
        }
    }

    /// Whether it can leave a service stopped: such a step is refused when the ledger cannot be written.
    pub const fn stops_services(self) -> bool {
        matches!(self, Self::Stop | Self::Restart)
    }
}

impl Action {
    /// Whether it can leave a service stopped.
    pub const fn stops_services(&self) -> bool {
        match self {
            Self::Systemctl(action) => action.verb.stops_services(),
            Self::Services(ServicesAction::Stop { .. }) => true,
            Self::Tootctl(_)
            | Self::Run(_)
            | Self::Verify(_)
            | Self::Probe(_)
            | Self::Restore(_)
            | Self::Database(_)
            | Self::RedisFlush
            | Self::Guard(_)
            | Self::Services(ServicesAction::Start | ServicesAction::KeepDown) => false,
        }
    }

    /// Whether it moves what is live: such a step is never left halfway.
    pub const fn moves_live(&self) -> bool {
        match self {
            Self::Restore(action) => action.moves_live(),
            Self::Database(action) => action.moves_live(),
            _ => false,
        }
    }

    /// Whether it takes back what was switched in.
    pub const fn goes_back(&self) -> bool {
        matches!(self, Self::Restore(RestoreAction::Back(_)) | Self::Database(DatabaseAction::Back(_)))
    }

    /// Whether it moves the database that is live.
    pub const fn moves_a_database(&self) -> bool {
        matches!(self, Self::Database(action) if action.moves_live())
    }

    /// The room in which it runs.
    pub const fn room(&self) -> Room {
        match self {
            Self::Tootctl(_) | Self::RedisFlush => Room::Tootctl,
            Self::Run(_) => Room::Run,
            Self::Systemctl(_) | Self::Services(_) => Room::Systemctl,
            Self::Verify(VerifyAction { remote: true, .. }) => Room::Remote,
            Self::Verify(_) => Room::Verify,
            Self::Probe(_) => Room::Probe,
            Self::Restore(action) => action.room(),
            Self::Database(action) => action.room(),
            Self::Guard(action) => action.room(),
        }
    }

    /// The word in the config.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Tootctl(_) => "tootctl",
            Self::Systemctl(_) => "systemctl",
            Self::Run(_) => "run",
            Self::Verify(_) => "verify",
            Self::Probe(_) => "probe",
            Self::Restore(_) => "restore",
            Self::Database(_) => "restore-database",
            Self::RedisFlush => "redis-flush",
            Self::Services(_) => "services",
            Self::Guard(_) => "guard",
        }
    }

    /// One line for people: `tootctl media remove --days 7`. Variables are not part of it, and secrets among
    /// the arguments are taken out: it goes to the journal, the ledger and everybody who looks.
    pub fn title(&self) -> String {
        match self {
            Self::Tootctl(args) => format!("tootctl {}", crate::command_line::shown(args)),
            Self::Systemctl(action) => {
                let units: Vec<_> = action.units.iter().map(UnitName::as_str).collect();
                format!("systemctl {} {}", action.verb.as_str(), units.join(" "))
            }
            Self::Run(argv) => crate::command_line::shown(argv),
            Self::Verify(action) if action.full => format!("verify {} in full", action.backup),
            Self::Verify(action) => format!("verify {}", action.backup),
            Self::Probe(probe) => format!("probe {probe}"),
            Self::Restore(action) => action.title(),
            Self::Database(action) => action.title(),
            Self::RedisFlush => "empty Redis".to_owned(),
            Self::Services(ServicesAction::Stop { units, .. }) => {
                let units: Vec<_> = units.iter().map(UnitName::as_str).collect();
                format!("stop {}, to be started again", units.join(" "))
            }
            Self::Services(ServicesAction::KeepDown) => "leave the services stopped".to_owned(),
            Self::Services(ServicesAction::Start) => {
                "start what was stopped, and see that it works".to_owned()
            }
            Self::Guard(action) => action.title(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_holds_no_secret() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let run = Action::Run(words("/usr/bin/curl -u backup:s3cr3tPassw0rd http://127.0.0.1:1/"));
        assert_eq!(run.title(), "/usr/bin/curl -u backup:[redacted] http://127.0.0.1:1/");
        let tootctl = Action::Tootctl(words("accounts create bob --api-token hunter2"));
        assert_eq!(tootctl.title(), "tootctl accounts create bob --api-token [redacted]");
        assert_eq!(Action::Tootctl(words("media remove --days 7")).title(), "tootctl media remove --days 7");
    }
}

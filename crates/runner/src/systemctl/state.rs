//! How a unit stands, as far as starting, stopping and watching it need to know.

use super::query::Properties;
use mastmaint_words::UnitName;

/// What is asked of systemd.
pub(super) const PROPERTIES: &[&str] = &[
    "Id",
    "LoadState",
    "FragmentPath",
    "UnitFileState",
    "Type",
    "RemainAfterExit",
    "Restart",
    "ActiveState",
    "SubState",
    "Result",
    "InvocationID",
    "NRestarts",
    "Job",
    "ConditionResult",
    "ConditionTimestampMonotonic",
    "ExecMainStartTimestampMonotonic",
    "ActiveEnterTimestampMonotonic",
];

/// How a unit stands.
#[expect(clippy::struct_excessive_bools, reason = "what systemd tells of a unit, each yes or no")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitState {
    /// `loaded`, `masked`, `not-found`.
    pub load: String,
    /// Its unit file.
    pub fragment: String,
    /// What its file says of starting it by itself: `enabled`, `disabled`, `static`.
    pub enablement: String,
    /// `active`, `inactive`, `failed`, `activating` and so on.
    pub active: String,
    /// `running`, `exited`, `auto-restart` and so on.
    pub sub: String,
    /// Why it ended: `success`, `exit-code`, `start-limit-hit`.
    pub result: String,
    /// Id of its newest start.
    pub invocation: String,
    /// How often systemd has restarted it by itself since somebody started it.
    pub restarts: u64,
    /// Number of the job that systemd has for it; 0 for none.
    pub job: u64,
    /// Whether its newest start came to nothing because a condition in its file was not met.
    pub is_refused: bool,
    /// When its process and when the unit were started; a new start changes them.
    pub stamps: Stamps,
    /// Whether systemd starts it again whenever it ends by itself.
    pub always_restarts: bool,
    /// Whether it is meant to do something and to be over (a shim).
    pub is_oneshot: bool,
    /// Whether it is up although it is over.
    pub remains: bool,
}

/// When a unit was started, in microseconds since boot as systemd tells it; only compared, never counted with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stamps {
    process: u64,
    unit: u64,
}

impl UnitState {
    pub(super) fn of(shown: &Properties) -> Self {
        let text = |name: &str| shown.get(name).to_owned();
        let number = |name: &str| shown.get(name).parse().unwrap_or_default();
        Self {
            load: text("LoadState"),
            fragment: text("FragmentPath"),
            enablement: text("UnitFileState"),
            active: text("ActiveState"),
            sub: text("SubState"),
            result: text("Result"),
            invocation: text("InvocationID"),
            restarts: number("NRestarts"),
            job: number("Job"),
            // Before the first start the result is "no" as well.
            is_refused: shown.get("ConditionResult") == "no" && number("ConditionTimestampMonotonic") > 0,
            stamps: Stamps {
                process: number("ExecMainStartTimestampMonotonic"),
                unit: number("ActiveEnterTimestampMonotonic"),
            },
            always_restarts: shown.get("Restart") == "always",
            is_oneshot: shown.get("Type") == "oneshot",
            remains: shown.get("RemainAfterExit") == "yes",
        }
    }

    /// Whether it runs, or systemd is about to make it run.
    pub fn is_meant_to_run(&self) -> bool {
        self.is_up() || self.active == "activating"
    }

    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading" | "refreshing")
    }

    /// Whether it is down and systemd has its start in its queue: a job for what is down can be nothing else.
    pub fn is_about_to_start(&self) -> bool {
        self.is_down() && self.job > 0
    }

    /// Whether it is down: a unit that failed on its way down is down.
    pub fn is_down(&self) -> bool {
        matches!(self.active.as_str(), "inactive" | "failed" | "maintenance")
    }

    /// Whether it is down because somebody wants it so.
    pub fn is_unwanted(&self) -> bool {
        self.load == "masked" || self.enablement == "disabled" && self.active == "inactive"
    }

    /// How it stands, for people.
    pub fn describe(&self, unit: &UnitName) -> String {
        let result = match self.result.as_str() {
            "" | "success" => String::new(),
            "start-limit-hit" => ", systemd gave it up after too many starts: start-limit-hit".to_owned(),
            result => format!(", {result}"),
        };
        let refused = if self.is_refused { ", a condition in its unit file is not met" } else { "" };
        let restarts = match self.restarts {
            0 => String::new(),
            restarts => format!(", restarted {restarts} times"),
        };
        let name = unit.with_suffix();
        format!(
            "{name} is {} ({}{result}{refused}{restarts}); see journalctl -u {name}",
            self.active, self.sub
        )
    }
}

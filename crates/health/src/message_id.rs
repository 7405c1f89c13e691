//! Kinds of events. Each has an id of its own in `MESSAGE_ID`, which never changes once it was released, and an
//! entry in `packaging/mastmaintd.catalog`, so that `journalctl -x` says what it means and what to do.

use mastmaint_words::Outcome;

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $id:literal,)*) => {
        /// What kind of event an entry tells of.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum MessageId {
            $($(#[$doc])* $kind,)*
        }

        impl MessageId {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// 128 bits as 32 hex digits.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $id,)*
                }
            }
        }
    };
}

kinds! {
    /// The schedule stands.
    DaemonReady = "232323a654b04be2a3899af41867adc9",
    /// The daemon ends; running steps go on in their rooms.
    DaemonStopping = "8ad3f11d5fc84e8596f881dabdc63185",
    /// A configuration came into force.
    ConfigAccepted = "97df4cebd8dc4d9cb74a13f7259f031a",
    /// A configuration was refused; the one before it stays in force.
    ConfigRefused = "82012788e893446aa345674b6f6226f7",
    /// A run waits for a lock or for its job's earlier run.
    RunQueued = "17db0ccb06a8499092365018d1b637d9",
    /// A run was admitted.
    RunStarted = "fd315f0c956b4528b16bdf2d164c65f3",
    /// A run ended `ok`.
    RunEndedOk = "ad6f15d6d4f448efa5e322dc4354ed31",
    /// A run ended `skipped`.
    RunEndedSkipped = "62a41133681040fdac61ffca5e24406f",
    /// A run ended `partial`.
    RunEndedPartial = "751e3b353e8f4e4082aa62c3e98260d8",
    /// A run ended `cancelled`.
    RunEndedCancelled = "859c9ec0c296448d84063d2f2a348177",
    /// A run ended `interrupted`.
    RunEndedInterrupted = "fd69a23a70294b719d847ef0713f74c5",
    /// A run ended `timed-out`.
    RunEndedTimedOut = "2a6960e024f94d7a85c5bd1516f3c727",
    /// A run ended `failed`.
    RunEndedFailed = "5f7824c406724551abee2c84ff5b7768",
    /// A step was sent to its room.
    StepStarted = "71c9c612481b426687268934b8a93173",
    /// A step is over.
    StepEnded = "fc9e6790ac6f42afb2043f6b635c67e4",
    /// A line of a step's output.
    StepOutput = "029c4c7a62f14bd2ae0b72cca2167bc3",
    /// A step has used most of its time limit.
    StepSlow = "0653fb34e4f94ffeaed36c4da37dcae7",
    /// A step shows no sign of life and will be ended.
    StepQuiet = "b7a4a197c4ea4ab99a8747859b61150a",
    /// A step is being ended from outside.
    StepEnding = "a78b5fb345494fdca0fc691b5c7dfa17",
    /// A step that outlived the daemon was taken up again.
    StepAdopted = "7682d1a7a7d24ce69bf4e704b83ad429",
    /// A slot passed and is not run any more.
    SlotMissed = "39118981a6cc4535ab8d97ac6c99db89",
    /// A slot that passed is run now.
    CatchUp = "96c8472542da4321908a0b06fece12e3",
    /// A run has stopped services and owes their start.
    BracketOpened = "d82ecbfb7f4a4190a76f75b741f5772e",
    /// What a run had stopped is up again.
    BracketClosed = "7b1810b06d3847349a4b3a3e34c8a3c9",
    /// What a run had stopped did not come back.
    BracketNotConfirmed = "6a7660fd282b444db53b6f3676580e4b",
    /// What a run had stopped was started again without it.
    BracketRecovered = "f7ecfe86b56d454a885eeb0ef8fcfa6c",
    /// A run is tried again later.
    RetryPlanned = "ca375788373c4e3fb87685eeae55abd2",
    /// A room could not be opened.
    RoomUnavailable = "348131a801b244b38731d03ca5ee7a40",
    /// Runs cannot be recorded.
    LedgerNotRecording = "a27b9a532aa642cc9a48314cd6891eda",
    /// Runs are recorded again.
    LedgerRecordingAgain = "3fb0c09c476d4bb7ad8e98bf91b43384",
    /// A damaged ledger was set aside and a new one begun.
    LedgerSetAside = "ae2f222115da409893a2743dd87c96d6",
    /// Log entries were dropped because the journal did not take them.
    JournalLost = "2b8755ffea3c492291d6d45643e79354",
    /// A person paused a job.
    JobPaused = "8c313c248d0a4be3b24b879b707a7e34",
    /// A person resumed a job.
    JobResumed = "5c8a147cfc9c40ffacdff28f085f4df2",
    /// A hold was set, or began.
    HoldOn = "5c5005a69ad649efb4262bd86858754c",
    /// A hold is over or was removed.
    HoldOver = "46c2221f45b54b5f8bf6d9c9d9931cdc",
    /// The clock was set or the host slept.
    ClockStepped = "b67db48bf94d47c9b63c49609e1e28b5",
    /// Somebody cannot be told of what happened.
    NotNotified = "e97c2c1bb3884fe997223b74344e1643",
    /// Somebody can be told again.
    NotifiedAgain = "29a9dc0f735842bdb629a57dc611b5ac",
    /// A person knows of what is wrong with a job.
    Acknowledged = "fe95e3ebaf014790a383fcebf51b0d9c",
    /// A probe says no.
    IncidentOpened = "d657520852c242b1b3d024b390326b15",
    /// A probe says yes again.
    IncidentClosed = "f528ac53707c4b90afbeaed3bf1797ef",
    /// A probe cannot be asked.
    ProbeBlind = "2a1367b413144d2b9059b0d3312f5274",
    /// A probe can be asked again.
    ProbeSees = "a778ac5b63604020aa5949a5689fba98",
}

impl MessageId {
    /// The kind of a run's end.
    pub const fn run_ended(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Ok => Self::RunEndedOk,
            Outcome::Skipped => Self::RunEndedSkipped,
            Outcome::Partial => Self::RunEndedPartial,
            Outcome::Cancelled => Self::RunEndedCancelled,
            Outcome::Interrupted => Self::RunEndedInterrupted,
            Outcome::TimedOut => Self::RunEndedTimedOut,
            Outcome::Failed => Self::RunEndedFailed,
        }
    }
}

#[cfg(test)]
#[path = "message_id_tests.rs"]
mod tests;

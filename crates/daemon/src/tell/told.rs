//! Everything worth telling, as data.

use super::{HoldNews, ProbeNews};
use crate::recorder::LedgerNews;
use jiff::Timestamp;
use mastmaint_ledger::StepEnd;
use mastmaint_runner::protocol::{EndingCause, LineClass};
use mastmaint_words::{Digest, JobName, RunId, Span, StepIndex, Verdict, backup::FindingId};

/// Something worth telling.
#[derive(Debug)]
pub enum Told {
    /// The schedule stands.
    Ready {
        /// How many jobs there are.
        jobs: usize,
        /// How many runs an earlier daemon left.
        adopted: usize,
        /// What is odd about the configuration.
        warnings: Vec<String>,
    },
    /// The daemon ends.
    Stopping,
    /// The daemon does not start.
    CannotStart {
        /// Why and what to do.
        why: String,
        /// Whether the configuration is to blame.
        config: bool,
    },
    /// A configuration came into force.
    ConfigAccepted {
        /// Its digest.
        digest: Digest,
        /// What is odd about it.
        warnings: Vec<String>,
        /// What it changes.
        changes: String,
    },
    /// A configuration was refused.
    ConfigRefused {
        /// Rendered for people.
        mistakes: Vec<String>,
    },
    /// The wall clock was set or the host slept.
    ClockStepped,
    /// Something about the ledger.
    Ledger(LedgerNews),
    /// Rows of the ledger that this version cannot read are passed over.
    UnreadableRows {
        /// How many.
        rows: usize,
    },
    /// The daemon ends and the ledger cannot be written: what is owed to it is lost.
    LostAtTheEnd {
        /// How many entries.
        entries: usize,
    },
    /// Something could not be read or kept.
    NothingKnown {
        /// What was said.
        why: String,
    },
    /// The scheduler does not take a plan.
    SchedulerBroken {
        /// What it said.
        why: String,
    },
    /// Older slots were missed and one run stands for them.
    SlotsCovered {
        /// Whose.
        job: JobName,
        /// How many.
        missed: u32,
    },
    /// Slots passed and are not run any more.
    SlotsMissed {
        /// Whose.
        job: JobName,
        /// How many.
        slots: u32,
        /// The newest of them.
        newest: Timestamp,
        /// Why.
        why: String,
    },
    /// A run of an earlier daemon cannot go on.
    RunGivenUp {
        /// Which.
        run: RunId,
        /// Of which job.
        job: JobName,
        /// Its verdict.
        verdict: Verdict,
    },
    /// A person approved a run that would remove more than its job allows.
    Approved {
        /// Its job.
        job: JobName,
        /// The run that was skipped.
        skipped: RunId,
        /// Who.
        uid: u32,
    },
    /// A person paused a job.
    Paused {
        /// Which.
        job: JobName,
        /// Who.
        uid: u32,
    },
    /// A person resumed a job.
    Resumed {
        /// Which.
        job: JobName,
    },
    /// Something about a hold.
    Hold(HoldNews),
    /// Something about a probe.
    Probe(ProbeNews),
    /// Something about telling people.
    Telling(Telling),
    /// A run was admitted.
    RunStarted,
    /// It waits for another run.
    RunWaits {
        /// For which, and why.
        why: String,
    },
    /// A person cancels the run.
    CancelAsked {
        /// Who.
        uid: u32,
    },
    /// What something else has started under a step of a restore could not be stopped again.
    NotStopped {
        /// The step.
        step: StepIndex,
        /// Why.
        why: String,
    },
    /// Something of the run is not in the ledger.
    NotRecorded {
        /// What.
        what: &'static str,
        /// Why.
        why: String,
    },
    /// A step is sent to its room.
    StepStarted {
        /// Which.
        step: StepIndex,
        /// What it does.
        title: String,
    },
    /// A step that outlived a daemon is followed again.
    StepAdopted {
        /// Which.
        step: StepIndex,
        /// What it does.
        title: String,
    },
    /// The room of a step cannot be reached at the moment.
    RoomLost {
        /// Which step.
        step: StepIndex,
        /// Why.
        why: String,
    },
    /// A line of output.
    Line {
        /// Of which step.
        step: StepIndex,
        /// Whether it went to standard error.
        stderr: bool,
        /// What it is.
        class: LineClass,
        /// The text, redacted.
        text: String,
    },
    /// A step takes long.
    Slow {
        /// Which.
        step: StepIndex,
        /// For how long it runs.
        running: Span,
    },
    /// A step shows no sign of life.
    Quiet {
        /// Which.
        step: StepIndex,
        /// For how long it runs.
        running: Span,
        /// For how long there was no sign.
        silence: Span,
        /// After how long it is ended for that.
        limit: Span,
    },
    /// A step is being ended.
    Ending {
        /// Which.
        step: StepIndex,
        /// Why.
        why: EndingCause,
        /// KILL follows after this.
        grace: Span,
    },
    /// A step is over.
    StepEnded {
        /// Which.
        step: StepIndex,
        /// What it did.
        title: String,
        /// How.
        end: Box<StepEnd>,
    },
    /// The run has stopped services.
    BracketOpened {
        /// Its step.
        step: StepIndex,
        /// What was stopped.
        units: String,
    },
    /// What the run had stopped is up again.
    BracketClosed {
        /// Its step.
        step: StepIndex,
        /// In a sentence.
        how: String,
    },
    /// What the run had stopped did not come back.
    BracketNotConfirmed {
        /// Its step.
        step: StepIndex,
        /// What is wrong.
        why: String,
    },
    /// The run is tried again.
    RetryPlanned {
        /// When.
        at: Timestamp,
        /// Which try it will be: 1 for the first retry.
        attempt: u32,
        /// How many there are at most.
        of: u32,
    },
    /// The run is not tried again although it could be: its window would be closed by then.
    RetryOutsideWindow,
    /// A planned retry is given up.
    RetryDropped {
        /// Of which job.
        job: JobName,
    },
    /// A room keeps a step of a run that the ledger does not know.
    LeftBehind {
        /// Of which job.
        job: JobName,
        /// Whether it is still going on.
        working: bool,
        /// Why it is not followed, if it cannot be.
        lost: Option<String>,
    },
    /// The run is over.
    RunEnded {
        /// How.
        verdict: Verdict,
        /// When it was admitted.
        started: Option<Timestamp>,
        /// When it was over.
        ended: Timestamp,
    },
}

/// Something about telling people that the journal should say.
#[derive(Debug)]
pub enum Telling {
    /// A target of `notify:` does not take its messages.
    NotTold {
        /// Which.
        target: String,
        /// Why.
        why: String,
    },
    /// It takes them again.
    ToldAgain {
        /// Which.
        target: String,
    },
    /// A message is given up.
    MessageGivenUp {
        /// Whose.
        target: String,
        /// What it was about.
        subject: String,
    },
    /// A person knows of a finding.
    FindingAcknowledged {
        /// Which.
        finding: FindingId,
        /// Until when.
        until: Option<Timestamp>,
        /// Who.
        uid: u32,
    },
    /// A message has no target any more.
    TargetGone {
        /// Whose it was, if that is known: an edit while no daemon was there leaves nothing of it.
        target: Option<String>,
        /// What it was about.
        subject: String,
    },
    /// A person knows of what is wrong with a job.
    Acknowledged {
        /// Which.
        job: JobName,
        /// Until when.
        until: Option<Timestamp>,
        /// Who.
        uid: u32,
    },
}

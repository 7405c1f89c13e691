//! The ends of a bracket as steps of the systemctl room, and what else is asked about brackets.

use super::{Options, connection::refused, plan::Named};
use crate::{
    bracket::{self, Asker, Brackets, Closing, Down, Here, Opening, Pace, Phase, ProbeRoom, Record, Scene},
    exec::Sink,
    probe::Prober,
    protocol::{BracketLine, EventKind, LineClass, Stream},
    systemctl::Systemctl,
};
use jiff::Timestamp;
use mastmaint_config::settings::{Instance, ServicesAction, Step};
use mastmaint_failpoints::failpoint;
use mastmaint_words::{Grade, Outcome, Reason, Room, RunId, UnitName, Verdict};
use std::{path::PathBuf, time::Duration};

/// Somebody else may be starting services, with all the patience that takes.
const WAIT_FOR_OTHERS: Duration = Duration::from_mins(15);
/// A daemon that resumes a run waits no longer for the lock.
const RESUME: Duration = Duration::from_secs(20);

/// What counts of the job whose bracket it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfJob {
    /// It may have to leave stopped what it stops: only it knows what may be started.
    pub(super) must_match: bool,
    /// It brings back files or a database.
    pub(super) restores: bool,
}

/// An end of a bracket, ready to be done.
pub(super) struct End {
    action: ServicesAction,
    opening: Opening,
    /// All of the instance's, where a restore should not end without them.
    rest: Option<Vec<UnitName>>,
    options: Options,
}

impl End {
    pub(super) fn new(
        options: &Options,
        named: &Named,
        step: &Step,
        action: &ServicesAction,
        instance: &Instance,
        of: OfJob,
    ) -> Self {
        let (units, mends) = match action {
            ServicesAction::Stop { units, mends } => (units.clone(), *mends),
            ServicesAction::Start | ServicesAction::KeepDown => (Vec::new(), false),
        };
        let opening = Opening {
            run: named.key.run.clone(),
            job: named.job.clone(),
            digest: named.digest.clone(),
            units,
            must_match: of.must_match,
            mends,
            settle: instance.settle,
            timeout: step.timeout.get(),
        };
        let rest = of.restores.then(|| instance.services.clone());
        Self { action: action.clone(), opening, rest, options: options.clone() }
    }

    /// Whether it may be done again by another runner if the one before died of it, and without a durable record of
    /// the step: a start is owed in any case.
    pub(super) const fn is_owed(&self) -> bool {
        matches!(self.action, ServicesAction::Start | ServicesAction::KeepDown)
    }

    /// Does it.
    pub(super) fn act(&self, sink: &mut dyn Sink, stopping: &dyn Fn() -> bool) -> Verdict {
        let systemctl = Systemctl::new(self.options.walled);
        let mut tell = |text: String| {
            let class = LineClass::Output;
            sink.event(EventKind::Line { at: Timestamp::now(), stream: Stream::Stdout, class, text });
        };
        let mut scene =
            Scene { state: &self.options.state, systemctl: &systemctl, tell: &mut tell, stopping };
        match self.action {
            ServicesAction::Stop { .. } => bracket::open(&self.opening, &mut scene),
            ServicesAction::Start => match start(&self.options, &self.opening.run, &mut scene) {
                Ok(Some(verdict)) => self.with_the_rest(verdict, &systemctl),
                Ok(None) => nothing_stopped(),
                Err(reason) => Verdict::because(Outcome::Failed, Grade::Read, reason),
            },
            ServicesAction::KeepDown => keep_down(&self.options, &self.opening.run),
        }
    }

    /// After a restore it counts, too, what was down before it: nobody else asks.
    fn with_the_rest(&self, verdict: Verdict, systemctl: &Systemctl) -> Verdict {
        let Some(services) = &self.rest else { return verdict };
        match Down::look(systemctl, services) {
            Ok(down) => bracket::with_the_rest(verdict, &down),
            // What was started was seen up a moment ago; that counts for more than a systemd that is silent now.
            Err(_) => verdict,
        }
    }
}

/// Starts what the run has stopped; `None` if it has not come to stopping anything.
fn start(options: &Options, run: &RunId, scene: &mut Scene<'_>) -> Result<Option<Verdict>, Reason> {
    let unusable = |error: std::io::Error| {
        let text =
            format!("the record of the stop cannot be used: {error}; mastmaintd-recover goes on trying");
        Reason::new("no-record", text)
    };
    let brackets = Brackets::lock(&options.state, WAIT_FOR_OTHERS).map_err(unusable)?.ok_or_else(|| {
        Reason::new(
            "bracket-busy",
            "another start of services goes on for too long; mastmaintd-recover goes on trying",
        )
    })?;
    let Some(mut record) = brackets.of_run(run).map_err(unusable)? else {
        return Ok(closed_before(brackets.closed(run)));
    };
    if let Phase::Closed { .. } = record.phase {
        let _ = brackets.put_away(&record);
        return Ok(closed_before(Some(record)));
    }
    let mut asker = asker(options);
    failpoint!("start.begun");
    let closing = bracket::close(&mut record, &brackets, "the run", Pace::OF_A_RUN, asker.as_mut(), scene);
    Ok(Some(of_closing(closing, scene)))
}

fn of_closing(closing: Closing, scene: &mut Scene<'_>) -> Verdict {
    match closing {
        Closing::Closed { how, seen } => {
            (scene.tell)(how.clone());
            bracket::of_closed(&seen, &how)
        }
        Closing::NotConfirmed { why } => {
            let reason = Reason::new(bracket::NOT_CONFIRMED, format!("Mastodon is not back: {why}"));
            let mut verdict = Verdict::because(Outcome::Failed, Grade::Read, reason);
            let goes_on = "mastmaintd-recover goes on trying until it is, or somebody takes over";
            verdict.reasons.push(Reason::new("recovers", goes_on));
            verdict
        }
        Closing::Stopped => Verdict::because(
            Outcome::Interrupted,
            Grade::Read,
            Reason::new(
                "room-stopped",
                "the room was stopped while services were being started; mastmaintd-recover goes on",
            ),
        ),
    }
}

/// Leaves stopped what the run has stopped, also to `mastmaintd-recover`.
fn keep_down(options: &Options, run: &RunId) -> Verdict {
    let failed =
        |code: &str, text: String| Verdict::because(Outcome::Failed, Grade::Read, Reason::new(code, text));
    let not_kept = |why: String| {
        failed(
            "no-record",
            format!("that the services stay down cannot be written down, so they may be started: {why}"),
        )
    };
    let brackets = match Brackets::lock(&options.state, WAIT_FOR_OTHERS) {
        Ok(Some(brackets)) => brackets,
        Ok(None) => return not_kept("services are just being started".to_owned()),
        Err(error) => return not_kept(error.to_string()),
    };
    let mut record = match brackets.of_run(run) {
        Ok(Some(record)) => record,
        Ok(None) => return closed_before(brackets.closed(run)).unwrap_or_else(nothing_stopped),
        Err(error) => return not_kept(error.to_string()),
    };
    let units = record.all_units();
    let units: Vec<&str> = units.iter().map(UnitName::as_str).collect();
    let why = format!(
        "code, database and secrets do not belong together, or nobody knows that they do; see \"mastmaintctl show {run}\", \
         make them whole, then type \"systemctl start {}\"",
        units.join(" ")
    );
    record.phase = Phase::KeptDown { why: why.clone() };
    match brackets.write(&record) {
        Ok(()) => failed("kept-down", format!("Mastodon stays down: {why}")),
        Err(error) => not_kept(error.to_string()),
    }
}

/// How a start ended that somebody else has done already; `None` if there was none to be done.
fn closed_before(closed: Option<Record>) -> Option<Verdict> {
    let phase = closed?.phase;
    Some(if let Phase::Closed { how, seen, .. } = phase {
        bracket::of_closed(&seen, &how)
    } else {
        let text = "the services were started again; how that went could not be written down";
        Verdict::because(Outcome::Ok, Grade::Exit, Reason::new("closed", text))
    })
}

fn nothing_stopped() -> Verdict {
    let reason = Reason::new(bracket::NOTHING_STOPPED, "nothing was stopped by this run");
    Verdict::because(Outcome::Skipped, Grade::Read, reason)
}

fn asker(options: &Options) -> Box<dyn Asker> {
    if options.walled {
        Box::new(ProbeRoom::new(&options.rooms))
    } else {
        let accepted: PathBuf = options.accepted.clone();
        Box::new(Here(Prober { accepted, systemctl: Systemctl::new(false) }))
    }
}

/// Lets a daemon go on with a run whose services are still stopped, and keeps others from starting them meanwhile.
pub(super) fn resume(options: &Options, run: &RunId) -> EventKind {
    if options.room != Room::Systemctl {
        return wrong_room(options);
    }
    let brackets = match Brackets::lock(&options.state, RESUME) {
        Ok(Some(brackets)) => brackets,
        Ok(None) => return refused("busy", "services are just being started".to_owned()),
        Err(error) => return refused("no-state", error.to_string()),
    };
    let systemctl = Systemctl::new(options.walled);
    match brackets.of_run(run) {
        // What mastmaintd-recover keeps down because this daemon was gone is what it goes on with.
        Ok(Some(mut record))
            if matches!(record.phase, Phase::Stopped | Phase::KeptDown { .. })
                && record.boot == systemctl.boot() =>
        {
            if let Some(came_up) = came_up(&record, &systemctl) {
                return refused("bracket-closed", came_up);
            }
            record.phase = Phase::Stopped;
            record.resumed = Some(Timestamp::now());
            failpoint!("resume.before-note");
            // On a full disk mastmaintd-recover goes by what it knew before; should it start services, the next step's
            // question finds them up.
            let _ = brackets.write(&record);
            failpoint!("resume.noted");
            EventKind::Resumed
        }
        Ok(_) => refused(
            "bracket-closed",
            "the services were started again while no daemon went on with the run (a restart of the host, or \
             mastmaintd-recover)"
                .to_owned(),
        ),
        Err(error) => refused("no-state", error.to_string()),
    }
}

/// What keeps steps from relying on the stop although the bracket is open.
fn came_up(record: &Record, systemctl: &Systemctl) -> Option<String> {
    let units: Vec<UnitName> = record.services.iter().map(|service| service.unit.clone()).collect();
    match systemctl.look(&units) {
        Ok(states) => {
            let names: Vec<String> = record.came_up(&states).iter().map(ToString::to_string).collect();
            (!names.is_empty()).then(|| format!("somebody has started {} meanwhile", names.join(", ")))
        }
        Err(error) => Some(format!("whether the services are stopped is not known: {error}")),
    }
}

/// Every open bracket.
pub(super) fn list(options: &Options) -> Vec<EventKind> {
    if options.room != Room::Systemctl {
        return vec![wrong_room(options)];
    }
    let (records, _) = Brackets::list(&options.state);
    records.into_iter().map(|record| EventKind::Bracket(line(record))).collect()
}

fn line(record: Record) -> BracketLine {
    let units = record.all_units();
    let not_confirmed = match record.phase {
        Phase::NotConfirmed { why } | Phase::KeptDown { why } => Some(why),
        Phase::Stopping | Phase::Stopped | Phase::Starting | Phase::Closed { .. } => None,
    };
    BracketLine { run: record.run, job: record.job, opened: record.opened, units, not_confirmed }
}

fn wrong_room(options: &Options) -> EventKind {
    refused("wrong-room", format!("the {} room keeps no brackets; ask the systemctl room", options.room))
}

//! Whether units that a step starts stay up. `systemctl restart` says 0 of a service that dies a second later,
//! and between two of systemd's own restarts it looks active: only its stamps and counts tell.

use super::Systemctl;
use crate::bracket::{Standing, Watch};
use mastmaint_config::settings::{SystemctlAction, SystemctlVerb};
use mastmaint_words::{Grade, Numbers, Outcome, Reason, Span, UnitName, Verdict};
use std::time::{Duration, Instant};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// How long beyond the settling a unit may take until it is up.
const BEYOND: Duration = Duration::from_secs(30);
/// Beginning to count anew takes systemd no time.
const PATIENCE: Duration = Duration::from_secs(30);

/// Units that have been started and must stay up for a while.
#[derive(Debug, Clone)]
pub(crate) struct StayUp {
    systemctl: Systemctl,
    units: Vec<UnitName>,
    settle: Duration,
}

impl StayUp {
    /// What must stay up after a step; nothing after a verb that starts nothing.
    pub(crate) fn after(action: &SystemctlAction, systemctl: &Systemctl, settle: Span) -> Option<Self> {
        matches!(action.verb, SystemctlVerb::Start | SystemctlVerb::Restart).then(|| Self {
            systemctl: systemctl.clone(),
            units: action.units.clone(),
            settle: settle.get(),
        })
    }

    /// Before they are started: systemd refuses a unit that was started too often in a short time (`StartLimitBurst=`).
    /// That is meant for what dies over and over by itself; a start that was asked for is not refused for those before.
    pub(crate) fn count_anew(&self) {
        // What cannot be forgotten is tried all the same.
        let _ = self.systemctl.act(SystemctlVerb::ResetFailed, &self.units, PATIENCE);
    }

    /// Watches them. `wait` passes some time and says by what the step is ended meanwhile, if it is.
    pub(crate) fn watch<E>(&self, wait: &mut dyn FnMut(Duration) -> Option<E>) -> Result<Verdict, E> {
        let begin = Instant::now();
        let mut watches: Vec<Watch> = self.units.iter().map(|_| Watch::after("")).collect();
        loop {
            let states = match self.systemctl.look(&self.units) {
                Ok(states) => states,
                Err(error) => {
                    return Ok(failed(
                        "state-unknown",
                        format!("whether the units stay up is not known: {error}"),
                    ));
                }
            };
            let now = Instant::now();
            let standings = watches.iter_mut().zip(&states).map(|(watch, s)| watch.see(now, s, self.settle));
            let standings: Vec<Standing> = standings.collect();
            if standings.iter().all(|standing| *standing == Standing::Settled) {
                return Ok(Verdict {
                    outcome: Outcome::Ok,
                    grade: Grade::Read,
                    reasons: Vec::new(),
                    numbers: Numbers::default(),
                });
            }
            let is_late = begin.elapsed() > 2 * self.settle + BEYOND;
            let fallen = standings.iter().position(|standing| {
                *standing == Standing::Hopeless || is_late && *standing != Standing::Settled
            });
            if let Some(at) = fallen {
                let (unit, falls) = (&self.units[at], watches[at].falls());
                let (name, how) = (unit.with_suffix(), states[at].describe(unit));
                return Ok(failed(
                    "not-stable",
                    format!(
                        "{name} does not stay up: down {falls} times since it was started, and now {how}"
                    ),
                ));
            }
            if let Some(ended) = wait(LOOK) {
                return Err(ended);
            }
        }
    }
}

fn failed(code: &str, text: String) -> Verdict {
    Verdict::because(Outcome::Failed, Grade::Read, Reason::new(code, text))
}

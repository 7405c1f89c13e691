//! What the systemctl room does, and all that it can do: one program, seven verbs, and only units that the instance
//! names. The units are checked here again, whatever the accepted configuration says, and the verdict comes from
//! their states afterwards.

mod process;
mod query;
mod state;
mod stay;
mod units;

pub use process::UnitProcess;
pub use state::{Stamps, UnitState};
pub(crate) use stay::StayUp;
pub use units::{Claim, claim, template_of};

use crate::exec::{Ended, StepCommand};
use crate::output::Patterns;
use crate::verdict::Judge;
use mastmaint_config::settings::{SystemctlAction, SystemctlVerb};
use mastmaint_words::{Grade, Outcome, Reason, UnitName, Verdict};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// systemctl as this room calls it.
#[derive(Debug, Clone)]
pub struct Systemctl {
    program: PathBuf,
    walled: bool,
    environment: BTreeMap<String, String>,
}

/// Why a step's units are not acted on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotPermitted {
    /// No unit at all: systemctl would take this for all of them.
    #[error("the step names no unit")]
    NoUnit,
    /// `instance.services` does not name it.
    #[error(
        "{unit} is not among instance.services ({named}); add it there and reload mastmaintd if it belongs to Mastodon"
    )]
    NotNamed {
        /// What was asked for.
        unit: String,
        /// What is named.
        named: String,
    },
    /// An instance of a named template that systemd has not loaded from a trustworthy file.
    #[error("{unit} is an instance of a template in instance.services, but {why}; it is left alone")]
    NotTrusted {
        /// What was asked for.
        unit: String,
        /// What is wrong with it.
        why: String,
    },
}

/// Whether the verb changes nothing.
pub const fn only_looks(verb: SystemctlVerb) -> bool {
    matches!(verb, SystemctlVerb::Status | SystemctlVerb::Show)
}

impl Systemctl {
    /// Behind walls the host's own systemctl and nothing else; without, the one in the invoker's `PATH`.
    pub fn new(walled: bool) -> Self {
        let path = if walled { None } else { std::env::var("PATH").ok() };
        let program = if path.is_some() { "systemctl" } else { "/usr/bin/systemctl" };
        let path = path.as_deref().unwrap_or("/usr/bin:/bin");
        let fixed = [("PATH", path), ("LANG", "C.UTF-8"), ("SYSTEMD_COLORS", "0"), ("SYSTEMD_PAGER", "")];
        let environment = fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Self { program: program.into(), walled, environment }
    }

    /// Whether it is the host's own, behind walls.
    pub const fn is_walled(&self) -> bool {
        self.walled
    }

    /// Checks every unit against the instance's.
    ///
    /// # Errors
    /// For the first unit that must not be acted on.
    pub fn permit(&self, action: &SystemctlAction, services: &[UnitName]) -> Result<(), NotPermitted> {
        if action.units.is_empty() {
            return Err(NotPermitted::NoUnit);
        }
        for unit in &action.units {
            match claim(unit, services) {
                Claim::Named => {}
                Claim::InstanceOf(_) => {
                    let name = unit.with_suffix();
                    units::trustworthy(
                        &self.show(&["LoadState", "FragmentPath"], std::slice::from_ref(unit)),
                    )
                    .map_err(|why| NotPermitted::NotTrusted { unit: name, why })?;
                }
                Claim::Foreign => {
                    let named: Vec<_> = services.iter().map(UnitName::as_str).collect();
                    return Err(NotPermitted::NotNamed { unit: unit.with_suffix(), named: named.join(", ") });
                }
            }
        }
        Ok(())
    }

    /// The process of a step.
    pub fn command(&self, action: &SystemctlAction) -> StepCommand {
        let units = action.units.iter().map(UnitName::with_suffix);
        let fixed = ["--no-pager", "--no-ask-password", action.verb.as_str(), "--"];
        StepCommand {
            program: self.program.clone(),
            args: fixed.into_iter().map(str::to_owned).chain(units).collect(),
            environment: self.environment.clone(),
            directory: PathBuf::from("/"),
            patterns: Patterns::default(),
        }
    }

    /// What became of it: the units' states count, not only systemctl's exit status.
    pub fn judge(&self, action: &SystemctlAction, ended: &Ended) -> Verdict {
        let verdict = Judge::of_any().judge(ended);
        let Some(wanted) = Wanted::after(action.verb) else { return verdict };
        if ended.cut_short.is_some() {
            return verdict;
        }
        judge_states(verdict, wanted, action, self.look(&action.units))
    }

    /// How units stand, in their order.
    ///
    /// # Errors
    /// If systemd does not tell.
    pub fn look(&self, units: &[UnitName]) -> Result<Vec<UnitState>, String> {
        if units.is_empty() {
            return Ok(Vec::new());
        }
        let shown = self.show(state::PROPERTIES, units)?;
        Ok(shown.iter().map(UnitState::of).collect())
    }

    /// The instances of templates (`NAME@.service`) that systemd has loaded, in no order.
    ///
    /// # Errors
    /// If systemd does not tell.
    pub fn instances_of(&self, templates: &[String]) -> Result<Vec<UnitName>, String> {
        // Without a pattern systemctl lists everything.
        if templates.is_empty() {
            return Ok(Vec::new());
        }
        let patterns = templates.iter().map(|template| template.replacen("@.", "@*.", 1));
        let fixed =
            ["--no-pager", "--no-ask-password", "list-units", "--all", "--plain", "--no-legend", "--"];
        let args: Vec<String> = fixed.into_iter().map(str::to_owned).chain(patterns).collect();
        let listed = query::output(&self.program, &args, &self.environment, query::PATIENCE)?;
        let names = listed.lines().filter_map(|line| line.split_whitespace().next());
        Ok(names.filter_map(|name| name.parse().ok()).collect())
    }

    /// The environment that a unit gives to its process, and whether it is a shim.
    ///
    /// # Errors
    /// If systemd does not tell.
    pub fn environment(&self, unit: &UnitName) -> Result<UnitProcess, String> {
        let shown = self.show(&["Type", "Environment", "EnvironmentFiles"], std::slice::from_ref(unit))?;
        Ok(shown.first().map(UnitProcess::of).unwrap_or_default())
    }

    /// The processes that a unit has: its main one and whatever else is in its control group.
    ///
    /// # Errors
    /// If systemd does not tell.
    pub fn pids(&self, unit: &UnitName) -> Result<BTreeSet<u32>, String> {
        let shown = self.show(&["MainPID", "ControlGroup"], std::slice::from_ref(unit))?;
        Ok(shown.first().map(process::pids).unwrap_or_default())
    }

    /// What tells this boot of the host from others: the moment at which systemd began, to the microsecond. Empty if
    /// systemd does not say. (The kernel's id of the boot is not to be seen from a room.)
    pub fn boot(&self) -> String {
        let args = ["--no-pager", "--no-ask-password", "show", "-p", "UserspaceTimestampMonotonic"]
            .map(str::to_owned);
        let shown = query::output(&self.program, &args, &self.environment, query::PATIENCE);
        shown.map(|text| text.trim().to_owned()).unwrap_or_default()
    }

    /// Does something to units and waits until systemd has done it.
    ///
    /// # Errors
    /// With what systemctl said of it.
    pub fn act(&self, verb: SystemctlVerb, units: &[UnitName], patience: Duration) -> Result<(), String> {
        let names = units.iter().map(UnitName::with_suffix);
        let fixed = ["--no-pager", "--no-ask-password", verb.as_str(), "--"].map(str::to_owned);
        let args: Vec<String> = fixed.into_iter().chain(names).collect();
        query::output(&self.program, &args, &self.environment, patience).map(drop)
    }

    /// Whether an instance of a template may be acted on: it is loaded from a file that only root can write.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn trusts(state: &UnitState) -> Result<(), String> {
        units::trustworthy_file(&state.load, &state.fragment)
    }

    fn show(&self, properties: &[&str], units: &[UnitName]) -> Result<Vec<query::Properties>, String> {
        let list = properties.join(",");
        let names = units.iter().map(UnitName::with_suffix);
        let fixed = ["--no-pager", "--no-ask-password", "show", "-p", &list, "--"].map(str::to_owned);
        let args: Vec<String> = fixed.into_iter().chain(names).collect();
        let shown = query::show(&self.program, &args, &self.environment)?;
        if shown.len() == units.len() {
            Ok(shown)
        } else {
            Err(format!("systemctl showed {} units of {}", shown.len(), units.len()))
        }
    }
}

/// In which state a verb must leave its units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Active,
    Stopped,
}

impl Wanted {
    const fn after(verb: SystemctlVerb) -> Option<Self> {
        match verb {
            SystemctlVerb::Start | SystemctlVerb::Restart | SystemctlVerb::Status => Some(Self::Active),
            SystemctlVerb::Stop => Some(Self::Stopped),
            SystemctlVerb::Reload | SystemctlVerb::Show | SystemctlVerb::ResetFailed => None,
        }
    }

    fn is_met_by(self, state: &UnitState) -> bool {
        match self {
            Self::Active => state.is_up(),
            Self::Stopped => state.is_down(),
        }
    }
}

fn judge_states(
    verdict: Verdict,
    wanted: Wanted,
    action: &SystemctlAction,
    states: Result<Vec<UnitState>, String>,
) -> Verdict {
    let states = match states {
        Ok(states) => states,
        Err(error) => {
            let text = format!("the units' states after {} are not known: {error}", action.verb.as_str());
            // What systemctl said of the verb itself comes first, if it said something.
            let mut reasons = verdict.reasons.clone();
            reasons.push(Reason::new("state-unknown", text));
            return with_reasons(Verdict { reasons: Vec::new(), ..verdict }, reasons);
        }
    };
    let code = if wanted == Wanted::Active { "not-active" } else { "not-stopped" };
    let wrong: Vec<Reason> = action
        .units
        .iter()
        .zip(&states)
        .filter(|(_, state)| !wanted.is_met_by(state))
        .map(|(unit, state)| Reason::new(code, state.describe(unit)))
        .collect();
    if wrong.is_empty() {
        // The states were read; whether what is active also works is not known.
        let grade = if verdict.outcome == Outcome::Ok { Grade::Read } else { verdict.grade };
        Verdict { grade, ..verdict }
    } else {
        with_reasons(verdict, wrong)
    }
}

fn with_reasons(verdict: Verdict, mut reasons: Vec<Reason>) -> Verdict {
    reasons.extend(verdict.reasons);
    Verdict { outcome: Outcome::Failed, grade: Grade::Read, reasons, numbers: verdict.numbers }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_words::Numbers;

    fn action(verb: SystemctlVerb, units: &[&str]) -> SystemctlAction {
        SystemctlAction { verb, units: units.iter().map(|unit| unit.parse().unwrap()).collect() }
    }

    fn fine() -> Verdict {
        Verdict { outcome: Outcome::Ok, grade: Grade::Exit, reasons: vec![], numbers: Numbers::default() }
    }

    fn after(verb: SystemctlVerb, state: &str) -> Verdict {
        let shown =
            query::parse(&format!("ActiveState={state}\nSubState=x\nResult=exit-code\nNRestarts=5\n"));
        let states = shown.iter().map(UnitState::of).collect();
        judge_states(fine(), Wanted::after(verb).unwrap(), &action(verb, &["mastodon-web"]), Ok(states))
    }

    #[test]
    fn states_decide_and_not_the_exit_status() {
        use SystemctlVerb::{Restart, Start, Stop};
        for (verb, state, outcome) in [
            (Stop, "inactive", Outcome::Ok),
            (Stop, "failed", Outcome::Ok),
            (Stop, "active", Outcome::Failed),
            (Stop, "deactivating", Outcome::Failed),
            (Start, "active", Outcome::Ok),
            (Start, "failed", Outcome::Failed),
            (Restart, "activating", Outcome::Failed),
        ] {
            assert_eq!(after(verb, state).outcome, outcome, "{verb:?} {state}");
        }
        let text = after(Start, "failed").reasons[0].text.clone();
        assert_eq!(
            text,
            "mastodon-web.service is failed (x, exit-code, restarted 5 times); \
             see journalctl -u mastodon-web.service"
        );
    }

    #[test]
    fn an_unknown_state_is_no_success() {
        let verdict = judge_states(
            fine(),
            Wanted::Active,
            &action(SystemctlVerb::Start, &["mastodon-web"]),
            Err("no answer".into()),
        );
        assert_eq!((verdict.outcome, verdict.reasons[0].code.as_str()), (Outcome::Failed, "state-unknown"));
    }

    #[test]
    fn no_unit_is_not_every_unit() {
        let refused = Systemctl::new(true).permit(&action(SystemctlVerb::Stop, &[]), &[]);
        assert_eq!(refused, Err(NotPermitted::NoUnit));
    }

    #[test]
    fn behind_walls_only_the_hosts_systemctl_is_called() {
        let command = Systemctl::new(true).command(&action(SystemctlVerb::Stop, &["mastodon-web"]));
        assert_eq!(command.program, PathBuf::from("/usr/bin/systemctl"));
        assert_eq!(command.args, ["--no-pager", "--no-ask-password", "stop", "--", "mastodon-web.service"]);
        assert_eq!(command.environment["PATH"], "/usr/bin:/bin");
    }
}

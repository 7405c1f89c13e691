//! Bringing the newest dump to life when that is due, and what is remembered of it.

use super::{
    Night,
    dumps::Dump,
    handed::{Beside, hand_over},
};
use crate::{
    backup::{Drill, DrillPlan},
    drill::Drilled,
    error::VerifyError,
    finding::{Code, Finding},
    prove::grouped,
    whole,
    wire::Wait,
};
use jiff::Timestamp;
use mastmaint_words::human;
use serde::{Deserialize, Serialize};
use std::{fs, io, path::Path, time::Duration};

/// What tonight's verification says of drills.
pub(super) struct Tonight {
    pub(super) said: String,
    pub(super) findings: Vec<Finding>,
    pub(super) last: Option<Drill>,
}

/// What is remembered from night to night.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    /// The last drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Drill>,
    /// The last good one: the measure of the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    good: Option<Drill>,
}

/// Brings a dump to life if it is whole and a drill is due.
pub(super) fn tonight(
    night: &Night<'_>,
    plan: &DrillPlan,
    dump: &Dump<'_>,
    beside: Beside<'_>,
    is_whole: bool,
) -> Result<Tonight, VerifyError> {
    let request = night.request;
    let path = request.proofs.join(request.name).join("drills.json");
    let mut memory = Memory::read(&path);
    let mut tonight = Tonight { said: String::new(), findings: Vec::new(), last: None };
    let is_due = request.full || is_due(plan, memory.last.as_ref(), request.now);
    if let (Some(drills), true, true) = (request.drills, is_whole, is_due) {
        let mut handed = hand_over(plan, dump, beside, memory.good.clone())
            .map_err(VerifyError::backup(&dump.content.name))?;
        tonight.findings.extend(handed.no_boot.take());
        let boots = request.boots.filter(|_| handed.order.boot.is_some());
        let drilled = boots.unwrap_or(drills).ask(&handed.order, &handed.open, Wait::WhileWanted, night.tell);
        match drilled.map_err(VerifyError::from) {
            Ok(Drilled { drill, findings }) => {
                tonight.findings.extend(findings);
                if drill.is_good {
                    memory.good = Some(drill.clone());
                }
                memory.last = Some(drill);
                memory.keep(&path).map_err(VerifyError::store(&path))?;
            }
            Err(VerifyError::Cancelled) => return Err(VerifyError::Cancelled),
            Err(error) => {
                let what = format!("{} was not brought to life: {error}", dump.age.name);
                let advice = "See journalctl -u 'mastmaintd-drill@*' -u 'mastmaintd-boot@*' for what ended it; the next verification tries again.";
                tonight.findings.push(Finding::fail(Code::DrillDied, what, advice));
            }
        }
    }
    tonight.said = sentence(memory.good.as_ref(), request.now);
    tonight.last = memory.last;
    Ok(tonight)
}

/// One that was not good is tried again in the next night.
fn is_due(plan: &DrillPlan, last: Option<&Drill>, now: Timestamp) -> bool {
    let Some(last) = last.filter(|last| last.is_good) else { return true };
    if plan.boot && !last.boot.as_ref().is_some_and(|boot| boot.is_good) {
        return true;
    }
    // A clock that was set back must not put it off for ever.
    Duration::try_from(now.duration_since(last.at)).map_or(true, |age| age >= plan.schedule.age())
}

fn sentence(good: Option<&Drill>, now: Timestamp) -> String {
    let Some(drill) = good else { return "never brought to life by a good drill".to_owned() };
    let counts = drill.counts.unwrap_or_default();
    let said = format!(
        "{} brought to life {}: restored in {}, {}, {}, {}",
        drill.dump,
        human::ago(now, drill.at),
        human::took(drill.times.restore),
        plural(counts.tables, "table"),
        plural(counts.users, "user"),
        plural(counts.local_statuses, "local post")
    );
    match drill.boot.as_ref().and_then(|boot| boot.version.as_ref().map(|version| (version, boot.times))) {
        Some((version, times)) => {
            format!("{said}, Mastodon {version} answered on it {} after its start", human::took(times.start))
        }
        None => said,
    }
}

fn plural(count: u64, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {what}{s}", grouped(count))
}

impl Memory {
    /// One that cannot be read is none: the next drill writes it anew.
    fn read(path: &Path) -> Self {
        fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    fn keep(&self, path: &Path) -> io::Result<()> {
        whole::put(path, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::{Boot, BootTimes, Every, Times};

    fn drill(is_good: bool) -> Drill {
        Drill {
            at: Timestamp::from_second(1_000_000).unwrap(),
            dump: "x.dump".to_owned(),
            is_good,
            server: Some(15),
            bytes: 1,
            times: Times { restore: Duration::from_millis(7100), ..Times::default() },
            counts: None,
            boot: None,
            harmless: Vec::new(),
        }
    }

    fn booted(is_good: bool) -> Drill {
        let times = BootTimes { start: Duration::from_secs(7), ..BootTimes::default() };
        let version = is_good.then(|| "4.6.5".to_owned());
        Drill { boot: Some(Boot { is_good, version, times }), ..drill(true) }
    }

    #[test]
    fn a_drill_is_due_by_its_word_and_after_one_that_was_not_good() {
        let plan = |schedule| DrillPlan {
            schedule,
            assertions: Vec::new(),
            reserve: DrillPlan::RESERVE,
            boot: false,
        };
        let after = |hours: i64| Timestamp::from_second(1_000_000 + hours * 3600).unwrap();
        let due = |schedule, hours| is_due(&plan(schedule), Some(&drill(true)), after(hours));
        assert!(due(Every::Nightly, 0) && due(Every::Nightly, 24));
        assert!(!due(Every::Weekly, 6 * 24) && due(Every::Weekly, 7 * 24 - 1));
        assert!(!due(Every::Monthly, 28 * 24) && due(Every::Monthly, 30 * 24));
        assert!(due(Every::Monthly, -24), "the clock was set back");
        assert!(is_due(&plan(Every::Monthly), Some(&drill(false)), after(1)));
        assert!(is_due(&plan(Every::Monthly), None, after(1)));
        let boot = DrillPlan { boot: true, ..plan(Every::Monthly) };
        assert!(is_due(&boot, Some(&drill(true)), after(1)), "Mastodon was not started yet");
        assert!(is_due(&boot, Some(&booted(false)), after(1)), "it did not come up");
        assert!(!is_due(&boot, Some(&booted(true)), after(1)));
    }

    #[test]
    fn it_is_remembered() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("database/drills.json");
        assert_eq!(Memory::read(&path), Memory::default());
        let memory = Memory { last: Some(drill(false)), good: Some(drill(true)) };
        memory.keep(&path).unwrap();
        assert_eq!(Memory::read(&path), memory);
        fs::write(&path, "rubbish").unwrap();
        assert_eq!(Memory::read(&path), Memory::default());
        let now = Timestamp::from_second(1_000_000 + 3 * 86_400).unwrap();
        let said = sentence(Some(&drill(true)), now);
        assert!(said.starts_with("x.dump brought to life 3 d ago: restored in 7.1 s"), "{said}");
        assert!(!said.contains("Mastodon"), "{said}");
        let said = sentence(Some(&booted(true)), now);
        assert!(said.ends_with("Mastodon 4.6.5 answered on it 7.0 s after its start"), "{said}");
    }
}

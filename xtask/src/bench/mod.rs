//! `cargo xtask bench [NAME…]`: the figures of `docs/performance.md`, measured from outside on the release build.
//! Nothing here fails for being slow: it prints what it measured beside the goal, and a person judges.

mod bed;
mod bracket;
mod flood;
mod guard;
mod idle;
mod judge;
mod lateness;
mod probes;
mod process;
mod ready;
mod rooms;
mod sample;
mod sizes;
mod verify;

use crate::shell::{Result, TaskError, cargo, print, run as run_command, say};
use std::fs;

/// One line of the table.
struct Row {
    what: String,
    goal: &'static str,
    figure: String,
    peers: String,
}

/// Measures one thing.
type Measure = fn() -> Result<Vec<Row>>;

/// What can be measured, by name, in the order of the table. The last takes long and gigabytes: only if it is named.
const ALL: [(&str, Measure); 11] = [
    ("sizes", sizes::measure),
    ("idle", idle::measure),
    ("ready", ready::measure),
    ("lateness", lateness::measure),
    ("rooms", rooms::measure),
    ("bracket", bracket::measure),
    ("guard", guard::measure),
    ("probes", probes::measure),
    ("flood", flood::measure),
    ("judge", judge::measure),
    ("verify", verify::measure),
];
const ONLY_IF_NAMED: &str = "verify";

/// Measures what is named, or everything, and prints one table.
pub(crate) fn run(names: &[String]) -> Result<()> {
    if let Some(unknown) = names.iter().find(|name| ALL.iter().all(|(known, _)| known != name)) {
        let known = ALL.map(|(name, _)| name).join(", ");
        return Err(TaskError::Hopeless(format!("there is no benchmark {unknown}; there are {known}")));
    }
    let packages = [
        "mastmaintd",
        "mastmaintctl",
        "mastmaint-runner",
        "mastmaint-prove",
        "mastmaint-probe",
        "mastmaint-notify",
        "mastmaint-verify",
    ]
    .map(|name| ["--package", name])
    .concat();
    run_command(cargo(["build", "--release", "--locked"].into_iter().chain(packages)))?;
    run_command(cargo(["build", "--release", "--locked", "--package", "xtask", "--example", "bench-child"]))?;
    let mut rows = Vec::new();
    for (name, measure) in ALL {
        let is_named = names.iter().any(|wanted| wanted == name);
        if is_named || (names.is_empty() && name != ONLY_IF_NAMED) {
            say(&format!("measuring {name} (load {})", load()));
            rows.extend(measure()?);
        }
    }
    print("| what | goal | figure | peers |\n|---|---|---|---|");
    for Row { what, goal, figure, peers } in rows {
        print(&format!("| {what} | {goal} | {figure} | {peers} |"));
    }
    Ok(())
}

/// The load of the last minute: figures of a busy machine are to be read as such.
fn load() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

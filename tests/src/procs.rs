//! Processes as `/proc` shows them, and waiting for things to happen.

use nix::unistd::Pid;
use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How long a thing may take that should take no time; the machine may be busy.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// The children of a process that have this name; the kernel cuts names at 15 bytes.
pub fn children(parent: Pid, name: &str) -> Vec<Pid> {
    processes().into_iter().filter(|p| p.name == name && p.parent == parent).map(|p| p.pid).collect()
}

struct Process {
    pid: Pid,
    parent: Pid,
    name: String,
}

/// Every process there is, as `/proc/PID/stat` tells.
fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|e| fs::read_to_string(e.path().join("stat")).ok());
    stats.filter_map(|s| parse_stat(&s)).collect()
}

fn parse_stat(stat: &str) -> Option<Process> {
    let (pid, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let number = |text: &str| text.parse().ok().map(Pid::from_raw);
    Some(Process { pid: number(pid)?, parent: number(rest.split(' ').nth(1)?)?, name: name.to_owned() })
}

/// Whether a process with that id still runs (a zombie does not).
pub fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Waits until something holds, up to [`PATIENCE`]; says whether it did.
pub fn wait_for(held: impl FnMut() -> bool) -> bool {
    wait_up_to(PATIENCE, held)
}

/// Waits until something holds; says whether it did in time.
pub fn wait_up_to(patience: Duration, mut held: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + patience;
    loop {
        if held() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

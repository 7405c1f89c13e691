//! Ends what a killed runner left behind. Under systemd the room's cgroup has done so already; where the runner is a
//! plain child, its step's processes live on and are found by the mark that every process of a step carries in its
//! environment, and by the session of the step's first process.

use crate::step_dir::Child;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

/// Variable in the environment of every process of a step; its value is the step's key.
pub(super) const MARK: &str = "MASTMAINT_STEP";
/// Between TERM and KILL. Short: nobody drains the output of an orphan, and its outcome is settled.
const GRACE: Duration = Duration::from_secs(5);
/// How long it is tried at all: a process in uninterruptible sleep does not go.
const PATIENCE: Duration = Duration::from_secs(15);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    parent: i32,
    session: i32,
    start_ticks: u64,
    zombie: bool,
}

/// Ends every process of the step `key`: TERM, a short grace, KILL. Returns how many there were.
pub(super) fn end(key: &str, child: Option<Child>) -> usize {
    let begin = Instant::now();
    // Remembered: whoever lost both mark and parent is still one of them.
    let mut seen = BTreeMap::new();
    loop {
        let left = of_step(key, child, &seen);
        if left.is_empty() || begin.elapsed() > PATIENCE {
            return seen.len();
        }
        for (pid, start_ticks) in left {
            let late = begin.elapsed() > GRACE;
            if seen.insert(pid, start_ticks).is_none() || late {
                let signal = if late { Signal::SIGKILL } else { Signal::SIGTERM };
                // It may have gone by itself just now.
                let _ = kill(Pid::from_raw(pid), signal);
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// When a process began, for [`Child`].
pub(super) fn start_ticks(pid: i32) -> Option<u64> {
    Some(parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?.start_ticks)
}

/// The living processes of a step with their starts.
fn of_step(key: &str, child: Option<Child>, seen: &BTreeMap<i32, u64>) -> BTreeMap<i32, u64> {
    let mark = format!("{MARK}={key}");
    let mut processes = BTreeMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).ok().and_then(|stat| parse_stat(&stat));
        if let Some(process) = stat.filter(|p| !p.zombie) {
            processes.insert(pid, process);
        }
    }
    // A session says something only while its leader is the very process that was recorded.
    let session = child.filter(|c| processes.get(&c.pid).is_some_and(|p| p.start_ticks == c.start_ticks));
    let marked = |pid: &i32| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    let own = i32::try_from(std::process::id()).unwrap_or(0);
    let in_session = |pid: &i32, p: &Process| session.is_some_and(|c| p.session == c.pid || *pid == c.pid);
    let mut found: BTreeMap<i32, u64> = processes
        .iter()
        .filter(|(pid, p)| {
            **pid != own && (seen.get(pid) == Some(&p.start_ticks) || in_session(pid, p) || marked(pid))
        })
        .map(|(pid, p)| (*pid, p.start_ticks))
        .collect();
    // Descendants that cleaned their environment.
    while let Some((pid, p)) =
        processes.iter().find(|(pid, p)| !found.contains_key(pid) && found.contains_key(&p.parent))
    {
        found.insert(*pid, p.start_ticks);
    }
    found
}

/// Reads `/proc/PID/stat`; the name in it may hold blanks and brackets.
fn parse_stat(stat: &str) -> Option<Process> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let zombie = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let start_ticks = fields.nth(15)?.parse().ok()?;
    Some(Process { parent, session, start_ticks, zombie })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn stat_is_read_also_with_an_odd_name() {
        let stat = "42 (a) b) S 7 42 40 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 200";
        let process = parse_stat(stat).unwrap();
        assert_eq!(process, Process { parent: 7, session: 40, start_ticks: 987_654, zombie: false });
        assert_eq!(parse_stat("42 (a"), None);
    }

    #[test]
    fn marked_processes_and_their_children_are_ended() {
        let key = format!("test-{}", std::process::id());
        let mut child = Command::new("sh")
            .args(["-c", "env -i setsid sh -c 'trap \"\" TERM; sleep 60' & wait; sleep 60"])
            .env(MARK, &key)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(300));
        assert!(end(&key, None) >= 2);
        child.wait().unwrap();
        assert!(of_step(&key, None, &BTreeMap::new()).is_empty());
    }
}

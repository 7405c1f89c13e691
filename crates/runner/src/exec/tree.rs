//! The process tree of a step: all descendants of this process but those that were there before it. As a subreaper
//! this process inherits whatever loses its parent, so nothing gets out of the tree by a session of its own.

use nix::{
    errno::Errno,
    sys::{
        signal::{Signal, kill, killpg},
        wait::{Id, WaitPidFlag, waitid, waitpid},
    },
    unistd::{Pid, SysconfVar, sysconf},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::{Duration, Instant},
};

/// How long KILL may take to work before we go on: a process in uninterruptible sleep cannot be waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const TICK: Duration = Duration::from_millis(10);

/// A step's processes.
#[derive(Debug)]
pub(super) struct Tree {
    own: i32,
    main: Option<Pid>,
    not_ours: BTreeSet<i32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Process {
    pid: i32,
    parent: i32,
    is_dead: bool,
    /// Processor time of it and of its children that it waited for, in clock ticks.
    ticks: u64,
}

impl Tree {
    /// Before anything is started.
    pub(super) fn new() -> Self {
        // Without it orphans go to init: the sweep then still finds the process group.
        let _ = nix::sys::prctl::set_child_subreaper(true);
        let own = nix::unistd::getpid().as_raw();
        let not_ours = if has_children() {
            descendants(own, &BTreeSet::new(), &processes()).into_iter().map(|p| p.pid).collect()
        } else {
            // A room's runner has none: it need not read every process of the host before it starts the step.
            BTreeSet::new()
        };
        Self { own, main: None, not_ours }
    }

    /// Once the main process runs.
    pub(super) fn set_main(&mut self, pid: Pid) {
        self.main = Some(pid);
    }

    /// Sends a signal to every process, and says how many there were.
    pub(super) fn signal(&self, signal: Signal) -> u32 {
        let alive = self.alive();
        // The group first, in one go: it also works where /proc hides processes. Its number cannot have been given to
        // another one, because the main process is not reaped before the tree is swept.
        if let Some(main) = self.main {
            let _ = killpg(main, signal);
        }
        for process in &alive {
            let _ = kill(Pid::from_raw(process.pid), signal);
        }
        u32::try_from(alive.len()).unwrap_or(u32::MAX)
    }

    /// Asks every process to end. One that is stopped has to run for that.
    pub(super) fn terminate(&self) -> u32 {
        let count = self.signal(Signal::SIGTERM);
        self.signal(Signal::SIGCONT);
        count
    }

    /// Whether a process of it runs.
    pub(super) fn is_alive(&self) -> bool {
        !self.alive().is_empty()
    }

    /// Ends what is left after the main process: TERM, a moment, KILL until nothing is left. Says how many there were.
    pub(super) fn sweep(&self, moment: Duration) -> u32 {
        self.reap_orphans();
        if !self.is_alive() {
            return 0;
        }
        let count = self.terminate();
        let kill_at = Instant::now() + moment;
        while self.is_alive() && Instant::now() < kill_at {
            std::thread::sleep(TICK);
            self.reap_orphans();
        }
        self.kill_all();
        count
    }

    /// KILL, again and again, until nothing is left.
    pub(super) fn kill_all(&self) {
        let give_up = Instant::now() + PATIENCE;
        while self.signal(Signal::SIGKILL) > 0 && Instant::now() < give_up {
            self.reap_orphans();
            std::thread::sleep(Duration::from_millis(1));
        }
        self.reap_orphans();
    }

    /// Takes away the dead that came to us. The main process is left to the one who waits for it.
    fn reap_orphans(&self) {
        for process in self.members().filter(|p| p.is_dead && p.parent == self.own) {
            if self.main.is_none_or(|main| main.as_raw() != process.pid) {
                let _ = waitpid(Pid::from_raw(process.pid), Some(WaitPidFlag::WNOHANG));
            }
        }
    }

    /// Processor time that the tree has used so far. Nothing where /proc hides it.
    pub(super) fn processor_time(&self) -> Duration {
        let ticks: u64 = self.members().map(|p| p.ticks).fold(0, u64::saturating_add);
        let per_second = sysconf(SysconfVar::CLK_TCK).ok().flatten().and_then(|n| u64::try_from(n).ok());
        Duration::from_millis(ticks.saturating_mul(1000) / per_second.unwrap_or(100).max(1))
    }

    fn alive(&self) -> Vec<Process> {
        self.members().filter(|p| !p.is_dead).collect()
    }

    fn members(&self) -> impl Iterator<Item = Process> {
        descendants(self.own, &self.not_ours, &processes()).into_iter()
    }
}

fn processes() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| parse(pid, &fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect()
}

/// `PID (NAME) STATE PPID …`; the name may hold spaces and parentheses. Times are the 14th field to the 17th.
fn parse(pid: i32, stat: &str) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let is_dead = matches!(fields.next()?, "Z" | "X" | "x");
    let parent = fields.next()?.parse().ok()?;
    let ticks = fields.skip(9).take(4).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Some(Process { pid, parent, is_dead, ticks })
}

/// Whether this process has any, dead ones too; nothing is reaped.
fn has_children() -> bool {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::All, look) != Err(Errno::ECHILD)
}

fn descendants(of: i32, but: &BTreeSet<i32>, all: &[Process]) -> Vec<Process> {
    let mut children: BTreeMap<i32, Vec<Process>> = BTreeMap::new();
    for process in all.iter().filter(|p| !but.contains(&p.pid)) {
        children.entry(process.parent).or_default().push(*process);
    }
    let mut found = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        for child in children.remove(&parent).unwrap_or_default() {
            parents.push(child.pid);
            found.push(child);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_kernel_says() {
        let expected = Process { pid: 7, parent: 3, is_dead: false, ticks: 1234 };
        let stat = "7 (a) Z (b) S 3 7 7 0 -1 4194560 1 2 3 4 1000 200 30 4 20 0 1 0 987654 1000 200";
        assert_eq!(parse(7, stat), Some(expected));
        assert_eq!(parse(7, "7 (x) Z 3 7 7 0").map(|p| p.is_dead), Some(true));
        assert_eq!(parse(7, "rubbish"), None);
    }

    #[test]
    fn finds_children_of_children_but_no_others() {
        let process = |pid, parent| Process { pid, parent, is_dead: false, ticks: 0 };
        let all = [process(2, 1), process(3, 2), process(4, 3), process(5, 1), process(6, 2), process(7, 6)];
        let mut found: Vec<_> = descendants(2, &BTreeSet::from([6]), &all).iter().map(|p| p.pid).collect();
        found.sort_unstable();
        assert_eq!(found, [3, 4]);
    }
}

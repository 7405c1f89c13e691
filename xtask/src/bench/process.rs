//! What the kernel says of a process. Reading it does not wake the process.

use nix::unistd::Pid;
use std::{collections::BTreeMap, fs, path::Path};

/// Voluntary context switches of every thread by its number: how often it had gone to sleep.
pub(super) fn sleeps(pid: Pid) -> BTreeMap<String, u64> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    tasks
        .filter_map(|task| {
            let sleeps = number(&task.path().join("status"), "voluntary_ctxt_switches:")?;
            Some((task.file_name().to_string_lossy().into_owned(), sleeps))
        })
        .collect()
}

/// How often the threads woke up between two looks; one that has ended meanwhile is not counted.
pub(super) fn woken(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> u64 {
    after.iter().map(|(thread, count)| count - before.get(thread).unwrap_or(&0).min(count)).sum()
}

/// Resident and proportional memory in KiB.
pub(super) fn memory(pid: Pid) -> (u64, u64) {
    let rollup = format!("/proc/{pid}/smaps_rollup");
    let of = |name| number(Path::new(&rollup), name).unwrap_or_default();
    (of("Rss:"), of("Pss:"))
}

/// The most it ever held, in KiB.
pub(super) fn peak(pid: Pid) -> u64 {
    number(Path::new(&format!("/proc/{pid}/status")), "VmHWM:").unwrap_or_default()
}

/// The number after a name in one of the kernel's tables.
fn number(path: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

/// KiB as people read them.
pub(super) fn mib(kib: u64) -> String {
    format!("{}.{} MB", kib / 1024, kib % 1024 * 10 / 1024)
}

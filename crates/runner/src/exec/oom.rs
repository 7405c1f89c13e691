//! Counts the kernel's OOM kills in the control group of this process.

use std::path::Path;

/// How often the OOM killer struck here, where the kernel tells.
pub(super) fn kills() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let own = groups.lines().find_map(|l| l.strip_prefix("0::/"))?;
    let events = std::fs::read_to_string(Path::new("/sys/fs/cgroup").join(own).join("memory.events")).ok()?;
    count(&events)
}

fn count(events: &str) -> Option<u64> {
    events.lines().find_map(|l| l.strip_prefix("oom_kill "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_counter() {
        assert_eq!(count("low 0\noom 3\noom_kill 2\noom_group_kill 0\n"), Some(2));
        assert_eq!(count("low 0\n"), None);
    }
}

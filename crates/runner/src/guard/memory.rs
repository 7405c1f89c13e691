//! How much memory is free: what the kernel could give without swapping, and what the control groups above this process
//! leave of that.

use mastmaint_words::Bytes;
use std::{fs, path::Path};

/// So much could be had now; nothing if the kernel does not say.
pub(super) fn free() -> Option<Bytes> {
    let host = available(&fs::read_to_string("/proc/meminfo").ok()?)?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/")).unwrap_or_default();
    let read = |group: &Path, file: &str| {
        fs::read_to_string(Path::new("/sys/fs/cgroup").join(group).join(file)).ok()
    };
    let left = Path::new(own).ancestors().filter_map(|group| {
        left(&read(group, "memory.max")?, &read(group, "memory.current")?, &read(group, "memory.stat")?)
    });
    Some(Bytes::new(left.chain([host]).min()?))
}

fn available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// What a control group leaves; what it could give back at once is not used. Nothing if it has no limit.
fn left(max: &str, current: &str, stat: &str) -> Option<u64> {
    let max: u64 = max.trim().parse().ok()?;
    let current: u64 = current.trim().parse().ok()?;
    let cached = stat.lines().find_map(|line| line.strip_prefix("inactive_file "));
    let cached: u64 = cached.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0);
    Some(max.saturating_sub(current.saturating_sub(cached)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_of_host_and_group_counts() {
        assert_eq!(available("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"), Some(2 << 20));
        assert_eq!(available("MemTotal: 9 kB\n"), None);
        assert_eq!(left("1000\n", "900\n", "anon 1\ninactive_file 300\n"), Some(400));
        assert_eq!(left("max\n", "900\n", ""), None);
        assert!(free().is_some_and(|free| free.get() > 0));
    }
}

//! A cgroup for each machine. Without one every `systemd-nspawn --keep-unit` that we start boots in the cgroup that
//! we are in, so the machines share one tree of units: the systemd of one removes or kills what the other has just
//! made (`219/CGROUP`, "Failed to attach to cgroup", "Failed to kill control group").

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

/// A cgroup of the unified hierarchy; it is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    /// A new one below the one that we are in.
    pub(crate) fn new(name: &str) -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).expect("the kernel has cgroup v2");
        let dir = unified().join(own).join(name);
        match fs::create_dir(&dir) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                panic!("{}: {error}", dir.display())
            }
            _ => Self(dir),
        }
    }

    /// The time of processors that has been used in it.
    pub(crate) fn cpu(&self) -> Duration {
        let text = fs::read_to_string(self.0.join("cpu.stat")).unwrap();
        let used = text.lines().find_map(|line| line.strip_prefix("usage_usec ")?.parse().ok());
        Duration::from_micros(used.expect("the kernel counts what a cgroup uses"))
    }

    /// Where a process writes its id to move in.
    pub(crate) fn procs(&self) -> PathBuf {
        self.0.join("cgroup.procs")
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // nspawn makes it in the older hierarchies too, where there are any.
        let below = self.0.strip_prefix(unified()).unwrap();
        for mount in mounts("cgroup") {
            remove(&mount.join(below));
        }
    }
}

/// Where the unified hierarchy is mounted: `/sys/fs/cgroup`, or below it beside the older ones.
fn unified() -> PathBuf {
    mounts("cgroup2").next().expect("cgroup v2 is mounted")
}

/// Mount points of file systems whose kind begins so.
fn mounts(kind: &str) -> impl Iterator<Item = PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let fields = mounts.lines().map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>());
    let found = fields.filter(|fields| fields.get(2).is_some_and(|k| k.starts_with(kind)));
    found.map(|fields| PathBuf::from(&fields[1])).collect::<Vec<_>>().into_iter()
}

/// Removes a cgroup with those below it, as far as nobody is left in them.
fn remove(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    // The kernel still lets go of the last processes for a moment.
    for _ in 0..20 {
        if fs::remove_dir(dir).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

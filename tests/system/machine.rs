//! A container with systemd as PID 1 on a throw-away layer above a base image. It can be rebooted, halted and lose
//! its power; what it left is thrown away when it is dropped, and told when the test failed.

use crate::{
    cgroup::Cgroup,
    image::{Debian, base, system_dir},
};
use serde_json::Value;
use std::{
    fs,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

/// A booted Debian.
#[derive(Debug)]
pub(crate) struct Machine {
    /// Which one.
    pub(crate) debian: Debian,
    dir: PathBuf,
    nspawn: Option<Child>,
    leader: u32,
    cgroup: Cgroup,
}

/// What a command inside did.
#[derive(Debug)]
pub(crate) struct Done {
    /// Exit status; -1 after a signal.
    pub(crate) status: i32,
    /// Standard output.
    pub(crate) out: String,
    /// Standard error.
    pub(crate) err: String,
}

impl Done {
    /// Its output; the test fails if the command did.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.status, 0, "{}{}", self.out, self.err);
        self.out
    }
}

impl Machine {
    /// A fresh layer, booted, and taken to have been up for long: what is different in the first minutes of a host is
    /// seen after a reboot.
    pub(crate) fn boot(debian: Debian) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let runs = system_dir().join("run");
        sweep(&runs);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = runs.join(format!("{}.{number}", std::process::id()));
        for part in ["upper", "work", "root"] {
            fs::create_dir_all(dir.join(part)).unwrap();
        }
        let image = base(debian);
        layer(&image, &dir);
        let cgroup = Cgroup::new(&format!("mastmaint-{}-{number}", std::process::id()));
        let mut machine = Self { debian, dir, nspawn: None, leader: 0, cgroup };
        machine.power_on();
        machine.sh("touch -d '1 hour ago' /run/systemd/notify").ok();
        machine
    }

    /// The time of processors that all of it has used since it was made.
    pub(crate) fn cpu(&self) -> Duration {
        self.cgroup.cpu()
    }

    /// Where its files are seen from outside.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    /// Boots and waits until systemd has started what it starts.
    pub(crate) fn power_on(&mut self) {
        let console = fs::File::options().create(true).append(true).open(self.dir.join("console")).unwrap();
        let name = format!("mm{}", self.dir.file_name().unwrap().to_string_lossy().replace('.', "-"));
        let mut child = Command::new("sh")
            .args(["-c", "echo $$ >\"$0\" && exec systemd-nspawn \"$@\""])
            .arg(self.cgroup.procs())
            .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
            .args(["--quiet", "--register=no", "--keep-unit", "--private-network", "--boot"])
            .args(["--link-journal=no", "--console=pipe", "--machine", &name])
            .arg("--directory")
            .arg(self.root())
            .stdin(Stdio::null())
            .stdout(console.try_clone().unwrap())
            .stderr(console)
            .spawn()
            .expect("systemd-nspawn: `cargo xtask system` installs it");
        let begin = Instant::now();
        self.leader = loop {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("systemd-nspawn ended with {status}:\n{}", self.console());
            }
            if let Some(pid) = leader_of(child.id()) {
                break pid;
            }
            assert!(begin.elapsed() < Duration::from_secs(30), "no init:\n{}", self.console());
            sleep(Duration::from_millis(20));
        };
        self.nspawn = Some(child);
        self.until("systemd has booted", Duration::from_mins(1), |m| {
            let state = m.sh("systemctl is-system-running").out;
            matches!(state.trim(), "running" | "degraded").then_some(())
        });
    }

    /// An orderly reboot.
    pub(crate) fn reboot(&mut self) {
        self.sh("systemctl --no-block reboot").ok();
        self.wait_for_the_end(Duration::from_mins(1));
        self.power_on();
    }

    /// The plug is pulled: everything is killed at once, nothing is told.
    pub(crate) fn power_cut(&mut self) {
        assert!(Command::new("kill").args(["-KILL", &self.leader.to_string()]).status().unwrap().success());
        self.wait_for_the_end(Duration::from_secs(20));
    }

    /// Lays a cable between two of them, each with its address. It is gone with either.
    pub(crate) fn cable((one, address): (&Self, &str), (other, others): (&Self, &str)) {
        let (pid, others_pid) = (one.leader.to_string(), other.leader.to_string());
        let laid = Command::new("ip")
            .args(["link", "add", "cable0", "netns", &pid, "type", "veth"])
            .args(["peer", "name", "cable0", "netns", &others_pid])
            .output()
            .expect("ip: `cargo xtask system` installs it");
        assert!(laid.status.success(), "{}", String::from_utf8_lossy(&laid.stderr));
        for (machine, address) in [(one, address), (other, others)] {
            machine
                .sh(&format!(
                    "ip address add {address}/24 dev cable0 && ip link set lo up && ip link set cable0 up"
                ))
                .ok();
        }
    }

    /// Runs a line of sh inside, as root.
    pub(crate) fn sh(&self, line: &str) -> Done {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.leader.to_string(), "--all", "/usr/bin/env", "-i"]);
        command.args(["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"]);
        command.args([
            "LANG=C.UTF-8",
            "DEBIAN_FRONTEND=noninteractive",
            "/bin/sh",
            "-c",
            &format!("cd /; {line}"),
        ]);
        let Output { status, stdout, stderr } = command.stdin(Stdio::null()).output().unwrap();
        Done {
            status: status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&stdout).into_owned(),
            err: String::from_utf8_lossy(&stderr).into_owned(),
        }
    }

    /// Connects to a Unix socket inside.
    pub(crate) fn connect(&self, path: &str) -> UnixStream {
        let path = format!("/proc/{}/root{path}", self.leader);
        UnixStream::connect(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    /// Writes a file inside.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.root().join(path.trim_start_matches('/'));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Copies a file in.
    pub(crate) fn put(&self, from: &Path, to: &str) {
        let to = self.root().join(to.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, &to).unwrap_or_else(|e| panic!("{} -> {}: {e}", from.display(), to.display()));
    }

    /// Entries of the journal that `journalctl` finds with these words.
    pub(crate) fn journal(&self, what: &str) -> Vec<Value> {
        let text = self.sh(&format!("journalctl --sync; journalctl -o json --no-pager -q {what}")).ok();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// A property of a unit.
    pub(crate) fn property(&self, unit: &str, name: &str) -> String {
        self.sh(&format!("systemctl show -P {name} '{unit}'")).ok().trim().to_owned()
    }

    /// Asks again until there is an answer.
    #[track_caller]
    pub(crate) fn until<T>(&self, what: &str, limit: Duration, mut ask: impl FnMut(&Self) -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(answer) = ask(self) {
                return answer;
            }
            assert!(begin.elapsed() < limit, "waited {limit:?} in vain until {what}");
            sleep(Duration::from_millis(100));
        }
    }

    fn wait_for_the_end(&mut self, limit: Duration) {
        let Some(mut child) = self.nspawn.take() else { return };
        let begin = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if begin.elapsed() > limit {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!("the machine did not end within {limit:?}");
            }
            sleep(Duration::from_millis(50));
        }
    }

    fn console(&self) -> String {
        fs::read_to_string(self.dir.join("console")).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if let Some(mut child) = self.nspawn.take() {
            if std::thread::panicking() {
                let journal = self
                    .sh("systemctl --failed --no-legend; journalctl --no-pager -b -n 80 -o short-precise");
                eprintln!("--- {} at the failure:\n{}", self.debian.suite(), journal.out);
            }
            drop(Command::new("kill").args(["-KILL", &self.leader.to_string()]).status());
            drop(child.wait());
        }
        discard(&self.dir);
    }
}

/// Puts the image under a writable layer; copies it where the file system below cannot carry a layer.
fn layer(image: &Path, dir: &Path) {
    let options = format!(
        "lowerdir={},upperdir={},workdir={}",
        image.display(),
        dir.join("upper").display(),
        dir.join("work").display()
    );
    let mount = Command::new("mount")
        .args(["-t", "overlay", "overlay", "-o", &options])
        .arg(dir.join("root"))
        .output();
    if !mount.is_ok_and(|o| o.status.success()) {
        let copied =
            Command::new("cp").args(["-a", "--reflink=auto", "-T"]).arg(image).arg(dir.join("root")).status();
        assert!(copied.is_ok_and(|s| s.success()), "cannot copy {}", image.display());
    }
}

fn discard(dir: &Path) {
    drop(Command::new("umount").arg("-q").arg(dir.join("root")).stderr(Stdio::null()).status());
    drop(fs::remove_dir_all(dir));
}

/// Throws away what test programs left that were killed.
fn sweep(runs: &Path) {
    for entry in fs::read_dir(runs).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.split('.').next().unwrap_or_default().to_owned();
        if !Path::new("/proc").join(owner).exists() {
            discard(&entry.path());
        }
    }
}

/// The child of nspawn that is process 1 inside.
fn leader_of(nspawn: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{nspawn}/task/{nspawn}/children")).ok()?;
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).find(|pid: &u32| {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let inner = status.lines().find_map(|l| l.strip_prefix("NSpid:"));
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        inner.is_some_and(|l| l.split_whitespace().nth(1) == Some("1")) && comm.trim() == "systemd"
    })
}

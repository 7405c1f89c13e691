//! A state directory that is damaged, from the future, or cannot be written.

use crate::place_with;
use mastmaint_tests::{Place, ctl::call, procs::children, wait_for};
use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Command};

/// A tmpfs of that size over the state directory; only root can have one.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn over(path: PathBuf, options: &str) -> Option<Self> {
        if !nix::unistd::getuid().is_root() {
            return None;
        }
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&path).status();
        mounted.is_ok_and(|s| s.success()).then_some(Self(path))
    }

    fn fill(&self) {
        // Ends with ENOSPC, which is what it is for.
        drop(fs::write(self.0.join("ballast"), vec![0_u8; 64 << 20]));
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

fn ledger(place: &Place) -> PathBuf {
    place.path("state/ledger.sqlite")
}

#[test]
fn a_corrupt_ledger_is_set_aside_and_named() {
    let place = place_with("");
    let first = place.start().unwrap();
    first.ctl(&["run", "work", "--follow"]).exits(0);
    assert!(first.stop().unwrap().success());
    for entry in fs::read_dir(place.path("state")).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name == "ledger.sqlite-wal" || name == "ledger.sqlite-shm" {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    fs::write(ledger(&place), vec![b'#'; 100_000]).unwrap();
    let second = place.start().unwrap();
    second.ctl(&["run", "work", "--follow"]).exits(0);
    let aside: Vec<_> = fs::read_dir(place.path("state"))
        .unwrap()
        .flatten()
        .filter(|e| fs::read(e.path()).is_ok_and(|b| b.starts_with(b"########")))
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(aside.len(), 1, "the damaged one is kept");
    second.log_with(&aside[0]);
}

#[test]
fn a_ledger_of_a_newer_version_is_refused_and_untouched() {
    let place = place_with("");
    let first = place.start().unwrap();
    first.ctl(&["run", "work", "--follow"]).exits(0);
    assert!(first.stop().unwrap().success());
    let mut bytes = fs::read(ledger(&place)).unwrap();
    // `user_version` of the SQLite header.
    bytes[60..64].copy_from_slice(&9999_u32.to_be_bytes());
    fs::write(ledger(&place), &bytes).unwrap();
    let answer = call("mastmaintd", &place.arguments());
    assert!(answer.code.is_some_and(|c| c != 0), "{answer:?}");
    assert!(answer.stderr.contains("schema 9999"), "{answer:?}");
    assert_eq!(fs::read(ledger(&place)).unwrap(), bytes);
}

#[test]
fn runs_go_on_when_the_state_directory_is_full() {
    let place = place_with("");
    let Some(tmpfs) = Tmpfs::over(place.path("state"), "size=16m") else {
        return unprivileged_cannot_write_state();
    };
    let daemon = place.start().unwrap();
    tmpfs.fill();
    daemon.ctl(&["run", "work"]);
    assert!(wait_for(|| place.starts() == 1), "the run goes on\n{}", daemon.log());
    let not_recording = || daemon.ctl(&["status", "--json"]).json()["ledger"]["state"] == "not-recording";
    assert!(wait_for(not_recording), "{}", daemon.log());
    fs::remove_file(place.path("state/ballast")).unwrap();
    assert!(wait_for(|| daemon.ctl(&["run", "work", "--follow"]).code == Some(0)));
    drop(daemon);
}

#[test]
fn runs_go_on_when_the_state_directory_is_read_only() {
    let place = place_with("");
    let Some(_tmpfs) = Tmpfs::over(place.path("state"), "size=16m") else {
        return unprivileged_cannot_write_state();
    };
    let daemon = place.start().unwrap();
    let remount = |how: &str| {
        let options = format!("remount,{how}");
        Command::new("mount").args(["-o", &options]).arg(place.path("state")).status().unwrap().success()
    };
    // Files that are open for writing keep a mount from becoming read-only; then a full one has to do, above.
    if remount("ro") {
        daemon.ctl(&["run", "work"]);
        let not_recording = || daemon.ctl(&["status", "--json"]).json()["ledger"]["state"] == "not-recording";
        assert!(wait_for(not_recording), "{}", daemon.log());
        assert!(remount("rw"));
    }
    daemon.ctl(&["status", "--json"]).exits(0);
    drop(daemon);
}

/// Without root a directory without write permission stands for a full one.
fn unprivileged_cannot_write_state() {
    let place = place_with("");
    let daemon = place.start().unwrap();
    fs::set_permissions(place.path("state"), fs::Permissions::from_mode(0o500)).unwrap();
    daemon.ctl(&["run", "work"]);
    daemon.ctl(&["status"]).exits(0);
    fs::set_permissions(place.path("state"), fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_step_that_the_ledger_does_not_know_keeps_its_lock() {
    let place = Place::new(
        "  long:\n    lock: one\n    steps: [{run: [/bin/sleep, \"4\"]}]\n  \
           short:\n    lock: one\n    steps: [{run: [/bin/true]}]\n",
    )
    .unwrap();
    let Some(tmpfs) = Tmpfs::over(place.path("state"), "size=16m") else {
        return unprivileged_cannot_write_state();
    };
    let first = place.start().unwrap();
    tmpfs.fill();
    let answer = first.ctl(&["run", "long"]).exits(0);
    assert!(answer.stderr.contains("will not know this run"), "{answer:?}");
    // Said before it is done: what was killed then would not run at all.
    let runs =
        || first.below("mastmaint-runne").into_iter().any(|runner| !children(runner, "sleep").is_empty());
    assert!(wait_for(runs), "{}", first.log());
    first.kill().unwrap();
    fs::remove_file(place.path("state/ballast")).unwrap();
    let second = place.start().unwrap();
    second.ctl(&["run", "short", "--follow"]).exits(0);
    let log = second.log_with("short started");
    let place_of = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text} is missing in:\n{log}"));
    assert!(place_of("long: ok") < place_of("short started"), "{log}");
    assert!(second.newest("long").is_none(), "and nothing of it is made up in the ledger");
}

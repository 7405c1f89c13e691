//! Rotations on other file systems, which only root can mount, and one with a million directories.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare has failed")]
#![expect(clippy::print_stdout, reason = "a test that leaves something out says so")]

mod common;

use common::{Mounted, Rotation, codes, flip};
use mastmaint_verify::{Code, manifest};
use std::{fs, path::PathBuf, process::Command};

/// A proved rotation that was moved away; what is mounted in its place?
fn moved() -> (Rotation, PathBuf, PathBuf) {
    let rotation = Rotation::new();
    assert_eq!(codes(&rotation.verify()), []);
    let (at, was) = (rotation.at("snapshots"), rotation.at("was"));
    fs::rename(&at, &was).unwrap();
    fs::create_dir(&at).unwrap();
    (rotation, at, was)
}

fn left_out(what: &str) {
    println!("left out: this host does not let us mount {what}");
}

#[test]
fn a_restored_copy_on_another_disk_is_new_and_clean() {
    let (mut rotation, at, was) = moved();
    let Some(_disk) = Mounted::at(&at, &["-t", "tmpfs", "tmpfs"]) else { return left_out("another disk") };
    let copied = Command::new("cp").arg("-a").arg(was.join(".")).arg(&at).status();
    assert!(copied.unwrap().success());
    rotation.full = false;
    let report = rotation.verify();
    let summary = report.summary.as_ref().unwrap();
    assert_eq!((codes(&report), summary.read, summary.proved), (vec![], 63, 63), "{report:#?}");
    flip(&rotation.media(3, 5));
    rotation.full = true;
    assert_eq!(codes(&rotation.verify()), [Code::Rot], "its proofs are its own");
}

#[test]
fn where_inode_numbers_do_not_last_the_proof_is_per_path() {
    let (rotation, at, was) = moved();
    let (upper, work) = (rotation.at("upper"), rotation.at("work"));
    fs::create_dir(&upper).unwrap();
    fs::create_dir(&work).unwrap();
    let options =
        format!("lowerdir={},upperdir={},workdir={}", was.display(), upper.display(), work.display());
    let Some(_disk) = Mounted::at(&at, &["-t", "overlay", "-o", &options, "overlay"]) else {
        return left_out("an overlay");
    };
    let report = rotation.verify();
    let summary = report.summary.as_ref().unwrap();
    assert_eq!((codes(&report), summary.proved), (vec![Code::ProofPerPath], 63 * 7), "{report:#?}");
    let mut lines = Vec::new();
    let request = rotation.request();
    manifest("files", request.backup, request.proofs, request.now, &mut lines).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    let files: Vec<_> = lines.lines().filter(|line| line.contains(r#""type":"file""#)).collect();
    assert!(files.len() == 63 && files.iter().all(|line| line.contains(r#""blake3""#)), "{lines}");
    // On the disk below.
    flip(&was.join("daily.3").join(rotation.media(3, 5).strip_prefix(rotation.root(3)).unwrap()));
    let report = rotation.verify();
    assert!(codes(&report).contains(&Code::Rot), "{report:#?}");
    let rot = report.findings.iter().filter(|f| f.code == Code::Rot);
    let paths = rot.flat_map(|f| &f.evidence).filter(|e| e.ends_with("/5.png")).count();
    assert_eq!(paths, 7, "{report:#?}");
}

#[test]
#[ignore = "makes and removes a million directories: cargo test -p mastmaint-verify --test disks -- --ignored"]
fn a_million_tiny_directories_are_clean() {
    let mut rotation = Rotation::of(2);
    rotation.rotate(|live| {
        for n in 0..1_000_000_u32 {
            let above = live.join(format!("tiny/{}/{}", n % 100, n / 100 % 100));
            if n < 10_000 {
                fs::create_dir_all(&above).unwrap();
            }
            fs::create_dir(above.join(n.to_string())).unwrap();
        }
    });
    let report = rotation.verify();
    assert_eq!(codes(&report), [], "{report:#?}");
    let summary = report.summary.unwrap();
    assert!(summary.directories > 1_000_000 && summary.proved == summary.files, "{summary:?}");
}

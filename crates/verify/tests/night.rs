//! Nights that are cut off, limited, or read by somebody who may not.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare has failed")]

mod common;

use common::{DAY, Rotation, codes, place, write};
use mastmaint_verify::{
    Backup, Code, Place, VerifyError,
    backup::Budget,
    prove::{Tell, Told, Untold},
};
use mastmaint_words::Bytes;
use proptest::prelude::*;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

/// Ends the verification after so many pieces were read.
struct After(AtomicU64);

impl Tell for After {
    fn progress(&self, _told: Told) {
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    }

    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

fn proofs(rotation: &Rotation) -> Vec<(String, [u8; 32])> {
    let store =
        mastmaint_verify::prove::Store::open(&rotation.at("proofs/files"), mastmaint_verify::Stamp(1))
            .unwrap();
    let mut proofs: Vec<_> = store
        .proofs()
        .iter()
        .map(|p| (String::from_utf8_lossy(&p.path).split_once('/').unwrap().1.to_owned(), p.hash))
        .collect();
    proofs.sort();
    proofs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn cut_off_anywhere_a_night_proves_the_same_and_reads_nothing_twice(
        cuts in proptest::collection::vec(1_u64..70, 1..4), limited in any::<bool>()
    ) {
        let (mut rotation, mut whole) = (Rotation::of(3), Rotation::of(3));
        for r in [&mut rotation, &mut whole] {
            r.backup.budget.bytes = limited.then_some(Bytes::new(250_000));
            r.full = !limited;
        }
        let reference = whole.verify().summary.unwrap();
        let (mut before, mut ended) = (0, None);
        for cut in cuts {
            match rotation.try_verify(&After(AtomicU64::new(cut))) {
                Err(VerifyError::Cancelled) => before = proofs(&rotation).len() as u64,
                other => {
                    ended = Some(other.unwrap());
                    break;
                }
            }
            // The same night goes on a little later.
            rotation.now += Duration::from_mins(1);
        }
        let last = ended.unwrap_or_else(|| rotation.verify()).summary.unwrap();
        if limited {
            // Other inode numbers, another sample: only the limit is the same.
            let store = mastmaint_verify::prove::Store::open(&rotation.at("proofs/files"), mastmaint_verify::Stamp(1)).unwrap();
            let spent: u64 = store.proofs().iter().map(|p| p.size).sum();
            prop_assert!(spent <= 250_000, "{} bytes in one night", spent);
            prop_assert!(spent > 250_000 - 20_000, "only {} bytes", spent);
        } else {
            prop_assert_eq!(last.read + before, reference.read, "read twice, or not at all");
            prop_assert_eq!(proofs(&rotation), proofs(&whole));
            prop_assert_eq!(last.proved, reference.proved);
        }
    }
}

#[test]
fn with_a_budget_every_file_has_its_turn_and_the_sentence_has_the_bound() {
    let mut rotation = Rotation::of(3);
    rotation.full = false;
    rotation.backup.budget = Budget { bytes: Some(Bytes::new(150_000)), time: None };
    let first = rotation.verify();
    let summary = first.summary.unwrap();
    assert!(summary.read_bytes <= 150_000 && summary.proved < summary.files, "{summary:?}");
    assert!(
        first.sentence.contains("none bad: at most") && first.sentence.contains("(95 %)"),
        "{}",
        first.sentence
    );
    for _ in 0..4 {
        rotation.now += Duration::from_secs(DAY);
        rotation.rotate_stamps();
        let summary = rotation.verify().summary.unwrap();
        assert!(summary.read_bytes <= 150_000, "{summary:?}");
    }
    let summary = rotation.verify().summary.unwrap();
    assert_eq!(summary.proved, summary.files);
}

#[test]
fn a_time_budget_of_nothing_reads_nothing_and_says_so() {
    let mut rotation = Rotation::of(3);
    rotation.full = false;
    rotation.backup.budget.time = Some("0s".parse().unwrap());
    let report = rotation.verify();
    assert_eq!(report.summary.unwrap().read, 0);
    assert!(report.sentence.contains("0 of 63 files proved"), "{}", report.sentence);
}

impl RotateStamps for Rotation {
    fn rotate_stamps(&self) {
        (0..3).for_each(|n| self.stamp(n, u64::from(n) * DAY + 2 * common::HOUR));
    }
}

trait RotateStamps {
    fn rotate_stamps(&self);
}

/// Runs one test of this binary as another process.
fn child(test: &str, place: &Path, prefix: &[&str]) -> Command {
    let exe = std::env::current_exe().unwrap();
    let (program, before) = prefix.split_first().map_or((exe.to_str().unwrap(), &[][..]), |(p, b)| (*p, b));
    let mut command = Command::new(program);
    command.args(before);
    if !prefix.is_empty() {
        command.arg(&exe);
    }
    command.args(["--exact", test, "--ignored", "--nocapture"]).env("PLACE", place);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn tree(path: &Path) -> Backup {
    Backup { live: None, ..common::of_files(Place::Tree { path: path.join("tree") }) }
}

fn verify_tree(place: &Path) -> mastmaint_verify::Report {
    let backup = tree(place);
    let proofs = place.join("proofs");
    let now = common::now();
    let request = mastmaint_verify::Request {
        name: "tree",
        backup: &backup,
        files: None,
        inside: None,
        scratch: Path::new("/nonexistent"),
        proofs: &proofs,
        drills: None,
        boots: None,
        full: true,
        now,
    };
    mastmaint_verify::verify(&request, &Untold).unwrap()
}

#[test]
#[ignore = "the child of the test below"]
fn verifies_a_tree() {
    let place = std::env::var_os("PLACE").unwrap();
    let report = verify_tree(Path::new(&place));
    print!("{}", serde_json::to_string(&report).unwrap());
}

#[test]
fn killed_with_nine_it_goes_on_where_it_was() {
    let place = place();
    for n in 0..400_u32 {
        write(
            &place.path().join(format!("tree/{}/{n}", n % 7)),
            vec![u8::try_from(n % 251).unwrap(); 100_000],
        );
    }
    let night = place.path().join("proofs/tree/night");
    let length = || fs::metadata(&night).map_or(0, |m| m.len());
    for _ in 0..4 {
        let before = length();
        let mut running = child("verifies_a_tree", place.path(), &[]).spawn().unwrap();
        // Some proofs more than before, then the end.
        while length() < before + 5_000 && running.try_wait().unwrap().is_none() {
            thread::sleep(Duration::from_micros(200));
        }
        let _ = running.kill();
        running.wait().unwrap();
    }
    let kept = (length() > 0).then(|| {
        let store = mastmaint_verify::prove::Store::open(
            &place.path().join("proofs/tree"),
            mastmaint_verify::Stamp(1),
        );
        let store = store.unwrap();
        // Of the last night only: one before it may have come to its end.
        let last = store.proofs().iter().map(|p| p.tried).max().unwrap();
        store.proofs().iter().filter(|p| p.tried == last).count() as u64
    });
    let summary = verify_tree(place.path()).summary.unwrap();
    assert_eq!((summary.files, summary.proved), (400, 400));
    if let Some(kept) = kept {
        assert_eq!(summary.read + kept, 400, "read twice what was proved before the last kill");
    }
}

#[test]
#[ignore = "the child of the test below"]
fn verifies_an_unreadable_tree() {
    let place = std::env::var_os("PLACE").unwrap();
    let report = verify_tree(Path::new(&place));
    assert_eq!(codes(&report).iter().filter(|c| **c == Code::Unreadable).count(), 1, "{report:#?}");
    let evidence = &report.findings.iter().find(|f| f.code == Code::Unreadable).unwrap().evidence;
    assert_eq!(evidence.len(), 2, "{evidence:?}");
    assert!(evidence[0].contains("closed") && evidence[0].contains("denied"), "{evidence:?}");
}

/// Its child looks for `Code::Unreadable`.
#[test]
fn what_cannot_be_read_is_named() {
    let place = place();
    write(&place.path().join("tree/open/a"), "a");
    write(&place.path().join("tree/closed/b"), "b");
    write(&place.path().join("tree/closed-file"), "c");
    let close = |name: &str, mode| {
        fs::set_permissions(place.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    close("tree/closed", 0o000);
    close("tree/closed-file", 0o000);
    fs::create_dir(place.path().join("proofs")).unwrap();
    for name in ["", "tree", "proofs"] {
        close(name, 0o777);
    }
    // Nothing is unreadable to root.
    let as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let prefix: &[&str] = if rustix::process::geteuid().is_root() { &as_nobody } else { &[] };
    let output = child("verifies_an_unreadable_tree", place.path(), prefix).output().unwrap();
    close("tree/closed", 0o700);
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn a_mirror_may_change_and_lose_files() {
    let place = place();
    (0..80).for_each(|n| write(&place.path().join(format!("tree/{n}")), n.to_string()));
    let clean = |report: mastmaint_verify::Report| {
        assert_eq!(codes(&report), [Code::AgeByFileTime], "only a file time says how old it is: {report:#?}");
    };
    clean(verify_tree(place.path()));
    // A mirror in which files change, come and go.
    write(&place.path().join("tree/1"), "changed in place, as rsync --inplace does");
    fs::remove_file(place.path().join("tree/2")).unwrap();
    write(&place.path().join("tree/new"), "new");
    clean(verify_tree(place.path()));
    common::flip(&place.path().join("tree/3"));
    assert!(codes(&verify_tree(place.path())).contains(&Code::Rot), "a flipped bit in a mirror");
}

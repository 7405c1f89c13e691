//! Files that are damaged, newer, locked, full or read-only: each is called by its name.

use crate::common::*;
use mastmaint_ledger::{Ledger, LedgerError, set_aside};
use mastmaint_words::Outcome;
use std::{
    fs,
    os::unix::fs::{FileExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

/// A closed ledger with some runs.
fn filled(dir: &Path) -> PathBuf {
    let mut ledger = open(dir);
    for number in 1..=200 {
        ledger.queue_run(&manual("clean", number), None).unwrap();
        ledger.start_step(&start(key(number, 0), number)).unwrap();
        ledger.end_step(&end(key(number, 0), number, Outcome::Ok), Some(&[7; 500])).unwrap();
        ledger.end_run(&run_id(number), at(number), Outcome::Ok, None, None).unwrap();
    }
    dir.join("ledger.sqlite")
}

#[test]
fn a_file_that_is_no_ledger_is_set_aside_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path());
    fs::File::options().write(true).open(&path).unwrap().write_all_at(&[0x55; 4096], 0).unwrap();
    let damaged = fs::read(&path).unwrap();

    let opened = Ledger::open(&path, at(0)).unwrap();
    let put = opened.set_aside.unwrap();
    assert_eq!(put, dir.path().join("ledger.sqlite.corrupt-20261123T000000Z"));
    assert_eq!(fs::read(&put).unwrap(), damaged, "what was there must stay as it was");
    assert_eq!(opened.ledger.history(None, 10).unwrap(), []);

    // A second one in the same second keeps the first.
    drop(opened.ledger);
    fs::write(&path, vec![0x55; 8192]).unwrap();
    let again = Ledger::open(&path, at(0)).unwrap().set_aside.unwrap();
    assert_eq!(again, dir.path().join("ledger.sqlite.corrupt-20261123T000000Z.1"));
    assert_eq!(fs::read(&put).unwrap(), damaged);
}

#[test]
fn what_belongs_to_a_ledger_goes_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    for name in ["ledger.sqlite", "ledger.sqlite-wal", "other"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    let put = set_aside(&path, at(0)).unwrap();
    assert_eq!(fs::read_to_string(&put).unwrap(), "ledger.sqlite");
    let wal = dir.path().join("ledger.sqlite.corrupt-20261123T000000Z-wal");
    assert_eq!(fs::read_to_string(wal).unwrap(), "ledger.sqlite-wal");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}

#[test]
fn a_damaged_page_is_found_by_looking_and_a_new_ledger_begun() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path());
    let file = fs::File::options().write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    for page in pages / 2..pages * 2 / 3 {
        file.write_all_at(&[0xff; 64], page * 4096).unwrap();
    }
    let opened = Ledger::open(&path, at(0)).unwrap();
    assert_eq!(opened.set_aside, None, "opening does not read every page");
    let found = opened.ledger.quick_check();
    assert!(matches!(&found, Err(LedgerError::Corrupt { .. })), "{found:?}");

    drop(opened);
    assert!(set_aside(&path, at(1)).unwrap().exists());
    let mut anew = Ledger::open(&path, at(1)).unwrap();
    assert_eq!(anew.set_aside, None);
    anew.ledger.quick_check().unwrap();
    anew.ledger.queue_run(&manual("clean", 1), None).unwrap();
}

#[test]
fn a_newer_schema_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path());
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute("UPDATE meta SET value = '7.2.0' WHERE key = 'written_by'", []).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    let before = fs::read(&path).unwrap();
    let error = Ledger::open(&path, at(0)).unwrap_err();
    assert!(matches!(&error, LedgerError::NewerSchema { found: 99, .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("7.2.0") && text.contains("install that version again"), "{text}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_ledger_of_schema_1_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger.sqlite");
    let conn = rusqlite::Connection::open(&path).unwrap();
    conn.execute_batch(include_str!("ledger-1.sql")).unwrap();
    drop(conn);
    let ledger = open(dir.path());
    let run = ledger.history(None, 10).unwrap().remove(0);
    assert_eq!((run.job, run.outcome, run.ended), (job("clean"), Some(Outcome::Partial), Some(at(21))));
    assert_eq!(run.numbers.bytes, Some(1024));
    assert_eq!(run.cancel_asked, None);
    assert_eq!(ledger.holds().unwrap(), []);
    assert_eq!(ledger.marks().unwrap()[&job("clean")].handled, at(0));
    ledger.quick_check().unwrap();
}

#[test]
fn a_word_of_a_newer_version_costs_its_row_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path());
    let mut ledger = open(dir.path());
    for number in 201..=204 {
        ledger.queue_run(&manual("open", number), None).unwrap();
        ledger.start_step(&start(key(number, 0), number)).unwrap();
    }
    let sql = |text: &str, number: i64| {
        let changed =
            rusqlite::Connection::open(&path).unwrap().execute(text, [run_id(number).as_str()]).unwrap();
        assert_eq!(changed, 1);
    };
    sql("UPDATE runs SET outcome = 'splendid' WHERE id = ?1", 200);
    sql("UPDATE runs SET trigger = '{\"kind\":\"moon\"}' WHERE id = ?1", 202);
    sql("UPDATE steps SET room = 'attic' WHERE run = (SELECT seq FROM runs WHERE id = ?1)", 203);
    assert_eq!(ledger.unreadable_rows(), 0);

    let history = ledger.history(None, 4).unwrap();
    assert_eq!(history.iter().map(|r| &r.id).collect::<Vec<_>>(), [&run_id(204), &run_id(203), &run_id(201)]);
    assert_eq!(ledger.unreadable_rows(), 1);
    let open_runs: Vec<_> = ledger.open_runs().unwrap().into_iter().map(|r| r.run.id).collect();
    assert_eq!(open_runs, [run_id(201), run_id(204)], "a step of unknown state must not be done again");
    assert_eq!(ledger.history(Some(&job("clean")), 2).unwrap().len(), 1);
    assert_eq!(ledger.unreadable_rows(), 3, "each row is counted once");
    let read = ledger.run(&run_id(200)).unwrap_err();
    assert!(matches!(&read, LedgerError::Unreadable { what, .. } if what.contains("splendid")), "{read:?}");
    assert!(!read.stops_recording());
    assert_eq!(ledger.open_digests().unwrap(), [digest()].into());
    ledger.quick_check().unwrap();
}

#[test]
fn a_ledger_in_use_is_busy_not_broken() {
    let (dir, mut ledger) = fresh();
    let other = rusqlite::Connection::open(dir.path().join("ledger.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let asked = std::time::Instant::now();
    let refused = ledger.queue_run(&manual("clean", 1), None);
    assert!(matches!(refused, Err(LedgerError::Busy { .. })), "{refused:?}");
    assert!(asked.elapsed().as_secs() < 10, "half a second is waited for it: {:?}", asked.elapsed());
    assert!(matches!(ledger.probe(), Err(LedgerError::Busy { .. })));
    other.execute_batch("ROLLBACK").unwrap();
    ledger.probe().unwrap();
    ledger.queue_run(&manual("clean", 1), None).unwrap();
}

#[test]
fn while_it_may_only_be_read_nothing_changes_and_everything_is_answered() {
    let (_dir, mut ledger) = fresh();
    ledger.queue_run(&manual("clean", 1), None).unwrap();
    ledger.read_only(true).unwrap();
    let refused = ledger.queue_run(&manual("clean", 2), None);
    assert!(matches!(refused, Err(LedgerError::ReadOnly { .. })), "{refused:?}");
    assert!(matches!(ledger.journaled(&key(1, 0), 1), Err(LedgerError::ReadOnly { .. })));
    assert_eq!(ledger.history(None, 9).unwrap().len(), 1);
    ledger.read_only(false).unwrap();
    ledger.queue_run(&manual("clean", 2), None).unwrap();
}

#[test]
fn a_file_is_checked_beside_its_use() {
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path());
    let mut ledger = open(dir.path());
    ledger.queue_run(&manual("clean", 201), None).unwrap();
    Ledger::check_file(&path).unwrap();
    drop(ledger);
    let file = fs::File::options().write(true).open(&path).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    for page in pages / 2..pages * 2 / 3 {
        file.write_all_at(&[0xff; 64], page * 4096).unwrap();
    }
    let _open = open(dir.path());
    let found = Ledger::check_file(&path);
    assert!(matches!(&found, Err(LedgerError::Corrupt { .. })), "{found:?}");
}

/// Set in the process that may mount, or that is not root.
const INSIDE: &str = "MASTMAINT_TEST_INSIDE";

/// Mounting needs a mount namespace: such a test runs once more, alone, in one; says whether this is that run.
fn may_mount(test: &str) -> bool {
    inside(test, &["--user", "--map-root-user", "--mount"])
}

/// Nothing is forbidden to root, and tests may run as root: the same for a user without privileges.
fn is_nobody(test: &str) -> bool {
    inside(test, &["--user", "--map-user=1000"])
}

fn inside(test: &str, namespaces: &[&str]) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let ran = Command::new("unshare")
        .args(namespaces)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare (util-linux) is needed");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && said.contains("1 passed"),
        "in its own namespace (user namespaces must be allowed): {said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    false
}

fn mount(options: &str, at: &Path) {
    let ran = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(at).status().unwrap();
    assert!(ran.success());
}

#[test]
fn a_full_disk_loses_nothing_that_was_recorded() {
    if !may_mount("damage::a_full_disk_loses_nothing_that_was_recorded") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    mount("size=1m", dir.path());
    let mut ledger = open(dir.path());
    let mut recorded = 0;
    let refused = loop {
        match ledger.queue_run(&manual("clean", recorded + 1), None) {
            Ok(()) => recorded += 1,
            Err(e) => break e,
        }
        let copy = ledger.start_step(&start(key(recorded, 0), recorded)).and_then(|()| {
            ledger.end_step(&end(key(recorded, 0), recorded, Outcome::Ok), Some(&vec![7; 20_000]))
        });
        if let Err(e) = copy {
            break e;
        }
    };
    assert!(matches!(refused, LedgerError::Full { .. }), "{refused:?}");
    assert!(refused.stops_recording());
    assert_eq!(i64::try_from(ledger.history(None, 10_000).unwrap().len()), Ok(recorded));

    // Also for a daemon that starts now, and the probe leaves nothing behind.
    fs::write(dir.path().join("ballast"), vec![0; 1 << 20]).unwrap_err();
    drop(ledger);
    match Ledger::open(&dir.path().join("ledger.sqlite"), at(0)) {
        Ok(mut opened) => {
            assert_eq!(opened.set_aside, None, "a full disk is no damage");
            assert_eq!(i64::try_from(opened.ledger.history(None, 10_000).unwrap().len()), Ok(recorded));
            let refused = opened.ledger.queue_run(&manual("clean", 99_999), None).map_err(|e| e.code());
            assert!(matches!(refused, Ok(()) | Err("ledger-full")), "{refused:?}");
            // What closing the log gave back may be room enough for one more run.
            recorded += i64::from(refused.is_ok());
        }
        Err(e) => assert!(matches!(e, LedgerError::Full { .. }), "{e:?}"),
    }
    assert!(!dir.path().join("ledger.probe").exists());
    // Room again: it records again.
    let remount = Command::new("mount").args(["-o", "remount,size=8m"]).arg(dir.path()).status().unwrap();
    assert!(remount.success());
    let mut ledger = open(dir.path());
    assert_eq!(i64::try_from(ledger.history(None, 10_000).unwrap().len()), Ok(recorded));
    ledger.quick_check().unwrap();
    ledger.queue_run(&manual("clean", 99_998), None).unwrap();
}

#[test]
fn a_file_system_that_became_read_only_is_named() {
    if !may_mount("damage::a_file_system_that_became_read_only_is_named") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    mount("size=16m", dir.path());
    let path = filled(dir.path());
    let remount = Command::new("mount").args(["-o", "remount,ro"]).arg(dir.path()).status().unwrap();
    assert!(remount.success());
    let refused = match Ledger::open(&path, at(0)) {
        Err(e) => e,
        Ok(mut opened) => {
            assert_eq!(opened.set_aside, None);
            opened.ledger.queue_run(&manual("clean", 999), None).unwrap_err()
        }
    };
    assert!(matches!(refused, LedgerError::ReadOnly { .. }), "{refused:?}");
    // And where there is none yet.
    let none = Ledger::open(&dir.path().join("other.sqlite"), at(0)).unwrap_err();
    assert!(matches!(none, LedgerError::ReadOnly { .. }), "{none:?}");
}

#[test]
fn a_directory_that_may_not_be_written_is_named() {
    if !is_nobody("damage::a_directory_that_may_not_be_written_is_named") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = filled(dir.path());
    let mode = |mode| fs::set_permissions(dir.path(), fs::Permissions::from_mode(mode)).unwrap();
    mode(0o500);
    for path in [path, dir.path().join("none-yet.sqlite")] {
        let refused = Ledger::open(&path, at(0)).map(drop).unwrap_err();
        assert!(matches!(refused, LedgerError::ReadOnly { .. }), "{refused:?}");
    }
    mode(0o700);
    let path = dir.path().join("ledger.sqlite");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    let refused = match Ledger::open(&path, at(0)) {
        Err(e) => e,
        Ok(mut opened) => opened.ledger.queue_run(&manual("clean", 999), None).unwrap_err(),
    };
    assert!(matches!(refused, LedgerError::ReadOnly { .. }), "{refused:?}");
}

#[test]
fn a_state_directory_may_be_a_link() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("private")).unwrap();
    std::os::unix::fs::symlink("private", dir.path().join("state")).unwrap();
    open(&dir.path().join("state")).quick_check().unwrap();
    assert!(dir.path().join("private/ledger.sqlite").exists());
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = Ledger::open(&dir.path().join("gone/ledger.sqlite"), at(0)).unwrap_err();
    assert!(matches!(&error, LedgerError::Other { what, .. } if what.contains("No such file")), "{error}");
}

//! Borg: good repositories, and faults planted in them.

use super::{Case, Plant, common, copy, files_below, has, run, source, told};
use common::{cut, flip, write};
use mastmaint_verify::{Borg, Code, Place};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
    time::SystemTime,
};
use tempfile::TempDir;

pub(super) fn call(place: &Path, words: &[&str]) -> String {
    let base = place.join("base").display().to_string();
    let environment = [
        ("BORG_BASE_DIR", base.as_str()),
        ("BORG_PASSPHRASE", "secret"),
        ("BORG_RELOCATED_REPO_ACCESS_IS_OK", "yes"),
    ];
    let mut all = vec!["borg"];
    all.extend(words);
    run(&place.join("source"), &environment, &all)
}

/// An encrypted repository with two archives, made once.
fn made() -> &'static Path {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    let place = MADE.get_or_init(|| {
        let place = common::place();
        source(&place.path().join("source"));
        write(&place.path().join("password"), "secret\n");
        call(place.path(), &["init", "-e", "repokey", "../repository"]);
        let create = |time: &str, name: &str| {
            let name = format!("../repository::{name}");
            call(place.path(), &["create", "--timestamp", time, &name, "home", "var"]);
        };
        create("2026-11-22T04:00:00", "mastodon-1");
        let noise: Vec<u8> =
            (0..300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        write(&place.path().join("source/home/mastodon/live/public/system/new.bin"), noise);
        create("2026-11-23T04:00:00", "mastodon-2");
        place
    });
    place.path()
}

pub(super) fn place(at: &Path) -> Borg {
    Borg {
        repository: at.join("repository").display().to_string(),
        password_file: Some(at.join("password")),
        key_file: None,
        archives: Some("mastodon-*".to_owned()),
        reach: mastmaint_verify::backup::Reach::default(),
    }
}

fn case(at: &Path) -> Case<'_> {
    let mut case = Case::new(at, Place::Borg(place(at)));
    case.backup.max_age = Some("26h".parse().unwrap());
    case
}

/// The largest segment: that of the data.
fn segment(at: &Path) -> PathBuf {
    files_below(&at.join("repository/data"))[0].clone()
}

/// Every file with its size and time.
fn files_of(directory: &Path) -> Vec<(PathBuf, u64, SystemTime)> {
    let of = |path: PathBuf| {
        let metadata = fs::metadata(&path).unwrap();
        (path, metadata.len(), metadata.modified().unwrap())
    };
    files_below(directory).into_iter().map(of).collect()
}

#[test]
fn a_good_repository_is_proved_part_by_part() {
    if !has("borg") {
        return;
    }
    let at = copy(made());
    let mut case = case(at.path());
    case.backup.live = Some("home/mastodon/live".to_owned());
    case.backup.require = vec!["home/mastodon/live/public/system".to_owned()];
    let before = files_of(&at.path().join("repository"));
    let report = case.verify();
    assert_eq!(told(&report), [], "{report:#?}");
    let summary = report.summary.unwrap();
    assert!(summary.files >= 2 && summary.proved == summary.files, "{summary:?}");
    let sentence = &report.sentence;
    assert!(
        sentence.contains("mastodon-2, made 2 h 30 min ago; 2 archives; all of mastodon-2"),
        "{sentence}"
    );
    assert!(sentence.contains("segments proved"), "{sentence}");
    // Nothing is written into the repository: no lock, no nonce, no configuration.
    assert_eq!(files_of(&at.path().join("repository")), before);
    (case.full, case.backup.live, case.days) = (false, None, 3);
    case.backup.prove_every = "2d".parse().unwrap();
    case.backup.max_age = None;
    let report = case.verify();
    assert_eq!(told(&report), [], "{report:#?}");
    assert!(report.sentence.contains("part 1 of 2 of mastodon-2 read by borg"), "{}", report.sentence);
    let report = case.verify();
    assert!(report.sentence.contains("part 2 of 2 of mastodon-2 read by borg"), "{}", report.sentence);
    let report = case.verify();
    assert!(!report.sentence.contains("read by borg"), "{}", report.sentence);
}

#[test]
fn faults_are_found_and_named() {
    if !has("borg") {
        return;
    }
    let cases: [(&str, Plant, &[Code]); 8] = [
        ("a flipped bit in a segment", |at, _| flip(&segment(at)), &[Code::Damaged, Code::Damaged]),
        ("a segment cut short", |at, _| cut(&segment(at), 60), &[Code::Damaged, Code::Damaged]),
        ("a segment deleted", |at, _| fs::remove_file(segment(at)).unwrap(), &[Code::Damaged]),
        ("a wrong passphrase", |at, _| write(&at.join("password"), "other\n"), &[Code::WrongKey]),
        ("no password file", |at, _| fs::remove_file(at.join("password")).unwrap(), &[Code::WrongKey]),
        (
            "no repository",
            |at, _| fs::rename(at.join("repository"), at.join("elsewhere")).unwrap(),
            &[Code::NoBackup],
        ),
        (
            "a checkpoint is no archive",
            |at, case| {
                call(at, &["rename", "../repository::mastodon-2", "mastodon-2.checkpoint"]);
                case.backup.max_age = Some("26h".parse().unwrap());
            },
            &[Code::Overdue],
        ),
        (
            "public/system is not in it, a cache is, and a lock is left",
            |at, case| {
                case.backup.require = vec!["home/mastodon/live/public/none".to_owned()];
                case.backup.forbid = vec!["home/mastodon/live/public/system/cache".to_owned()];
                let roster = format!(r#"{{"shared": [["{}@1", 999999999, 0]]}}"#, host());
                write(&at.join("repository/lock.roster"), roster);
            },
            &[Code::RequiredMissing, Code::StaleLock, Code::ForbiddenPresent],
        ),
    ];
    for (what, plant, codes) in cases {
        let at = copy(made());
        let mut case = case(at.path());
        plant(at.path(), &mut case);
        let report = case.verify();
        assert_eq!(told(&report), codes, "{what}: {report:#?}");
        assert!(!format!("{report:?}").contains("secret"), "{what}: a secret was told");
    }
}

fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

#[test]
fn a_segment_that_was_proved_and_is_gone_is_missing() {
    if !has("borg") {
        return;
    }
    let at = copy(made());
    let mut case = case(at.path());
    case.backup.max_age = None;
    // The proof must be younger than the last write, which was made just now.
    case.days = 3650;
    assert_eq!(told(&case.verify()), []);
    fs::remove_file(segment(at.path())).unwrap();
    case.full = false;
    let report = case.verify();
    assert!(told(&report).contains(&Code::Missing), "{report:#?}");
}

#[test]
fn one_at_work_is_waited_for_and_a_deleted_archive_is_missed() {
    if !has("borg") {
        return;
    }
    let at = copy(made());
    let mut case = case(at.path());
    case.full = false;
    case.backup.max_age = None;
    // Its configuration says that nothing is ever deleted: no matter to who only reads.
    call(at.path(), &["config", "../repository", "append_only", "1"]);
    // Borg tells no size of a second name.
    case.backup.require = vec!["home/mastodon/live/second-name".to_owned()];
    assert_eq!(told(&case.verify()), []);
    let lock =
        at.path().join(format!("repository/lock.exclusive/{}.local@1.{}-0", host(), std::process::id()));
    write(&lock, "");
    assert_eq!(told(&case.verify()), [Code::BeingWritten], "a borg at work");
    fs::remove_dir_all(lock.parent().unwrap()).unwrap();
    call(at.path(), &["delete", "../repository::mastodon-2"]);
    let report = case.verify();
    assert_eq!(told(&report), [Code::Shrunk, Code::Forgotten], "the newest archive deleted: {report:#?}");
}

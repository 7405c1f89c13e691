//! restic: good repositories, and faults planted in them.

use super::{Case, Plant, common, copy, files_below, has, run, source, told};
use common::{cut, write};
use mastmaint_verify::{Code, Place, Restic};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};
use tempfile::TempDir;

pub(super) fn call(place: &Path, words: &[&str]) -> String {
    let repository = place.join("repository").display().to_string();
    let password = place.join("password").display().to_string();
    let mut all = vec!["restic", "--quiet", "--no-cache", "-r", &repository, "-p", &password];
    all.extend(words);
    run(&place.join("source"), &[], &all)
}

/// A repository with three snapshots of two nights and of another host, made once.
fn made() -> &'static Path {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    let place = MADE.get_or_init(|| {
        let place = common::place();
        source(&place.path().join("source"));
        write(&place.path().join("password"), "secret\n");
        call(place.path(), &["init"]);
        let backup = |time: &str, host: &str, paths: &[&str]| {
            let mut words = vec!["backup", "--time", time, "--host", host];
            words.extend(paths);
            call(place.path(), &words);
        };
        backup("2026-11-22 04:00:00", "mastodon", &["home", "var"]);
        let noise: Vec<u8> =
            (0..300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        write(&place.path().join("source/home/mastodon/live/public/system/new.bin"), noise);
        backup("2026-11-23 04:00:00", "mastodon", &["home", "var"]);
        backup("2026-11-23 05:00:00", "laptop", &["var"]);
        place
    });
    place.path()
}

pub(super) fn place(at: &Path) -> Restic {
    Restic {
        repository: at.join("repository").display().to_string(),
        password_file: at.join("password"),
        host: Some("mastodon".to_owned()),
        tags: Vec::new(),
        reach: mastmaint_verify::backup::Reach::default(),
    }
}

fn case(at: &Path) -> Case<'_> {
    let mut case = Case::new(at, Place::Restic(place(at)));
    case.backup.max_age = Some("26h".parse().unwrap());
    case
}

/// The largest pack: that of the data.
fn pack(at: &Path) -> PathBuf {
    files_below(&at.join("repository/data"))[0].clone()
}

fn only(at: &Path, directory: &str) -> Vec<PathBuf> {
    files_below(&at.join("repository").join(directory))
}

fn flip(path: &Path) {
    // restic makes its files read-only; it is of no matter to a disk that rots.
    let mut content = fs::read(path).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::remove_file(path).unwrap();
    fs::write(path, content).unwrap();
}

#[test]
fn a_good_repository_is_proved_part_by_part() {
    if !has("restic") {
        return;
    }
    let at = copy(made());
    let mut case = case(at.path());
    case.backup.live = Some("home/mastodon/live".to_owned());
    case.backup.require = vec!["home/mastodon/live/public/system".to_owned()];
    case.backup.forbid = vec!["home/mastodon/live/public/system/cache/none".to_owned()];
    let report = case.verify();
    assert_eq!(told(&report), [], "{report:#?}");
    let summary = report.summary.unwrap();
    assert!(summary.files >= 3 && summary.proved == summary.files, "{summary:?}");
    assert!(report.sentence.contains("made 2 h 30 min ago; 2 snapshots; all "), "{}", report.sentence);
    assert!(report.sentence.contains("packs proved"), "{}", report.sentence);
    // From an empty store, in parts.
    fs::remove_dir_all(at.path().join("proofs")).unwrap();
    (case.full, case.backup.live) = (false, None);
    case.backup.max_age = None;
    // Names of packs are as by chance: so many parts that they are in more than one.
    let parts_of = |of: u8| {
        let names = files_below(&at.path().join("repository/data"));
        let byte = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            u8::from_str_radix(&name[..2], 16).unwrap() % of
        };
        names.iter().map(byte).collect::<BTreeSet<u8>>().len()
    };
    let of = (2..=u8::MAX).find(|of| parts_of(*of) > 1).unwrap();
    case.backup.prove_every = format!("{of}d").parse().unwrap();
    let mut before = 0;
    for night in 0..parts_of(of) {
        case.days = night as u64;
        let report = case.verify();
        assert_eq!(told(&report), []);
        let summary = report.summary.unwrap();
        assert_eq!((summary.proved, summary.read > 0), (before + summary.read, true), "{report:#?}");
        assert!(report.sentence.contains(&format!("of {of} read tonight")), "{}", report.sentence);
        before = summary.proved;
        assert_eq!(before == summary.files, night + 1 == parts_of(of), "{summary:?}");
    }
}

#[test]
fn faults_are_found_and_named() {
    if !has("restic") {
        return;
    }
    let cases: [(&str, Plant, &[Code]); 11] = [
        ("a flipped bit in a pack", |at, _| flip(&pack(at)), &[Code::Damaged]),
        ("a pack cut short", |at, _| cut(&pack(at), 60), &[Code::Damaged]),
        ("a pack deleted", |at, _| fs::remove_file(pack(at)).unwrap(), &[Code::Missing]),
        (
            "an index damaged",
            |at, _| only(at, "index").iter().for_each(|p| flip(p)),
            &[Code::Damaged, Code::Damaged],
        ),
        (
            "all indexes deleted",
            |at, _| only(at, "index").iter().for_each(|p| fs::remove_file(p).unwrap()),
            &[Code::Damaged, Code::Damaged],
        ),
        (
            "a snapshot damaged",
            |at, _| only(at, "snapshots").iter().for_each(|p| flip(p)),
            &[Code::Damaged, Code::NoBackup],
        ),
        ("a wrong password", |at, _| write(&at.join("password"), "other\n"), &[Code::WrongKey]),
        ("no password file", |at, _| fs::remove_file(at.join("password")).unwrap(), &[Code::WrongKey]),
        (
            "its keys deleted",
            |at, _| fs::remove_dir_all(at.join("repository/keys")).unwrap(),
            &[Code::WrongKey],
        ),
        (
            "no repository",
            |at, _| fs::rename(at.join("repository"), at.join("elsewhere")).unwrap(),
            &[Code::NoBackup],
        ),
        (
            "public/system is not in it, a cache is, and it is old",
            |_, case| {
                case.backup.max_age = Some("2h".parse().unwrap());
                case.backup.require = vec!["home/mastodon/live/public/none".to_owned()];
                case.backup.forbid = vec!["home/mastodon/live/public/system/cache".to_owned()];
            },
            &[Code::Overdue, Code::RequiredMissing, Code::ForbiddenPresent],
        ),
    ];
    for (what, plant, codes) in cases {
        let at = copy(made());
        let mut case = case(at.path());
        plant(at.path(), &mut case);
        let report = case.verify();
        assert_eq!(told(&report), codes, "{what}: {report:#?}");
        assert!(report.findings.iter().all(|f| !f.advice.is_empty()));
        assert!(!format!("{report:?}").contains("secret"), "{what}: a secret was told");
    }
}

/// A `restic backup` that has its lock and waits for input that never comes; killed at the end.
struct AtWork(Child);

impl AtWork {
    fn begin(at: &Path) -> Self {
        let child = Command::new("restic")
            .args(["--quiet", "--no-cache", "-r"])
            .arg(at.join("repository"))
            .arg("-p")
            .arg(at.join("password"))
            .args(["backup", "--stdin"])
            .stdin(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let at_work = Self(child.unwrap());
        let locks = at.join("repository/locks");
        // Until it is whole a lock has a longer name.
        let has_locked = || fs::read_dir(&locks).unwrap().flatten().any(|e| e.file_name().len() == 64);
        assert!((0..600).any(|_| has_locked() || (thread::sleep(Duration::from_millis(50)), false).1));
        at_work
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn one_at_work_is_waited_for_and_a_dead_one_told() {
    if !has("restic") {
        return;
    }
    let at = copy(made());
    let at_work = AtWork::begin(at.path());
    let report = case(at.path()).verify();
    assert_eq!(told(&report), [Code::BeingWritten], "a restic at work: {report:#?}");
    drop(at_work);
    let report = case(at.path()).verify();
    assert_eq!(told(&report), [Code::StaleLock], "a lock of a dead restic: {report:#?}");
}

#[test]
fn a_snapshot_that_was_deleted_is_missed() {
    if !has("restic") {
        return;
    }
    let at = copy(made());
    let mut case = case(at.path());
    case.full = false;
    case.backup.max_age = None;
    assert_eq!(told(&case.verify()), []);
    let list = call(at.path(), &["snapshots", "--json", "--host", "mastodon"]);
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    let newest =
        list.as_array().unwrap().iter().max_by_key(|s| s["time"].as_str().unwrap().to_owned()).unwrap();
    call(at.path(), &["forget", newest["id"].as_str().unwrap()]);
    let report = case.verify();
    assert_eq!(told(&report), [Code::Shrunk, Code::Forgotten], "{report:#?}");
}

//! Repositories over ssh: the same verification, with a key and a list of hosts of its own, and no more than the budget.

use super::{Case, borg, common, has, link::Link, restic, run, source, told};
use common::write;
use mastmaint_verify::{Borg, Code, Place, Restic, backup::Reach};
use mastmaint_words::Bytes;
use std::{fs, path::Path};

const MB: u64 = 1024 * 1024;
/// What is fetched beside packs in a night: keys, indexes, directories, and the handshakes of ssh.
const BESIDE: u64 = MB;

fn is_here() -> bool {
    ["restic", "borg", "ssh-keygen"].into_iter().all(has) && Path::new("/usr/sbin/sshd").exists()
}

fn reach(at: &Path, key: &str, hosts: &str) -> Reach {
    Reach { ssh_key: Some(at.join(key)), known_hosts: Some(at.join(hosts)), environment_file: None }
}

/// Content that cannot be packed smaller.
fn noise(seed: u8, bytes: u64) -> Vec<u8> {
    let mut content = vec![0; usize::try_from(bytes).unwrap()];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut content);
    content
}

fn me(at: &Path) -> String {
    run(at, &[], &["id", "-un"]).trim().to_owned()
}

fn of_restic(at: &Path, link: &Link, key: &str, hosts: &str) -> Place {
    Place::Restic(Restic {
        repository: format!("sftp://{}@127.0.0.1:{}/{}/repository", me(at), link.port, at.display()),
        reach: reach(at, key, hosts),
        ..restic::place(at)
    })
}

fn of_borg(at: &Path, link: &Link, key: &str, hosts: &str) -> Place {
    Place::Borg(Borg {
        repository: format!("ssh://{}@127.0.0.1:{}{}/repository", me(at), link.port, at.display()),
        reach: reach(at, key, hosts),
        password_file: Some(at.join("password")),
        ..Borg::default()
    })
}

/// A key that nobody lets in, another host, a link that breaks in the middle, and one that is down: each has its word,
/// and none of them is damage.
fn away(case: &mut Case<'_>, link: Link, of: impl Fn(&Link, &str, &str) -> Place) {
    case.full = true;
    case.backup.place = of(&link, "other", "known_hosts");
    assert_eq!(told(&case.verify()), [Code::WrongKey], "a key that nobody lets in");
    case.backup.place = of(&link, "id", "others_known");
    let report = case.verify();
    assert_eq!(told(&report), [Code::OtherHost], "another host answers: {report:#?}");
    assert!(report.sentence.contains("not on the host that it should be on"), "{}", report.sentence);
    case.backup.place = of(&link, "id", "known_hosts");
    for bytes in [1_000, 2 * MB] {
        link.breaks_after(Some(bytes));
        let report = case.verify();
        assert_eq!(told(&report), [Code::Unreadable], "the link breaks, after {bytes} bytes: {report:#?}");
    }
    link.breaks_after(None);
    assert_eq!(told(&case.verify()), [], "the link is whole again");
    drop(link);
    assert_eq!(told(&case.verify()), [Code::Unreadable], "nobody answers");
}

#[test]
fn a_repository_of_restic_is_proved_over_ssh_within_its_budget() {
    if !is_here() {
        return;
    }
    let place = common::place();
    let at = place.path();
    source(&at.join("source"));
    write(&at.join("password"), "secret\n");
    let link = Link::begin(at);
    restic::call(at, &["init"]);
    for (seed, name) in ["a", "b"].into_iter().enumerate() {
        let content = noise(u8::try_from(seed).unwrap(), MB + MB / 2);
        write(&at.join("source/home/mastodon/live/public/system").join(name), content);
        let time = format!("2026-11-23 0{seed}:00:00");
        restic::call(at, &["backup", "--time", &time, "--host", "mastodon", "home", "var"]);
    }
    let mut case = Case::new(at, of_restic(at, &link, "id", "known_hosts"));
    case.backup.live = Some("home/mastodon/live".to_owned());
    (case.full, case.backup.prove_every) = (false, "3d".parse().unwrap());
    case.backup.budget.bytes = Some(Bytes::new(2 * MB));
    let (mut nights, mut fetched) = (0, 0);
    let whole = loop {
        link.came();
        let report = case.verify();
        assert_eq!(told(&report), [], "{report:#?}");
        let (fetched_now, summary) = (link.came(), report.summary.unwrap());
        assert!(fetched_now <= 2 * MB + BESIDE, "night {nights}: {fetched_now} bytes");
        assert!(summary.read_bytes <= 2 * MB, "{summary:?}");
        fetched += summary.read_bytes;
        (nights, case.days) = (nights + 1, case.days + 1);
        if summary.proved == summary.files || nights == 255 {
            break summary;
        }
    };
    assert!(whole.proved == whole.files && nights >= 2, "{nights} nights: {whole:?}");
    assert!((3 * MB..4 * MB).contains(&fetched), "{fetched}: each pack once, as large as it is");
    // Less than the smallest pack: it is said, and nothing is fetched of it.
    case.backup.budget.bytes = Some(Bytes::new(1000));
    case.days += 60;
    let report = case.verify();
    assert_eq!(told(&report), [Code::NotChecked], "a budget below the smallest part: {report:#?}");
    assert!(report.findings[0].what.contains("as small as the budget"), "{report:#?}");
    assert!(link.came() <= BESIDE);
    away(&mut case, link, |link, key, hosts| of_restic(at, link, key, hosts));
}

#[test]
fn a_repository_of_borg_is_proved_over_ssh_within_its_budget() {
    if !is_here() {
        return;
    }
    let place = common::place();
    let at = place.path();
    write(&at.join("password"), "secret\n");
    for (seed, name) in ["a", "b", "c"].into_iter().enumerate() {
        write(&at.join("source/home").join(name), noise(u8::try_from(seed).unwrap(), MB + MB / 2));
    }
    let link = Link::begin(at);
    borg::call(at, &["init", "-e", "repokey", "../repository"]);
    let words = ["create", "--timestamp", "2026-11-23T04:00:00", "../repository::mastodon-1", "home"];
    borg::call(at, &words);
    let mut case = Case::new(at, of_borg(at, &link, "id", "known_hosts"));
    (case.full, case.backup.prove_every) = (false, "3d".parse().unwrap());
    case.backup.budget.bytes = Some(Bytes::new(2 * MB));
    let mut nights = 0;
    let whole = loop {
        link.came();
        let report = case.verify();
        assert_eq!(told(&report), [], "{report:#?}");
        assert!(report.sentence.contains("parts of the newest archive proved"), "{}", report.sentence);
        let (fetched_now, summary) = (link.came(), report.summary.unwrap());
        assert!(fetched_now <= 2 * MB + BESIDE, "night {nights}: {fetched_now} bytes");
        (nights, case.days) = (nights + 1, case.days + 1);
        if summary.proved == summary.files || nights == 255 {
            break summary;
        }
    };
    assert!(whole.proved == whole.files && nights >= 2, "{nights} nights: {whole:?}");
    case.backup.budget.bytes = Some(Bytes::new(MB));
    let report = case.verify();
    assert_eq!(told(&report), [Code::NotChecked], "a file larger than the budget: {report:#?}");
    away(&mut case, link, |link, key, hosts| of_borg(at, link, key, hosts));
    assert!(fs::metadata(at.join("repository/lock.exclusive")).is_err(), "nothing was locked");
}

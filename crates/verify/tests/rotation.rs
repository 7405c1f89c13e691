//! Faults planted in a rotation of rsnapshot, each found and named right; and variants in which nothing is to be found.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare has failed")]

mod common;

use common::{DAY, HOUR, LIVE, Rotation, codes, flip, set_time, write};
use mastmaint_verify::{Code, Severity};
use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

/// A rotation of which every file is proved.
fn proved() -> Rotation {
    let rotation = Rotation::new();
    let report = rotation.verify();
    assert_eq!(codes(&report), [], "{report:#?}");
    let summary = report.summary.unwrap();
    assert_eq!((summary.files, summary.proved, summary.paths), (63, 63, 63 * 7));
    rotation
}

#[test]
fn a_good_rotation_is_proved_and_read_once() {
    let mut rotation = proved();
    rotation.full = false;
    let again = rotation.verify();
    let summary = again.summary.unwrap();
    assert_eq!((codes(&again), summary.read, summary.read_bytes, summary.proved), (vec![], 0, 0, 63));
    assert!(again.sentence.contains("63 of 63 files proved"), "{}", again.sentence);
    assert!(
        again.store_bytes / summary.files < 250,
        "{} bytes of store an inode",
        again.store_bytes / summary.files
    );
    rotation.now += Duration::from_secs(8 * DAY);
    assert_eq!(rotation.verify().summary.unwrap().read, 63, "a proof is good for a week");
}

#[test]
fn rot_in_a_file_of_seven_generations_names_all_seven() {
    let rotation = proved();
    flip(&rotation.media(3, 5));
    let report = rotation.verify();
    assert_eq!(codes(&report), [Code::Rot]);
    let finding = &report.findings[0];
    let paths = finding.evidence.iter().filter(|e| e.ends_with("/5.png")).count();
    assert_eq!(paths, 7, "{finding:?}");
    assert_eq!(report.summary.unwrap().bad, 1);
    assert_eq!(codes(&rotation.verify()), [Code::Rot], "it is told again until it is mended");
    // Mended: copied again from its source.
    let content = fs::read(rotation.media(0, 5)).unwrap();
    for generation in 0..7 {
        fs::remove_file(rotation.media(generation, 5)).unwrap();
        let mut good = content.clone();
        let middle = good.len() / 2;
        good[middle] ^= 1;
        write(&rotation.media(generation, 5), good);
        let days = u64::from(generation) * DAY + 2 * HOUR;
        rotation.stamp(generation, days);
    }
    assert!(!codes(&rotation.verify()).contains(&Code::Rot));
}

#[test]
fn rot_in_a_file_of_one_generation_names_one() {
    let mut rotation = Rotation::of(6);
    rotation.rotate(|live| write(&live.join("public/system/new.png"), vec![3; 5000]));
    rotation.verify();
    flip(&rotation.live(0).join("public/system/new.png"));
    let report = rotation.verify();
    assert_eq!(codes(&report), [Code::Rot]);
    assert_eq!(
        report.findings[0].evidence.len(),
        2,
        "one path and when it was good: {:?}",
        report.findings[0]
    );
}

#[test]
fn what_a_finished_generation_loses_is_missing() {
    let rotation = proved();
    for generation in 0..7 {
        fs::remove_file(rotation.media(generation, 7)).unwrap();
    }
    (0..7).for_each(|n| rotation.stamp(n, u64::from(n) * DAY + 2 * HOUR));
    let report = rotation.verify();
    assert!(codes(&report).iter().all(|c| *c == Code::Missing) && !report.findings.is_empty(), "{report:#?}");
    assert!(report.findings.iter().any(|f| f.evidence.iter().any(|e| e.ends_with("/7.png"))));
}

#[test]
fn a_name_lost_in_one_generation_only_is_missing_there() {
    let rotation = proved();
    fs::remove_file(rotation.media(4, 7)).unwrap();
    rotation.stamp(4, 4 * DAY + 2 * HOUR);
    let report = rotation.verify();
    assert_eq!(codes(&report), [Code::Missing]);
    assert!(report.findings[0].what.contains("daily.4"), "{:?}", report.findings[0]);
    assert_eq!(codes(&rotation.verify()), [Code::Missing], "it is told again");
}

#[test]
fn a_file_written_to_in_a_finished_generation_is_changed() {
    let rotation = proved();
    write(&rotation.media(2, 8), "something else");
    assert_eq!(codes(&rotation.verify()), [Code::Changed]);
}

#[test]
fn a_dead_run_leaves_its_generation_in_doubt() {
    let rotation = proved();
    fs::write(rotation.at("rsnapshot.pid"), "0").unwrap();
    let report = rotation.verify();
    assert_eq!(codes(&report), [Code::StaleLock]);
    assert_eq!(report.newest.unwrap().name, "daily.1");
}

#[test]
fn a_run_at_work_is_not_judged_half_done() {
    let rotation = proved();
    fs::write(rotation.at("rsnapshot.pid"), std::process::id().to_string()).unwrap();
    fs::remove_dir_all(rotation.live(0)).unwrap();
    let report = rotation.verify();
    assert_eq!((codes(&report), report.newest.unwrap().name.as_str()), (vec![Code::BeingWritten], "daily.1"));
}

#[test]
fn overdue_and_absent_are_red_also_when_nothing_ran() {
    let mut rotation = proved();
    rotation.now += Duration::from_secs(2 * DAY);
    assert_eq!(codes(&rotation.verify()), [Code::Overdue], "nothing ran for two days");
    fs::remove_dir_all(rotation.at("snapshots")).unwrap();
    let report = rotation.verify();
    assert_eq!(codes(&report), [Code::NoBackup], "a disk that is not mounted");
    assert!(report.sentence.contains("not mounted"), "{}", report.sentence);
    fs::create_dir(rotation.at("snapshots")).unwrap();
    assert!(codes(&rotation.verify()).contains(&Code::NoBackup), "an empty snapshot root");
}

#[test]
fn what_must_be_in_it_and_what_must_not() {
    type Plant = fn(&Rotation);
    let cases: [(&str, Plant, &[Code]); 6] = [
        (
            "public/system excluded",
            |r| fs::remove_dir_all(r.live(0).join("public/system")).unwrap(),
            &[Code::RequiredMissing],
        ),
        (
            "a mount that was not there",
            |r| {
                fs::remove_dir_all(r.live(0).join("public/system")).unwrap();
                fs::create_dir(r.live(0).join("public/system")).unwrap();
            },
            &[Code::RequiredEmpty],
        ),
        (
            "the cache copied too",
            |r| write(&r.live(0).join("public/system/cache/a"), "a"),
            &[Code::ForbiddenPresent],
        ),
        (
            "no .env.production",
            |r| fs::remove_file(r.live(0).join(".env.production")).unwrap(),
            &[Code::RequiredMissing],
        ),
        (
            ".env.production of 4.2",
            |r| {
                fs::remove_file(r.live(0).join(".env.production")).unwrap();
                write(
                    &r.live(0).join(".env.production"),
                    "LOCAL_DOMAIN=mast.test\nSECRET_KEY_BASE=x\nVAPID_PRIVATE_KEY=x\nVAPID_PUBLIC_KEY=x\nOTP_SECRET=x\n",
                );
            },
            &[Code::SecretMissing],
        ),
        (
            "live not copied",
            |r| fs::remove_dir_all(r.live(0)).unwrap(),
            &[Code::RequiredMissing, Code::RequiredMissing, Code::Shrunk],
        ),
    ];
    for (what, plant, expected) in cases {
        let mut rotation = Rotation::of(6);
        rotation.verify();
        rotation.rotate(|_| ());
        plant(&rotation);
        rotation.stamp(0, 2 * HOUR);
        let mut found = codes(&rotation.verify());
        // Without most of its files it has shrunk as well.
        found.retain(|c| expected.contains(c) || *c != Code::Shrunk);
        found.sort();
        let mut expected = expected.to_vec();
        expected.retain(|c| found.contains(c) || *c != Code::Shrunk);
        expected.sort();
        assert_eq!(found, expected, "{what}");
    }
}

#[test]
fn the_set_up_is_judged_by_its_own_files() {
    let rotation = proved();
    rotation.conf("retain monthly 3\n");
    let report = rotation.verify();
    assert_eq!(codes(&report), [Code::ConfigMistake], "spaces instead of tabs");
    assert!(report.findings[0].evidence[0].contains("rsnapshot.conf:9:"), "{:?}", report.findings[0]);
    rotation.conf("exclude\t/public/system/cache\n");
    assert_eq!(codes(&rotation.verify()), [Code::ConfigDoubt], "an exclude that can never match");
    rotation.conf(&format!("exclude\t/{LIVE}/public/system/cache\n"));
    assert_eq!(codes(&rotation.verify()), []);
    rotation.conf("include_conf\t`/bin/false`\n");
    assert_eq!(codes(&rotation.verify()), [Code::ConfigNotRead], "a part made by a command");
    rotation.conf("");
    fs::write(
        rotation.at("rsnapshot.log"),
        "[x] /usr/bin/rsnapshot daily: completed, but with some errors\n",
    )
    .unwrap();
    assert_eq!(codes(&rotation.verify()), [Code::LastRunTroubled], "a last run with errors");
    fs::remove_file(rotation.at("rsnapshot.log")).unwrap();
    write(&rotation.at("snapshots/_delete.77/a"), "left");
    assert_eq!(codes(&rotation.verify()), [Code::DeletionLeft], "a deletion that was cut off");
}

#[test]
fn generations_that_are_not_there_or_not_linked() {
    let rotation = proved();
    fs::remove_dir_all(rotation.root(3)).unwrap();
    assert_eq!(codes(&rotation.verify()), [Code::RetentionShort], "a generation missing");

    let mut rotation = Rotation::of(6);
    rotation.rotate(|live| {
        // Copied: the same content in new files.
        for entry in fs::read_dir(live.join("public/system/media_attachments/files")).unwrap() {
            for file in fs::read_dir(entry.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let content = fs::read(&path).unwrap();
                fs::remove_file(&path).unwrap();
                fs::write(&path, content).unwrap();
            }
        }
    });
    assert_eq!(codes(&rotation.verify()), [Code::CopiedNotLinked], "files copied again instead of linked");

    let mut rotation = Rotation::of(6);
    rotation.verify();
    rotation
        .rotate(|live| fs::remove_dir_all(live.join("public/system/media_attachments/files/000")).unwrap());
    fs::remove_dir_all(rotation.live(0).join("public/system/media_attachments/files/001")).unwrap();
    rotation.stamp(0, 2 * HOUR);
    let report = rotation.verify();
    assert_eq!(
        (codes(&report), report.worst()),
        (vec![Code::Shrunk], Some(Severity::Warn)),
        "a quarter of the files gone"
    );

    let rotation = proved();
    fs::remove_dir_all(rotation.root(0).join("mastodon")).unwrap();
    fs::create_dir(rotation.root(0).join("mastodon")).unwrap();
    rotation.stamp(0, 2 * HOUR);
    let report = rotation.verify();
    assert!(codes(&report).contains(&Code::LastRunTroubled), "an empty backup point: {report:#?}");
    assert_eq!(report.newest.unwrap().name, "daily.1");
}

#[test]
fn a_level_that_is_not_run_is_told_after_twice_the_time_of_the_one_below() {
    let mut rotation = proved();
    rotation.conf("retain\tweekly\t4\n");
    for night in 1..20 {
        rotation.rotate(|_| ());
        let found = codes(&rotation.verify());
        if night < 6 {
            assert_eq!(found, [], "night {night}: its first week is not over");
        } else if !found.is_empty() {
            assert_eq!(found, [Code::LevelNeverRan]);
            return;
        }
    }
    panic!("a level that never ran is not told");
}

#[test]
fn the_last_proved_generation_is_not_rotated_away_silently() {
    let rotation = Rotation::of(7);
    // Only the oldest has the file of its own; all others share a bad one.
    let bad = rotation.media(0, 1);
    let content = fs::read(&bad).unwrap();
    for generation in 0..6 {
        fs::remove_file(rotation.media(generation, 1)).unwrap();
    }
    write(&bad, content);
    for generation in 1..6 {
        fs::hard_link(&bad, rotation.media(generation, 1)).unwrap();
    }
    (0..7).for_each(|n| rotation.stamp(n, u64::from(n) * DAY + 2 * HOUR));
    rotation.verify();
    flip(&bad);
    let found = codes(&rotation.verify());
    assert!(found.contains(&Code::LastProvedGoes) && found.contains(&Code::Rot), "{found:?}");
}

#[test]
fn a_damaged_store_begins_anew_and_says_so() {
    let rotation = proved();
    let store = rotation.at("proofs/files/proofs");
    let mut content = fs::read(&store).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&store, content).unwrap();
    let report = rotation.verify();
    assert_eq!((codes(&report), report.summary.unwrap().proved), (vec![Code::ProofsLost], 63));
    assert_eq!(codes(&rotation.verify()), []);
}

/// Variants in which nothing is wrong.
#[test]
fn nothing_is_found_where_nothing_is_wrong() {
    type Change = fn(&std::path::Path);
    let cases: [(&str, Change); 13] = [
        ("nothing changed", |_| ()),
        ("a file changed between generations", |live| {
            let path = live.join("public/system/media_attachments/files/000/0.png");
            fs::remove_file(&path).unwrap();
            fs::write(path, "changed").unwrap();
        }),
        ("a file replaced by another of the same size and time", |live| {
            let path = live.join("public/system/media_attachments/files/000/9.png");
            let (content, time) =
                (fs::read(&path).unwrap(), fs::metadata(&path).unwrap().modified().unwrap());
            fs::remove_file(&path).unwrap();
            fs::write(&path, vec![1; content.len()]).unwrap();
            fs::File::open(path).unwrap().set_modified(time).unwrap();
        }),
        ("a file removed at the source", |live| {
            fs::remove_file(live.join("public/system/media_attachments/files/001/1.png")).unwrap();
        }),
        ("hard links across directories", |live| {
            fs::hard_link(live.join("lib/mastodon/version.rb"), live.join("db/version.rb")).unwrap();
        }),
        ("a sparse file", |live| {
            let file = fs::File::create(live.join("sparse")).unwrap();
            file.set_len(64 * 1024 * 1024).unwrap();
        }),
        ("odd names", |live| {
            fs::write(live.join("new\nline"), "a").unwrap();
            fs::write(live.join(OsStr::from_bytes(b"not-\xff-utf8")), "b").unwrap();
            fs::write(live.join("x".repeat(255)), "c").unwrap();
            fs::write(live.join("-rf *"), "d").unwrap();
        }),
        ("a loop of symbolic links", |live| {
            symlink("b", live.join("a")).unwrap();
            symlink("a", live.join("b")).unwrap();
            symlink("..", live.join("up")).unwrap();
        }),
        ("empty files", |live| (0..50).for_each(|n| fs::write(live.join(format!("empty{n}")), "").unwrap())),
        ("pipes", |live| {
            rustix::fs::mknodat(
                rustix::fs::CWD,
                live.join("pipe"),
                rustix::fs::FileType::Fifo,
                0o600.into(),
                0,
            )
            .unwrap();
        }),
        ("many tiny directories", |live| {
            (0..3000).for_each(|n| fs::create_dir_all(live.join(format!("tiny/{}/{n}", n % 60))).unwrap());
        }),
        ("nested deep", |live| fs::create_dir_all(live.join("d/".repeat(400))).unwrap()),
        ("a file in the future", |live| {
            fs::write(live.join("future"), "f").unwrap();
            set_time(&live.join("future"), "2040-01-01T00:00:00Z".parse().unwrap());
        }),
    ];
    for (what, change) in cases {
        let mut rotation = Rotation::of(5);
        assert_eq!(codes(&rotation.verify()), [], "{what}, first night");
        rotation.rotate(change);
        let report = rotation.verify();
        assert_eq!(codes(&report), [], "{what}: {report:#?}");
        let summary = report.summary.unwrap();
        assert_eq!(summary.proved, summary.files, "{what}");
        rotation.full = false;
        assert_eq!(rotation.verify().summary.unwrap().read, 0, "{what}: read again for nothing");
    }
}

#[test]
fn a_touched_file_with_its_content_is_no_change() {
    let rotation = proved();
    set_time(&rotation.media(0, 3), common::now());
    assert_eq!(codes(&rotation.verify()), []);
}

#[test]
fn a_whole_week_of_rotations_is_clean() {
    let mut rotation = Rotation::new();
    rotation.full = false;
    for night in 0..9_u32 {
        rotation
            .rotate(|live| write(&live.join(format!("public/system/night{night}.png")), night.to_string()));
        let report = rotation.verify();
        assert_eq!(codes(&report), [], "night {night}: {report:#?}");
        let summary = report.summary.unwrap();
        assert_eq!(summary.proved, summary.files, "night {night}");
    }
}

#[test]
fn a_restored_copy_elsewhere_is_new_and_clean() {
    let rotation = proved();
    let copy = rotation.at("copy");
    fs::rename(rotation.at("snapshots"), &copy).unwrap();
    fs::create_dir(rotation.at("snapshots")).unwrap();
    let status = std::process::Command::new("cp")
        .arg("-a")
        .arg(format!("{}/.", copy.display()))
        .arg(rotation.at("snapshots"))
        .status();
    assert!(status.unwrap().success());
    assert_eq!(codes(&rotation.verify()), []);
}

#[test]
fn generations_with_one_time_are_not_taken_for_each_other() {
    let rotation = Rotation::new();
    // Generations of different sizes, copied without their times.
    (0..3).for_each(|n| fs::remove_file(rotation.media(4, n)).unwrap());
    (0..7).for_each(|n| rotation.stamp(n, 2 * HOUR));
    for _ in 0..2 {
        let report = rotation.verify();
        assert_eq!(codes(&report), [], "{report:#?}");
    }
}

#[test]
fn a_rotation_or_deletion_during_the_walk_never_calls_a_good_backup_bad() {
    let mut rotation = Rotation::new();
    rotation.verify();
    for round in 0..6_u64 {
        let done = AtomicBool::new(false);
        let pid = rotation.at("rsnapshot.pid");
        thread::scope(|scope| {
            let verifying = scope.spawn(|| {
                let mut seen = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    seen.extend(codes(&rotation.verify()));
                }
                seen
            });
            thread::sleep(Duration::from_millis(3 * round));
            // As rsnapshot does it: the lock first.
            fs::write(&pid, std::process::id().to_string()).unwrap();
            fs::remove_dir_all(rotation.root(6)).unwrap();
            (0..6).rev().for_each(|n| fs::rename(rotation.root(n), rotation.root(n + 1)).unwrap());
            common::link(&rotation.root(1), &rotation.root(0));
            (0..7).for_each(|n| rotation.stamp(n, u64::from(n) * DAY + 2 * HOUR - round));
            fs::remove_file(&pid).unwrap();
            done.store(true, Ordering::Relaxed);
            let mut seen = verifying.join().unwrap();
            // While it is at work the newest is not judged; seen from one moment to the next a generation may lack.
            seen.retain(|c| !matches!(c, Code::BeingWritten | Code::RetentionShort | Code::NoBackup));
            assert_eq!(seen, [], "round {round}");
        });
        assert_eq!(codes(&rotation.verify()), [], "after round {round}");
    }
    rotation.full = false;
    assert_eq!(codes(&rotation.verify()), []);
}

//! Archives and dumps: what a good one shows, and faults planted in it, each found and named right.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare has failed")]

mod common;

use common::{codes, cut, fixture, flip, of_files, place, set_time, write};
use mastmaint_verify::{
    Backup, Code, Place, Report, Request, Severity,
    check::Env,
    dump::{Fit, Kind, Restorer, fit, read_dump},
    prove::Untold,
    stream, verify,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What a dump of the fixture and its file backup are laid out as.
struct Instance {
    place: tempfile::TempDir,
}

impl Instance {
    fn new() -> Self {
        let place = place();
        let live = place.path().join("files/live");
        fs::create_dir_all(live.join("public")).unwrap();
        let unpacked = Command::new("tar")
            .arg("-xzf")
            .arg(fixture("system.tar.gz"))
            .arg("-C")
            .arg(live.join("public"))
            .status();
        assert!(unpacked.unwrap().success());
        let instance = Self { place };
        instance.put(".env.production", "files/live/.env.production");
        write(&live.join("lib/mastodon/version.rb"), "def major\n 4\nend\ndef minor\n 6\nend\n");
        write(&live.join("db/migrate/20260611150940_newest.rb"), "x");
        instance
    }

    fn put(&self, name: &str, to: &str) -> PathBuf {
        let to = self.place.path().join(to);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(fixture(name), &to).unwrap();
        to
    }

    fn live(&self) -> PathBuf {
        self.place.path().join("files/live")
    }

    fn verify(&self, place: Place, max_age: Option<&str>) -> Report {
        self.verify_beside(place, Place::Tree { path: self.place.path().join("files") }, max_age)
    }

    fn verify_beside(&self, place: Place, files: Place, max_age: Option<&str>) -> Report {
        let mut backup = of_files(place);
        backup.max_age = max_age.map(|a| a.parse().unwrap());
        let files = Backup { live: Some("live".to_owned()), ..of_files(files) };
        let proofs = self.place.path().join("proofs");
        let files = matches!(backup.place, Place::Postgres { .. }).then_some(&files);
        let request = Request {
            name: "database",
            backup: &backup,
            files,
            inside: None,
            proofs: &proofs,
            scratch: self.place.path(),
            drills: None,
            boots: None,
            full: true,
            now: common::now(),
        };
        verify(&request, &Untold).unwrap()
    }

    fn postgres(&self, max_age: Option<&str>) -> Report {
        self.verify(Place::Postgres { path: self.place.path().join("dumps/mastodon-*") }, max_age)
    }

    /// The dump beside another file backup.
    fn with_files(&self, files: Place) -> Report {
        self.verify_beside(Place::Postgres { path: self.place.path().join("dumps/mastodon-*") }, files, None)
    }
}

/// Without what is only known by file time.
fn told(report: &Report) -> Vec<Code> {
    codes(report).into_iter().filter(|c| *c != Code::AgeByFileTime).collect()
}

/// The dumps of the fixture; archives only where there is a `pg_restore`, which `cargo xtask test` installs.
fn kinds() -> Vec<(&'static str, &'static str)> {
    let mut kinds = vec![("mastodon.sql.gz", "dumps/mastodon-1.sql.gz")];
    if Restorer::find().is_some() {
        kinds.push(("mastodon-pg15.dump", "dumps/mastodon-1.dump"));
    }
    kinds
}

/// One of them.
fn any_kind() -> (&'static str, &'static str) {
    kinds().pop().unwrap()
}

#[test]
fn a_good_dump_shows_exactly_what_is_true_of_it() {
    for (name, _) in kinds() {
        let path = fixture(name);
        let (mut files, mut local) = (0, 0);
        let mut count = |file: mastmaint_verify::dump::MediaFile| {
            files += 1;
            local += u32::from(file.is_local);
        };
        let (facts, broken) =
            read_dump(&path, &Kind::of(&path).unwrap(), Some("mast.test"), &mut count).unwrap();
        assert_eq!(broken, None);
        assert_eq!((facts.tables.len(), facts.views, facts.materialized), (115, 1, 3), "{name}");
        assert!(facts.has_timestamp_id);
        assert_eq!((facts.migrations.len(), facts.migrations.last()), (588, Some(&20_260_611_150_940)));
        assert_eq!((facts.count("accounts"), facts.count("statuses"), facts.local_statuses), (17, 64, 4));
        assert_eq!(facts.count("media_attachments"), 16);
        assert_eq!(facts.newest_status().unwrap().to_string(), "2026-11-23T04:28:16.844Z");
        assert_eq!((files, local, facts.foreign_statuses), (53, 1, 0), "{name}");
        let env = Env::parse(&fs::read_to_string(fixture(".env.production")).unwrap());
        assert!(matches!(fit(&env, &facts.sealed), Fit::Fits(_)), "{:?}", facts.sealed);
    }
}

#[test]
fn a_good_dump_with_its_files_has_no_findings() {
    for (name, to) in kinds() {
        let instance = Instance::new();
        instance.put(name, to);
        let report = instance.postgres(None);
        assert_eq!(told(&report), [], "{report:#?}");
        assert!(
            report.sentence.contains("1 uploads and 52 remote copies named, 53 found"),
            "{}",
            report.sentence
        );
    }
}

/// A dump cut at three places, packed, as an archive or as text; a flipped bit in a dump, packed or an archive.
#[test]
fn cut_or_flipped_a_dump_is_not_whole() {
    for (name, to) in kinds() {
        for share in [10, 60, 95] {
            let instance = Instance::new();
            cut(&instance.put(name, to), share);
            assert_eq!(told(&instance.postgres(None)), [Code::CutShort], "{name} cut at {share} %");
        }
        let instance = Instance::new();
        flip(&instance.put(name, to));
        let found = told(&instance.postgres(None));
        assert!(matches!(found[..], [Code::Damaged | Code::CutShort]), "{name} flipped: {found:?}");
    }
    let instance = Instance::new();
    let unpacked = Command::new("gzip").arg("-dc").arg(fixture("mastodon.sql.gz")).output().unwrap().stdout;
    for share in [30, 70, 99] {
        write(&instance.place.path().join("dumps/mastodon-1.sql"), &unpacked[..unpacked.len() * share / 100]);
        assert_eq!(told(&instance.postgres(None)), [Code::CutShort], "text cut at {share} %");
    }
}

#[test]
fn what_is_no_dump_says_so() {
    let cases: [(&str, &[u8]); 3] = [
        ("an empty dump", b""),
        ("an error message in place of a dump", b"pg_dump: error: connection to server failed"),
        ("gzip of nothing", &EMPTY_GZIP),
    ];
    for (what, content) in cases {
        let instance = Instance::new();
        write(&instance.place.path().join("dumps/mastodon-1.dump"), content);
        assert_eq!(told(&instance.postgres(None)), [Code::NotADump], "{what}");
    }
    let instance = Instance::new();
    write(&instance.place.path().join("dumps/mastodon-data/PG_VERSION"), "17");
    write(&instance.place.path().join("dumps/mastodon-data/global/1"), "x");
    assert_eq!(told(&instance.postgres(None)), [Code::RawDataDirectory], "a copied data directory");
    let instance = Instance::new();
    write(&instance.place.path().join("dumps/mastodon-directory/3456.dat.gz"), "x");
    assert_eq!(told(&instance.postgres(None)), [Code::NotADump], "a directory that is not done");
    let instance = Instance::new();
    fs::create_dir(instance.place.path().join("dumps")).unwrap();
    assert_eq!(told(&instance.postgres(None)), [Code::NoBackup], "no dump at all");
}

const EMPTY_GZIP: [u8; 20] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

#[test]
fn a_dump_that_pauses_while_it_is_written_is_not_judged_half_done() {
    let instance = Instance::new();
    let (name, to) = any_kind();
    let whole = fs::read(fixture(name)).unwrap();
    let path = instance.place.path().join(to);
    write(&path, &whole[..whole.len() / 2]);
    set_time(&path, common::now() - std::time::Duration::from_secs(5));
    let report = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Longer than two looks are apart.
            std::thread::sleep(std::time::Duration::from_secs(5));
            fs::write(&path, &whole).unwrap();
            set_time(&path, common::now() - std::time::Duration::from_hours(1));
        });
        instance.postgres(None)
    });
    assert_eq!(told(&report), [], "{report:#?}");
}

#[test]
fn a_dump_of_yesterday_under_the_name_of_today_is_old() {
    let instance = Instance::new();
    let path = instance.put("mastodon-pg15.dump", "dumps/mastodon-2026-11-23.dump");
    set_time(&path, common::now());
    // It says of itself that it was made at 04:28.
    assert!(told(&instance.postgres(Some("1h"))).contains(&Code::Overdue));
    if Restorer::find().is_some() {
        assert_eq!(told(&instance.postgres(Some("26h"))), []);
    }
}

#[test]
fn a_dump_that_does_not_belong_to_its_files_is_told() {
    type Case<'a> = (&'a str, &'a dyn Fn(&Instance), Code);
    let env = |text: fn(String) -> String| {
        move |instance: &Instance| {
            let path = instance.live().join(".env.production");
            let old = fs::read_to_string(&path).unwrap();
            fs::write(path, text(old)).unwrap();
        }
    };
    let domain = env(|t| t.replace("mast.test", "other.test"));
    let wrong =
        env(|t| t.replace("ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY=", "ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY=x"));
    let bucket = env(|t| t + "\nS3_ENABLED=true\n");
    let upload: fn(&Instance) -> PathBuf = |instance| {
        let found = Command::new("find")
            .arg(instance.live().join("public/system/media_attachments"))
            .args(["-type", "f"])
            .output();
        let found = String::from_utf8(found.unwrap().stdout).unwrap();
        PathBuf::from(found.lines().find(|l| l.contains("/original/")).unwrap())
    };
    let missing = move |i: &Instance| fs::remove_file(upload(i)).unwrap();
    let short = move |i: &Instance| cut(&upload(i), 50);
    let cases: [Case<'_>; 8] = [
        ("another instance", &domain, Code::OtherInstance),
        ("wrong keys", &wrong, Code::SecretsDoNotFit),
        ("an object storage", &bucket, Code::MediaElsewhere),
        ("an upload missing", &missing, Code::MediaMissing),
        ("an upload cut short", &short, Code::MediaSize),
        (
            "no .env.production",
            &|i| fs::remove_file(i.live().join(".env.production")).unwrap(),
            Code::NotChecked,
        ),
        (
            "newer than the code",
            &|i| {
                fs::remove_file(i.live().join("db/migrate/20260611150940_newest.rb")).unwrap();
                write(&i.live().join("db/migrate/20250101000000_old.rb"), "x");
            },
            Code::DumpNewerThanCode,
        ),
        (
            "older than the code",
            &|i| write(&i.live().join("db/post_migrate/20270101000000_new.rb"), "x"),
            Code::DumpOlderThanCode,
        ),
    ];
    for (what, plant, expected) in cases {
        let instance = Instance::new();
        let (name, to) = any_kind();
        instance.put(name, to);
        plant(&instance);
        assert_eq!(told(&instance.postgres(None)), [expected], "{what}");
    }
}

#[test]
fn a_dump_without_an_encrypted_value_says_nothing_of_the_keys() {
    let instance = Instance::new();
    let text = std::io::read_to_string(stream::open(&fixture("mastodon.sql.gz")).unwrap()).unwrap();
    let open = |field| if str::contains(field, r#"{"p":"#) { "\\N" } else { field };
    let plain: Vec<String> =
        text.lines().map(|l| l.split('\t').map(open).collect::<Vec<_>>().join("\t")).collect();
    write(&instance.place.path().join("dumps/mastodon-1.sql"), plain.join("\n") + "\n");
    let report = instance.postgres(None);
    assert_eq!((told(&report), report.worst()), (vec![Code::NothingEncrypted], Some(Severity::Info)));
}

#[test]
fn what_restore_database_would_not_load_is_known_before_it_is_needed() {
    let text = std::io::read_to_string(stream::open(&fixture("mastodon.sql.gz")).unwrap()).unwrap();
    let create = "DROP DATABASE mastodon_production;\nCREATE DATABASE mastodon_production;\n\\connect mastodon_production\n";
    // a dump of `pg_dump -C`
    let created = format!("--\n-- PostgreSQL database dump\n--\n\n{create}{text}");
    // a dump of `pg_dumpall`
    let ended = "--\n-- PostgreSQL database cluster dump complete\n--\n";
    let cluster =
        format!("--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE toot;\n{create}{text}\n{ended}");
    for (text, severity) in [(created, Severity::Warn), (cluster, Severity::Info)] {
        let instance = Instance::new();
        write(&instance.place.path().join("dumps/mastodon-1.sql"), text);
        let report = instance.postgres(None);
        assert_eq!((told(&report), report.worst()), (vec![Code::NotLoadable], Some(severity)));
        let found = report.findings.iter().find(|finding| finding.code == Code::NotLoadable).unwrap();
        assert!(found.what.contains("restore-database"), "{found:#?}");
    }
}

#[test]
fn an_upload_newer_than_the_file_backup_is_not_missing() {
    let instance = Instance::new();
    let (name, to) = any_kind();
    instance.put(name, to);
    let path = instance.live().join("public/system/media_attachments");
    fs::remove_dir_all(path).unwrap();
    let tar = pack(&instance, &[], "tars/a.tar");
    let codes = |made: &str| {
        set_time(&tar, made.parse().unwrap());
        let report = instance.with_files(Place::Tar { path: tar.clone() });
        told(&report)
    };
    assert_eq!(codes("2026-11-22T00:00:00Z"), [Code::MediaNewer], "an upload newer than the file backup");
    assert_eq!(codes("2026-11-23T06:00:00Z"), [Code::MediaMissing]);
}

#[test]
fn rot_in_an_old_dump_is_found_although_only_the_newest_is_read_to_its_end() {
    let instance = Instance::new();
    let old = instance.put("mastodon.sql.gz", "dumps/mastodon-0.sql.gz");
    set_time(&old, "2026-11-20T04:00:00Z".parse().unwrap());
    let (name, to) = any_kind();
    instance.put(name, to);
    assert_eq!(told(&instance.postgres(None)), []);
    flip(&old);
    assert_eq!(told(&instance.postgres(None)), [Code::Rot]);
}

fn pack(instance: &Instance, options: &[&str], to: &str) -> PathBuf {
    let to = instance.place.path().join(to);
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let status = Command::new("tar")
        .args(options)
        .arg("-cf")
        .arg(&to)
        .arg("-C")
        .arg(instance.place.path().join("files"))
        .arg("live")
        .status();
    assert!(status.unwrap().success());
    to
}

fn tar_backup(instance: &Instance) -> Report {
    let mut backup = of_files(Place::Tar { path: instance.place.path().join("tars/*") });
    backup.live = Some("live".to_owned());
    backup.require = vec!["live/.env.production".to_owned(), "live/public/system".to_owned()];
    backup.forbid = vec!["live/log".to_owned()];
    let proofs = instance.place.path().join("proofs");
    let request = Request {
        name: "tars",
        backup: &backup,
        files: None,
        inside: None,
        scratch: Path::new("/nonexistent"),
        proofs: &proofs,
        drills: None,
        boots: None,
        full: true,
        now: common::now(),
    };
    verify(&request, &Untold).unwrap()
}

#[test]
fn an_archive_that_breaks_off_was_not_read_to_its_end_and_a_disk_that_is_not_there_holds_none() {
    let instance = Instance::new();
    let none = tar_backup(&instance);
    assert_eq!(told(&none), [Code::NoBackup], "the directory is not there");
    let path = pack(&instance, &[], "tars/1.tar");
    let whole = tar_backup(&instance).sentence;
    assert!(whole.contains("read to its end"), "{whole}");
    let length = fs::metadata(&path).unwrap().len();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length / 2).unwrap();
    let cut = tar_backup(&instance).sentence;
    assert!(!cut.contains("read to its end") && cut.contains("before it breaks off"), "{cut}");
}

#[test]
fn the_newest_archive_is_compared_with_the_ones_before_it() {
    let instance = Instance::new();
    for night in 1..4 {
        let path = pack(&instance, &[], &format!("tars/{night}.tar"));
        set_time(&path, common::now() - std::time::Duration::from_hours(24 * (10 - night)));
        assert_eq!(told(&tar_backup(&instance)), []);
    }
    fs::remove_dir_all(instance.live().join("public/system/cache")).unwrap();
    let path = pack(&instance, &[], "tars/4.tar");
    set_time(&path, common::now());
    assert_eq!(told(&tar_backup(&instance)), [Code::Shrunk], "the older ones do not hide it");
}

#[test]
fn a_shorter_retention_is_no_loss() {
    let instance = Instance::new();
    for night in 1..6 {
        let path = pack(&instance, &[], &format!("tars/{night}.tar"));
        set_time(&path, common::now() - std::time::Duration::from_hours(24 * (10 - night)));
    }
    assert_eq!(told(&tar_backup(&instance)), []);
    for night in 1..5 {
        fs::remove_file(instance.place.path().join(format!("tars/{night}.tar"))).unwrap();
    }
    assert_eq!(told(&tar_backup(&instance)), []);
}

#[test]
fn archives_in_every_packing_are_read_to_their_end() {
    for (options, name) in [
        (&[][..], "tars/a.tar"),
        (&["-z"], "tars/a.tar.gz"),
        (&["--zstd"], "tars/a.tar.zst"),
        (&["-J"], "tars/a.tar.xz"),
    ] {
        let instance = Instance::new();
        // Large enough that its middle is content.
        let noise: Vec<u8> =
            (0..300_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        write(&instance.live().join("public/noise"), noise);
        let path = pack(&instance, options, name);
        assert_eq!(told(&tar_backup(&instance)), [], "{name}");
        if options.is_empty() {
            // A flipped bit in a plain tar, which has no checksum of content: the proof sees what nothing else does.
            flip(&path);
            assert_eq!(told(&tar_backup(&instance)), [Code::Rot], "{name} flipped");
        } else {
            // A flipped bit in a packed tar.
            flip(&path);
            let found = told(&tar_backup(&instance));
            assert!(
                found.contains(&Code::Damaged) && found.contains(&Code::Rot),
                "{name} flipped: {found:?}"
            );
        }
        // A tar cut at three places, in every packing.
        for share in [20, 50, 90] {
            let instance = Instance::new();
            cut(&pack(&instance, options, name), share);
            assert_eq!(told(&tar_backup(&instance)), [Code::CutShort], "{name} cut at {share} %");
        }
    }
    let instance = Instance::new();
    write(&instance.place.path().join("tars/a.tar"), "");
    assert_eq!(told(&tar_backup(&instance)), [Code::CutShort], "an empty tar");
}

#[test]
fn an_archive_is_complete_or_says_what_it_lacks() {
    let instance = Instance::new();
    fs::remove_file(instance.live().join(".env.production")).unwrap();
    write(&instance.live().join("log/production.log"), "x");
    pack(&instance, &[], "tars/a.tar");
    let report = tar_backup(&instance);
    assert_eq!(
        told(&report),
        [Code::RequiredMissing, Code::ForbiddenPresent],
        "a tar without .env.production"
    );
    assert_eq!(report.worst(), Some(Severity::Fail));
}

#[test]
fn a_dump_of_redis_is_whole_or_not() {
    let redis = |plant: fn(&Path)| {
        let instance = Instance::new();
        let path = instance.put("dump.rdb", "redis/dump.rdb");
        plant(&path);
        let report =
            instance.verify(Place::Redis { path: instance.place.path().join("redis/dump.rdb") }, None);
        // A redis-check-rdb of the host may be older than the dump.
        told(&report).into_iter().filter(|code| *code != Code::NotChecked).collect::<Vec<_>>()
    };
    assert_eq!(redis(|_| ()), []);
    assert_eq!(redis(flip), [Code::Damaged], "a flipped bit in a dump of Redis");
    assert_eq!(redis(|p| cut(p, 50)), [Code::CutShort], "a dump of Redis cut short");
    assert_eq!(redis(|p| fs::write(p, "no dump").unwrap()), [Code::NotADump], "no dump of Redis");
}

#[test]
fn an_archive_can_be_the_file_backup_of_a_dump() {
    let instance = Instance::new();
    let (name, to) = any_kind();
    instance.put(name, to);
    pack(&instance, &["-z"], "tars/a.tar.gz");
    let report = instance.with_files(Place::Tar { path: instance.place.path().join("tars/*") });
    assert_eq!(told(&report), [], "{report:#?}");
    assert!(report.sentence.contains("53 found"), "{}", report.sentence);
}

//! Dumps are brought to life in a real PostgreSQL: the fixture shows exactly what is true of it, faults planted in it
//! are found and named, and nothing is left behind, whatever is killed.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare has failed")]
#![expect(clippy::print_stdout, reason = "a test that leaves something out says so")]

mod boot;
#[path = "../common/mod.rs"]
mod common;
mod drill_room;

use common::{cut, fixture, flip};
use drill_room::{Room, before, codes, is_here, order};
use jiff::Timestamp;
use mastmaint_verify::{
    Backup, Code, Place, Request, Severity,
    backup::{DrillPlan, Every},
    drill::{Counts, Door, Drilled, Order, Shape},
    prove::Untold,
    stream, verify,
};
use mastmaint_words::Bytes;
use std::{fs, path::Path, process::Command, thread, time::Duration};

const ARCHIVE: Shape = Shape::Archive(1, 14);
const COMPLETE: &str = "--\n-- PostgreSQL database dump complete";

fn text() -> String {
    std::io::read_to_string(stream::open(&fixture("mastodon.sql.gz")).unwrap()).unwrap()
}

/// The text with statements before its end.
fn text_with(statements: &str) -> String {
    text().replace(COMPLETE, &format!("{statements}\n{COMPLETE}"))
}

/// As `pg_dumpall` writes it.
fn cluster_text() -> String {
    format!(
        "--\n-- PostgreSQL database cluster dump\n--\n\nCREATE ROLE mastodon;\nALTER ROLE mastodon WITH LOGIN CREATEDB;\n\
         CREATE ROLE postgres;\nALTER ROLE postgres WITH SUPERUSER;\n\\connect template1\n\
         CREATE DATABASE mastodon_production WITH TEMPLATE = template0 ENCODING = 'UTF8' LOCALE = 'C.UTF-8';\n\
         ALTER DATABASE mastodon_production OWNER TO mastodon;\n\\connect mastodon_production\n{}\n\
         --\n-- PostgreSQL database cluster dump complete\n--\n\n",
        text()
    )
}

fn is_what_is_true(drilled: &Drilled, what: &str) {
    let counts = drilled.drill.counts.unwrap();
    let expected = Counts {
        tables: 115,
        views: 1,
        materialized: 3,
        accounts: 17,
        local_accounts: 2,
        users: 1,
        statuses: 64,
        local_statuses: 4,
        media: 16,
        migrations: 588,
        newest_migration: 20_260_611_150_940,
        newest_status: Some("2026-11-23T04:28:16.844Z".parse().unwrap()),
    };
    assert_eq!(counts, expected, "{what}");
    assert!(codes(drilled).is_empty() && drilled.drill.is_good, "{what}: {:#?}", drilled.findings);
    let times = drilled.drill.times;
    assert!(times.restore > Duration::ZERO && times.total >= times.prepare + times.restore + times.ask);
    assert!(drilled.drill.bytes > 30 * 1024 * 1024, "{what}: {}", drilled.drill.bytes);
}

#[test]
fn every_kind_of_dump_comes_to_life_and_shows_exactly_what_is_true() {
    if !is_here() {
        return;
    }
    let room = Room::new();
    let archive = fixture("mastodon-pg15.dump");
    is_what_is_true(&room.drill(&order(ARCHIVE), &archive), "custom");
    // A dump of 17 in an older server too: what that does not know is harmless by its name.
    let packed = room.drill(&order(Shape::Text), &fixture("mastodon.sql.gz"));
    is_what_is_true(&packed, "plain, gzip");
    if packed.drill.server < Some(17) {
        assert_eq!(packed.drill.harmless, ["unrecognized configuration parameter \"transaction_timeout\""]);
    }
    let cluster = room.file("all.sql");
    fs::write(&cluster, cluster_text()).unwrap();
    let whole = room.drill(&order(Shape::Cluster), &cluster);
    is_what_is_true(&whole, "pg_dumpall");
    assert!(whole.drill.harmless.contains(&"role \"postgres\" already exists".to_owned()));
    let piped = room.drill_with_a_pause(&order(Shape::Text), &text(), |_| ()).unwrap();
    is_what_is_true(&piped, "through a pipe");
}

/// A dump cut at three places, and a flipped bit in one, are named while they come to life.
#[test]
fn what_is_not_whole_does_not_come_to_life() {
    if !is_here() {
        return;
    }
    let room = Room::new();
    let broken = |name: &str, shape: Shape, what: &str, plant: &dyn Fn(&Path)| {
        let path = room.file("broken");
        fs::copy(fixture(name), &path).unwrap();
        plant(&path);
        let drilled = room.drill(&order(shape), &path);
        let found = codes(&drilled);
        let is_named = matches!(found[..], [Code::CutShort | Code::Damaged | Code::RestoreErrors]);
        assert!(is_named, "{name} {what}: {:#?}", drilled.findings);
        assert!(!drilled.drill.is_good);
        found[0]
    };
    for share in [20, 60, 97] {
        let code = broken("mastodon-pg15.dump", ARCHIVE, "cut", &|p| cut(p, share));
        assert_eq!(code, Code::CutShort, "cut at {share} %");
    }
    broken("mastodon-pg15.dump", ARCHIVE, "flipped", &flip);
    let code = broken("mastodon.sql.gz", Shape::Text, "cut", &|p| cut(p, 60));
    assert_eq!(code, Code::CutShort);
    broken("mastodon.sql.gz", Shape::Text, "flipped", &flip);
    let plain = text();
    let cut_text = |p: &Path| {
        fs::write(p, &plain[..plain.find("-- PostgreSQL database dump complete").unwrap()]).unwrap();
    };
    let code = broken("mastodon.sql.gz", Shape::Text, "without its end", &cut_text);
    assert_eq!(code, Code::CutShort);
    let twice = |p: &Path| {
        fs::write(p, text_with("INSERT INTO public.schema_migrations VALUES ('20260611150940');")).unwrap();
    };
    let code = broken("mastodon.sql.gz", Shape::Text, "with a row twice", &twice);
    assert_eq!(code, Code::RestoreErrors, "a row that is there twice");
}

#[test]
fn what_is_restored_is_asked() {
    if !is_here() {
        return;
    }
    let room = Room::new();
    // Nothing wrong with the dump: it is not the one that was expected.
    let counts = Counts { local_accounts: 10, users: 1, local_statuses: 4, ..Counts::default() };
    let other = Order {
        domain: Some("other.test".to_owned()),
        code: [20_250_101_000_000].into(),
        before: Some(mastmaint_verify::drill::Drill { counts: Some(counts), ..before(1) }),
        assertions: [
            "SELECT count(*) = 17 FROM accounts",
            "SELECT count(*) > 1000000 FROM accounts",
            "SELECT no_such_column FROM accounts",
            "DELETE FROM accounts RETURNING true",
        ]
        .map(str::to_owned)
        .into(),
        ..order(ARCHIVE)
    };
    let drilled = room.drill(&other, &fixture("mastodon-pg15.dump"));
    let assertion = Code::AssertionFailed;
    let expected =
        [Code::OtherInstance, Code::DumpNewerThanCode, Code::Shrunk, assertion, assertion, assertion];
    // Another domain than expected, newer migrations than the code, fewer rows than in the last drill, an assertion
    // that does not hold.
    assert_eq!(codes(&drilled), expected, "{:#?}", drilled.findings);
    let evidence: Vec<_> = drilled.findings.iter().skip(3).map(|f| f.evidence[0].clone()).collect();
    assert_eq!(evidence[0], "answered: false");
    assert!(evidence[1].contains("no_such_column"), "{evidence:?}");
    assert!(evidence[2].contains("read-only"), "{evidence:?}");

    // A table missing and one without rows, an index that cannot be used, a table left over by a maintenance.
    let path = room.file("faults.sql");
    let faults = "DROP TABLE public.favourites CASCADE;\nTRUNCATE public.users CASCADE;\n\
        CREATE TABLE public.statuses_to_be_deleted (id bigint);\n\
        UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.index_accounts_on_uri'::regclass;";
    fs::write(&path, text_with(faults)).unwrap();
    let drilled = room.drill(&order(Shape::Text), &path);
    let expected = [Code::NotAMastodon, Code::IndexInvalid, Code::LeftoverTable];
    assert_eq!(codes(&drilled), expected, "{:#?}", drilled.findings);
    let lacks = &drilled.findings[0].evidence;
    assert_eq!(lacks[..], ["table favourites is missing", "table users has no rows"]);

    // A database of something else altogether, and what is only good to know.
    fs::write(&path, format!("CREATE TABLE notes (id int);\n{COMPLETE}\n")).unwrap();
    assert_eq!(codes(&room.drill(&order(Shape::Text), &path)), [Code::NotAMastodon]);
    let known = Order {
        code: [20_260_611_150_940, 20_270_101_000_000].into(),
        assertions: vec!["SELECT count(*) = 17 FROM accounts".to_owned()],
        ..order(ARCHIVE)
    };
    let drilled = room.drill(&known, &fixture("mastodon-pg15.dump"));
    assert_eq!(codes(&drilled), [Code::DumpOlderThanCode]);
    assert!(drilled.drill.is_good);
}

#[test]
fn a_full_disk_is_told_and_nothing_is_left() {
    if !is_here() {
        return;
    }
    let Some((room, _mounted)) = Room::on_a_small_disk("60m") else {
        println!("left out: only root can mount a small disk");
        return;
    };
    let dump = fixture("mastodon-pg15.dump");
    let drilled = room.drill(&order(ARCHIVE), &dump);
    assert_eq!(codes(&drilled), [Code::NoSpace], "too little space before it begins");
    assert!(drilled.findings[0].what.contains("no drill"), "{:?}", drilled.findings);
    let believing = Order { before: Some(before(1000)), ..order(ARCHIVE) };
    let drilled = room.drill(&believing, &dump);
    assert_eq!(codes(&drilled), [Code::NoSpace], "the disk full during a drill: {:#?}", drilled.findings);
    assert!(drilled.findings[0].what.contains("became full"), "{:?}", drilled.findings);
    let (room, _mounted) = Room::on_a_small_disk("200m").unwrap();
    let reserving = Order { reserve: 180 * 1024 * 1024, ..believing };
    let drilled = room.drill(&reserving, &dump);
    assert_eq!(codes(&drilled), [Code::NoSpace], "the reserve about to be touched: {:#?}", drilled.findings);
}

#[test]
fn a_verification_brings_the_newest_dump_to_life_when_that_is_due() {
    if !is_here() {
        return;
    }
    let room = Room::new();
    let place = common::place();
    let dumps = place.path().join("dumps");
    fs::create_dir(&dumps).unwrap();
    fs::copy(fixture("mastodon-pg15.dump"), dumps.join("mastodon-1.dump")).unwrap();
    let plan =
        DrillPlan { schedule: Every::Weekly, assertions: Vec::new(), reserve: Bytes::new(0), boot: false };
    let backup =
        Backup { drill: Some(plan), ..common::of_files(Place::Postgres { path: dumps.join("mastodon-*") }) };
    let night = |door: &Door, days: i64, full: bool| {
        let now = Timestamp::now() + Duration::from_hours(24) * u32::try_from(days).unwrap();
        let proofs = place.path().join("proofs");
        let request = Request {
            name: "database",
            backup: &backup,
            files: None,
            inside: None,
            proofs: &proofs,
            scratch: place.path(),
            drills: Some(door),
            boots: None,
            full,
            now,
        };
        verify(&request, &Untold).unwrap()
    };
    let door = room.door();
    let report = night(&door, 0, false);
    assert_eq!(report.worst(), None, "{report:#?}");
    let drill = report.drill.unwrap();
    assert!(drill.is_good && drill.counts.unwrap().tables == 115);
    assert!(report.sentence.contains("brought to life just now: restored in"), "{}", report.sentence);
    // Nobody there who would bring it to life.
    let nobody = Door::Socket(place.path().join("nobody"));
    let report = night(&nobody, 1, false);
    assert_eq!(report.worst(), None, "{report:#?}");
    assert!(report.sentence.contains("brought to life 1 d ago"), "{}", report.sentence);
    for (days, full) in [(7, false), (1, true)] {
        let report = night(&nobody, days, full);
        assert_eq!(common::codes(&report), [Code::DrillDied], "{report:#?}");
        assert!(report.drill.unwrap().is_good, "the last one stays known");
    }
    // One that cannot be read to its end is not tried.
    cut(&dumps.join("mastodon-1.dump"), 60);
    let report = night(&nobody, 8, false);
    assert!(!common::codes(&report).contains(&Code::DrillDied), "{report:#?}");
}

fn kill(pid: i32) {
    assert!(Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success());
}

#[test]
fn a_killed_server_is_told_and_nothing_is_left() {
    if !is_here() {
        return;
    }
    let room = Room::new();
    let text = text();
    for of_backend in [false, true] {
        let drilled = room.drill_with_a_pause(&order(Shape::Text), &text, |_| {
            kill(if of_backend { room.backend() } else { room.server() });
        });
        let drilled = drilled.unwrap();
        // PostgreSQL killed during a drill, the server or the process that restores.
        assert_eq!(codes(&drilled), [Code::DrillDied], "{:#?}", drilled.findings);
        assert_eq!(drilled.findings[0].severity, Severity::Fail);
        assert!(room.is_clean(), "something is left");
    }
}

#[test]
fn what_a_killed_drill_left_is_removed_by_the_next_one() {
    if !is_here() {
        return;
    }
    let room = Room::new();
    let died = room.drill_with_a_pause(&order(Shape::Text), &text(), |program| {
        room.backend();
        program.kill().unwrap();
    });
    assert!(died.is_err());
    assert!(!room.is_clean(), "a killed drill cannot have removed anything");
    is_what_is_true(&room.drill(&order(ARCHIVE), &fixture("mastodon-pg15.dump")), "the next one");
}

#[test]
fn who_does_not_wait_any_longer_ends_it() {
    if !is_here() {
        return;
    }
    let room = Room::new();
    let (mut program, connection) = room.start();
    let (reader, writer) = std::io::pipe().unwrap();
    let reader = std::os::fd::OwnedFd::from(reader);
    let gone = thread::scope(|scope| {
        let asking = scope.spawn(|| {
            struct Leaves<'a>(&'a Room);
            impl mastmaint_verify::prove::Tell for Leaves<'_> {
                fn is_cancelled(&self) -> bool {
                    self.0.server() > 0
                }
            }
            use std::os::fd::AsFd as _;
            let leaves = Leaves(&room);
            drill_room::ask(connection, &order(Shape::Text), &[reader.as_fd()], &leaves)
        });
        asking.join().unwrap()
    });
    assert!(matches!(gone, Err(mastmaint_verify::VerifyError::Cancelled)), "{gone:?}");
    assert!(!program.wait().unwrap().success());
    assert!(room.is_clean(), "something is left");
    drop(writer);
}

//! Whether code, secrets and database belong together; and a disk that becomes full.

use crate::{
    dumps::{SMALL_POSTS, fixture, small},
    ground::{Ground, Heard, ROLE, TODAY, run, site, until},
    server::of_who_serves,
    verify_room::VerifyRoom,
};
use mastmaint_database::{DatabaseError, Did, Pending, Wanted, back, fits, switch};
use mastmaint_words::database::Beside;
use std::{fs, path::Path, process::Command};

#[test]
fn services_start_on_nothing_that_does_not_fit() {
    let Some(ground) = Ground::new() else { return };
    let looked = |strict| {
        let (settings, heard) = (ground.settings(&[]), Heard::default());
        let pending = if strict { Pending::Refused } else { Pending::Told };
        let live = ground.live();
        let wanted = Wanted { loaded: None, after: None, live: &live, pending };
        let looked: Result<Did, DatabaseError> = fits(&site(&settings, &heard), &wanted);
        (looked.map_err(|error| error.code()), heard.all())
    };
    // No encrypted value yet: told.
    let (fine, said) = looked(true);
    assert!(matches!(fine.unwrap(), Did::Done(_)));
    assert!(said.contains("no encrypted value"), "{said}");
    // One of the fixture's, with its secrets and with others.
    ground.sql(TODAY, &format!("UPDATE users SET otp_secret = '{}'", sealed()));
    let (fine, said) = looked(true);
    assert!(fine.is_ok() && said.is_empty(), "{said}");
    let env = ground.live().join(".env.production");
    let right = fs::read_to_string(&env).unwrap();
    fs::write(&env, right.replace("PRIMARY_KEY=", "PRIMARY_KEY=x")).unwrap();
    assert_eq!(looked(false).0, Err("no-match-secrets".to_owned()));
    fs::write(&env, right).unwrap();
    // Code that is newer: told, or refused by who is strict; and older.
    let newer = ground.live().join("db/migrate/20270101000000_newer.rb");
    fs::write(&newer, "").unwrap();
    let Ok(Did::Done(said)) = looked(false).0 else { panic!("it is told only") };
    assert!(said.contains("(1 migration)") && said.ends_with(" [must-migrate]"), "{said}");
    assert_eq!(looked(true).0, Err("must-migrate".to_owned()));
    fs::remove_file(newer).unwrap();
    ground.sql(TODAY, "INSERT INTO schema_migrations VALUES ('20270101000000')");
    assert_eq!(looked(false).0, Err("no-match-code".to_owned()));
}

/// Before the switch, with the code and the secrets that come back: what is live says nothing about them.
#[test]
fn what_would_be_there_is_looked_at_before_it_is() {
    let Some(ground) = Ground::new() else { return };
    let (room, run) = (VerifyRoom::new(&ground), run("w"));
    room.dump("night.sql", small(SMALL_POSTS));
    let asked = |code: Option<&Path>| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_mastmaint-database"));
        program.arg("--live").arg(ground.live()).args(code.map(|_| "--code")).args(code);
        let done = program.args(["match", "--run", run.as_str()]).output().unwrap();
        let said = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        (done.status.success(), said.concat())
    };
    let (fine, said) = asked(None);
    assert!(!fine && said.contains("[not-loaded]"), "{said}");
    room.load(&room.order(&run)).0.unwrap();
    let (new, copy) = (Beside::New.name(TODAY, &run), ground.at.path().join("copy"));
    let (fine, said) = asked(None);
    assert!(fine && said.contains(&new), "today's code would do: {said}");

    // The code that comes back is older than the dump, whatever is live; then newer; then the live one is.
    fs::create_dir_all(copy.join("db/migrate")).unwrap();
    fs::write(copy.join("db/migrate/20200101000000_old.rb"), "").unwrap();
    let (fine, said) = asked(Some(&copy));
    assert!(!fine && said.contains("[no-match-code]") && said.contains(&new), "{said}");
    assert!(said.contains(&copy.display().to_string()), "it is the copy's code that is too old: {said}");
    let newest = "db/migrate/20260611150940_newest.rb";
    fs::rename(ground.live().join(newest), copy.join(newest)).unwrap();
    assert!(asked(Some(&copy)).0 && !asked(None).0);

    // The secrets that will count do not decrypt what was loaded; today's database has nothing to try them on.
    ground.sql(&new, &format!("UPDATE users SET otp_secret = '{}'", sealed()));
    assert!(asked(Some(&copy)).0);
    let env = ground.live().join(".env.production");
    let wrong = fs::read_to_string(&env).unwrap().replace("PRIMARY_KEY=", "PRIMARY_KEY=x");
    fs::write(&env, wrong).unwrap();
    let (fine, said) = asked(Some(&copy));
    assert!(!fine && said.contains("[no-match-secrets]"), "{said}");
    assert_eq!(ground.posts(TODAY), SMALL_POSTS + 2, "nothing was changed");
}

/// After a bad upgrade, with the dump of before and the code that stays: nothing is started on what would have to be
/// migrated first, but what was left to be run before is no reason, and the way back is always open.
#[test]
fn a_database_that_must_be_migrated_is_not_taken_for_one_that_fits() {
    let Some(ground) = Ground::new() else { return };
    let (room, run) = (VerifyRoom::new(&ground), run("m"));
    room.dump("night.sql", small(SMALL_POSTS));
    room.load(&room.order(&run)).0.unwrap();
    let asked = |arguments: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_mastmaint-database"));
        program.arg("--live").arg(ground.live()).arg("match").args(arguments);
        let done = program.output().unwrap();
        let said = [done.stdout, done.stderr].map(|text| String::from_utf8_lossy(&text).trim().to_owned());
        (done.status.success(), said.concat())
    };
    let before = || asked(&["--strict", "--run", run.as_str()]);
    let after = || asked(&["--strict", "--after", run.as_str()]);
    let (fine, said) = before();
    assert!(fine && !said.ends_with(']'), "{said}");

    // A post-deployment migration that is left today as well.
    fs::write(ground.live().join("db/post_migrate/20260801000000_later.rb"), "").unwrap();
    let (fine, said) = before();
    assert!(fine && said.ends_with("; left for after the deployment, as before: 1 migration"), "{said}");
    // The upgrade: its code and its migrations are there, and the dump is of before.
    fs::write(ground.live().join("db/migrate/20260901000000_upgrade.rb"), "").unwrap();
    ground.sql(TODAY, "INSERT INTO schema_migrations VALUES ('20260901000000')");
    let (fine, said) = before();
    assert!(!fine && said.ends_with("[must-migrate]") && said.contains("first (1 migration)"), "{said}");
    assert!(said.contains("mastmaintctl restore FILES DATABASE"), "{said}");
    // So after the switch; and the way back needs no migrations to be known.
    let (settings, heard) = (ground.settings(&[]), Heard::default());
    let site = site(&settings, &heard);
    switch(&site, &run).unwrap();
    let (fine, said) = after();
    assert!(!fine && said.ends_with("[must-migrate]"), "{said}");
    let (fine, said) = asked(&[]);
    assert!(fine && said.ends_with("[must-migrate]"), "a rollback is always possible, and told: {said}");
    back(&site, &run).unwrap();
    let (fine, said) = asked(&[]);
    assert!(fine && said.ends_with("; left for after the deployment: 1 migration"), "{said}");
    assert_eq!(ground.posts(TODAY), SMALL_POSTS + 2);
}

/// One of the fixture's, with its secrets.
fn sealed() -> String {
    let text = std::io::read_to_string(mastmaint_verify::stream::open(&fixture("mastodon.sql.gz")).unwrap())
        .unwrap();
    let sealed = text.lines().find(|line| line.contains("{\"p\":")).unwrap();
    let sealed = &sealed[sealed.find("{\"p\":").unwrap()..];
    sealed[..sealed.find("}}").unwrap() + 2].to_owned()
}

/// PostgreSQL's log of changes needs room beside the new database, or Mastodon stops with it.
#[test]
fn room_is_left_for_the_log_of_changes() {
    let Some(ground) = Ground::new() else { return };
    let room = VerifyRoom::new(&ground);
    room.dump("night.sql", small(SMALL_POSTS));
    // May it be asked where the data is, nothing has to be guessed.
    let guessed = |notes: &[String]| notes.iter().any(|note| note.contains("pg_read_all_settings"));
    let plan = room.load(&room.order(&run("u"))).0.unwrap();
    let is_known = plan.notes.iter().any(|note| note.contains("not known from here"));
    assert!(guessed(&plan.notes) || is_known, "{plan:#?}");
    ground.sql("postgres", &format!("GRANT pg_read_all_settings TO {ROLE}"));
    let plan = room.load(&room.order(&run("v"))).0.unwrap();
    assert!(!guessed(&plan.notes), "{plan:#?}");
    ground.sql("postgres", "ALTER SYSTEM SET max_wal_size = '1000TB'; SELECT pg_reload_conf()");
    until("it is heard", || ground.sql("postgres", "SHOW max_wal_size") == "1000TB");
    let error = room.load(&room.order(&run("z"))).0.unwrap_err();
    assert_eq!(error.code(), "no-space", "{error}");
    assert!(error.to_string().contains("log of changes"), "{error}");
}

/// The new database is made where today's is, and that disk is a small one.
#[test]
fn a_disk_that_becomes_full_leaves_nothing() {
    let Some(mut ground) = Ground::new() else { return };
    let small_disk = ground.at.path().join("small");
    fs::create_dir(&small_disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=16m,mode=0700", "tmpfs"])
        .arg(&small_disk)
        .status()
        .is_ok_and(|status| status.success());
    if !mounted {
        println!("left out: only root can mount a small disk");
        return;
    }
    of_who_serves(&small_disk);
    ground.sql(
        "postgres",
        &format!(
            "CREATE TABLESPACE small OWNER {ROLE} LOCATION '{}'; ALTER DATABASE {TODAY} SET TABLESPACE small",
            small_disk.display()
        ),
    );
    let room = VerifyRoom::new(&ground);
    room.dump("mastodon.dump", fs::read(fixture("mastodon-pg15.dump")).unwrap());
    let error = room.load(&room.order(&run("n"))).0.unwrap_err();
    assert_eq!(error.code(), "no-space", "{error}");
    assert_eq!(ground.databases(), [TODAY]);
    assert_eq!(ground.posts(TODAY), SMALL_POSTS + 2);
    drop(room);
    ground.end();
    assert!(Command::new("umount").arg(&small_disk).status().unwrap().success());
}

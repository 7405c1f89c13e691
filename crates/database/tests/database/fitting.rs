//! Whether code, secrets and database belong together; and a disk that becomes full.

use crate::{
    dumps::{SMALL_POSTS, fixture},
    ground::{Ground, Heard, ROLE, TODAY, run, site},
    server::of_who_serves,
    verify_room::VerifyRoom,
};
use mastmaint_database::{DatabaseError, Did, fits};
use std::{fs, process::Command};

#[test]
fn services_start_on_nothing_that_does_not_fit() {
    let Some(ground) = Ground::new() else { return };
    let looked = |strict| {
        let (settings, heard) = (ground.settings(&[]), Heard::default());
        let looked: Result<Did, DatabaseError> = fits(&site(&settings, &heard), strict);
        (looked.map_err(|error| error.code()), heard.all())
    };
    // No encrypted value yet: told.
    let (fine, said) = looked(true);
    assert!(matches!(fine.unwrap(), Did::Done(_)));
    assert!(said.contains("no encrypted value"), "{said}");
    // One of the fixture's, with its secrets and with others.
    let text = std::io::read_to_string(mastmaint_verify::stream::open(&fixture("mastodon.sql.gz")).unwrap())
        .unwrap();
    let sealed = text.lines().find(|line| line.contains("{\"p\":")).unwrap();
    let sealed = &sealed[sealed.find("{\"p\":").unwrap()..];
    let sealed = &sealed[..sealed.find("}}").unwrap() + 2];
    ground.sql(TODAY, &format!("UPDATE users SET otp_secret = '{sealed}'"));
    let (fine, said) = looked(true);
    assert!(fine.is_ok() && said.is_empty(), "{said}");
    let env = ground.live().join(".env.production");
    let right = fs::read_to_string(&env).unwrap();
    fs::write(&env, right.replace("PRIMARY_KEY=", "PRIMARY_KEY=x")).unwrap();
    assert_eq!(looked(false).0, Err("no-match-secrets".to_owned()));
    fs::write(&env, right).unwrap();
    // Code that is newer: told, or refused by who is strict; and older.
    let newer = ground.live().join("db/post_migrate/20270101000000_newer.rb");
    fs::write(&newer, "").unwrap();
    let (fine, said) = looked(false);
    assert!(fine.is_ok() && said.contains("1 migrations"), "{said}");
    assert_eq!(looked(true).0, Err("must-migrate".to_owned()));
    fs::remove_file(newer).unwrap();
    ground.sql(TODAY, "INSERT INTO schema_migrations VALUES ('20270101000000')");
    assert_eq!(looked(false).0, Err("no-match-code".to_owned()));
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

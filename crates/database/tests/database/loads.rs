//! Loads: every kind of dump, what is not whole, and what is refused beforehand.

use crate::{
    beyond::dumped,
    dumps::{SMALL_POSTS, fixture, small},
    ground::{Ground, ROLE, TODAY, run},
    verify_room::VerifyRoom,
};
use mastmaint_words::{
    backup::{Backup, Place},
    database::{Beside, LoadOrder},
};
use std::{fs, process::Command};

#[test]
fn every_kind_of_dump_is_loaded_and_todays_stays_as_it_was() {
    let Some(ground) = Ground::new() else { return };
    let room = VerifyRoom::new(&ground);
    let custom = fs::read(fixture("mastodon-pg15.dump")).unwrap();
    room.dump("mastodon.dump", &custom);
    let first = run("a");
    let (loaded, said) = room.load(&room.order(&first));
    let plan = loaded.unwrap();
    assert!(plan.sentence.contains("115 tables, 1 user, 4 posts of this instance"), "{plan:#?}");
    assert!(plan.rows > 500 && plan.bytes > 10 * 1024 * 1024, "{plan:#?}");
    assert!(said.contains("mastodon.dump, made "), "{said}");
    // Today's has an older post than the fixture's youngest, by its id.
    assert_eq!(plan.would_be_lost, [] as [&str; 0], "{plan:#?}");
    let new = Beside::New.name(TODAY, &first);
    assert_eq!(ground.databases(), [TODAY, &new]);
    assert_eq!(ground.sql(&new, "SELECT count(*) FROM accounts"), "17");
    // Asked again it is there at once, also when the dump is gone.
    fs::remove_file(room.dumps().join("mastodon.dump")).unwrap();
    let (again, said) = room.load(&room.order(&first));
    assert_eq!(again.unwrap(), plan);
    assert!(said.contains("it was loaded before"), "{said}");

    // A directory, of what was loaded; what the run before has loaded stays.
    fs::remove_dir_all(room.dumps()).unwrap();
    fs::create_dir(room.dumps()).unwrap();
    let mut dump = Command::new(ground.bin.join("pg_dump"));
    dump.args(["-Fd", "-U", ROLE, "-p", &ground.port.to_string(), "-h"]).arg(ground.socket());
    assert!(dump.arg("-f").arg(room.dumps().join("directory")).arg(&new).status().unwrap().success());
    room.is_of_before("directory");
    let second = run("b");
    let (loaded, said) = room.load(&room.order(&second));
    assert!(loaded.unwrap().sentence.contains("115 tables, 1 user, 4 posts"));
    assert!(said.contains(&format!("{new} of {first} is loaded too and stays")), "{said}");
    assert_eq!(ground.databases(), [TODAY, &new, &Beside::New.name(TODAY, &second)]);

    // Text that is packed, from a newer server than this one may be.
    room.dump("mastodon.sql.gz", fs::read(fixture("mastodon.sql.gz")).unwrap());
    let (loaded, _) = room.load(&room.order(&run("c")));
    assert!(loaded.unwrap().sentence.contains("115 tables, 1 user, 4 posts"));

    // Plain text, and what only today's database has.
    room.dump("mastodon.sql", small(SMALL_POSTS));
    let (loaded, _) = room.load(&room.order(&run("d")));
    let plan = loaded.unwrap();
    assert!(plan.sentence.contains("3 posts of this instance"), "{plan:#?}");
    assert_eq!(plan.would_be_lost, ["2 posts of this instance, the newest of 2026-11-26T01:00:00Z"]);
    assert_eq!(ground.posts(TODAY), SMALL_POSTS + 2);

    // One that lies in another backup comes through a pipe.
    let tree = ground.at.path().join("tree");
    fs::create_dir_all(tree.join("srv")).unwrap();
    fs::rename(room.dumps().join("mastodon.sql"), tree.join("srv/inner.sql")).unwrap();
    let order = room.order(&run("n"));
    let files = Backup { place: Place::Tree { path: tree }, ..order.backup.clone() };
    let dumps = Place::Postgres { path: "srv/*.sql".into() };
    let backup = Backup { place: dumps, inside: Some("files".parse().unwrap()), ..order.backup.clone() };
    let (loaded, said) = room.load(&LoadOrder { backup, inside: Some(files), ..order });
    assert!(loaded.unwrap().sentence.starts_with("inner.sql in tree, made "), "{said}");
}

#[test]
fn what_is_not_whole_leaves_nothing() {
    let Some(ground) = Ground::new() else { return };
    let room = VerifyRoom::new(&ground);
    let custom = fs::read(fixture("mastodon-pg15.dump")).unwrap();
    let packed = fs::read(fixture("mastodon.sql.gz")).unwrap();
    let flipped = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        bytes
    };
    let small = small(SMALL_POSTS);
    let complete = "--\n-- PostgreSQL database dump complete";
    let witness = ground.at.path().join("witness");
    // Who wrote it knows the key that is in it.
    let command = format!("\\unrestrict abc\n\\! touch {}\n{complete}", witness.display());
    let command = small.replace(complete, &command);
    let twice = small.replace(complete, &format!("INSERT INTO public.users VALUES (1);\n{complete}"));
    let empty =
        small.replace("COPY public.users (id) FROM stdin;\n1\n", "COPY public.users (id) FROM stdin;\n");
    let cases: [(&str, Vec<u8>, &[&str]); 9] = [
        ("cut.dump", custom[..custom.len() * 6 / 10].to_vec(), &["cut-short"]),
        ("flipped.dump", flipped(&custom), &["damaged", "restore-errors"]),
        ("cut.sql.gz", packed[..packed.len() * 6 / 10].to_vec(), &["cut-short"]),
        ("flipped.sql.gz", flipped(&packed), &["damaged", "restore-errors"]),
        ("cut.sql", small[..small.find(complete).unwrap()].into(), &["cut-short"]),
        ("twice.sql", twice.into(), &["restore-errors"]),
        ("command.sql", command.into(), &["restore-errors"]),
        ("empty.sql", empty.into(), &["not-a-mastodon"]),
        (
            "all.sql",
            format!("--\n-- PostgreSQL database cluster dump\n--\n\n{small}").into(),
            &["not-loadable"],
        ),
    ];
    for (name, content, codes) in cases {
        room.dump(name, content);
        let (loaded, _) = room.load(&room.order(&run("e")));
        let error = loaded.unwrap_err();
        assert!(codes.contains(&error.code().as_str()), "{name}: {error} [{}]", error.code());
        assert_eq!(ground.databases(), [TODAY], "{name}");
    }
    assert!(!witness.exists(), "a command in a dump was run");
    assert_eq!(ground.posts(TODAY), SMALL_POSTS + 2);
}

#[test]
fn what_nothing_speaks_for_and_what_the_role_may_not_is_refused() {
    let Some(ground) = Ground::new() else { return };
    let room = VerifyRoom::new(&ground);
    room.dump("night.sql", small(SMALL_POSTS));
    let proved = LoadOrder { unproved: false, ..room.order(&run("f")) };
    let code = |order: &LoadOrder| room.load(order).0.unwrap_err().code();
    assert_eq!(code(&proved), "not-proved");
    room.verified("other.sql");
    assert_eq!(code(&proved), "not-proved");
    let named = LoadOrder { dump: Some("none.sql".to_owned()), ..proved.clone() };
    assert_eq!(code(&named), "no-dump");

    let lacking = LoadOrder { variables: vec!["DB_HOST".to_owned()], ..room.order(&run("f")) };
    assert_eq!(code(&lacking), "no-variable");

    ground.sql("postgres", &format!("ALTER ROLE {ROLE} NOCREATEDB"));
    let named = LoadOrder { dump: Some("night.sql".to_owned()), ..proved.clone() };
    let error = room.load(&named).0.unwrap_err();
    assert_eq!(error.code(), "no-right");
    assert!(error.to_string().contains("ALTER ROLE \"toot\" CREATEDB"), "{error}");
    ground.sql("postgres", &format!("ALTER ROLE {ROLE} CREATEDB; ALTER DATABASE {TODAY} OWNER TO postgres"));
    let error = room.load(&named).0.unwrap_err();
    assert!(error.to_string().contains("ALTER DATABASE \"social\" OWNER TO \"toot\""), "{error}");
    ground.sql("postgres", &format!("ALTER DATABASE {TODAY} OWNER TO {ROLE}"));
    assert_eq!(ground.databases(), [TODAY]);

    // Everything that can come along does, and what cannot is told.
    ground.sql(
        "postgres",
        &format!(
            "ALTER DATABASE {TODAY} SET work_mem = '8MB'; ALTER DATABASE {TODAY} SET search_path = \"$user\", public; \
             ALTER ROLE grafana IN DATABASE {TODAY} SET statement_timeout = '5s'; ALTER DATABASE {TODAY} CONNECTION LIMIT 77; \
             REVOKE ALL ON DATABASE {TODAY} FROM PUBLIC; GRANT CONNECT ON DATABASE {TODAY} TO grafana"
        ),
    );
    ground.sql(TODAY, "GRANT SELECT ON accounts, users TO grafana");
    let grafana = ground.session(TODAY, "grafana", "SELECT 1");
    room.verified("night.sql");
    let plan = room.load(&proved).0.unwrap();
    drop(grafana);
    assert!(plan.notes.iter().any(|note| note.contains("of grafana (psql)")), "{plan:#?}");
    let differs = plan.differs.join("\n");
    assert!(differs.contains("grafana has rights on 2 tables today and on 0"), "{differs}");
    assert!(differs.contains("ALTER ROLE \"grafana\" IN DATABASE"), "{differs}");
    let new = Beside::New.name(TODAY, &run("f"));
    let of = |name: &str| {
        ground.sql(
            "postgres",
            &format!(
                "SELECT d.datconnlimit, d.datacl, pg_get_userbyid(d.datdba), d.datcollate, d.datctype, d.encoding, \
                 (SELECT array_agg(c ORDER BY c) FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE s.setdatabase = d.oid AND s.setrole = 0) \
                 FROM pg_database d WHERE d.datname = '{name}'"
            ),
        )
    };
    assert_eq!(of(&new), of(TODAY));
    assert!(of(&new).contains("77") && of(&new).contains("work_mem=8MB"), "{}", of(&new));
}

/// An extension that a superuser has made for people, as `pg_repack` or `amcheck`: Mastodon does not need it.
#[test]
fn what_only_a_superuser_makes_does_not_keep_a_dump_from_coming_back() {
    let Some(ground) = Ground::new() else { return };
    ground.sql(TODAY, "CREATE EXTENSION amcheck");
    let room = VerifyRoom::new(&ground);
    for (tail, name, format) in [("h", "mastodon.dump", "-Fc"), ("j", "mastodon.sql", "-Fp")] {
        room.dump(name, dumped(&ground, "postgres", &[format]));
        let plan = room.load(&room.order(&run(tail))).0.unwrap();
        assert!(plan.notes.iter().any(|note| note.contains("create extension \"amcheck\"")), "{plan:#?}");
        let differs = plan.differs.join("\n");
        assert!(
            differs.contains("the extension amcheck is in today's database and not in the new one"),
            "{differs}"
        );
        assert_eq!(ground.posts(&Beside::New.name(TODAY, &run(tail))), SMALL_POSTS + 2);
    }
    // What needs it is missed: then it does not come back whole.
    ground.sql(
        TODAY,
        "CREATE EXTENSION pg_buffercache; CREATE VIEW buffers AS SELECT bufferid FROM pg_buffercache",
    );
    room.dump("mastodon.dump", dumped(&ground, "postgres", &["-Fc"]));
    let error = room.load(&room.order(&run("k"))).0.unwrap_err();
    assert_eq!(error.code(), "restore-errors", "{error}");
    assert!(error.to_string().contains("pg_buffercache"), "{error}");
}

//! Dumps that reach beyond the database into which they go: today's stays, whatever they say.

use crate::{
    dumps::{SMALL_POSTS, small},
    ground::{Ground, ROLE, TODAY, run},
    verify_room::VerifyRoom,
};
use mastmaint_database::answer;
use mastmaint_verify::load::Outcome;
use std::{os::unix::net::UnixStream, process::Command, sync::Mutex, sync::atomic::AtomicBool, thread};

/// Which database it is, whatever it is named, and what is in it.
fn today(ground: &Ground) -> (String, u64) {
    let oid = ground.sql("postgres", &format!("SELECT oid FROM pg_database WHERE datname = '{TODAY}'"));
    (oid, ground.posts(TODAY))
}

/// What `pg_dump` of today's database writes as text.
pub(crate) fn dumped(ground: &Ground, user: &str, arguments: &[&str]) -> Vec<u8> {
    let mut dump = Command::new(ground.bin.join("pg_dump"));
    dump.args(arguments).args(["-U", user, "-p", &ground.port.to_string(), "-h"]).arg(ground.socket());
    let done = dump.arg(TODAY).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

#[test]
fn a_dump_that_drops_and_makes_the_database_is_not_loaded() {
    let Some(ground) = Ground::new() else { return };
    let room = VerifyRoom::new(&ground);
    let before = today(&ground);
    assert_eq!(before.1, SMALL_POSTS + 2);
    let dump = dumped(&ground, ROLE, &["-c", "-C"]);
    let small = small(SMALL_POSTS);
    let complete = "--\n-- PostgreSQL database dump complete";
    let late = |statement: &str| {
        // Far behind what is looked at beforehand.
        let rows = (10..60_000).map(|n| format!("{n}\n")).collect::<Vec<_>>().concat();
        let rows = format!("COPY public.follows (id) FROM stdin;\n{rows}\\.\n\n{statement}\n");
        small.replace(complete, &format!("{rows}{complete}")).into_bytes()
    };
    let password = || {
        ground.sql("postgres", &format!("SELECT rolpassword IS NULL FROM pg_authid WHERE rolname = '{ROLE}'"))
    };
    for (name, content) in [
        ("all.sql", dump.clone()),
        ("if.sql", dumped(&ground, ROLE, &["-c", "-C", "--if-exists"])),
        ("made.sql", dumped(&ground, ROLE, &["-C"])),
        ("all.sql.gz", dump),
        ("forced.sql", late(&format!("DROP DATABASE {TODAY} WITH (FORCE);"))),
        ("role.sql", late(&format!("ALTER ROLE {ROLE} PASSWORD 'x';"))),
    ] {
        let plain = name.trim_end_matches(".gz");
        let path = room.dump(plain, content);
        if plain != name {
            assert!(Command::new("gzip").arg("-n").arg(path).status().unwrap().success());
            room.is_of_before(name);
        }
        let error = room.load(&room.order(&run("q"))).0.unwrap_err();
        assert_eq!(error.code(), "not-loadable", "{name}: {error}");
        assert!(error.to_string().contains("pg_dump -C"), "{name}: {error}");
        assert_eq!((ground.databases(), today(&ground)), (vec![TODAY.to_owned()], before.clone()), "{name}");
        assert_eq!(password(), "t", "{name}");
    }
}

/// Whatever gets past all looks: the server itself drops and renames no database on which somebody is.
#[test]
fn todays_cannot_be_dropped_or_renamed_while_a_dump_is_loaded() {
    let Some(ground) = Ground::new() else { return };
    let (room, run) = (VerifyRoom::new(&ground), run("r"));
    room.dump("night.sql", small(SMALL_POSTS));
    let before = today(&ground);
    let tried = Mutex::new(Vec::new());
    let reach = |point: &'static str| {
        // From before the new one is made to the end of the load.
        let statement = match point {
            "load.create" => format!("DROP DATABASE {TODAY}"),
            "load.mark" => format!("ALTER DATABASE {TODAY} RENAME TO gone"),
            _ => return,
        };
        let done =
            ground.psql("postgres", ROLE).args(["-v", "VERBOSITY=sqlstate", "-c", &statement]).output();
        tried.lock().unwrap().push(String::from_utf8_lossy(&done.unwrap().stderr).trim().to_owned());
    };
    let (ours, theirs) = UnixStream::pair().unwrap();
    let never = AtomicBool::new(false);
    let outcome = thread::scope(|scope| {
        let asked = scope.spawn(|| room.handed_over(ours, &run));
        answer(&theirs, &room.accepted(), &never, &reach).unwrap();
        drop(theirs);
        asked.join().unwrap().unwrap()
    });
    assert!(matches!(outcome, Outcome::Loaded(_)), "{outcome:?}");
    let tried = tried.into_inner().unwrap();
    assert_eq!(tried.len(), 2);
    assert!(tried.iter().all(|said| said.ends_with("ERROR:  55006")), "{tried:?}");
    assert_eq!(today(&ground), before);
}

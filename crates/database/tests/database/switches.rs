//! The switch, the way back, and what is dropped.

use crate::{
    dumps::{SMALL_POSTS, small},
    ground::{Ground, Heard, ROLE, TODAY, run, site},
    verify_room::VerifyRoom,
};
use mastmaint_database::{Did, back, prune, switch};
use mastmaint_words::database::Beside;
use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

fn done(did: &Did) -> &str {
    match did {
        Did::Done(sentence) => sentence,
        Did::Nothing(sentence) => panic!("nothing to do: {sentence}"),
    }
}

#[test]
fn there_and_back_and_dropped() {
    let Some(ground) = Ground::new() else { return };
    let room = VerifyRoom::new(&ground);
    let (settings, heard) = (ground.settings(&[]), Heard::default());
    let (site, run) = (site(&settings, &heard), run("g"));
    let name = |which: Beside| which.name(TODAY, &run);
    assert_eq!(switch(&site, &run).unwrap_err().code(), "not-loaded");
    assert!(matches!(back(&site, &run).unwrap(), Did::Nothing(_)));
    assert!(matches!(prune(&site, &run).unwrap(), Did::Nothing(_)));
    room.dump("night.sql", small(SMALL_POSTS));
    room.load(&room.order(&run)).0.unwrap();

    // Somebody else is connected; then somebody of ours who works, then one who has forgotten a console.
    let foreign = ground.session(TODAY, "grafana", "SELECT 1");
    let error = switch(&site, &run).unwrap_err();
    assert_eq!(error.code(), "foreign-sessions");
    assert!(error.to_string().contains("of grafana (psql)"), "{error}");
    drop(foreign);
    let busy = ground.session(TODAY, ROLE, "BEGIN");
    assert_eq!(switch(&site, &run).unwrap_err().code(), "sessions-at-work");
    drop(busy);
    assert_eq!(ground.databases(), [TODAY, &name(Beside::New)]);
    // What keeps the second of the two from its name keeps the first from it as well.
    let new = name(Beside::New);
    ground.sql(&new, "BEGIN; CREATE TABLE left_open (id int); PREPARE TRANSACTION 'open'");
    let error = switch(&site, &run).unwrap_err();
    assert_eq!(error.code(), "database-refused", "{error}");
    assert_eq!(
        (ground.databases(), ground.posts(TODAY)),
        (vec![TODAY.to_owned(), new.clone()], SMALL_POSTS + 2)
    );
    ground.sql(&new, "ROLLBACK PREPARED 'open'");
    let idle = ground.session(TODAY, ROLE, "SELECT 1");

    // Whoever looks sees one database of today's name, whatever is done.
    let (is_over, looks) = (AtomicBool::new(false), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let sql = format!("SELECT count(*) FROM pg_database WHERE datname = '{TODAY}'");
                assert_eq!(ground.sql("postgres", &sql), "1");
                looks.store(true, Ordering::Relaxed);
            }
        });
        let switched = switch(&site, &run);
        is_over.store(true, Ordering::Relaxed);
        assert!(done(&switched.unwrap()).contains(&name(Beside::Before)));
    });
    assert!(looks.load(Ordering::Relaxed));
    assert!(heard.all().contains("ended idle sessions of toot"), "{}", heard.all());
    drop(idle);
    assert_eq!(ground.databases(), [TODAY, &name(Beside::Before)]);
    assert_eq!((ground.posts(TODAY), ground.posts(&name(Beside::Before))), (SMALL_POSTS, SMALL_POSTS + 2));
    assert!(done(&switch(&site, &run).unwrap()).contains("already"));
    // Loading it again would be a restore of its own.
    assert_eq!(room.load(&room.order(&run)).0.unwrap(), room.record(&run).plan);

    assert!(done(&back(&site, &run).unwrap()).contains(&name(Beside::Restored)));
    assert_eq!(ground.databases(), [TODAY, &name(Beside::Restored)]);
    assert_eq!((ground.posts(TODAY), ground.posts(&name(Beside::Restored))), (SMALL_POSTS + 2, SMALL_POSTS));
    assert!(done(&back(&site, &run).unwrap()).contains("already"));
    assert_eq!(switch(&site, &run).unwrap_err().code(), "not-loaded");

    // Nothing is dropped while today's database is not one that somebody lives in, or while somebody looks into it.
    ground.sql(TODAY, "ALTER TABLE users RENAME TO elsewhere; CREATE TABLE users (id bigint)");
    let error = prune(&site, &run).unwrap_err();
    assert_eq!(error.code(), "today-unfit", "{error}");
    ground.sql(TODAY, "DROP TABLE users; ALTER TABLE elsewhere RENAME TO users");
    let looking = ground.session(&name(Beside::Restored), "grafana", "SELECT 1");
    assert_eq!(prune(&site, &run).unwrap_err().code(), "foreign-sessions");
    drop(looking);
    assert!(done(&prune(&site, &run).unwrap()).contains(&format!("dropped {}", name(Beside::Restored))));
    assert_eq!(ground.databases(), [TODAY]);

    // On a bare server there is nothing to go back to.
    ground.sql("postgres", &format!("DROP DATABASE {TODAY}"));
    let run = crate::ground::run("k");
    room.load(&room.order(&run)).0.unwrap();
    done(&switch(&site, &run).unwrap());
    assert_eq!((ground.databases(), ground.posts(TODAY)), (vec![TODAY.to_owned()], SMALL_POSTS));
    assert_eq!(back(&site, &run).unwrap_err().code(), "no-before");
}

/// What a person sees of it.
#[test]
fn the_program_says_what_came_of_it() {
    let Some(ground) = Ground::new() else { return };
    let room = VerifyRoom::new(&ground);
    room.dump("night.sql", small(SMALL_POSTS));
    let (first, second) = (run("h"), run("j"));
    let verb = |words: &[&str]| {
        let mut program = Command::new(env!("CARGO_BIN_EXE_mastmaint-database"));
        program.arg("--live").arg(ground.live()).args(words);
        let done = program.output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        let last = |text: &str| text.lines().last().unwrap_or_default().to_owned();
        (done.status.code().unwrap(), last(&out), last(&err))
    };
    let (status, _, error) = verb(&["switch", "--run", first.as_str()]);
    assert_eq!(status, 1);
    assert!(error.starts_with("mastmaint-database: error: ") && error.ends_with(" [not-loaded]"), "{error}");
    assert_eq!(verb(&["back", "--run", first.as_str()]).0, 3);
    room.load(&room.order(&first)).0.unwrap();
    let (status, said, _) = verb(&["switch", "--run", first.as_str()]);
    assert_eq!((status, said.contains("is the restored database now")), (0, true), "{said}");
    // One after another: the first cannot be taken back while the second is switched in.
    room.load(&room.order(&second)).0.unwrap();
    assert_eq!(verb(&["switch", "--run", second.as_str()]).0, 0);
    let (status, _, error) = verb(&["back", "--run", first.as_str()]);
    assert_eq!((status, error.ends_with(" [mixed]")), (1, true), "{error}");
    assert_eq!(verb(&["back", "--run", second.as_str()]).0, 0);
    assert_eq!(verb(&["back", "--run", first.as_str()]).0, 0);
    assert_eq!(ground.posts(TODAY), SMALL_POSTS + 2);
    let (status, said, _) = verb(&["match"]);
    assert_eq!((status, said.contains("fits the code")), (0, true), "{said}");
}

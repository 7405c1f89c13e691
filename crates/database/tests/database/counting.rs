//! Whose settings count: those of the copy, where it was decided so, whatever is live.

use crate::{
    dumps::{SMALL_POSTS, small},
    ground::{Ground, ROLE, TODAY, run},
    verify_room::VerifyRoom,
};
use mastmaint_words::{RunId, database::Beside, restore::Restoring};
use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::Command,
    time::{Duration, UNIX_EPOCH},
};

const NAME: &str = "social_of_then";

/// As the copy of files leaves it: the tree, and beside it its settings, which name another database.
fn copied(ground: &Ground, from: &Path, run: &RunId) {
    let live = ground.live();
    let (copy, kept) = (Restoring::copy(&live, run), Restoring::settings(&live, run));
    fs::create_dir_all(&kept).unwrap();
    fs::rename(from, &copy).unwrap();
    let env = ground.env().replace(&format!("DB_NAME={TODAY}\n"), &format!("DB_NAME={NAME}\n"));
    fs::write(copy.join(".env.production"), &env).unwrap();
    fs::write(kept.join(".env.production"), &env).unwrap();
    let found = fs::metadata(&copy).unwrap();
    let born = found.created().map_or(Duration::ZERO, |at| at.duration_since(UNIX_EPOCH).unwrap());
    let tree = format!(r#"{{"device":0,"number":{},"born":{}}}"#, found.ino(), born.as_nanos());
    fs::write(kept.join(Restoring::TREE), tree).unwrap();
}

fn asked(ground: &Ground, verb: &str, run: &RunId) -> String {
    let mut program = Command::new(env!("CARGO_BIN_EXE_mastmaint-database"));
    let done = program.arg("--live").arg(ground.live()).args([verb, "--run", run.as_str()]).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{verb}: {said}");
    String::from_utf8_lossy(&done.stdout).into_owned()
}

#[test]
fn each_verb_goes_to_the_database_that_the_copy_names() {
    let Some(ground) = Ground::new() else { return };
    let (room, run) = (VerifyRoom::new(&ground), run("m"));
    let name = |which: Beside| which.name(NAME, &run);
    ground.sql("postgres", &format!("CREATE DATABASE {NAME} OWNER {ROLE}"));
    ground.fill(NAME, &small(SMALL_POSTS + 2));
    // `rm -rf live`.
    let wrecked = ground.at.path().join("wrecked");
    fs::rename(ground.live(), &wrecked).unwrap();
    copied(&ground, &wrecked, &run);

    room.dump("night.sql", small(SMALL_POSTS));
    let plan = room.load(&room.order(&run)).0.unwrap();
    assert!(plan.notes.iter().any(|note| note.contains(NAME) && note.contains("--env")), "{plan:?}");
    assert!(!plan.differs.iter().any(|d| d.contains("than the code")), "the copy has it: {plan:?}");
    assert_eq!(ground.databases(), [TODAY, NAME, &name(Beside::New)], "nothing is beside the one of today");
    asked(&ground, "ready", &run);
    fs::rename(Restoring::copy(&ground.live(), &run), ground.live()).unwrap();
    asked(&ground, "switch", &run);
    assert_eq!((ground.posts(NAME), ground.posts(TODAY)), (SMALL_POSTS, SMALL_POSTS + 2));
    asked(&ground, "back", &run);
    assert_eq!(ground.posts(NAME), SMALL_POSTS + 2);
    // The files are taken back, too: nothing is live again, and what was loaded is found all the same.
    fs::rename(ground.live(), ground.at.path().join("restored")).unwrap();
    assert!(asked(&ground, "prune", &run).contains(&name(Beside::Restored)));
    assert_eq!(ground.databases(), [TODAY, NAME]);
}

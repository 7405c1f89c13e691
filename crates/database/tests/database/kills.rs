//! Killed by SIGKILL at every step, and asked again: there is always a database of today's name, it is one of the two and
//! never something between, and what was begun ends as it should.

use crate::{
    dumps::{SMALL_POSTS, small},
    ground::{Ground, Heard, TODAY, run, site},
    verify_room::VerifyRoom,
};
use mastmaint_database::{Did, Settings, answer, back, switch};
use mastmaint_words::{RunId, database::Beside};
use std::{
    collections::BTreeMap,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{net::UnixStream, process::ExitStatusExt as _},
    },
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::AtomicBool,
};

const LOAD: [&str; 6] =
    ["load.create", "load.created", "load.filled", "load.mark", "load.marked", "load.answer"];
const SWITCH: [&str; 4] = ["switch", "rename", "renamed", "switched"];
const BACK: [&str; 4] = ["back", "rename", "renamed", "backed"];

/// A verb in a process of its own that dies at this point.
pub(crate) fn deadly(
    ground: &Ground,
    verb: &str,
    run: &RunId,
    point: &str,
    over: &[(&str, &str)],
) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "kills::child", "--ignored"])
        .env("DATABASE_VERB", verb)
        .env("DATABASE_RUN", run.as_str())
        .env("DATABASE_POINT", point)
        .env("DATABASE_LIVE", ground.live())
        .env("DATABASE_PAUSED", ground.paused())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    for (name, value) in over {
        command.env(format!("OVER_{name}"), value);
    }
    command
}

pub(crate) fn died(mut child: Child, point: &str) {
    assert_eq!(child.wait().unwrap().signal(), Some(9), "{point} was not reached");
}

#[test]
#[ignore = "the process that is killed by the others"]
fn child() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let point = variable("DATABASE_POINT");
    let reach = |reached: &'static str| {
        if reached == point {
            let own = rustix::process::getpid();
            rustix::process::kill_process(own, rustix::process::Signal::KILL).unwrap();
        }
    };
    let run: RunId = variable("DATABASE_RUN").parse().unwrap();
    if variable("DATABASE_VERB") == "load" {
        let connection = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
        let accepted = variable("DATABASE_ACCEPTED");
        let never = AtomicBool::new(false);
        answer(&UnixStream::from(connection), Path::new(&accepted), &never, &reach).unwrap();
        return;
    }
    let over: BTreeMap<String, String> =
        std::env::vars().filter_map(|(n, v)| Some((n.strip_prefix("OVER_")?.to_owned(), v))).collect();
    let (live, paused) = (variable("DATABASE_LIVE"), variable("DATABASE_PAUSED"));
    let settings = Settings::read(Path::new(&live), Path::new(&live), &BTreeMap::new(), &over).unwrap();
    let heard = Heard::default();
    let paused = Some(Path::new(&paused));
    let site = mastmaint_database::Site { reach: &reach, paused, ..site(&settings, &heard) };
    let verb = if variable("DATABASE_VERB") == "switch" { switch } else { back };
    verb(&site, &run).unwrap();
}

/// Either all of the switch has happened, or nothing.
fn is_one_of_two(ground: &Ground, run: &RunId, at: &str) {
    let name = |which: Beside| which.name(TODAY, run);
    let there = ground.databases();
    let is = match there.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [today, other] if today == TODAY && other == name(Beside::New) => SMALL_POSTS + 2,
        [today, other] if today == TODAY && other == name(Beside::Before) => SMALL_POSTS,
        [today, other] if today == TODAY && other == name(Beside::Restored) => SMALL_POSTS + 2,
        _ => panic!("{at}: {there:?}"),
    };
    assert_eq!(ground.posts(TODAY), is, "{at}");
}

#[test]
fn a_load_ends_as_loaded_or_as_nothing() {
    let Some(ground) = Ground::new() else { return };
    let room = VerifyRoom::new(&ground);
    room.dump("night.sql", small(SMALL_POSTS));
    let mut loaded_by_now = Vec::new();
    for (point, tail) in LOAD.iter().zip(["p", "q", "r", "s", "t", "v"]) {
        let run = run(tail);
        let (ours, theirs) = UnixStream::pair().unwrap();
        let child = {
            // It keeps the other end open for as long as it is there.
            let mut command = deadly(&ground, "load", &run, point, &[]);
            command.env("DATABASE_ACCEPTED", room.accepted()).stdin(OwnedFd::from(theirs)).spawn().unwrap()
        };
        let died_there = room.handed_over(ours, &run);
        assert!(died_there.is_err(), "{point}");
        died(child, point);
        assert_eq!(ground.posts(TODAY), SMALL_POSTS + 2, "{point}");
        let (loaded, said) = room.load(&room.order(&run));
        assert!(loaded.unwrap().sentence.contains("3 posts"), "{point}: {said}");
        let new = Beside::New.name(TODAY, &run);
        // What the runs before have loaded stays, and half of one is left of none.
        loaded_by_now.push(new.clone());
        assert_eq!(ground.databases()[1..], loaded_by_now, "{point}");
        assert_eq!(ground.posts(&new), SMALL_POSTS, "{point}");
        assert_eq!(said.contains("loaded already"), ["load.marked", "load.answer"].contains(point), "{said}");
    }
}

#[test]
fn a_switch_and_the_way_back_are_all_or_nothing() {
    let Some(ground) = Ground::new() else { return };
    let room = VerifyRoom::new(&ground);
    room.dump("night.sql", small(SMALL_POSTS));
    let (settings, heard) = (ground.settings(&[]), Heard::default());
    let site = site(&settings, &heard);
    for (there, tail) in SWITCH.iter().zip(["w", "x", "y", "z"]) {
        let run = run(tail);
        room.load(&room.order(&run)).0.unwrap();
        died(deadly(&ground, "switch", &run, there, &[]).spawn().unwrap(), there);
        is_one_of_two(&ground, &run, there);
        assert!(matches!(switch(&site, &run).unwrap(), Did::Done(_)), "{there}");
        is_one_of_two(&ground, &run, there);
        assert_eq!(ground.posts(TODAY), SMALL_POSTS, "{there}");
        let here = BACK[SWITCH.iter().position(|p| p == there).unwrap()];
        died(deadly(&ground, "back", &run, here, &[]).spawn().unwrap(), here);
        is_one_of_two(&ground, &run, here);
        assert!(matches!(back(&site, &run).unwrap(), Did::Done(_)), "{here}");
        is_one_of_two(&ground, &run, here);
        assert_eq!(ground.posts(TODAY), SMALL_POSTS + 2, "{here}");
        mastmaint_database::prune(&site, &run).unwrap();
    }
}

/// Who asked is gone in the middle: nothing is left, and the next one need not wait.
#[test]
fn who_does_not_wait_any_longer_leaves_nothing() {
    let Some(ground) = Ground::new() else { return };
    let room = VerifyRoom::new(&ground);
    room.dump("night.sql", small(SMALL_POSTS));
    let run = run("m");
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_mastmaint-database"))
        .arg("--accepted")
        .arg(room.accepted())
        .arg("load")
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // A pipe in which only the beginning of the dump comes.
    let (dump, mut writer) = std::io::pipe().unwrap();
    let text = small(SMALL_POSTS);
    std::io::Write::write_all(&mut writer, &text.as_bytes()[..text.len() / 2]).unwrap();
    let asking = room.ask_by(ours, &run, dump, &|| {
        ground.databases().len() > 1
            && ground
                .sql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE datname LIKE 'social_new%'")
                == "1"
    });
    assert!(asking.is_err());
    program.wait().unwrap();
    assert_eq!(ground.databases(), [TODAY]);
    room.load(&room.order(&run)).0.unwrap();
}

//! Real files: whom they may belong to, how large they may be; and the store of accepted configurations.

use super::loaded;
use crate::{InUse, MAX_FILES, Source, Store, StoreError, Trust, load};
use mastmaint_words::{Digest, Room, StepIndex};
use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, symlink},
    path::Path,
};

const GOOD: &str = "jobs: {a: {steps: [{run: /bin/true}]}}\n";

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    mode(path, 0o640);
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn codes(directory: &Path) -> Vec<&'static str> {
    let uid = directory.metadata().unwrap().uid();
    let source = Source { main: directory.join("m.yaml"), trust: Trust::Invoker { uid } };
    load(&source).map_or_else(|r| r.mistakes.iter().map(crate::Diagnostic::code).collect(), |_| vec![])
}

#[test]
fn files_are_judged_before_they_are_read() {
    let scratch = tempfile::tempdir().unwrap();
    let d = scratch.path().join("etc");
    fs::create_dir(&d).unwrap();
    mode(&d, 0o750);
    let main = d.join("m.yaml");
    assert_eq!(codes(&d), ["cannot-read"]);
    write(&main, GOOD);
    assert_eq!(codes(&d), [""; 0]);
    mode(&main, 0o660);
    assert_eq!(codes(&d), ["writable-by-others"]);
    mode(&main, 0o640);
    mode(&d, 0o770);
    assert_eq!(codes(&d), ["writable-by-others"]);
    mode(&d, 0o750);
    write(&main, &" ".repeat(70_000));
    assert_eq!(codes(&d), ["too-large"]);
    fs::write(&main, b"jobs: {\xff}").unwrap();
    assert_eq!(codes(&d), ["not-utf8"]);
    fs::remove_file(&main).unwrap();
    nix::unistd::mkfifo(&main, nix::sys::stat::Mode::S_IRUSR).unwrap();
    assert_eq!(codes(&d), ["not-a-file"]);
    fs::remove_file(&main).unwrap();
    // A link into a directory that others may write is as good as their file.
    let elsewhere = scratch.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    write(&elsewhere.join("m.yaml"), GOOD);
    symlink(elsewhere.join("m.yaml"), &main).unwrap();
    mode(&elsewhere, 0o777);
    assert_eq!(codes(&d), ["writable-by-others"]);
    mode(&elsewhere, 0o755);
    assert_eq!(codes(&d), [""; 0]);
}

#[test]
fn fragments_are_read_in_the_order_of_their_names() {
    let scratch = tempfile::tempdir().unwrap();
    let d = scratch.path();
    fs::create_dir(d.join("conf.d")).unwrap();
    mode(&d.join("conf.d"), 0o755);
    write(&d.join("m.yaml"), GOOD);
    write(&d.join("conf.d/20.yaml"), "jobs: {b: {steps: []}}\n");
    write(&d.join("conf.d/10.yaml"), "jobs: {b: {steps: [{run: /bin/true}]}}\n");
    write(&d.join("conf.d/30.yaml.dpkg-old"), "rubbish: [");
    assert_eq!(codes(d), ["duplicate-job", "empty-steps"]);
    fs::remove_file(d.join("conf.d/20.yaml")).unwrap();
    assert_eq!(codes(d), [""; 0]);
}

#[test]
fn somebody_elses_file_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let main = scratch.path().join("m.yaml");
    write(&main, GOOD);
    let own = main.metadata().unwrap().uid();
    if own == 0 {
        std::os::unix::fs::chown(&main, Some(12_345), None).unwrap();
    }
    let rejection = load(&Source { main, trust: Trust::Root }).unwrap_err();
    assert_eq!(rejection.mistakes[0].code(), "wrong-owner");
}

#[test]
fn root_trusts_root_and_nobody_else() {
    // Not below a temporary directory: TMPDIR may belong to anybody, and all directories above count.
    let is_root = nix::unistd::geteuid().is_root();
    let scratch =
        if is_root { tempfile::tempdir_in("/var/lib").unwrap() } else { tempfile::tempdir().unwrap() };
    let main = scratch.path().join("m.yaml");
    write(&main, GOOD);
    let answer = load(&Source { main: main.clone(), trust: Trust::Root });
    if is_root {
        answer.unwrap();
        std::os::unix::fs::chown(scratch.path(), Some(12_345), None).unwrap();
        let rejection = load(&Source { main, trust: Trust::Root }).unwrap_err();
        assert_eq!(
            rejection.mistakes[0].code(),
            "wrong-owner",
            "whoever owns the directory can swap the file"
        );
    } else {
        assert_eq!(answer.unwrap_err().mistakes[0].code(), "wrong-owner");
    }
}

#[test]
fn more_files_than_are_read_are_refused_by_name() {
    let scratch = tempfile::tempdir().unwrap();
    let d = scratch.path();
    fs::create_dir(d.join("conf.d")).unwrap();
    mode(&d.join("conf.d"), 0o755);
    write(&d.join("m.yaml"), GOOD);
    let fragment = |n: usize| d.join(format!("conf.d/{n:03}.yaml"));
    (1..MAX_FILES).for_each(|n| write(&fragment(n), ""));
    assert_eq!(codes(d), [""; 0]);
    write(&fragment(MAX_FILES), "");
    write(&fragment(MAX_FILES + 1), "");
    let uid = d.metadata().unwrap().uid();
    let source = Source { main: d.join("m.yaml"), trust: Trust::Invoker { uid } };
    let mistakes = load(&source).unwrap_err().mistakes;
    assert_eq!(mistakes.len(), 1);
    assert_eq!(mistakes[0].code(), "too-many-files");
    assert_eq!(mistakes[0].at, fragment(MAX_FILES).display().to_string());
    // Few files, but large ones.
    (1..=MAX_FILES + 1).for_each(|n| fs::remove_file(fragment(n)).unwrap());
    (1..=4).for_each(|n| write(&fragment(n), &"#\n".repeat(32_000)));
    assert_eq!(codes(d), [""; 0]);
    (5..=6).for_each(|n| write(&fragment(n), &"#\n".repeat(32_000)));
    assert_eq!(codes(d), ["too-many-files"]);
}

fn numbered(n: usize) -> crate::Loaded {
    loaded(&format!(
        "instance: {{environment: {{A: s3cret}}}}\njobs: {{j{n}: {{steps: [{{tootctl: cache clear}}, {{run: /bin/true, environment: {{B: t0ken}}}}]}}}}\n"
    ))
}

#[test]
fn each_reader_gets_its_part_and_no_more() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::new(scratch.path().join("accepted"));
    let all = numbered(0);
    store.put(&all, InUse::These(&[])).unwrap();
    let job = "j0".parse().unwrap();
    let view = store.room_view(Room::Run, &all.digest).unwrap();
    assert_eq!(view.step(&job, StepIndex(1)), Some(&all.settings.jobs["j0"].steps[1]));
    assert_eq!(view.step(&job, StepIndex(0)), None);
    store.daemon_view(&all.digest).unwrap();
    let text = |part: &str| {
        let path = scratch.path().join("accepted").join(part).join(format!("{}.json", all.digest));
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o640);
        fs::read_to_string(path).unwrap()
    };
    assert!(text("tootctl").contains("s3cret") && !text("tootctl").contains("t0ken"));
    assert!(text("run").contains("t0ken") && !text("run").contains("s3cret"));
    for part in ["daemon", "systemctl"] {
        assert!(!text(part).contains("s3cret") && !text(part).contains("t0ken"), "{part}");
    }
}

#[test]
fn what_a_run_uses_stays() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::new(scratch.path());
    let digests: Vec<Digest> = (0..8)
        .map(|n| {
            let all = numbered(n);
            store.put(&all, InUse::These(&[numbered(0).digest])).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(10));
            all.digest
        })
        .collect();
    let kept: Vec<_> = (0..8).filter(|n| store.daemon_view(&digests[*n]).is_ok()).collect();
    assert_eq!(kept, [0, 5, 6, 7]);
    assert!(matches!(store.daemon_view(&digests[3]), Err(StoreError::Absent { .. })));
}

#[test]
fn a_damaged_one_is_not_obeyed() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::new(scratch.path());
    let (one, other) = (numbered(1), numbered(2));
    store.put(&one, InUse::These(&[])).unwrap();
    let path = scratch.path().join("daemon").join(format!("{}.json", one.digest));
    fs::write(&path, "{").unwrap();
    assert_eq!(store.daemon_view(&one.digest).unwrap_err().code(), "store-damaged");
    store.put(&other, InUse::These(&[])).unwrap();
    fs::copy(scratch.path().join("daemon").join(format!("{}.json", other.digest)), &path).unwrap();
    assert_eq!(store.daemon_view(&one.digest).unwrap_err().code(), "store-damaged");
}

#[test]
fn every_mistake_about_files_is_told_once() {
    let scratch = tempfile::tempdir().unwrap();
    let d = scratch.path();
    fs::create_dir(d.join("conf.d")).unwrap();
    write(&d.join("m.yaml"), GOOD);
    write(&d.join("conf.d/10.yaml"), "");
    write(&d.join("conf.d/20.yaml"), "");
    mode(&d.join("conf.d"), 0o777);
    assert_eq!(codes(d), ["writable-by-others"], "one directory, whatever is in it");
    let main = d.join("m.yaml");
    mode(&main, 0o666);
    let own = main.metadata().unwrap().uid();
    let stranger = Source { main: main.clone(), trust: Trust::Invoker { uid: own.wrapping_add(1) } };
    if own == 0 {
        std::os::unix::fs::chown(&main, Some(12_345), None).unwrap();
    }
    let mistakes = load(&stranger).unwrap_err().mistakes;
    let of_main: Vec<_> =
        mistakes.iter().filter(|m| m.at == main.display().to_string()).map(crate::Diagnostic::code).collect();
    assert_eq!(of_main, ["wrong-owner", "writable-by-others"]);
    let root = load(&Source { main, trust: Trust::Invoker { uid: 0 } }).unwrap_err().mistakes;
    assert!(root.iter().all(|m| !m.headline().contains("or user id 0")), "{root:?}");
}

#[test]
fn what_is_stored_already_is_left_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::new(scratch.path());
    let all = numbered(1);
    store.put(&all, InUse::These(&[])).unwrap();
    let parts = ["daemon", "tootctl", "systemctl", "run"];
    let file = |part: &str| scratch.path().join(part).join(format!("{}.json", all.digest));
    let written = parts.map(|part| file(part).metadata().unwrap().ino());
    // Nothing can be written any more, as on a full disk: a directory stands where the draft would be.
    for part in parts {
        fs::create_dir(scratch.path().join(part).join(format!(".{}.{}", all.digest, std::process::id())))
            .unwrap();
    }
    store.put(&all, InUse::These(&[])).unwrap();
    assert_eq!(parts.map(|part| file(part).metadata().unwrap().ino()), written);
    // One part differs: only that one has to be written.
    fs::write(file("run"), "{").unwrap();
    assert_eq!(store.put(&all, InUse::These(&[])).unwrap_err().code(), "store-io");
    fs::remove_dir(scratch.path().join("run").join(format!(".{}.{}", all.digest, std::process::id())))
        .unwrap();
    store.put(&all, InUse::These(&[])).unwrap();
    store.room_view(Room::Run, &all.digest).unwrap();
}

#[test]
fn nothing_is_thrown_away_while_it_is_unknown_what_runs_use() {
    let scratch = tempfile::tempdir().unwrap();
    let store = Store::new(scratch.path());
    let all: Vec<_> = (0..8).map(numbered).collect();
    for one in &all {
        store.put(one, InUse::Unknown).unwrap();
    }
    for one in &all {
        store.daemon_view(&one.digest).unwrap();
    }
}

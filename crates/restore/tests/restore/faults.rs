//! What may be wrong with a backup, with the host, and with who else is on it.

use crate::common::{Host, content, is_root, read, site, write};
use mastmaint_restore::{Did, RestoreError, Site, Tell, Told, prepare, switch};
use mastmaint_words::restore::{Phase, RestoreOrder};
use std::{
    fs,
    os::unix::fs::{MetadataExt as _, lchown, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

/// Does something each time that a file is done.
struct Meanwhile<'a>(&'a (dyn Fn(u64) + Sync), AtomicU64);

impl Tell for Meanwhile<'_> {
    fn progress(&self, _: Told) {
        (self.0)(self.1.fetch_add(1, Ordering::Relaxed) + 1);
    }
}

fn prepared(host: &Host, meanwhile: &(dyn Fn(u64) + Sync)) -> Result<Did, RestoreError> {
    let (state, proofs) = (host.path("state"), host.path("verify/proofs"));
    let tell = Meanwhile(meanwhile, AtomicU64::new(0));
    prepare(&Site { tell: &tell, ..site(&state, &proofs) }, &host.order)
}

/// Refused with this code, and nothing of live was touched.
fn refused(host: &Host, code: &str, meanwhile: &(dyn Fn(u64) + Sync)) -> String {
    let before = content(&host.live(""));
    let error = prepared(host, meanwhile).unwrap_err();
    assert_eq!(error.code(), code, "{error}");
    assert!(content(&host.live("")) == before, "live was changed");
    assert!(matches!(host.journal().phase, Phase::Refused { code: noted, .. } if noted == code));
    assert!(!host.staged("").exists(), "half a copy was left");
    assert!(host.asked(switch).is_err());
    error.to_string()
}

const NOTHING: &(dyn Fn(u64) + Sync) = &|_| ();

#[test]
fn a_file_that_rots_after_it_was_proved_is_named_and_nothing_is_switched() {
    let host = Host::new();
    let path = host.in_backup("public/packs/application.css");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "BODY {}\n").unwrap();
    fs::File::open(&path).unwrap().set_modified(time).unwrap();
    assert!(refused(&host, "rot", NOTHING).contains("public/packs/application.css"));
    // A proof that is there is believed whatever is asked for.
    let host = Host { order: RestoreOrder { unproved: true, ..host.order.clone() }, ..host };
    refused(&host, "rot", NOTHING);
}

#[test]
fn what_nothing_speaks_for_is_restored_only_if_that_is_asked_for() {
    let mut host = Host::unverified();
    assert!(refused(&host, "not-proved", NOTHING).contains("never verified"));
    host.verify();
    write(&host.in_backup("app/since.rb"), "not proved");
    assert!(refused(&host, "not-proved", NOTHING).contains("app/since.rb"));
    host.order.unproved = true;
    assert_eq!(host.asked(prepare).unwrap(), Did::Done);
    assert!(host.journal().plan.notes.iter().any(|n| n.contains("app/since.rb")));
}

#[test]
fn what_cannot_be_restored_is_said_beforehand() {
    let host = Host::new();
    fs::rename(host.live(""), host.path("elsewhere")).unwrap();
    symlink(host.path("elsewhere"), host.path("home/mastodon/live")).unwrap();
    assert_eq!(host.asked(prepare).unwrap_err().code(), "live-is-a-link");
    let mut host = Host::new();
    host.order.snapshot = Some("daily.3".to_owned());
    refused(&host, "no-generation", NOTHING);
    let mut host = Host::new();
    host.order.user = "nobody-of-that-name".to_owned();
    refused(&host, "no-user", NOTHING);
    let host = Host::new();
    fs::remove_file(host.in_backup("lib/mastodon/version.rb")).unwrap();
    refused(&host, "no-mastodon", NOTHING);
    let mut host = Host::new();
    host.order.backup.place = serde_json::from_str(r#"{"kind":"postgres","path":"/backup/a.dump"}"#).unwrap();
    refused(&host, "not-files", NOTHING);
}

#[test]
fn the_place_of_copies_must_be_ours() {
    let host = Host::new();
    let staging = host.path("home/mastodon/.mastmaintd-restore");
    fs::create_dir(host.path("planted")).unwrap();
    symlink(host.path("planted"), &staging).unwrap();
    assert_eq!(host.asked(prepare).unwrap_err().code(), "staging-is-foreign");
    assert_eq!(fs::read_dir(host.path("planted")).unwrap().count(), 0);
    fs::remove_file(&staging).unwrap();
    fs::create_dir(&staging).unwrap();
    if is_root() {
        lchown(&staging, Some(1), Some(1)).unwrap();
        assert_eq!(host.asked(prepare).unwrap_err().code(), "staging-is-foreign");
    }
}

#[test]
fn only_who_tries_it_out_may_look_into_a_prepared_copy() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let modes = || {
        let mode = |path: &Path| fs::metadata(path).unwrap();
        [mode(host.staged("").parent().unwrap()), mode(&host.staged(""))]
            .map(|m| (m.mode() & 0o7777, m.gid()))
    };
    prepared(&host, &|_| assert_eq!(modes(), [(0o700, 0); 2], "nobody while it is written")).unwrap();
    assert_eq!(modes(), [(0o700, 0); 2]);
    let host = Host::new();
    let (state, proofs) = (host.path("state"), host.path("verify/proofs"));
    prepare(&Site { group: Some("daemon"), ..site(&state, &proofs) }, &host.order).unwrap();
    let of_group = |path: PathBuf| {
        let found = fs::metadata(path).unwrap();
        (found.mode() & 0o7777, found.uid(), found.gid())
    };
    assert_eq!(of_group(host.staged("")), (0o750, 0, 1));
    assert_eq!(of_group(host.staged("..")), (0o750, 0, 1));
}

#[test]
fn a_verification_is_not_kept_waiting() {
    let host = Host::new();
    let done = AtomicBool::new(false);
    prepared(&host, &|_| {
        if !done.swap(true, Ordering::Relaxed) {
            host.verify();
        }
    })
    .unwrap();
    assert!(done.into_inner());
}

#[test]
fn what_is_planted_in_the_backup_during_the_copy_is_not_followed() {
    let host = Host::new();
    let message = refused(&host, "backup-changed", &|count| {
        if count == 1 {
            fs::rename(host.in_backup("public/packs"), host.path("packs")).unwrap();
            symlink("/etc", host.in_backup("public/packs")).unwrap();
        }
    });
    assert!(message.contains("changed while it was copied"), "{message}");
}

#[test]
fn what_is_planted_in_the_copy_is_not_followed() {
    let host = Host::new();
    fs::create_dir(host.path("outside")).unwrap();
    let message = refused(&host, "io", &|count| {
        if count == 1 {
            symlink(host.path("outside"), host.staged("live/lib")).unwrap();
        }
    });
    assert!(message.contains("live/lib: make in the copy"), "{message}");
    assert_eq!(fs::read_dir(host.path("outside")).unwrap().count(), 0);
}

#[test]
fn a_copy_with_another_owner_is_not_switched_in() {
    if !is_root() {
        return;
    }
    let host = Host::new();
    let message = refused(&host, "copy-differs", &|_| {
        let _ = lchown(host.staged("live/app/models/account.rb"), Some(0), Some(0));
    });
    assert!(message.contains("another owner"), "{message}");
}

#[test]
fn an_archive_ends_before_the_disk_is_full() {
    if !is_root() {
        return;
    }
    let mut host = Host::unverified();
    write(&host.in_backup("large"), &"x".repeat(40 << 20));
    let archive = host.path("a.tar");
    let tar =
        Command::new("tar").arg("-cf").arg(&archive).arg("-C").arg(host.path("backup")).arg("home").status();
    assert!(tar.unwrap().success());
    host.order.backup.place =
        serde_json::from_str(&format!(r#"{{"kind":"tar","path":"{}"}}"#, archive.display())).unwrap();
    host.verify();
    let _small = moved(&mut host, "40m");
    assert!(refused(&host, "no-space", NOTHING).contains("Make room"));
}

/// A small file system, unmounted at the end.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path, size: &str) -> Self {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={size},mode=755");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at).status();
        assert!(done.unwrap().success());
        Self(at.to_owned())
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Moves today's instance onto a file system of its own.
fn moved(host: &mut Host, size: &str) -> Small {
    let small = Small::mount(&host.path("small"), size);
    let done = Command::new("cp").arg("-a").arg(host.path("home")).arg(&small.0).status();
    assert!(done.unwrap().success());
    fs::remove_dir_all(host.path("home")).unwrap();
    symlink(small.0.join("home"), host.path("home")).unwrap();
    host.order.live = small.0.join("home/mastodon/live");
    small
}

#[test]
fn a_full_disk_ends_the_copy_and_not_the_instance() {
    if !is_root() {
        return;
    }
    let mut host = Host::unverified();
    write(&host.in_backup("large"), &"x".repeat(7 << 20));
    host.verify();
    let small = moved(&mut host, "6m");
    assert!(refused(&host, "no-space", NOTHING).contains("Make room"));
    drop(small);
    let mut host = Host::new();
    let small = moved(&mut host, "6m");
    // Somebody else takes what is left while it is copied.
    let filler = small.0.join("filler");
    let message = refused(&host, "no-space", &|count| {
        if count == 3 {
            let _ = fs::write(&filler, vec![1; 8 << 20]);
        }
    });
    assert!(message.contains("No space left"), "{message}");
    fs::remove_file(&filler).unwrap();
    assert_eq!(host.asked(prepare).unwrap(), Did::Done, "the same is asked again, and there is room");
}

#[test]
fn mounts_are_refused_beforehand() {
    if !is_root() {
        return;
    }
    let mut host = Host::new();
    let system = host.live("public/system");
    let own = Small::mount(&system, "1m");
    assert!(refused(&host, "mount-below", NOTHING).contains("public/system"));
    drop(own);
    // A directory of the same file system, mounted once more: its device tells nothing.
    fs::create_dir(host.path("bound")).unwrap();
    let done = Command::new("mount").arg("--bind").arg(host.path("bound")).arg(&system).status();
    assert!(done.unwrap().success());
    let bound = Small(system);
    refused(&host, "mount-below", NOTHING);
    drop(bound);
    let small = Small::mount(&host.path("own"), "6m");
    host.order.live = small.0.clone();
    assert_eq!(host.asked(prepare).unwrap_err().code(), "live-is-a-mount");
}

/// Lets somebody who owns the directory above live move things there all the time, while `work` is done.
fn while_moving<T>(host: &Host, work: impl FnOnce() -> T) -> T {
    let (live, parked, decoy) =
        (host.live(""), host.path("home/mastodon/parked"), host.path("home/mastodon/decoy"));
    fs::create_dir_all(decoy.join("public/system")).unwrap();
    let ends = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !ends.load(Ordering::Relaxed) {
                let _ = fs::rename(&live, &parked);
                let _ = fs::rename(&decoy, &live);
                thread::yield_now();
                let _ = fs::rename(&live, &decoy);
                let _ = fs::rename(&parked, &live);
                thread::yield_now();
            }
        });
        let done = work();
        ends.store(true, Ordering::Relaxed);
        done
    })
}

/// How often something lies below.
fn times(place: &Path, end: &str) -> usize {
    content(place).keys().filter(|path| path.ends_with(end)).count()
}

#[test]
fn who_moves_directories_during_the_copy_changes_nothing_else() {
    let host = Host::new();
    let before = content(&host.live(""));
    for _ in 0..10 {
        match while_moving(&host, || host.asked(prepare)) {
            Ok(_) => assert_eq!(host.journal().phase, Phase::Prepared),
            Err(error) => assert!(["moved", "io", "backup-changed"].contains(&error.code()), "{error}"),
        }
    }
    assert!(content(&host.live("")) == before);
}

#[test]
fn who_moves_directories_during_the_switch_loses_no_upload() {
    for _ in 0..20 {
        let host = Host::new();
        host.asked(prepare).unwrap();
        let home = host.path("home");
        let switched = while_moving(&host, || host.asked(switch));
        if let Err(error) = &switched {
            assert!(["moved", "io", "not-now"].contains(&error.code()), "{error}");
        }
        assert_eq!(times(&home, "config/themes.yml"), 1, "{switched:?}");
        assert_eq!(times(&home, "app/models/account.rb"), 1, "{switched:?}");
        assert_eq!(times(&home, "files/002/original/new.png"), 1, "{switched:?}");
    }
}

#[test]
fn what_was_exchanged_since_the_copy_was_made_is_not_switched() {
    let host = Host::new();
    host.asked(prepare).unwrap();
    fs::rename(host.live(""), host.path("home/mastodon/other")).unwrap();
    fs::create_dir(host.live("")).unwrap();
    let error = host.asked(switch).unwrap_err();
    assert_eq!(error.code(), "moved");
    assert_eq!(fs::read_dir(host.live("")).unwrap().count(), 0);
    assert_eq!(host.journal().trouble.unwrap().code, "moved");
    // Put right again, it goes on.
    fs::remove_dir(host.live("")).unwrap();
    fs::rename(host.path("home/mastodon/other"), host.live("")).unwrap();
    assert_eq!(host.asked(switch).unwrap(), Did::Done);
    assert_eq!(host.journal().trouble, None);
    assert_eq!(read(host.live("app/models/account.rb")), "class Account; end\n");
}

/// Somebody moves live away between the last look and the exchange, and puts something else there or nothing.
fn moved_at_the_last_moment(with_decoy: bool) {
    let host = Host::new();
    host.asked(prepare).unwrap();
    let (live, parked) = (host.live(""), host.path("home/mastodon/parked"));
    let (state, proofs) = (host.path("state"), host.path("verify/proofs"));
    let reach = |point: &'static str| {
        if point == "switch.before-exchange" {
            fs::rename(&live, &parked).unwrap();
            if with_decoy {
                write(&live.join("decoy"), "mine");
            }
        }
    };
    let error = switch(&Site { reach: &reach, ..site(&state, &proofs) }, &host.order).unwrap_err();
    assert_eq!(error.code(), "moved", "{error}");
    assert!(error.to_string().contains("parked"), "it says where today's tree is: {error}");
    assert_eq!(live.join("decoy").exists(), with_decoy, "what was there is there again");
    assert_eq!(read(parked.join("config/themes.yml")), "broken: true\n");
    let new = "public/system/media_attachments/files/002/original/new.png";
    assert_eq!(read(parked.join(new)), "new today", "its uploads are with it again");
    assert!(host.staged("live/app").exists());
    if with_decoy {
        fs::remove_dir_all(&live).unwrap();
    }
    fs::rename(&parked, &live).unwrap();
    assert_eq!(host.asked(switch).unwrap(), Did::Done);
    assert_eq!(read(live.join(new)), "new today");
}

#[test]
fn what_was_not_meant_is_exchanged_back() {
    moved_at_the_last_moment(true);
    moved_at_the_last_moment(false);
}

//! A restore from its beginning to its end, and back.

use crate::common::{Host, content, is_root, read, write};
use mastmaint_instance::settings_of;
use mastmaint_restore::{Did, back, list, prepare, prune, prune_but_settings, switch};
use mastmaint_words::restore::{Phase, Uploads};
use std::{
    fs,
    os::unix::fs::{MetadataExt as _, symlink},
};

const BOTH: &str = "public/system/media_attachments/files/001/original/both.png";
const GONE: &str = "public/system/media_attachments/files/001/original/gone.png";
const NEW: &str = "public/system/media_attachments/files/002/original/new.png";

#[test]
fn a_backup_comes_back_and_goes_again_and_nothing_of_today_is_lost() {
    let host = Host::new();
    // Not everywhere there are such.
    let attribute = rustix::fs::XattrFlags::empty();
    let marked = rustix::fs::setxattr(host.in_backup("bin/tootctl"), "user.of", b"x", attribute).is_ok();
    let before = content(&host.live(""));
    assert_eq!(host.asked(prepare).unwrap(), Did::Done);
    assert_eq!(content(&host.live("")), before, "nothing of live was changed");
    let journal = host.journal();
    assert_eq!((journal.phase, journal.uploads), (Phase::Prepared, Some(Uploads::Stay)));
    let plan = &journal.plan;
    assert!(plan.differs.iter().any(|d| d.contains("4.6 today, 4.5 in the backup")), "{plan:?}");
    assert!(plan.differs.iter().any(|d| d.contains("SECRET_KEY_BASE") && !d.contains("now")), "{plan:?}");
    assert!(plan.would_be_lost.iter().any(|l| l.contains("config/themes.yml")), "{plan:?}");
    assert!(
        plan.kept.contains(&"public/system".to_owned()) && plan.kept.contains(&".env.production".to_owned())
    );
    assert!(
        plan.notes.iter().any(|n| n.contains("bin/tootctl") && n.contains("config"))
            && plan.notes.iter().any(|n| n.contains("tmp.fifo"))
    );
    let attributes = plan.notes.iter().find(|note| note.contains("extended attributes"));
    assert_eq!(attributes.map(|note| note.ends_with("not restored: bin/tootctl")), marked.then_some(true));
    assert!(plan.added.files > 50 && plan.newest_proof.is_some(), "{plan:?}");
    assert_eq!(host.asked(prepare).unwrap(), Did::Done, "found done");

    // An upload and a setting of the time between.
    write(&host.live("public/system/media_attachments/files/003/original/late.png"), "late");
    write(&host.live(".env.production"), "SECRET_KEY_BASE=later\n");
    assert_eq!(host.asked(switch).unwrap(), Did::Done);
    assert_eq!(host.asked(switch).unwrap(), Did::Done, "found done");
    assert_eq!(read(host.live("app/models/account.rb")), "class Account; end\n");
    assert_eq!(read(host.live("config/a name\nwith a newline")), "odd");
    assert_eq!(read(host.live("config/themes.yml")), "entity not found");
    assert_eq!(read(host.live(".env.production")), "SECRET_KEY_BASE=later\n");
    assert_eq!(read(host.live(".env.production.local")), "ONLY_TODAY=1\n");
    assert_eq!(read(host.live(".env.production.sample")), "# sample of then\n");
    assert_eq!(
        (read(host.live(BOTH)), read(host.live(NEW)), read(host.live(GONE))),
        ("today".into(), "new today".into(), "gone today".into())
    );
    assert_eq!(read(host.live("public/system/media_attachments/files/003/original/late.png")), "late");
    assert!(!host.live("public/system/cache").exists(), "it is fetched again");
    let [a, b] = ["account", "same"].map(|n| fs::metadata(host.live(&format!("app/models/{n}.rb"))).unwrap());
    assert_eq!((a.ino(), a.nlink()), (b.ino(), 2), "two names of one file stay that");
    assert_eq!(a.mtime(), fs::metadata(host.in_backup("app/models/account.rb")).unwrap().mtime());
    assert_eq!(fs::read_link(host.live("out")).unwrap(), std::path::Path::new("/etc/passwd"));
    assert_eq!(fs::metadata(host.live("bin/tootctl")).unwrap().mode() & 0o7777, 0o755);
    assert_eq!(fs::metadata(host.live("config")).unwrap().mode() & 0o7777, 0o750);
    if is_root() {
        let there = fs::metadata(host.live("")).unwrap();
        assert_eq!((there.uid(), a.uid()), (1, 1), "the user's number on this host");
        assert_eq!(fs::symlink_metadata(host.live("out")).unwrap().uid(), 1);
    }
    assert_eq!(read(host.beside("before").join("config/themes.yml")), "broken: true\n");

    // It was the wrong one: back, with what was written since.
    write(&host.live("public/system/media_attachments/files/004/original/since.png"), "since");
    write(&host.live(".env.production"), "SECRET_KEY_BASE=since\n");
    assert_eq!(host.asked(back).unwrap(), Did::Done);
    assert_eq!(host.asked(back).unwrap(), Did::Done, "found done");
    assert_eq!(read(host.live("config/themes.yml")), "broken: true\n");
    assert_eq!(read(host.live(".env.production")), "SECRET_KEY_BASE=since\n");
    assert_eq!(
        read(host.live(&format!(".env.production.before-{}", crate::common::RUN))),
        "SECRET_KEY_BASE=later\n"
    );
    assert_eq!((read(host.live(NEW)), read(host.live(GONE))), ("new today".into(), "gone today".into()));
    assert_eq!(read(host.live("public/system/media_attachments/files/004/original/since.png")), "since");
    assert!(host.beside("restored").join("app").exists() && !host.beside("before").exists());
    assert!(host.asked(switch).is_err() && host.asked(prepare).is_err());

    assert_eq!(host.asked(prune).unwrap(), Did::Done);
    assert!(!host.beside("restored").exists() && !host.staged("").parent().unwrap().exists());
    assert_eq!(host.asked(prune).unwrap(), Did::Nothing);
    assert_eq!(list(&host.path("state")).unwrap()[0].phase, Phase::Pruned);
}

#[test]
fn uploads_and_settings_of_the_backup_come_where_they_are_asked_for() {
    let mut host = Host::new();
    (host.order.with_media, host.order.with_env) = (true, true);
    write(&host.live("public/system/cache/face.png"), "of another server");
    host.asked(prepare).unwrap();
    assert!(host.journal().plan.would_be_lost.iter().any(|l| l.contains("new.png")));
    host.asked(switch).unwrap();
    assert_eq!((read(host.live(BOTH)), read(host.live(GONE))), ("then".into(), "gone today".into()));
    assert!(!host.live(NEW).exists());
    assert!(read(host.live(".env.production")).contains("SECRET_KEY_BASE=then"));
    let refused = host.asked(prune).unwrap_err();
    assert_eq!(refused.code(), "holds-uploads");
    assert!(
        refused.to_string().contains("new.png") && !refused.to_string().contains("face.png"),
        "{refused}"
    );
    assert_eq!(read(host.beside("before").join(NEW)), "new today");
    host.asked(back).unwrap();
    assert_eq!((read(host.live(BOTH)), read(host.live(NEW))), ("today".into(), "new today".into()));
    assert!(read(host.live(".env.production")).contains("SECRET_KEY_BASE=now"));
}

#[test]
fn on_a_bare_host_all_comes_from_the_backup() {
    let host = Host::new();
    fs::remove_dir_all(host.live("")).unwrap();
    host.asked(prepare).unwrap();
    let journal = host.journal();
    assert!(
        journal.with_env && journal.plan.notes.iter().any(|n| n.contains("nothing is at")),
        "{journal:?}"
    );
    host.asked(switch).unwrap();
    assert_eq!(read(host.live(BOTH)), "then");
    assert_eq!(read(host.live("public/system/cache/accounts/avatars/1.png")), "cached");
    assert!(read(host.live(".env.production")).contains("then"));
    host.asked(back).unwrap();
    assert!(!host.live("").exists() && host.beside("restored").exists());
}

#[test]
fn where_there_are_no_settings_today_those_of_the_backup_count_from_the_plan_to_the_end() {
    let host = Host::new();
    let (live, run, kept) = (host.live(""), &host.order.run, host.staged("settings"));
    let counting = || settings_of(std::path::Path::new(&host.order.live), run);
    fs::remove_file(host.live(".env.production")).unwrap();
    host.asked(prepare).unwrap();
    let journal = host.journal();
    let notes = &journal.plan.notes;
    assert!(journal.with_env && notes.iter().any(|n| n.contains("no .env.production today")), "{journal:?}");
    let lost = journal.plan.would_be_lost.join("\n");
    assert!(lost.contains(".env.production.local"), "it would count more than the backup's: {lost}");
    assert_eq!(counting(), kept);
    assert!(read(kept.join(".env.production")).contains("SECRET_KEY_BASE=then"));
    // Somebody makes one by hand meanwhile: it was decided before.
    write(&host.live(".env.production"), "SECRET_KEY_BASE=meanwhile\n");
    assert_eq!(counting(), kept);
    host.asked(switch).unwrap();
    assert_eq!(counting(), host.order.live);
    assert!(
        read(live.join(".env.production")).contains("then") && !live.join(".env.production.local").exists()
    );
    host.asked(back).unwrap();
    assert_eq!(counting(), kept);
    assert!(read(live.join(".env.production")).contains("meanwhile"));
    host.asked(prune_but_settings).unwrap();
    assert!(!host.beside("restored").exists() && counting() == kept);
    host.asked(prune).unwrap();
    assert!(!kept.exists() && counting() == host.order.live);
}

#[test]
fn a_link_of_today_becomes_the_same_link_and_its_target_is_not_touched() {
    let host = Host::new();
    fs::create_dir_all(host.path("media")).unwrap();
    fs::remove_dir_all(host.live("public/system")).unwrap();
    symlink(host.path("media"), host.live("public/system")).unwrap();
    host.asked(prepare).unwrap();
    let plan = host.journal().plan;
    assert!(plan.sentence.contains("are not added") && plan.added.files > 50, "{plan:?}");
    host.asked(switch).unwrap();
    assert_eq!(fs::read_link(host.live("public/system")).unwrap(), host.path("media"));
    assert_eq!(fs::read_dir(host.path("media")).unwrap().count(), 0);
    assert!(host.live("app").exists());
    host.asked(back).unwrap();
    assert_eq!(fs::read_link(host.live("public/system")).unwrap(), host.path("media"));
}

#[test]
fn uploads_of_a_restored_instance_that_had_none_go_back_along() {
    let host = Host::new();
    fs::remove_dir_all(host.live("public/system")).unwrap();
    host.asked(prepare).unwrap();
    host.asked(switch).unwrap();
    write(&host.live("public/system/since.png"), "since");
    host.asked(back).unwrap();
    assert_eq!(
        (read(host.live("public/system/since.png")), read(host.live(BOTH))),
        ("since".into(), "then".into())
    );
    assert_eq!(read(host.live("config/themes.yml")), "broken: true\n");
}

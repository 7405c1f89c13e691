//! Generations of rsnapshot: the newest complete one, and one that is named.

use crate::common::{Host, read, write};
use jiff::{Timestamp, ToSpan as _};
use mastmaint_restore::{prepare, switch};
use std::{
    fs::{self, File},
    path::Path,
    process::Command,
    time::SystemTime,
};

/// Two generations that share most files, and one that is being written.
fn rotation() -> Host {
    let mut host = Host::unverified();
    let root = host.path("snapshots");
    fs::create_dir_all(root.join("daily.0")).unwrap();
    fs::rename(host.path("backup"), root.join("daily.0/localhost")).unwrap();
    let copied = Command::new("cp").arg("-al").arg(root.join("daily.0")).arg(root.join("daily.1")).status();
    assert!(copied.unwrap().success());
    let older = root.join("daily.1/localhost/home/mastodon/live/app/models/older.rb");
    write(&older, "only in the older one\n");
    if crate::common::is_root() {
        std::os::unix::fs::chown(&older, Some(12_345), Some(12_345)).unwrap();
    }
    fs::create_dir_all(root.join("daily.2/localhost")).unwrap();
    for (name, hours) in [("daily.0", 6), ("daily.1", 30), ("daily.2", 54)] {
        let at = Timestamp::now().checked_sub(hours.hours()).unwrap();
        File::open(root.join(name)).unwrap().set_modified(SystemTime::from(at)).unwrap();
    }
    let conf = host.path("rsnapshot.conf");
    let text = format!(
        "config_version\t1.2\nsnapshot_root\t{}/\ncmd_rsync\t/usr/bin/rsync\nretain\tdaily\t3\nbackup\troot@mastodon:/\tlocalhost/\n",
        root.display()
    );
    fs::write(&conf, text).unwrap();
    let place = format!(r#"{{"kind":"rsnapshot","config":"{}"}}"#, conf.display());
    host.order.backup.place = serde_json::from_str(&place).unwrap();
    host.verify();
    host
}

#[test]
fn the_newest_complete_generation_comes_back_or_the_one_that_is_named() {
    let mut host = rotation();
    host.order.snapshot = Some("daily.2".to_owned());
    assert_eq!(host.asked(prepare).unwrap_err().code(), "incomplete");
    host.order.snapshot = None;
    host.asked(prepare).unwrap();
    assert!(
        host.journal().plan.sentence.starts_with("daily.0 of files, made 6 h ago, proved"),
        "{:?}",
        host.journal().plan
    );
    host.asked(switch).unwrap();
    assert!(!host.live("app/models/older.rb").exists());
    assert_eq!(read(host.live("app/models/account.rb")), "class Account; end\n");

    let mut host = rotation();
    host.order.snapshot = Some("daily.1".to_owned());
    host.asked(prepare).unwrap();
    host.asked(switch).unwrap();
    assert_eq!(read(host.live("app/models/older.rb")), "only in the older one\n");
}

#[test]
fn rot_in_one_generation_is_rot_in_every_one_that_shares_the_file() {
    let mut host = rotation();
    let path = host.path("snapshots/daily.0/localhost/home/mastodon/live/app/models/account.rb");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "class Bccount; end\n").unwrap();
    File::open(&path).unwrap().set_modified(time).unwrap();
    for generation in ["daily.0", "daily.1"] {
        host.order.snapshot = Some(generation.to_owned());
        assert_eq!(host.asked(prepare).unwrap_err().code(), "rot", "{generation}");
    }
    assert!(Path::new(&host.live("config/themes.yml")).exists());
}

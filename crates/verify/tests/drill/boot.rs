//! Mastodon started from a file backup on its dump: with real PostgreSQL, Redis, Ruby and Bundler, and a stand-in of
//! puma. What is wrong is named, what the host lacks is no fault of the backup, and nothing is left behind.

use crate::{
    common::{self, codes, fixture, write},
    drill_room::{Room, is_here},
};
use jiff::Timestamp;
use mastmaint_verify::{
    Backup, Code, Place, Report, Request, Severity, VerifyError,
    backup::{Boot, DrillPlan, Every},
    drill::Door,
    prove::{Tell, Untold},
    verify,
};
use mastmaint_words::Bytes;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Whether there is everything to boot with; `cargo xtask test` installs it.
fn can_boot() -> bool {
    let programs = ["/usr/bin/ruby", "/usr/bin/bundle", "/usr/bin/redis-server"];
    let is_here = is_here() && programs.iter().all(|program| Path::new(program).exists());
    if !is_here {
        println!("left out: there is no Ruby, Bundler or Redis");
    }
    is_here
}

/// A dump, and the file backup that it is started from.
struct Backups {
    place: TempDir,
    room: Room,
    door: Door,
}

impl Backups {
    fn new() -> Self {
        let (place, room) = (common::place(), Room::new());
        let backups = Self { door: room.door(), room, place };
        let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/standin_puma/build.sh");
        assert!(Command::new("sh").arg(build).arg(backups.live("")).status().unwrap().success());
        let env = fs::read_to_string(fixture(".env.production")).unwrap();
        write(
            &backups.live(".env.production"),
            format!(
                "{env}\nS3_ENABLED=true\nSMTP_SERVER=mail.test\nOMNIAUTH_ONLY=true\nLDAP_ENABLED=true\nMIN_THREADS=9\n"
            ),
        );
        // As in a real one: what the drill's user may not read goes there all the same.
        fs::set_permissions(backups.live(".env.production"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(backups.live(""), fs::Permissions::from_mode(0o700)).unwrap();
        write(&backups.live("public/system/upload"), "x");
        write(&backups.place.path().join("dumps/a.dump"), fs::read(fixture("mastodon-pg15.dump")).unwrap());
        backups
    }

    fn live(&self, path: &str) -> PathBuf {
        self.place.path().join("files/live").join(path)
    }

    fn verified(&self, tell: &dyn Tell) -> Result<Report, VerifyError> {
        let plan =
            DrillPlan { schedule: Every::Weekly, assertions: Vec::new(), reserve: Bytes::new(0), boot: true };
        let at = |path: &str| self.place.path().join(path);
        let dump = common::of_files(Place::Postgres { path: at("dumps/*.dump") });
        let dump = Backup { drill: Some(plan), files: Some("files".parse().unwrap()), ..dump };
        let files = common::of_files(Place::Tree { path: at("files") });
        let files = Backup { live: Some("live".to_owned()), ..files };
        let nobody = Door::Socket(at("nobody"));
        let request = Request {
            name: "database",
            backup: &dump,
            files: Some(&files),
            inside: None,
            proofs: &at("proofs"),
            scratch: self.place.path(),
            drills: Some(&nobody),
            boots: Some(&self.door),
            full: false,
            now: Timestamp::now(),
        };
        verify(&request, tell)
    }

    /// A night that comes to its end, after which nothing is left.
    fn night(&self) -> Report {
        let report = self.verified(&Untold).unwrap();
        self.until_clean();
        report
    }

    fn until_clean(&self) {
        until("nothing is left", || self.room.is_clean().then_some(()));
    }

    /// The process of puma, once Mastodon hangs in the middle of a question.
    fn puma(&self) -> i32 {
        until("puma works", || {
            let is_puma = |pid: &i32| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&line).contains("config/puma.rb")
            };
            self.room.processes().into_iter().find(is_puma)
        })
    }
}

fn until<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < Duration::from_mins(2), "{what}: not within two minutes");
        thread::sleep(Duration::from_millis(20));
    }
}

fn boot_of(report: &Report) -> &Boot {
    report.drill.as_ref().unwrap().boot.as_ref().unwrap()
}

#[test]
fn mastodon_is_started_on_its_dump_and_asked() {
    if !can_boot() {
        return;
    }
    let backups = Backups::new();
    let report = backups.night();
    // Uploads are "elsewhere" by the settings that the stand-in must not get to see.
    assert_eq!(codes(&report), [Code::MediaElsewhere], "{report:#?}");
    let boot = boot_of(&report);
    assert!(boot.is_good && report.drill.as_ref().unwrap().is_good, "{boot:?}");
    assert_eq!(boot.version.as_deref(), Some("4.6.5"));
    assert!(boot.times.files > Duration::ZERO && boot.times.start > Duration::ZERO, "{boot:?}");
    assert_eq!(boot.times.migrate, Duration::ZERO, "nothing was to be migrated");
    assert!(report.sentence.contains("Mastodon 4.6.5 answered on it"), "{}", report.sentence);
    // Not due again.
    fs::rename(backups.live("Gemfile"), backups.live("Gemfile.gone")).unwrap();
    assert_eq!(codes(&backups.night()), [Code::MediaElsewhere]);
}

#[test]
fn an_older_dump_is_brought_to_the_state_of_the_code_first() {
    if !can_boot() {
        return;
    }
    let backups = Backups::new();
    write(&backups.live("db/migrate/20270101000000_newer.rb"), "");
    write(&backups.live("weather"), "no-migration");
    let report = backups.night();
    assert!(codes(&report).contains(&Code::BootFailed), "{report:#?}");
    let failed = &report.findings[0];
    assert!(failed.what.contains("db:migrate") && failed.evidence[0].contains("canceled"), "{failed:?}");
    // One that was not good is tried again.
    fs::remove_file(backups.live("weather")).unwrap();
    let report = backups.night();
    assert_eq!(report.worst(), Some(Severity::Info), "{report:#?}");
    assert!(boot_of(&report).is_good && boot_of(&report).times.migrate > Duration::ZERO);
}

#[test]
fn what_is_wrong_is_named() {
    if !can_boot() {
        return;
    }
    let backups = Backups::new();
    for (weather, code, words) in [
        ("dies", Code::BootFailed, "ended with exit status: 1"),
        ("no-library", Code::NotChecked, "library"),
        ("other-domain", Code::BootFailed, "other.test"),
    ] {
        write(&backups.live("weather"), weather);
        let report = backups.night();
        let worst = &report.findings[0];
        assert_eq!(worst.code, code, "{weather}: {report:#?}");
        let severity = if code == Code::BootFailed { Severity::Fail } else { Severity::Warn };
        assert_eq!(worst.severity, severity, "{weather}");
        assert!(worst.what.contains(words), "{weather}: {worst:?}");
        assert!(!boot_of(&report).is_good, "{weather}");
        if weather == "dies" {
            assert!(
                worst.evidence[0].contains("mastodon/nothing (LoadError) [SECRET_KEY_BASE]"),
                "{worst:?}"
            );
        }
    }
    fs::remove_file(backups.live("weather")).unwrap();
    // What the host lacks is no fault of the backup, and it is not well either.
    let lock = fs::read_to_string(backups.live("Gemfile.lock")).unwrap();
    write(&backups.live("Gemfile.lock"), lock.replace("puma (0.0.1)", "puma (0.0.2)"));
    let report = backups.night();
    let worst = &report.findings[0];
    assert_eq!((worst.code, worst.severity), (Code::NotChecked, Severity::Warn), "{report:#?}");
    assert!(worst.evidence.iter().any(|line| line.contains("puma (0.0.2)")), "{worst:?}");
    fs::remove_file(backups.live("Gemfile")).unwrap();
    let worst = &backups.night().findings[0];
    assert_eq!(worst.code, Code::BootFailed);
    assert!(worst.what.ends_with("it lacks Gemfile"), "{worst:?}");
}

/// Does not wait any longer than until puma works.
struct Leaves<'a>(&'a Backups);

impl Tell for Leaves<'_> {
    fn is_cancelled(&self) -> bool {
        self.0.room.has_started("puma")
    }
}

#[test]
fn what_is_killed_leaves_nothing_for_ever() {
    if !can_boot() {
        return;
    }
    let backups = Backups::new();
    write(&backups.live("weather"), "hangs");
    let report = thread::scope(|scope| {
        let verifying = scope.spawn(|| backups.verified(&Untold).unwrap());
        let puma = backups.puma();
        let stat = fs::read_to_string(format!("/proc/{puma}/stat")).unwrap();
        let above = stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().to_owned();
        assert!(Command::new("kill").args(["-9", &above]).status().unwrap().success());
        verifying.join().unwrap()
    });
    assert_eq!(codes(&report)[0], Code::DrillDied, "{report:#?}");
    assert!(!backups.room.is_clean(), "who is killed cannot have removed anything");
    fs::remove_file(backups.live("weather")).unwrap();
    assert!(boot_of(&backups.night()).is_good);

    // Who does not wait any longer ends it.
    write(&backups.live("weather"), "hangs");
    fs::remove_dir_all(backups.place.path().join("proofs")).unwrap();
    let gone = backups.verified(&Leaves(&backups));
    assert!(matches!(gone, Err(VerifyError::Cancelled)), "{gone:?}");
    backups.until_clean();
}

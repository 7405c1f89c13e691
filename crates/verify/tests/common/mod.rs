//! A rotation as rsnapshot leaves it, to plant faults in.

#![expect(dead_code, reason = "each test takes what it needs")]
#![expect(clippy::unwrap_used, reason = "a test that cannot prepare has failed")]

use jiff::Timestamp;
use mastmaint_verify::{
    Backup, Code, Place, Report, Request, VerifyError,
    backup::Budget,
    prove::{Tell, Untold},
    verify,
};
use mastmaint_words::Span;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, SystemTime},
};
use tempfile::TempDir;

pub(crate) const NOW: &str = "2026-11-23T06:30:00Z";
pub(crate) const HOUR: u64 = 3600;
pub(crate) const DAY: u64 = 24 * HOUR;

/// A directory on a file system whose inode numbers last.
pub(crate) fn place() -> TempDir {
    let overlay = 0x794c_7630;
    let is_overlay = rustix::fs::statfs("/tmp").is_ok_and(|s| s.f_type == overlay);
    let at = if is_overlay { Path::new("/dev/shm") } else { Path::new("/tmp") };
    tempfile::tempdir_in(at).unwrap()
}

pub(crate) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub(crate) fn set_time(path: &Path, at: Timestamp) {
    File::open(path).unwrap().set_modified(SystemTime::from(at)).unwrap();
}

pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// Flips one bit and hides it: size and time stay.
pub(crate) fn flip(path: &Path) {
    let time = fs::metadata(path).unwrap().modified().unwrap();
    let mut content = fs::read(path).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    // In place: the inode stays, and with it every other name.
    fs::write(path, content).unwrap();
    File::open(path).unwrap().set_modified(time).unwrap();
}

pub(crate) fn cut(path: &Path, share: u64) {
    let length = fs::metadata(path).unwrap().len();
    File::options().write(true).open(path).unwrap().set_len(length * share / 100).unwrap();
}

pub(crate) struct Rotation {
    pub(crate) place: TempDir,
    pub(crate) backup: Backup,
    pub(crate) now: Timestamp,
    pub(crate) full: bool,
}

pub(crate) const LIVE: &str = "home/mastodon/live";

impl Rotation {
    /// Seven generations, all files linked through all of them.
    pub(crate) fn new() -> Self {
        Self::of(7)
    }

    pub(crate) fn of(generations: u32) -> Self {
        let place = place();
        let root = place.path().join("snapshots");
        let live = format!("mastodon/{LIVE}");
        let oldest = root.join(format!("daily.{}", generations - 1)).join(&live);
        for n in 0..60_u32 {
            let content: Vec<u8> = (0..2000 + n).flat_map(|i| (i * (n + 7)).to_le_bytes()).collect();
            write(
                &oldest.join(format!("public/system/media_attachments/files/{:03}/{n}.png", n % 9)),
                content,
            );
        }
        write(&oldest.join(".env.production"), fs::read(fixture(".env.production")).unwrap());
        let version = "def major\n  4\nend\ndef minor\n  6\nend\n";
        write(&oldest.join("lib/mastodon/version.rb"), version);
        write(&oldest.join("db/migrate/20260611150940_newest.rb"), "x");
        let rotation = Self {
            backup: Backup {
                place: Place::Rsnapshot { config: place.path().join("rsnapshot.conf") },
                max_age: Some("26h".parse().unwrap()),
                require: vec![format!("{LIVE}/.env.production"), format!("{LIVE}/public/system")],
                forbid: vec![format!("{LIVE}/public/system/cache")],
                live: Some(LIVE.to_owned()),
                files: None,
                inside: None,
                decrypt: None,
                drill: None,
                budget: Budget::default(),
                prove_every: Backup::PROVE_EVERY,
                wait: Span::from_secs(0),
            },
            place,
            now: now(),
            full: true,
        };
        rotation.conf("");
        for n in (0..generations - 1).rev() {
            link(&rotation.root(n + 1), &rotation.root(n));
        }
        for n in 0..generations {
            rotation.stamp(n, u64::from(n) * DAY + 2 * HOUR);
        }
        rotation
    }

    pub(crate) fn conf(&self, more: &str) {
        let at = self.place.path().display();
        let text = format!(
            "config_version\t1.2\nsnapshot_root\t{at}/snapshots/\ncmd_rsync\t/usr/bin/rsync\nretain\tdaily\t7\n\
             lockfile\t{at}/rsnapshot.pid\nlogfile\t{at}/rsnapshot.log\n\
             exclude\tpublic/system/cache\nbackup\troot@mastodon:/\tmastodon/\n{more}"
        );
        fs::write(self.place.path().join("rsnapshot.conf"), text).unwrap();
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    pub(crate) fn root(&self, generation: u32) -> PathBuf {
        self.at(&format!("snapshots/daily.{generation}"))
    }

    pub(crate) fn live(&self, generation: u32) -> PathBuf {
        self.root(generation).join("mastodon").join(LIVE)
    }

    pub(crate) fn media(&self, generation: u32, n: u32) -> PathBuf {
        self.live(generation).join(format!("public/system/media_attachments/files/{:03}/{n}.png", n % 9))
    }

    pub(crate) fn stamp(&self, generation: u32, seconds_ago: u64) {
        set_time(&self.root(generation), self.now - Duration::from_secs(seconds_ago));
    }

    /// The next night: the oldest goes, a new one is linked.
    pub(crate) fn rotate(&mut self, change: impl FnOnce(&Path)) {
        self.now += Duration::from_secs(DAY);
        let stamp = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        let _ = fs::remove_dir_all(self.root(6));
        for n in (0..6).rev() {
            if self.root(n).exists() {
                fs::rename(self.root(n), self.root(n + 1)).unwrap();
            }
        }
        let before = stamp(&self.root(1));
        link(&self.root(1), &self.root(0));
        File::open(self.root(1)).unwrap().set_modified(before).unwrap();
        change(&self.live(0));
        self.stamp(0, 2 * HOUR);
    }

    pub(crate) fn try_verify(&self, tell: &dyn Tell) -> Result<Report, VerifyError> {
        verify(&self.request(), tell)
    }

    pub(crate) fn request(&self) -> Request<'_> {
        let leak = |name| -> &Path { Box::leak(self.at(name).into_boxed_path()) };
        Request {
            name: "files",
            backup: &self.backup,
            files: None,
            inside: None,
            proofs: leak("proofs"),
            scratch: leak("scratch"),
            drills: None,
            boots: None,
            full: self.full,
            now: self.now,
        }
    }

    pub(crate) fn verify(&self) -> Report {
        self.try_verify(&Untold).unwrap()
    }
}

/// As `cp -al` does it.
pub(crate) fn link(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            link(&entry.path(), &target);
        } else {
            fs::hard_link(entry.path(), target).unwrap();
        }
    }
}

pub(crate) fn codes(report: &Report) -> Vec<Code> {
    report.findings.iter().map(|f| f.code).collect()
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixture").join(name)
}

/// A mounted disk; unmounted when dropped.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    /// Mounts something; `None` where this host does not let us.
    pub(crate) fn at(place: &Path, words: &[&str]) -> Option<Self> {
        let status = Command::new("mount").args(words).arg(place).stderr(Stdio::null()).status();
        status.is_ok_and(|s| s.success()).then(|| Self(place.to_owned()))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).stderr(Stdio::null()).status();
    }
}

/// A backup that is one file.
pub(crate) fn of_files(place: Place) -> Backup {
    Backup {
        place,
        max_age: None,
        require: Vec::new(),
        forbid: Vec::new(),
        live: None,
        files: None,
        inside: None,
        decrypt: None,
        drill: None,
        budget: Budget::default(),
        prove_every: Backup::PROVE_EVERY,
        wait: Span::from_secs(30),
    }
}

//! Repositories of restic and Borg, encrypted backups, and dumps inside other backups: made by the real programs, with
//! faults planted in them, each found and named right. Where a program is not installed its tests have nothing to show.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare has failed")]

#[path = "../common/mod.rs"]
mod common;

mod borg;
mod decrypt;
mod inside;
mod link;
mod remote;
mod restic;

use common::{fixture, write};
use mastmaint_verify::{Backup, Code, Place, Report, Request, VerifyError, prove::Untold, verify};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};
use tempfile::TempDir;

/// Whether a program is here; `cargo xtask test` installs them all.
fn has(program: &str) -> bool {
    Path::new("/usr/bin").join(program).exists()
}

/// Runs a program in a place; its output.
fn run(place: &Path, environment: &[(&str, &str)], words: &[&str]) -> String {
    let output = Command::new(words[0])
        .args(&words[1..])
        .current_dir(place)
        .envs(environment.iter().copied())
        .env("TZ", "UTC")
        .env("HOME", place)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{words:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// What a small Mastodon is backed up from: files, and the dump of its database beside them.
fn source(place: &Path) {
    let live = place.join("home/mastodon/live");
    write(&live.join(".env.production"), fs::read(fixture(".env.production")).unwrap());
    fs::hard_link(live.join(".env.production"), live.join("second-name")).unwrap();
    write(&live.join("lib/mastodon/version.rb"), "def major\n 4\nend\ndef minor\n 6\nend\n");
    write(&live.join("db/migrate/20260611150940_newest.rb"), "x");
    fs::create_dir_all(live.join("public")).unwrap();
    let archive = fixture("system.tar.gz").display().to_string();
    run(&live.join("public"), &[], &["tar", "-xzf", &archive]);
    let dumps = place.join("var/backups");
    write(&dumps.join("mastodon-1.sql.gz"), fs::read(fixture("mastodon.sql.gz")).unwrap());
    write(&dumps.join("dump.rdb"), fs::read(fixture("dump.rdb")).unwrap());
}

/// A copy of a repository, with everything that belongs to it.
fn copy(of: &Path) -> TempDir {
    let place = common::place();
    run(place.path(), &[], &["cp", "-a", &format!("{}/.", of.display()), "."]);
    place
}

/// Plants a fault, or changes what is wanted of the backup.
type Plant = fn(&Path, &mut Case<'_>);

/// A verification of a place, with its state in the same directory.
struct Case<'a> {
    place: &'a Path,
    backup: Backup,
    inside: Option<Backup>,
    full: bool,
    days: u64,
}

impl<'a> Case<'a> {
    fn new(place: &'a Path, of: Place) -> Self {
        let mut backup = common::of_files(of);
        backup.wait = mastmaint_words::Span::from_secs(0);
        Self { place, backup, inside: None, full: true, days: 0 }
    }

    fn try_verify(&self) -> Result<Report, VerifyError> {
        let (proofs, scratch) = (self.place.join("proofs"), self.place.join("scratch"));
        let request = Request {
            name: "backup",
            backup: &self.backup,
            files: self.backup.files.as_ref().and(self.inside.as_ref()),
            inside: self.inside.as_ref(),
            proofs: &proofs,
            drills: None,
            boots: None,
            scratch: &scratch,
            full: self.full,
            now: common::now() + std::time::Duration::from_secs(self.days * common::DAY),
        };
        verify(&request, &Untold)
    }

    fn verify(&self) -> Report {
        self.try_verify().unwrap()
    }
}

/// What counts; notes do not.
fn told(report: &Report) -> Vec<Code> {
    let counts = |c: &Code| !matches!(c, Code::AgeByFileTime | Code::NothingEncrypted);
    common::codes(report).into_iter().filter(counts).collect()
}

/// Every file below a directory, the largest first.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files.sort_by_key(|f| std::cmp::Reverse((fs::metadata(f).unwrap().len(), f.clone())));
    files
}

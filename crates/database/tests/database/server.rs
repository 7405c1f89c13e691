//! PostgreSQL as it is installed here, run as a user that it accepts.

use std::{
    fs,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The newest PostgreSQL of this host; `cargo xtask test` installs one.
pub(crate) fn bin() -> Option<PathBuf> {
    let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = installed
        .filter(|v| v.path().join("bin/initdb").exists())
        .max_by_key(|v| v.file_name().to_str().and_then(|name| name.parse::<u32>().ok()));
    if newest.is_none() {
        println!("left out: there is no PostgreSQL");
    }
    newest.map(|version| version.path().join("bin"))
}

/// The user that serves where the tests run as root, which PostgreSQL refuses.
fn user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let line = users.lines().find(|l| l.starts_with("postgres:")).unwrap();
    let mut fields = line.split(':').skip(2).map(|f| f.parse().unwrap());
    Some((fields.next().unwrap(), fields.next().unwrap()))
}

/// A command of who serves.
pub(crate) fn serving(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    if let Some((uid, gid)) = user() {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/").env("LC_ALL", "C");
    command
}

pub(crate) fn of_who_serves(path: &Path) {
    if let Some((uid, gid)) = user() {
        chown(path, Some(uid), Some(gid)).unwrap();
    }
}

/// An empty cluster, made once for all tests.
pub(crate) fn cluster(bin: &Path) -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let version = bin.parent().unwrap().file_name().unwrap().to_string_lossy();
        let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-{version}"));
        if made.exists() {
            return made;
        }
        // Who serves may not enter every directory of who builds.
        let at = tempfile::tempdir().unwrap();
        of_who_serves(at.path());
        let mut initdb = serving(bin.join("initdb"));
        initdb.args(["--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "-D"]);
        let done = initdb.arg(at.path().join("data")).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let new = made.with_extension(format!("new-{}", std::process::id()));
        let copied = Command::new("cp").arg("-a").arg(at.path().join("data")).arg(&new).status().unwrap();
        assert!(copied.success());
        if fs::rename(&new, &made).is_err() {
            // Whoever came first has one that is as good.
            fs::remove_dir_all(&new).unwrap();
        }
        made
    };
    MADE.get_or_init(make).clone()
}

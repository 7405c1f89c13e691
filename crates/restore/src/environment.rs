//! Environment files on their way from one tree to the other: copied, so that each tree keeps its own, and put in place
//! by a rename.

use crate::{
    error::{RestoreError, io_at},
    file::{create, dress, write_all},
    making::dress_of,
    names::is_environment,
    open::below,
};
use mastmaint_verify::{
    Kind,
    prove::{Stat, stat_at, stat_of},
    rsnapshot::names,
    shown,
};
use mastmaint_words::RunId;
use rustix::{
    fs::{AtFlags, Mode, OFlags, fsync, linkat, readlinkat, renameat, unlinkat},
    io::Errno,
};
use std::{
    ffi::{CStr, CString},
    fs::File,
    io::Read as _,
    os::fd::{AsFd as _, OwnedFd},
};

/// Larger ones are no environment files.
const LARGEST: u64 = 1024 * 1024;

/// What an environment file is.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    File(Vec<u8>),
    Link(CString),
}

/// Copies every environment file of one tree into the other, over what has its name there.
pub(crate) fn carry(from: &OwnedFd, to: &OwnedFd, run: &RunId) -> Result<(), RestoreError> {
    for name in all(from)? {
        let (content, stat) = read(from, &name)?;
        put(to, &name, &content, &stat, run)?;
    }
    fsync(to).map_err(io_at(b"live", "write to the disk"))
}

/// The same for those that differ; what they replace stays beside as `NAME.before-RUN`.
pub(crate) fn carry_changed(from: &OwnedFd, to: &OwnedFd, run: &RunId) -> Result<(), RestoreError> {
    for name in all(from)? {
        let (content, stat) = read(from, &name)?;
        match stat_at(to.as_fd(), &name) {
            Ok(_) if read(to, &name)?.0 == content => continue,
            Ok(_) => keep(to, &name, run)?,
            Err(Errno::NOENT) => {}
            Err(error) => return Err(io_at(name.to_bytes(), "look at")(error)),
        }
        put(to, &name, &content, &stat, run)?;
    }
    fsync(to).map_err(io_at(b"live", "write to the disk"))
}

/// The environment files of a tree. A directory of such a name is none.
pub(crate) fn all(tree: &OwnedFd) -> Result<Vec<CString>, RestoreError> {
    let mut all = names(tree.as_fd()).map_err(io_at(b"live", "list"))?;
    let is_one = |name: &CString| {
        let found = stat_at(tree.as_fd(), name);
        is_environment(name.to_bytes()) && found.is_ok_and(|stat| !stat.is_directory())
    };
    all.retain(is_one);
    Ok(all)
}

fn read(tree: &OwnedFd, name: &CStr) -> Result<(Content, Stat), RestoreError> {
    let of = |what| io_at::<Errno>(name.to_bytes(), what);
    let met = stat_at(tree.as_fd(), name).map_err(of("look at"))?;
    if Kind::of(&met) == Kind::Link {
        let target = readlinkat(tree, name, Vec::new()).map_err(of("read the link"))?;
        return Ok((Content::Link(target), met));
    }
    let file = below(tree, name, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty()).map_err(of("open"))?;
    // Whose it is says what was opened, never the name: that may stand for a file of root's by now.
    let stat = stat_of(&file).map_err(of("look at"))?;
    if !stat.is_file() || stat.size > LARGEST {
        let what =
            format!("{} is no environment file, or too large for one; move it away", shown(name.to_bytes()));
        return Err(RestoreError::NotNow { what });
    }
    let mut content = Vec::new();
    File::from(file).take(LARGEST + 1).read_to_end(&mut content).map_err(io_at(name.to_bytes(), "read"))?;
    Ok((Content::File(content), stat))
}

fn put(tree: &OwnedFd, name: &CStr, content: &Content, stat: &Stat, run: &RunId) -> Result<(), RestoreError> {
    let of = |what| io_at::<Errno>(name.to_bytes(), what);
    let new = with(b".mastmaintd-env-", run, b"");
    match unlinkat(tree, &new, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(of("remove what was half written of")(error)),
    }
    let dressed = dress_of(stat);
    match content {
        Content::Link(target) => {
            crate::file::link(tree.as_fd(), &new, target, dressed.owner, dressed.mtime)
                .map_err(of("make the link"))?;
        }
        Content::File(content) => {
            let file = create(tree, &new).map_err(of("write"))?;
            write_all(&file, content).map_err(of("write"))?;
            dress(&file, dressed).map_err(of("set owner and permissions of"))?;
            fsync(&file).map_err(of("write to the disk"))?;
        }
    }
    renameat(tree, &new, tree, name).map_err(of("put in place"))
}

/// Gives what will be replaced a second name. Killed after it, the first one kept is the one that counts.
fn keep(tree: &OwnedFd, name: &CStr, run: &RunId) -> Result<(), RestoreError> {
    match linkat(tree, name, tree, with(name.to_bytes(), run, b".before-"), AtFlags::empty()) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(io_at(name.to_bytes(), "keep")(error)),
    }
}

fn with(name: &[u8], run: &RunId, between: &[u8]) -> CString {
    CString::new([name, between, run.as_str().as_bytes()].concat()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

    fn open(at: &Path) -> OwnedFd {
        File::open(at).unwrap().into()
    }

    #[test]
    fn settings_go_along_and_nothing_is_overwritten_on_the_way_back() {
        let place = tempfile::tempdir().unwrap();
        let (a, b) = (place.path().join("a"), place.path().join("b"));
        fs::create_dir(&a).unwrap();
        fs::create_dir(&b).unwrap();
        fs::write(a.join(".env.production"), "A=today").unwrap();
        fs::set_permissions(a.join(".env.production"), fs::Permissions::from_mode(0o640)).unwrap();
        fs::write(a.join(".env.production.sample"), "code").unwrap();
        std::os::unix::fs::symlink("/etc/mastodon.env", a.join(".env.production.local")).unwrap();
        fs::write(b.join(".env.production"), "A=backup").unwrap();
        let run: RunId = "20261126T200000Z-7k3f9q".parse().unwrap();
        for _ in 0..2 {
            carry(&open(&a), &open(&b), &run).unwrap();
        }
        let read = |path: std::path::PathBuf| fs::read_to_string(path).unwrap();
        assert_eq!(read(b.join(".env.production")), "A=today");
        assert_eq!(fs::metadata(b.join(".env.production")).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_link(b.join(".env.production.local")).unwrap(), Path::new("/etc/mastodon.env"));
        assert!(!b.join(".env.production.sample").exists());
        fs::write(b.join(".env.production"), "A=since").unwrap();
        for _ in 0..2 {
            carry_changed(&open(&b), &open(&a), &run).unwrap();
        }
        assert_eq!(read(a.join(".env.production")), "A=since");
        assert_eq!(read(a.join(".env.production.before-20261126T200000Z-7k3f9q")), "A=today");
        assert_eq!(fs::read_dir(&a).unwrap().count(), 4);
    }
}

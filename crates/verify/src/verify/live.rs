//! The Rails root of a file backup as a stream, for who starts Mastodon from it: a tar without what a start does not
//! need. Nothing outside of it is followed.

use crate::{
    prove::{Stat, open_directory, open_file, stat_at},
    rsnapshot::names,
};
use rustix::fs::readlinkat;
use std::{
    ffi::{CStr, OsStr, OsString},
    fs::File,
    io::{self, BufWriter, Write},
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
    path::{Path, PathBuf},
};
use tar::{Builder, EntryType, Header};

/// Uploads, what is made anew, and what only who builds needs. Below `vendor/bundle` lie the packed gems once more.
const LEFT_OUT: [&str; 4] = ["public/system", "tmp", "log", ".git"];
/// Some ten thousand files.
const FOR_BUILDS: &str = "node_modules";
/// Each file takes whole blocks.
const BLOCK: u64 = 4096;
/// No Mastodon is as deep; each level keeps a directory open.
const DEEPEST: usize = 100;

/// What of it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// What a start needs.
    ToStart,
    /// And what a build of the assets needs.
    ToBuild,
}

/// One thing in it.
struct Entry<'a> {
    above: BorrowedFd<'a>,
    name: &'a CStr,
    path: &'a Path,
    stat: Stat,
}

/// Bytes that what is sent will take on a disk.
pub(super) fn bytes(live: &OwnedFd, sent: Sent) -> io::Result<u64> {
    let mut sum = 0_u64;
    walk(live.as_fd(), Path::new(""), sent, &mut |entry| {
        let content = if entry.stat.is_file() { entry.stat.size } else { 0 };
        sum = sum.saturating_add(content.next_multiple_of(BLOCK).max(BLOCK));
        Ok(())
    })?;
    Ok(sum)
}

/// Sends it; what comes last says that it came whole.
pub(super) fn send(live: &OwnedFd, sent: Sent, to: impl Write) -> io::Result<()> {
    let mut tar = Builder::new(BufWriter::with_capacity(256 * 1024, to));
    walk(live.as_fd(), Path::new(""), sent, &mut |entry| append(&mut tar, entry))?;
    tar.append_data(&mut header(EntryType::Regular, 0o600, 0), crate::drill::WHOLE, io::empty())?;
    tar.into_inner()?.flush()
}

fn append(tar: &mut Builder<impl Write>, entry: &Entry<'_>) -> io::Result<()> {
    let Entry { above, name, path, stat } = *entry;
    if stat.is_directory() {
        return tar.append_data(&mut header(EntryType::Directory, 0o700, 0), path, io::empty());
    }
    if stat.is_file() {
        let content = File::from(open_file(above, name)?);
        // Whose it was does not matter there, only whether it can be run.
        let mode = if stat.mode & 0o111 == 0 { 0o600 } else { 0o700 };
        let mut header = header(EntryType::Regular, mode, stat.size);
        return tar.append_data(&mut header, path, Exactly { content, left: stat.size });
    }
    let target = OsString::from_vec(readlinkat(above, name, Vec::new())?.into_bytes());
    tar.append_link(&mut header(EntryType::Symlink, 0o700, 0), path, target)
}

/// As many bytes as were promised, also of a file that grows meanwhile; one that has become shorter is an error.
struct Exactly {
    content: File,
    left: u64,
}

impl io::Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = io::Read::read(&mut self.content, &mut buffer[..most])?;
        if count == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left = self.left.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        Ok(count)
    }
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header
}

/// Everything that is sent, what is above before what is below.
fn walk(
    directory: BorrowedFd<'_>,
    path: &Path,
    sent: Sent,
    visit: &mut dyn FnMut(&Entry<'_>) -> io::Result<()>,
) -> io::Result<()> {
    if path.iter().count() > DEEPEST {
        return Err(io::Error::other(format!("{} is too deep", path.display())));
    }
    for name in names(directory)? {
        let path: PathBuf = path.join(OsStr::from_bytes(name.to_bytes()));
        if is_left_out(&path, sent) {
            continue;
        }
        let stat = stat_at(directory, &name)?;
        let is_link = stat.mode & 0o170_000 == 0o120_000;
        if !(stat.is_directory() || stat.is_file() || is_link) {
            // Sockets and pipes are made by who starts.
            continue;
        }
        visit(&Entry { above: directory, name: &name, path: &path, stat })?;
        if stat.is_directory() {
            let below = open_directory(directory, &name)?.fd;
            walk(below.as_fd(), &path, sent, visit)?;
        }
    }
    Ok(())
}

fn is_left_out(path: &Path, sent: Sent) -> bool {
    let is_packed_gems = || {
        let mut parts = path.iter();
        let start: Vec<_> = parts.by_ref().take(3).collect();
        start == ["vendor", "bundle", "ruby"] && parts.nth(1).is_some_and(|name| name == "cache")
    };
    let is_for_builds = sent == Sent::ToStart && path == Path::new(FOR_BUILDS);
    is_for_builds || LEFT_OUT.iter().any(|left_out| path == Path::new(left_out)) || is_packed_gems()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, fs};

    #[test]
    fn what_a_start_needs_is_sent_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let live = place.path().join("live");
        let long = format!("app/{}/{}", "d".repeat(120), "f".repeat(200));
        let sent =
            ["Gemfile", "bin/rails", "vendor/bundle/ruby/3.4.0/gems/a/cache/x", "public/robots.txt", &long];
        let not_sent = ["public/system/a/b.png", "node_modules/x/y", "tmp/z", "log/l", ".git/HEAD"];
        for path in sent.into_iter().chain(not_sent).chain(["vendor/bundle/ruby/3.4.0/cache/a.gem"]) {
            let path = live.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "content").unwrap();
        }
        std::os::unix::fs::symlink("/etc/passwd", live.join("out")).unwrap();
        let root: OwnedFd = File::open(&live).unwrap().into();
        let mut stream = Vec::new();
        send(&root, Sent::ToStart, &mut stream).unwrap();
        let mut found = BTreeMap::new();
        for entry in tar::Archive::new(&*stream).entries().unwrap() {
            let entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            found.insert(path, (entry.header().entry_type(), entry.size()));
        }
        let files: Vec<_> = found
            .iter()
            .filter(|(_, (kind, _))| *kind == EntryType::Regular)
            .map(|(path, _)| path.as_str())
            .collect();
        let mut expected = sent.to_vec();
        expected.push(crate::drill::WHOLE);
        expected.sort_unstable();
        assert_eq!(files, expected);
        assert_eq!(found["out"], (EntryType::Symlink, 0), "a link stays one");
        let things = u64::try_from(found.len() - 1).unwrap();
        assert_eq!(bytes(&root, Sent::ToStart).unwrap(), things * BLOCK);
        // node_modules, x, y.
        assert_eq!(bytes(&root, Sent::ToBuild).unwrap(), (things + 3) * BLOCK);
    }
}

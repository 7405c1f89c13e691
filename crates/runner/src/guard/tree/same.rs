//! Whether two trees are the same: names, kinds, permissions and every byte. When they were written is not looked at.

use super::{DEEPEST, Named, kind, mode, names, too_deep};
use rustix::fs::{FileType, readlinkat};
use std::{
    fs::File,
    io::{self, BufReader, Read as _},
    os::fd::AsFd as _,
};

/// Compares two things; what is on neither side is the same.
pub(crate) fn same(one: Named<'_>, other: Named<'_>) -> io::Result<bool> {
    same_at(one, other, 0)
}

fn same_at(one: Named<'_>, other: Named<'_>, depth: usize) -> io::Result<bool> {
    let (a, b) = match (one.stat()?, other.stat()?) {
        (Some(a), Some(b)) => (a, b),
        (a, b) => return Ok(a.is_none() && b.is_none()),
    };
    if kind(&a) != kind(&b) {
        return Ok(false);
    }
    match kind(&a) {
        FileType::RegularFile => {
            let is_alike = a.st_size == b.st_size && mode(&a) == mode(&b);
            Ok(is_alike && content(one.file()?, other.file()?)?)
        }
        FileType::Symlink => {
            let to = |of: Named<'_>| readlinkat(of.at, of.name, Vec::new());
            Ok(to(one)? == to(other)?)
        }
        FileType::Directory if depth > DEEPEST => Err(too_deep()),
        FileType::Directory => {
            let (left, right) = (one.directory()?, other.directory()?);
            let listed = names(left.as_fd())?;
            if mode(&a) != mode(&b) || listed != names(right.as_fd())? {
                return Ok(false);
            }
            for name in &listed {
                let at = |at| Named { at, name };
                if !same_at(at(left.as_fd()), at(right.as_fd()), depth + 1)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        _ => Ok(false),
    }
}

fn content(one: File, other: File) -> io::Result<bool> {
    const PIECE: usize = 64 * 1024;
    let (mut one, mut other) = (BufReader::with_capacity(PIECE, one), BufReader::with_capacity(PIECE, other));
    let (mut a, mut b) = (vec![0; PIECE], vec![0; PIECE]);
    loop {
        let read = one.read(&mut a)?;
        if read == 0 {
            // One that has grown meanwhile is another.
            return Ok(other.read(&mut b)? == 0);
        }
        if other.read_exact(&mut b[..read]).is_err() || a[..read] != b[..read] {
            return Ok(false);
        }
    }
}

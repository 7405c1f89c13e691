//! The files of a pattern, the newest first, and which of them still grows.

use crate::stamp::Nanos;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A file of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) changed: Nanos,
    pub(crate) size: u64,
    pub(crate) is_directory: bool,
}

/// The directory of a pattern and the pattern of names in it.
pub(crate) fn split(pattern: &Path) -> (PathBuf, String) {
    let name = pattern.file_name().unwrap_or_default().to_string_lossy().into_owned();
    (pattern.parent().unwrap_or(Path::new("/")).to_owned(), name)
}

/// Everything that a pattern matches, the newest first. In a directory that is not there (a disk that is not mounted) it
/// matches nothing.
pub(crate) fn matching(pattern: &Path) -> io::Result<Vec<Found>> {
    use std::os::unix::fs::MetadataExt as _;
    let (directory, name) = split(pattern);
    let mut found = Vec::new();
    let entries = match fs::read_dir(&directory) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(found),
        other => other?,
    };
    for entry in entries {
        let entry = entry?;
        if !matches(name.as_bytes(), entry.file_name().as_encoded_bytes()) {
            continue;
        }
        // Removed since it was listed: not there.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() || metadata.is_dir() {
            let nanos = u32::try_from(metadata.mtime_nsec()).unwrap_or(0);
            found.push(Found {
                path: entry.path(),
                changed: Nanos::new(metadata.mtime(), nanos),
                size: metadata.len(),
                is_directory: metadata.is_dir(),
            });
        }
    }
    found.sort_by(|a, b| (b.changed, &b.path).cmp(&(a.changed, &a.path)));
    Ok(found)
}

/// Whether a name matches a pattern of `*` and `?`. A name that begins with a dot is matched by a dot only.
pub(crate) fn matches(pattern: &[u8], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&b'.') {
        return false;
    }
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p + 1, n));
                p += 1;
            }
            Some(b'?') => (p, n) = (p + 1, n + 1),
            Some(c) if *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                // The star takes one more.
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (p, n) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn patterns_match_as_those_of_a_shell() {
        for (pattern, name, is) in [
            ("mastodon-*.dump", "mastodon-2026-11-23.dump", true),
            ("mastodon-*.dump", "mastodon-2026-11-23.dump.part", false),
            ("*", ".hidden", false),
            (".*", ".hidden", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*a*b*", "xxaxxbxx", true),
            ("dump.rdb", "dump.rdb", true),
            ("", "a", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), is, "{pattern} {name}");
        }
    }

    proptest! {
        #[test]
        fn a_star_between_takes_anything(a in "[a-z]{0,5}", between in "[a-z*?]{0,8}", b in "[a-z]{0,5}") {
            let (pattern, name) = (format!("{a}*{b}"), format!("{a}{between}{b}"));
            prop_assert!(matches(pattern.as_bytes(), name.as_bytes()));
        }
    }
}

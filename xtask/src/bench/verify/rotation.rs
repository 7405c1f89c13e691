//! Seven snapshots as rsnapshot leaves them of a Mastodon's media: most files linked by all, a few new each night.

use crate::shell::{Result, at};
use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

/// Generations.
pub(super) const SNAPSHOTS: u64 = 7;
/// Files in each at full size: 280,000 names in all.
const FILES: u64 = 40_000;
/// Files that each night replaces: 47,200 inodes in all.
const REPLACED: u64 = 1_200;
/// Mean bytes of a file: 4.3 GB in all.
const MEAN: u64 = 92_000;

/// How large it became.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Size {
    pub(super) paths: u64,
    pub(super) inodes: u64,
    pub(super) directories: u64,
    pub(super) bytes: u64,
}

/// Numbers that are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Makes it below a directory, `percent` of its full size; what is there already is taken as it is.
pub(super) fn make(root: &Path, percent: u64) -> Result<Size> {
    let (files, replaced) = ((FILES * percent / 100).max(1), (REPLACED * percent / 100).max(1));
    let mut size = Size::default();
    let is_there = root.join("done").exists();
    if !is_there && root.exists() {
        fs::remove_dir_all(root).map_err(at(root))?;
    }
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    let mut names: Vec<PathBuf> = (0..files).map(|n| name(n, 0)).collect();
    for night in 0..SNAPSHOTS {
        let snapshot = root.join(format!("daily.{}", SNAPSHOTS - 1 - night));
        let before = root.join(format!("daily.{}", SNAPSHOTS - night));
        let first = if night == 0 { 0 } else { (night - 1) * replaced };
        let last = if night == 0 { files } else { first + replaced };
        for n in first..last {
            names[usize::try_from(n % files).unwrap_or_default()] = name(n % files, night);
        }
        let is_new = |n: u64| night == 0 || (first..last).any(|new| new % files == n);
        for (n, name) in (0..files).zip(&names) {
            let path = snapshot.join(name);
            if !is_there {
                let above = path.parent().unwrap_or(&snapshot);
                fs::create_dir_all(above).map_err(at(above))?;
            }
            size.directories += DEPTH;
            size.paths += 1;
            if is_new(n) {
                let bytes = MEAN / 8 + numbers.next() % (MEAN * 7 / 4);
                size.inodes += 1;
                size.bytes += bytes;
                if !is_there {
                    write(&path, bytes, &mut numbers)?;
                }
            } else if !is_there {
                fs::hard_link(before.join(name), &path).map_err(at(&path))?;
            }
        }
    }
    fs::write(root.join("done"), "").map_err(at(root))?;
    Ok(size)
}

/// Directories that a file has to itself, as Paperclip lays files out.
const DEPTH: u64 = 4;

/// `media_attachments/files/114/000/012/345/678/901/original/NAME`.
fn name(n: u64, night: u64) -> PathBuf {
    // Ids are so far apart that the last three groups are a file's own.
    let id = format!("{:018}", 114_000_000_000_000_000 + (n * SNAPSHOTS + night) * 1_000_003);
    let groups: Vec<&str> = (0..6).map(|at| &id[at * 3..at * 3 + 3]).collect();
    format!("media_attachments/files/{}/original/{n:x}{night}.png", groups.join("/")).into()
}

fn write(path: &Path, bytes: u64, numbers: &mut Numbers) -> Result<()> {
    let mut text = Vec::with_capacity(usize::try_from(bytes).unwrap_or_default() + 8);
    while (text.len() as u64) < bytes {
        text.extend_from_slice(&numbers.next().to_le_bytes());
    }
    text.truncate(usize::try_from(bytes).unwrap_or_default());
    File::create(path).and_then(|mut file| file.write_all(&text)).map_err(at(path))
}

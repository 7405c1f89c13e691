//! The manifest: every name of the newest complete state of a file backup, with its hash where it is proved.

use crate::{
    backup::{Backup, Borg, Place, Restic},
    error::VerifyError,
    finding::shown,
    prove::{Devices, Identity, Proof, Stat, State, Store, identity_at, open_directory, stat_at},
    rsnapshot::{self, Lock, Present, names},
    stamp::Stamp,
    verify::{open_below, open_root},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use rustix::fs::readlinkat;
use serde::{Deserialize, Serialize};
use std::{
    ffi::{CStr, CString, OsStr},
    io::{self, Write},
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::ffi::{OsStrExt as _, OsStringExt as _},
    },
    path::{Path, PathBuf},
};

/// One name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// From the root of the backup; what is not UTF-8 or not printable is escaped.
    pub path: String,
    /// The same in base64 if it is escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<String>,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Number of the owner.
    pub uid: u32,
    /// Number of the group.
    pub gid: u32,
    /// Permissions, in octal digits.
    pub mode: String,
    /// Bytes, of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Last change.
    pub mtime: Timestamp,
    /// BLAKE3 of a file whose content is proved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
    /// Where a link leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The same in base64 if it is escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_base64: Option<String>,
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A device, a pipe, a socket.
    Other,
}

impl Kind {
    /// By what the file system says.
    pub const fn of(stat: &Stat) -> Self {
        match stat.mode & 0o170_000 {
            0o100_000 => Self::File,
            0o040_000 => Self::Directory,
            0o120_000 => Self::Link,
            _ => Self::Other,
        }
    }
}

impl Line {
    /// A line of what was looked at.
    pub fn of(path: &[u8], stat: &Stat, blake3: Option<[u8; 32]>, target: Option<&[u8]>) -> Self {
        let ((path, path_base64), target) = (written(path), target.map(written));
        let (target, target_base64) = target.map_or((None, None), |(shown, exactly)| (Some(shown), exactly));
        Self {
            path,
            path_base64,
            kind: Kind::of(stat),
            uid: stat.uid,
            gid: stat.gid,
            mode: format!("{:04o}", stat.mode & 0o7777),
            size: stat.is_file().then_some(stat.size),
            mtime: stat.mtime.at(),
            blake3: blake3.map(|hash| blake3::Hash::from_bytes(hash).to_hex().to_string()),
            target,
            target_base64,
        }
    }
}

impl Line {
    /// The path, byte by byte; none if the line is not one of ours.
    pub fn path_bytes(&self) -> Option<Vec<u8>> {
        plain(&self.path, self.path_base64.as_deref())
    }

    /// Where a link leads, byte by byte.
    pub fn target_bytes(&self) -> Option<Vec<u8>> {
        plain(self.target.as_deref()?, self.target_base64.as_deref())
    }

    /// Permissions as a number.
    pub fn permissions(&self) -> Option<u32> {
        u32::from_str_radix(&self.mode, 8).ok()
    }
}

fn plain(shown: &str, exactly: Option<&str>) -> Option<Vec<u8>> {
    match exactly {
        Some(exactly) => STANDARD.decode(exactly).ok(),
        None => Some(shown.as_bytes().to_vec()),
    }
}

/// A name as it is shown, and in base64, if it cannot be read back from that.
fn written(name: &[u8]) -> (String, Option<String>) {
    let shown = shown(name);
    let exactly = (shown.as_bytes() != name).then(|| STANDARD.encode(name));
    (shown, exactly)
}

/// Deeper than any backup is.
const DEEPEST: usize = 2_000;

/// Writes the manifest, a line of JSON for each name, in the order of names. Says how many there were.
pub fn manifest(
    name: &str,
    backup: &Backup,
    proofs: &Path,
    now: Timestamp,
    out: &mut dyn Write,
) -> Result<u64, VerifyError> {
    let root = match &backup.place {
        Place::Rsnapshot { config } => newest_generation(config).map_err(VerifyError::backup(config))?,
        Place::Tree { path } => {
            let fd = open_root(path).map_err(VerifyError::backup(path))?;
            Root { name: String::new(), stamp: None, fd, at: path.clone() }
        }
        Place::Tar { path } | Place::Postgres { path } | Place::Redis { path } => {
            let source = io::Error::other("a manifest is made of directories: kinds rsnapshot and tree");
            return Err(VerifyError::Backup { path: path.clone(), source });
        }
        Place::Pulled(pulled) => {
            let source = io::Error::other("it lies on another host; ask mastmaintctl there");
            return Err(VerifyError::Backup { path: pulled.from.to_string().into(), source });
        }
        Place::Restic(Restic { repository, .. }) | Place::Borg(Borg { repository, .. }) => {
            let source = io::Error::other("a manifest is made of directories: kinds rsnapshot and tree");
            return Err(VerifyError::Backup { path: repository.into(), source });
        }
    };
    let store = Store::open(&proofs.join(name), Stamp::of(now))?;
    let mut walk = Walk { store: &store, devices: Devices::default(), root: &root, out, count: 0 };
    walk.directory(&root.fd, &mut Vec::new(), 0).map_err(VerifyError::backup(&root.at))?;
    Ok(walk.count)
}

/// Where it begins.
struct Root {
    /// The name by which its proofs know it, and its time, where that tells it from others.
    name: String,
    stamp: Option<Stamp>,
    fd: OwnedFd,
    at: PathBuf,
}

fn newest_generation(config: &Path) -> io::Result<Root> {
    let conf = rsnapshot::read(config)?.conf;
    let root = open_root(&conf.snapshot_root)?;
    let present = Present::look(root.as_fd(), &conf, Lock::look(conf.lockfile.as_deref())?)?;
    let newest = present.newest().ok_or_else(|| io::Error::other("there is no complete generation"))?;
    let name = newest.name(&conf);
    let (fd, at) = (open_below(&root, &name)?, conf.snapshot_root.join(&name));
    Ok(Root { name, stamp: present.lone_stamp(newest), fd, at })
}

struct Walk<'a> {
    store: &'a Store,
    devices: Devices,
    root: &'a Root,
    out: &'a mut dyn Write,
    count: u64,
}

impl Walk<'_> {
    fn directory(&mut self, fd: &OwnedFd, path: &mut Vec<u8>, depth: usize) -> io::Result<()> {
        if depth > DEEPEST {
            return Err(io::Error::other(format!("{} is nested too deep", shown(path))));
        }
        let device = self.devices.of(fd.as_fd())?;
        let mut below = names(fd.as_fd())?;
        below.sort_unstable();
        for name in below {
            let stat = stat_at(fd.as_fd(), &name)?;
            let length = path.len();
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name.to_bytes());
            let Root { name: above, stamp, .. } = self.root;
            let whole = || Path::new(above).join(OsStr::from_bytes(path)).into_os_string().into_vec();
            let identity = identity_at(device, stat.ino, *stamp, whole);
            let line = self.line(path, fd.as_fd(), &name, &stat, identity)?;
            serde_json::to_writer(&mut *self.out, &line)?;
            self.out.write_all(b"\n")?;
            self.count += 1;
            if stat.is_directory() {
                self.directory(&open_directory(fd.as_fd(), &name)?.fd, path, depth + 1)?;
            }
            path.truncate(length);
        }
        Ok(())
    }

    fn line(
        &self,
        path: &[u8],
        above: BorrowedFd<'_>,
        name: &CString,
        stat: &Stat,
        identity: Identity,
    ) -> io::Result<Line> {
        let proof = self.store.proof_of(identity).filter(|p| stat.is_file() && is_of(p, stat));
        let is_link = Kind::of(stat) == Kind::Link;
        let target = if is_link { Some(readlinkat(above, name, Vec::new())?) } else { None };
        Ok(Line::of(path, stat, proof.map(|p| p.hash), target.as_deref().map(CStr::to_bytes)))
    }
}

/// Whether a proof is that of the file as it is now.
pub(crate) fn is_of(proof: &Proof, stat: &Stat) -> bool {
    proof.state == State::Sound
        && (proof.size, proof.mtime, proof.birth) == (stat.size, stat.mtime, stat.birth)
}

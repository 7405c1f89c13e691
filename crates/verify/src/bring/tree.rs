//! A generation that lies on the disk as directories.

use super::{NotBrought, rails_root};
use crate::{
    backup::{Backup, Place},
    check::{Mastodon, live_in},
    error::VerifyError,
    look::{DirectoryTree, Tree as _},
    manifest::is_of,
    prove::{Device, Devices, Stat, Store, identity_at},
    rsnapshot::{self, Lock, Present, Standing},
    stamp::Stamp,
    verify::{open_below, open_root},
};
use jiff::Timestamp;
use std::{
    io,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    path::Path,
};

/// A generation that lies on the disk as directories.
#[derive(Debug)]
pub struct Tree {
    /// What people call it: `daily.0`, a directory's name.
    pub name: String,
    /// When it was made, where that can be told.
    pub made: Option<Timestamp>,
    /// Its Rails root, opened.
    pub root: OwnedFd,
    /// What there is of Mastodon.
    pub mastodon: Mastodon,
    /// How the paths of its files begin in the store of proofs.
    above: Vec<u8>,
    stamp: Option<Stamp>,
    store: Store,
    devices: Devices,
}

impl Tree {
    /// Opens a generation of the backup, the newest complete one if none is named. `live` is where Mastodon's Rails
    /// root lies in it. `store` is the directory of the backup's proofs.
    pub fn open(
        backup: &Backup,
        generation: Option<&str>,
        live: &str,
        store: &Path,
    ) -> Result<Self, NotBrought> {
        let (found, at) = match &backup.place {
            Place::Rsnapshot { config } => (rotation(config, generation)?, config),
            Place::Tree { path } => (lone(path, generation)?, path),
            other => return Err(NotBrought::NotFiles(other.kind())),
        };
        let of = || VerifyError::backup(at);
        let Found { name, made, stamp, fd, below, prefix } = found;
        let tree = DirectoryTree::new(fd, stamp);
        let root = rails_root(&tree, &below, live).map_err(of())?;
        let none = || NotBrought::NoMastodon { generation: name.clone(), live: live.to_owned() };
        let root = root.ok_or_else(none)?;
        let opened = tree.directory(&root).map_err(of())?.ok_or_else(none)?;
        let mastodon = live_in(&tree, &below, &root).map_err(of())?;
        let above = [prefix.as_str(), root.as_str()].into_iter().filter(|p| !p.is_empty());
        let above = above.collect::<Vec<_>>().join("/").into_bytes();
        let store = Store::look(store)?;
        Ok(Self { name, made, root: opened, mastodon, above, stamp, store, devices: Devices::default() })
    }

    /// On which file system a directory of it lies.
    pub fn device(&self, directory: BorrowedFd<'_>) -> io::Result<Device> {
        self.devices.of(directory)
    }

    /// The hash that a file was proved to have, if the proof is that of the file as it is now. `path` is from the Rails
    /// root.
    pub fn proof(&self, device: Device, stat: &Stat, path: &[u8]) -> Option<[u8; 32]> {
        let whole = || {
            let mut whole = self.above.clone();
            if !whole.is_empty() {
                whole.push(b'/');
            }
            whole.extend_from_slice(path);
            whole
        };
        let proof = self.store.proof_of(identity_at(device, stat.ino, self.stamp, whole))?;
        is_of(proof, stat).then_some(proof.hash)
    }
}

struct Found {
    name: String,
    made: Option<Timestamp>,
    stamp: Option<Stamp>,
    fd: OwnedFd,
    /// Directories below which paths may lie: backup points.
    below: Vec<String>,
    /// Its name in the store of proofs.
    prefix: String,
}

fn rotation(config: &Path, generation: Option<&str>) -> Result<Found, NotBrought> {
    let conf = rsnapshot::read(config).map_err(VerifyError::backup(config))?.conf;
    let of = || VerifyError::backup(&conf.snapshot_root);
    let root = open_root(&conf.snapshot_root).map_err(of())?;
    let lock = Lock::look(conf.lockfile.as_deref()).map_err(of())?;
    let present = Present::look(root.as_fd(), &conf, lock).map_err(of())?;
    let snapshot = match generation {
        None => present.newest().ok_or_else(|| NotBrought::NoBackup(conf.snapshot_root.clone()))?,
        Some(wanted) => {
            let found = present.snapshots.iter().find(|s| s.name(&conf) == wanted);
            let there = || present.snapshots.iter().map(|s| s.name(&conf)).collect::<Vec<_>>().join(", ");
            let none = || NotBrought::NoGeneration { name: wanted.to_owned(), there: there() };
            found.ok_or_else(none)?
        }
    };
    let name = snapshot.name(&conf);
    if snapshot.standing != Standing::Complete {
        return Err(NotBrought::Incomplete(name));
    }
    let fd = open_below(&root, &name).map_err(of())?;
    let below = conf.points.iter().map(|p| p.dest.clone()).filter(|d| !d.is_empty()).collect();
    let (made, stamp) = (Some(snapshot.stamp.at()), present.lone_stamp(snapshot));
    Ok(Found { prefix: name.clone(), name, made, stamp, fd, below })
}

fn lone(path: &Path, generation: Option<&str>) -> Result<Found, NotBrought> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    if let Some(wanted) = generation.filter(|wanted| *wanted != name) {
        return Err(NotBrought::NoGeneration { name: wanted.to_owned(), there: name });
    }
    let fd = open_root(path).map_err(VerifyError::backup(path))?;
    Ok(Found { name, made: None, stamp: None, fd, below: Vec::new(), prefix: String::new() })
}

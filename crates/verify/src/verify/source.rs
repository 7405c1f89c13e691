//! The newest complete state of a file backup, opened to be looked into.

use crate::{
    backup::{Backup, Place},
    check::{Mastodon, candidates, live_in},
    found::matching,
    look::{DirectoryTree, Tree},
    rsnapshot::{self, Lock, Present},
    stamp::Stamp,
    tarball::Tarball,
};
use rustix::{
    fs::{Mode, OFlags, openat},
    io::Errno,
};
use std::{
    ffi::CString,
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

/// A file backup to look into.
pub(crate) struct Source {
    pub(crate) tree: Box<dyn Tree>,
    /// Directories below which paths may lie: backup points of rsnapshot.
    pub(crate) below: Vec<String>,
}

/// Opens a directory by its path.
pub(crate) fn open_root(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
    Ok(openat(rustix::fs::CWD, path, flags, Mode::empty())?)
}

/// Opens a directory by its name in another one.
pub(crate) fn open_below(root: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    let name = CString::new(name).map_err(|_| io::Error::from(Errno::INVAL))?;
    Ok(crate::prove::open_directory(root.as_fd(), &name)?.fd)
}

impl Source {
    /// Opens the newest complete state; `None` if there is none.
    pub(crate) fn open(backup: &Backup) -> io::Result<Option<Self>> {
        match &backup.place {
            Place::Rsnapshot { config } => {
                let conf = rsnapshot::read(config)?.conf;
                let root = open_root(&conf.snapshot_root)?;
                let lock = Lock::look(conf.lockfile.as_deref())?;
                let present = Present::look(root.as_fd(), &conf, lock)?;
                let Some(newest) = present.newest() else { return Ok(None) };
                let tree = DirectoryTree::new(open_below(&root, &newest.name(&conf))?, Some(newest.stamp));
                let below = conf.points.iter().map(|p| p.dest.clone()).filter(|d| !d.is_empty()).collect();
                Ok(Some(Self { tree: Box::new(tree), below }))
            }
            Place::Tree { path } => {
                let tree = DirectoryTree::new(open_root(path)?, None);
                Ok(Some(Self { tree: Box::new(tree), below: Vec::new() }))
            }
            Place::Tar { path } => {
                let Some(newest) = matching(path)?.into_iter().find(|f| !f.is_directory) else {
                    return Ok(None);
                };
                let (tarball, _) = Tarball::read(&newest.path, Some(Stamp::of(newest.changed.at())))?;
                Ok(Some(Self { tree: Box::new(tarball), below: Vec::new() }))
            }
            Place::Postgres { .. } | Place::Redis { .. } => Ok(None),
        }
    }

    /// Mastodon in it, if its place is known.
    pub(crate) fn mastodon(&self, live: Option<&str>) -> io::Result<Option<Mastodon>> {
        let Some(live) = live else { return Ok(None) };
        for at in candidates(live, &self.below) {
            if self.tree.thing(&at)?.is_some() {
                return live_in(&*self.tree, &at).map(Some);
            }
        }
        Ok(None)
    }
}

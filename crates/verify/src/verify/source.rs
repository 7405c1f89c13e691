//! The newest complete state of a file backup, opened to be looked into.

use crate::{
    backup::{Backup, Place},
    borg,
    check::{Mastodon, candidates, live_in},
    decrypt::Unseal,
    found::matching,
    leads::{Lead, follow},
    look::{DirectoryTree, Inside, Tree, Wanted},
    restic,
    rsnapshot::{self, Lock, Present},
    stamp::Stamp,
    stream,
    tarball::{Reopen, Tarball},
};
use rustix::{
    fs::{Mode, OFlags, openat},
    io::Errno,
};
use std::{
    ffi::CString,
    io,
    os::fd::{AsFd as _, OwnedFd},
    path::{Path, PathBuf},
    rc::Rc,
};

/// A file backup to look into.
pub(crate) struct Source {
    /// What people call it: `daily.0`, a file's name.
    pub(crate) name: String,
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
    /// Opens the newest complete state; `None` if there is none. The files of `wanted` can be found in it later.
    pub(crate) fn open(backup: &Backup, scratch: &Path, wanted: Option<&Wanted>) -> io::Result<Option<Self>> {
        let plain = |name: String, tree| Ok(Some(Self { name, tree, below: Vec::new() }));
        match &backup.place {
            Place::Rsnapshot { config } => {
                let conf = rsnapshot::read(config)?.conf;
                let root = open_root(&conf.snapshot_root)?;
                let lock = Lock::look(conf.lockfile.as_deref())?;
                let present = Present::look(root.as_fd(), &conf, lock)?;
                let Some(newest) = present.newest() else { return Ok(None) };
                let name = newest.name(&conf);
                let tree = DirectoryTree::new(open_below(&root, &name)?, Some(newest.stamp));
                let below = conf.points.iter().map(|p| p.dest.clone()).filter(|d| !d.is_empty()).collect();
                Ok(Some(Self { name, tree: Box::new(tree), below }))
            }
            Place::Tree { path } => {
                plain(name_of(path), Box::new(DirectoryTree::new(open_root(path)?, None)))
            }
            Place::Tar { path } => {
                let Some(newest) = matching(path)?.into_iter().find(|f| !f.is_directory) else {
                    return Ok(None);
                };
                let unseal = backup.decrypt.as_ref().map(|how| Unseal::ready(how, scratch)).transpose()?;
                let unseal = unseal.transpose().map_err(|f| io::Error::other(f.what))?.map(Rc::new);
                let name = name_of(&newest.path);
                let finished = Stamp::of(newest.changed.at());
                let reopen = reopen(newest.path, unseal);
                let (tarball, _) = Tarball::read_by(&name, reopen, Some(finished), wanted.cloned())?;
                plain(name, Box::new(tarball))
            }
            Place::Restic(place) => {
                let snapshot = restic::newest(place, backup, scratch, wanted).map_err(io::Error::other)?;
                snapshot.map_or(Ok(None), |s| plain(s.name(), Box::new(s)))
            }
            Place::Borg(place) => {
                let archive = borg::newest(place, scratch, wanted).map_err(io::Error::other)?;
                archive.map_or(Ok(None), |a| plain(a.name(), Box::new(a)))
            }
            Place::Postgres { .. } | Place::Redis { .. } | Place::Pulled(_) => Ok(None),
        }
    }

    /// The files of a pattern, the youngest first.
    pub(crate) fn matching(&self, wanted: &Wanted) -> io::Result<Vec<Inside>> {
        let mut found = self.tree.matching(wanted)?;
        for below in &self.below {
            found.extend(self.tree.matching(&wanted.below(below))?);
        }
        found.sort_by(|a, b| (b.changed, &b.path).cmp(&(a.changed, &a.path)));
        Ok(found)
    }

    /// Mastodon in it, if its place is known.
    pub(crate) fn mastodon(&self, live: Option<&str>) -> io::Result<Option<Mastodon>> {
        let Some(live) = live else { return Ok(None) };
        for at in candidates(live, &self.below) {
            if let Lead::Here(at, _) = follow(&*self.tree, &self.below, &at)? {
                return live_in(&*self.tree, &self.below, &at).map(Some);
            }
        }
        Ok(None)
    }
}

/// Opens an archive again and again, decrypted.
pub(crate) fn reopen(path: PathBuf, unseal: Option<Rc<Unseal>>) -> Reopen {
    Box::new(move || match &unseal {
        Some(unseal) => unseal.open(stream::raw(&path)?),
        None => stream::raw(&path),
    })
}

pub(crate) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

//! What is live today and not in the backup: what would not be there after a restore.

use crate::{
    error::{RestoreError, io_at},
    names::{CACHE, Policy, UPLOADS, is_environment},
    open::directory_if_there,
    survey::Few,
    walk::{Entry, Visitor, walk},
};
use mastmaint_verify::{Kind, prove::stat_at};
use mastmaint_words::restore::Uploads;
use rustix::io::Errno;
use std::{
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

/// What is made anew, or comes with the version of the code: nobody misses a file of it.
const MADE_ANEW: [&[u8]; 7] =
    [b"tmp", b"log", b"node_modules", b".git", b"vendor", b"public/packs", b"public/assets"];

/// What only today has.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    /// Files and directories of the code and its configuration.
    pub(crate) only_today: Few,
    /// Files that were changed since.
    pub(crate) changed: Few,
    /// Uploads.
    pub(crate) uploads: Few,
}

/// Walks live beside the backup.
pub(crate) fn lost(live: &OwnedFd, backup: &OwnedFd, policy: &Policy) -> Result<Lost, RestoreError> {
    let mut looking = Looking { backup, policy, levels: Vec::new(), lost: Lost::default() };
    let live = Arc::new(live.try_clone().map_err(io_at(b"live", "open"))?);
    walk(&live, &mut Vec::new(), &mut looking)?;
    Ok(looking.lost)
}

struct Looking<'a> {
    backup: &'a OwnedFd,
    policy: &'a Policy,
    /// What the backup has of the directories on the way; nothing below uploads that only today has.
    levels: Vec<Option<OwnedFd>>,
    lost: Lost,
}

impl Looking<'_> {
    fn above(&self) -> Option<&OwnedFd> {
        self.levels.last().map_or(Some(self.backup), Option::as_ref)
    }

    /// Whether nothing of it is lost, or nobody would miss it.
    fn is_left_out(&self, path: &[u8]) -> bool {
        let stays = matches!(self.policy.uploads, Uploads::Stay | Uploads::Link);
        (path == UPLOADS && stays)
            || MADE_ANEW.contains(&path)
            || path.strip_prefix(UPLOADS).and_then(|p| p.strip_prefix(b"/")) == Some(CACHE)
            || (is_environment(path) && !self.policy.with_env)
    }
}

impl Visitor for Looking<'_> {
    fn enter(&mut self, entry: &Entry<'_>) -> Result<bool, RestoreError> {
        if self.is_left_out(entry.path) {
            return Ok(false);
        }
        let there = match self.above() {
            Some(above) => directory_if_there(above, entry.name.as_c_str()),
            None => Ok(None),
        };
        let there = there.map_err(io_at(entry.path, "open in the backup"))?;
        // Of uploads people want to know how many they are; of the code a directory says enough.
        if there.is_none() && !is_upload(entry.path) {
            self.only_today(entry);
            return Ok(false);
        }
        self.levels.push(there);
        Ok(true)
    }

    fn leave(&mut self) {
        self.levels.pop();
    }

    fn thing(&mut self, entry: &Entry<'_>) -> Result<(), RestoreError> {
        if self.is_left_out(entry.path) {
            return Ok(());
        }
        let there = match self.above() {
            Some(above) => match stat_at(above.as_fd(), entry.name) {
                Ok(stat) => Some(stat),
                Err(Errno::NOENT) => None,
                Err(error) => return Err(io_at(entry.path, "look at in the backup")(error)),
            },
            None => None,
        };
        match there {
            None => self.only_today(entry),
            Some(then) => {
                let is_newer = entry.kind() == Kind::File && then.mtime < entry.stat.mtime;
                if is_newer && !is_upload(entry.path) {
                    self.lost.changed.add(entry.path);
                }
            }
        }
        Ok(())
    }
}

impl Looking<'_> {
    fn only_today(&mut self, entry: &Entry<'_>) {
        let some = if is_upload(entry.path) { &mut self.lost.uploads } else { &mut self.lost.only_today };
        some.add(entry.path);
    }
}

fn is_upload(path: &[u8]) -> bool {
    path.strip_prefix(UPLOADS).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

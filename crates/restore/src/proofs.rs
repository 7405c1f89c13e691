//! The proofs of the files of a directory, which is asked once where it lies.

use crate::{
    error::{RestoreError, io_at},
    survey::{Key, key},
    walk::Entry,
};
use mastmaint_verify::{bring::Tree, prove::Device};
use std::{
    os::fd::{AsFd as _, OwnedFd},
    sync::Arc,
};

/// What is known of the files of a generation.
pub(crate) struct Proofs<'a> {
    tree: &'a Tree,
    last: Option<(Arc<OwnedFd>, Device)>,
}

impl<'a> Proofs<'a> {
    /// Those of a tree.
    pub(crate) const fn of(tree: &'a Tree) -> Self {
        Self { tree, last: None }
    }

    fn device(&mut self, entry: &Entry<'_>) -> Result<Device, RestoreError> {
        if let Some((above, device)) = &self.last
            && Arc::ptr_eq(above, entry.above)
        {
            return Ok(*device);
        }
        let device = self.tree.device(entry.above.as_fd()).map_err(io_at(entry.path, "look at"))?;
        self.last = Some((Arc::clone(entry.above), device));
        Ok(device)
    }

    /// The hash that a file was proved to have; its path is from the Rails root.
    pub(crate) fn proof(&mut self, entry: &Entry<'_>, path: &[u8]) -> Result<Option<[u8; 32]>, RestoreError> {
        let device = self.device(entry)?;
        Ok(self.tree.proof(device, &entry.stat, path))
    }

    /// What stands for a file, whatever its names.
    pub(crate) fn key(&mut self, entry: &Entry<'_>) -> Result<Key, RestoreError> {
        Ok(key(self.device(entry)?, entry.stat.ino))
    }
}

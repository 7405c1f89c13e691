//! What becomes of `public/system/cache`, the copies of what lies on other servers, where all uploads come from a backup.
//! Many backups leave it out, and the database names what is in it.

use crate::{
    error::{RestoreError, io_at},
    media,
    names::{CACHE, Policy},
    open::directory_if_there,
};
use mastmaint_words::restore::{RestoreOrder, Uploads};
use std::os::fd::OwnedFd;

/// Whether it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cache {
    /// Nothing of it changes, or it comes.
    Well,
    /// The backup has none.
    NotThere,
    /// Whoever sends it was not asked for it.
    NotAskedFor,
    /// Whoever sends it was asked for it, and has not heard that.
    NotSent,
}

impl Cache {
    /// By what is in the Rails root that comes, and what its sender says that it was asked for.
    pub(crate) fn of(
        order: &RestoreOrder,
        policy: &Policy,
        root: &OwnedFd,
        sent: Option<bool>,
    ) -> Result<Self, RestoreError> {
        if matches!(policy.uploads, Uploads::Stay | Uploads::Link) {
            return Ok(Self::Well);
        }
        // Without uploads of its own they are in an object storage, and the copies with them.
        let Some(uploads) = media::of_backup(root)? else { return Ok(Self::Well) };
        let cache = directory_if_there(&*uploads, CACHE).map_err(io_at(CACHE, "look for in the backup"))?;
        Ok(match (cache, sent, order.with_media) {
            (Some(_), ..) => Self::Well,
            (None, Some(false), true) => Self::NotSent,
            (None, Some(false), false) => Self::NotAskedFor,
            (None, ..) => Self::NotThere,
        })
    }

    /// Why it does not.
    pub(crate) const fn lost(self) -> Option<&'static str> {
        match self {
            Self::Well => None,
            Self::NotThere => {
                Some("public/system/cache, the copies of what lies on other servers: it is not in the backup")
            }
            Self::NotAskedFor => Some(
                "public/system/cache, the copies of what lies on other servers: without --with-media it is not sent",
            ),
            Self::NotSent => Some(
                "public/system/cache, the copies of what lies on other servers: the other host was asked for it and did not hear that; where sudo starts mastmaintctl there, env_keep must let SSH_ORIGINAL_COMMAND through (see the manual)",
            ),
        }
    }
}

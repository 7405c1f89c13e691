//! Which inodes were met tonight: each is looked at once, however many names it has.

use super::store::Identity;
use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Enough that walkers seldom wait for each other.
const SHARDS: usize = 64;

/// The inodes met so far.
pub(crate) struct Seen {
    known: Vec<AtomicBool>,
    fresh: Vec<Mutex<HashMap<Identity, u64>>>,
}

impl Seen {
    pub(crate) fn new(known: usize) -> Self {
        Self {
            known: (0..known).map(|_| AtomicBool::new(false)).collect(),
            fresh: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }

    /// Marks an inode that the store knows; whether it was met before.
    pub(crate) fn meet_known(&self, position: usize) -> bool {
        self.known[position].swap(true, Ordering::Relaxed)
    }

    /// Takes the mark away again: the name under which it was met went away.
    pub(crate) fn forget_known(&self, position: usize) {
        self.known[position].store(false, Ordering::Relaxed);
    }

    pub(crate) fn was_met(&self, position: usize) -> bool {
        self.known.get(position).is_none_or(|k| k.load(Ordering::Relaxed))
    }

    /// The size of an inode that the store does not know, if it was met before.
    pub(crate) fn size_of(&self, identity: Identity) -> Option<u64> {
        self.shard(identity).lock().unwrap_or_else(PoisonError::into_inner).get(&identity).copied()
    }

    /// Marks such an inode; whether this is the first time.
    pub(crate) fn meet_fresh(&self, identity: Identity, size: u64) -> bool {
        let mut shard = self.shard(identity).lock().unwrap_or_else(PoisonError::into_inner);
        match shard.entry(identity) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(size);
                true
            }
        }
    }

    fn shard(&self, identity: Identity) -> &Mutex<HashMap<Identity, u64>> {
        // Numbers of neighbours differ in their low bits.
        let at = usize::try_from(identity.ino % SHARDS as u64).unwrap_or(0);
        &self.fresh[at]
    }
}

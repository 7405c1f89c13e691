//! Provisional: where accepted configurations are kept.

use crate::Loaded;
use crate::accepted::RoomView;
use mastmaint_words::{Digest, Room};
use std::{fs, io, path::PathBuf};

/// Accepted configurations.
#[derive(Debug)]
pub struct Store(PathBuf);

impl Store {
    /// Below this directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// Stores every part.
    pub fn put(&self, loaded: &Loaded, _in_use: &[Digest]) -> io::Result<()> {
        for room in Room::ALL {
            let directory = self.0.join(room.as_str());
            fs::create_dir_all(&directory)?;
            let view = loaded.settings.room_view(loaded.digest.clone(), room);
            fs::write(directory.join(format!("{}.json", loaded.digest)), serde_json::to_vec(&view)?)?;
        }
        Ok(())
    }

    /// The part of a room.
    pub fn room_view(&self, room: Room, digest: &Digest) -> io::Result<RoomView> {
        let path = self.0.join(room.as_str()).join(format!("{digest}.json"));
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }
}

//! Accepted configurations on disk: `ROOT/{daemon,tootctl,systemctl,run,verify}/DIGEST.json`. A file is complete or absent;
//! those that no run uses are thrown away, except the newest few.

use crate::{
    accepted::{DaemonView, RoomView},
    load::Loaded,
};
use mastmaint_words::{Digest, Room};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Largest accepted configuration that is read back.
const MAX_SIZE: u64 = 4 * 1024 * 1024;
/// So many of the unused ones stay, for those who come late.
const KEEP_NEWEST: usize = 3;
/// Written by root, read by the group of the directory.
const MODE: u32 = 0o640;
const DAEMON: &str = "daemon";

/// What went wrong with an accepted configuration.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system said no.
    #[error("cannot {doing} {}: {error}; check that it exists, its owner, and the space left on its file system", .path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// Nothing is stored under the digest.
    #[error("no accepted configuration at {}; run `systemctl reload mastmaintd` to have it accepted again", .path.display())]
    Absent {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file is not what was written.
    #[error("{} is not an accepted configuration ({why}); remove it and run `systemctl reload mastmaintd`", .path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl StoreError {
    /// Stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "store-io",
            Self::Absent { .. } => "not-accepted",
            Self::Damaged { .. } => "store-damaged",
        }
    }
}

/// What is known of the configurations that runs follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InUse<'a> {
    /// Nothing is: any of them may be needed, so nothing is thrown away.
    Unknown,
    /// These and no others.
    These(&'a [Digest]),
}

/// The place of accepted configurations.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// A store below `root`; nothing is made yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Stores every part of a configuration durably, then throws away what is neither in use nor new. One that is
    /// stored already is left alone and nothing is thrown away: a full disk must not stop a daemon from starting.
    pub fn put(&self, loaded: &Loaded, in_use: InUse<'_>) -> Result<(), StoreError> {
        let mut absent = Vec::new();
        for (part, json) in self.parts(loaded)? {
            if !self.holds(part, &loaded.digest, &json) {
                absent.push((part, json));
            }
        }
        if absent.is_empty() {
            return Ok(());
        }
        make_directory(&self.root)?;
        for (part, json) in absent {
            self.write(part, &loaded.digest, &json)?;
        }
        if let InUse::These(in_use) = in_use {
            for part in Room::ALL.map(Room::as_str).into_iter().chain([DAEMON]) {
                self.throw_away(part, &loaded.digest, in_use)?;
            }
        }
        Ok(())
    }

    /// The files of a configuration; the daemon's last: what the daemon can see, every room has.
    fn parts(&self, loaded: &Loaded) -> Result<Vec<(&'static str, Vec<u8>)>, StoreError> {
        let digest = &loaded.digest;
        let mut parts = Vec::with_capacity(Room::ALL.len() + 1);
        for room in Room::ALL {
            let view = loaded.settings.room_view(digest.clone(), room);
            parts.push((room.as_str(), self.json(room.as_str(), digest, &view)?));
        }
        let view = loaded.settings.daemon_view(digest.clone());
        parts.push((DAEMON, self.json(DAEMON, digest, &view)?));
        Ok(parts)
    }

    fn json(&self, part: &str, digest: &Digest, view: &impl Serialize) -> Result<Vec<u8>, StoreError> {
        serde_json::to_vec(view)
            .map_err(|error| StoreError::Damaged { path: self.path(part, digest), why: error.to_string() })
    }

    /// Whether the file is there exactly as it would be written. If that cannot be found out, it is written.
    fn holds(&self, part: &str, digest: &Digest, json: &[u8]) -> bool {
        let path = self.path(part, digest);
        let size = json.len() as u64;
        path.symlink_metadata()
            .is_ok_and(|m| m.is_file() && m.len() == size && m.permissions().mode() & 0o7777 == MODE)
            && fs::read(&path).is_ok_and(|stored| stored == json)
    }

    /// What the daemon may see of a configuration.
    pub fn daemon_view(&self, digest: &Digest) -> Result<DaemonView, StoreError> {
        let view: DaemonView = self.read(DAEMON, digest)?;
        if view.digest == *digest { Ok(view) } else { Err(self.misnamed(DAEMON, digest)) }
    }

    /// What a room may see of a configuration.
    pub fn room_view(&self, room: Room, digest: &Digest) -> Result<RoomView, StoreError> {
        let view: RoomView = self.read(room.as_str(), digest)?;
        if view.digest == *digest && view.room == room {
            Ok(view)
        } else {
            Err(self.misnamed(room.as_str(), digest))
        }
    }

    fn misnamed(&self, part: &str, digest: &Digest) -> StoreError {
        let why = "it belongs to another digest or room".to_owned();
        StoreError::Damaged { path: self.path(part, digest), why }
    }

    fn path(&self, part: &str, digest: &Digest) -> PathBuf {
        self.root.join(part).join(format!("{digest}.json"))
    }

    fn read<T: DeserializeOwned>(&self, part: &str, digest: &Digest) -> Result<T, StoreError> {
        let path = self.path(part, digest);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(StoreError::Absent { path }),
            other => other.map_err(failed("open", &path))?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_SIZE + 1).read_to_end(&mut bytes).map_err(failed("read", &path))?;
        if bytes.len() as u64 > MAX_SIZE {
            return Err(StoreError::Damaged { path, why: format!("larger than {MAX_SIZE} bytes") });
        }
        serde_json::from_slice(&bytes).map_err(|error| StoreError::Damaged { path, why: error.to_string() })
    }

    fn write(&self, part: &str, digest: &Digest, json: &[u8]) -> Result<(), StoreError> {
        let directory = self.root.join(part);
        make_directory(&directory)?;
        let path = self.path(part, digest);
        let draft = directory.join(format!(".{digest}.{}", std::process::id()));
        let written = write_durably(&draft, json)
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| File::open(&directory)?.sync_all());
        if written.is_err() {
            // A full disk: do not leave the half of it behind.
            let _ = fs::remove_file(&draft);
        }
        written.map_err(failed("write", &path))
    }

    fn throw_away(&self, part: &str, newest: &Digest, in_use: &[Digest]) -> Result<(), StoreError> {
        let directory = self.root.join(part);
        let mut unused: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in fs::read_dir(&directory).map_err(failed("list", &directory))? {
            let path = entry.map_err(failed("list", &directory))?.path();
            let digest = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse::<Digest>().ok());
            let Some(digest) = digest.filter(|_| path.extension().is_some_and(|e| e == "json")) else {
                continue;
            };
            if digest != *newest && !in_use.contains(&digest) {
                let modified = path.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
                unused.push((modified, path));
            }
        }
        unused.sort();
        // The one just stored is among the newest.
        let surplus = unused.len().saturating_sub(KEEP_NEWEST - 1);
        for (_, path) in unused.into_iter().take(surplus) {
            fs::remove_file(&path).map_err(failed("remove", &path))?;
        }
        Ok(())
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |error| StoreError::Io { doing, path, error }
}

/// Directories that exist keep their owner, group and setgid bit: tmpfiles.d made them so.
fn make_directory(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o750).create(path).map_err(failed("make", path))
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path)?;
    // Whatever the umask: the group of the directory is the reader.
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(bytes)?;
    file.sync_all()
}

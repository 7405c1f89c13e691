//! Where an instance keeps its media, decided as its own initializer decides it.

use crate::Variables;
use mastmaint_words::Bytes;
use nix::sys::statvfs::statvfs;
use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// Where media lie below the Rails root, unless the settings say otherwise.
pub const UPLOADS: &str = "public/system";

/// Where media are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Below this directory.
    Local(PathBuf),
    /// In a bucket.
    S3(Box<Bucket>),
    /// Somewhere that is not looked at: `Swift`, `Azure`.
    Other(&'static str),
}

/// A bucket and the keys to it.
#[derive(Clone, PartialEq, Eq)]
pub struct Bucket {
    /// With its scheme, without a path: `https://s3.example`.
    pub endpoint: String,
    /// Its name.
    pub name: String,
    /// Where it is said to be.
    pub region: String,
    /// Whether its name stands in the path of an address and not in the host.
    pub path_style: bool,
    /// What every key begins with.
    pub prefix: Option<String>,
    /// Whose keys they are.
    pub access_key_id: String,
    /// What signs.
    pub secret_access_key: String,
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("endpoint", &self.endpoint)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// With fewer files left a file system is as good as full. A night of media takes more.
const FEW_FILES: u64 = 1_000;

/// The room of a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Free {
    /// All of it.
    pub total: u64,
    /// What anybody may still write.
    pub free: u64,
    /// Nothing where it makes as many as fit (Btrfs).
    pub files: Option<Files>,
}

/// The files (inodes) of a file system that counts them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Files {
    /// All that it has.
    pub total: u64,
    /// What anybody may still make.
    pub free: u64,
}

impl Free {
    /// Of the file system that holds a path.
    ///
    /// # Errors
    /// If the path cannot be reached.
    pub fn at(path: &Path) -> io::Result<Self> {
        let found = statvfs(path)?;
        let size = found.fragment_size();
        Ok(Self {
            total: found.blocks().saturating_mul(size),
            free: found.blocks_available().saturating_mul(size),
            files: (found.files() > 0).then(|| Files { total: found.files(), free: found.files_available() }),
        })
    }

    /// What anybody may still write.
    pub const fn bytes(&self) -> Bytes {
        Bytes::new(self.free)
    }

    /// Says that files run out, or have, while bytes may be free, on the file system of a path.
    pub fn lack_of_files(&self, path: &Path) -> Option<String> {
        let Files { total, free } = self.files?;
        // A small one that is nearly empty lacks nothing.
        let is_out = free == 0 || free < FEW_FILES.min(total / 10);
        let path = path.display();
        is_out.then(|| {
            format!("only {free} more files (inodes) fit on the file system of {path}, however many bytes are free")
        })
    }
}

impl Storage {
    /// Where the media of the instance at `live` are.
    pub fn of(variables: &Variables, live: &Path) -> Self {
        if variables.is_true("S3_ENABLED") {
            return Self::S3(Box::new(Bucket::of(variables)));
        }
        for (switch, name) in [("SWIFT_ENABLED", "Swift"), ("AZURE_ENABLED", "Azure")] {
            if variables.is_true(switch) {
                return Self::Other(name);
            }
        }
        match variables.get("PAPERCLIP_ROOT_PATH") {
            Some(path) => Self::Local(live.join(path.replace(":rails_root", &live.to_string_lossy()))),
            None => Self::Local(live.join(UPLOADS)),
        }
    }
}

impl Bucket {
    fn of(variables: &Variables) -> Self {
        let get = |name: &str| variables.get(name).unwrap_or_default().to_owned();
        let region = variables.get("S3_REGION").unwrap_or("us-east-1").to_owned();
        let own = variables.get("S3_ENDPOINT").map(|e| e.trim_end_matches('/').to_owned());
        Self {
            // Only an endpoint of its own is addressed by path, unless that is switched off.
            path_style: own.is_some() && !variables.is_true("S3_OVERRIDE_PATH_STYLE"),
            endpoint: own.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com")),
            name: get("S3_BUCKET"),
            region,
            prefix: variables.get("S3_KEY_PREFIX").map(str::to_owned),
            access_key_id: get("AWS_ACCESS_KEY_ID"),
            secret_access_key: get("AWS_SECRET_ACCESS_KEY"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn media_are_local_unless_something_else_is_switched_on() {
        let live = Path::new("/home/mastodon/live");
        let of = |pairs: &[(&str, &str)]| Storage::of(&variables(pairs), live);
        assert_eq!(of(&[]), Storage::Local(live.join("public/system")));
        assert_eq!(of(&[("S3_ENABLED", "false")]), Storage::Local(live.join("public/system")));
        assert_eq!(of(&[("PAPERCLIP_ROOT_PATH", "/srv/media")]), Storage::Local("/srv/media".into()));
        let below = of(&[("PAPERCLIP_ROOT_PATH", ":rails_root/media")]);
        assert_eq!(below, Storage::Local(live.join("media")));
        assert_eq!(of(&[("SWIFT_ENABLED", "true")]), Storage::Other("Swift"));
    }

    #[test]
    fn an_endpoint_of_its_own_is_addressed_by_path() {
        let bucket = |pairs: &[(&str, &str)]| Bucket::of(&variables(pairs));
        let aws = bucket(&[("S3_REGION", "eu-west-3")]);
        assert_eq!((aws.endpoint.as_str(), aws.path_style), ("https://s3.eu-west-3.amazonaws.com", false));
        let own = bucket(&[("S3_ENDPOINT", "http://127.0.0.1:9000/")]);
        assert_eq!((own.endpoint.as_str(), own.path_style), ("http://127.0.0.1:9000", true));
        let hosted = bucket(&[("S3_ENDPOINT", "https://fra1.example"), ("S3_OVERRIDE_PATH_STYLE", "true")]);
        assert!(!hosted.path_style);
    }

    #[test]
    fn a_file_system_tells_its_room() {
        let found = Free::at(Path::new("/tmp")).unwrap();
        assert!(found.total >= found.free && found.total > 0);
        assert!(Free::at(Path::new("/nowhere")).is_err());
    }

    #[test]
    fn a_file_system_without_files_is_full() {
        let lacks = |total, free| {
            let of = Free { total: 1 << 40, free: 1 << 39, files: Some(Files { total, free }) };
            of.lack_of_files(Path::new("/srv"))
        };
        assert!(lacks(6_000_000, 999).unwrap().starts_with("only 999 more files (inodes) fit"));
        assert!(lacks(6_000_000, 0).is_some() && lacks(5, 0).is_some());
        assert_eq!(lacks(6_000_000, 1_000), None);
        assert_eq!(lacks(1_200, 900), None, "a small one that is nearly empty");
        let uncounted = Free { total: 1, free: 1, files: None };
        assert_eq!(uncounted.lack_of_files(Path::new("/srv")), None);
    }
}

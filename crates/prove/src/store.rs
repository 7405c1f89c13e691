//! Looking at files where the instance keeps them: on a file system, or in a bucket by signed requests.

use crate::{Blind, key, signer::Signer};
use mastmaint_instance::{Bucket, Storage, Variables};
use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};
use ureq::Agent;

/// One request may take this long…
const REQUEST: Duration = Duration::from_secs(10);
/// …and all of them together this long; what is not known by then stays unknown.
const ALL: Duration = Duration::from_mins(2);
/// Pauses before a request is sent again to a store that is busy.
const AGAIN: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(2)];

/// Groups of three digits in an id that carries its time.
const LEVELS: u32 = 6;
/// An upload has at most so many files: its styles.
const KEYS_PER_ID: usize = 3;

/// Where media are looked at.
pub enum Store {
    /// Below this directory.
    Disk(PathBuf),
    /// In a bucket.
    Bucket(Box<Remote>),
}

/// A bucket with the means to ask it.
pub struct Remote {
    bucket: Bucket,
    agent: Agent,
    since: Instant,
}

/// What a bucket answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    There,
    NotThere,
    /// Who may not list a bucket is told this also of objects that are not there.
    Forbidden,
}

impl Store {
    /// The store of an instance.
    ///
    /// # Errors
    /// If it is none that can be looked at.
    pub fn of(variables: &Variables, live: &Path) -> Result<Self, Blind> {
        match Storage::of(variables, live) {
            Storage::Local(root) => match fs::metadata(&root) {
                Ok(_) => Ok(Self::Disk(root)),
                Err(error) => Err(Blind::Store(format!("{}: {error}", root.display()))),
            },
            Storage::S3(bucket) if bucket.name.is_empty() => Err(Blind::Store("S3_BUCKET is not set".into())),
            Storage::S3(bucket) => Ok(Self::Bucket(Box::new(Remote::new(*bucket)))),
            Storage::Other(name) => Err(Blind::Store(format!("there is no way to look at media in {name}"))),
        }
    }

    /// The files of a row's attachment that are there: all styles of it.
    ///
    /// # Errors
    /// If that cannot be told.
    pub fn files_of(&mut self, folder: &str, name: &str) -> Result<Vec<String>, Blind> {
        match self {
            Self::Disk(root) => on_disk(root, folder, name),
            Self::Bucket(remote) => {
                let mut there = Vec::new();
                for key in key::candidates(folder, name) {
                    // A 403, whatever it means: what cannot be seen before cannot be missed after.
                    if remote.head(&key)? == Answer::There {
                        there.push(key);
                    }
                }
                Ok(there)
            }
        }
    }

    /// Whether a file that was there still is.
    ///
    /// # Errors
    /// If that cannot be told.
    pub fn is_there(&mut self, key: &str) -> Result<bool, Blind> {
        match self {
            Self::Disk(root) => match fs::symlink_metadata(root.join(key)) {
                Ok(_) => Ok(true),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(Blind::Store(format!("{key}: {error}"))),
            },
            Self::Bucket(remote) => match remote.head(key)? {
                Answer::There => Ok(true),
                Answer::NotThere => Ok(false),
                Answer::Forbidden => Err(Blind::Store(
                    "the bucket answers 403 for what it showed before: whether it is gone can only be told with \
                     the right to list the bucket"
                        .to_owned(),
                )),
            },
        }
    }

    /// Ids of files below this folder that are larger than `than`, the smallest first.
    ///
    /// # Errors
    /// If that cannot be told.
    pub fn first_after(&mut self, folder: &str, than: i64, most: usize) -> Result<Vec<i64>, Blind> {
        match self {
            Self::Disk(root) => {
                let mut found = Vec::new();
                Descent { than, most }.collect(&root.join(folder), 0, 0, &mut found)?;
                Ok(found)
            }
            Self::Bucket(remote) => {
                let mut ids: Vec<i64> = remote
                    .keys_after(folder, than, KEYS_PER_ID * most)?
                    .iter()
                    .filter_map(|key| id_of(key, folder))
                    .collect();
                ids.dedup();
                ids.truncate(most);
                Ok(ids)
            }
        }
    }

    /// The largest id of a file of these folders that is larger than `than`, if there is one.
    ///
    /// # Errors
    /// If that cannot be told.
    pub fn newest_after(&mut self, folder: &str, than: i64) -> Result<Option<i64>, Blind> {
        match self {
            Self::Disk(root) => Ok(newest_on_disk(&root.join(folder))?.filter(|id| *id > than)),
            Self::Bucket(remote) => {
                Ok(remote.keys_after(folder, than, 1)?.first().and_then(|key| id_of(key, folder)))
            }
        }
    }
}

fn on_disk(root: &Path, folder: &str, name: &str) -> Result<Vec<String>, Blind> {
    let stem = key::stem(name);
    let mut there = Vec::new();
    for style in entries(&root.join(folder))? {
        for file in entries(&root.join(folder).join(&style))? {
            if key::stem(&file) == stem {
                there.push(format!("{folder}/{style}/{file}"));
            }
        }
    }
    Ok(there)
}

/// The way down the six levels of groups, in order.
#[derive(Debug, Clone, Copy)]
struct Descent {
    than: i64,
    most: usize,
}

impl Descent {
    /// Collects ids below `dir`, which stands for the first `level` groups of its ids, read as a number.
    fn collect(self, dir: &Path, level: u32, prefix: i64, found: &mut Vec<i64>) -> Result<(), Blind> {
        let mut groups: Vec<i64> = entries(dir)?.iter().filter_map(|name| group(name)).collect();
        groups.sort_unstable();
        for group in groups {
            if found.len() >= self.most {
                return Ok(());
            }
            let below = LEVELS - 1 - level;
            let own = prefix * 1000 + group;
            if (own + 1).saturating_mul(1000_i64.pow(below)) <= self.than + 1 {
                continue;
            }
            let path = dir.join(format!("{group:03}"));
            if below > 0 {
                self.collect(&path, level + 1, own, found)?;
            } else if has_files(&path)? {
                found.push(own);
            }
        }
        Ok(())
    }
}

fn group(name: &str) -> Option<i64> {
    (name.len() == 3 && name.bytes().all(|b| b.is_ascii_digit())).then(|| name.parse().ok())?
}

/// Whether some style of a row's attachment is there: empty directories may stay behind.
fn has_files(dir: &Path) -> Result<bool, Blind> {
    for style in entries(dir)? {
        if !entries(&dir.join(style))?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Follows the largest name down the six levels of groups.
fn newest_on_disk(folder: &Path) -> Result<Option<i64>, Blind> {
    let (mut dir, mut digits) = (folder.to_owned(), String::new());
    for _ in 0..LEVELS {
        let group = entries(&dir)?.into_iter().filter(|name| group(name).is_some()).max();
        let Some(group) = group else { break };
        digits.push_str(&group);
        dir.push(group);
    }
    Ok(digits.parse().ok())
}

/// The names in a directory; none if it is not there.
fn entries(dir: &Path) -> Result<Vec<String>, Blind> {
    let blind = |error: io::Error| Blind::Store(format!("{}: {error}", dir.display()));
    let read = match fs::read_dir(dir) {
        Ok(read) => read,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(blind(error)),
    };
    let mut names = Vec::new();
    for entry in read {
        names.extend(entry.map_err(blind)?.file_name().into_string().ok());
    }
    Ok(names)
}

/// The id in a key below `folder`.
fn id_of(key: &str, folder: &str) -> Option<i64> {
    let at = key.find(folder)?;
    let groups: String = key[at + folder.len()..].trim_start_matches('/').split('/').take(6).collect();
    groups.parse().ok()
}

impl Remote {
    fn new(bucket: Bucket) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(REQUEST))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(
                ureq::tls::TlsConfig::builder().root_certs(ureq::tls::RootCerts::PlatformVerifier).build(),
            )
            .build();
        Self { bucket, agent: config.into(), since: Instant::now() }
    }

    fn key(&self, key: &str) -> String {
        self.bucket.prefix.as_ref().map_or_else(|| key.to_owned(), |prefix| format!("{prefix}/{key}"))
    }

    fn head(&self, key: &str) -> Result<Answer, Blind> {
        let (status, _) = self.ask("HEAD", &self.key(key), &[])?;
        match status {
            200 => Ok(Answer::There),
            404 => Ok(Answer::NotThere),
            403 => Ok(Answer::Forbidden),
            other => Err(self.odd(other)),
        }
    }

    /// The first keys below a folder of files whose ids are larger.
    fn keys_after(&self, folder: &str, than: i64, most: usize) -> Result<Vec<String>, Blind> {
        let prefix = self.key(&format!("{folder}/"));
        let after = self.key(&format!("{folder}/{}/~", key::groups(than)));
        let most = most.to_string();
        let query = [
            ("list-type", "2"),
            ("max-keys", most.as_str()),
            ("prefix", prefix.as_str()),
            ("start-after", after.as_str()),
        ];
        let (status, body) = self.ask("GET", "", &query)?;
        if status != 200 {
            return Err(self.odd(status));
        }
        let keys = body.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        Ok(keys.map(|(key, _)| key.to_owned()).collect())
    }

    fn odd(&self, status: u16) -> Blind {
        let help = match status {
            301 | 307 => "; it belongs to another region or endpoint: look at S3_REGION and S3_ENDPOINT",
            403 => "; look at the keys and what they may do",
            _ => "",
        };
        Blind::Store(format!("the bucket at {} answers {status}{help}", self.bucket.endpoint))
    }

    fn silent(&self, why: String) -> Blind {
        Blind::Silent { at: format!("the bucket at {}", self.bucket.endpoint), why }
    }

    /// Sends a request, again if the store is busy. Status and body.
    fn ask(&self, method: &str, key: &str, query: &[(&str, &str)]) -> Result<(u16, String), Blind> {
        let mut pauses = AGAIN.into_iter();
        loop {
            if self.since.elapsed() > ALL {
                return Err(self.silent(format!("it is too slow, {} s were not enough", ALL.as_secs())));
            }
            let signed = Signer::of(&self.bucket).sign(method, key, query, jiff::Timestamp::now());
            let mut request = ureq::http::Request::builder().method(method).uri(&signed.url);
            for (name, value) in &signed.headers {
                request = request.header(*name, value);
            }
            let request =
                request.body(()).map_err(|e| Blind::Store(format!("{}: {e}", self.bucket.endpoint)))?;
            let answer = self.agent.run(request);
            match (answer, pauses.next()) {
                (Ok(response), Some(pause)) if response.status().as_u16() >= 500 => thread::sleep(pause),
                (Ok(mut response), _) => {
                    let status = response.status().as_u16();
                    // What a body says beside its status only matters where one is listed.
                    let body = if method == "GET" {
                        response
                            .body_mut()
                            .with_config()
                            .limit(64 * 1024)
                            .read_to_string()
                            .unwrap_or_default()
                    } else {
                        String::new()
                    };
                    return Ok((status, body));
                }
                (Err(_), Some(pause)) => thread::sleep(pause),
                (Err(error), None) => {
                    return Err(self.silent(error.to_string()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_styles_of_a_file_are_found_on_disk() {
        let root = tempfile::tempdir().unwrap();
        let folder = "cache/media_attachments/files/000/000/007";
        for file in ["original/a.mp4", "small/a.png", "original/b.mp4"] {
            let path = root.path().join(folder).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let mut store = Store::Disk(root.path().to_owned());
        let mut found = store.files_of(folder, "a.mp4").unwrap();
        found.sort();
        assert_eq!(found, [format!("{folder}/original/a.mp4"), format!("{folder}/small/a.png")]);
        assert!(store.is_there(&found[0]).unwrap());
        fs::remove_file(root.path().join(&found[0])).unwrap();
        assert!(!store.is_there(&found[0]).unwrap());
    }

    #[test]
    fn the_newest_file_is_found_by_its_groups() {
        let root = tempfile::tempdir().unwrap();
        for id in [117_663_464_916_054_119, 117_663_464_916_054_120, 116_999_999_999_999_999] {
            fs::create_dir_all(root.path().join("media_attachments/files").join(key::groups(id))).unwrap();
        }
        let mut store = Store::Disk(root.path().to_owned());
        let newest = 117_663_464_916_054_120;
        assert_eq!(store.newest_after("media_attachments/files", 5).unwrap(), Some(newest));
        assert_eq!(store.newest_after("media_attachments/files", newest).unwrap(), None);
        assert_eq!(store.newest_after("nowhere", 5).unwrap(), None);
    }

    #[test]
    fn the_next_files_are_found_in_their_order() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("media_attachments/files");
        let ids = [
            116_999_999_999_999_999,
            117_663_464_916_054_119,
            117_663_464_916_054_120,
            117_664_000_000_000_000,
        ];
        for id in ids {
            let original = folder.join(key::groups(id)).join("original");
            fs::create_dir_all(&original).unwrap();
            fs::write(original.join("a.png"), "").unwrap();
        }
        // What was removed may leave its directories, and an old id has fewer groups.
        fs::create_dir_all(folder.join(key::groups(117_663_464_916_054_121)).join("original")).unwrap();
        fs::create_dir_all(folder.join("000/000/007/original")).unwrap();
        let mut store = Store::Disk(root.path().to_owned());
        let mut after =
            |than: i64, most: usize| store.first_after("media_attachments/files", than, most).unwrap();
        assert_eq!(after(ids[0] - 1, 9), ids);
        assert_eq!(after(ids[0], 2), ids[1..3]);
        assert_eq!(after(ids[2], 9), ids[3..]);
        assert!(after(ids[3], 9).is_empty());
    }

    #[test]
    fn an_id_is_read_out_of_a_key() {
        let key = "prefix/cache/media_attachments/files/117/663/464/916/054/119/original/a.png";
        assert_eq!(id_of(key, "cache/media_attachments/files"), Some(117_663_464_916_054_119));
        assert_eq!(id_of("other/key", "cache/media_attachments/files"), None);
    }
}

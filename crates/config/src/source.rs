//! Reading the files: which they are, whom they may belong to, how large they may be. A file is opened once and
//! judged by its descriptor, so that what was judged is what is read.

use crate::mistake::Mistake;
use std::{
    fs::{File, Metadata, OpenOptions},
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

/// Largest file.
pub const MAX_FILE: u64 = 64 * 1024;
/// Most files.
pub const MAX_FILES: usize = 64;
/// Largest sum of all files.
const MAX_TOTAL: u64 = 256 * 1024;

/// Where the configuration is and whom it may belong to.
#[derive(Debug, Clone)]
pub struct Source {
    /// The main file; `conf.d/*.yaml` beside it are read after it, in the order of their names.
    pub main: PathBuf,
    /// Whom the files and their directories may belong to.
    pub trust: Trust,
}

/// Whom files and directories may belong to. Never may they be writable by group or others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Root alone.
    Root,
    /// Root or the user who called.
    Invoker {
        /// That user's id.
        uid: u32,
    },
}

/// A mistake about a whole file.
pub(crate) type FileMistake = (PathBuf, Mistake);

/// The texts of all files, or what is wrong with them, in reading order.
pub(crate) fn read_all(source: &Source) -> Vec<Result<(PathBuf, String), FileMistake>> {
    let mut answers = Vec::new();
    let add = |answers: &mut Vec<Result<_, FileMistake>>, answer: Result<_, Vec<FileMistake>>| match answer {
        Ok(read) => answers.push(Ok(read)),
        // A directory that is wrong is so for each of its files, and said once.
        Err(mistakes) => {
            for mistake in mistakes {
                if !answers.iter().any(|told| matches!(told, Err(told) if *told == mistake)) {
                    answers.push(Err(mistake));
                }
            }
        }
    };
    add(&mut answers, read(&source.main, source.trust));
    let directory = source.main.parent().unwrap_or(Path::new(".")).join("conf.d");
    let mut fragments = Vec::new();
    match std::fs::read_dir(&directory) {
        Ok(entries) => {
            for entry in entries {
                match entry {
                    Ok(entry) => fragments.push(entry.path()),
                    Err(error) => answers.push(Err((directory.clone(), cannot_read(&error)))),
                }
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => answers.push(Err((directory, cannot_read(&error)))),
    }
    fragments.retain(|path| !path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b".")));
    let ends_in = |path: &PathBuf, what: &str| path.extension().is_some_and(|e| e == what);
    let unread = fragments.iter().filter(|path| ends_in(path, "yml"));
    answers.extend(unread.map(|path| Err((path.clone(), Mistake::NotAFragment))));
    fragments.retain(|path| ends_in(path, "yaml"));
    fragments.sort();
    let mut total = 0;
    for (before, path) in (1..).zip(fragments) {
        if before >= MAX_FILES || total > MAX_TOTAL {
            answers.push(Err((path, Mistake::TooManyFiles { max: MAX_FILES })));
            break;
        }
        let answer = read(&path, source.trust);
        total += answer.as_ref().map_or(0, |(_, text)| text.len() as u64);
        add(&mut answers, answer);
    }
    answers
}

fn cannot_read(error: &std::io::Error) -> Mistake {
    Mistake::CannotRead { why: error.to_string() }
}

fn read(path: &Path, trust: Trust) -> Result<(PathBuf, String), Vec<FileMistake>> {
    let of_path = |mistake| vec![(path.to_owned(), mistake)];
    // Without O_NONBLOCK a FIFO in this place would hold the daemon for ever.
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits() | nix::fcntl::OFlag::O_NOCTTY.bits())
        .open(path)
        .map_err(|error| of_path(cannot_read(&error)))?;
    let metadata = file.metadata().map_err(|error| of_path(cannot_read(&error)))?;
    if !metadata.is_file() {
        return Err(of_path(Mistake::NotAFile));
    }
    let mut mistakes = judge(path, &metadata, trust);
    mistakes.extend(judge_directories(path, trust).map_err(|mistake| vec![mistake])?);
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let text = read_capped(&mut file, &metadata).map_err(of_path)?;
    Ok((path.to_owned(), text))
}

fn read_capped(file: &mut File, metadata: &Metadata) -> Result<String, Mistake> {
    let mut bytes = Vec::new();
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| cannot_read(&error))?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(Mistake::TooLarge { size: metadata.len().max(MAX_FILE + 1), max: MAX_FILE });
    }
    String::from_utf8(bytes).map_err(|_| Mistake::NotUtf8)
}

/// The directory that names the file, and where links lead, every directory up to the root: whoever may write one
/// of them may put another file in this place.
fn judge_directories(path: &Path, trust: Trust) -> Result<Vec<FileMistake>, FileMistake> {
    let mut mistakes = Vec::new();
    let named = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let real = path.canonicalize().map_err(|error| (path.to_owned(), cannot_read(&error)))?;
    let named = named.canonicalize().map_err(|error| (named.to_owned(), cannot_read(&error)))?;
    for start in [Some(named.as_path()), real.parent()].into_iter().flatten() {
        for (distance, directory) in start.ancestors().enumerate() {
            let metadata =
                std::fs::metadata(directory).map_err(|error| (directory.to_owned(), cannot_read(&error)))?;
            // In a sticky directory like /tmp only the owner of an entry can replace it.
            if distance > 0 && metadata.mode() & 0o1000 != 0 && metadata.uid() == 0 {
                continue;
            }
            mistakes.extend(judge(directory, &metadata, trust));
        }
    }
    Ok(mistakes)
}

fn judge(path: &Path, metadata: &Metadata, trust: Trust) -> Vec<FileMistake> {
    let owner = metadata.uid();
    let (trusted, wanted) = match trust {
        Trust::Root => (owner == 0, "root".to_owned()),
        Trust::Invoker { uid } => (owner == 0 || owner == uid, owners(uid)),
    };
    let mut mistakes = Vec::new();
    if !trusted {
        mistakes.push(Mistake::WrongOwner { owner, wanted });
    }
    if metadata.mode() & 0o022 != 0 {
        let mode = format!("{:04o}", metadata.mode() & 0o7777);
        mistakes.push(Mistake::Writable { mode, fix: "go-w".to_owned() });
    }
    mistakes.into_iter().map(|mistake| (path.to_owned(), mistake)).collect()
}

/// `root or user id 1000`; for root itself there is one possible owner only.
fn owners(uid: u32) -> String {
    if uid == 0 { "root".to_owned() } else { format!("root or user id {uid}") }
}

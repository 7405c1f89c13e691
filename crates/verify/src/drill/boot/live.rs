//! The Rails root comes out of a stream into the drill's directory.

use super::super::{Stop, space};
use crate::{
    error::VerifyError,
    finding::{Code, Finding},
};
use std::{fs::File, io, path::Path};

/// What comes last in the stream: without it something went wrong where it was read.
pub(crate) const WHOLE: &str = ".mastmaintd-came-whole";
/// Between two looks at the disk, and at whether somebody waits.
const ENTRIES: usize = 200;
/// What Mastodon is not without. `.env.production` is asked for elsewhere.
const NEEDED: [&str; 4] = ["Gemfile", "Gemfile.lock", "config/puma.rb", "lib/mastodon/version.rb"];
/// Directories that are not in the stream and that a start writes into.
const MADE: [&str; 5] = ["log", "tmp/cache", "tmp/pids", "tmp/sockets", "public/system"];

/// Unpacks it.
pub(super) fn unpack(
    from: File,
    into: &Path,
    name: &str,
    reserve: u64,
    is_cancelled: &dyn Fn() -> bool,
) -> Result<(), Stop> {
    let of = || VerifyError::drill(into);
    std::fs::create_dir(into).map_err(of())?;
    let mut archive = tar::Archive::new(io::BufReader::with_capacity(256 * 1024, from));
    archive.set_preserve_mtime(false);
    let broken = |error: io::Error| -> Stop {
        if is_cancelled() {
            return VerifyError::Cancelled.into();
        }
        if error.kind() == io::ErrorKind::StorageFull {
            return space::filled_up(name, into, [error.to_string()]).into();
        }
        let what = format!("Mastodon was not started from {name}: its files did not come whole");
        let advice = "See whether they can be read and whether the backup was being written; the next verification tries again.";
        Finding::warn(Code::NotChecked, what, advice).with([error.to_string()]).into()
    };
    let mut is_whole = false;
    for (count, entry) in archive.entries().map_err(broken)?.enumerate() {
        let mut entry = entry.map_err(broken)?;
        if count % ENTRIES == 0 {
            if is_cancelled() {
                return Err(VerifyError::Cancelled.into());
            }
            if space::free(into)? < reserve {
                return Err(space::filled_up(name, into, []).into());
            }
        }
        if entry.path_bytes() == WHOLE.as_bytes() {
            is_whole = true;
        } else {
            entry.unpack_in(into).map_err(broken)?;
        }
    }
    if !is_whole {
        return Err(broken(io::ErrorKind::UnexpectedEof.into()));
    }
    for directory in MADE {
        std::fs::create_dir_all(into.join(directory)).map_err(of())?;
    }
    lacks(into, name).map_or(Ok(()), |finding| Err(finding.into()))
}

fn lacks(live: &Path, name: &str) -> Option<Finding> {
    let missing: Vec<&str> = NEEDED.into_iter().filter(|path| !live.join(path).exists()).collect();
    (!missing.is_empty()).then(|| {
        let what = format!("Mastodon cannot be started from {name}: it lacks {}", missing.join(", "));
        let advice = "See what the backup program copies and excludes. The code can be fetched anew, at the version that the dump belongs to.";
        Finding::fail(Code::BootFailed, what, advice)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Write as _};

    fn stream(files: &[&str], is_whole: bool) -> File {
        let mut tar = tar::Builder::new(Vec::new());
        for path in files.iter().copied().chain(is_whole.then_some(WHOLE)) {
            let mut header = tar::Header::new_gnu();
            header.set_mode(0o600);
            header.set_size(1);
            tar.append_data(&mut header, path, &b"x"[..]).unwrap();
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&tar.into_inner().unwrap()).unwrap();
        io::Seek::rewind(&mut file).unwrap();
        file
    }

    #[test]
    fn what_did_not_come_whole_is_not_tried() {
        let place = tempfile::tempdir().unwrap();
        let unpacked = |files: &[&str], is_whole| {
            let into = place.path().join("live");
            drop(fs::remove_dir_all(&into));
            match unpack(stream(files, is_whole), &into, "daily.0", 0, &|| false) {
                Ok(()) => None,
                Err(Stop::Found(finding)) => Some((finding.code, finding.what)),
                Err(Stop::Error(error)) => panic!("{error}"),
            }
        };
        assert_eq!(unpacked(&NEEDED, true), None);
        assert!(place.path().join("live/config/puma.rb").exists());
        assert!(place.path().join("live/tmp/pids").is_dir());
        assert_eq!(unpacked(&NEEDED, false).unwrap().0, Code::NotChecked);
        let (code, what) = unpacked(&NEEDED[1..], true).unwrap();
        assert_eq!(
            (code, what.as_str()),
            (Code::BootFailed, "Mastodon cannot be started from daily.0: it lacks Gemfile")
        );
    }
}

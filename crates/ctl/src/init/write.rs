//! Writes the first configuration: a new file or none at all.

use crate::error::CtlError;
use nix::{
    sys::stat::{Mode, fchmod},
    unistd::{Group, fchown},
};
use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// The group that may read it.
const GROUP: &str = "mastmaintd";
const ADVICE: &str = "run it as root, or name a file with --output";

/// Writes the file; where an unedited shipped sample stood there, the path that this was kept under.
pub(super) fn write(path: &Path, text: &str) -> Result<Option<PathBuf>, CtlError> {
    let kept = set_sample_aside(path)?;
    let failed = |source: io::Error| CtlError::File {
        what: "cannot write",
        path: path.to_owned(),
        source,
        advice: ADVICE,
    };
    if let Some(dir) = path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        fs::create_dir_all(dir).map_err(failed)?;
    }
    let mut file = match fs::OpenOptions::new().write(true).create_new(true).mode(0o640).open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Err(in_the_way(path)),
        Err(e) => return Err(failed(e)),
    };
    let written =
        file.write_all(text.as_bytes()).and_then(|()| give_to_group(&file)).and_then(|()| file.sync_all());
    if let Err(e) = written {
        // Half a configuration would keep the next init from writing a whole one.
        let _ = fs::remove_file(path);
        return Err(failed(e));
    }
    Ok(kept)
}

fn give_to_group(file: &fs::File) -> io::Result<()> {
    if let Some(group) = Group::from_name(GROUP)? {
        match fchown(file, None, Some(group.gid)) {
            // Not root and not of that group: a file of the invoking user, for trying out.
            Ok(()) | Err(nix::Error::EPERM) => {}
            Err(e) => return Err(e.into()),
        }
    }
    // Whatever the umask was.
    Ok(fchmod(file, Mode::from_bits_truncate(0o640))?)
}

/// The package's sample may go, as long as nobody has written in it; it is kept beside.
fn set_sample_aside(path: &Path) -> Result<Option<PathBuf>, CtlError> {
    let is_sample =
        |path: &Path| fs::read_to_string(path).is_ok_and(|text| mastmaint_config::is_unedited_sample(&text));
    if !is_sample(path) {
        return Ok(None);
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".sample");
    let aside = PathBuf::from(name);
    if aside.symlink_metadata().is_ok() && !is_sample(&aside) {
        return Err(in_the_way(&aside));
    }
    fs::rename(path, &aside).map_err(|source| CtlError::File {
        what: "cannot set aside",
        path: path.to_owned(),
        source,
        advice: ADVICE,
    })?;
    Ok(Some(aside))
}

fn in_the_way(path: &Path) -> CtlError {
    CtlError::InTheWay {
        what: "there is a file already at",
        path: path.to_owned(),
        advice: "init never writes over one; move it away, or see what init would write with --output -",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn an_existing_file_is_never_written_over() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("etc/mastmaintd.yaml");
        assert_eq!(write(&path, "jobs: {}\n").unwrap(), None);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(matches!(write(&path, "other"), Err(CtlError::InTheWay { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "jobs: {}\n");
    }

    #[test]
    fn only_the_unedited_sample_gives_way_and_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mastmaintd.yaml");
        fs::write(&path, mastmaint_config::SAMPLE).unwrap();
        let kept = write(&path, "jobs: {}\n").unwrap().unwrap();
        assert_eq!(fs::read_to_string(&kept).unwrap(), mastmaint_config::SAMPLE);
        assert_eq!(fs::read_to_string(&path).unwrap(), "jobs: {}\n");
        fs::write(&path, format!("{}# mine\n", mastmaint_config::SAMPLE)).unwrap();
        assert!(matches!(write(&path, "other"), Err(CtlError::InTheWay { .. })));
    }
}

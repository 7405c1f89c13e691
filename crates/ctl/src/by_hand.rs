//! Runbooks that are written for one run. Rooms obey the accepted configuration only, so what a person types becomes a
//! file in `conf.d/` that holds one job, is accepted like any other, run, and removed again. What is left of one that was
//! cut is a runbook that nobody starts; the next one replaces it.

use crate::{client::Daemon, error::CtlError, exit, order, print};
use mastmaint_words::JobName;
use nix::unistd::{Group, chown, geteuid};
use std::{
    fs::{self, OpenOptions, Permissions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Who may read configurations.
const READERS: &str = "mastmaintd";

/// Whom a runbook is given to, and as what.
#[derive(Debug)]
pub(crate) struct ByHand<'a> {
    pub(crate) daemon: &'a Daemon,
    /// The configuration to which it is added.
    pub(crate) config: &'a Path,
    /// Its name, which no job of the admin may have.
    pub(crate) job: &'a str,
}

/// Adds a job, runs it to its end, and removes it again. `text` is the job, as YAML in one line. Gives the exit status of
/// its run.
pub(crate) fn run(by_hand: &ByHand<'_>, text: &str) -> Result<u8, CtlError> {
    let job: JobName = by_hand.job.parse().map_err(|_| CtlError::BadReply)?;
    let file = by_hand.file();
    by_hand.write(&file, text)?;
    let done = by_hand.accepted(&file).and_then(|()| {
        let how = order::How { follow: true, dry_run: false, despite_hold: false };
        order::run(by_hand.daemon, job, how)
    });
    by_hand.remove(&file);
    done
}

impl ByHand<'_> {
    fn file(&self) -> PathBuf {
        let directory = self.config.parent().unwrap_or_else(|| Path::new("/")).join("conf.d");
        directory.join(format!("90-{}.yaml", self.job))
    }

    fn write(&self, file: &Path, text: &str) -> Result<(), CtlError> {
        let advice = "only root may add to the configuration; try with sudo";
        let failed = |source: io::Error| CtlError::File {
            what: "cannot write",
            path: file.to_owned(),
            source,
            advice,
        };
        let text = format!(
            "# Written by mastmaintctl for one run; it is removed when that is over.\njobs:\n  {}: {text}\n",
            self.job
        );
        if let Some(directory) = file.parent().filter(|directory| !directory.exists()) {
            fs::create_dir(directory).map_err(failed)?;
            fs::set_permissions(directory, Permissions::from_mode(0o750)).map_err(failed)?;
            readable(directory);
        }
        // A name that is not read: nobody ever sees half of it.
        let draft = file.with_extension("new");
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o640)
            .open(&draft)
            .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
        written.map_err(failed)?;
        readable(&draft);
        fs::rename(&draft, file).map_err(failed)
    }

    /// What is refused is no part of the configuration: it must not stand in the way of the next reload.
    fn accepted(&self, file: &Path) -> Result<(), CtlError> {
        match order::reload(self.daemon) {
            Ok(exit::FINE) => Ok(()),
            Ok(_) => Err(CtlError::BadReply),
            Err(error) => {
                let _ = fs::remove_file(file);
                Err(error)
            }
        }
    }

    /// If the daemon does not answer now it reads what is there when it does.
    fn remove(&self, file: &Path) {
        let removed = fs::remove_file(file);
        if removed.is_ok() {
            if let Err(error) = order::reload(self.daemon) {
                print::talk(&format!(
                    "{} is removed; reload mastmaintd when it is back: {error}",
                    file.display()
                ));
            }
        } else if file.exists() {
            print::talk(&format!("remove {} yourself, then type `mastmaintctl reload`", file.display()));
        }
    }
}

/// Lets the daemon's group read it; without such a group (no package) its maker is the one who reads.
fn readable(path: &Path) {
    if let Ok(Some(group)) = Group::from_name(READERS)
        && geteuid().is_root()
    {
        // What it cannot read the daemon says.
        let _ = chown(path, None, Some(group.gid));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_a_fragment_of_its_own_for_its_readers_only() {
        let here = tempfile::tempdir().unwrap();
        let config = here.path().join("mastmaintd.yaml");
        let daemon = Daemon::new(here.path().to_owned());
        let by_hand = ByHand { daemon: &daemon, config: &config, job: "guard-by-hand" };
        let refused = run(&by_hand, r#"{"steps": [{"run": ["/bin/true"]}]}"#);
        assert!(matches!(refused, Err(CtlError::Daemon(_))), "nobody is there: {refused:?}");
        assert!(!by_hand.file().exists(), "and nothing is left");
        by_hand.write(&by_hand.file(), r#"{"steps": [{"run": ["/bin/true"]}]}"#).unwrap();
        let text = fs::read_to_string(by_hand.file()).unwrap();
        mastmaint_config::load_str("m.yaml", &text).unwrap();
        assert_eq!(fs::metadata(by_hand.file()).unwrap().permissions().mode() & 0o777, 0o640);
    }
}

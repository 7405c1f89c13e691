//! The PostgreSQL of this host that can bring a dump to life: the newest installed one, if it reads the dump.

use super::Shape;
use crate::finding::{Code, Finding};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Where Debian and its relatives put them, by major version.
const ROOT: &str = "/usr/lib/postgresql";
const NEEDED: [&str; 4] = ["initdb", "postgres", "psql", "pg_restore"];

/// The programs of one major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Programs {
    bin: PathBuf,
    pub(super) major: u32,
}

impl Programs {
    /// The newest that can read the dump; else which package is missing.
    pub(super) fn find(dump: &str, shape: Shape) -> Result<Self, Finding> {
        Self::among(Path::new(ROOT), dump, shape)
    }

    fn among(root: &Path, dump: &str, shape: Shape) -> Result<Self, Finding> {
        let versions = fs::read_dir(root).into_iter().flatten().flatten();
        let majors = versions.filter_map(|v| v.file_name().to_str()?.parse::<u32>().ok());
        let bin = |major: u32| root.join(major.to_string()).join("bin");
        let newest = majors.filter(|m| NEEDED.iter().all(|p| bin(*m).join(p).exists())).max();
        let wanted = match shape {
            Shape::Archive(a, b) => made_by((a, b)),
            Shape::Text | Shape::Cluster => Wanted::Any,
        };
        let missing = |what: String, package: String| {
            let advice = format!("Install the package {package} (apt.postgresql.org has all versions).");
            Finding::warn(Code::NotChecked, format!("{dump} was not brought to life: {what}"), advice)
        };
        match (newest, wanted) {
            (Some(major), Wanted::Any) => Ok(Self { bin: bin(major), major }),
            (Some(major), Wanted::AtLeast(least)) if major >= least => Ok(Self { bin: bin(major), major }),
            (None, Wanted::AtLeast(least)) => Err(missing(
                "there is no server of PostgreSQL on this host".to_owned(),
                format!("postgresql-{least}"),
            )),
            (None, _) => Err(missing(
                "there is no server of PostgreSQL on this host".to_owned(),
                "postgresql".to_owned(),
            )),
            (Some(major), Wanted::AtLeast(least)) => {
                let what = format!("it needs PostgreSQL {least}, and the newest on this host is {major}");
                Err(missing(what, format!("postgresql-{least}")))
            }
            // Later than all that are known here: whoever has a later one gets to try.
            (Some(major), Wanted::Later) if major > NEWEST_KNOWN => Ok(Self { bin: bin(major), major }),
            (Some(major), Wanted::Later) => {
                let what =
                    format!("its format is newer than the newest PostgreSQL on this host, {major}, reads");
                Err(missing(what, "postgresql of the version that made it".to_owned()))
            }
        }
    }

    /// One of them, to be run in the drill's directory with nothing of our environment.
    pub(super) fn command(&self, program: &str, directory: &Path) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", directory);
        command.current_dir(directory).stdin(Stdio::null());
        command
    }
}

/// The newest major version whose format is known here.
const NEWEST_KNOWN: u32 = 18;

/// What reads a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Any,
    AtLeast(u32),
    Later,
}

const fn made_by(format: (u8, u8)) -> Wanted {
    match format {
        (1, 0..=14) => Wanted::Any,
        (1, 15) => Wanted::AtLeast(16),
        (1, 16) => Wanted::AtLeast(17),
        _ => Wanted::Later,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(majors: &[&str]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for major in majors {
            let bin = root.path().join(major).join("bin");
            fs::create_dir_all(&bin).unwrap();
            for program in NEEDED {
                fs::write(bin.join(program), "").unwrap();
            }
        }
        root
    }

    #[test]
    fn the_newest_is_taken_and_a_missing_one_is_named() {
        let root = installed(&["9", "15", "17", "old"]);
        // A client without its server does not count.
        fs::create_dir_all(root.path().join("18/bin")).unwrap();
        fs::write(root.path().join("18/bin/pg_restore"), "").unwrap();
        let of = |root: &tempfile::TempDir, shape| Programs::among(root.path(), "x.dump", shape);
        assert_eq!(of(&root, Shape::Archive(1, 16)).unwrap().major, 17);
        assert_eq!(of(&root, Shape::Text).unwrap().major, 17);
        let old = installed(&["15"]);
        assert_eq!(of(&old, Shape::Archive(1, 14)).unwrap().major, 15);
        let refused = of(&old, Shape::Archive(1, 16)).unwrap_err();
        assert_eq!(refused.code, Code::NotChecked);
        assert!(refused.what.contains("needs PostgreSQL 17") && refused.advice.contains("postgresql-17"));
        assert!(of(&old, Shape::Archive(1, 17)).is_err(), "a format of the future");
        let none = installed(&[]);
        assert!(of(&none, Shape::Archive(1, 15)).unwrap_err().advice.contains("postgresql-16"));
        assert!(of(&none, Shape::Text).unwrap_err().what.contains("no server"));
    }
}

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

/// The programs of one major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programs {
    bin: PathBuf,
    /// Its major version.
    pub major: u32,
}

/// What is needed of a version, and in which package Debian has it.
#[derive(Debug, Clone, Copy)]
struct Needed {
    programs: &'static [&'static str],
    package: &'static str,
    what: &'static str,
}

/// To start a server.
const SERVER: Needed =
    Needed { programs: &["initdb", "postgres", "psql", "pg_restore"], package: "postgresql", what: "server" };
/// To talk to one.
const CLIENT: Needed =
    Needed { programs: &["psql", "pg_restore"], package: "postgresql-client", what: "client" };

impl Programs {
    /// The newest that has a server and can read the dump; else which package is missing.
    pub fn with_a_server(dump: &str, shape: Shape) -> Result<Self, Finding> {
        Self::among(Path::new(ROOT), SERVER, dump, shape)
    }

    /// The newest that can read the dump, for a server that is there; else which package is missing.
    pub fn of_a_client(dump: &str, shape: Shape) -> Result<Self, Finding> {
        Self::among(Path::new(ROOT), CLIENT, dump, shape)
    }

    fn among(root: &Path, needed: Needed, dump: &str, shape: Shape) -> Result<Self, Finding> {
        let Needed { programs, package, what } = needed;
        let versions = fs::read_dir(root).into_iter().flatten().flatten();
        let majors = versions.filter_map(|v| v.file_name().to_str()?.parse::<u32>().ok());
        let bin = |major: u32| root.join(major.to_string()).join("bin");
        let newest = majors.filter(|m| programs.iter().all(|p| bin(*m).join(p).exists())).max();
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
                format!("there is no {what} of PostgreSQL on this host"),
                format!("{package}-{least}"),
            )),
            (None, _) => {
                Err(missing(format!("there is no {what} of PostgreSQL on this host"), package.to_owned()))
            }
            (Some(major), Wanted::AtLeast(least)) => {
                let what = format!("it needs PostgreSQL {least}, and the newest on this host is {major}");
                Err(missing(what, format!("{package}-{least}")))
            }
            // Later than all that are known here: whoever has a later one gets to try.
            (Some(major), Wanted::Later) if major > NEWEST_KNOWN => Ok(Self { bin: bin(major), major }),
            (Some(major), Wanted::Later) => {
                let what =
                    format!("its format is newer than the newest PostgreSQL on this host, {major}, reads");
                Err(missing(what, format!("{package} of the version that made it")))
            }
        }
    }

    /// One of them, to be run in a directory with nothing of our environment.
    pub fn command(&self, program: &str, directory: &Path) -> Command {
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
            for program in SERVER.programs {
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
        for program in CLIENT.programs {
            fs::write(root.path().join("18/bin").join(program), "").unwrap();
        }
        let of = |root: &tempfile::TempDir, shape| Programs::among(root.path(), SERVER, "x.dump", shape);
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
        let client = |shape| Programs::among(none.path(), CLIENT, "x.dump", shape).unwrap_err();
        assert!(client(Shape::Text).what.contains("no client"));
        assert!(client(Shape::Archive(1, 16)).advice.contains("postgresql-client-17"));
        assert_eq!(Programs::among(root.path(), CLIENT, "x.dump", Shape::Text).unwrap().major, 18);
    }
}

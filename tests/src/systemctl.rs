//! A stand-in for systemctl where there is no systemd: it knows one start of each unit, notes what it is asked to do, and
//! shows a unit that cannot stay up while a file says so.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

/// The program.
const PROGRAM: &str = r#"#!/bin/sh
here=$(dirname "$0")
case " $* " in *" show "*)
    case " $* " in *" -- "*) ;; *) echo UserspaceTimestampMonotonic=1; exit;; esac
    while [ "$1" != -- ]; do shift; done; shift
    n=$(cat "$here/restarts" 2>/dev/null | wc -l)
    first=yes
    for unit; do
        [ $first ] || echo; first=
        if [ -e "$(cat "$here/breaks")" ]; then
            echo "Id=$unit"; printf 'LoadState=loaded\nRestart=no\nActiveState=failed\nSubState=failed\nResult=exit-code\nInvocationID=%s\nNRestarts=5\n' "$n"
        else
            echo "Id=$unit"; printf 'LoadState=loaded\nActiveState=active\nSubState=running\nResult=success\nInvocationID=%s\nNRestarts=0\n' "$n"
        fi
    done;;
*" restart "*) while [ "$1" != -- ]; do shift; done; shift; echo "$*" >>"$here/restarts";;
esac
"#;

/// One in a directory of its own.
#[derive(Debug)]
pub struct Systemctl {
    directory: PathBuf,
}

impl Systemctl {
    /// Puts it there; units cannot stay up while `breaks` exists.
    pub fn put(directory: PathBuf, breaks: &Path) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        fs::write(directory.join("breaks"), breaks.as_os_str().as_encoded_bytes())?;
        let program = directory.join("systemctl");
        fs::write(&program, PROGRAM)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        Ok(Self { directory })
    }

    /// Has a program find it first.
    pub fn before_others(&self, command: &mut Command) {
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.directory.display()));
    }

    /// What was restarted so far, one entry a call.
    pub fn restarts(&self) -> Vec<String> {
        let text = fs::read_to_string(self.directory.join("restarts")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

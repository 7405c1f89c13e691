//! `mastmaintctl` as a person would call it, and what it answered.

use crate::binaries;
use serde_json::Value;
use std::{
    ffi::OsStr,
    path::Path,
    process::{Command, Stdio},
};

/// What a command answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its exit status; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Answer {
    /// The output read as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[track_caller]
    #[expect(clippy::panic, reason = "a test has to end here, with what was said instead of JSON")]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("not JSON ({e}): {self:?}"))
    }

    /// Asserts the exit status and hands the answer on.
    ///
    /// # Panics
    /// If it is another.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

/// Calls a program of ours and waits for its end.
///
/// # Panics
/// If it cannot be started.
#[track_caller]
pub fn call(program: &str, args: &[impl AsRef<OsStr>]) -> Answer {
    let output = Command::new(binaries::path(program))
        .args(args)
        .env_remove("NOTIFY_SOCKET")
        .stdin(Stdio::null())
        .output();
    match output {
        Ok(output) => Answer {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        },
        Err(e) => Answer { code: None, stdout: String::new(), stderr: format!("{program}: {e}") },
    }
}

/// Calls `mastmaintctl` for the daemon whose sockets are in `runtime`.
#[track_caller]
pub fn ctl(runtime: &Path, args: &[&str]) -> Answer {
    let mut all = vec![OsStr::new("--runtime-dir"), runtime.as_os_str()];
    all.extend(args.iter().map(OsStr::new));
    call("mastmaintctl", &all)
}

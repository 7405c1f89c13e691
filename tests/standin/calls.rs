//! The record of every call, `live/log/standin-calls.jsonl`: tests count runs and see overlaps in it.

use serde_json::{Value, json};
use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// The record of this call. Where it cannot be written there is none.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    path: PathBuf,
}

/// Microseconds of `CLOCK_REALTIME`.
pub(crate) fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

impl Calls {
    /// Notes that a call began; returns how many calls with these first words there were before.
    pub(crate) fn begin(
        live: &Path,
        first_us: u64,
        program: &str,
        argv: &[String],
        key: &str,
    ) -> (Self, usize) {
        let calls = Self { path: live.join("log/standin-calls.jsonl") };
        let before = if key.is_empty() { 0 } else { calls.count(key) };
        calls.note(&json!({
            "event": "start",
            "pid": std::process::id(),
            "uid": nix::unistd::getuid().as_raw(),
            "program": program,
            "argv": argv,
            "at_us": first_us,
        }));
        (calls, before)
    }

    /// Notes that it ends. A call that is killed leaves no such line.
    pub(crate) fn end(&self, case: &str, exit: Option<i32>) {
        self.note(&json!({
            "event": "end", "pid": std::process::id(), "case": case, "exit": exit, "at_us": now_us(),
        }));
    }

    /// Notes that all is said and the recorded signal is waited for.
    pub(crate) fn waits(&self, case: &str) {
        self.note(&json!({ "event": "waits", "pid": std::process::id(), "case": case, "at_us": now_us() }));
    }

    fn count(&self, key: &str) -> usize {
        let text = fs::read_to_string(&self.path).unwrap_or_default();
        let calls = text.lines().filter_map(|l| serde_json::from_str::<Value>(l).ok());
        let words = |call: &Value| {
            let argv = call["argv"].as_array().cloned().unwrap_or_default();
            key.split_whitespace().zip(&argv).all(|(k, a)| a == k)
                && argv.len() >= key.split_whitespace().count()
        };
        calls.filter(|c| c["event"] == "start" && words(c)).count()
    }

    fn note(&self, entry: &Value) {
        if let Ok(mut file) = OpenOptions::new().append(true).create(true).open(&self.path) {
            // A record that cannot be written is missed by the test that reads it, and by nobody else.
            drop(file.write_all(format!("{entry}\n").as_bytes()));
        }
    }
}

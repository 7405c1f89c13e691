//! The recordings of real Mastodon commands, built in: what was called, what it printed, how it ended, and what the
//! instance held before and after. See `recordings/README.md`.

/// One recorded run of a command.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Version of Mastodon.
    pub version: &'static str,
    /// Name of its directory.
    pub name: &'static str,
    /// What it shows.
    pub about: &'static str,
    /// `tootctl` or `rails`.
    pub program: &'static str,
    /// Its arguments.
    pub argv: &'static [&'static str],
    /// Exit status, if it exited.
    pub exit: Option<i32>,
    /// Name of the signal that ended it, if one did.
    pub signal: Option<&'static str>,
    /// How long it took.
    pub seconds: f64,
    /// Variables that were not set.
    pub unset: &'static [&'static str],
    /// Whether something about the call was out of the ordinary: environment, user, directory or terminal.
    pub special: bool,
    /// What the instance held before it.
    pub before: Option<Held>,
    /// What the instance held after it.
    pub after: Option<Held>,
    /// What really happened: `ok`, `partial`, `failed`, `cancelled`.
    pub truth: &'static str,
    /// What gives it away: `exit`, `output`, `effect`, `nothing`.
    pub told_by: &'static str,
    /// Its standard output, as it came.
    pub stdout: &'static [u8],
    /// Its standard error, as it came.
    pub stderr: &'static [u8],
}

/// What an instance holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Rows of the database; `None` where it did not answer.
    pub rows: Option<Rows>,
    /// Files below `public/system`.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Rows of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rows {
    /// Media attachments of other servers with a cached copy.
    pub media: u64,
    /// Preview cards with an image.
    pub cards: u64,
    /// Statuses.
    pub statuses: u64,
    /// Accounts.
    pub accounts: u64,
}

/// Every recording, ordered by version and name.
pub static CASES: &[Case] = include!(concat!(env!("OUT_DIR"), "/cases.rs"));

/// The recording of that name: of that version, else of another one.
pub fn find(version: &str, name: &str) -> Option<&'static Case> {
    let named = || CASES.iter().filter(move |c| c.name == name);
    named().find(|c| c.version == version).or_else(|| named().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recording_is_there_and_says_what_it_held() {
        assert_eq!(CASES.len(), 119);
        let tootctl = CASES.iter().filter(|c| c.program == "tootctl");
        assert!(tootctl.clone().all(|c| c.before.is_some() && c.after.is_some()));
        assert_eq!(tootctl.count(), 112);
        for case in CASES {
            assert!(case.exit.is_some() != case.signal.is_some(), "{}/{}", case.version, case.name);
        }
    }

    #[test]
    fn a_case_of_another_version_stands_in() {
        assert_eq!(find("4.3.23", "orphans-none").map(|c| c.version), Some("4.6.5"));
        assert_eq!(find("4.3.23", "media-remove-ok").map(|c| c.version), Some("4.3.23"));
        assert!(find("4.6.5", "no-such-case").is_none());
    }
}

//! How the last run ended, by the log of rsnapshot.

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All went well.
    Well,
    /// A part of it failed: some file vanished while it was copied, or could not be read.
    WithWarnings,
    /// It failed.
    WithErrors,
}

/// The last line of a log that says how a run ended, and what it says.
pub fn last_run(log: &str) -> Option<(Ended, &str)> {
    log.lines().rev().find_map(|line| {
        let (_, said) = line.split_once(": completed")?;
        let ended = match said {
            said if said.starts_with(" successfully") => Ended::Well,
            said if said.contains("warnings") => Ended::WithWarnings,
            _ => Ended::WithErrors,
        };
        Some((ended, line))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_end_counts() {
        let log = "[2026-11-22T04:10:01] /usr/bin/rsnapshot daily: started\n\
                   [2026-11-22T04:28:01] /usr/bin/rsnapshot daily: completed successfully\n\
                   [2026-11-23T04:10:01] /usr/bin/rsnapshot daily: started\n\
                   [2026-11-23T04:28:01] /usr/bin/rsnapshot daily: WARNING: completed, but with some warnings\n";
        assert_eq!(last_run(log).unwrap().0, Ended::WithWarnings);
        assert_eq!(last_run(&log[..log.find("[2026-11-23T04:10").unwrap()]).unwrap().0, Ended::Well);
        let failed =
            "[x] /usr/bin/rsnapshot daily: ERROR: /usr/bin/rsnapshot daily: completed, but with some errors";
        assert_eq!(last_run(failed).unwrap().0, Ended::WithErrors);
        assert_eq!(last_run("nothing"), None);
    }
}

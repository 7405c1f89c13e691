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
    /// It began and did not end: it was killed, or the host went down.
    NotAtAll,
}

/// The last line of a log that says how a run ended, and what it says.
pub fn last_run(log: &str) -> Option<(Ended, &str)> {
    let mut error = None;
    log.lines().rev().find_map(|line| {
        if line.ends_with(": started") {
            return Some(error.map_or((Ended::NotAtAll, line), |error| (Ended::WithErrors, error)));
        }
        // A run that gives up says why and nothing more.
        error = error.or(Some(line).filter(|l| l.contains(" ERROR: ")));
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
        assert_eq!(
            last_run(&log[..log.rfind('[').unwrap()]).unwrap().0,
            Ended::NotAtAll,
            "the host went down"
        );
        let refused = "[x] /usr/bin/rsnapshot daily: started\n\
                       [x] /usr/bin/rsnapshot daily: ERROR: /backup is not mounted\n";
        assert_eq!(last_run(refused).unwrap().0, Ended::WithErrors);
    }
}

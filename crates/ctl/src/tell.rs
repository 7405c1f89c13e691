//! The commands about telling people: `ack`, `notify test`.

use crate::{client::Daemon, error::CtlError, exit, look, order, print, when::When};
use jiff::{SignedDuration, Timestamp, civil};
use mastmaint_config::zone;
use mastmaint_control::words::{Reply, Request, TestAnswer};
use mastmaint_words::{
    JobName, NameError, Span,
    backup::{FindingId, UnknownFinding},
};
use serde::Serialize;
use std::str::FromStr;

pub(crate) fn ack(
    daemon: &Daemon,
    when: &When,
    what: Acknowledged,
    until: Option<Timestamp>,
) -> Result<u8, CtlError> {
    let end = until.map_or_else(|| "it changes".to_owned(), |at| format!("it changes, or {}", when.both(at)));
    let (name, request) = match what {
        Acknowledged::Job(job) => (job.to_string(), Request::Ack { job, until }),
        Acknowledged::Finding(finding) => (finding.to_string(), Request::AckFinding { finding, until }),
    };
    order::done(daemon, &request, &format!("nobody is reminded of {name} until {end}"))
}

/// What a person says that they know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Acknowledged {
    /// What is wrong with a job.
    Job(JobName),
    /// A finding.
    Finding(FindingId),
}

impl FromStr for Acknowledged {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse().map(Self::Finding).or_else(|_: UnknownFinding| text.parse().map(Self::Job))
    }
}

#[derive(Serialize)]
struct Answers {
    answers: Vec<TestAnswer>,
}

pub(crate) fn test(daemon: &Daemon, target: Option<u16>, json: bool) -> Result<u8, CtlError> {
    let Reply::Tested { answers } = daemon.ask(&Request::NotifyTest { target })? else {
        return Err(CtlError::BadReply);
    };
    let all = answers.iter().all(|answer| answer.told);
    if json {
        look::print_json(Answers { answers })?;
    } else {
        for TestAnswer { target, kind, told, said } in &answers {
            let word = if *told { "ok" } else { "not told" };
            print::data(&format!("{target} {kind}: {word}: {}\n", print::tame(said)))?;
        }
    }
    Ok(if all { exit::FINE } else { exit::NOT_FINE })
}

/// An instant as people write it: `2026-12-01`, `2026-12-01 08:00`, RFC 3339, or `3d` from now.
///
/// # Errors
/// If it is none of these.
pub fn until(text: &str) -> Result<Timestamp, String> {
    let local =
        text.parse::<civil::DateTime>().or_else(|_| text.parse::<civil::Date>().map(civil::DateTime::from));
    let at = match (text.parse::<Timestamp>(), local, text.parse::<Span>()) {
        (Ok(at), _, _) => Some(at),
        (_, Ok(local), _) => local.to_zoned(zone::local()).ok().map(|zoned| zoned.timestamp()),
        (_, _, Ok(span)) => {
            SignedDuration::try_from(span.get()).ok().and_then(|span| Timestamp::now().checked_add(span).ok())
        }
        _ => None,
    };
    at.ok_or_else(|| "write a date like 2026-12-01, a date with time, or a duration like 3d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_write_instants_in_several_ways() {
        assert_eq!(until("2026-12-01T08:00:00Z").unwrap().to_string(), "2026-12-01T08:00:00Z");
        let local = until("2026-12-01 08:00").unwrap();
        assert_eq!(local.duration_since(until("2026-12-01").unwrap()), SignedDuration::from_hours(8));
        let soon = until("3d").unwrap().duration_since(Timestamp::now());
        assert!((71..=72).contains(&soon.as_hours()), "{soon:?}");
        for bad in ["", "tomorrow", "2026-13-01"] {
            assert!(until(bad).is_err(), "{bad}");
        }
    }
}

//! The commands about telling people: `ack`, `notify test`.

use crate::{client::Daemon, error::CtlError, exit, look, order, print, when::When};
use jiff::{SignedDuration, Timestamp};
use mastmaint_config::instant::{Edge, instant};
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
    until: Option<&str>,
) -> Result<u8, CtlError> {
    let until = until.map(|text| self::until(text, when)).transpose()?;
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

/// Up to when, as people write it: a date (that day is part of it), a date with time, RFC 3339, or `3d` from now.
fn until(text: &str, when: &When) -> Result<Timestamp, CtlError> {
    let span = text.parse::<Span>().ok().and_then(|span| SignedDuration::try_from(span.get()).ok());
    let at = match span.and_then(|span| when.now.checked_add(span).ok()) {
        Some(at) => at,
        None => instant(text, &when.zone, Edge::End)
            .map_err(|error| CtlError::Usage(format!("--until: {error}; or a duration like 3d")))?,
    };
    if at <= when.now {
        return Err(CtlError::Usage(format!("--until: {} has passed already", when.at(at))));
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Result<String, String> {
        let when = When {
            now: "2026-11-26T14:00:00Z".parse().unwrap(),
            zone: jiff::tz::TimeZone::get("Europe/Paris").unwrap(),
        };
        until(text, &when).map(|at| at.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn people_write_instants_in_several_ways_and_a_day_is_a_whole_one() {
        for (text, instant) in [
            ("2026-12-01T08:00:00Z", "2026-12-01T08:00:00Z"),
            ("2026-12-01 08:00", "2026-12-01T07:00:00Z"),
            ("2026-12-01", "2026-12-01T23:00:00Z"),
            ("2026-11-26", "2026-11-26T23:00:00Z"),
            ("3d", "2026-11-29T14:00:00Z"),
        ] {
            assert_eq!(at(text).as_deref(), Ok(instant), "{text}");
        }
        for bad in ["", "tomorrow", "2026-13-01"] {
            assert!(at(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_has_passed_is_refused() {
        for past in ["2020-01-01", "2026-11-25", "2026-11-26 15:00", "2026-11-26T14:00:00Z", "0s"] {
            let error = at(past).unwrap_err();
            assert!(error.contains("has passed already"), "{past}: {error}");
        }
    }
}

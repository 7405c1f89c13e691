//! Streaming and Sidekiq: each unit asked by the runner's own questions, and of Sidekiq how long jobs wait.

use crate::{Asker, fine, unknown, wrong};
use jiff::Timestamp;
use mastmaint_config::requires::Service;
use mastmaint_instance::Redis;
use mastmaint_runner::probe::{Conversation, Said, Unmet, Value, of_a_service};
use mastmaint_words::{Span, human};
use serde::Deserialize;
use std::{io, time::Duration};

/// Of so many queues the oldest job is looked at.
const MOST_QUEUES: usize = 100;

/// A job as Sidekiq puts it into a queue.
#[derive(Deserialize)]
struct Job {
    enqueued_at: f64,
}

pub(crate) fn streaming(asker: &Asker) -> Said {
    of_units(asker, Service::Streaming).err().unwrap_or_else(|| fine("each of its units answers"))
}

pub(crate) fn sidekiq(asker: &Asker, oldest_job: Span) -> Said {
    if let Err(said) = of_units(asker, Service::Sidekiq) {
        return said;
    }
    let redis = match asker.variables().and_then(|variables| Redis::of_sidekiq(&variables)) {
        Ok(redis) => redis,
        Err(why) => return unknown(why),
    };
    match oldest(&redis, Timestamp::now()) {
        Ok(oldest) => judge(oldest, oldest_job),
        Err(error) => wrong(format!("Redis at {}: {error}", redis.at)),
    }
}

fn of_units(asker: &Asker, service: Service) -> Result<(), Said> {
    said_of(&of_a_service(service, &asker.instance, &asker.prober, &asker.digest))
}

/// What was seen counts for more than what could not be looked at.
fn said_of(unmet: &[Unmet]) -> Result<(), Said> {
    let whys = |seen| {
        let whys: Vec<&str> =
            unmet.iter().filter(|unmet| unmet.seen == seen).map(|unmet| unmet.why.as_str()).collect();
        (!whys.is_empty()).then(|| whys.join("; "))
    };
    match (whys(true), whys(false)) {
        (Some(why), _) => Err(wrong(why)),
        (None, Some(why)) => Err(unknown(why)),
        (None, None) => Ok(()),
    }
}

/// The queue whose next job has waited longest, and how long.
fn oldest(redis: &Redis, now: Timestamp) -> io::Result<Option<(String, Duration)>> {
    let mut open = Conversation::open(redis)?;
    let queues = open.key("queues");
    let Value::Many(queues) = open.ask(&["SMEMBERS", &queues])? else { return Ok(None) };
    let mut oldest = None;
    for queue in queues.into_iter().take(MOST_QUEUES) {
        let Value::Text(queue) = queue else { continue };
        let key = open.key(&format!("queue:{queue}"));
        let Value::Text(job) = open.ask(&["LINDEX", &key, "-1"])? else { continue };
        let Some(waited) = waited(&job, now) else { continue };
        if oldest.as_ref().is_none_or(|(_, longest)| waited > *longest) {
            oldest = Some((queue, waited));
        }
    }
    Ok(oldest)
}

/// How long a job waits. Up to Sidekiq 7 it says seconds, then milliseconds.
fn waited(job: &str, now: Timestamp) -> Option<Duration> {
    const MILLISECONDS: f64 = 1e11;
    let job: Job = serde_json::from_str(job).ok()?;
    let at = if job.enqueued_at > MILLISECONDS { job.enqueued_at / 1000.0 } else { job.enqueued_at };
    Duration::try_from_secs_f64(now.as_duration().as_secs_f64() - at).ok()
}

fn judge(oldest: Option<(String, Duration)>, most: Span) -> Said {
    match oldest {
        Some((queue, waited)) if waited > most.get() => {
            let waited = human::span(waited);
            wrong(format!("a job in Sidekiq's queue {queue} has waited {waited}, longer than {most}"))
        }
        Some((queue, waited)) => {
            fine(format!("it lives; the oldest job, in queue {queue}, has waited {}", human::span(waited)))
        }
        None => fine("it lives; no job waits"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_waits_too_long_is_wrong_in_either_way_of_counting() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let of = |at: &str| waited(&format!(r#"{{"class":"X","enqueued_at":{at}}}"#), now).unwrap();
        assert_eq!(of("1799996400.0"), Duration::from_hours(1));
        assert_eq!(of("1799996400000"), Duration::from_hours(1));
        assert!(waited(r#"{"enqueued_at":1900000000}"#, now).is_none(), "its clock is ahead");
        let said =
            |minutes| judge(Some(("push".into(), Duration::from_mins(minutes))), Span::from_secs(3600));
        assert!(matches!(said(60), Said::Answers { .. }));
        assert!(matches!(said(61), Said::Silent { why } if why.contains("queue push")));
        assert!(matches!(judge(None, Span::from_secs(60)), Said::Answers { .. }));
    }

    #[test]
    fn what_was_seen_counts_for_more_than_what_was_not() {
        let unmet = |why: &str, seen| Unmet { why: why.to_owned(), seen };
        assert!(said_of(&[]).is_ok());
        let both = [unmet("it is hidden", false), unmet("web does not answer", true)];
        assert_eq!(said_of(&both), Err(wrong("web does not answer")));
        assert_eq!(said_of(&both[..1]), Err(unknown("it is hidden")));
    }
}

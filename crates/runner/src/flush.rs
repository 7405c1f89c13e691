//! Emptying the Redis of an instance: what is in it is counted and told first, because jobs that wait there and keys that
//! are somebody else's come back from nowhere.

use crate::probe::{Conversation, Value};
use mastmaint_instance::Redis;
use std::{collections::BTreeMap, io};

/// Sorted sets of Sidekiq's, for people.
const SETS: [(&str, &str); 3] = [("schedule", "scheduled"), ("retry", "to be tried again"), ("dead", "dead")];
/// So many beginnings of names are told.
const TOLD: usize = 12;
/// Keys a question.
const AT_ONCE: &str = "1000";
/// What names of Mastodon's and Sidekiq's own keys begin with.
const OWN: [&str; 41] = [
    "account",
    "accounts",
    "activity",
    "admin",
    "bootstrap",
    "cache",
    "cron_job",
    "cron_jobs",
    "dead",
    "domain",
    "feed",
    "follow",
    "follow_recommendations",
    "import",
    "limit",
    "limits",
    "list",
    "poll",
    "processes",
    "queue",
    "queues",
    "rack",
    "rack_attack",
    "rails",
    "rate_limit",
    "relay",
    "retry",
    "schedule",
    "sidekiq",
    "spam_check",
    "stat",
    "statuses",
    "status",
    "subscribed",
    "tag",
    "tags",
    "timeline",
    "trending_links",
    "trending_statuses",
    "trending_tags",
    "unique",
];

/// What one database of a Redis holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Stock {
    /// Keys.
    pub(crate) keys: u64,
    /// Jobs that wait, by where.
    pub(crate) jobs: Vec<(String, u64)>,
    /// How names begin, and how many do.
    pub(crate) begins: BTreeMap<String, u64>,
}

impl Stock {
    /// What it holds, for who has to say yes.
    pub(crate) fn sentences(&self, at: &str) -> Vec<String> {
        let listed = |of: Vec<(&String, &u64)>| {
            let words: Vec<String> = of.into_iter().map(|(name, count)| format!("{name} {count}")).collect();
            words.join(", ")
        };
        let mut lines = vec![format!("{at} holds {} keys", self.keys)];
        let jobs: Vec<_> = self.jobs.iter().filter(|(_, count)| *count > 0).map(|(n, c)| (n, c)).collect();
        lines.push(if jobs.is_empty() {
            "no job of Sidekiq's waits in it".to_owned()
        } else {
            format!("jobs of Sidekiq's that would be lost: {}", listed(jobs))
        });
        let mut begins: Vec<_> = self.begins.iter().collect();
        begins.sort_by(|a, b| b.1.cmp(a.1).then(a.0.cmp(b.0)));
        let foreign: Vec<_> = begins.iter().copied().filter(|(name, _)| !is_own(name)).take(TOLD).collect();
        if !begins.is_empty() {
            begins.truncate(TOLD);
            lines.push(format!("its keys begin with: {}", listed(begins)));
        }
        if !foreign.is_empty() {
            lines.push(format!(
                "Mastodon is not known to use these, they may be somebody else's: {}",
                listed(foreign)
            ));
        }
        lines
    }

    /// Takes the name of a key in.
    fn count(&mut self, key: &str, namespace: Option<&str>) {
        let own = namespace.and_then(|space| key.strip_prefix(space)?.strip_prefix(':')).unwrap_or(key);
        let begin = own.split([':', '/']).next().unwrap_or(own);
        *self.begins.entry(begin.chars().take(40).collect()).or_default() += 1;
    }
}

fn is_own(begin: &str) -> bool {
    OWN.contains(&begin)
}

/// Looks what is in it; `None` if it was told to end.
///
/// # Errors
/// If it cannot be asked.
pub(crate) fn look(redis: &Redis, stopping: &dyn Fn() -> bool) -> io::Result<Option<Stock>> {
    let mut open = Conversation::open(redis)?;
    let mut stock = Stock { keys: number(&open.ask(&["DBSIZE"])?), ..Stock::default() };
    let queues = open.key("queues");
    if let Value::Many(queues) = open.ask(&["SMEMBERS", &queues])? {
        for queue in texts(queues) {
            let key = open.key(&format!("queue:{queue}"));
            stock.jobs.push((queue, number(&open.ask(&["LLEN", &key])?)));
        }
    }
    for (set, called) in SETS {
        let key = open.key(set);
        // Another kind of key of that name is none of Sidekiq's.
        let count = open.ask(&["ZCARD", &key]).map_or(0, |count| number(&count));
        stock.jobs.push((called.to_owned(), count));
    }
    let mut cursor = "0".to_owned();
    loop {
        if stopping() {
            return Ok(None);
        }
        let Value::Many(answer) = open.ask(&["SCAN", &cursor, "COUNT", AT_ONCE])? else { break };
        let mut answer = answer.into_iter();
        let (next, keys) = (answer.next(), answer.next());
        if let Some(Value::Many(keys)) = keys {
            for key in texts(keys) {
                stock.count(&key, redis.namespace.as_deref());
            }
        }
        match next {
            Some(Value::Text(next)) if next != "0" => cursor = next,
            _ => break,
        }
    }
    Ok(Some(stock))
}

/// Empties it, and says how many keys that were.
///
/// # Errors
/// If it refuses, or holds something afterwards.
pub(crate) fn flush(redis: &Redis) -> io::Result<u64> {
    let mut open = Conversation::open(redis)?;
    let keys = number(&open.ask(&["DBSIZE"])?);
    open.ask(&["FLUSHDB"])?;
    let left = number(&open.ask(&["DBSIZE"])?);
    // A probe, or somebody's session, may have written a key meanwhile.
    if keys > 0 && left >= keys {
        return Err(io::Error::other(format!("it says that it is empty and holds {left} keys")));
    }
    Ok(keys)
}

fn texts(values: Vec<Value>) -> impl Iterator<Item = String> {
    values.into_iter().filter_map(|value| match value {
        Value::Text(text) => Some(text),
        Value::Nothing | Value::Many(_) => None,
    })
}

fn number(value: &Value) -> u64 {
    match value {
        Value::Text(text) => text.parse().unwrap_or(0),
        Value::Nothing | Value::Many(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_and_what_is_somebody_elses_are_told() {
        let mut stock =
            Stock { keys: 7, jobs: vec![("push".into(), 3), ("dead".into(), 0)], ..Stock::default() };
        for key in ["feed:home:1", "feed:home:2", "m:queue:push", "other:x", "m:other:y", "single"] {
            stock.count(key, Some("m"));
        }
        let said = stock.sentences("Redis at localhost:6379, database 0");
        assert_eq!(
            said,
            [
                "Redis at localhost:6379, database 0 holds 7 keys",
                "jobs of Sidekiq's that would be lost: push 3",
                "its keys begin with: feed 2, other 2, queue 1, single 1",
                "Mastodon is not known to use these, they may be somebody else's: other 2, single 1",
            ]
        );
        let empty = Stock::default().sentences("x");
        assert_eq!(empty, ["x holds 0 keys", "no job of Sidekiq's waits in it"]);
    }
}

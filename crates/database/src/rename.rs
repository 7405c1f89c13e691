//! Databases change names: all of them in one transaction, or none. PostgreSQL lets nobody in while it does that, and
//! refuses while anybody is.

use crate::{
    error::DatabaseError,
    paused::Paused,
    sessions::{sessions, some, weigh},
    site::Bench,
    text::{identifier, literal},
};
use std::{
    thread,
    time::{Duration, Instant},
};

/// Sessions of services that have just stopped vanish meanwhile. PostgreSQL itself waits for five seconds, too.
const PATIENCE: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Somebody is connected.
const IN_USE: &str = "55006";
/// Somebody holds a lock for longer than we wait.
const LOCKED: &str = "55P03";

/// Renames, from and to.
pub(crate) fn rename(bench: &Bench<'_>, role: &str, renames: &[(&str, &str)]) -> Result<(), DatabaseError> {
    let paused = Paused::pause(bench);
    let done = try_again(bench, role, renames);
    drop(paused);
    done
}

fn try_again(bench: &Bench<'_>, role: &str, renames: &[(&str, &str)]) -> Result<(), DatabaseError> {
    let databases: Vec<&str> = renames.iter().map(|(from, _)| *from).collect();
    let begun = Instant::now();
    loop {
        match once(bench, role, renames, &databases) {
            Ok(()) => return Ok(()),
            Err(Stood { error, may_pass }) if !may_pass || begun.elapsed() >= PATIENCE => return Err(error),
            Err(_) => {}
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// What stood in the way.
struct Stood {
    error: DatabaseError,
    /// It may be gone in a moment.
    may_pass: bool,
}

impl From<DatabaseError> for Stood {
    fn from(error: DatabaseError) -> Self {
        let may_pass =
            matches!(error, DatabaseError::ForeignSessions { .. } | DatabaseError::SessionsAtWork { .. });
        Self { error, may_pass }
    }
}

fn once(bench: &Bench<'_>, role: &str, renames: &[(&str, &str)], databases: &[&str]) -> Result<(), Stood> {
    let connected = sessions(&bench.server, bench.admin, databases)?;
    let weighed = weigh(&connected, role);
    weighed.refuse(&databases.join(" and "))?;
    let mut statements = Vec::new();
    if !weighed.idle.is_empty() {
        bench.say(&format!("ended idle sessions of {role}: {}", some(&weighed.idle)));
        let pids: Vec<String> = weighed.idle.iter().map(|session| session.pid.to_string()).collect();
        let names: Vec<String> = databases.iter().map(|name| literal(name)).collect();
        // Idle still: what was idle a moment ago may have begun something.
        statements.push(format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid IN ({}) AND datname IN ({}) \
             AND usename = current_user AND state = 'idle'",
            pids.join(", "),
            names.join(", ")
        ));
    }
    statements.push(transaction(renames));
    let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
    bench.reach("rename");
    let done = bench.server.sql(bench.admin, &statements);
    bench.reach("renamed");
    done.map(drop).map_err(|refusal| {
        let may_pass = refusal.is(IN_USE) || refusal.is(LOCKED);
        Stood { error: refusal.of(&format!("renaming {}", databases.join(" and "))), may_pass }
    })
}

fn transaction(renames: &[(&str, &str)]) -> String {
    let each = renames
        .iter()
        .map(|(from, to)| format!("ALTER DATABASE {} RENAME TO {};", identifier(from), identifier(to)));
    format!("BEGIN; {} COMMIT", each.collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_transaction() {
        assert_eq!(
            transaction(&[("m", "m_before"), ("m_new", "m")]),
            "BEGIN; ALTER DATABASE \"m\" RENAME TO \"m_before\"; ALTER DATABASE \"m_new\" RENAME TO \"m\"; COMMIT"
        );
    }
}

//! Who is connected to a database: nobody may be while it is renamed. What a session means is pure.

use crate::{
    error::DatabaseError,
    listing::json,
    psql::{OURS, Server},
    text::literal,
};
use serde::Deserialize;
use std::fmt;

/// So many are named.
const NAMED: usize = 10;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Session {
    pub(crate) database: String,
    pub(crate) pid: u32,
    user: String,
    #[serde(default)]
    application: String,
    #[serde(default)]
    address: Option<String>,
    /// What it does; nothing is known of those of other roles.
    #[serde(default)]
    state: Option<String>,
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} of {}", self.pid, self.user)?;
        if !self.application.is_empty() {
            write!(f, " ({})", self.application)?;
        }
        if let Some(address) = &self.address {
            write!(f, " from {address}")?;
        }
        match &self.state {
            Some(state) => write!(f, ", {state}"),
            None => Ok(()),
        }
    }
}

/// What the sessions on some databases are.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Weighed<'a> {
    /// Of other roles.
    pub(crate) foreign: Vec<&'a Session>,
    /// Of the own role, and at work.
    pub(crate) busy: Vec<&'a Session>,
    /// Of the own role, with nothing to do: left over.
    pub(crate) idle: Vec<&'a Session>,
}

/// What they are for the switch.
pub(crate) fn weigh<'a>(sessions: &'a [Session], role: &str) -> Weighed<'a> {
    let mut weighed = Weighed::default();
    for session in sessions {
        let kind = match session.state.as_deref() {
            _ if session.user != role => &mut weighed.foreign,
            Some("idle") => &mut weighed.idle,
            _ => &mut weighed.busy,
        };
        kind.push(session);
    }
    weighed
}

impl Weighed<'_> {
    /// Why a database that they are on cannot be renamed.
    pub(crate) fn refuse(&self, database: &str) -> Result<(), DatabaseError> {
        let database = database.to_owned();
        if !self.foreign.is_empty() {
            return Err(DatabaseError::ForeignSessions { database, sessions: some(&self.foreign) });
        }
        if !self.busy.is_empty() {
            return Err(DatabaseError::SessionsAtWork { database, sessions: some(&self.busy) });
        }
        Ok(())
    }
}

/// The first of them.
pub(crate) fn some(sessions: &[&Session]) -> String {
    let mut named: Vec<String> = sessions.iter().take(NAMED).map(ToString::to_string).collect();
    if sessions.len() > NAMED {
        named.push(format!("and {} more", sessions.len() - NAMED));
    }
    named.join("; ")
}

/// Names under which Mastodon, and who works for it, is connected; Node says nothing.
const OF_MASTODON: [&str; 8] = ["puma", "sidekiq", "rails", "rake", "tootctl", "node", "bin/", "PgBouncer"];

impl Session {
    /// Whether it is one that goes when Mastodon's services stop, as far as its name says.
    pub(crate) fn is_of_mastodon(&self, role: &str) -> bool {
        let name = &self.application;
        self.user == role
            && (name.is_empty()
                || name.starts_with(OURS)
                || OF_MASTODON.iter().any(|known| name.contains(known)))
    }
}

/// The sessions on these databases, but for our own.
pub(crate) fn sessions(
    server: &Server,
    admin: &str,
    databases: &[&str],
) -> Result<Vec<Session>, DatabaseError> {
    let names: Vec<String> = databases.iter().map(|name| literal(name)).collect();
    // What works for a session goes with it (versions before 13 do not say so), and the server's own processes have no
    // user.
    let sql = format!(
        "SELECT coalesce(jsonb_agg(jsonb_build_object('database', datname, 'pid', pid, 'user', usename, \
         'application', coalesce(application_name, ''), 'address', host(client_addr), 'state', state) ORDER BY pid), '[]') \
         FROM pg_stat_activity a WHERE datname IN ({}) AND pid <> pg_backend_pid() AND usename IS NOT NULL AND to_jsonb(a) ->> 'leader_pid' IS NULL",
        names.join(", ")
    );
    json(server, admin, &sql, "looking at who is connected")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(user: &str, application: &str, state: Option<&str>) -> Session {
        Session {
            database: "m".into(),
            pid: 7,
            user: user.into(),
            application: application.into(),
            address: Some("::1".into()),
            state: state.map(str::to_owned),
        }
    }

    #[test]
    fn only_idle_ones_of_the_own_role_are_in_nobodys_way() {
        let all = [
            session("toot", "psql", Some("idle")),
            session("toot", "sidekiq", Some("active")),
            session("toot", "", Some("idle in transaction")),
            session("grafana", "grafana", None),
        ];
        let weighed = weigh(&all, "toot");
        assert_eq!((weighed.idle.len(), weighed.busy.len(), weighed.foreign.len()), (1, 2, 1));
        let foreign = weighed.refuse("m").unwrap_err();
        assert_eq!(foreign.code(), "foreign-sessions");
        assert!(foreign.to_string().contains("process 7 of grafana (grafana) from ::1"), "{foreign}");
        assert_eq!(weigh(&all[..2], "toot").refuse("m").unwrap_err().code(), "sessions-at-work");
        assert!(weigh(&all[..1], "toot").refuse("m").is_ok());
    }

    #[test]
    fn mastodons_own_are_known_by_role_and_name() {
        for (user, application, is) in [
            ("toot", "puma: cluster worker 0: 12 [live]", true),
            ("toot", "", true),
            ("toot", "mastmaintd 20261126T200000Z-7k3f9q", true),
            ("toot", "psql", false),
            ("grafana", "", false),
        ] {
            assert_eq!(session(user, application, None).is_of_mastodon("toot"), is, "{user} {application}");
        }
    }
}

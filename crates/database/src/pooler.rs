//! Whether something before PostgreSQL answers in its place: databases cannot be renamed behind a pooler.

use crate::{
    error::DatabaseError,
    psql::{Refusal, Server},
};
use std::time::Duration;

/// The name of the console of PgBouncer.
pub(crate) const CONSOLE: &str = "pgbouncer";
const SOON: Duration = Duration::from_secs(15);

/// Who answers at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Who {
    /// A PgBouncer whose console hears us.
    Console,
    /// A PgBouncer, or something like it, whose console does not.
    Pooler(String),
    /// PostgreSQL itself.
    Server,
    /// Nobody.
    Nobody(String),
}

/// Asks who it is: a server says that it has no database of the console's name, a pooler says anything else.
pub(crate) fn who(server: &Server) -> Who {
    match server.console(CONSOLE, &["SHOW VERSION"], SOON) {
        Ok(answer) if answer.contains("PgBouncer") => Who::Console,
        // Whoever names a database like that has a server.
        Ok(_) => Who::Server,
        Err(refusal) => meant(&refusal),
    }
}

/// What a refusal says of who gives it.
fn meant(refusal: &Refusal) -> Who {
    let said = &refusal.said;
    // `SHOW VERSION` is nothing that a server knows: it has such a database.
    if refusal.state.as_deref().is_some_and(|state| state != "08P01") {
        return Who::Server;
    }
    let fatal = ["FATAL:  ", "ERROR:  "].iter().find_map(|word| said.split_once(word));
    match fatal {
        // A server's own language is not known; the name that it does not have is in every one of them.
        Some((_, text)) if text.contains(CONSOLE) && !text.contains("bouncer config") => Who::Server,
        Some((_, text)) => Who::Pooler(text.to_owned()),
        // The message of a server in another language has other first words.
        None if said.contains(&format!("\"{CONSOLE}\"")) || said.contains(&format!("»{CONSOLE}«")) => {
            Who::Server
        }
        None => Who::Nobody(said.clone()),
    }
}

/// Refuses a pooler.
pub(crate) fn refuse(server: &Server) -> Result<(), DatabaseError> {
    match who(server) {
        Who::Console | Who::Pooler(_) => Err(DatabaseError::Pooler { at: server.way.at() }),
        Who::Server | Who::Nobody(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_names_the_database_that_it_does_not_have() {
        let of = |said: &str, state: Option<&str>| {
            meant(&Refusal {
                state: state.map(str::to_owned),
                said: said.to_owned(),
                kind: std::io::ErrorKind::Other,
            })
        };
        let at = "connection to server at \"localhost\" (127.0.0.1), port 6432 failed: ";
        assert_eq!(of(&format!("{at}FATAL:  database \"pgbouncer\" does not exist"), None), Who::Server);
        assert_eq!(of(&format!("{at}FATAL:  Datenbank »pgbouncer« existiert nicht"), None), Who::Server);
        assert_eq!(of("syntax error at or near", Some("42601")), Who::Server);
        let hba = "FATAL:  no pg_hba.conf entry for host \"::1\", user \"m\", database \"pgbouncer\", no encryption";
        assert_eq!(of(&format!("{at}{hba}"), None), Who::Server);
        assert_eq!(of(&format!("{at}FATAL:  not allowed"), None), Who::Pooler("not allowed".into()));
        assert!(matches!(of(&format!("{at}FATAL:  bouncer config error"), None), Who::Pooler(_)));
        assert!(matches!(of(&format!("{at}Connection refused"), None), Who::Nobody(_)));
    }
}

//! `psql` and `pg_restore` as clients of the server. Their environment says where it is and who they are; their command
//! line holds nothing that is secret.

use crate::{error::DatabaseError, process, settings::Way};
use mastmaint_verify::{
    VerifyError,
    revive::{Ask, Programs, Shape},
};
use mastmaint_words::RunId;
use std::{io, path::Path, process::Command, time::Duration};

/// A question takes no longer, unless somebody says so.
pub(crate) const SOON: Duration = Duration::from_mins(1);
/// What goes through all of the data.
pub(crate) const LONG: Duration = Duration::from_hours(6);
/// What the server keeps to by itself; psql is ended a little later.
const GRACE: Duration = Duration::from_secs(10);

/// A server and who asks it.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) programs: Programs,
    pub(crate) way: Way,
    application: String,
    /// Whether it knows settings; poolers do not.
    has_settings: bool,
}

/// What a statement was answered with that was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The stable code of PostgreSQL; none where it did not come to a statement.
    pub(crate) state: Option<String>,
    /// What it says, in a line.
    pub(crate) said: String,
    /// What kind of trouble it is where there is no code.
    pub(crate) kind: io::ErrorKind,
}

/// First words of the names under which we are connected.
pub(crate) const OURS: &str = "mastmaintd ";

impl Server {
    /// The newest programs that fit a dump, or any server where there is none.
    pub(crate) fn new(
        way: Way,
        run: Option<&RunId>,
        dump: Option<(&str, Shape)>,
    ) -> Result<Self, DatabaseError> {
        let (name, shape) = dump.unwrap_or(("the database", Shape::Text));
        let missing = |found: mastmaint_verify::Finding| DatabaseError::NoProgram {
            what: found.what,
            advice: found.advice,
        };
        let programs = Programs::of_a_client(name, shape).map_err(missing)?;
        let application = format!("{OURS}{}", run.map_or("match", RunId::as_str));
        Ok(Self { programs, way, application, has_settings: true })
    }

    /// The same where a pooler may be in between: settings are left to the server.
    pub(crate) fn perhaps_pooled(self) -> Self {
        Self { has_settings: false, ..self }
    }

    /// The same for another way, as the same user.
    pub(crate) fn by(&self, way: &Way) -> Self {
        Self { way: way.clone(), ..self.clone() }
    }

    /// A client of one of its databases.
    pub(crate) fn client(&self, program: &str, database: &str) -> Command {
        let mut command = self.programs.command(program, Path::new("/"));
        if let Some(home) = std::env::home_dir() {
            // Where libpq looks for certificates and passwords, as it does for Mastodon.
            command.env("HOME", home);
        }
        command.envs(self.way.environment());
        command.env("PGAPPNAME", &self.application).env("PGCONNECT_TIMEOUT", "10");
        // In the environment as well: a name that looks like an address would be taken for one.
        command.env("PGDATABASE", database);
        if program == "pg_restore" {
            command.arg("--dbname").arg(format!("dbname={}", of_conninfo(database)));
        }
        command
    }

    /// Has statements done, one after another, and gives what they answer.
    pub(crate) fn sql(&self, database: &str, statements: &[&str]) -> Result<String, Refusal> {
        self.sql_within(database, statements, SOON, &|| false)
    }

    /// The same with another limit for each of them, while somebody waits.
    pub(crate) fn sql_within(
        &self,
        database: &str,
        statements: &[&str],
        limit: Duration,
        is_cancelled: &dyn Fn() -> bool,
    ) -> Result<String, Refusal> {
        let options = format!("-c statement_timeout={} -c lock_timeout=10000", limit.as_millis());
        let mut psql = self.plain(database, statements);
        if self.has_settings {
            psql.env("PGOPTIONS", options);
        }
        answer(psql, limit + GRACE, is_cancelled)
    }

    /// The same without any setting: poolers know none.
    pub(crate) fn console(
        &self,
        database: &str,
        statements: &[&str],
        limit: Duration,
    ) -> Result<String, Refusal> {
        answer(self.plain(database, statements), limit, &|| false)
    }

    fn plain(&self, database: &str, statements: &[&str]) -> Command {
        let mut psql = self.client("psql", database);
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose"]);
        for statement in statements {
            psql.args(["-c", statement]);
        }
        psql
    }

    /// One of its databases, to be asked.
    pub(crate) fn of<'a>(&'a self, database: &'a str, is_cancelled: &'a dyn Fn() -> bool) -> Asked<'a> {
        Asked { server: self, database, is_cancelled }
    }
}

/// A value in a string of libpq.
fn of_conninfo(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

fn answer(psql: Command, limit: Duration, is_cancelled: &dyn Fn() -> bool) -> Result<String, Refusal> {
    let done = process::run(psql, limit, is_cancelled).map_err(|error| Refusal {
        state: None,
        said: error.to_string(),
        kind: error.kind(),
    })?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).trim_end().to_owned());
    }
    Err(refusal(&String::from_utf8_lossy(&done.stderr)))
}

/// `ERROR:  55006: database "x" is being accessed by other users`, or what psql says of a connection that it did not get.
fn refusal(said: &str) -> Refusal {
    let coded = |line: &str| {
        let (_, rest) = line.split_once(":  ")?;
        let (state, text) = rest.split_once(": ")?;
        let is_state =
            state.len() == 5 && state.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        is_state.then(|| (state.to_owned(), text.to_owned()))
    };
    let kind = io::ErrorKind::Other;
    if let Some((state, said)) = said.lines().find_map(coded) {
        return Refusal { state: Some(state), said, kind };
    }
    let line = said.lines().find(|line| line.contains("FATAL") || line.contains("error: "));
    let line = line.or_else(|| said.lines().last()).unwrap_or("nothing");
    Refusal { state: None, said: line.strip_prefix("psql: error: ").unwrap_or(line).to_owned(), kind }
}

impl Refusal {
    /// Whether PostgreSQL gives this code.
    pub(crate) fn is(&self, state: &str) -> bool {
        self.state.as_deref() == Some(state)
    }

    /// What it means where nothing better is known.
    pub(crate) fn of(self, doing: &str) -> DatabaseError {
        if self.kind == io::ErrorKind::Interrupted {
            return DatabaseError::Cancelled;
        }
        DatabaseError::Sql { doing: doing.to_owned(), why: self.said }
    }
}

/// A database that is asked.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    server: &'a Server,
    database: &'a str,
    is_cancelled: &'a dyn Fn() -> bool,
}

impl Ask for Asked<'_> {
    fn ask(&self, sql: &str) -> Result<Result<String, String>, VerifyError> {
        let only_read = "SET default_transaction_read_only = on";
        match self.server.sql_within(self.database, &[only_read, sql], LONG, self.is_cancelled) {
            Ok(answer) => Ok(Ok(answer)),
            Err(refusal) if refusal.kind == io::ErrorKind::Interrupted => Err(VerifyError::Cancelled),
            Err(refusal) => Ok(Err(refusal.said)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_known_by_its_code_whatever_the_language() {
        let busy = refusal(
            "FEHLER:  55006: auf Datenbank »a« wird zugegriffen\nLOCATION:  RenameDatabase, dbcommands.c:1\n",
        );
        assert!(busy.is("55006"));
        assert_eq!(busy.said, "auf Datenbank »a« wird zugegriffen");
        let out = refusal(
            "psql: error: connection to server at \"localhost\" (127.0.0.1), port 6432 failed: FATAL:  not allowed\n",
        );
        assert_eq!(out.state, None);
        assert!(out.said.starts_with("connection to server") && out.said.ends_with("FATAL:  not allowed"));
        assert_eq!(refusal("").said, "nothing");
        assert_eq!(of_conninfo("it's\\"), "'it\\'s\\\\'");
    }
}

//! What the server has: the databases of a run, and what the role may.

use crate::{
    error::DatabaseError,
    names::Names,
    pooler,
    psql::{Refusal, Server},
    state::{Listed, State, state},
    text::{by_superuser, identifier, literal},
};
use serde::{Deserialize, de::DeserializeOwned};
use std::time::Duration;

/// What only today's database has may be many rows.
const COUNTED: Duration = Duration::from_mins(10);

/// Databases that every server has and nobody works in.
const ADMIN: [&str; 2] = ["postgres", "template1"];

/// What was seen.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Look {
    /// The port on which the server believes to listen.
    pub(crate) port: u16,
    /// Its version: 170002.
    pub(crate) version: u32,
    pub(crate) role: String,
    superuser: bool,
    createdb: bool,
    /// It follows another one and cannot be written to.
    recovering: bool,
    pub(crate) databases: Vec<Listed>,
}

impl Look {
    pub(crate) fn state(&self, names: &Names) -> State {
        state(names, &self.databases)
    }

    pub(crate) fn find(&self, name: &str) -> Option<&Listed> {
        self.databases.iter().find(|database| database.name == name)
    }

    /// The major version.
    pub(crate) const fn major(&self) -> u32 {
        self.version / 10_000
    }

    /// Whether databases can be made and renamed; what is lacking otherwise, with the line that gives it.
    pub(crate) fn may(&self, names: &Names, at: &str) -> Result<(), DatabaseError> {
        if self.recovering {
            let doing = format!("the server at {at}");
            let why = "it is a standby of another one and cannot be written to; name its primary".to_owned();
            return Err(DatabaseError::Sql { doing, why });
        }
        let role = identifier(&self.role);
        if !self.createdb && !self.superuser {
            let what = format!("the role {} may not make databases (CREATEDB)", self.role);
            let line = by_superuser(&format!("ALTER ROLE {role} CREATEDB"));
            return Err(DatabaseError::NoRight { what, line });
        }
        for name in names.all() {
            if let Some(other) = self.find(name).filter(|database| !database.mine) {
                let what = format!("the database {name} belongs to {}, not to {}", other.owner, self.role);
                let line = by_superuser(&format!("ALTER DATABASE {} OWNER TO {role}", identifier(name)));
                return Err(DatabaseError::NoRight { what, line });
            }
        }
        Ok(())
    }
}

/// A database in which others are made, renamed and dropped. A pooler is known by then.
pub(crate) fn admin(server: &Server) -> Result<&'static str, DatabaseError> {
    let mut last = None;
    for name in ADMIN {
        match server.sql(name, &["SELECT 1"]) {
            Ok(_) => {
                pooler::refuse(server)?;
                return Ok(name);
            }
            Err(refusal) => last = last.or(Some(refusal)),
        }
    }
    pooler::refuse(server)?;
    let at = server.way.at();
    let why = last.map_or_else(String::new, |refusal: Refusal| refusal.said);
    Err(DatabaseError::Silent { at, why })
}

/// Looks at what concerns a run.
pub(crate) fn look(server: &Server, admin: &str, names: &Names) -> Result<Look, DatabaseError> {
    let ours: Vec<String> = names.all().map(literal).into();
    let ours = ours.join(", ");
    let sql = format!(
        "SELECT jsonb_build_object('port', current_setting('port')::int, 'version', current_setting('server_version_num')::int, \
         'role', r.rolname, 'superuser', r.rolsuper, 'createdb', r.rolcreatedb, 'recovering', pg_is_in_recovery(), \
         'databases', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', d.datname, 'owner', pg_get_userbyid(d.datdba), \
         'mine', pg_has_role(d.datdba, 'USAGE'), 'mark', shobj_description(d.oid, 'pg_database'), \
         'bytes', CASE WHEN d.datname IN ({ours}) AND has_database_privilege(d.oid, 'CONNECT') THEN pg_database_size(d.oid) END)), '[]') \
         FROM pg_database d WHERE NOT d.datistemplate)) FROM pg_roles r WHERE r.rolname = current_user"
    );
    json(server, admin, &sql, "looking at the databases")
}

/// One answer that is JSON.
pub(crate) fn json<T: DeserializeOwned>(
    server: &Server,
    database: &str,
    sql: &str,
    doing: &str,
) -> Result<T, DatabaseError> {
    let text = server.sql_within(database, &[sql], COUNTED, &|| false);
    let text = text.map_err(|refusal| refusal.of(doing))?;
    serde_json::from_str(&text).map_err(|error| DatabaseError::Sql {
        doing: doing.to_owned(),
        why: format!("nothing that is understood: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(createdb: bool, mine: bool) -> Look {
        let today = Listed { name: "m".into(), owner: "admin".into(), mine, ..Listed::default() };
        Look {
            port: 5432,
            version: 170_002,
            role: "toot".into(),
            superuser: false,
            createdb,
            recovering: false,
            databases: vec![today],
        }
    }

    #[test]
    fn what_is_lacking_is_told_with_the_line_that_gives_it() {
        let names = Names::of("m", &"20261126T200000Z-7k3f9q".parse().unwrap());
        let lacks = |look: &Look| match look.may(&names, "here") {
            Err(DatabaseError::NoRight { what, line }) => (what, line),
            other => panic!("{other:?}"),
        };
        assert!(look(true, true).may(&names, "here").is_ok());
        let (what, line) = lacks(&look(false, true));
        assert!(what.contains("CREATEDB") && line.ends_with("'ALTER ROLE \"toot\" CREATEDB'"), "{line}");
        let (what, line) = lacks(&look(true, false));
        assert!(what.contains("belongs to admin"), "{what}");
        assert!(line.ends_with("'ALTER DATABASE \"m\" OWNER TO \"toot\"'"), "{line}");
    }
}

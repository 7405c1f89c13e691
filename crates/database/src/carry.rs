//! What stands beside the rows of today's database and comes along: its settings, who may connect, how many. What the
//! role may not set is told with the line that does it.

use crate::{
    create::Made,
    error::DatabaseError,
    listing::json,
    site::Bench,
    text::{by_superuser, identifier, literal, plural},
};
use serde::Deserialize;

/// Settings whose value is a list of names, and stands in the catalog as it is written.
const LISTS: [&str; 6] = [
    "search_path",
    "temp_tablespaces",
    "local_preload_libraries",
    "session_preload_libraries",
    "shared_preload_libraries",
    "unix_socket_directories",
];

/// What today's database has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Beside {
    /// Settings, each for a role or for everybody.
    settings: Vec<Setting>,
    /// Who may do what; nothing where nobody has changed that.
    rights: Option<Vec<Right>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Setting {
    role: Option<String>,
    /// `work_mem=64MB`.
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Right {
    /// Nobody's name is everybody's.
    role: Option<String>,
    #[serde(rename = "right")]
    what: String,
    grantable: bool,
}

/// Brings them along; what could not be is told.
pub(crate) fn carry(bench: &Bench<'_>, made: &Made) -> Result<Vec<String>, DatabaseError> {
    let (today, new) = (&bench.names.today, &bench.names.new);
    let name = literal(today);
    let sql = format!(
        "SELECT jsonb_build_object('settings', (SELECT coalesce(jsonb_agg(jsonb_build_object('role', nullif(pg_get_userbyid(s.setrole), 'unknown (OID=0)'), \
         'text', c)), '[]') FROM pg_db_role_setting s, unnest(s.setconfig) c WHERE s.setdatabase = d.oid), \
         'rights', CASE WHEN d.datacl IS NOT NULL THEN (SELECT coalesce(jsonb_agg(jsonb_build_object('role', CASE WHEN a.grantee <> 0 THEN pg_get_userbyid(a.grantee) END, \
         'right', a.privilege_type, 'grantable', a.is_grantable)), '[]') FROM aclexplode(d.datacl) a WHERE a.grantee <> d.datdba) END) \
         FROM pg_database d WHERE d.datname = {name}"
    );
    let beside: Beside =
        json(&bench.server, bench.admin, &sql, "looking at the settings of today's database")?;
    let mut differs = Vec::new();
    for statement in statements(&beside, made.limit, new) {
        if let Err(refusal) = bench.server.sql(bench.admin, &[&statement]) {
            differs.push(format!(
                "a setting of today's database did not come along ({}); as a superuser: {}",
                refusal.said,
                by_superuser(&statement)
            ));
        }
    }
    Ok(differs)
}

fn statements(beside: &Beside, limit: i64, new: &str) -> Vec<String> {
    let new = identifier(new);
    let mut statements = Vec::new();
    for Setting { role, text } in &beside.settings {
        let Some((name, value)) = text.split_once('=') else { continue };
        let value =
            if LISTS.contains(&name) && !value.is_empty() { value.to_owned() } else { literal(value) };
        let of = match role {
            Some(role) => format!("ALTER ROLE {} IN DATABASE {new}", identifier(role)),
            None => format!("ALTER DATABASE {new}"),
        };
        // A name of an extension's setting has a point in it.
        let name: Vec<String> = name.split('.').map(identifier).collect();
        statements.push(format!("{of} SET {} TO {value}", name.join(".")));
    }
    if let Some(rights) = &beside.rights {
        statements.push(format!("REVOKE ALL ON DATABASE {new} FROM PUBLIC"));
        for Right { role, what, grantable } in rights {
            let role = role.as_deref().map_or_else(|| "PUBLIC".to_owned(), identifier);
            let more = if *grantable { " WITH GRANT OPTION" } else { "" };
            statements.push(format!("GRANT {what} ON DATABASE {new} TO {role}{more}"));
        }
    }
    if limit >= 0 {
        statements.push(format!("ALTER DATABASE {new} CONNECTION LIMIT {limit}"));
    }
    statements
}

/// Rights of other roles in a database, and its extensions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct Inside {
    /// How many rights each other role has.
    rights: Vec<Others>,
    extensions: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Others {
    role: String,
    tables: u64,
}

const INSIDE: &str = "SELECT jsonb_build_object('rights', (SELECT coalesce(jsonb_agg(r ORDER BY r.role), '[]') FROM \
    (SELECT pg_get_userbyid(a.grantee) AS role, count(DISTINCT c.oid) AS tables FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, \
    aclexplode(c.relacl) a WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND a.grantee <> 0 AND a.grantee <> c.relowner \
    AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e') GROUP BY 1) r), \
    'extensions', (SELECT coalesce(jsonb_agg(extname ORDER BY extname), '[]') FROM pg_extension))";

/// What today's database has inside and the new one has not: it does not come with rows.
pub(crate) fn differs(bench: &Bench<'_>) -> Result<Vec<String>, DatabaseError> {
    let of = |name: &str| json(&bench.server, name, INSIDE, "looking at the rights of other roles");
    Ok(lacks(&of(&bench.names.today)?, &of(&bench.names.new)?))
}

fn lacks(today: &Inside, new: &Inside) -> Vec<String> {
    let rights = today.rights.iter().filter_map(|others| {
        let there = new.rights.iter().find(|r| r.role == others.role).map_or(0, |r| r.tables);
        (there < others.tables).then(|| {
            format!(
                "the role {} has rights on {} today and on {there} in the new database; give them to it again (GRANT)",
                others.role,
                plural(others.tables, "table")
            )
        })
    });
    let extensions = today.extensions.iter().filter(|name| !new.extensions.contains(name));
    let extensions = extensions.map(|name| {
        format!("the extension {name} is in today's database and not in the new one (CREATE EXTENSION, as a superuser)")
    });
    rights.chain(extensions).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_and_rights_come_along() {
        let setting =
            |role: Option<&str>, text: &str| Setting { role: role.map(str::to_owned), text: text.into() };
        let right = |role: Option<&str>, right: &str, grantable| Right {
            role: role.map(str::to_owned),
            what: right.into(),
            grantable,
        };
        let beside = Beside {
            settings: vec![
                setting(None, "work_mem=64MB"),
                setting(Some("gra\"fana"), "search_path=\"$user\", public"),
                setting(None, "pgaudit.log=o'all"),
            ],
            rights: Some(vec![right(None, "CONNECT", false), right(Some("grafana"), "TEMPORARY", true)]),
        };
        assert_eq!(
            statements(&beside, 20, "n"),
            [
                "ALTER DATABASE \"n\" SET \"work_mem\" TO '64MB'",
                "ALTER ROLE \"gra\"\"fana\" IN DATABASE \"n\" SET \"search_path\" TO \"$user\", public",
                "ALTER DATABASE \"n\" SET \"pgaudit\".\"log\" TO 'o''all'",
                "REVOKE ALL ON DATABASE \"n\" FROM PUBLIC",
                "GRANT CONNECT ON DATABASE \"n\" TO PUBLIC",
                "GRANT TEMPORARY ON DATABASE \"n\" TO \"grafana\" WITH GRANT OPTION",
                "ALTER DATABASE \"n\" CONNECTION LIMIT 20",
            ]
        );
        assert!(statements(&Beside::default(), -1, "n").is_empty());
    }

    #[test]
    fn what_the_new_one_lacks_is_told() {
        let inside = |tables, extensions: &[&str]| Inside {
            rights: vec![Others { role: "grafana".into(), tables }],
            extensions: extensions.iter().map(|e| (*e).to_owned()).collect(),
        };
        let told = lacks(&inside(12, &["plpgsql", "pg_stat_statements"]), &inside(0, &["plpgsql"]));
        assert!(told[0].contains("grafana has rights on 12 tables today and on 0"), "{told:?}");
        assert!(told[1].contains("pg_stat_statements"), "{told:?}");
        assert!(lacks(&inside(1, &["a"]), &inside(1, &["a", "b"])).is_empty());
    }
}

//! The statement that makes the new database as today's is: encoding, locale, tablespace.

use crate::{
    error::DatabaseError,
    listing::json,
    psql::Server,
    text::{identifier, literal},
};
use serde::Deserialize;

/// Where databases lie if nothing is said.
const USUAL: &str = "pg_default";

/// What a database is made with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Made {
    encoding: String,
    #[serde(rename = "datcollate")]
    collate: String,
    #[serde(rename = "datctype")]
    ctype: String,
    /// `c` of the C library, `i` of ICU, `b` of PostgreSQL itself; from 15 on.
    #[serde(default, rename = "datlocprovider")]
    provider: Option<String>,
    /// The locale of the provider; its name changed with 17.
    #[serde(default, rename = "datlocale", alias = "daticulocale")]
    locale: Option<String>,
    #[serde(default, rename = "daticurules")]
    rules: Option<String>,
    tablespace: String,
    /// Whether the role may make something there.
    in_tablespace: bool,
    #[serde(rename = "datconnlimit")]
    pub(crate) limit: i64,
}

/// How today's database was made.
pub(crate) fn made(server: &Server, admin: &str, name: &str) -> Result<Made, DatabaseError> {
    // All columns of the row: some of them not every version has.
    let sql = format!(
        "SELECT to_jsonb(d) || jsonb_build_object('encoding', pg_encoding_to_char(d.encoding), 'tablespace', t.spcname, \
         'in_tablespace', t.spcname = 'pg_default' OR has_tablespace_privilege(t.oid, 'CREATE')) \
         FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace WHERE d.datname = {}",
        literal(name)
    );
    json(server, admin, &sql, "looking at today's database")
}

impl Made {
    /// Makes one like it.
    pub(crate) fn statement(like: Option<&Self>, name: &str) -> String {
        let mut text = format!("CREATE DATABASE {} TEMPLATE template0", identifier(name));
        let Some(like) = like else { return text + " ENCODING 'UTF8'" };
        let mut add = |word: &str, value: &str| {
            text.extend([" ", word, " ", &literal(value)]);
        };
        add("ENCODING", &like.encoding);
        add("LC_COLLATE", &like.collate);
        add("LC_CTYPE", &like.ctype);
        match (like.provider.as_deref(), &like.locale) {
            (Some("i"), Some(locale)) => {
                add("LOCALE_PROVIDER", "icu");
                add("ICU_LOCALE", locale);
                if let Some(rules) = &like.rules {
                    add("ICU_RULES", rules);
                }
            }
            (Some("b"), Some(locale)) => {
                add("LOCALE_PROVIDER", "builtin");
                add("BUILTIN_LOCALE", locale);
            }
            (Some("c"), _) => add("LOCALE_PROVIDER", "libc"),
            _ => {}
        }
        // The usual one must not be named: that takes a right of its own.
        if like.in_tablespace && like.tablespace != USUAL {
            text.extend([" TABLESPACE ", &identifier(&like.tablespace)]);
        }
        text
    }

    /// What the new one cannot be made with.
    pub(crate) fn differs(&self) -> Option<String> {
        (!self.in_tablespace).then(|| {
            format!(
                "today's database lies in the tablespace {}, in which the role may make nothing: the new one lies in the usual place",
                self.tablespace
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Made {
        let common = r#""datcollate":"C","datctype":"C.UTF-8","tablespace":"fast","in_tablespace":true,"datconnlimit":-1,"encoding":"UTF8""#;
        serde_json::from_str(&format!("{{{common}{json}}}")).unwrap()
    }

    #[test]
    fn the_new_one_is_made_as_todays_is() {
        let common =
            "CREATE DATABASE \"n\" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8'";
        let statement = |json: &str| Made::statement(Some(&of(json)), "n");
        assert_eq!(statement(""), format!("{common} TABLESPACE \"fast\""));
        assert_eq!(
            statement(r#","datlocprovider":"c","daticulocale":null"#),
            format!("{common} LOCALE_PROVIDER 'libc' TABLESPACE \"fast\"")
        );
        assert_eq!(
            statement(r#","datlocprovider":"i","daticulocale":"de","daticurules":null"#),
            format!("{common} LOCALE_PROVIDER 'icu' ICU_LOCALE 'de' TABLESPACE \"fast\"")
        );
        assert_eq!(
            statement(r#","datlocprovider":"b","datlocale":"C.UTF-8""#),
            format!("{common} LOCALE_PROVIDER 'builtin' BUILTIN_LOCALE 'C.UTF-8' TABLESPACE \"fast\"")
        );
        assert_eq!(Made::statement(None, "n"), "CREATE DATABASE \"n\" TEMPLATE template0 ENCODING 'UTF8'");
        let elsewhere = Made { in_tablespace: false, ..of("") };
        assert_eq!(Made::statement(Some(&elsewhere), "n"), common);
        let usual = Made { tablespace: USUAL.into(), ..of("") };
        assert_eq!((Made::statement(Some(&usual), "n"), usual.differs()), (common.to_owned(), None));
        assert!(elsewhere.differs().unwrap().contains("fast"));
    }
}

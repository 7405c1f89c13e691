//! What only today's database has: what would be out of sight after the switch.

use crate::{
    error::DatabaseError,
    listing::json,
    site::Bench,
    text::{literal, plural},
};
use jiff::Timestamp;
use serde::Deserialize;

/// A table of which people ask how much is lost.
struct Kept {
    table: &'static str,
    what: &'static str,
    /// Which of its rows count.
    only: &'static str,
}

const KEPT: [Kept; 6] = [
    Kept { table: "statuses", what: "post of this instance", only: "coalesce(local, false) OR uri IS NULL" },
    Kept { table: "users", what: "user", only: "true" },
    Kept { table: "accounts", what: "account of this instance", only: "domain IS NULL" },
    Kept { table: "follows", what: "follow", only: "true" },
    Kept { table: "media_attachments", what: "media file", only: "remote_url = ''" },
    Kept {
        table: "statuses",
        what: "post of other instances",
        only: "NOT coalesce(local, false) AND uri IS NOT NULL",
    },
];

/// Rows that came after some id.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Since {
    count: u64,
    #[serde(default)]
    newest: Option<Timestamp>,
}

/// What today's database has more than the new one, in sentences.
pub(crate) fn would_be_lost(bench: &Bench<'_>) -> Result<Vec<String>, DatabaseError> {
    let mut lost = Vec::new();
    for kept in &KEPT {
        let Kept { table, what, only } = kept;
        let doing = "comparing with today's database";
        let there = |name: &str| {
            let sql = format!("SELECT to_regclass({}) IS NOT NULL", literal(&format!("public.{table}")));
            bench.server.sql(name, &[&sql]).map(|answer| answer == "t").map_err(|refusal| refusal.of(doing))
        };
        if !there(&bench.names.today)? || !there(&bench.names.new)? {
            continue;
        }
        // Ids only grow, with the time or one by one.
        let newest = format!("SELECT coalesce(max(id), 0) FROM public.{table}");
        let newest = bench.server.sql(&bench.names.new, &[&newest]).map_err(|refusal| refusal.of(doing))?;
        let newest: i64 = newest.parse().unwrap_or(i64::MAX);
        let sql = format!(
            "SELECT jsonb_build_object('count', count(*), 'newest', to_char(max(created_at), 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')) \
             FROM public.{table} WHERE id > {newest} AND ({only})"
        );
        let since: Since = json(&bench.server, &bench.names.today, &sql, doing)?;
        lost.extend(sentence(&since, what));
    }
    Ok(lost)
}

fn sentence(since: &Since, what: &str) -> Option<String> {
    let newest = since.newest.map_or_else(String::new, |at| format!(", the newest of {at}"));
    let what = what.split_once(" of ").map_or_else(
        || plural(since.count, what),
        |(thing, of)| format!("{} of {of}", plural(since.count, thing)),
    );
    (since.count > 0).then(|| format!("{what}{newest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_by_count_and_newest_time() {
        let at = Some("2026-11-26T20:00:00Z".parse().unwrap());
        let of = |count, what| sentence(&Since { count, newest: at }, what);
        assert_eq!(of(0, "user"), None);
        assert_eq!(of(1, "user").unwrap(), "1 user, the newest of 2026-11-26T20:00:00Z");
        assert!(of(1200, "post of this instance").unwrap().starts_with("1,200 posts of this instance, "));
    }
}

//! Whether database and files are one state. A database older than the files (a restore under way) makes every newer
//! upload an orphan; files older than the database make rows point at nothing. Both can be seen without a walk: ids
//! carry the time at which their rows were made.

use crate::{Blind, Instance, before, database::Asked, holes, key, store::Store};
use jiff::{SignedDuration, Timestamp};
use mastmaint_words::Together;

/// What is being uploaded right now has a file before its row can be seen, and a quiet server may have lost its newest
/// row again. A database that was restored is older than that.
const SLACK: SignedDuration = SignedDuration::from_hours(1);
/// Newest rows whose files are looked for.
const ROWS: u32 = 20;

/// Looks at the newest rows and the newest files.
///
/// # Errors
/// If one of the two cannot be looked at.
pub fn look(instance: &Instance) -> Result<Together, Blind> {
    let variables = before::variables(instance)?;
    let mut store = Store::of(&variables, &instance.live)?;
    let mut database = before::open(&variables)?;
    // Media that were removed again do not make a database old: its posts tell as well.
    let newest = database.rows(
        "SELECT greatest((SELECT max(id) FROM statuses), (SELECT max(id) FROM media_attachments)) AS newest",
    )?;
    let newest: i64 =
        newest.first().and_then(|row| row.get("newest")).and_then(|id| id.parse().ok()).unwrap_or(0);
    let rows = key::made(newest).unwrap_or_default();
    let edge = rows.checked_add(SLACK).map_or(newest, key::id_at);
    for folder in ["media_attachments/files", "cache/media_attachments/files"] {
        if let Some(files) = store.newest_after(folder, edge)?.and_then(key::made) {
            return Ok(Together::DatabaseOlder { rows, files });
        }
    }
    // The newest of both says nothing of a database that was restored and has gone on since.
    if let Some(hole) = holes::look(&mut store, &mut database, Timestamp::now())? {
        return Ok(hole);
    }
    let named = database.rows(&format!(
        "SELECT id, file_file_name, remote_url <> '' AND coalesce(file_storage_schema_version, 0) > 0 AS cached \
         FROM media_attachments WHERE file_file_name <> '' ORDER BY id DESC LIMIT {ROWS}"
    ))?;
    let (mut seen, mut missing) = (0, 0);
    for row in &named {
        let (Some(id), Some(name)) =
            (row.get("id").and_then(|id| id.parse().ok()), row.get("file_file_name"))
        else {
            continue;
        };
        let folder = key::folder("media_attachments", "files", id, row.get("cached") == Some("t"));
        seen += 1;
        missing += usize::from(!store.is_there(&format!("{folder}/original/{name}"))?);
    }
    // One or two may be on their way; most of them never are.
    if missing * 2 > seen && missing > 2 {
        return Ok(Together::FilesMissing { rows: seen, missing });
    }
    Ok(Together::Seems { named: files_named(&mut database)? })
}

/// How many files rows name, originals only.
fn files_named(database: &mut Asked) -> Result<u64, Blind> {
    let counts = database.rows(
        "SELECT (SELECT count(file_file_name) FROM media_attachments) + (SELECT count(image_file_name) FROM preview_cards) \
         + (SELECT count(avatar_file_name) + count(header_file_name) FROM accounts) \
         + (SELECT count(image_file_name) FROM custom_emojis) AS named",
    )?;
    Ok(counts.first().and_then(|row| row.get("named")).and_then(|named| named.parse().ok()).unwrap_or(0))
}

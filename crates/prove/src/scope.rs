//! Which rows a command must remove, from its arguments alone: the conditions that its source has, made narrower
//! where in doubt. A row that may stay is never sampled; where none is certain, no sample is taken and it is said why.

use mastmaint_tootctl::Call;

/// Rows that must go, and what of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Their table.
    pub table: &'static str,
    /// Conditions on a row `r`, as SQL.
    pub conditions: String,
    /// What is cleared of a row and removed of its files.
    pub attachments: Vec<Attachment>,
}

/// A file that a row names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attachment {
    /// Prefix of its columns: `file` for `file_file_name`.
    pub column: &'static str,
    /// Second part of its keys: `files`.
    pub folder: &'static str,
}

const FILE: Attachment = Attachment { column: "file", folder: "files" };
const THUMBNAIL: Attachment = Attachment { column: "thumbnail", folder: "thumbnails" };
const IMAGE: Attachment = Attachment { column: "image", folder: "images" };
const AVATAR: Attachment = Attachment { column: "avatar", folder: "avatars" };
const HEADER: Attachment = Attachment { column: "header", folder: "headers" };

/// Nobody at all has touched the post of a media file: certain to be "without local interaction".
const UNTOUCHED: &str = "r.status_id IS NOT NULL \
     AND NOT EXISTS (SELECT 1 FROM favourites x WHERE x.status_id = r.status_id) \
     AND NOT EXISTS (SELECT 1 FROM bookmarks x WHERE x.status_id = r.status_id) \
     AND NOT EXISTS (SELECT 1 FROM statuses x WHERE x.in_reply_to_id = r.status_id) \
     AND NOT EXISTS (SELECT 1 FROM statuses x WHERE x.reblog_of_id = r.status_id) \
     AND NOT EXISTS (SELECT 1 FROM quotes x WHERE x.quoted_status_id = r.status_id OR x.status_id = r.status_id)";
const UNFOLLOWED: &str = "NOT EXISTS (SELECT 1 FROM follows x WHERE x.account_id = r.id) \
     AND NOT EXISTS (SELECT 1 FROM follows x WHERE x.target_account_id = r.id)";

/// The rows that a command must remove.
///
/// # Errors
/// A sentence, if no row is certain to go.
pub fn of(args: &[String]) -> Result<Scope, String> {
    let call = Call::read(args, None);
    if let Some(misuse) = call.misuses().first() {
        // What it would do then is not what it says.
        return Err(misuse.wrong.to_string());
    }
    if call.has("dry-run") {
        return Err("a dry run removes nothing".to_owned());
    }
    match call.words() {
        "media remove" if call.has("prune-profiles") || call.has("remove-headers") => {
            Ok(profiles(&call, days(&call, 7)?))
        }
        "media remove" => {
            let age = older("created_at", days(&call, 7)?);
            let mut conditions = format!("r.remote_url <> '' AND r.file_file_name <> '' AND {age}");
            if call.has("keep-interacted") {
                conditions = format!("{conditions} AND {UNTOUCHED}");
            }
            Ok(Scope { table: "media_attachments", conditions, attachments: vec![FILE, THUMBNAIL] })
        }
        "preview-cards remove" => {
            let age = older("updated_at", days(&call, 180)?);
            let link = if call.has("link") { " AND r.type = 0" } else { "" };
            let conditions = format!("r.image_file_name <> '' AND {age}{link}");
            Ok(Scope { table: "preview_cards", conditions, attachments: vec![IMAGE] })
        }
        other => Err(format!("no sample can be taken of what {other:?} removes")),
    }
}

fn profiles(call: &Call, days: f64) -> Scope {
    let headers_only = call.has("remove-headers");
    let named = if headers_only {
        "r.header_file_name <> ''"
    } else {
        "(r.avatar_file_name <> '' OR r.header_file_name <> '')"
    };
    let mut conditions = format!(
        "r.domain IS NOT NULL AND {named} AND {} AND {}",
        older("last_webfingered_at", days),
        older("updated_at", days)
    );
    if !call.has("include-follows") {
        conditions = format!("{conditions} AND {UNFOLLOWED}");
    }
    let attachments = if headers_only { vec![HEADER] } else { vec![AVATAR, HEADER] };
    Scope { table: "accounts", conditions, attachments }
}

/// An hour beyond what was asked for: what is on the edge may stay.
fn older(column: &str, days: f64) -> String {
    format!("r.{column} < (now() AT TIME ZONE 'UTC') - interval '{} hours'", (days * 24.0).ceil() + 1.0)
}

fn days(call: &Call, usual: u32) -> Result<f64, String> {
    match call.value("days") {
        None => Ok(f64::from(usual)),
        Some(text) => text
            .parse()
            .ok()
            .filter(|days: &f64| (0.0..100_000.0).contains(days))
            .ok_or_else(|| format!("--days {text:?} is no number of days")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(line: &str) -> Result<Scope, String> {
        of(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn days_are_read_however_they_are_written() {
        for line in [
            "media remove --days 7",
            "media remove --days=7",
            "media remove -d 7",
            "media remove -d7",
            "media remove",
            "media remove --days 3 --days 7",
        ] {
            assert!(scope(line).unwrap().conditions.contains("interval '169 hours'"), "{line}");
        }
        assert!(scope("preview_cards remove").unwrap().conditions.contains("interval '4321 hours'"));
        assert!(scope("media remove --days seven").is_err());
        assert!(scope("media remove --days").is_err());
    }

    #[test]
    fn each_command_has_its_rows() {
        let media = scope("media remove").unwrap();
        assert_eq!((media.table, media.attachments.len()), ("media_attachments", 2));
        assert!(!media.conditions.contains("favourites"));
        assert!(scope("media remove --keep_interacted").unwrap().conditions.contains("favourites"));
        let cards = scope("preview-cards remove --link").unwrap();
        assert!(cards.table == "preview_cards" && cards.conditions.contains("r.type = 0"));
        let headers = scope("media remove --remove-headers").unwrap();
        assert_eq!(headers.attachments, [HEADER]);
        assert!(headers.conditions.contains("follows"));
        let all = scope("media remove --prune_profiles --include-follows").unwrap();
        assert_eq!(all.attachments, [AVATAR, HEADER]);
        assert!(!all.conditions.contains("follows"));
    }

    #[test]
    fn what_removes_nothing_or_cannot_be_told_has_no_sample() {
        assert!(scope("media remove --dry-run").unwrap_err().contains("dry run"));
        assert!(scope("statuses remove").unwrap_err().contains("statuses remove"));
        assert!(scope("media remove-orphans").unwrap_err().contains("media remove-orphans"));
    }
}

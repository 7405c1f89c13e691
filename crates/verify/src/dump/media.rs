//! Whether every media file that the database names is in the file backup, with the size that it says.

use super::copy::Table;
use crate::{
    check::Env,
    finding::{Code, EVIDENCE, Finding, some_of},
    look::{Thing, Tree},
    stamp::Stamp,
};
use jiff::{Timestamp, civil};
use std::{io, time::Duration};

/// A media file that the database names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaFile {
    /// Below `public/system`.
    pub path: String,
    /// Bytes, where the row says so.
    pub size: Option<u64>,
    /// Whether it was uploaded here. A copy of a remote one can be fetched again.
    pub is_local: bool,
    /// When it was stored.
    pub stored: Option<Timestamp>,
}

/// An attachment of Paperclip: table, column prefix, directory, and what makes a row a remote one.
struct Attachment {
    table: &'static str,
    column: &'static str,
    directory: &'static str,
    origin: Origin,
}

#[derive(Clone, Copy)]
enum Origin {
    /// Remote if this column is set to something.
    RemoteIf(&'static str),
    Local,
    Remote,
}

const ATTACHMENTS: [Attachment; 7] = [
    Attachment {
        table: "media_attachments",
        column: "file",
        directory: "media_attachments/files",
        origin: Origin::RemoteIf("remote_url"),
    },
    Attachment {
        table: "media_attachments",
        column: "thumbnail",
        directory: "media_attachments/thumbnails",
        origin: Origin::RemoteIf("remote_url"),
    },
    Attachment {
        table: "accounts",
        column: "avatar",
        directory: "accounts/avatars",
        origin: Origin::RemoteIf("domain"),
    },
    Attachment {
        table: "accounts",
        column: "header",
        directory: "accounts/headers",
        origin: Origin::RemoteIf("domain"),
    },
    Attachment {
        table: "custom_emojis",
        column: "image",
        directory: "custom_emojis/images",
        origin: Origin::RemoteIf("domain"),
    },
    Attachment {
        table: "site_uploads",
        column: "file",
        directory: "site_uploads/files",
        origin: Origin::Local,
    },
    Attachment {
        table: "preview_cards",
        column: "image",
        directory: "preview_cards/images",
        origin: Origin::Remote,
    },
];

/// The files that a row names.
pub(super) fn files_of(table: &Table, row: &str, tell: &mut dyn FnMut(MediaFile)) {
    for attachment in ATTACHMENTS.iter().filter(|a| a.table == table.name) {
        let column = |suffix: &str| format!("{}_{suffix}", attachment.column);
        let Some(name) = table.get(row, &column("file_name")).filter(|n| !n.is_empty()) else { continue };
        let Some(id) = table.number::<u64>(row, "id") else { continue };
        let is_local = match attachment.origin {
            Origin::Local => true,
            Origin::Remote => false,
            Origin::RemoteIf(column) => table.get(row, column).is_none_or(|v| v.is_empty()),
        };
        let cache = if is_local { "" } else { "cache/" };
        let path = format!("{cache}{}/{}/original/{name}", attachment.directory, partition(id));
        let stored = table.get(row, &column("updated_at")).and_then(|t| timestamp(&t));
        tell(MediaFile { path, size: table.number(row, &column("file_size")), is_local, stored });
    }
}

/// `117/002/003` for 117002003; 18 digits from 10^9 on.
fn partition(id: u64) -> String {
    let digits = if id < 1_000_000_000 { format!("{id:09}") } else { format!("{id:018}") };
    let groups: Vec<&str> =
        (0..digits.len()).step_by(3).map(|at| &digits[at..(at + 3).min(digits.len())]).collect();
    groups.join("/")
}

/// `2026-11-23 04:20:00.123`, which Rails keeps in UTC.
fn timestamp(text: &str) -> Option<Timestamp> {
    let time: civil::DateTime = text.replace(' ', "T").parse().ok()?;
    jiff::tz::TimeZone::UTC.to_timestamp(time).ok()
}

/// A file backup is copied for this long at most before it has its stamp.
const COPYING: Duration = Duration::from_hours(6);

/// Looks each file up while the dump goes by.
pub struct MediaCheck<'a> {
    tree: &'a dyn Tree,
    /// Where `public/system` lies in the backup.
    root: String,
    /// Files that are newer than this need not be in the backup.
    horizon: Option<Timestamp>,
    is_elsewhere: bool,
    /// Files uploaded here that the dump names.
    pub local: u64,
    /// Copies of remote files that it names.
    pub remote: u64,
    /// Of all these, found with the right size.
    pub found: u64,
    missing: Listed,
    wrong: Listed,
    newer: Listed,
    trouble: Option<io::Error>,
}

#[derive(Default)]
struct Listed {
    count: u64,
    lines: Vec<String>,
}

impl Listed {
    fn add(&mut self, line: impl FnOnce() -> String) {
        self.count += 1;
        if self.lines.len() < EVIDENCE {
            self.lines.push(line());
        }
    }
}

impl<'a> MediaCheck<'a> {
    /// A check of the files below `root` in a file backup, for a dump of this time.
    pub fn new(tree: &'a dyn Tree, root: String, env: &Env, dumped: Option<Timestamp>) -> Self {
        let finished = tree.finished().map(Stamp::at);
        // A dump that is older than the files names nothing that the copy could not have met.
        let horizon = finished.map(|at| if dumped.is_some_and(|d| d <= at) { at } else { at - COPYING });
        let is_elsewhere = ["S3_ENABLED", "SWIFT_ENABLED", "AZURE_ENABLED"].iter().any(|k| env.is_true(k));
        let (missing, wrong, newer) = (Listed::default(), Listed::default(), Listed::default());
        Self {
            tree,
            root,
            horizon,
            is_elsewhere,
            local: 0,
            remote: 0,
            found: 0,
            missing,
            wrong,
            newer,
            trouble: None,
        }
    }

    /// Looks one file up.
    pub fn look_up(&mut self, file: &MediaFile) {
        if file.is_local {
            self.local += 1;
        } else {
            self.remote += 1;
        }
        if self.is_elsewhere || self.trouble.is_some() {
            return;
        }
        let found = match self.tree.thing(&format!("{}/{}", self.root, file.path)) {
            Ok(found) => found,
            Err(error) => {
                self.trouble = Some(error);
                return;
            }
        };
        match (found, file.size) {
            (Some(Thing::File(size)), Some(told)) if size != told && file.is_local => {
                self.wrong.add(|| format!("{}: {size} bytes, the database says {told}", file.path));
            }
            (Some(Thing::File(_)), _) => self.found += 1,
            // Copies of remote files may be left out on purpose: they are fetched again.
            _ if !file.is_local => {}
            _ if file.stored.zip(self.horizon).is_some_and(|(stored, horizon)| stored > horizon) => {
                self.newer.add(|| file.path.clone());
            }
            _ => self.missing.add(|| file.path.clone()),
        }
    }

    /// What there is to say.
    pub fn findings(&self) -> Vec<Finding> {
        if self.is_elsewhere {
            let what =
                format!("media are not in this backup: {} uploads lie in an object storage", self.local);
            return vec![Finding::info(
                Code::MediaElsewhere,
                what,
                "Back the bucket up by its own means; it is not checked here.",
            )];
        }
        let mut findings = Vec::new();
        if let Some(error) = &self.trouble {
            let what = "the media of the file backup cannot be looked at";
            findings.push(
                Finding::warn(Code::NotChecked, what, "Mend what the error says.").with([error.to_string()]),
            );
        }
        let some = |listed: &Listed| some_of(listed.lines.iter().cloned(), listed.count);
        let of = |count: u64| format!("{count} of {} uploads", self.local);
        if self.missing.count > 0 {
            let what = format!("{} that the dump names are not in the file backup", of(self.missing.count));
            let advice = "These are the originals: nobody has them after a restore. See what the file backup leaves out.";
            findings.push(Finding::fail(Code::MediaMissing, what, advice).with(some(&self.missing)));
        }
        if self.wrong.count > 0 {
            let what = format!("{} have another size in the file backup", of(self.wrong.count));
            let advice = "Cut off while they were copied, or damaged. Compare with the running instance and copy them again.";
            findings.push(Finding::fail(Code::MediaSize, what, advice).with(some(&self.wrong)));
        }
        if self.newer.count > 0 {
            let what = format!("{} are newer than the file backup", of(self.newer.count));
            let advice = "Nothing to do. Make the dump before the files are copied, and there are none.";
            findings.push(Finding::info(Code::MediaNewer, what, advice).with(some(&self.newer)));
        }
        findings
    }

    /// `1 uploads and 52 remote copies named, 53 found`.
    pub fn sentence(&self) -> String {
        format!("{} uploads and {} remote copies named, {} found", self.local, self.remote, self.found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::look::DirectoryTree;
    use proptest::prelude::*;
    use std::{fs, path::Path};

    proptest! {
        #[test]
        fn a_partition_holds_the_id(id in any::<u64>().prop_map(|n| n % 1_000_000_000_000_000_000)) {
            let parts = partition(id);
            let digits: String = parts.split('/').collect();
            prop_assert_eq!(digits.parse::<u64>().unwrap(), id);
            prop_assert!(parts.split('/').all(|p| p.len() == 3));
            prop_assert_eq!(digits.len(), if id < 1_000_000_000 { 9 } else { 18 });
        }
    }

    fn file(name: &str, is_local: bool, stored: &str) -> MediaFile {
        let stored = Some(stored.parse().unwrap());
        MediaFile { path: name.to_owned(), size: Some(3), is_local, stored }
    }

    fn codes(place: &Path, env: &str, files: &[MediaFile]) -> Vec<Code> {
        let finished = Stamp::of("2026-11-23T04:00:00Z".parse().unwrap());
        let tree = DirectoryTree::new(fs::File::open(place).unwrap().into(), Some(finished));
        let dumped = Some("2026-11-23T03:00:00Z".parse().unwrap());
        let mut check = MediaCheck::new(&tree, "system".to_owned(), &Env::parse(env), dumped);
        for file in files {
            check.look_up(file);
        }
        check.findings().into_iter().map(|f| f.code).collect()
    }

    #[test]
    fn missing_short_and_newer_are_different_words() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("system")).unwrap();
        fs::write(place.path().join("system/a"), "abc").unwrap();
        fs::write(place.path().join("system/short"), "a").unwrap();
        let (old, new) = ("2026-11-22T00:00:00Z", "2026-11-23T05:00:00Z");
        let of = |files: &[MediaFile]| codes(place.path(), "", files);
        assert_eq!(of(&[file("a", true, old)]), []);
        assert_eq!(of(&[file("b", true, old)]), [Code::MediaMissing]);
        assert_eq!(of(&[file("short", true, old)]), [Code::MediaSize]);
        assert_eq!(of(&[file("b", true, new)]), [Code::MediaNewer]);
        assert_eq!(of(&[file("b", false, old)]), [], "the cache may be left out");
        assert_eq!(codes(place.path(), "S3_ENABLED=true", &[file("b", true, old)]), [Code::MediaElsewhere]);
    }
}

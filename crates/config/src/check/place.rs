//! Where a backup is: the keys of each kind, and how it is opened.

use super::reach::{is_elsewhere, objection, pulled, reach};
use crate::{
    mistake::Mistake,
    read::{At, Fields, Reader},
    tree::Kind,
};
use mastmaint_words::backup::{Borg, Decrypt, Place, Restic};
use std::path::PathBuf;

pub(crate) const DECRYPT: &[&str] = &["gpg", "age", "passphrase_file"];

/// The kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BackupKind {
    Rsnapshot,
    Tree,
    Tar,
    Postgres,
    Redis,
    Restic,
    Borg,
    Pulled,
}

const OF_FILES: &str = "only file backups (rsnapshot, tree, tar, restic, borg) have paths in them";

const OF_SENDER: &str =
    "what is in it, and whether it is whole, is said and looked at on the host that sends it";

impl BackupKind {
    pub(super) const ALL: [(&'static str, Self); 8] = [
        ("rsnapshot", Self::Rsnapshot),
        ("tree", Self::Tree),
        ("tar", Self::Tar),
        ("postgres", Self::Postgres),
        ("redis", Self::Redis),
        ("restic", Self::Restic),
        ("borg", Self::Borg),
        ("pulled", Self::Pulled),
    ];

    /// The key that says where one is.
    const fn key(self) -> &'static str {
        match self {
            Self::Rsnapshot => "config",
            Self::Restic | Self::Borg => "repository",
            Self::Pulled => "from",
            _ => "path",
        }
    }

    const fn help(self) -> &'static str {
        match self {
            Self::Rsnapshot => "name its configuration, like /etc/rsnapshot.conf",
            Self::Tree => "name its directory",
            Self::Restic | Self::Borg => {
                "name its directory on this host, like /backup/repository, or a place like sftp:backup@host:/srv/repository"
            }
            Self::Pulled => "say who sends it, like ssh://root@backup.example/nightly-files",
            _ => "name its files; the last part may have * and ?, like /backup/mastodon-*.dump",
        }
    }

    /// Whether this kind has a use for a key, and why others have none.
    fn uses(self, key: &str) -> (bool, &'static str) {
        use BackupKind::{Borg, Postgres, Pulled, Redis, Restic, Rsnapshot, Tar};
        let is = |kinds: &[Self]| kinds.contains(&self);
        match key {
            "config" => (is(&[Rsnapshot]), "only rsnapshot has a configuration"),
            "from" => (is(&[Pulled]), "only a backup that another host sends comes from there"),
            "path" if is(&[Pulled]) => {
                (false, "where it is the other host knows, and who that is says `from`")
            }
            "path" if is(&[Restic, Borg]) => (false, "where a repository is says `repository`"),
            "path" => (!is(&[Rsnapshot]), "rsnapshot says itself where its generations are"),
            "repository" => (is(&[Restic, Borg]), "only restic and borg have a repository"),
            "password_file" => (is(&[Restic, Borg]), "only repositories of restic and borg have a password"),
            "key_file" => (is(&[Borg]), "only borg keeps keys outside of its repositories"),
            "archives" => (is(&[Borg]), "only borg gives names to its archives"),
            "ssh_key" | "known_hosts" => {
                (is(&[Restic, Borg, Pulled]), "only what lies on another host is reached by it")
            }
            "environment_file" => {
                (is(&[Restic, Borg]), "only a repository over the network is reached by it")
            }
            _ if is(&[Pulled]) && key != "max_age" => (false, OF_SENDER),
            "host" | "tags" => (is(&[Restic]), "only snapshots of restic have a host and tags"),
            "drill" => (is(&[Postgres]), "only a dump of PostgreSQL is brought to life"),
            "files" => (is(&[Postgres]), "only a dump of PostgreSQL belongs to a file backup"),
            "in" => (is(&[Postgres, Redis]), "only a dump lies in another backup"),
            "decrypt" => (
                is(&[Tar, Postgres, Redis]),
                "only archives and dumps are decrypted; restic and borg do it themselves, with `password_file`",
            ),
            "budget" | "prove_every" | "wait" => (true, ""),
            _ => (!is(&[Postgres, Redis]), OF_FILES),
        }
    }
}

/// Keys that this kind has no use for.
pub(super) fn misplaced(reader: &mut Reader, f: &Fields<'_>, kind: BackupKind) {
    let keys = [
        "config",
        "from",
        "path",
        "repository",
        "password_file",
        "key_file",
        "archives",
        "host",
        "tags",
        "in",
        "decrypt",
        "ssh_key",
        "known_hosts",
        "environment_file",
    ];
    let others = ["require", "forbid", "live", "files", "drill", "budget", "prove_every", "wait"];
    for key in keys.into_iter().chain(others) {
        let (has_use, why) = kind.uses(key);
        if f.get(key).is_some() && !has_use {
            reader.wrong(f.key_place(key), &f.path_of(key), Mistake::Misplaced { why });
        }
    }
}

/// Where it is. A dump in another backup has a path there, which may be written as one from the root.
pub(super) fn place(reader: &mut Reader, f: &Fields<'_>, kind: BackupKind, is_inside: bool) -> Option<Place> {
    let key = kind.key();
    if f.get(key).is_none() {
        reader.wrong(f.place, &f.path, Mistake::MissingKey { key, help: kind.help() });
    }
    if kind == BackupKind::Pulled {
        return pulled(reader, f);
    }
    if matches!(kind, BackupKind::Restic | BackupKind::Borg) {
        let repository = repository(reader, f, kind);
        return if kind == BackupKind::Restic {
            restic(reader, f, repository)
        } else {
            borg(reader, f, repository)
        };
    }
    let given = if is_inside { reader.text(f, key, "a path") } else { absolute(reader, f, key, kind.help()) };
    let path = given.and_then(|given| path_of(reader, f, kind, is_inside, given))?;
    Some(match kind {
        BackupKind::Rsnapshot => Place::Rsnapshot { config: path },
        BackupKind::Tar => Place::Tar { path },
        BackupKind::Postgres => Place::Postgres { path },
        BackupKind::Redis => Place::Redis { path },
        _ => Place::Tree { path },
    })
}

/// A directory on this host, or a place on another.
fn repository(reader: &mut Reader, f: &Fields<'_>, kind: BackupKind) -> Option<String> {
    let given = reader.text(f, "repository", "a repository")?;
    if given.value.starts_with('/') {
        return path_of(reader, f, kind, false, given).map(|path| path.display().to_string());
    }
    let mistake = match objection(&given.value) {
        _ if !is_elsewhere(kind, &given.value) => {
            Mistake::RelativePath { given: given.value, help: kind.help().to_owned() }
        }
        Some(why) => Mistake::BadName { why: why.to_owned() },
        None => return Some(given.value),
    };
    reader.wrong(given.place, &f.path_of("repository"), mistake);
    None
}

/// A path, whose last part may be a pattern where files are of one kind.
fn path_of(
    reader: &mut Reader,
    f: &Fields<'_>,
    kind: BackupKind,
    is_inside: bool,
    given: At<String>,
) -> Option<PathBuf> {
    let is_one_of_many = matches!(kind, BackupKind::Tar | BackupKind::Postgres | BackupKind::Redis);
    let is_pattern = |part: &str| part.contains(['*', '?']);
    let (above, last) = given.value.trim_end_matches('/').rsplit_once('/').unwrap_or(("", &given.value));
    let why = match () {
        () if is_pattern(above) || (is_pattern(last) && !is_one_of_many) => {
            "* and ? stand in the last part only, of kinds tar, postgres and redis".to_owned()
        }
        () if is_inside && given.value.split('/').any(|part| part == "..") => {
            format!("{:?} is no path in a backup", given.value)
        }
        () => return Some(given.value.into()),
    };
    reader.wrong(given.place, &f.path_of(kind.key()), Mistake::BadName { why });
    None
}

const PASSWORD: &str = "name a file with the password and nothing else in it, readable by root only";

fn restic(reader: &mut Reader, f: &Fields<'_>, repository: Option<String>) -> Option<Place> {
    if f.get("password_file").is_none() {
        reader.wrong(f.place, &f.path, Mistake::MissingKey { key: "password_file", help: PASSWORD });
    }
    let password = absolute(reader, f, "password_file", PASSWORD);
    let host = reader.text(f, "host", "the name of a host").map(|at| at.value);
    let tags = match f.get("tags").map(|node| (node, &node.kind)) {
        None => Vec::new(),
        Some((_, Kind::Seq(items))) => {
            super::command::list(reader, items, &f.path_of("tags")).unwrap_or_default()
        }
        Some((node, _)) => {
            let mistake = Mistake::WrongType { wanted: "a list of tags", found: node.kind_name() };
            reader.wrong(node.place, &f.path_of("tags"), mistake);
            Vec::new()
        }
    };
    let reach = reach(reader, f, repository.as_deref());
    let repository = repository?;
    Some(Place::Restic(Restic { repository, password_file: password?.value.into(), host, tags, reach }))
}

fn borg(reader: &mut Reader, f: &Fields<'_>, repository: Option<String>) -> Option<Place> {
    let password = absolute(reader, f, "password_file", PASSWORD);
    let key =
        absolute(reader, f, "key_file", "name the file of the key, like /root/.config/borg/keys/backup");
    let archives = reader.text(f, "archives", "names of archives, like mastodon-*");
    let reach = reach(reader, f, repository.as_deref());
    Some(Place::Borg(Borg {
        repository: repository?,
        password_file: password.map(|at| at.value.into()),
        key_file: key.map(|at| at.value.into()),
        archives: archives.map(|at| at.value),
        reach,
    }))
}

pub(super) fn absolute(
    reader: &mut Reader,
    f: &Fields<'_>,
    key: &str,
    help: &'static str,
) -> Option<At<String>> {
    let given = reader.text(f, key, "a whole path")?;
    if given.value.starts_with('/') {
        return Some(given);
    }
    let mistake = Mistake::RelativePath { given: given.value, help: help.to_owned() };
    reader.wrong(given.place, &f.path_of(key), mistake);
    None
}

/// How it is decrypted.
pub(super) fn decrypt(reader: &mut Reader, f: &Fields<'_>) -> Option<Decrypt> {
    let node = f.get("decrypt")?;
    let f = reader.fields(
        node,
        &f.path_of("decrypt"),
        "a map, like {gpg: /etc/mastmaintd/backup.asc}",
        DECRYPT,
    )?;
    let gpg = absolute(reader, &f, "gpg", "name the file of the secret key");
    let age = absolute(reader, &f, "age", "name the file of the identity");
    let passphrase = absolute(reader, &f, "passphrase_file", "name the file of the passphrase");
    if f.get("gpg").is_none() && f.get("age").is_none() && f.get("passphrase_file").is_none() {
        let help = "name the file of the secret key; age: and passphrase_file: are there too";
        reader.wrong(node.place, &f.path, Mistake::MissingKey { key: "gpg", help });
    }
    if f.get("age").is_some() {
        for key in ["gpg", "passphrase_file"] {
            if f.get(key).is_some() {
                let why = "a backup is encrypted by age, with its key, or by gpg";
                reader.wrong(f.key_place(key), &f.path_of(key), Mistake::Misplaced { why });
            }
        }
        return Some(Decrypt::Age { key: age?.value.into() });
    }
    let path = |at: At<String>| PathBuf::from(at.value);
    Some(Decrypt::Gpg { key: gpg.map(path), passphrase: passphrase.map(path) })
}

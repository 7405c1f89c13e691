//! What lies on other hosts: how it is written, how it is reached, and where its keys lie.

use super::place::{BackupKind, absolute};
use crate::{
    mistake::Mistake,
    read::{Fields, Reader},
    tree::Kind,
};
use mastmaint_words::backup::{Budget, Decrypt, Place, Pulled, REMOTE_KEYS, Reach, Sender, UnknownSender};
use std::path::{Path, PathBuf};

/// Ways over the network that restic knows; rclone would start a program of its own.
const RESTIC_WAYS: [&str; 7] = ["sftp:", "rest:", "s3:", "b2:", "azure:", "gs:", "swift:"];
const KEY_FILES: [&str; 5] = ["password_file", "key_file", "ssh_key", "known_hosts", "environment_file"];

/// Whether it is a place on another host, written as restic or borg want it.
pub(super) fn is_elsewhere(kind: BackupKind, text: &str) -> bool {
    match kind {
        BackupKind::Restic => RESTIC_WAYS.iter().any(|way| text.starts_with(way)),
        _ => text.starts_with("ssh://") || text.split_once(':').is_some_and(|(host, _)| host.contains('@')),
    }
}

/// Why nobody should go there as it is written.
pub(super) fn objection(text: &str) -> Option<&'static str> {
    let host = match text.split_once("://") {
        Some((_, rest)) => rest.split('/').next().unwrap_or_default(),
        // `sftp:USER@HOST:PATH` and `USER@HOST:PATH`.
        None => text.strip_prefix("sftp:").unwrap_or(text).split(':').next().unwrap_or_default(),
    };
    if host.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
        return Some(
            "a password stands in it; write it without, and RESTIC_REST_USERNAME and RESTIC_REST_PASSWORD (restic before 0.16: RESTIC_REPOSITORY with the password) into the file of `environment_file`",
        );
    }
    let name = host.rsplit_once('@').map_or(host, |(_, name)| name);
    (host.starts_with('-') || name.starts_with('-')).then_some("no host has a name that begins with a hyphen")
}

/// How it is reached over the network, and whether its keys lie where the room gets them.
pub(super) fn reach(reader: &mut Reader, f: &Fields<'_>, repository: Option<&str>) -> Reach {
    let mut file = |key: &str, help| absolute(reader, f, key, help).map(|at| PathBuf::from(at.value));
    let reach = Reach {
        ssh_key: file("ssh_key", "name the file of the key, without a passphrase"),
        known_hosts: file("known_hosts", "name the file that ssh-keyscan made"),
        environment_file: file("environment_file", "name a file of lines NAME=VALUE"),
    };
    let Some(repository) = repository else { return reach };
    let is_remote = !repository.starts_with('/');
    for key in KEY_FILES {
        let Some(node) = f.get(key) else { continue };
        let Kind::Text(given) = &node.kind else { continue };
        if !is_remote && !matches!(key, "password_file" | "key_file") {
            let why = "the repository lies on this host";
            reader.wrong(f.key_place(key), &f.path_of(key), Mistake::Misplaced { why });
        } else if is_remote && given.starts_with('/') && !is_handed_over(Path::new(given)) {
            reader.odd(node.place, &f.path_of(key), Mistake::KeyElsewhere { given: given.clone() });
        }
    }
    reach
}

/// Who sends a backup, and how that host is reached: the room has no home in which ssh would find anything by itself.
pub(super) fn pulled(reader: &mut Reader, f: &Fields<'_>) -> Option<Place> {
    let given = reader.text(f, "from", "who sends it, like ssh://root@backup.example/nightly-files");
    let from = given.and_then(|given| {
        let why = |error: UnknownSender| format!("{:?} {error}", given.value);
        let from = given.value.parse::<Sender>().map_err(why);
        let wrong = |why| reader.wrong(given.place, &f.path_of("from"), Mistake::BadName { why });
        from.map_err(wrong).ok()
    });
    let mut file = |key: &'static str, help: &'static str| {
        if f.get(key).is_none() {
            reader.wrong(f.place, &f.path, Mistake::MissingKey { key, help });
        }
        let at = absolute(reader, f, key, help)?;
        if !is_handed_over(Path::new(&at.value)) {
            reader.odd(at.place, &f.path_of(key), Mistake::KeyElsewhere { given: at.value.clone() });
        }
        Some(PathBuf::from(at.value))
    };
    let ssh_key = file("ssh_key", "name the file of the key, without a passphrase");
    let known_hosts = file("known_hosts", "name the file that ssh-keyscan made");
    Some(Place::Pulled(Pulled { from: from?, ssh_key: ssh_key?, known_hosts: known_hosts? }))
}

/// What every night fetches costs money or somebody's patience: nobody gets it by default.
pub(super) fn budgeted(reader: &mut Reader, f: &Fields<'_>, place: &Place, budget: &Budget) {
    if place.is_remote() && budget.bytes.is_none() {
        let help = "say what a night may fetch from the other host, like `budget: {bytes: 5 GB}`";
        reader.wrong(f.place, &f.path, Mistake::MissingKey { key: "budget.bytes", help });
    }
}

/// Keys by which a dump in a repository on another host is decrypted go with it.
pub(super) fn keys_of_decrypt(decrypt: &Decrypt) -> Option<&Path> {
    let keys = match decrypt {
        Decrypt::Age { key } => [Some(key), None],
        Decrypt::Gpg { key, passphrase } => [key.as_ref(), passphrase.as_ref()],
    };
    keys.into_iter().flatten().map(PathBuf::as_path).find(|key| !is_handed_over(key))
}

/// systemd hands over the files of one directory, and nothing below it.
fn is_handed_over(key: &Path) -> bool {
    key.parent() == Some(Path::new(REMOTE_KEYS))
}

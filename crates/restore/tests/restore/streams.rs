//! Archives, repositories, and what another host sends.

use crate::common::{Host, content, is_root, read, site, write};
use mastmaint_restore::{Did, RestoreError, prepare, receive, send, switch};
use mastmaint_words::restore::Phase;
use std::{
    fs::{self, File},
    io::Cursor,
    os::unix::fs::MetadataExt as _,
    path::Path,
    process::Command,
};
use tar::{Builder, EntryType, Header};

const GONE: &str = "public/system/media_attachments/files/001/original/gone.png";
const BOTH: &str = "public/system/media_attachments/files/001/original/both.png";

fn of_kind(host: &mut Host, place: &str) {
    host.order.backup.place = serde_json::from_str(place).unwrap();
}

fn run(command: &mut Command) {
    let done = command.output().unwrap();
    assert!(done.status.success(), "{command:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// The tree backup as an archive.
fn archived(options: &[&str]) -> Host {
    let mut host = Host::unverified();
    let archive = host.path("archives/files.tar");
    fs::create_dir(archive.parent().unwrap()).unwrap();
    run(Command::new("tar")
        .args(options)
        .arg("-cf")
        .arg(&archive)
        .arg("-C")
        .arg(host.path("backup"))
        .arg("home"));
    let place = format!(r#"{{"kind":"tar","path":"{}"}}"#, archive.with_file_name("*.tar").display());
    of_kind(&mut host, &place);
    host
}

/// What must be there after a switch, whatever it came from.
fn is_restored(host: &Host) {
    assert_eq!(host.journal().phase, Phase::Switched);
    assert_eq!(read(host.live("app/models/account.rb")), "class Account; end\n");
    assert_eq!(read(host.live("config/a name\nwith a newline")), "odd");
    assert_eq!((read(host.live(GONE)), read(host.live(BOTH))), ("gone today".into(), "today".into()));
    assert!(read(host.live(".env.production")).contains("SECRET_KEY_BASE=now"));
    assert!(!host.live("public/system/cache").exists());
    assert_eq!(fs::read_link(host.live("out")).unwrap(), Path::new("/etc/passwd"));
    assert_eq!(fs::metadata(host.live("bin/tootctl")).unwrap().mode() & 0o7777, 0o755);
    if is_root() {
        for path in ["", "app", "app/models/account.rb", GONE] {
            assert_eq!(fs::metadata(host.live(path)).unwrap().uid(), 1, "{path}");
        }
    }
    assert_eq!(read(host.beside("before").join("config/themes.yml")), "broken: true\n");
}

#[test]
fn an_archive_comes_back_as_a_tree_does() {
    for packed in ["", "--gzip", "--zstd", "--xz"] {
        let options: Vec<&str> = [packed].into_iter().filter(|o| !o.is_empty()).collect();
        let host = archived(&options);
        assert_eq!(host.asked(prepare).unwrap_err().code(), "not-proved", "{packed}");
        host.verify();
        assert_eq!(host.asked(prepare).unwrap(), Did::Done, "{packed}");
        let plan = host.journal().plan;
        assert!(plan.differs.iter().any(|d| d.contains("4.6 today, 4.5 in the backup")), "{plan:?}");
        assert!(plan.would_be_lost.iter().any(|l| l.contains("config/themes.yml")), "{plan:?}");
        assert!(plan.notes.iter().any(|n| n.contains("tmp.fifo")) && plan.added.files > 50, "{plan:?}");
        host.asked(switch).unwrap();
        is_restored(&host);
        let [a, b] =
            ["account", "same"].map(|n| fs::metadata(host.live(&format!("app/models/{n}.rb"))).unwrap());
        assert_eq!(a.ino(), b.ino(), "two names of one file stay that");
    }
}

#[test]
fn an_archive_that_rots_after_it_was_proved_is_not_switched_in() {
    let host = archived(&[]);
    host.verify();
    let path = host.path("archives/files.tar");
    let time = fs::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(18).position(|w| w == b"class Account; end").unwrap();
    bytes[at] = b'k';
    fs::write(&path, bytes).unwrap();
    File::open(&path).unwrap().set_modified(time).unwrap();
    let before = content(&host.live(""));
    assert_eq!(host.asked(prepare).unwrap_err().code(), "rot");
    assert!(content(&host.live("")) == before && !host.staged("").exists());
}

/// An archive with an instance and one entry that somebody has put into it.
fn hostile(add: impl FnOnce(&mut Builder<Vec<u8>>)) -> (Host, Result<Did, RestoreError>) {
    let mut host = Host::unverified();
    let mut tar = Builder::new(Vec::new());
    plain(&mut tar, "live/lib/mastodon/version.rb", b"def major\n 4\nend\ndef minor\n 5\nend\n");
    add(&mut tar);
    let archive = host.path("hostile.tar");
    fs::write(&archive, tar.into_inner().unwrap()).unwrap();
    of_kind(&mut host, &format!(r#"{{"kind":"tar","path":"{}"}}"#, archive.display()));
    (host.order.backup.live, host.order.unproved) = (Some("live".to_owned()), true);
    let prepared = host.asked(prepare);
    (host, prepared)
}

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_uid(u64::from(rustix::process::geteuid().as_raw()));
    header.set_gid(u64::from(rustix::process::getegid().as_raw()));
    header.set_mtime(1_700_000_000);
    header
}

/// An entry whose name is not looked at by who writes it.
fn raw(tar: &mut Builder<Vec<u8>>, name: &str, kind: EntryType, target: &str, content: &[u8]) {
    let mut header = header(kind, content.len() as u64);
    let old = header.as_gnu_mut().unwrap();
    old.name[..name.len()].copy_from_slice(name.as_bytes());
    old.linkname[..target.len()].copy_from_slice(target.as_bytes());
    header.set_cksum();
    tar.append(&header, content).unwrap();
}

fn plain(tar: &mut Builder<Vec<u8>>, name: &str, content: &[u8]) {
    raw(tar, name, EntryType::Regular, "", content);
}

#[test]
fn nothing_of_an_archive_is_written_outside_of_the_copy() {
    let outside = tempfile::tempdir().unwrap();
    let out = outside.path().display().to_string();
    let refused = |code: &str, name: &str, add: &dyn Fn(&mut Builder<Vec<u8>>)| {
        let (host, prepared) = hostile(add);
        let error = prepared.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(name), "{error}");
        assert!(!host.staged("").exists());
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0, "{name}");
        assert_eq!(read(host.live("config/themes.yml")), "broken: true\n");
    };
    refused("archive-leads-out", "live/../../escaped", &|tar| plain(tar, "live/../../escaped", b"x"));
    refused("archive-leads-out", "../escaped", &|tar| plain(tar, "../escaped", b"x"));
    refused("archive-absolute", "/absolute", &|tar| plain(tar, &format!("{out}/absolute"), b"x"));
    refused("archive-through-a-link", "planted", &|tar| {
        raw(tar, "live/planted", EntryType::Symlink, &out, b"");
        plain(tar, "live/planted/x", b"x");
    });
    refused("archive-through-a-link", "planted", &|tar| {
        raw(tar, "live/planted", EntryType::Symlink, &out, b"");
        raw(tar, "live/planted", EntryType::Directory, "", b"");
    });
    refused("archive-twice", "planted", &|tar| {
        raw(tar, "live/planted", EntryType::Symlink, &format!("{out}/x"), b"");
        plain(tar, "live/planted", b"x");
    });
    refused("archive-twice", "live/a", &|tar| {
        plain(tar, "live/a", b"x");
        plain(tar, "live/a", b"y");
    });
    refused("archive-link-out", "live/passwd", &|tar| {
        raw(tar, "live/passwd", EntryType::Link, "etc/passwd", b"");
    });
    refused("archive-link-out", "live/b", &|tar| {
        raw(tar, "live/a", EntryType::Symlink, "/etc/passwd", b"");
        raw(tar, "live/b", EntryType::Link, "live/a", b"");
    });
    refused("archive-link-out", "live/b", &|tar| raw(tar, "live/b", EntryType::Link, "live/not-there", b""));
    refused("no-mastodon", "hostile.tar", &|tar| raw(tar, "live", EntryType::Symlink, &out, b""));
}

#[test]
fn what_is_odd_and_harmless_comes_back() {
    let (host, prepared) = hostile(|tar| {
        raw(tar, "live/device", EntryType::Char, "", b"");
        plain(tar, "live/new\nline", b"newline");
        plain(tar, "elsewhere/x", b"not live");
        plain(tar, "live/setuid", b"s");
        let long = format!("live/{}/{}", "d".repeat(150), "f".repeat(200));
        tar.append_data(&mut header(EntryType::Regular, 4), long, &b"long"[..]).unwrap();
    });
    prepared.unwrap();
    host.asked(switch).unwrap();
    assert_eq!(read(host.live("new\nline")), "newline");
    assert_eq!(read(host.live(&format!("{}/{}", "d".repeat(150), "f".repeat(200)))), "long");
    assert!(!host.live("device").exists() && !host.live("elsewhere").exists());
    assert!(host.live("public/system").is_dir(), "today's have their place though the backup has none");
}

#[test]
fn holes_come_back_as_holes_or_not_at_all() {
    for (format, comes) in [("gnu", true), ("pax", false)] {
        let mut host = Host::unverified();
        let path = host.in_backup("holes");
        let file = File::create(&path).unwrap();
        file.set_len(3 << 20).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, b"end", (3 << 20) - 3).unwrap();
        let archive = host.path("sparse.tar");
        run(Command::new("tar")
            .args(["--sparse", "--format", format, "-cf"])
            .arg(&archive)
            .arg("-C")
            .arg(host.path("backup"))
            .arg("home"));
        of_kind(&mut host, &format!(r#"{{"kind":"tar","path":"{}"}}"#, archive.display()));
        host.order.unproved = true;
        let prepared = host.asked(prepare);
        if comes {
            prepared.unwrap();
            host.asked(switch).unwrap();
            assert!(fs::read(host.live("holes")).unwrap() == fs::read(&path).unwrap());
        } else {
            let error = prepared.unwrap_err();
            assert_eq!(error.code(), "archive-sparse", "{error}");
        }
    }
}

/// What a backup server sends.
fn sent(host: &Host) -> Vec<u8> {
    let mut out = Vec::new();
    let (state, proofs) = (host.path("other"), host.path("verify/proofs"));
    send(&site(&state, &proofs), &host.order, &mut out).unwrap();
    assert_eq!(fs::read_dir(state.join("restores")).unwrap().count(), 0, "nothing is left");
    out
}

/// On the host of the instance there are no proofs: they come with the names.
fn received(host: &Host, bytes: Vec<u8>) -> Result<Did, RestoreError> {
    let (state, proofs) = (host.path("state"), host.path("none/proofs"));
    receive(&site(&state, &proofs), &host.order, &mut Cursor::new(bytes))
}

#[test]
fn what_another_host_sends_comes_whole() {
    let host = Host::new();
    received(&host, sent(&host)).unwrap();
    let journal = host.journal();
    assert!(journal.plan.newest_proof.is_some() && journal.plan.sentence.contains("proved"), "{journal:?}");
    host.asked(switch).unwrap();
    is_restored(&host);
    let [here, there] = [host.live("app/models/same.rb"), host.in_backup("app/models/same.rb")]
        .map(|path| fs::metadata(path).unwrap());
    assert_eq!((here.mtime(), here.mtime_nsec()), (there.mtime(), there.mtime_nsec()));
}

#[test]
fn a_stream_that_is_cut_anywhere_is_refused() {
    let host = Host::new();
    let whole = sent(&host);
    let before = content(&host.live(""));
    let length = whole.len();
    let ends = (0..10).map(|n| length - 1 - n).chain((0..15).map(|n| length * n / 15)).chain([7, 15, 16, 17]);
    for end in ends {
        let error = received(&host, whole[..end].to_vec()).unwrap_err();
        assert_eq!(error.code(), "cut-short", "{end} of {length}: {error}");
        assert!(matches!(host.journal().phase, Phase::Refused { .. }));
        assert!(host.asked(switch).is_err() && !host.staged("").exists());
    }
    assert!(content(&host.live("")) == before);
    received(&host, whole).unwrap();
}

#[test]
fn what_comes_must_be_what_was_announced() {
    let host = Host::new();
    let mut bytes = sent(&host);
    let at = bytes.windows(18).position(|w| w == b"class Account; end").unwrap();
    bytes[at] = b'k';
    let error = received(&host, bytes).unwrap_err();
    assert_eq!(error.code(), "not-announced");
    assert!(error.to_string().contains("app/models/account.rb"), "{error}");
    let error = received(&host, b"ls: cannot access".to_vec()).unwrap_err();
    assert!(error.to_string().contains("mastmaintctl send"), "{error}");
    // What was written since it was proved is not sent at all.
    write(&host.in_backup("app/since.rb"), "x");
    let (state, proofs) = (host.path("other"), host.path("verify/proofs"));
    let mut out = Vec::new();
    let error = send(&site(&state, &proofs), &host.order, &mut out).unwrap_err();
    assert_eq!((error.code(), out.len()), ("not-proved", 0));
}

/// The same stream with other names before its content.
fn announced(whole: &[u8], change: impl FnOnce(&mut Vec<String>)) -> Vec<u8> {
    let length = usize::try_from(u64::from_le_bytes(whole[8..16].try_into().unwrap())).unwrap();
    let manifest = std::str::from_utf8(&whole[16..16 + length]).unwrap();
    let mut lines: Vec<String> = manifest.lines().map(str::to_owned).collect();
    change(&mut lines);
    let mut manifest = lines.join("\n");
    manifest.push('\n');
    [&whole[..8], &(manifest.len() as u64).to_le_bytes(), manifest.as_bytes(), &whole[16 + length..]].concat()
}

#[test]
fn another_host_that_lies_is_found_out_before_anything_is_written() {
    let mut host = Host::new();
    let whole = sent(&host);
    let refused = |host: &Host, code: &str, bytes: Vec<u8>| {
        let error = received(host, bytes).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        assert!(!host.staged("").exists());
        let kept = fs::read_dir(host.path("state/restores")).unwrap().map(|entry| entry.unwrap().path());
        assert!(kept.into_iter().all(|path| path.extension().is_none_or(|e| e != "sent")), "it is left");
        error.to_string()
    };
    // More than is listed, or less.
    let other = announced(&whole, |lines| lines[0] = lines[0].replace("\"files\":", "\"files\":9"));
    assert!(refused(&host, "not-announced", other).contains("another amount"));
    let other = announced(&whole, |lines| _ = lines.pop());
    assert!(refused(&host, "not-announced", other).contains("another amount"));
    // More than anybody has: neither the names nor the content are waited for.
    let endless = [&whole[..8], &(7_u64 << 30 << 10).to_le_bytes(), &whole[16..]].concat();
    refused(&host, "damaged", endless);
    let mut sum = 0;
    let other = announced(&whole, |lines| {
        let size = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["size"].as_u64();
        let large = lines.iter().position(|line| line.contains("app/models/account.rb")).unwrap();
        let before = size(&lines[large]).unwrap();
        lines[large] =
            lines[large].replace(&format!("\"size\":{before}"), &format!("\"size\":{}", 1_u64 << 60));
        let head: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        sum = head["amount"]["bytes"].as_u64().unwrap();
        let more = sum - before + (1 << 60);
        lines[0] = lines[0].replace(&format!("\"bytes\":{sum}"), &format!("\"bytes\":{more}"));
    });
    refused(&host, "no-space", other);
    // A line without an end, of a name or of the head.
    for at in [0, 3] {
        let other = announced(&whole, |lines| lines[at] = format!("{{\"path\":\"{}", "x".repeat(9 << 20)));
        refused(&host, "io", other);
    }
    // A name without an end, which would be taken in as a whole.
    let mut endless = Header::new_gnu();
    endless.set_entry_type(EntryType::GNULongName);
    endless.set_size(1 << 50);
    endless.set_cksum();
    let begins = 16 + usize::try_from(u64::from_le_bytes(whole[8..16].try_into().unwrap())).unwrap();
    let other = [&whole[..begins], &endless.as_bytes()[..], &vec![b'x'; 1 << 20]].concat();
    refused(&host, "damaged", other);
    // What a terminal would obey.
    let other = announced(&whole, |lines| {
        lines[0] = lines[0].replace("\"doubt\":null", "\"doubt\":\"\\u001b[2J nothing\\nspeaks for it\"");
    });
    let why = refused(&host, "not-proved", other);
    assert!(why.contains("\\u{1b}[2J nothing\\nspeaks for it") && !why.contains('\u{1b}'), "{why}");
    // Another state than the one that was chosen.
    host.order.snapshot = Some("daily.7".to_owned());
    assert!(refused(&host, "not-announced", whole.clone()).contains("another state"));
    host.order.snapshot = None;
    received(&host, whole).unwrap();
}

#[test]
fn what_is_called_proved_comes_with_its_hashes() {
    let mut host = Host::new();
    let whole = sent(&host);
    let without = |line: &mut String| {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value.as_object_mut().unwrap().remove("blake3").is_some(), "{line}");
        *line = value.to_string();
    };
    let bare = announced(&whole, |lines| {
        without(lines.iter_mut().find(|line| line.contains("app/models/account.rb")).unwrap());
    });
    // Its head says that all of it is proved.
    let error = received(&host, bare.clone()).unwrap_err();
    assert_eq!(error.code(), "not-proved", "{error}");
    assert!(
        error.to_string().contains("1 of its files come without a hash: app/models/account.rb"),
        "{error}"
    );
    assert!(!host.staged("").exists());
    // Nor does who sends it say when.
    let never = announced(&whole, |lines| {
        let mut head: serde_json::Value = serde_json::from_str(&lines[0]).unwrap();
        head["proved_at"] = serde_json::Value::Null;
        lines[0] = head.to_string();
    });
    assert_eq!(received(&host, never).unwrap_err().code(), "not-proved");
    // Whoever wants it so gets it, and it is not called proved.
    host.order.unproved = true;
    received(&host, bare).unwrap();
    let plan = host.journal().plan;
    assert!(plan.newest_proof.is_none() && plan.sentence.contains("not proved"), "{plan:?}");
    assert!(plan.notes.iter().any(|note| note == "without a proof: app/models/account.rb"), "{plan:?}");
}

#[test]
fn a_cache_that_does_not_come_is_told_before_the_switch() {
    const OF_SERVERS: &str = "public/system/cache, the copies of what lies on other servers";
    let lost = |host: &Host| {
        let plan = host.journal().plan;
        let told = plan.would_be_lost.into_iter().find(|lost| lost.starts_with(OF_SERVERS));
        assert_eq!(plan.cache_lost, told.is_some());
        told
    };
    // The sender has not heard what was asked for: `env_keep` is missing.
    let mut host = Host::new();
    let deaf = sent(&host);
    host.order.with_media = true;
    received(&host, deaf).unwrap();
    assert!(lost(&host).unwrap().contains("SSH_ORIGINAL_COMMAND"), "{:?}", lost(&host));
    // It has.
    let mut host = Host::new();
    host.order.with_media = true;
    received(&host, sent(&host)).unwrap();
    assert_eq!(lost(&host), None);
    host.asked(switch).unwrap();
    assert!(host.live("public/system/cache/accounts/avatars/1.png").exists());
    // The backup has none, as in the post-mortem; who sends it may be of a version that does not say what it heard.
    let mut host = Host::unverified();
    fs::remove_dir_all(host.in_backup("public/system/cache")).unwrap();
    host.verify();
    host.order.with_media = true;
    let older = announced(&sent(&host), |lines| {
        assert!(lines[0].contains("\"with_cache\":true"));
        lines[0] = lines[0].replace(",\"with_cache\":true", "");
    });
    received(&host, older).unwrap();
    assert!(lost(&host).unwrap().contains("not in the backup"));
    host.order.run = "20261126T200001Z-7k3f9q".parse().unwrap();
    host.asked(prepare).unwrap();
    assert!(lost(&host).unwrap().contains("not in the backup"));
    // Today's stays.
    let host = Host::new();
    received(&host, sent(&host)).unwrap();
    assert_eq!(lost(&host), None);
}

fn is_installed(program: &str) -> bool {
    Path::new("/usr/bin").join(program).exists()
}

#[test]
fn a_snapshot_of_restic_comes_back() {
    if !is_installed("restic") {
        return;
    }
    let mut host = Host::unverified();
    fs::write(host.path("password"), "secret").unwrap();
    let restic = |words: &[&str]| {
        let mut command = Command::new("restic");
        command
            .args(words)
            .env("RESTIC_REPOSITORY", host.path("repository"))
            .env("RESTIC_PASSWORD_FILE", host.path("password"));
        run(command.env("HOME", host.path("")));
    };
    restic(&["init", "-q"]);
    // It keeps whole paths.
    restic(&["backup", "-q", host.in_backup("").to_str().unwrap()]);
    let place = format!(
        r#"{{"kind":"restic","repository":"{}","password_file":"{}"}}"#,
        host.path("repository").display(),
        host.path("password").display()
    );
    let live = host.in_backup("").display().to_string();
    of_kind(&mut host, &place);
    host.order.backup.live = Some(live);
    host.verify();
    host.asked(prepare).unwrap();
    host.asked(switch).unwrap();
    is_restored(&host);
}

#[test]
fn an_archive_of_borg_comes_back() {
    if !is_installed("borg") {
        return;
    }
    let mut host = Host::unverified();
    let borg = |words: &[&str]| {
        let mut command = Command::new("borg");
        command.args(words).env("BORG_BASE_DIR", host.path("")).env("BORG_PASSPHRASE", "");
        run(command
            .env("BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK", "yes")
            .current_dir(host.path("backup")));
    };
    let repository = host.path("repository").display().to_string();
    borg(&["init", "-e", "none", &repository]);
    borg(&["create", &format!("{repository}::first"), "home"]);
    of_kind(&mut host, &format!(r#"{{"kind":"borg","repository":"{repository}"}}"#));
    host.verify();
    host.order.snapshot = Some("second".to_owned());
    assert_eq!(host.asked(prepare).unwrap_err().code(), "no-generation");
    host.order.snapshot = Some("first".to_owned());
    host.asked(prepare).unwrap();
    host.asked(switch).unwrap();
    is_restored(&host);
}

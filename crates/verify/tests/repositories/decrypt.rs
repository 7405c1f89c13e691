//! Encrypted dumps and archives: gpg and age decrypt them while they are read.

use super::{Case, common, fixture, has, run, told};
use common::{cut, flip, write};
use mastmaint_verify::{Code, Decrypt, Place};
use std::{
    fs,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::OnceLock,
};
use tempfile::TempDir;

fn gpg(at: &Path, words: &[&str]) {
    let home = at.join("gnupg").display().to_string();
    let mut all = vec![
        "gpg",
        "--batch",
        "--homedir",
        &home,
        "--trust-model",
        "always",
        "--pinentry-mode",
        "loopback",
        "--passphrase",
        "",
    ];
    all.extend(words);
    run(at, &[], &all);
}

/// Keys of both programs, and dumps encrypted for the first of each.
fn made() -> &'static Path {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    let place = MADE.get_or_init(|| {
        // Sockets of gpg need a short path.
        let place = tempfile::tempdir_in("/tmp").unwrap();
        let at = place.path();
        fs::DirBuilder::new().mode(0o700).create(at.join("gnupg")).unwrap();
        for name in ["one", "two"] {
            gpg(at, &["--quick-gen-key", &format!("{name}@mast.test"), "future-default", "default", "never"]);
            let key = at.join(format!("{name}.asc")).display().to_string();
            gpg(at, &["--armor", "--output", &key, "--export-secret-keys", &format!("{name}@mast.test")]);
            if has("age") {
                run(at, &[], &["age-keygen", "-o", &format!("{name}.age-key")]);
            }
        }
        for (dump, name) in [
            ("mastodon.sql.gz", "sql.gz"),
            ("mastodon-pg15.dump", "dump"),
            ("system.tar.gz", "tar.gz"),
            ("dump.rdb", "rdb"),
        ] {
            let from = fixture(dump).display().to_string();
            gpg(
                at,
                &["--recipient", "one@mast.test", "--output", &format!("{name}.gpg"), "--encrypt", &from],
            );
            if has("age") {
                let key = fs::read_to_string(at.join("one.age-key")).unwrap();
                let to = key.lines().find_map(|l| l.strip_prefix("# public key: ")).unwrap().to_owned();
                run(at, &[], &["age", "-r", &to, "-o", &format!("{name}.age"), &from]);
            }
        }
        write(&at.join("passphrase"), "correct horse\n");
        gpg(
            at,
            &[
                "--passphrase-file",
                "passphrase",
                "--output",
                "sql.gz.sym",
                "--symmetric",
                &fixture("mastodon.sql.gz").display().to_string(),
            ],
        );
        run(at, &[], &["gpgconf", "--homedir", &at.join("gnupg").display().to_string(), "--kill", "all"]);
        place
    });
    place.path()
}

fn by_gpg(key: &str) -> Decrypt {
    Decrypt::Gpg { key: Some(made().join(key)), passphrase: None }
}

fn by_age(key: &str) -> Decrypt {
    Decrypt::Age { key: made().join(key) }
}

/// A place with one encrypted file in it, and the findings about it.
struct Sealed {
    place: TempDir,
    path: PathBuf,
}

impl Sealed {
    fn of(name: &str) -> Self {
        let place = tempfile::tempdir_in("/tmp").unwrap();
        let path = place.path().join("dumps").join(name);
        write(&path, fs::read(made().join(name)).unwrap());
        Self { place, path }
    }

    fn codes(&self, how: Option<Decrypt>) -> Vec<Code> {
        let path = self.path.clone();
        let kind = match self.path.to_string_lossy() {
            name if name.contains("tar.gz") => Place::Tar { path },
            name if name.contains("rdb") => Place::Redis { path },
            _ => Place::Postgres { path },
        };
        let mut case = Case::new(self.place.path(), kind);
        case.backup.decrypt = how;
        let report = case.verify();
        assert!(!format!("{report:?}").contains("AGE-SECRET"));
        // Nothing of a key, and nothing decrypted, is left behind.
        let left = super::files_below(self.place.path());
        assert!(left.iter().all(|p| !p.starts_with(self.place.path().join("scratch"))), "{left:?}");
        told(&report)
    }
}

#[test]
fn what_is_encrypted_is_read_as_if_it_were_not() {
    let with_archives = mastmaint_verify::dump::Restorer::find().is_some();
    for (program, how) in [("gpg", by_gpg("one.asc")), ("age", by_age("one.age-key"))] {
        if !has(program) {
            continue;
        }
        for kind in ["sql.gz", "dump", "tar.gz", "rdb"] {
            if kind != "dump" || with_archives {
                let codes = Sealed::of(&format!("{kind}.{program}")).codes(Some(how.clone()));
                assert_eq!(codes, [], "{kind} by {program}");
            }
        }
    }
    let how = Decrypt::Gpg { key: None, passphrase: Some(made().join("passphrase")) };
    assert_eq!(Sealed::of("sql.gz.sym").codes(Some(how)), []);
}

#[test]
fn a_wrong_key_a_cut_and_a_flipped_bit_have_their_words() {
    for (program, right, wrong) in
        [("gpg", by_gpg("one.asc"), by_gpg("two.asc")), ("age", by_age("one.age-key"), by_age("two.age-key"))]
    {
        if !has(program) {
            continue;
        }
        let name = format!("sql.gz.{program}");
        assert_eq!(
            Sealed::of(&name).codes(Some(wrong)),
            [Code::WrongKey],
            "another key than it was encrypted with, {program}"
        );
        assert_eq!(
            Sealed::of(&name).codes(None),
            [Code::NotChecked],
            "encrypted, and no key given: {program}"
        );
        for share in [30, 60, 95] {
            let sealed = Sealed::of(&name);
            cut(&sealed.path, share);
            // An encrypted dump cut at three places.
            let code = if program == "gpg" { Code::CutShort } else { Code::Damaged };
            assert_eq!(sealed.codes(Some(right.clone())), [code], "{program} cut at {share} %");
        }
        let sealed = Sealed::of(&name);
        flip(&sealed.path);
        assert_eq!(
            sealed.codes(Some(right.clone())),
            [Code::Damaged],
            "a flipped bit in an encrypted dump, {program}"
        );
        let sealed = Sealed::of(&name);
        fs::copy(fixture("mastodon.sql.gz"), &sealed.path).unwrap();
        assert_eq!(
            sealed.codes(Some(right.clone())),
            [Code::NotEncrypted],
            "a dump that should be encrypted and is not, {program}"
        );
        let sealed = Sealed::of(&name);
        fs::write(&sealed.path, "").unwrap();
        assert_eq!(sealed.codes(Some(right)), [Code::NotADump], "{program}: empty");
    }
    if has("age") {
        assert_eq!(
            Sealed::of("sql.gz.age").codes(Some(by_gpg("one.asc"))),
            [Code::WrongKey],
            "by the other program"
        );
        let sealed = Sealed::of("sql.gz.age");
        fs::copy(made().join("rdb.age"), &sealed.path).unwrap();
        assert_eq!(sealed.codes(Some(by_age("one.age-key"))), [Code::NotADump], "another thing, decrypted");
    }
    let wrong = Decrypt::Gpg { key: None, passphrase: Some(made().join("one.asc")) };
    assert_eq!(Sealed::of("sql.gz.sym").codes(Some(wrong)), [Code::WrongKey], "a wrong passphrase");
}

#[test]
fn a_key_that_is_none_is_told_before_anything_is_read() {
    assert_eq!(Sealed::of("sql.gz.gpg").codes(Some(by_gpg("passphrase"))), [Code::WrongKey]);
    assert_eq!(Sealed::of("sql.gz.gpg").codes(Some(by_gpg("none"))), [Code::WrongKey]);
    if has("age") {
        assert_eq!(Sealed::of("sql.gz.age").codes(Some(by_age("passphrase"))), [Code::WrongKey]);
        assert_eq!(Sealed::of("sql.gz.age").codes(Some(by_age("none"))), [Code::WrongKey]);
    }
}

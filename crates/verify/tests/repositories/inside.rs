//! Dumps that lie in another backup: read as a stream, and compared with the files beside them.

use super::{Case, borg, common, fixture, has, restic, run, source, told};
use common::write;
use mastmaint_verify::{Backup, Code, Place};
use std::{fs, path::Path};

/// The files of the instance, in each kind of backup.
fn holders(at: &Path) -> Vec<Backup> {
    let mut holders = Vec::new();
    let add = |holders: &mut Vec<Backup>, place: Place| {
        let live = Some("home/mastodon/live".to_owned());
        holders.push(Backup { live, ..common::of_files(place) });
    };
    add(&mut holders, Place::Tree { path: at.join("source") });
    run(&at.join("source"), &[], &["tar", "-czf", "../files.tar.gz", "home", "var"]);
    add(&mut holders, Place::Tar { path: at.join("files*.tar.gz") });
    fs::create_dir_all(at.join("snapshots/daily.0")).unwrap();
    run(at, &[], &["cp", "-a", "source", "snapshots/daily.0/mastodon"]);
    let root = at.display();
    let conf = format!(
        "config_version\t1.2\nsnapshot_root\t{root}/snapshots/\ncmd_rsync\t/usr/bin/rsync\nretain\tdaily\t7\n\
         lockfile\t{root}/rsnapshot.pid\nbackup\troot@mastodon:/\tmastodon/\n"
    );
    write(&at.join("rsnapshot.conf"), conf);
    add(&mut holders, Place::Rsnapshot { config: at.join("rsnapshot.conf") });
    write(&at.join("password"), "secret\n");
    if has("restic") {
        restic::call(at, &["init"]);
        restic::call(at, &["backup", "--host", "mastodon", "home", "var"]);
        add(&mut holders, Place::Restic(restic::place(at)));
    }
    if has("borg") {
        let at = at.join("borg");
        fs::create_dir(&at).unwrap();
        run(&at, &[], &["ln", "-s", "../source", "source"]);
        write(&at.join("password"), "secret\n");
        borg::call(&at, &["init", "-e", "repokey", &at.join("repository").display().to_string()]);
        borg::call(
            &at,
            &["create", &format!("{}::mastodon-1", at.join("repository").display()), "home", "var"],
        );
        add(&mut holders, Place::Borg(borg::place(&at)));
    }
    holders
}

fn case<'a>(at: &'a Path, of: Place, holder: &Backup) -> Case<'a> {
    let mut case = Case::new(at, of);
    case.backup.inside = Some("files".parse().unwrap());
    case.inside = Some(holder.clone());
    case
}

#[test]
fn a_dump_in_a_backup_is_read_and_fits_the_files_beside_it() {
    let place = common::place();
    let at = place.path();
    source(&at.join("source"));
    for holder in holders(at) {
        let kind = holder.place.kind();
        let mut case = case(at, Place::Postgres { path: "var/backups/mastodon-*".into() }, &holder);
        case.backup.files = Some("files".parse().unwrap());
        let report = case.verify();
        assert_eq!(told(&report), [], "{kind}: {report:#?}");
        let sentence = &report.sentence;
        assert!(sentence.contains("mastodon-1.sql.gz in "), "{kind}: {sentence}");
        assert!(sentence.contains("1 uploads and 52 remote copies named, 53 found"), "{kind}: {sentence}");
        case.backup.place = Place::Redis { path: "var/backups/dump.rdb".into() };
        case.backup.files = None;
        let report = case.verify();
        assert!(!told(&report).iter().any(|c| *c != Code::Shrunk), "{kind}: {report:#?}");
        case.backup.place = Place::Redis { path: "var/none/*.rdb".into() };
        assert_eq!(told(&case.verify()), [Code::NoBackup], "{kind}");
    }
}

#[test]
fn what_is_wrong_with_a_dump_is_found_wherever_it_lies() {
    let place = common::place();
    let at = place.path();
    source(&at.join("source"));
    let dumps = at.join("source/var/backups");
    let whole = fs::read(fixture("mastodon-pg15.dump")).unwrap();
    write(&dumps.join("cut.dump"), &whole[..whole.len() * 6 / 10]);
    write(&dumps.join("none.dump"), "pg_dump: error: connection to server failed");
    fs::remove_dir_all(at.join("source/home/mastodon/live/public/system/site_uploads")).ok();
    for holder in holders(at) {
        let kind = holder.place.kind();
        let codes = |pattern: &str| {
            let name = pattern.trim_matches('*').to_owned();
            let _ = fs::remove_dir_all(at.join("proofs"));
            let place = Place::Postgres { path: format!("var/backups/{name}").into() };
            told(&case(at, place, &holder).verify())
        };
        assert_eq!(codes("none.dump"), [Code::NotADump], "an error message in place of a dump, in {kind}");
        if mastmaint_verify::dump::Restorer::find().is_some() {
            assert_eq!(codes("cut.dump"), [Code::CutShort], "{kind}");
        }
    }
}

#[test]
fn without_the_other_backup_nothing_is_said_of_the_dump() {
    let place = common::place();
    let holder = common::of_files(Place::Tree { path: place.path().join("none") });
    let case = case(place.path(), Place::Postgres { path: "var/*.dump".into() }, &holder);
    assert_eq!(told(&case.verify()), [Code::NotChecked]);
}

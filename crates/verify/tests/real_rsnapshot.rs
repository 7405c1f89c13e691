//! rsnapshot itself makes the generations, and says itself which configurations it takes. `cargo xtask test` installs it.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare has failed")]
#![expect(clippy::print_stdout, reason = "a test that leaves something out says so")]

mod common;

use common::{codes, of_files, place, write};
use jiff::Timestamp;
use mastmaint_verify::{
    Backup, Code, Place, Report, Request,
    prove::Untold,
    rsnapshot::{NoteKind, read},
    verify,
};
use std::{fs, path::Path, process::Command, thread, time::Duration};

const PROGRAM: &str = "/usr/bin/rsnapshot";

fn is_here() -> bool {
    let is_here = Path::new(PROGRAM).exists();
    if !is_here {
        println!("left out: there is no {PROGRAM}");
    }
    is_here
}

fn configure(at: &Path, more: &str) {
    let text = format!(
        "config_version\t1.2\nsnapshot_root\t{0}/snapshots/\ncmd_cp\t/bin/cp\ncmd_rm\t/bin/rm\ncmd_rsync\t/usr/bin/rsync\n\
         retain\talpha\t3\nretain\tbeta\t2\nlockfile\t{0}/pid\nlogfile\t{0}/log\nverbose\t1\nloglevel\t3\n\
         backup\t{0}/source/\tlocalhost/\n{more}",
        at.display()
    );
    fs::write(at.join("rsnapshot.conf"), text).unwrap();
}

fn rsnapshot(at: &Path, word: &str) -> bool {
    let output = Command::new(PROGRAM).arg("-c").arg(at.join("rsnapshot.conf")).arg(word).output();
    output.unwrap().status.success()
}

fn verified(at: &Path) -> Report {
    let backup = Backup {
        max_age: Some("1h".parse().unwrap()),
        ..of_files(Place::Rsnapshot { config: at.join("rsnapshot.conf") })
    };
    let proofs = at.join("proofs");
    let request = Request {
        name: "real",
        backup: &backup,
        files: None,
        inside: None,
        scratch: Path::new("/nonexistent"),
        proofs: &proofs,
        drills: None,
        boots: None,
        full: true,
        now: Timestamp::now(),
    };
    verify(&request, &Untold).unwrap()
}

#[test]
fn what_rsnapshot_makes_is_clean_and_named() {
    if !is_here() {
        return;
    }
    for more in ["", "link_dest\t1\n", "sync_first\t1\n"] {
        let place = place();
        let at = place.path();
        (0..60).for_each(|n| write(&at.join(format!("source/{}/{n}", n % 5)), format!("content of {n}")));
        configure(at, more);
        for night in 0..4 {
            write(&at.join(format!("source/night{night}")), night.to_string());
            if more.starts_with("sync_first") {
                assert!(rsnapshot(at, "sync"), "{more}");
            }
            assert!(rsnapshot(at, "alpha"), "{more}");
            let report = verified(at);
            // Nights of some seconds differ so much on a busy machine that a full level seems to wait for the one above it.
            let said = codes(&report).into_iter().filter(|code| *code != Code::LevelNeverRan);
            assert_eq!(said.count(), 0, "{more:?}, night {night}: {report:#?}");
            assert_eq!(report.newest.unwrap().name, "alpha.0");
            // Generations are told apart by the second in which they were done.
            thread::sleep(Duration::from_millis(1100));
        }
        assert!(rsnapshot(at, "beta"), "{more}");
        let report = verified(at);
        assert_eq!(codes(&report), [], "{more:?}, after beta: {report:#?}");
        assert!(at.join("snapshots/beta.0").exists());
        // One file in all generations: one inode, one finding.
        let name = Command::new("find")
            .arg(at.join("snapshots"))
            .args(["-path", "*alpha.0*", "-name", "7"])
            .output()
            .unwrap();
        let name = String::from_utf8(name.stdout).unwrap();
        common::flip(Path::new(name.trim()));
        let report = verified(at);
        assert_eq!(codes(&report), [Code::Rot], "{more:?}");
        let paths = report.findings[0].evidence.iter().filter(|e| e.ends_with("/7")).count();
        assert_eq!(paths, 3, "alpha.0, alpha.1 and beta.0: {:?}", report.findings[0].evidence);
    }
}

#[test]
fn its_configtest_and_ours_agree() {
    if !is_here() {
        return;
    }
    let place = place();
    let at = place.path();
    fs::create_dir_all(at.join("source")).unwrap();
    fs::write(at.join("more.conf"), "retain\tgamma\t2\n").unwrap();
    fs::write(at.join("bad.conf"), "retain gamma 2\n").unwrap();
    let include = |name: &str| format!("include_conf\t{}\n", at.join(name).display());
    for line in [
        "",
        "retain\tgamma\t3\n",
        "retain gamma 3\n",
        "retain\tgamma 3\n",
        "retain\tgamma\tmany\n",
        "retain\tgamma\t0\n",
        "retain\tsync\t3\n",
        "interval\tgamma\t3\n",
        "retian\tgamma\t3\n",
        "exclude\t*.tmp\n",
        "exclude *.tmp\n",
        "sync_first\t1\n",
        "sync_first\tyes\n",
        "link_dest\t2\n",
        "# comment\n",
        "  \n",
        "backup\t/etc/\n",
        "backup\t/etc/\tetc/\n",
        "backup\t/etc/\n\tetc/\n",
        "config_version\t1.3\n",
        "lockfile\trelative\n",
        "use_lazy_deletes\t1\n",
        "nonsense\n",
        &include("more.conf"),
        &include("bad.conf"),
        &include("none.conf"),
    ] {
        configure(at, line);
        let notes = read(&at.join("rsnapshot.conf")).unwrap().notes;
        let ours = !notes.iter().any(|n| n.kind == NoteKind::Mistake);
        assert_eq!(rsnapshot(at, "configtest"), ours, "{line:?}: {notes:?}");
    }
}

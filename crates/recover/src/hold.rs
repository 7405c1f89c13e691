//! At boot, before anything is started: what a restore has left undecided systemd does not start by itself. Its units get
//! a condition for the time of this boot; who decides what becomes of them removes the file that it asks for.

use mastmaint_health::{Entry, Journal};
use mastmaint_runner::{
    bracket::{Brackets, Record, held},
    systemctl::{Systemctl, template_of},
};
use std::{
    collections::BTreeSet,
    fs, io,
    path::Path,
    process::{Command, Stdio},
};

/// Where systemd looks for what was written since the boot.
const DROP_INS: &str = "/run/systemd/system";
const SYSTEMCTL: &str = "/usr/bin/systemctl";

/// Holds back what must not be started; the exit status.
pub(crate) fn hold(state: &Path, journal: &Journal) -> Result<u8, String> {
    let boot = Systemctl::new(true).boot();
    let (records, _) = Brackets::list(state);
    let undecided: Vec<&Record> = records.iter().filter(|record| is_held(record, &boot)).collect();
    if undecided.is_empty() {
        return Ok(0);
    }
    for record in &undecided {
        write(record, Path::new(held::HELD), Path::new(DROP_INS))
            .map_err(|error| format!("{}: nothing keeps it from starting: {error}", record.job))?;
        let text = format!(
            "{}: run {} has left no set of code, database and secrets that was seen to belong together; systemd does not start \
             it at this boot before that is decided",
            record.job, record.run
        );
        journal.log(Entry::warning(text).job(&record.job).run(&record.run).of_unit("mastmaintd.service"));
    }
    reload()?;
    Ok(0)
}

/// Only what another boot has left: in this one nothing is started by itself any more.
fn is_held(record: &Record, boot: &str) -> bool {
    record.is_undecided() && !boot.is_empty() && record.boot != boot
}

/// The units of a record, and the templates that they are made of: an instance may be new.
fn units(record: &Record) -> BTreeSet<String> {
    let all = record.all_units();
    let templates = all.iter().filter_map(template_of);
    all.iter().map(mastmaint_words::UnitName::with_suffix).chain(templates).collect()
}

fn write(record: &Record, held: &Path, drop_ins: &Path) -> io::Result<()> {
    let file = held::file(held, &record.run);
    fs::create_dir_all(held)?;
    fs::write(&file, "")?;
    let text = format!(
        "# Written by mastmaintd at this boot: run {} has left no set of code, database and secrets that was seen to belong\n\
         # together. The file goes when that is decided; to start the unit before, remove it.\n\
         [Unit]\nConditionPathExists=!{}\n",
        record.run,
        file.display()
    );
    for unit in units(record) {
        let directory = drop_ins.join(format!("{unit}.d"));
        fs::create_dir_all(&directory)?;
        fs::write(directory.join(format!("99-mastmaintd-{}.conf", record.run)), &text)?;
    }
    Ok(())
}

fn reload() -> Result<(), String> {
    let mut command = Command::new(SYSTEMCTL);
    let done = command.args(["--no-pager", "daemon-reload"]).stdin(Stdio::null()).output();
    let done = done.map_err(|error| format!("{SYSTEMCTL}: {error}"))?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("systemctl daemon-reload: {}", String::from_utf8_lossy(&done.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(phase: &str) -> Record {
        let text = format!(
            r#"{{"run":"20261123T003000Z-7k3f9q","job":"restore","digest":"0123456789abcdef0123456789abcdef",
            "opened":"2026-11-23T00:30:00Z","boot":"1","must_match":true,"settle":"10s","phase":{phase},
            "services":[{{"unit":"mastodon-streaming@4000","before":"a"}}],"down":["mastodon-web"]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn only_what_another_boot_has_left_undecided_is_held() {
        let stopped = record(r#"{"is":"stopped"}"#);
        assert!(is_held(&stopped, "2") && !is_held(&stopped, "1") && !is_held(&stopped, ""));
        assert!(!is_held(&record(r#"{"is":"starting"}"#), "2"));
        assert!(is_held(&record(r#"{"is":"kept-down","why":"x"}"#), "2"));
    }

    #[test]
    fn each_unit_and_each_template_asks_for_the_same_file() {
        let place = tempfile::tempdir().unwrap();
        let (held, drop_ins) = (place.path().join("held"), place.path().join("system"));
        let record = record(r#"{"is":"stopped"}"#);
        write(&record, &held, &drop_ins).unwrap();
        let file = held::file(&held, &record.run);
        assert!(file.exists());
        for unit in ["mastodon-web.service", "mastodon-streaming@4000.service", "mastodon-web@.service"] {
            let text =
                fs::read_to_string(drop_ins.join(format!("{unit}.d/99-mastmaintd-{}.conf", record.run)));
            let condition = format!("[Unit]\nConditionPathExists=!{}\n", file.display());
            assert!(text.unwrap().ends_with(&condition), "{unit}");
        }
    }
}

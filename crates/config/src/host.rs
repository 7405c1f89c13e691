//! What the configuration names and this host lacks: warnings only, since an upgrade of Mastodon or a missing program
//! may fail its own job but never the daemon.

use crate::{
    diagnostic::Place,
    mistake::Mistake,
    read::Reader,
    settings::{Action, Settings},
    targets::{Mail, Via, Way},
    zone,
};
use mastmaint_tootctl::{Call, Series, Version};
use std::{os::unix::fs::PermissionsExt, path::Path};

/// The zone of this host, or UTC if it says none.
pub(crate) fn timezone() -> String {
    let zone = zone::local();
    // A copied /etc/localtime has no name, and a schedule needs one that reads back.
    match zone.iana_name() {
        Some(name) if zone::named(name).is_ok() => name.to_owned(),
        _ => "UTC".to_owned(),
    }
}

pub(crate) fn look(reader: &mut Reader, settings: &Settings) {
    if zone::named("Etc/UTC").is_err() && jiff::tz::db().available().next().is_none() {
        say(
            reader,
            "defaults.timezone",
            "there is no time zone database".into(),
            "install the package tzdata",
        );
    }
    if let Some(instance) = &settings.instance {
        let tootctl = instance.live.join("bin/tootctl");
        if !instance.live.is_dir() {
            let what = format!("{} is not a directory here", instance.live.display());
            say(reader, "instance.live", what, "write where Mastodon is; its steps fail until it is there");
        } else if !is_executable(&tootctl) {
            let what = format!("{} is not an executable file", tootctl.display());
            say(reader, "instance.live", what, "check that this is Mastodon's Rails root");
        }
        if let Ok(None) = nix::unistd::User::from_name(&instance.user) {
            let what = format!("there is no user {:?}", instance.user);
            say(
                reader,
                "instance.user",
                what,
                "write whom Mastodon runs as; its steps fail until there is one",
            );
        }
    }
    for (index, target) in settings.notify.iter().enumerate() {
        if let Way::Mail(Mail { via: Via::Sendmail { program }, .. }) = &target.way {
            let path = format!("notify[{}].sendmail", index + 1);
            if !is_executable(program) {
                let what = format!("{} is not an executable file here", program.display());
                say(reader, &path, what, "install it, or leave sendmail out: then a mail server is asked");
            } else if program.metadata().is_ok_and(|m| m.permissions().mode() & 0o6000 != 0) {
                let what = format!(
                    "{} is setuid or setgid, and in the notify room it runs without that (NoNewPrivileges)",
                    program.display()
                );
                say(reader, &path, what, "leave sendmail out: then the mail server at localhost:25 is asked");
            }
        }
    }
    let installed = settings.instance.as_ref().and_then(|instance| Version::installed(&instance.live));
    if let Some(version) = installed.as_ref().filter(|version| version.series().is_newer_than_known()) {
        let what = format!("Mastodon {version} is newer than what mastmaintd knows ({})", Series::NEWEST);
        let help = "its commands are judged by the newest rules; look for a newer mastmaintd";
        say(reader, "instance.live", what, help);
    }
    for (name, job) in &settings.jobs {
        for free in job.requires.iter().flat_map(|requires| &requires.free) {
            if !free.path.exists() {
                let what = format!("{} is not there", free.path.display());
                let help = "write a path on the file system that is meant; runs fail until it is there";
                say(reader, &format!("jobs.{name}.requires.free"), what, help);
            }
        }
        for (index, step) in job.indexed_steps() {
            if let (Action::Tootctl(args), Some(version)) = (&step.action, &installed) {
                let call = Call::read(args, Some(version.series()));
                for misuse in call.misuses().iter().filter(|misuse| misuse.wrong.is_of_version()) {
                    let path = format!("jobs.{name}.steps[{index}].tootctl");
                    say(reader, &path, misuse.wrong.to_string(), "the step fails until it is there");
                }
            }
            if let Action::Run(argv) = &step.action
                && let Some(program) = argv.first()
                && !is_executable(Path::new(program))
            {
                let what = format!("{program} is not an executable file here");
                say(
                    reader,
                    &format!("jobs.{name}.steps[{index}].run"),
                    what,
                    "install it; the step fails until it is there",
                );
            }
        }
    }
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

fn say(reader: &mut Reader, path: &str, what: String, help: &'static str) {
    // A default has no place of its own: its section stands in, then the file.
    let section = path.split('.').next().unwrap_or(path);
    let place = reader.places.get(path).or_else(|| reader.places.get(section)).copied();
    reader.odd(place.unwrap_or(Place::start(0)), path, Mistake::NotHere { what, help });
}

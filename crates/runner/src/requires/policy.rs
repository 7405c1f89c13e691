//! What follows from what was read of the host. Pure: a condition and a reading in, a sentence out where it does not
//! hold. What could not be read is never taken for a condition that holds.

use super::{Unmet, processes::Process};
use crate::{
    probe::Said,
    systemctl::{UnitState, template_of},
};
use mastmaint_config::requires::{Below, FreeSpace, LoadBelow, Resource, Service};
use mastmaint_instance::Free;
use mastmaint_words::{Hundredths, ProgramName, UnitName};

/// What was read, or why it was not.
pub(super) type Reading<T> = Result<T, String>;

fn seen(why: String) -> Unmet {
    Unmet { why, seen: true }
}

/// A condition that nobody knows about.
pub(super) fn not_looked_at(what: &str, why: &str) -> Unmet {
    Unmet { why: format!("{what} cannot be looked at: {why}"), seen: false }
}

pub(super) fn free(wanted: &FreeSpace, free: Reading<Free>) -> Option<Unmet> {
    let path = wanted.path.display();
    match free {
        Ok(free) if free.bytes() < wanted.at_least => {
            let (free, wanted) = (free.bytes().human(), wanted.at_least.human());
            Some(seen(format!("{free} free in {path}, {wanted} required")))
        }
        Ok(free) => free.lack_of_files(&wanted.path).map(seen),
        Err(why) => Some(not_looked_at(&format!("what is free in {path}"), &why)),
    }
}

pub(super) fn load(wanted: LoadBelow, load: Reading<Hundredths>) -> Option<Unmet> {
    match load {
        Ok(load) if load < wanted.below => None,
        Ok(load) => Some(seen(format!("the load is {load}, below {} required", wanted.below))),
        Err(why) => Some(not_looked_at("the load", &why)),
    }
}

pub(super) fn pressure(resource: Resource, wanted: Below, share: Reading<Hundredths>) -> Option<Unmet> {
    let what = format!("the pressure on {}", resource.as_str());
    match share {
        Ok(share) if share.get() < u32::from(wanted.0.get()) * 100 => None,
        Ok(share) => Some(seen(format!("{what} is {share}%, {wanted} required"))),
        Err(why) => Some(not_looked_at(&what, &why)),
    }
}

pub(super) fn unit(unit: &UnitName, state: &UnitState) -> Option<Unmet> {
    let name = unit.with_suffix();
    match (state.is_up(), state.load.as_str()) {
        (true, _) => None,
        (false, "not-found") => Some(seen(format!("there is no unit {name}"))),
        (false, "masked") => Some(seen(format!("{name} is masked"))),
        (false, _) if state.active.is_empty() => {
            Some(not_looked_at(&format!("whether {name} is active"), "systemd does not say"))
        }
        (false, _) => Some(seen(format!("{name} is {}", state.active))),
    }
}

/// Only the first process of each program is named.
pub(super) fn programs(wanted: &[ProgramName], processes: Reading<Vec<Process>>) -> Vec<Unmet> {
    match processes {
        Ok(processes) => wanted
            .iter()
            .filter_map(|name| {
                let process = processes.iter().find(|process| process.is_of(name.as_str()))?;
                Some(seen(format!("{name} is running (process {})", process.id)))
            })
            .collect(),
        Err(why) => vec![not_looked_at("what is running", &why)],
    }
}

/// A unit of a service.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) unit: UnitName,
    /// How it stands.
    pub(super) state: UnitState,
    /// What it said; nothing was asked of one that is down.
    pub(super) said: Option<Result<Said, String>>,
}

/// What is in the way of a service that must answer.
pub(super) fn service(service: Service, asked: Vec<Asked>) -> Vec<Unmet> {
    if asked.is_empty() {
        return vec![seen(format!("no unit of {} runs", service.as_str()))];
    }
    // A shim stays active while nothing that it stands for runs, and is asked only where nothing does.
    let stands_for = |Asked { unit, state, .. }: &Asked| {
        template_of(unit)
            .filter(|_| state.is_up() && state.is_oneshot)
            .map(|template| (unit.with_suffix(), template))
    };
    if let Some(shims) = asked.iter().map(stands_for).collect::<Option<Vec<_>>>() {
        let none = |(shim, template): (String, String)| {
            let template = template.trim_end_matches(".service");
            seen(format!("no instance of {template} runs, and {shim} only stands for them"))
        };
        return shims.into_iter().map(none).collect();
    }
    asked
        .into_iter()
        .filter_map(|Asked { unit: name, state, said }| match said {
            None => unit(&name, &state),
            Some(Ok(Said::Answers { .. })) => None,
            Some(Ok(Said::Silent { why })) => Some(seen(format!("{name} does not answer: {why}"))),
            Some(Ok(Said::NotAsked { why }) | Err(why)) => {
                Some(not_looked_at(&format!("whether {name} answers"), &why))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_instance::Files;
    use mastmaint_words::Bytes;

    fn gigabytes(count: u64) -> Bytes {
        Bytes::new(count << 30)
    }

    fn said(unmet: Option<Unmet>) -> String {
        unmet.map_or_else(String::new, |unmet| format!("{}{}", if unmet.seen { "" } else { "? " }, unmet.why))
    }

    #[test]
    fn what_is_just_enough_is_enough() {
        let wanted = FreeSpace { path: "/home".into(), at_least: gigabytes(5) };
        let of = |bytes: Bytes| Free { total: u64::MAX, free: bytes.get(), files: None };
        assert_eq!(said(free(&wanted, Ok(of(gigabytes(5))))), "");
        let less = Bytes::new(gigabytes(5).get() - (19 << 30) / 10);
        assert_eq!(said(free(&wanted, Ok(of(less)))), "3.1 GB free in /home, 5 GB required");
        let files = Some(Files { total: 1_000_000, free: 3 });
        let why = said(free(&wanted, Ok(Free { files, ..of(gigabytes(6)) })));
        assert!(why.contains("only 3 more files"), "{why}");
        let why = said(free(&wanted, Err("Permission denied (os error 13)".into())));
        assert_eq!(why, "? what is free in /home cannot be looked at: Permission denied (os error 13)");
    }

    #[test]
    fn a_bound_is_not_reached() {
        let wanted = LoadBelow { below: Hundredths::new(400) };
        assert_eq!(said(load(wanted, Ok(Hundredths::new(399)))), "");
        assert_eq!(said(load(wanted, Ok(Hundredths::new(400)))), "the load is 4, below 4 required");
        assert!(said(load(wanted, Err("x".into()))).starts_with("? "));
        let wanted: Below = "below 20%".parse().unwrap();
        let of = |reading| said(pressure(Resource::Io, wanted, reading));
        assert_eq!(of(Ok(Hundredths::new(1999))), "");
        assert_eq!(of(Ok(Hundredths::new(6320))), "the pressure on io is 63.2%, below 20% required");
        assert_eq!(of(Err("no such file".into())), "? the pressure on io cannot be looked at: no such file");
    }

    fn state(load: &str, active: &str) -> UnitState {
        UnitState { load: load.into(), active: active.into(), ..UnitState::default() }
    }

    #[test]
    fn only_what_is_active_is_active() {
        let name: UnitName = "postgresql".parse().unwrap();
        for (load, active, why) in [
            ("loaded", "active", ""),
            ("loaded", "reloading", ""),
            ("loaded", "activating", "postgresql.service is activating"),
            ("loaded", "failed", "postgresql.service is failed"),
            ("not-found", "inactive", "there is no unit postgresql.service"),
            ("masked", "inactive", "postgresql.service is masked"),
            ("", "", "? whether postgresql.service is active cannot be looked at: systemd does not say"),
        ] {
            assert_eq!(said(unit(&name, &state(load, active))), why);
        }
    }

    #[test]
    fn each_program_is_named_once_and_blindness_is_no_absence() {
        let process = |id, words: &[&str]| Process::new(id, "", words);
        let all = vec![process(7, &["pg_dump"]), process(8, &["pg_dump"]), process(9, &["sleep"])];
        let wanted: Vec<ProgramName> = ["rsnapshot", "pg_dump"].map(|name| name.parse().unwrap()).into();
        let unmet = programs(&wanted, Ok(all));
        assert_eq!(unmet, [seen("pg_dump is running (process 7)".into())]);
        assert!(!programs(&wanted, Err("hidden".into()))[0].seen);
    }

    #[test]
    fn a_service_answers_with_all_that_it_has() {
        let name: UnitName = "mastodon-web".parse().unwrap();
        let ask = |up: &str, said| {
            service(Service::Web, vec![Asked { unit: name.clone(), state: state("loaded", up), said }])
        };
        let answers = Said::Answers { what: "200".into() };
        assert_eq!(ask("active", Some(Ok(answers))), []);
        let silent = Said::Silent { why: "connection refused".into() };
        let why = ask("active", Some(Ok(silent))).into_iter().next();
        assert_eq!(said(why), "mastodon-web does not answer: connection refused");
        let unknown = Said::NotAsked { why: "LOCAL_DOMAIN is not set".into() };
        assert!(!ask("active", Some(Ok(unknown)))[0].seen);
        assert!(!ask("active", Some(Err("not named".into())))[0].seen);
        assert_eq!(ask("inactive", None)[0].why, "mastodon-web.service is inactive");
        assert_eq!(service(Service::Streaming, vec![])[0].why, "no unit of streaming runs");
    }

    #[test]
    fn a_shim_answers_for_nobody() {
        let asked = |name: &str, active: &str, is_oneshot| {
            let state = UnitState { is_oneshot, ..state("loaded", active) };
            let answers = Said::Answers { what: "it only stands for its instances".into() };
            let said = state.is_up().then_some(Ok(answers));
            Asked { unit: name.parse().unwrap(), state, said }
        };
        let whys = |asked| -> Vec<String> {
            service(Service::Streaming, asked).into_iter().map(|unmet| unmet.why).collect()
        };
        let shim = |active| asked("mastodon-streaming", active, true);
        let of_shim =
            "no instance of mastodon-streaming@ runs, and mastodon-streaming.service only stands for them";
        assert_eq!(whys(vec![shim("active")]), [of_shim]);
        assert_eq!(whys(vec![shim("inactive")]), ["mastodon-streaming.service is inactive"]);
        // An instance that is named, too, tells for itself.
        let instance = |active| asked("mastodon-streaming@4000", active, false);
        let stopped = ["mastodon-streaming@4000.service is inactive"];
        assert_eq!(whys(vec![shim("active"), instance("inactive")]), stopped);
        assert_eq!(whys(vec![instance("active")]), [""; 0]);
        // That of before 4.3 is no shim.
        assert_eq!(whys(vec![asked("mastodon-streaming", "active", false)]), [""; 0]);
    }
}

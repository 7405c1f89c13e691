//! What a job requires of its host, looked at from a room: readings at the edge, what follows from them in [`policy`].

mod policy;
mod pressure;
mod processes;

use crate::{
    probe::Prober,
    systemctl::{Claim, Systemctl, UnitState, claim, template_of},
};
use jiff::Timestamp;
use mastmaint_config::{
    Store,
    requires::{Requires, Service},
    settings::Instance,
};
use mastmaint_instance::Free;
use mastmaint_words::{Digest, Hundredths, JobName, Room, UnitName};
use policy::{Asked, Reading};
use serde::{Deserialize, Serialize};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// A condition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmet {
    /// What is in the way: `pg_dump is running`.
    pub why: String,
    /// Whether that was seen; else it could not be looked at, and `why` says why not.
    pub seen: bool,
}

/// Who looks.
#[derive(Debug, Clone)]
pub(crate) struct Looker {
    /// In which room.
    pub(crate) room: Room,
    /// Asks units and services.
    pub(crate) prober: Prober,
}

/// Every condition of a job that does not hold, as far as this room looks at it.
///
/// # Errors
/// If the accepted configuration cannot be read, or has nothing of the job that this room could look at.
pub(crate) fn look(looker: &Looker, digest: &Digest, job: &JobName) -> Result<Vec<Unmet>, String> {
    let store = Store::new(&looker.prober.accepted);
    let view = store.room_view(looker.room, digest).map_err(|error| error.to_string())?;
    let nothing = || format!("the {} room knows nothing that {job} requires", looker.room);
    let requires = view.requires.get(job).ok_or_else(nothing)?;
    let mut unmet = of_the_host(requires, &looker.prober.systemctl);
    if let Some(instance) = view.instance.as_ref().filter(|_| !requires.probe.is_empty()) {
        for service in &requires.probe {
            unmet.extend(of_a_service(*service, instance, &looker.prober, digest));
        }
    }
    Ok(unmet)
}

fn of_the_host(requires: &Requires, systemctl: &Systemctl) -> Vec<Unmet> {
    let mut unmet = Vec::new();
    for free in &requires.free {
        unmet.extend(policy::free(free, free_at(&free.path)));
    }
    if let Some(load) = requires.load {
        unmet.extend(policy::load(load, load_now()));
    }
    for (resource, below) in &requires.pressure {
        unmet.extend(policy::pressure(*resource, *below, pressure::now(*resource)));
    }
    let units = &requires.unit_active;
    match systemctl.look(units) {
        Ok(states) => unmet.extend(units.iter().zip(&states).filter_map(|(u, state)| policy::unit(u, state))),
        Err(why) => unmet.push(policy::not_looked_at("whether units are active", &why)),
    }
    if !requires.not_running.is_empty() {
        unmet.extend(policy::programs(&requires.not_running, processes::all(Path::new("/proc"))));
    }
    unmet
}

/// How much is free for everybody on the file system of a path.
///
/// # Errors
/// If the room does not see it.
pub fn free_at(path: &Path) -> Result<Free, String> {
    let is_hidden =
        fs::metadata(path).is_ok_and(|metadata| matches!(metadata.permissions().mode() & 0o777, 0));
    if is_hidden {
        // What the sandbox puts in the place of a directory has room of its own.
        return Err("it is hidden from the room".to_owned());
    }
    Free::at(path).map_err(|error| error.to_string())
}

fn load_now() -> Reading<Hundredths> {
    let (minute, _, _) = nix::sys::sysinfo::sysinfo().map_err(|error| error.to_string())?.load_average();
    format!("{minute:.2}").parse().map_err(|error| format!("{error}"))
}

/// Why a service does not count as answering; every unit of it that is there must.
pub fn of_a_service(service: Service, instance: &Instance, prober: &Prober, digest: &Digest) -> Vec<Unmet> {
    let units = match units_of(service, instance, &prober.systemctl) {
        Ok(units) => units,
        Err(why) => {
            return vec![policy::not_looked_at(&format!("whether {} answers", service.as_str()), &why)];
        }
    };
    // A sign of life need not be newer than anything but Sidekiq's own idea of fresh.
    let ask = |unit: &UnitName| crate::probe::probe(prober, digest, unit, Timestamp::UNIX_EPOCH);
    let asked = units.into_iter().map(|(unit, state)| {
        let said = if state.is_up() { Some(ask(&unit)) } else { None };
        Asked { unit, state, said }
    });
    policy::service(service, asked.collect())
}

/// The units of a service: those that are named, and the instances of templates that are up. A shim that has instances
/// says nothing.
fn units_of(
    service: Service,
    instance: &Instance,
    systemctl: &Systemctl,
) -> Result<Vec<(UnitName, UnitState)>, String> {
    let named: Vec<&UnitName> =
        instance.services.iter().filter(|unit| Service::of(unit) == Some(service)).collect();
    let templates: Vec<String> = named.iter().copied().filter_map(template_of).collect();
    let instances = systemctl.instances_of(&templates)?;
    let states = systemctl.look(&instances)?;
    let up: Vec<(UnitName, UnitState)> =
        instances.into_iter().zip(states).filter(|(_, state)| state.is_up()).collect();
    let mut units = Vec::new();
    for name in named {
        let own = std::slice::from_ref(name);
        let of_it = up.iter().filter(|(unit, _)| matches!(claim(unit, own), Claim::InstanceOf(_)));
        let before = units.len();
        units.extend(of_it.cloned());
        if units.len() == before && !name.with_suffix().contains("@.") {
            let state = systemctl.look(own)?.into_iter().next().unwrap_or_default();
            units.push((name.clone(), state));
        }
    }
    Ok(units)
}

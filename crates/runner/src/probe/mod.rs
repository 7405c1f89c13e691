//! Questions to the services of the instance, asked from the probe room: as the instance's user, with its network, and
//! only of units that the configuration names. Where a service is found is read from its own environment.

mod http;
mod redis;
mod resp;
mod wire;

pub use self::redis::Conversation;
pub use crate::requires::{Unmet, free_at, of_a_service};
pub use resp::Value;
pub use wire::{Stream, connect};

use crate::systemctl::{Claim, Systemctl, claim};
use jiff::Timestamp;
use mastmaint_config::{Store, requires::Service, settings::Instance};
use mastmaint_instance::{Redis, Server, Variables};
use mastmaint_words::{Digest, Room, UnitName};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, path::PathBuf};

/// What a service said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "said")]
pub enum Said {
    /// It works as far as its answer tells.
    Answers {
        /// What was asked and what came back.
        what: String,
    },
    /// It should answer and did not, or not as it should.
    Silent {
        /// What happened.
        why: String,
    },
    /// It cannot be asked.
    NotAsked {
        /// What is not known.
        why: String,
    },
}

/// Who asks, and where it looks things up.
#[derive(Debug, Clone)]
pub struct Prober {
    /// Root of the accepted configurations.
    pub accepted: PathBuf,
    /// Tells of units' environments.
    pub systemctl: Systemctl,
}

/// Asks a service whether it works; `since` is when it was started.
///
/// # Errors
/// If the request is about nothing that the configuration knows.
pub fn probe(prober: &Prober, digest: &Digest, unit: &UnitName, since: Timestamp) -> Result<Said, String> {
    let view =
        Store::new(&prober.accepted).room_view(Room::Probe, digest).map_err(|error| error.to_string())?;
    let instance = view.instance.ok_or("the configuration names no instance")?;
    if claim(unit, &instance.services) == Claim::Foreign {
        return Err(format!("{unit} is not among instance.services"));
    }
    let not_asked = |why: String| Ok(Said::NotAsked { why });
    let Some(kind) = Service::of(unit) else {
        return not_asked("its name says neither web, sidekiq nor streaming".to_owned());
    };
    let process = prober.systemctl.environment(unit).unwrap_or_default();
    if process.is_shim {
        return Ok(Said::Answers { what: "it only stands for its instances".to_owned() });
    }
    let said = environment(kind, unit, &instance, process.environment)
        .and_then(|variables| ask(prober, kind, unit, &variables, since));
    said.or_else(not_asked)
}

/// What the service's process finds. For web the instance's variables in our configuration come first, so that an
/// admin can say where it is found when nothing else does.
///
/// # Errors
/// If the instance's files of variables cannot be read.
pub fn environment(
    kind: Service,
    unit: &UnitName,
    instance: &Instance,
    of_unit: BTreeMap<String, String>,
) -> Result<Variables, String> {
    let mut process = of_unit;
    match kind {
        Service::Web | Service::Sidekiq => process.extend(instance.environment.clone()),
        Service::Streaming => {
            let port =
                unit.as_str().split_once('@').map(|(_, instance)| instance.trim_end_matches(".service"));
            if let Some(port) = port.filter(|port| port.parse::<u16>().is_ok()) {
                process.entry("PORT".to_owned()).or_insert_with(|| port.to_owned());
            }
        }
    }
    Variables::read(&instance.live, &process).map_err(|error| error.to_string())
}

fn ask(
    prober: &Prober,
    kind: Service,
    unit: &UnitName,
    variables: &Variables,
    since: Timestamp,
) -> Result<Said, String> {
    match kind {
        Service::Web => {
            let at = Server::Web.listens(variables)?;
            let host = variables
                .get("LOCAL_DOMAIN")
                .ok_or("LOCAL_DOMAIN is not set, so it would refuse the question")?;
            Ok(http::get(&at, host, "/about"))
        }
        Service::Streaming => {
            let at = Server::Streaming.listens(variables)?;
            let host = variables.get("LOCAL_DOMAIN").unwrap_or("localhost");
            Ok(http::get(&at, host, "/api/v1/streaming/health"))
        }
        Service::Sidekiq => {
            let redis = Redis::of_sidekiq(variables)?;
            let pids = prober.systemctl.pids(unit)?;
            if pids.is_empty() {
                return Ok(Said::Silent { why: "it has no process".to_owned() });
            }
            let processes = redis::Processes { host: host_of_sidekiq(variables)?, pids };
            Ok(redis::heartbeat(&redis, &processes, since, Timestamp::now()))
        }
    }
}

/// What Sidekiq takes the host's name to be.
fn host_of_sidekiq(variables: &Variables) -> Result<String, String> {
    if let Some(name) = variables.get("DYNO") {
        return Ok(name.to_owned());
    }
    let name = nix::unistd::gethostname().map_err(|error| format!("the host has no name: {error}"))?;
    Ok(name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_of_streaming_listens_where_its_name_says() {
        let live = tempfile::tempdir().unwrap();
        std::fs::write(live.path().join(".env.production"), "PORT=3000\n").unwrap();
        let instance = Instance {
            live: live.path().to_owned(),
            user: "mastodon".into(),
            services: vec![],
            settle: mastmaint_config::settings::USUAL_SETTLE,
            environment: [("PORT".to_owned(), "3001".to_owned())].into(),
            url: None,
        };
        let port = |kind, unit: &str, own: &[(&str, &str)]| {
            let own = own.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let variables = environment(kind, &unit.parse().unwrap(), &instance, own).unwrap();
            variables.get("PORT").unwrap().to_owned()
        };
        assert_eq!(port(Service::Streaming, "mastodon-streaming@4001", &[]), "4001");
        assert_eq!(port(Service::Streaming, "mastodon-streaming@a", &[("PORT", "4002")]), "4002");
        assert_eq!(port(Service::Web, "mastodon-web", &[("PORT", "3002")]), "3001");
    }
}

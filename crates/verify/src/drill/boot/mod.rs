//! The boot: Mastodon itself, started from the Rails root of the file backup on the database that was restored and an
//! empty Redis, asked over a Unix socket as its web server asks, and taken down again, or kept up for a person who wants
//! to look at it. Sidekiq is never started.

mod answers;
mod change;
mod environment;
mod http;
mod live;
mod mastodon;
mod process;
mod redis;
mod ruby;

pub(crate) use live::WHOLE;
pub use ruby::Host;

use super::{Stop, cluster::Cluster, network};
use crate::{
    check::Env,
    error::VerifyError,
    finding::{Code, Finding},
    prove::Tell,
};
use environment::{Ground, environment, staged};
use mastmaint_words::{
    backup::{Boot, BootTimes},
    human,
    stage::{Stage, Up},
};
use mastodon::Mastodon;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    time::Instant,
};

/// What is told of the files that Mastodon is started from. They come as a stream beside the dump.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// What people call the file backup: `daily.0`.
    pub name: String,
    /// Bytes that they will take.
    pub bytes: u64,
    /// The Ruby that `.ruby-version` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ruby: Option<String>,
}

/// Everything that a boot needs.
pub(super) struct Ready<'a> {
    pub(super) files: &'a Files,
    pub(super) stream: File,
    pub(super) cluster: &'a Cluster,
    pub(super) database: &'a str,
    /// The code is newer than the database.
    pub(super) must_migrate: bool,
    /// Bytes of the disk that are never touched.
    pub(super) reserve: u64,
    /// It stays up for a person.
    pub(super) stage: Option<&'a Stage>,
    pub(super) host: &'a Host,
    pub(super) tell: &'a dyn Tell,
}

/// Starts Mastodon, asks it, and ends it.
pub(super) fn boot(ready: Ready<'_>) -> Result<(Boot, Vec<Finding>), VerifyError> {
    let mut boot = Boot { is_good: false, version: None, times: BootTimes::default() };
    match bring_up(ready, &mut boot) {
        Ok(()) => {
            boot.is_good = true;
            Ok((boot, Vec::new()))
        }
        Err(Stop::Found(finding)) => Ok((boot, vec![*finding])),
        Err(Stop::Error(error)) => Err(error),
    }
}

fn bring_up(ready: Ready<'_>, boot: &mut Boot) -> Result<(), Stop> {
    let Ready { files, stream, cluster, database, host, tell, stage, .. } = ready;
    let name = files.name.as_str();
    let is_cancelled = || tell.is_cancelled();
    let missing = |what: String| not_tried(name, &what);
    if let Some(why) = host.network.forbids() {
        let what = format!("Mastodon was not started from {name}: {why}");
        return Err(Finding::warn(Code::NotChecked, what, network::ADVICE).into());
    }
    let ruby = host.ruby(files.ruby.as_deref()).map_err(missing)?;
    let redis = redis::program().map_err(missing)?;
    let scratch = cluster.directory();
    let of = || VerifyError::drill(scratch);
    let mut clock = Instant::now();
    let mut lap = || std::mem::replace(&mut clock, Instant::now()).elapsed();

    let live = scratch.join("live");
    live::unpack(stream, &live, name, ready.reserve, &is_cancelled)?;
    boot.times.files = lap();
    tell.say(&format!("copied the files of {name} in {}", human::took(boot.times.files)));
    let env = env_of(&live, name)?;
    let domain = env.get("LOCAL_DOMAIN").ok_or_else(|| lacks(name, "LOCAL_DOMAIN in its .env.production"))?;
    // Empty, and not below what is the backup's.
    fs::DirBuilder::new().mode(0o700).create(scratch.join("home")).map_err(of())?;
    let (redis_socket, puma_socket) = (scratch.join("redis.sock"), scratch.join("puma.sock"));
    let ground = Ground {
        postgres: scratch,
        database,
        user: super::cluster::USER,
        redis: &redis_socket,
        puma: &puma_socket,
    };
    let mastodon = Mastodon {
        variables: environment(&env, &ground).into_iter().chain(stage.into_iter().flat_map(staged)).collect(),
        gems: host.gems(&live),
        scratch,
        name,
        env: &env,
        ruby,
        live,
    };
    mastodon.has_its_gems(&is_cancelled)?;
    let _redis = redis::start(&redis, scratch, &redis_socket, &is_cancelled)?;
    if ready.must_migrate {
        lap();
        mastodon.migrate(&is_cancelled)?;
        boot.times.migrate = lap();
        tell.say(&format!(
            "brought the database to the state of the code in {}",
            human::took(boot.times.migrate)
        ));
    }
    if let Some(stage) = stage
        && let Some(change) = &stage.change
    {
        change::try_out(&mastodon, (change, stage.lasts.get()), ready.reserve, tell)?;
    }

    lap();
    let mut puma = mastodon.start(&puma_socket)?;
    mastodon.await_answer(&mut puma, &puma_socket, domain, &is_cancelled)?;
    boot.times.start = lap();
    let asked = mastodon.ask(&puma_socket, domain, &is_cancelled);
    boot.times.ask = lap();
    match asked {
        Ok(version) => {
            tell.say(&format!(
                "Mastodon {version} answers {} after its start",
                human::took(boot.times.start)
            ));
            boot.version = Some(version.clone());
            let Some(stage) = stage else { return Ok(()) };
            tell.up(&Up { host: mastodon.web_host(domain).to_owned(), version });
            mastodon.hold(&mut puma, stage.lasts.get(), ready.reserve, &is_cancelled)
        }
        Err(_) if is_cancelled() => Err(VerifyError::Cancelled.into()),
        Err(why) => Err(mastodon.failed(&why, &puma.said()).into()),
    }
}

/// Its settings, taken away from where it would read them by itself.
fn env_of(live: &Path, name: &str) -> Result<Env, Stop> {
    let path = live.join(".env.production");
    let text = fs::read(&path).map_err(|_| lacks(name, ".env.production"))?;
    for file in [".env", ".env.local", ".env.production", ".env.production.local"] {
        // Most of them are not there.
        let _ = fs::remove_file(live.join(file));
    }
    Ok(Env::parse(&String::from_utf8_lossy(&text)))
}

/// The host lacks something: nothing is known of the backup.
fn not_tried(name: &str, what: &str) -> Finding {
    let what = format!("Mastodon was not started from {name}: {what}");
    let advice = "Install it as for Mastodon itself (the Ruby of its .ruby-version, its gems, redis-server), where the boot room may read it: see the manual. Whether Mastodon comes up is not known.";
    Finding::warn(Code::NotChecked, what, advice)
}

fn lacks(name: &str, what: &str) -> Finding {
    let what = format!("Mastodon cannot be started from {name}: it lacks {what}");
    Finding::fail(Code::BootFailed, what, "Copy the file of the running instance into the backup.")
}

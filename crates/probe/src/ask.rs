//! All probes at once, each in a thread of its own and none for longer than its timeout.

use crate::{Heard, api, assets, certificate, disk, postgres, redis, services, units, unknown, web, wrong};
use mastmaint_config::{
    Store,
    accepted::RoomView,
    probes::{Probe, Question},
    requires::Service,
    settings::Instance,
};
use mastmaint_instance::Variables;
use mastmaint_runner::{
    probe::{Prober, Said, environment},
    protocol::{AskedProbe, ProbeAnswer},
};
use mastmaint_words::{Digest, ProbeName, Room, UnitName};
use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// So many characters of what is wrong are said.
const MOST_WORDS: usize = 500;
/// So much a probe may note.
const MOST_NOTE: usize = 8192;

/// Who asks, and whom.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Looks units up, and asks services.
    pub(crate) prober: Prober,
    /// The configuration in force.
    pub(crate) digest: Digest,
    /// The instance.
    pub(crate) instance: Instance,
    probes: Arc<BTreeMap<ProbeName, Probe>>,
}

impl Asker {
    /// One for the probes of an accepted configuration.
    ///
    /// # Errors
    /// If it cannot be read, or names no instance.
    pub fn of(prober: &Prober, digest: &Digest) -> Result<Self, String> {
        let view: RoomView =
            Store::new(&prober.accepted).room_view(Room::Probe, digest).map_err(|error| error.to_string())?;
        let instance = view.instance.ok_or("the configuration names no instance")?;
        Ok(Self { prober: prober.clone(), digest: digest.clone(), instance, probes: Arc::new(view.probes) })
    }

    /// What a process of the instance finds.
    pub(crate) fn variables(&self) -> Result<Variables, String> {
        Variables::read(&self.instance.live, &self.instance.environment).map_err(|error| error.to_string())
    }

    /// What web finds: its unit may say where it listens.
    pub(crate) fn variables_of_web(&self) -> Result<Variables, String> {
        let is_web = |unit: &&UnitName| Service::of(unit) == Some(Service::Web);
        let Some(unit) = self.instance.services.iter().find(is_web) else { return self.variables() };
        let of_unit = self.prober.systemctl.environment(unit).unwrap_or_default().environment;
        environment(Service::Web, unit, &self.instance, of_unit)
    }
}

/// Asks probes; their answers come as they are there, each within its probe's timeout.
pub fn ask_all(asker: &Asker, questions: Vec<AskedProbe>) -> impl Iterator<Item = ProbeAnswer> {
    let began = Instant::now();
    let (tell, told) = mpsc::channel();
    let mut left: BTreeMap<ProbeName, Duration> = BTreeMap::new();
    for AskedProbe { name, note } in questions {
        let Some(probe) = asker.probes.get(&name).cloned() else { continue };
        left.insert(name.clone(), probe.timeout.get());
        let (asker, tell) = (asker.clone(), tell.clone());
        thread::spawn(move || {
            let heard = ask(&asker, &probe, note.as_deref(), began + probe.timeout.get());
            // Nobody listens once the time is over.
            let _ = tell.send(answer(name, heard));
        });
    }
    std::iter::from_fn(move || {
        let (next, timeout) =
            left.iter().map(|(name, timeout)| (name.clone(), *timeout)).min_by_key(|n| n.1)?;
        let wait = (began + timeout).saturating_duration_since(Instant::now());
        let answer = told.recv_timeout(wait).ok().filter(|answer| left.contains_key(&answer.name));
        let answer = answer.unwrap_or_else(|| {
            let why = format!("it gave no answer within {} s", timeout.as_secs());
            ProbeAnswer { name: next, said: wrong(why), note: None }
        });
        left.remove(&answer.name);
        Some(answer)
    })
}

fn ask(asker: &Asker, probe: &Probe, note: Option<&str>, deadline: Instant) -> Heard {
    match &probe.question {
        Question::Web { pages, address } => web::ask(asker, pages, address.as_ref(), note, deadline),
        Question::Api { address } => api::ask(asker, address.as_ref(), deadline).into(),
        Question::Streaming => services::streaming(asker).into(),
        Question::Sidekiq { oldest_job } => services::sidekiq(asker, *oldest_job).into(),
        Question::Units => units::ask(asker, note),
        Question::Postgres => postgres::ask(asker).into(),
        Question::Redis => redis::ask(asker).into(),
        Question::Disk { free } => disk::ask(free).into(),
        Question::Certificate { expires_in } => match &asker.instance.url {
            Some(url) => certificate::ask(url, *expires_in).into(),
            None => unknown("instance.url is not set").into(),
        },
        Question::Assets => assets::ask(&asker.instance.live, note),
    }
}

/// One line of bounded length, whatever servers say.
fn answer(name: ProbeName, Heard { said, note }: Heard) -> ProbeAnswer {
    let line = |text: String| -> String {
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        line.chars().filter(|c| !c.is_control()).take(MOST_WORDS).collect()
    };
    let said = match said {
        Said::Answers { what } => Said::Answers { what: line(what) },
        Said::Silent { why } => Said::Silent { why: line(why) },
        Said::NotAsked { why } => Said::NotAsked { why: line(why) },
    };
    ProbeAnswer { name, said, note: note.filter(|note| note.len() <= MOST_NOTE) }
}

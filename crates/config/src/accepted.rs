//! Accepted configurations: who may see which part of one, and where each part is kept. A digest names a whole
//! configuration; every room and the daemon get a file of their own under it, so that a secret in a step's
//! environment goes only to the room that needs it.

use crate::{
    by_hand,
    probes::Probes,
    requires::Requires,
    settings::{Instance, Job, LedgerSettings, Settings, Step},
    targets::{self, Target, TargetView},
};
use mastmaint_words::{Digest, Hold, JobName, Room, StepIndex, backup::Backups};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the daemon sees: everything but environments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonView {
    /// The configuration it is part of.
    pub digest: Digest,
    /// The instance, without its environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    /// The jobs, without environments.
    pub jobs: BTreeMap<JobName, Job>,
    /// What can be verified.
    #[serde(default, skip_serializing_if = "Backups::is_empty")]
    pub backups: Backups,
    /// How long the ledger remembers.
    pub ledger: LedgerSettings,
    /// Who is told what, without addresses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<TargetView>,
    /// Periods in which jobs marked `change: true` do not run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// Health questions to the instance.
    #[serde(default, skip_serializing_if = "Probes::is_empty")]
    pub probes: Probes,
}

impl DaemonView {
    /// Which server a message is about: the instance's host, else this one's name.
    pub fn site(&self) -> String {
        let url = self.instance.as_ref().and_then(|instance| instance.url.as_deref());
        let host = url.and_then(|url| url.split_once("://")).map(|(_, rest)| rest.trim_end_matches('/'));
        let own = || nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        host.map(str::to_owned).or_else(own).unwrap_or_else(|| "this host".to_owned())
    }

    /// The rooms that have to look at what a job of this configuration requires.
    pub fn rooms_to_look(&self, job: &Job) -> Vec<Room> {
        let live = self.instance.as_ref().map(|instance| instance.live.as_path());
        job.requires.as_ref().map(|requires| requires.rooms(live)).unwrap_or_default()
    }
}

/// What a room sees: the instance and the steps that run in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoomView {
    /// The configuration it is part of.
    pub digest: Digest,
    /// The room.
    pub room: Room,
    /// The instance; its environment only for rooms that run as it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<Instance>,
    /// The backups; only for the rooms that open them.
    #[serde(default, skip_serializing_if = "Backups::is_empty")]
    pub backups: Backups,
    /// Per job the steps of this room by their position.
    pub steps: BTreeMap<JobName, BTreeMap<StepIndex, Step>>,
    /// What jobs require of what this room looks at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub requires: BTreeMap<JobName, Requires>,
    /// Who is told what; only for the notify room.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<Target>,
    /// Health questions to the instance; only for the probe room.
    #[serde(default, skip_serializing_if = "Probes::is_empty")]
    pub probes: Probes,
}

impl RoomView {
    /// The step that a request names.
    pub fn step(&self, job: &JobName, step: StepIndex) -> Option<&Step> {
        self.steps.get(job)?.get(&step)
    }
}

impl Settings {
    /// The part for the daemon.
    pub fn daemon_view(&self, digest: Digest) -> DaemonView {
        let mut jobs = self.jobs.clone();
        jobs.extend(by_hand::jobs(self));
        for step in jobs.values_mut().flat_map(|job| &mut job.steps) {
            step.environment.clear();
        }
        DaemonView {
            digest,
            instance: self.instance_without_environment(),
            jobs,
            backups: self.backups.clone(),
            ledger: self.ledger,
            holds: self.holds.clone(),
            notify: targets::views(&self.notify),
            probes: self.probes.clone(),
        }
    }

    /// The part for a room.
    pub fn room_view(&self, digest: Digest, room: Room) -> RoomView {
        let by_hand = by_hand::jobs(self);
        let steps = self
            .jobs
            .iter()
            .chain(&by_hand)
            .map(|(name, job)| {
                let of_this_room = job.indexed_steps().filter(|(_, step)| step.action.room() == room);
                (name.clone(), of_this_room.map(|(index, step)| (index, step.clone())).collect())
            })
            .filter(|(_, steps): &(JobName, BTreeMap<StepIndex, Step>)| !steps.is_empty())
            .collect();
        let live = self.instance.as_ref().map(|instance| instance.live.as_path());
        let part = |job: &Job| job.requires.as_ref().and_then(|requires| requires.part(room, live));
        let requires = self.jobs.iter().filter_map(|(name, job)| Some((name.clone(), part(job)?))).collect();
        let instance = match room {
            // Where services are asked, and with which password, is said by the same variables.
            Room::Tootctl | Room::Probe | Room::Change => self.instance.clone(),
            Room::Systemctl | Room::Run | Room::Verify | Room::Remote | Room::Restore => {
                self.instance_without_environment()
            }
            Room::Notify => None,
        };
        let opens_backups = matches!(room, Room::Verify | Room::Remote | Room::Restore);
        let backups = if opens_backups { self.backups.clone() } else { Backups::new() };
        let notify = if room == Room::Notify { self.notify.clone() } else { Vec::new() };
        let probes = if room == Room::Probe { self.probes.clone() } else { Probes::new() };
        RoomView { digest, room, instance, backups, steps, requires, notify, probes }
    }

    fn instance_without_environment(&self) -> Option<Instance> {
        self.instance.clone().map(|instance| Instance { environment: BTreeMap::new(), ..instance })
    }
}

//! The jobs by which backups are verified by hand. Nobody writes them: they follow from `backups:`, and a room can look
//! their steps up like any other.

use crate::settings::{
    Action, Environment, Job, Judged, OnPartial, Prove, Retry, RetryOn, Settings, Step, VerifyAction,
    usual_lock_wait,
};
use mastmaint_words::{BackupName, JobName, Span};
use std::collections::BTreeMap;

/// Somebody waits for it, but a large backup takes its time.
const TIMEOUT: Span = Span::from_secs(24 * 3600);
const GRACE: Span = Span::from_secs(60);

/// Two for each backup that is verified here: what is due, and everything.
pub(crate) fn jobs(settings: &Settings) -> BTreeMap<JobName, Job> {
    let both = |name| [false, true].map(|full| (JobName::by_hand(name, full), job(settings, name, full)));
    let here = settings.backups.iter().filter(|(_, backup)| !backup.place.is_pulled());
    here.map(|(name, _)| name).flat_map(both).collect()
}

fn job(settings: &Settings, backup: &BackupName, full: bool) -> Job {
    // What holds for the job that does it each night holds for it, too.
    let nightly = settings.jobs.values().find(|job| job.verifies(backup));
    let remote = settings.backups.get(backup).is_some_and(|of| of.is_remote(&settings.backups));
    Job {
        description: Some(format!("Verify {backup} by hand")),
        schedule: None,
        random_delay: Span::default(),
        window: None,
        catch_up: false,
        timeout: TIMEOUT,
        retry: Retry { times: 0, backoff: Span::default(), on: RetryOn::default() },
        change: false,
        requires: None,
        lock: nightly.and_then(|job| job.lock.clone()),
        lock_wait: usual_lock_wait(),
        steps: vec![Step {
            action: Action::Verify(VerifyAction { backup: backup.clone(), full, remote }),
            timeout: TIMEOUT,
            grace: GRACE,
            quiet_limit: None,
            on_partial: OnPartial::default(),
            go_on: false,
            prove: Prove::default(),
            at_most: None,
            dangerous: false,
            judged: Judged::default(),
            environment: Environment::new(),
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_str;
    use mastmaint_words::{Digest, Room, StepIndex};

    #[test]
    fn every_backup_has_two_and_rooms_find_their_steps() {
        let text = "backups:\n  files: {kind: tree, path: /srv/a}\n  other: {kind: borg, repository: 'ssh://b@host/b', budget: {bytes: 1 GB}}\n\
                    jobs: {nightly: {lock: backup, steps: [{verify: files}]}}\n";
        let settings = load_str("m.yaml", text).unwrap().settings;
        let digest: Digest = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let files: BackupName = "files".parse().unwrap();
        let job = JobName::by_hand(&files, true);
        let view = settings.daemon_view(digest.clone());
        assert_eq!(view.jobs[&job].lock, Some("backup".parse().unwrap()));
        assert_eq!(view.jobs.len(), 5);
        let room = settings.room_view(digest.clone(), Room::Verify);
        let step = room.step(&job, StepIndex(0)).unwrap();
        assert_eq!(step.action, Action::Verify(VerifyAction { backup: files, full: true, remote: false }));
        let other: BackupName = "other".parse().unwrap();
        let elsewhere = JobName::by_hand(&other, false);
        assert_eq!(room.step(&elsewhere, StepIndex(0)), None);
        let room = settings.room_view(digest, Room::Remote);
        let step = room.step(&elsewhere, StepIndex(0)).unwrap();
        assert_eq!(step.action, Action::Verify(VerifyAction { backup: other, full: false, remote: true }));
        assert_eq!(settings.jobs.len(), 1, "nobody wrote them");
    }
}

//! What systemd must not start at boot: what a restore has left in the middle, or without a whole set to run on. Before
//! anything starts, `mastmaintd-recover --hold` gives such units a condition that is not met for as long as there is a
//! file; whoever has decided what becomes of them removes it.

use super::record::{Phase, Record};
use mastmaint_words::{RunId, UnitName};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where these files are. It does not outlive a boot, as nothing of it does.
pub const HELD: &str = "/run/mastmaintd-held";

impl Record {
    /// Whether nobody but the run, or a person, may have started what it names.
    pub const fn is_undecided(&self) -> bool {
        match self.phase {
            Phase::Stopping | Phase::Stopped => self.must_match,
            Phase::KeptDown { .. } => true,
            Phase::Starting | Phase::NotConfirmed { .. } | Phase::Closed { .. } => false,
        }
    }

    /// All that must not run: what it has stopped, and what did not run.
    pub fn all_units(&self) -> Vec<UnitName> {
        let stopped = self.services.iter().map(|service| &service.unit);
        stopped.chain(&self.down).cloned().collect()
    }

    /// Whether what is kept down was started: all that was stopped is up or, where nothing ran then, anything is.
    pub fn is_taken_over(&self, is_down: impl Fn(&UnitName) -> bool) -> bool {
        if self.services.is_empty() {
            return self.down.iter().any(|unit| !is_down(unit));
        }
        self.services.iter().all(|service| !is_down(&service.unit))
    }
}

/// The file whose absence lets the units of a run start.
pub fn file(directory: &Path, run: &RunId) -> PathBuf {
    directory.join(run.as_str())
}

/// Whether they are held.
pub fn holds(run: &RunId) -> bool {
    file(Path::new(HELD), run).exists()
}

/// From here on a start of them is a person's, or ours. Called when they are stopped in this boot, so that no start is in
/// systemd's queue any more.
pub fn release(run: &RunId) {
    // Without systemd, and in most boots, there is none.
    let _ = fs::remove_file(file(Path::new(HELD), run));
}

#[cfg(test)]
mod tests {
    use super::{
        super::record::{Seen, Service, tests::record as any_record},
        *,
    };
    use jiff::Timestamp;

    fn record(phase: Phase, stopped: &[&str], down: &[&str]) -> Record {
        let service =
            |unit: &&str| Service { unit: unit.parse().unwrap(), before: String::new(), ours: None };
        Record {
            must_match: true,
            phase,
            services: stopped.iter().map(service).collect(),
            down: down.iter().map(|unit| unit.parse().unwrap()).collect(),
            ..any_record()
        }
    }

    #[test]
    fn only_what_is_not_decided_is_held_at_boot() {
        let is = |phase: Phase| record(phase, &["mastodon-web"], &[]).is_undecided();
        let why = || "x".to_owned();
        assert!(is(Phase::Stopping) && is(Phase::Stopped) && is(Phase::KeptDown { why: why() }));
        assert!(!is(Phase::Starting) && !is(Phase::NotConfirmed { why: why() }));
        assert!(!is(Phase::Closed { at: Timestamp::UNIX_EPOCH, how: why(), seen: Seen::default() }));
        // Ordinary brackets start at boot as they always did.
        let mut ordinary = record(Phase::Stopped, &["mastodon-web"], &[]);
        ordinary.must_match = false;
        assert!(!ordinary.is_undecided());
    }

    #[test]
    fn what_is_kept_down_stays_so_until_somebody_starts_it() {
        let of = |stopped: &[&str], down: &[&str], up: &[&str]| {
            let record = record(Phase::KeptDown { why: "x".into() }, stopped, down);
            record.is_taken_over(|unit| !up.contains(&unit.as_str()))
        };
        let (web, both) = (&["mastodon-web"][..], &["mastodon-web", "mastodon-sidekiq"][..]);
        assert!(!of(both, &[], &[]) && !of(both, &[], web) && of(both, &[], both));
        assert!(!of(web, &["mastodon-sidekiq"], &["mastodon-sidekiq"]), "it did not run before");
        assert!(of(web, &["mastodon-sidekiq"], web));
        // Nothing ran when it was stopped: that is no sign of anybody.
        assert!(!of(&[], both, &[]) && of(&[], both, web));
        assert!(!of(&[], &[], &[]));
    }
}

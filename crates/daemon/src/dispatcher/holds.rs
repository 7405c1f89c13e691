//! Holds as the dispatcher has them: those of the configuration and those that were set by hand. Which of them keeps a
//! job from running is decided in [`crate::holds`].

use super::{Dispatcher, asks::error};
use crate::{
    holds,
    recorder::Owed,
    run::RunSpec,
    tell::{HoldNews, Told},
};
use jiff::Timestamp;
use mastmaint_config::settings::Job;
use mastmaint_control::words::{HoldLine, Reply};
use mastmaint_ledger::HandHold;
use mastmaint_words::{Hold, HoldId, HoldScope, Trigger};

/// Longest reason; it stands in systemd's sentence and in every verdict.
const LONGEST_REASON: usize = 200;
/// Most holds that are set by hand at a time.
const MOST: usize = 100;

impl Dispatcher {
    fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.config.view.holds.iter().chain(self.hand_holds.values().map(|set| &set.hold))
    }

    /// The hold that keeps a job from starting at an instant.
    pub(super) fn hold_of(&self, job: &Job, at: Timestamp) -> Option<&Hold> {
        holds::keeping(self.holds(), job, job.change, at)
    }

    /// The hold that keeps a run from starting at an instant. Dry runs change nothing, and a person may insist. Whether
    /// the job changes the server is said by the configuration in force, as in every listing.
    pub(super) fn hold_of_run(&self, spec: &RunSpec, at: Timestamp) -> Option<&Hold> {
        let insists = matches!(spec.trigger, Trigger::Manual { despite_hold: true, .. });
        let change = self.config.view.jobs.get(&spec.job_name).map_or(spec.job.change, |job| job.change);
        holds::keeping(self.holds(), &spec.job, change, at).filter(|_| !spec.dry_run && !insists)
    }

    /// The hold that systemd is told of.
    pub(super) fn foremost_hold(&self, now: Timestamp) -> Option<Hold> {
        holds::foremost(self.holds(), now).cloned()
    }

    /// When a hold begins or ends next.
    pub(super) fn next_edge(&self, now: Timestamp) -> Option<Timestamp> {
        holds::next_edge(self.holds(), now)
    }

    /// Those that are on or still to come.
    pub(super) fn hold_lines(&self, now: Timestamp) -> Vec<HoldLine> {
        let line = |id, hold: &Hold, uid| HoldLine { id, hold: hold.clone(), on: hold.is_on(now), uid };
        let written = self.config.view.holds.iter().map(|hold| line(None, hold, None));
        let by_hand = self.hand_holds.values().map(|set| line(Some(set.id), &set.hold, Some(set.uid)));
        let mut lines: Vec<_> = written.chain(by_hand).filter(|line| line.hold.until > now).collect();
        lines.sort_by_key(|line| holds::sort_key(&line.hold, now));
        lines
    }

    /// Tells which holds have begun and which are over since it was looked last.
    pub(super) fn look_at_holds(&mut self, now: Timestamp) {
        let on: Vec<Hold> = self.holds().filter(|hold| hold.is_on(now)).cloned().collect();
        for hold in on.iter().filter(|hold| !self.holds_on.contains(hold)) {
            self.outside.teller.of_daemon(Told::Hold(HoldNews::On(hold.clone())));
        }
        for hold in self.holds_on.iter().filter(|hold| !on.contains(hold)) {
            self.outside.teller.of_daemon(Told::Hold(HoldNews::Over(hold.clone())));
        }
        self.holds_on = on;
    }

    pub(super) async fn add_hold(&mut self, hold: Hold, uid: u32) -> Reply {
        let now = Timestamp::now();
        if hold.until <= hold.from || hold.until <= now {
            return error("hold-over", "the hold would be over already; give it a later end".to_owned());
        }
        if hold.reason.chars().count() > LONGEST_REASON || hold.reason.chars().any(char::is_control) {
            let text = format!("the reason must be one line of at most {LONGEST_REASON} characters");
            return error("bad-reason", text);
        }
        self.hand_holds.retain(|_, set| set.hold.until > now);
        if self.hand_holds.len() >= MOST {
            let text = format!("there are {MOST} holds already; remove some (\"mastmaintctl hold list\")");
            return error("too-many-holds", text);
        }
        let id = HoldId(self.hand_holds.keys().last().map_or(1, |id| id.0.saturating_add(1)));
        let set = HandHold { id, hold, at: now, uid };
        if let Err(not) = self.outside.recorder.owe(Owed::SetHold { hold: Box::new(set.clone()) }).await
            && !not.kept
        {
            return error(not.code, format!("the hold cannot be kept: {not}"));
        }
        self.outside.teller.of_daemon(Told::Hold(HoldNews::Set { hold: set.hold.clone(), uid }));
        if set.hold.is_on(now) {
            // It is told by the one who set it.
            self.holds_on.push(set.hold.clone());
        }
        self.hand_holds.insert(id, set);
        self.look_at_slots().await;
        Reply::HoldAdded { id }
    }

    pub(super) async fn remove_hold(&mut self, id: HoldId, uid: u32) -> Reply {
        if !self.hand_holds.contains_key(&id) {
            let text = format!(
                "there is no hold {id} that was set by hand; see \"mastmaintctl hold list\" (one of the configuration ends by an edit and a reload)"
            );
            return error("unknown-hold", text);
        }
        if let Err(not) = self.outside.recorder.owe(Owed::RemoveHold { id }).await
            && !not.kept
        {
            return error(not.code, format!("the end of the hold cannot be kept: {not}"));
        }
        if let Some(set) = self.hand_holds.remove(&id) {
            self.holds_on.retain(|hold| *hold != set.hold);
            self.outside.teller.of_daemon(Told::Hold(HoldNews::Removed { hold: set.hold, uid }));
        }
        self.look_at_slots().await;
        Reply::Done
    }
}

/// A hold as a person asks for it.
pub(super) fn asked(from: Timestamp, until: Timestamp, scope: HoldScope, reason: String) -> Hold {
    let reason = if reason.trim().is_empty() { "set by hand".to_owned() } else { reason };
    Hold { from, until, scope, reason }
}

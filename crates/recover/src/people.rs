//! What was done here people have to hear of: while the daemon is away nobody else tells them.

use jiff::Timestamp;
use mastmaint_config::{Store, accepted::DaemonView};
use mastmaint_health::{Entry, Journal};
use mastmaint_runner::{
    bracket::Record,
    door::Door,
    protocol::{EventKind, Notice, Op},
};
use mastmaint_words::{Digest, Occasion, Room, UnitName};
use std::{
    path::PathBuf,
    thread::{self, JoinHandle, sleep},
    time::Duration,
};

/// Longer than the room takes before it gives up.
const PATIENCE: Duration = Duration::from_mins(2);
/// A message that was not taken is sent again after these pauses.
const AGAIN: [Duration; 2] = [Duration::from_secs(10), Duration::from_mins(1)];

/// What happened to a bracket.
#[derive(Debug, Clone)]
pub(crate) enum News {
    /// It is closed.
    Back {
        /// In a sentence.
        how: String,
    },
    /// What was stopped does not come up.
    NotBack {
        /// Why not.
        why: String,
    },
}

/// Those who are told.
pub(crate) struct People {
    rooms: PathBuf,
    accepted: PathBuf,
    journal: Journal,
    under_way: Vec<JoinHandle<()>>,
}

impl People {
    pub(crate) const fn new(rooms: PathBuf, accepted: PathBuf, journal: Journal) -> Self {
        Self { rooms, accepted, journal, under_way: Vec::new() }
    }

    /// Tells everybody who wants to hear of failures of the job. Starting services does not wait for it.
    pub(crate) fn tell(&mut self, record: &Record, news: &News) {
        let view = match Store::new(&self.accepted).daemon_view(&record.digest) {
            Ok(view) => view,
            Err(error) => {
                return self.journal.log(Entry::warning(format!("nobody can be told of it: {error}")));
            }
        };
        let notice = notice(&view, record, news, Timestamp::now());
        for (target, of) in (0_u16..).zip(&view.notify) {
            if of.wants(Occasion::Failed, Some(&record.job)) {
                let (rooms, journal, digest) =
                    (self.rooms.clone(), self.journal.clone(), record.digest.clone());
                let (label, notice) = (of.label.clone(), notice.clone());
                self.under_way.push(thread::spawn(move || {
                    let mut door = Door::of(&rooms, Room::Notify, PATIENCE);
                    if let Err(why) = send(&mut door, &digest, target, &notice) {
                        let text = format!("cannot notify target {} ({label}): {why}", target + 1);
                        journal.log(Entry::warning(text));
                    }
                }));
            }
        }
    }

    /// Waits until everybody was told, or cannot be.
    pub(crate) fn finish(&mut self) {
        for telling in self.under_way.drain(..) {
            // One that broke off has told what it could.
            let _ = telling.join();
        }
    }
}

fn send(door: &mut Door, digest: &Digest, target: u16, notice: &Notice) -> Result<(), String> {
    let mut pauses = AGAIN.into_iter();
    loop {
        let op = Op::Notify { digest: digest.clone(), target, notice: Box::new(notice.clone()) };
        let why = match door.ask(op) {
            Ok(EventKind::Notified { .. }) => return Ok(()),
            Ok(EventKind::Refused { message, .. }) => message,
            Ok(other) => format!("the notify room says {other:?}"),
            Err(error) => format!("the notify room: {error}"),
        };
        match pauses.next() {
            Some(pause) => sleep(pause),
            None => return Err(why),
        }
    }
}

/// The message. Pure.
fn notice(view: &DaemonView, record: &Record, news: &News, now: Timestamp) -> Notice {
    let (site, job) = (view.site(), &record.job);
    let units: Vec<&str> =
        record.services.iter().map(|service| &service.unit).map(UnitName::as_str).collect();
    let units = units.join(", ");
    let (code, what, then) = match news {
        News::Back { how } => (
            "recovered-alone",
            format!("{job} was cut off, Mastodon was started again"),
            format!(
                "mastmaintd was away while {job} had stopped {units}. mastmaintd-recover has started them: {how}.\n\
                 What was left of the run was not done."
            ),
        ),
        News::NotBack { why } => (
            "not-confirmed",
            format!("Mastodon is NOT BACK after {job}"),
            format!(
                "mastmaintd was away while {job} had stopped {units}. mastmaintd-recover tries to start them and goes \
                 on trying: {why}."
            ),
        ),
    };
    let text = format!(
        "{then}\n\nTo look closer:\n  systemctl status mastmaintd {units}\n  journalctl -u mastmaintd -u mastmaintd-recover\n",
        units = units.replace(',', "")
    );
    let notice = Notice {
        occasion: Occasion::Failed,
        at: now,
        job: Some(job.clone()),
        run: Some(record.run.clone()),
        outcome: None,
        code: Some(code.to_owned()),
        subject: format!("[{site}] {what}"),
        text,
    };
    notice.fitting()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_runner::bracket::{Phase, Service};
    use mastmaint_words::Span;

    fn said(news: &News) -> Notice {
        let text = "instance: {services: [mastodon-web], url: 'https://social.example'}\njobs: {rebuild: {steps: [{run: /bin/true}]}}";
        let settings = mastmaint_config::load_str("m.yaml", text).unwrap().settings;
        let digest: Digest = "0123456789abcdef0123456789abcdef".parse().unwrap();
        let record = Record {
            run: "20261123T003000Z-7k3f9q".parse().unwrap(),
            job: "rebuild".parse().unwrap(),
            digest: digest.clone(),
            opened: Timestamp::UNIX_EPOCH,
            boot: "1".into(),
            must_match: false,
            down: vec![],
            resumed: None,
            early: vec![],
            rebooted: false,
            settle: Span::from_secs(10),
            phase: Phase::Stopped,
            services: vec![Service { unit: "mastodon-web".parse().unwrap(), before: "a".into(), ours: None }],
        };
        notice(&settings.daemon_view(digest), &record, news, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_was_done_alone_is_said_with_what_was_not_done() {
        let back = said(&News::Back { how: "mastodon-web is up and answers".into() });
        assert_eq!(back.subject, "[social.example] rebuild was cut off, Mastodon was started again");
        assert!(back.text.contains("What was left of the run was not done."), "{}", back.text);
        assert!(back.text.contains("systemctl status mastmaintd mastodon-web\n"), "{}", back.text);
        let not = said(&News::NotBack { why: "mastodon-web.service is failed".into() });
        assert_eq!(not.subject, "[social.example] Mastodon is NOT BACK after rebuild");
        assert!(not.text.contains("mastodon-web.service is failed"), "{}", not.text);
        assert_eq!((not.occasion, not.code.as_deref()), (Occasion::Failed, Some("not-confirmed")));
    }
}

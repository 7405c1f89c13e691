//! What clients ask about telling people. Answered by tasks of their own: a test waits for servers out there.

use super::{
    Dispatcher,
    asks::{error, unknown_job},
    reply,
};
use crate::{
    notify::Fact,
    tell::{Telling, Told},
};
use jiff::Timestamp;
use mastmaint_control::words::Reply;
use mastmaint_words::JobName;
use tokio::sync::{mpsc, oneshot};

impl Dispatcher {
    pub(super) fn acknowledge(
        &self,
        job: JobName,
        until: Option<Timestamp>,
        uid: u32,
        replies: mpsc::Sender<Reply>,
    ) {
        let known = self.config.view.jobs.contains_key(&job);
        let is_past = until.is_some_and(|until| until <= Timestamp::now());
        let (answer, answered) = oneshot::channel();
        if known && !is_past {
            self.notify(Fact::Ack { job: job.clone(), until, uid, answer });
        }
        let teller = self.outside.teller.clone();
        tokio::spawn(async move {
            let said = match answered.await {
                _ if !known => unknown_job(&job),
                _ if is_past => error("past", "that has passed already; give a later end".to_owned()),
                Ok(true) => {
                    teller.of_daemon(Told::Telling(Telling::Acknowledged { job, until, uid }));
                    Reply::Done
                }
                _ => error("nothing-wrong", format!("nothing is wrong with {job}: nobody is reminded of it")),
            };
            reply(&replies, said).await;
        });
    }

    pub(super) fn test_notify(&self, target: Option<u16>, replies: mpsc::Sender<Reply>) {
        let targets = self.config.view.notify.len();
        let is_there = match target {
            Some(number) => (1..=targets).contains(&usize::from(number)),
            None => targets > 0,
        };
        let (answer, answered) = oneshot::channel();
        if is_there {
            self.notify(Fact::Test { target, answer });
        }
        tokio::spawn(async move {
            let said = match answered.await {
                Ok(answers) => Reply::Tested { answers },
                Err(_) if targets == 0 => {
                    error("no-target", "the configuration names nobody to notify; add `notify:`".to_owned())
                }
                Err(_) => error("no-target", format!("there is no such target; they are 1 to {targets}")),
            };
            reply(&replies, said).await;
        });
    }
}

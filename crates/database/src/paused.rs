//! PgBouncer is paused around a rename, where the instance's own way leads through one: it ends its sessions, and who
//! comes meanwhile waits instead of getting an error. It goes on in any case.

use crate::{
    pooler::{self, CONSOLE, Who},
    site::Bench,
    text::identifier,
};
use std::{io::ErrorKind, time::Duration};

/// Mastodon's services are down: nothing that it would wait for takes longer.
const PAUSE: Duration = Duration::from_secs(20);
const RESUME: Duration = Duration::from_secs(10);

/// Paused until it is dropped, or nothing.
pub(crate) struct Paused<'a> {
    bench: &'a Bench<'a>,
    /// What its console calls the database.
    name: Option<String>,
}

impl<'a> Paused<'a> {
    /// Pauses what is before the database.
    pub(crate) fn pause(bench: &'a Bench<'a>) -> Self {
        let nothing = Self { bench, name: None };
        let Some(own) = &bench.site.settings.own else { return nothing };
        let (server, at) = (bench.server.by(own), own.at());
        match pooler::who(&server) {
            Who::Console => {}
            Who::Pooler(why) => {
                bench.say(&format!(
                    "the pooler at {at} does not take commands from {} ({why}): its idle sessions are ended instead",
                    own.database.user
                ));
                return nothing;
            }
            Who::Server => return nothing,
            Who::Nobody(why) => {
                bench.say(&format!("the instance's own way to the database, {at}, does not answer: {why}"));
                return nothing;
            }
        }
        let name = own.database.name.clone();
        bench.reach("pause");
        let pause = format!("PAUSE {}", identifier(&name));
        let mut paused = Self { bench, name: Some(name) };
        match server.console(CONSOLE, &[&pause], PAUSE) {
            Ok(_) => bench.say(&format!("paused PgBouncer at {at}")),
            // Who was killed before had paused it.
            Err(refusal) if refusal.said.contains("already") => {}
            Err(refusal) => {
                let said = &refusal.said;
                bench.say(&format!(
                    "PgBouncer at {at} was not paused ({said}): its idle sessions are ended instead"
                ));
                // One that still waits for somebody is paused all the same.
                if refusal.kind != ErrorKind::TimedOut {
                    paused.name = None;
                }
            }
        }
        bench.reach("paused");
        paused
    }

    /// Lets it go on, also where who paused it was killed.
    pub(crate) fn resume(bench: &'a Bench<'a>) {
        let Some(own) = &bench.site.settings.own else { return };
        if pooler::who(&bench.server.by(own)) == Who::Console {
            drop(Self { bench, name: Some(own.database.name.clone()) });
        }
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        let (Some(name), Some(own)) = (&self.name, &self.bench.site.settings.own) else { return };
        self.bench.reach("resume");
        let resume = format!("RESUME {}", identifier(name));
        if let Err(refusal) = self.bench.server.by(own).console(CONSOLE, &[&resume], RESUME)
            && !refusal.said.contains("not paused")
        {
            self.bench.say(&format!(
                "PgBouncer at {} does not go on ({}): as its administrator say RESUME {name}",
                own.at(),
                refusal.said
            ));
        }
        self.bench.reach("resumed");
    }
}

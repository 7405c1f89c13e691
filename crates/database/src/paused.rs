//! PgBouncer is paused around a rename, where the instance's own way leads through one: it ends its sessions, and who
//! comes meanwhile waits instead of getting an error. It goes on in any case.

use crate::{
    note::{Note, let_go},
    pooler::{self, CONSOLE, Who},
    site::Bench,
    text::identifier,
};
use std::{io::ErrorKind, time::Duration};

/// Mastodon's services are down: nothing that it would wait for takes longer.
const PAUSE: Duration = Duration::from_secs(20);

/// Paused until it is dropped, or nothing.
pub(crate) struct Paused<'a> {
    bench: &'a Bench<'a>,
    /// What its console calls the database.
    name: Option<String>,
    /// What lets it go on if this process is killed.
    note: Option<Note>,
}

impl<'a> Paused<'a> {
    /// Pauses what is before the database.
    pub(crate) fn pause(bench: &'a Bench<'a>) -> Self {
        let nothing = Self { bench, name: None, note: None };
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
        let note = match bench.note_pause() {
            Ok(note) => note,
            Err(error) => {
                bench.say(&format!(
                    "PgBouncer at {at} was not paused, because nobody would know of it ({error}): its idle sessions are \
                     ended instead"
                ));
                return nothing;
            }
        };
        bench.reach("pause");
        let pause = format!("PAUSE {}", identifier(&name));
        let mut paused = Self { bench, name: Some(name), note: Some(note) };
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
                    if let Some(note) = paused.note.take() {
                        note.remove();
                    }
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
            let note = bench.note_pause().ok();
            drop(Self { bench, name: Some(own.database.name.clone()), note });
        }
    }
}

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        let (Some(name), Some(own)) = (&self.name, &self.bench.site.settings.own) else { return };
        self.bench.reach("resume");
        match let_go(&self.bench.server.by(own), name) {
            Ok(()) => {
                if let Some(note) = self.note.take() {
                    note.remove();
                }
            }
            Err(why) => self.bench.say(&format!(
                "PgBouncer at {} does not go on ({why}): as its administrator say RESUME {name}",
                own.at()
            )),
        }
        self.bench.reach("resumed");
    }
}

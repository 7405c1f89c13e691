//! The database room: one request comes in with an open dump, what came of it goes out. Only root may knock, so what is
//! asked is believed; what it may cost is bounded by the wire.

use crate::{error::DatabaseError, load, settings::Settings, site::Site};
use mastmaint_config::Store;
use mastmaint_instance::settings_of;
use mastmaint_verify::{
    load::{Outcome, Request},
    prove::Tell as _,
    wire::{self, Hangup},
};
use mastmaint_words::{Room, restore::Restoring};
use std::{fs::File, io, os::unix::net::UnixStream, path::Path, sync::atomic::AtomicBool};

/// Receives one request, does it, answers.
///
/// # Errors
/// If nobody hears the answer, or it is none that can be understood.
pub fn answer(
    from: &UnixStream,
    accepted: &Path,
    is_cancelled: &AtomicBool,
    reach: &dyn Fn(&'static str),
) -> io::Result<Outcome> {
    let (request, handed): (Request, Vec<File>) = wire::receive(from)?;
    let hangup = Hangup::new(from, is_cancelled);
    let outcome = loaded(&request, handed, accepted, &hangup, reach)
        .unwrap_or_else(|error| Outcome::Refused { code: error.code(), why: error.to_string() });
    reach("load.answer");
    let told = hangup.done(&outcome);
    // Who has gone hears nothing; what they wanted is undone by then.
    if hangup.is_cancelled() { Ok(outcome) } else { told.map(|()| outcome) }
}

fn loaded(
    request: &Request,
    handed: Vec<File>,
    accepted: &Path,
    hangup: &Hangup<'_>,
    reach: &dyn Fn(&'static str),
) -> Result<Outcome, DatabaseError> {
    let view = Store::new(accepted).room_view(Room::Tootctl, &request.digest)?;
    let none = || DatabaseError::Settings("the accepted configuration has no instance".to_owned());
    let instance = view.instance.ok_or_else(none)?;
    // Files that come back with it bring the code, and perhaps the settings, that it must belong to.
    let copy = Restoring::copy(&instance.live, &request.run);
    let code = if copy.is_dir() { &copy } else { &instance.live };
    let at = settings_of(&instance.live, &request.run);
    let settings = Settings::read(code, &at, &instance.environment, &request.variables)?;
    let site = Site { settings: &settings, paused: None, tell: hangup, reach };
    let Some(dump) = &request.dump else { return load::look(&site, &request.run) };
    let file = handed.into_iter().next();
    let file = file.ok_or_else(|| DatabaseError::io("the dump")(io::Error::other("none came along")))?;
    let mut plan = load::load(&site, &request.run, dump, file)?;
    if at != instance.live {
        let way = site.settings.way();
        plan.notes.push(format!(
            "which database is meant the settings that come back with the files say: {way}; name another one with --env"
        ));
    }
    Ok(Outcome::Loaded(plan))
}

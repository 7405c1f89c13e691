//! The room's side of the protocol: greeted, asked, answered.

use crate::send;
use mastmaint_config::{
    Store,
    targets::{Target, Way},
};
use mastmaint_runner::{
    protocol::{EventKind, OLDEST_VERSION, Op},
    redact::Redactor,
    room::connection::{Asked, Connection, refused},
};
use mastmaint_words::{Digest, Room};
use std::{
    io,
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::Duration,
};

/// How long a client may stay without a request.
const IDLE: Duration = Duration::from_secs(30);
/// So much of what the other side said is passed on.
const MOST_ANSWER: usize = 500;

/// Serves one client until it goes. `accepted` is the root of the accepted configurations.
///
/// # Errors
/// If the connection cannot be used. Everything else is said to the client.
pub fn serve(accepted: &Path, stream: UnixStream) -> io::Result<()> {
    let mut connection = Connection::new(stream)?;
    let program = env!("CARGO_PKG_VERSION").to_owned();
    connection.say(EventKind::Hello { room: Room::Notify, program, oldest: OLDEST_VERSION })?;
    loop {
        match connection.ask(Some(IDLE)) {
            Asked::Nothing | Asked::Gone => return Ok(()),
            Asked::Nonsense(refusal) => return connection.say(refusal),
            Asked::For(Op::Notify { digest, target, notice }) => {
                let answer = match find(accepted, &digest, target) {
                    Ok(target) => match send(&target, &notice) {
                        Ok(answer) => EventKind::Notified { answer: clean(&target, &answer) },
                        Err(error) => refused("not-told", clean(&target, &error.to_string())),
                    },
                    Err(refusal) => refusal,
                };
                connection.say(answer)?;
            }
            Asked::For(Op::List) => connection.say(EventKind::Listed)?,
            Asked::For(_) => {
                connection.say(refused("wrong-room", "no step runs in the notify room"))?;
            }
        }
    }
}

/// The target that a request names.
fn find(accepted: &Path, digest: &Digest, target: u16) -> Result<Target, EventKind> {
    let view = Store::new(PathBuf::from(accepted)).room_view(Room::Notify, digest).map_err(|error| {
        let text = format!("the notify room cannot read the accepted configuration {digest}: {error}");
        refused("not-in-config", text)
    })?;
    view.notify.into_iter().nth(usize::from(target)).ok_or_else(|| {
        let text = format!("the configuration {digest} has no target {} to notify", target + 1);
        refused("not-in-config", text)
    })
}

/// One line without secrets: servers may say back what they were sent.
fn clean(target: &Target, text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let token = match &target.way {
        Way::Webhook(hook) => hook.token.as_ref().map(|token| token.expose().to_owned()),
        Way::Mail(_) | Way::Healthchecks { .. } => None,
    };
    let mut line = Redactor::from_secrets(token).redact(&line).into_owned();
    if line.len() > MOST_ANSWER {
        line.truncate(line.floor_char_boundary(MOST_ANSWER));
        line.push('…');
    }
    line
}

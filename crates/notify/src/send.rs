//! One message to one target, within a bounded time.

use crate::{error::SendError, mail, ping, webhook};
use mastmaint_config::targets::{Target, Way};
use mastmaint_runner::protocol::Notice;
use std::{sync::mpsc, thread, time::Duration};

/// All of it together: names, connections, a server that answers byte by byte.
const PATIENCE: Duration = Duration::from_mins(1);

/// Tells a target; what it answered.
///
/// # Errors
/// [`SendError`]: nobody was told as far as is known.
pub fn send(target: &Target, notice: &Notice) -> Result<String, SendError> {
    let (answer, answered) = mpsc::channel();
    let (way, notice) = (target.way.clone(), notice.clone());
    // A thread that hangs ends with the process, which ends with its one request.
    thread::spawn(move || {
        let told = match &way {
            Way::Mail(to) => mail::send(to, &notice),
            Way::Webhook(hook) => webhook::send(hook, &notice),
            Way::Healthchecks { url } => ping::send(url, &notice),
        };
        // Whoever waited has given up.
        let _ = answer.send(told);
    });
    answered.recv_timeout(PATIENCE).unwrap_or(Err(SendError::TooLong { seconds: PATIENCE.as_secs() }))
}

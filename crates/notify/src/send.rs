//! One message to one target, within a bounded time.

use crate::{error::SendError, mail, ping, webhook};
use mastmaint_config::targets::{Target, Way};
use mastmaint_runner::{protocol::Notice, redact::Redactor};
use std::{sync::mpsc, thread, time::Duration};

/// All of it together: names, connections, a server that answers byte by byte.
const PATIENCE: Duration = Duration::from_mins(1);

/// Tells a target; what it answered.
///
/// # Errors
/// [`SendError`]: nobody was told as far as is known.
pub fn send(target: &Target, notice: &Notice) -> Result<String, SendError> {
    let (answer, answered) = mpsc::channel();
    let (way, notice) = (target.way.clone(), redacted(notice));
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

/// A message without anything secret in it, whatever it was made of.
fn redacted(notice: &Notice) -> Notice {
    let redactor = Redactor::from_secrets([]);
    let clean = |text: &str| redactor.redact(text).into_owned();
    Notice { subject: clean(&notice.subject), text: clean(&notice.text), ..notice.clone() }.fitting()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mastmaint_words::Occasion;

    #[test]
    fn what_looks_like_a_secret_is_taken_out_of_every_message() {
        let notice = redacted(&Notice {
            occasion: Occasion::Failed,
            at: Timestamp::UNIX_EPOCH,
            job: None,
            run: None,
            outcome: None,
            code: None,
            subject: "work failed: postgres://mastodon:hunter2@db/x does not answer".to_owned(),
            text: "access_token=0123456789abcdef\nask someone@private.example\n".to_owned(),
        });
        assert!(
            notice.subject.contains("does not answer") && !notice.subject.contains("hunter2"),
            "{notice:?}"
        );
        assert!(
            !notice.text.contains("0123456789abcdef") && !notice.text.contains("private.example"),
            "{notice:?}"
        );
    }
}

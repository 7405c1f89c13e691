//! Who may ask what. The sockets' owners and modes say who may knock; this says what is answered.

use crate::words::{Reply, Request};

/// The two control sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Socket {
    /// `observe.sock`, for the group: questions only.
    Looking,
    /// `control.sock`, for root and the daemon's own user: everything.
    Doing,
}

/// Whether a request is answered, or with which reply it is refused. `peer_uid` comes from `SO_PEERCRED`.
///
/// # Errors
/// The refusal to send.
pub fn allowed(request: &Request, socket: Socket, peer_uid: u32, own_uid: u32) -> Result<(), Reply> {
    let may_do = peer_uid == 0 || peer_uid == own_uid;
    match socket {
        // A mode that was loosened by hand must not turn everybody into an operator.
        Socket::Doing if !may_do => Err(refusal(format!(
            "user {peer_uid} may not use the control socket: use sudo (to look, join the group mastmaintd)"
        ))),
        Socket::Looking if request.is_doing() => Err(refusal(
            "this socket answers questions only: what changes something is asked on control.sock, by root"
                .to_owned(),
        )),
        Socket::Looking | Socket::Doing => Ok(()),
    }
}

fn refusal(message: String) -> Reply {
    Reply::Error { code: "not-allowed".to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_words::{HoldId, HoldScope};

    fn all() -> Vec<Request> {
        let job: mastmaint_words::JobName = "clean-media".parse().unwrap();
        let run: mastmaint_words::RunId = "20261123T003000Z-7k3f9q".parse().unwrap();
        let (from, until) = (jiff::Timestamp::UNIX_EPOCH, jiff::Timestamp::MAX);
        vec![
            Request::Status,
            Request::Jobs,
            Request::History { job: None, limit: 1 },
            Request::Show { run: run.to_string() },
            Request::Output { run: run.clone(), step: mastmaint_words::StepIndex(0) },
            Request::Follow { run },
            Request::Backups,
            Request::Holds,
            Request::Incidents { limit: 1 },
            Request::Run { job: job.clone(), dry_run: false, despite_hold: false },
            Request::Approve { run: "clean-media".to_owned() },
            Request::Cancel { run: "clean-media".to_owned() },
            Request::Pause { job: job.clone() },
            Request::Resume { job },
            Request::HoldAdd { from, until, scope: HoldScope::All, reason: String::new() },
            Request::HoldRemove { id: HoldId(1) },
            Request::Reload,
            Request::Ack { job: "clean-media".parse().unwrap(), until: None },
            Request::AckFinding { finding: mastmaint_words::backup::FindingId(1), until: None },
            Request::NotifyTest { target: None },
        ]
    }

    #[test]
    fn who_may_look_may_not_do() {
        let refused: Vec<bool> =
            all().iter().map(|r| allowed(r, Socket::Looking, 1000, 990).is_err()).collect();
        assert_eq!(refused, [[false; 9].as_slice(), &[true; 11]].concat());
        // Root is no exception: the socket says what is answered on it.
        assert!(allowed(&Request::Reload, Socket::Looking, 0, 990).is_err());
    }

    #[test]
    fn root_and_the_daemons_own_user_may_do_and_nobody_else() {
        for request in all() {
            assert_eq!(allowed(&request, Socket::Doing, 0, 990), Ok(()));
            assert_eq!(allowed(&request, Socket::Doing, 990, 990), Ok(()));
            assert!(matches!(
                allowed(&request, Socket::Doing, 1000, 990),
                Err(Reply::Error { code, message }) if code == "not-allowed" && message.contains("sudo")
            ));
        }
    }
}

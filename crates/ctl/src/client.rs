//! The daemon as this program sees it: two sockets in a directory, one for looking and one for doing.

use crate::error::CtlError;
use mastmaint_control::{
    Client, ClientError,
    words::{Reply, Request},
};
use std::{path::PathBuf, time::Duration};

/// Longer than any listing takes; a daemon that is silent for so long is as good as gone.
const PATIENCE: Duration = Duration::from_secs(15);
/// A reload asks the systemctl room, which reads and stores the configuration.
const RELOAD_PATIENCE: Duration = Duration::from_mins(2);

/// A test waits for servers out there, none of them longer than this.
const TEST_PATIENCE: Duration = Duration::from_mins(2);

/// Where the daemon listens.
#[derive(Debug, Clone)]
pub struct Daemon {
    runtime_dir: PathBuf,
}

impl Daemon {
    /// The daemon whose sockets are in this directory.
    pub const fn new(runtime_dir: PathBuf) -> Self {
        Self { runtime_dir }
    }

    /// Asks one thing. A refusal is an error.
    pub fn ask(&self, request: &Request) -> Result<Reply, CtlError> {
        let patience = match request {
            Request::Reload => RELOAD_PATIENCE,
            Request::NotifyTest { .. } => TEST_PATIENCE,
            _ => PATIENCE,
        };
        understood(self.connect(request, Some(patience))?.ask(request)?)
    }

    /// A connection for a thing that is answered piece by piece; it waits for each piece as long as told.
    pub fn connect(&self, request: &Request, patience: Option<Duration>) -> Result<Client, ClientError> {
        let socket = if request.is_doing() { "control.sock" } else { "observe.sock" };
        Client::connect(&self.runtime_dir.join(socket), patience)
    }
}

/// A reply that is no refusal.
pub fn understood(reply: Reply) -> Result<Reply, CtlError> {
    match reply {
        Reply::Error { code, message } => Err(CtlError::Refused { code, message }),
        other => Ok(other),
    }
}

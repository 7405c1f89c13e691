//! Joins a client to the runner that works on its step: bytes are passed on in both directions until either goes.

use super::connection::{Connection, has_hung_up};
use crate::codec;
use crate::protocol::Op;
use crate::step_dir::Steps;
use mastmaint_words::StepKey;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

/// How a relay ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relayed {
    /// It carried something, or the client is gone.
    Done,
    /// The other runner is not there (yet, or any more) and said nothing: look again.
    Nothing,
}

/// Passes the request `op` and everything after it to the runner that holds the step, and its answers back.
///
/// # Errors
/// If the client's socket cannot be used.
pub(super) fn relay(steps: &Steps, key: &StepKey, connection: &Connection, op: &Op) -> io::Result<Relayed> {
    let Ok(mut upstream) = steps.connect(key) else { return Ok(Relayed::Nothing) };
    let request = codec::encode_request(op.clone()).map_err(io::Error::other)?;
    if upstream.write_all(&request).is_err() || upstream.write_all(connection.reader.buffer()).is_err() {
        return Ok(Relayed::Nothing);
    }
    let mut client = connection.stream().try_clone()?;
    client.set_read_timeout(None)?;
    let mut carried = false;
    let mut client_asks = true;
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let (from_client, from_upstream) = wait(&client, client_asks, &upstream)?;
        if from_upstream {
            match upstream.read(&mut buffer) {
                Ok(length) if length > 0 => {
                    carried = true;
                    if client.write_all(&buffer[..length]).is_err() {
                        return Ok(Relayed::Done);
                    }
                }
                _ if carried => return Ok(Relayed::Done),
                _ => return Ok(Relayed::Nothing),
            }
        }
        if from_client {
            match client.read(&mut buffer) {
                Ok(length) if length > 0 => {
                    carried = true;
                    if upstream.write_all(&buffer[..length]).is_err() {
                        // Its last words may still be on their way here.
                        client_asks = false;
                    }
                }
                _ if has_hung_up(&client) => return Ok(Relayed::Done),
                _ => {
                    // It only stopped asking and still wants to hear the rest.
                    client_asks = false;
                    let _ = upstream.shutdown(Shutdown::Write);
                }
            }
        }
    }
}

/// Waits until one of them has something, or has hung up.
fn wait(client: &UnixStream, client_asks: bool, upstream: &UnixStream) -> io::Result<(bool, bool)> {
    let asked = if client_asks { PollFlags::POLLIN } else { PollFlags::empty() };
    let mut descriptors =
        [PollFd::new(client.as_fd(), asked), PollFd::new(upstream.as_fd(), PollFlags::POLLIN)];
    match poll(&mut descriptors, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => {
            Ok((descriptors[0].any() == Some(true), descriptors[1].any() == Some(true)))
        }
        Err(errno) => Err(errno.into()),
    }
}

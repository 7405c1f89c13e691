//! The clients of a running step: a thread that hears each one's requests and a thread that sends it what the hub
//! has for it. A client that goes away or stalls is dropped; the step does not notice.

use super::connection::{Asked, Connection, has_hung_up, refused};
use super::hub::Hub;
use crate::exec::Orders;
use crate::protocol::{EndingCause, EventKind, Op};
use mastmaint_words::StepKey;
use std::io::Write;
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;

/// What a client can act on.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) key: StepKey,
    pub(super) hub: Arc<Hub>,
    pub(super) orders: Orders,
}

/// Gives a client a seat and serves it from now on; `first` is a request that was read already.
pub(super) fn seat(desk: &Desk, mut connection: Connection, first: Option<&Op>) {
    let Some(id) = desk.hub.join() else {
        let _ = connection.say(refused("busy", "too many clients follow this step already; try again later"));
        return;
    };
    if let Some(op) = first {
        obey(desk, id, op);
    }
    let (stream, reader) = connection.into_parts();
    let Ok(for_hearing) = stream.try_clone() else {
        desk.hub.leave(id);
        return;
    };
    let hearing = desk.clone();
    thread::spawn(move || hear(&hearing, id, Connection::from_parts(for_hearing, reader)));
    let hub = Arc::clone(&desk.hub);
    thread::spawn(move || send(&hub, id, stream));
}

/// Seats everybody who comes to the step's socket.
pub(super) fn accept_all(desk: Desk, listener: UnixListener) {
    thread::spawn(move || {
        for stream in listener.incoming() {
            match stream.and_then(Connection::new) {
                Ok(connection) => seat(&desk, connection, None),
                // Out of descriptors or memory: those who follow already matter more than a busy loop.
                Err(_) => thread::sleep(std::time::Duration::from_millis(100)),
            }
        }
    });
}

fn hear(desk: &Desk, id: u64, mut connection: Connection) {
    loop {
        match connection.ask(None) {
            Asked::For(op) => obey(desk, id, &op),
            Asked::Nonsense(refusal) => return desk.hub.dismiss(id, refusal),
            Asked::Gone if has_hung_up(connection.stream()) => return desk.hub.leave(id),
            Asked::Gone | Asked::Nothing => return desk.hub.falls_silent(id),
        }
    }
}

fn obey(desk: &Desk, id: u64, op: &Op) {
    let Some(key) = op.key() else {
        let text = format!("this connection belongs to the step {}; open another one", desk.key);
        return desk.hub.reply(id, refused("busy", text));
    };
    if *key != desk.key {
        let text = format!("this connection belongs to the step {}; open another one for {key}", desk.key);
        return desk.hub.reply(id, refused("busy", text));
    }
    match op {
        Op::Start { .. } => desk.hub.follow(id, 0),
        Op::Collect { after, .. } => desk.hub.follow(id, *after),
        Op::Cancel { .. } if desk.hub.is_finished() => desk.hub.reply(id, not_running(&desk.key)),
        Op::Cancel { gently, .. } => {
            if *gently {
                desk.orders.cancel_gently();
            } else {
                desk.orders.cancel(EndingCause::Cancel);
            }
            desk.hub.reply(id, EventKind::Cancelling);
        }
        Op::Forget { .. } if desk.hub.is_finished() => desk.hub.ask_to_forget(id),
        Op::Forget { .. } => {
            let text = format!("the step {} still runs; it can be forgotten when it has finished", desk.key);
            desk.hub.reply(id, refused("busy", text));
        }
        Op::Accept { .. }
        | Op::Notify { .. }
        | Op::List
        | Op::Brackets
        | Op::Resume { .. }
        | Op::Probe { .. }
        | Op::Ask { .. }
        | Op::Look { .. } => {}
    }
}

pub(super) fn not_running(key: &StepKey) -> EventKind {
    refused("not-running", format!("the step {key} has ended already; collect it to see how"))
}

fn send(hub: &Hub, id: u64, mut stream: UnixStream) {
    while let Some(frames) = hub.next(id) {
        let bytes: Vec<u8> = frames.iter().flat_map(|frame| frame.iter().copied()).collect();
        if stream.write_all(&bytes).is_err() {
            break;
        }
    }
    // Wakes the thread that hears it, too.
    let _ = stream.shutdown(Shutdown::Both);
    hub.leave(id);
}

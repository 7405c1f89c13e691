//! One client of a control socket: one request, its replies, the end.

use super::{Ask, REPLY_QUEUE};
use mastmaint_control::{
    Socket, allowed, decode_request, encode_reply,
    words::{MAX_REQUEST, Reply},
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{os::fd::AsFd as _, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{OwnedSemaphorePermit, mpsc},
};

/// A program that wants something says so at once.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A reader that takes nothing for this long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is looked whether a client that will ask no more is still there.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Serves one connection. Without a permit there are too many already.
pub(super) async fn serve(
    stream: UnixStream,
    kind: Socket,
    asks: mpsc::Sender<Ask>,
    permit: Option<OwnedSemaphorePermit>,
) {
    let peer = stream.peer_cred().map(|cred| cred.uid());
    let (reader, mut writer) = stream.into_split();
    if permit.is_none() {
        say(&mut writer, &error("too-many-clients", "too many clients at once; try again in a moment")).await;
        return;
    }
    let mut line = Vec::new();
    let cap = u64::try_from(MAX_REQUEST).unwrap_or(u64::MAX) + 1;
    let mut reader = BufReader::new(reader).take(cap);
    let Ok(Ok(_)) = tokio::time::timeout(REQUEST_TIMEOUT, reader.read_until(b'\n', &mut line)).await else {
        return;
    };
    let own = nix::unistd::geteuid().as_raw();
    let checked = peer
        .map_err(|e| error("not-allowed", &format!("the kernel does not say who you are: {e}")))
        .and_then(|uid| {
            let request = decode_request(&line)?;
            allowed(&request, kind, uid, own)?;
            Ok((request, uid))
        });
    let (request, uid) = match checked {
        Ok(checked) => checked,
        Err(reply) => {
            say(&mut writer, &reply).await;
            return;
        }
    };
    let (replies, mut answers) = mpsc::channel(REPLY_QUEUE);
    if asks.send(Ask { request, uid, replies }).await.is_err() {
        say(&mut writer, &error("stopping", "the daemon is stopping")).await;
        return;
    }
    // Whoever has hung up gives back their place at once, not when there is something to tell them again.
    let gone = hung_up(reader.into_inner().into_inner());
    tokio::pin!(gone);
    loop {
        let reply = tokio::select! {
            biased;
            reply = answers.recv() => reply,
            () = &mut gone => return,
        };
        let Some(reply) = reply else { return };
        if !say(&mut writer, &reply).await {
            return;
        }
    }
}

/// Comes back when nobody is at the other end any more. What a client says after its request is read, within bounds, and
/// not listened to.
async fn hung_up(mut reader: OwnedReadHalf) {
    let (mut more, mut left) = ([0; 512], MAX_REQUEST);
    while let Ok(n @ 1..) = reader.read(&mut more).await {
        left = left.saturating_sub(n);
        if left == 0 {
            break;
        }
    }
    // A client may say that it will ask no more and still listen: only the kernel knows, and it wakes nobody for it.
    while !is_gone(reader.as_ref()) {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

fn is_gone(stream: &UnixStream) -> bool {
    let mut asked = [PollFd::new(stream.as_fd(), PollFlags::empty())];
    let answered = poll(&mut asked, PollTimeout::ZERO);
    let over = PollFlags::POLLHUP | PollFlags::POLLERR;
    answered.is_ok() && asked[0].revents().is_some_and(|seen| seen.intersects(over))
}

fn error(code: &str, message: &str) -> Reply {
    Reply::Error { code: code.to_owned(), message: message.to_owned() }
}

/// Writes one reply; false if the client is gone.
async fn say(writer: &mut OwnedWriteHalf, reply: &Reply) -> bool {
    let line = encode_reply(reply);
    matches!(tokio::time::timeout(WRITE_TIMEOUT, writer.write_all(&line)).await, Ok(Ok(())))
}

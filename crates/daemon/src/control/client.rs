//! One client of a control socket: one request, its replies, the end.

use super::{Ask, REPLY_QUEUE};
use mastmaint_control::{
    Socket, allowed, decode_request, encode_reply,
    words::{MAX_REQUEST, Reply},
};
use std::time::Duration;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixStream, unix::OwnedWriteHalf},
    sync::{OwnedSemaphorePermit, mpsc},
};

/// A program that wants something says so at once.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A reader that takes nothing for this long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

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
    while let Some(reply) = answers.recv().await {
        if !say(&mut writer, &reply).await {
            return;
        }
    }
}

fn error(code: &str, message: &str) -> Reply {
    Reply::Error { code: code.to_owned(), message: message.to_owned() }
}

/// Writes one reply; false if the client is gone.
async fn say(writer: &mut OwnedWriteHalf, reply: &Reply) -> bool {
    let line = encode_reply(reply);
    matches!(tokio::time::timeout(WRITE_TIMEOUT, writer.write_all(&line)).await, Ok(Ok(())))
}

//! Open files that are handed from one room to another over a Unix socket, with a line that says what they are for.
//! Whoever gets them needs no right to what they are files of.

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, IoSlice, IoSliceMut, Read as _, Write as _},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, BorrowedFd},
        unix::net::UnixStream,
    },
};

/// A longer line is none of ours.
pub(crate) const LONGEST: u64 = 4 * 1024 * 1024;
/// More files than these are never handed over together.
const MOST: usize = 2;

/// Sends a line, and the files with it.
pub fn send(to: &UnixStream, what: &impl Serialize, files: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    // The room for two may hold a third, by the way it is aligned.
    if files.len() > MOST || !control.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(io::Error::other(format!("there are more than {MOST} files to hand over")));
    }
    sendmsg(to, &[IoSlice::new(b"d")], &mut control, SendFlags::NOSIGNAL)?;
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    let mut to = to;
    to.write_all(&line)
}

/// Receives a line, and the files that come with it, in their order.
pub fn receive<T: DeserializeOwned>(from: &UnixStream) -> io::Result<(T, Vec<File>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MOST))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(from.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let handed = control.drain().flat_map(|message| match message {
        RecvAncillaryMessage::ScmRights(handed) => handed.map(File::from).collect(),
        _ => Vec::new(),
    });
    let handed = handed.collect();
    let mut line = Vec::new();
    BufReader::new(from.take(LONGEST)).read_until(b'\n', &mut line)?;
    Ok((serde_json::from_slice(&line)?, handed))
}

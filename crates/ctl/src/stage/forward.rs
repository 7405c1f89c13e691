//! The port at which a staged Mastodon is reached: on this host's loopback and nowhere else.

use super::{
    StageError,
    relay::{Site, refuse, relay},
    request::Refused,
};
use crate::error::CtlError;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::fd::AsFd as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// A browser opens six.
const MOST: usize = 32;
/// How often the thread that waits for browsers looks whether it is over; also how long it waits after a failure that may
/// pass.
const A_MOMENT: Duration = Duration::from_millis(200);

/// A port that nobody is let in by yet.
#[derive(Debug)]
pub(super) struct Port {
    listener: TcpListener,
    pub(super) number: u16,
}

impl Port {
    /// This one, or any.
    pub(super) fn take(wanted: Option<u16>) -> Result<Self, StageError> {
        let port = wanted.unwrap_or(0);
        let of = |source| StageError::Port { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(of)?;
        listener.set_nonblocking(true).map_err(of)?;
        let number = listener.local_addr().map_err(of)?.port();
        Ok(Self { listener, number })
    }

    /// Lets browsers in until what comes back is dropped.
    pub(super) fn open(self, site: Site) -> Result<Forward, CtlError> {
        let site = Arc::new(site);
        let seen = Arc::clone(&site);
        let thread = thread::Builder::new().spawn(move || let_in(&self.listener, &seen));
        let thread = thread.map_err(|source| CtlError::System { what: "cannot let browsers in", source })?;
        Ok(Forward { site, thread: Some(thread) })
    }
}

/// An open port.
#[derive(Debug)]
pub(super) struct Forward {
    site: Arc<Site>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.site.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It has closed the port then; connections end within a moment.
            let _ = thread.join();
        }
    }
}

fn let_in(listener: &TcpListener, site: &Arc<Site>) {
    let open = Arc::new(AtomicUsize::new(0));
    let patience = PollTimeout::try_from(A_MOMENT).unwrap_or(PollTimeout::ZERO);
    while !site.is_over.load(Ordering::Relaxed) {
        let mut look = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        if !poll(&mut look, patience).is_ok_and(|ready| ready > 0) {
            continue;
        }
        match listener.accept() {
            Ok((browser, _)) => meet(browser, site, &open),
            // Without descriptors, say: to try again at once would burn the processor.
            Err(_) => thread::sleep(A_MOMENT),
        }
    }
}

/// A thread for each, up to so many; as many again are told that they are too many.
fn meet(browser: TcpStream, site: &Arc<Site>, open: &Arc<AtomicUsize>) {
    let place = Taken(Arc::clone(open));
    let before = open.fetch_add(1, Ordering::Relaxed);
    if before >= 2 * MOST {
        return;
    }
    let is_too_many = before >= MOST;
    let site = Arc::clone(site);
    // Where there is no thread the connection is closed, and the browser tries again.
    let _ = thread::Builder::new().stack_size(256 * 1024).spawn(move || {
        let _place = place;
        if is_too_many { refuse(&browser, Refused::TooMany) } else { relay(&browser, &site) }
    });
}

/// One of the places; free again when it is dropped.
struct Taken(Arc<AtomicUsize>);

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

//! The process that speaks HTTP with browsers and with the staged Mastodon. Neither is believed, so it is one of its own,
//! which may nothing: who stages, being root, only listens and opens connections. Its standard input is the port, its
//! standard output leads to who keeps the door.

use super::{
    StageError,
    relay::{Site, refuse, relay},
    request::Refused,
    way::Way,
};
use crate::{error::CtlError, exit};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::prctl,
};
use std::{
    fs, io,
    net::{TcpListener, TcpStream},
    os::{fd::AsFd as _, unix::net::UnixStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

/// A browser opens six.
const MOST: usize = 32;
/// How often it looks whether it is over; also how long it waits after a failure that may pass.
const A_MOMENT: Duration = Duration::from_millis(200);
/// So many threads end within twice the time in which they look whether it is over.
const ENDING: Duration = Duration::from_secs(3);
/// What the kernel says of a process that it lets do more than others.
const POWERS: [&str; 3] = ["CapPrm:", "CapEff:", "CapAmb:"];

/// What it is told.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
pub struct Told {
    /// The name by which Mastodon is asked.
    #[arg(long)]
    host: String,
}

/// Passes on what browsers ask, until nobody keeps the door any more.
pub(crate) fn pass_on(told: Told) -> Result<u8, CtlError> {
    let system = |what| move |source| CtlError::System { what, source };
    prctl::set_no_new_privs().map_err(io::Error::from).map_err(system("cannot give up all privileges"))?;
    let status = fs::read_to_string("/proc/self/status").map_err(system("cannot see its own privileges"))?;
    if let Some(power) = power(&status) {
        return Err(StageError::Privileged(power).into());
    }
    let port = io::stdin().as_fd().try_clone_to_owned().map_err(system("has no port"))?;
    let keeper = io::stdout().as_fd().try_clone_to_owned().map_err(system("has no way to Mastodon"))?;
    let port = TcpListener::from(port);
    port.local_addr().map_err(system("has no port"))?;
    let site =
        Site { way: Way::by(UnixStream::from(keeper)), host: told.host, is_over: AtomicBool::new(false) };
    let_in(&port, &Arc::new(site));
    Ok(exit::FINE)
}

/// What a process could do that somebody else's could not; it must be nothing.
fn power(status: &str) -> Option<String> {
    let mut lines = status.lines();
    let is_root = |line: &&str| {
        line.strip_prefix("Uid:").is_some_and(|uids| uids.split_whitespace().any(|uid| uid == "0"))
    };
    let may_more = |line: &&str| {
        let value = POWERS.iter().find_map(|power| line.strip_prefix(power));
        value.is_some_and(|set| set.trim().bytes().any(|digit| digit != b'0'))
    };
    lines.find(|line| is_root(line) || may_more(line)).map(|line| line.replace('\t', " "))
}

fn let_in(port: &TcpListener, site: &Arc<Site>) {
    let open = Arc::new(AtomicUsize::new(0));
    let patience = PollTimeout::try_from(A_MOMENT).unwrap_or(PollTimeout::ZERO);
    while !site.way.is_closed() {
        let mut look = [PollFd::new(port.as_fd(), PollFlags::POLLIN)];
        if !poll(&mut look, patience).is_ok_and(|ready| ready > 0) {
            continue;
        }
        match port.accept() {
            Ok((browser, _)) => meet(browser, site, &open),
            // Without descriptors, say: to try again at once would burn the processor.
            Err(_) => thread::sleep(A_MOMENT),
        }
    }
    site.is_over.store(true, Ordering::Relaxed);
    // Whoever waits for an answer is told that none comes.
    let moments = ENDING.as_millis() / A_MOMENT.as_millis();
    for _ in 0..moments {
        if open.load(Ordering::Relaxed) == 0 {
            return;
        }
        thread::sleep(A_MOMENT);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_more_than_others_reads_nothing() {
        let status = |uids: &str, effective: &str, permitted: &str| {
            format!(
                "Name:\tmastmaintctl\nUid:\t{uids}\nGid:\t0\t0\t0\t0\nCapInh:\t0000000000000800\n\
                 CapPrm:\t{permitted}\nCapEff:\t{effective}\nCapBnd:\t000001ffffffffff\nCapAmb:\t0000000000000000\n"
            )
        };
        let none = "0000000000000000";
        assert_eq!(power(&status("64000\t64000\t64000\t64000", none, none)), None);
        for (status, what) in [
            (status("0\t0\t0\t0", none, none), "Uid: 0 0 0 0"),
            (status("64000\t64000\t0\t64000", none, none), "Uid: 64000 64000 0 64000"),
            (status("64000\t64000\t64000\t64000", "0000000000000004", none), "CapEff: 0000000000000004"),
            (status("64000\t64000\t64000\t64000", none, "0000000000000004"), "CapPrm: 0000000000000004"),
        ] {
            assert_eq!(power(&status).as_deref(), Some(what));
        }
    }
}

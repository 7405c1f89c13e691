//! What the daemon tells systemd. The words are those of the `sd-notify` crate; the socket is our own, because that
//! crate reads the environment at each call and knows no abstract sockets.

use sd_notify::NotifyState;
use std::{
    ffi::OsStr,
    fmt::Write as _,
    io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    time::Duration,
};

/// A service manager that reads nothing must not hold up the daemon for longer than this.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way to the service manager; says nothing to nobody where there is none.
#[derive(Debug)]
pub struct Notifier {
    manager: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// As the environment says: `NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`. Steps never see these: their
    /// environment is built from nothing.
    ///
    /// # Errors
    /// If `NOTIFY_SOCKET` is no address or there is no socket to be had.
    pub fn from_environment() -> io::Result<Self> {
        let text = |name| std::env::var(name).ok();
        Self::new(
            std::env::var_os("NOTIFY_SOCKET").as_deref(),
            text("WATCHDOG_USEC").as_deref(),
            text("WATCHDOG_PID").as_deref(),
        )
    }

    /// From the values of these variables.
    ///
    /// # Errors
    /// As [`Notifier::from_environment`].
    pub fn new(
        notify_socket: Option<&OsStr>,
        watchdog_usec: Option<&str>,
        watchdog_pid: Option<&str>,
    ) -> io::Result<Self> {
        let manager = match notify_socket.map(OsStr::as_bytes) {
            None | Some([]) => None,
            Some([b'@', name @ ..]) => Some(SocketAddr::from_abstract_name(name)?),
            Some(path) => Some(SocketAddr::from_pathname(OsStr::from_bytes(path))?),
        };
        let manager = match manager {
            None => None,
            Some(address) => {
                let socket = UnixDatagram::unbound()?;
                socket.set_write_timeout(Some(PATIENCE))?;
                Some((socket, address))
            }
        };
        // The watchdog of another process (a wrapper, a parent) is not ours to feed.
        let ours = watchdog_pid.is_none_or(|pid| pid.parse() == Ok(std::process::id()));
        let usec = watchdog_usec.and_then(|usec| usec.parse().ok()).filter(|usec| *usec > 0 && ours);
        Ok(Self { manager, watchdog: usec.map(Duration::from_micros) })
    }

    /// Whether anybody listens.
    pub const fn has_manager(&self) -> bool {
        self.manager.is_some()
    }

    /// After how long without [`Notifier::watchdog`] systemd kills us, if it does.
    pub const fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Start-up or reload is finished; with the status in the same message, so that none sees one without the other.
    ///
    /// # Errors
    /// As for all of these: if the message did not reach the manager.
    pub fn ready(&self, status: &str) -> io::Result<()> {
        self.send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))])
    }

    /// The sentence of `systemctl status`.
    ///
    /// # Errors
    /// If the message did not reach the manager.
    pub fn status(&self, status: &str) -> io::Result<()> {
        self.send(&[NotifyState::Status(&one_line(status))])
    }

    /// A reload begins; [`Notifier::ready`] ends it, also when the configuration was refused.
    ///
    /// # Errors
    /// If the message did not reach the manager.
    pub fn reloading(&self) -> io::Result<()> {
        // One message: systemd 253 and later refuse a reload whose time comes later.
        self.send(&[NotifyState::Reloading, NotifyState::monotonic_usec_now()?])
    }

    /// The daemon is about to end; no step is ended by it.
    ///
    /// # Errors
    /// If the message did not reach the manager.
    pub fn stopping(&self, status: &str) -> io::Result<()> {
        self.send(&[NotifyState::Stopping, NotifyState::Status(&one_line(status))])
    }

    /// The scheduler is alive.
    ///
    /// # Errors
    /// If the message did not reach the manager.
    pub fn watchdog(&self) -> io::Result<()> {
        self.send(&[NotifyState::Watchdog])
    }

    fn send(&self, words: &[NotifyState<'_>]) -> io::Result<()> {
        let Some((socket, address)) = &self.manager else { return Ok(()) };
        let mut message = String::new();
        for word in words {
            // Writing to a String cannot fail.
            let _ = writeln!(message, "{word}");
        }
        socket.send_to_addr(message.as_bytes(), address).map(drop)
    }
}

/// A newline would begin another assignment.
fn one_line(status: &str) -> String {
    status.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager() -> (tempfile::TempDir, UnixDatagram, Notifier) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        let notifier = Notifier::new(Some(path.as_os_str()), None, None).unwrap();
        (dir, socket, notifier)
    }

    fn next(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    #[test]
    fn each_call_is_one_message() {
        let (_dir, socket, notifier) = manager();
        notifier.ready("idle").unwrap();
        notifier.status("running clean-media").unwrap();
        notifier.watchdog().unwrap();
        notifier.stopping("stopping").unwrap();
        assert_eq!(next(&socket), "READY=1\nSTATUS=idle\n");
        assert_eq!(next(&socket), "STATUS=running clean-media\n");
        assert_eq!(next(&socket), "WATCHDOG=1\n");
        assert_eq!(next(&socket), "STOPPING=1\nSTATUS=stopping\n");
    }

    #[test]
    fn a_reload_says_its_time_in_the_same_message() {
        let (_dir, socket, notifier) = manager();
        notifier.reloading().unwrap();
        let message = next(&socket);
        let usec = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(usec.trim_end().parse::<u64>().unwrap() > 0);
    }

    #[test]
    fn a_status_cannot_say_anything_else() {
        let (_dir, socket, notifier) = manager();
        notifier.status("bad:\nREADY=1\u{1b}[2J").unwrap();
        assert_eq!(next(&socket), "STATUS=bad: READY=1 [2J\n");
    }

    #[test]
    fn abstract_sockets_are_reached() {
        let name = format!("mastmaint-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Notifier::new(Some(OsStr::new(&format!("@{name}"))), None, None).unwrap().watchdog().unwrap();
        assert_eq!(next(&socket), "WATCHDOG=1\n");
    }

    #[test]
    fn without_a_manager_nothing_is_said() {
        let notifier = Notifier::new(None, None, None).unwrap();
        assert!(!notifier.has_manager());
        notifier.ready("idle").unwrap();
    }

    #[test]
    fn a_manager_that_reads_nothing_holds_nobody_up() {
        let (_dir, socket, notifier) = manager();
        let began = std::time::Instant::now();
        let refused = (0..100_000).find(|_| notifier.watchdog().is_err());
        assert!(refused.is_some());
        assert!(began.elapsed() < Duration::from_secs(10));
        drop(socket);
    }

    #[test]
    fn only_our_own_watchdog_counts() {
        let own = std::process::id().to_string();
        let interval = |usec, pid| Notifier::new(None, usec, pid).unwrap().watchdog_interval();
        assert_eq!(interval(Some("30000000"), Some(own.as_str())), Some(Duration::from_secs(30)));
        assert_eq!(interval(Some("30000000"), None), Some(Duration::from_secs(30)));
        assert_eq!(interval(Some("30000000"), Some("1")), None);
        assert_eq!(interval(Some("soon"), None), None);
        assert_eq!(interval(Some("0"), None), None);
        assert_eq!(interval(None, None), None);
    }
}

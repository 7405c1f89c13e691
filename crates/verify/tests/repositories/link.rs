//! A server of ssh on this host that lets one key in, behind a link that counts what comes over it and may break.

use super::run;
use crate::common::write;
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

/// What the link has done, and what it may do.
struct Count {
    came: AtomicU64,
    breaks_after: AtomicU64,
}

/// Both; the server is killed at the end.
pub(super) struct Link {
    server: Child,
    pub(super) port: u16,
    count: Arc<Count>,
}

impl Link {
    /// Makes keys in a place: `id` is let in and `other` is not; `known_hosts` knows the server and `others_known` takes
    /// another one for it.
    pub(super) fn begin(at: &Path) -> Self {
        for key in ["host", "id", "other"] {
            run(at, &[], &["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key]);
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let key = |name: &str| fs::read_to_string(at.join(name).with_extension("pub")).unwrap();
        write(&at.join("known_hosts"), format!("[127.0.0.1]:{port} {}", key("host")));
        write(&at.join("others_known"), format!("[127.0.0.1]:{port} {}", key("other")));
        write(&at.join("authorized"), key("id"));
        // Free a moment ago; whoever takes it in between makes the test fail, not pass.
        let behind = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let root = at.display();
        let text = format!(
            "Port {behind}\nListenAddress 127.0.0.1\nHostKey {root}/host\nAuthorizedKeysFile {root}/authorized\nPidFile none\n\
             StrictModes no\nUsePAM no\nPasswordAuthentication no\nSubsystem sftp internal-sftp\nMaxStartups 100\n"
        );
        write(&at.join("sshd.conf"), text);
        // It wants that directory where it is root.
        let _ = fs::create_dir_all("/run/sshd");
        let mut sshd = Command::new("/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f"]).arg(at.join("sshd.conf")).stderr(Stdio::null()).stdin(Stdio::null());
        let count = Arc::new(Count { came: AtomicU64::new(0), breaks_after: AtomicU64::new(u64::MAX) });
        let link = Self { server: sshd.spawn().unwrap(), port, count: Arc::clone(&count) };
        let answers = || TcpStream::connect(("127.0.0.1", behind)).is_ok();
        assert!((0..600).any(|_| answers() || (thread::sleep(Duration::from_millis(50)), false).1));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let count = Arc::clone(&count);
                let Ok(server) = TcpStream::connect(("127.0.0.1", behind)) else { continue };
                let (to_server, from_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || carry(from_client, to_server, |_| true));
                thread::spawn(move || {
                    carry(server, client, |bytes| {
                        let came = count.came.fetch_add(bytes, Ordering::Relaxed) + bytes;
                        came <= count.breaks_after.load(Ordering::Relaxed)
                    });
                });
            }
        });
        link
    }

    /// What came over it since this was asked last.
    pub(super) fn came(&self) -> u64 {
        self.count.came.swap(0, Ordering::Relaxed)
    }

    /// Breaks every connection when so much more has come; `None` mends it.
    pub(super) fn breaks_after(&self, bytes: Option<u64>) {
        self.came();
        self.count.breaks_after.store(bytes.unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, mut may: impl FnMut(u64) -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if !may(count as u64) || to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

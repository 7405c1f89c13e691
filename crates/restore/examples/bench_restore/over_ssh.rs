//! The same over ssh: a server of it on loopback with keys of its own, who sends at its end, who receives at this one.

use super::{SENDER, order};
use mastmaint_restore::{Patient, Site, Untold, receive};
use mastmaint_words::restore::RestoreOrder;
use std::{
    fs::{self, DirBuilder, File},
    io::{self, BufReader},
    net::{TcpListener, TcpStream},
    os::{fd::AsFd as _, unix::fs::DirBuilderExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

/// A server of ssh that lets one key in.
pub(crate) struct Server {
    place: PathBuf,
    port: u16,
    child: Child,
}

impl Server {
    pub(crate) fn start(place: &Path) -> Self {
        let keys = place.join("ssh");
        DirBuilder::new().mode(0o700).create(&keys).unwrap();
        for key in ["host", "id"] {
            let mut made = Command::new("ssh-keygen");
            made.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(keys.join(key));
            assert!(made.status().unwrap().success());
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let host = fs::read_to_string(keys.join("host.pub")).unwrap();
        fs::write(keys.join("known_hosts"), format!("[127.0.0.1]:{port} {host}")).unwrap();
        fs::copy(keys.join("id.pub"), keys.join("authorized")).unwrap();
        let at = keys.display();
        let text = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nAuthorizedKeysFile {at}/authorized\nPidFile none\n\
             StrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n"
        );
        fs::write(keys.join("sshd.conf"), text).unwrap();
        // It wants that directory where it is root.
        let _ = fs::create_dir_all("/run/sshd");
        let mut sshd = Command::new("/usr/sbin/sshd");
        sshd.args(["-D", "-e", "-f"]).arg(keys.join("sshd.conf")).stderr(Stdio::null());
        let server = Self { place: place.to_owned(), port, child: sshd.spawn().unwrap() };
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// ssh with its keys; what it runs there comes last.
    fn ssh(&self) -> Command {
        let keys = self.place.join("ssh");
        let mut ssh = Command::new("ssh");
        ssh.args(["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o"]);
        ssh.arg(format!("UserKnownHostsFile={}", keys.join("known_hosts").display()));
        ssh.args(["-p", &self.port.to_string(), "-i"]).arg(keys.join("id")).arg("127.0.0.1");
        ssh.stdin(Stdio::null());
        ssh
    }

    /// `ssh tar | tar`, and then on the disk, as the restore is.
    pub(crate) fn tar(&self, into: &Path) {
        let mut there = self.ssh();
        there.arg(format!("tar -C '{}' -cpf - live", self.place.join("backup").display()));
        let mut there = there.stdout(Stdio::piped()).spawn().unwrap();
        let mut here = Command::new("tar");
        here.arg("-C").arg(into).args(["-xpf", "-"]).stdin(there.stdout.take().unwrap());
        assert!(here.status().unwrap().success() && there.wait().unwrap().success());
        let synced = Command::new("sync").arg("-f").arg(into).status();
        assert!(synced.unwrap().success());
    }

    /// What is sent becomes a checked copy.
    pub(crate) fn receive(&self, site: &Site<'_>, order: &RestoreOrder) {
        let mut there = self.ssh();
        there.arg(format!(
            "'{}' {SENDER} '{}'",
            std::env::current_exe().unwrap().display(),
            self.place.display()
        ));
        let mut there = there.stdout(Stdio::piped()).spawn().unwrap();
        let mut input = BufReader::with_capacity(256 * 1024, Patient::of(there.stdout.take().unwrap()));
        receive(site, order, &mut input).unwrap();
        assert!(there.wait().unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

/// The other end: the backup in a place goes to standard output.
pub(crate) fn send(place: &Path) {
    let (state, proofs) = (place.join("state-there"), place.join("verify/proofs"));
    let site = Site { state: &state, proofs: &proofs, group: None, tell: &Untold, reach: &|_| () };
    let out = io::stdout().as_fd().try_clone_to_owned().unwrap();
    mastmaint_restore::send(&site, &order(place, 0), &mut File::from(out)).unwrap();
}

//! A server of ssh of our own on loopback that lets one key in, for one command.

use crate::wait_for;
use std::{
    fs, io,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

const PROGRAM: &str = "/usr/sbin/sshd";

/// It runs until it is dropped.
#[derive(Debug)]
pub struct Sshd {
    place: PathBuf,
    port: u16,
    server: Child,
}

impl Sshd {
    /// Whether this host has one.
    pub fn is_here() -> bool {
        [PROGRAM, "/usr/bin/ssh", "/usr/bin/ssh-keygen"]
            .into_iter()
            .all(|program| Path::new(program).exists())
    }

    /// Makes keys in a place: `id` is let in and `other` is not; `known_hosts` knows the server, and `others_known` takes
    /// another one for it.
    ///
    /// # Errors
    /// If keys cannot be made, or it does not answer.
    pub fn start(place: &Path) -> io::Result<Self> {
        fs::create_dir_all(place)?;
        for key in ["host", "id", "other"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(place.join(key))
                .stdin(Stdio::null())
                .status()?;
            if !made.success() {
                return Err(io::Error::other(format!("no key {key}: {made}")));
            }
        }
        // Free a moment ago; whoever takes it in between makes a test fail, not pass.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        for (file, key) in [("known_hosts", "host.pub"), ("others_known", "other.pub")] {
            let key = fs::read_to_string(place.join(key))?;
            fs::write(place.join(file), format!("[127.0.0.1]:{port} {key}"))?;
        }
        let at = place.display();
        fs::write(
            place.join("sshd.conf"),
            format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host\nAuthorizedKeysFile {at}/authorized\nPidFile none\n\
                 StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin forced-commands-only\n"
            ),
        )?;
        // It wants that directory where it is root.
        drop(fs::create_dir_all("/run/sshd"));
        let mut sshd = Command::new(PROGRAM);
        sshd.args(["-D", "-e", "-f"]).arg(place.join("sshd.conf")).stdin(Stdio::null()).stderr(Stdio::null());
        let server = Self { place: place.to_owned(), port, server: sshd.spawn()? };
        server.obeys("exit 1")?;
        if wait_for(|| TcpStream::connect(("127.0.0.1", port)).is_ok()) {
            Ok(server)
        } else {
            Err(io::Error::other("sshd does not answer"))
        }
    }

    /// From now on whoever comes in has this script of sh run, whatever they ask for; what that was is in `asked`.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn obeys(&self, script: &str) -> io::Result<()> {
        let (command, asked) = (self.place.join("command"), self.place.join("asked"));
        let noted = format!("printf '%s\\n' \"$SSH_ORIGINAL_COMMAND\" >'{}'\n{script}\n", asked.display());
        fs::write(&command, noted)?;
        let key = fs::read_to_string(self.place.join("id.pub"))?;
        let line = format!("restrict,command=\"sh '{}'\" {key}", command.display());
        fs::write(self.place.join("authorized"), line)
    }

    /// What was asked for last.
    pub fn asked(&self) -> String {
        fs::read_to_string(self.place.join("asked")).unwrap_or_default().trim().to_owned()
    }

    /// Its port.
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

//! Debian's nginx before a site, with the cache that Mastodon's own configuration of it has.

use crate::{Site, wait_for};
use std::{
    fs,
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

const PROGRAM: &str = "/usr/sbin/nginx";

/// It runs until it is dropped.
#[derive(Debug)]
pub struct Nginx {
    address: SocketAddr,
    server: Child,
}

impl Nginx {
    /// Whether this host has one.
    pub fn is_here() -> bool {
        Path::new(PROGRAM).exists()
    }

    /// Starts one that keeps its files in a place.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn start(place: &Path, site: &Site) -> io::Result<Self> {
        fs::create_dir_all(place)?;
        // Free a moment ago; whoever takes it in between makes a test fail, not pass.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let at = place.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|of| format!("{of}_temp_path {at}/{of};\n"))
            .concat();
        // From `proxy_buffering` on as in Mastodon's `dist/nginx.conf`.
        fs::write(
            place.join("nginx.conf"),
            format!(
                "daemon off;\nuser root;\npid {at}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
                 proxy_cache_path {at}/cache levels=1:2 keys_zone=CACHE:10m inactive=7d max_size=1g;\n\
                 server {{\nlisten {address};\nlocation / {{\nproxy_set_header Host $host;\nproxy_pass http://{};\n\
                 proxy_buffering on;\nproxy_redirect off;\nproxy_http_version 1.1;\nproxy_cache CACHE;\n\
                 proxy_cache_valid 200 7d;\nproxy_cache_valid 410 24h;\n\
                 proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504;\n\
                 add_header X-Cached $upstream_cache_status;\n}}\n}}\n}}\n",
                site.address()
            ),
        )?;
        let mut nginx = Command::new(PROGRAM);
        nginx.arg("-p").arg(place).args(["-e", "error.log", "-c", "nginx.conf"]).stdin(Stdio::null());
        let server = Self { address, server: nginx.stderr(Stdio::null()).spawn()? };
        if wait_for(|| TcpStream::connect(address).is_ok()) {
            Ok(server)
        } else {
            let log = fs::read_to_string(place.join("error.log")).unwrap_or_default();
            Err(io::Error::other(format!("nginx does not answer: {log}")))
        }
    }

    /// What a visitor gets.
    ///
    /// # Errors
    /// If nobody answers.
    pub fn get(&self, page: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        write!(stream, "GET {page} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Its address, as `instance.url` has it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The first process ends its workers when it is asked to.
        let asked = i32::try_from(self.server.id()).map(nix::unistd::Pid::from_raw);
        let _gone = asked.map(|pid| nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM));
        let _ended = self.server.wait();
    }
}

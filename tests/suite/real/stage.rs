//! Staging without rooms: the real programs, PostgreSQL, Redis, Ruby and Bundler, and a stand-in of puma.

use mastmaint_tests::{binaries, procs::wait_up_to};
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User, geteuid},
};
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;

const GENEROUS: Duration = Duration::from_mins(3);
const PROGRAMS: [&str; 3] = ["mastmaintctl", "mastmaint-verify", "mastmaint-drill"];

/// A dump and its file backup, and the programs where a user may run them that PostgreSQL accepts.
struct Host(TempDir);

impl Host {
    /// Nothing where there is nothing to stage with; `cargo xtask test` installs it.
    fn new() -> Option<Self> {
        let needed = ["/usr/bin/ruby", "/usr/bin/bundle", "/usr/bin/redis-server", "/usr/lib/postgresql"];
        if !needed.iter().all(|path| Path::new(path).exists()) {
            return None;
        }
        let host = Self(tempfile::Builder::new().prefix("mastmaint").tempdir().unwrap());
        fs::set_permissions(host.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for program in PROGRAMS {
            let built = binaries::path(program);
            if fs::hard_link(&built, host.path(program)).is_err() {
                fs::copy(&built, host.path(program)).unwrap();
            }
        }
        let verify = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/verify/tests");
        let script = verify.join("standin_puma/build.sh");
        let made = Command::new("sh").arg(script).arg(host.path("files/live")).status().unwrap();
        assert!(made.success());
        fs::copy(verify.join("fixture/.env.production"), host.path("files/live/.env.production")).unwrap();
        for directory in ["dumps", "tmp", "files/live/app/javascript/styles"] {
            fs::create_dir_all(host.path(directory)).unwrap();
        }
        fs::write(host.path("files/live/app/javascript/styles/bird.scss"), "body{}").unwrap();
        let dump = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/mastodon-pg15.dump");
        fs::copy(dump, host.path("dumps/mastodon-1.dump")).unwrap();
        let at = host.0.path().display();
        let config = format!(
            "backups:\n  files: {{kind: tree, path: {at}/files, live: live}}\n  \
             database: {{kind: postgres, path: {at}/dumps/*.dump, files: files, drill: {{reserve: 1 MB, boot: true}}}}\n\
             jobs: {{}}\n"
        );
        fs::write(host.path("m.yaml"), config).unwrap();
        if let Some(user) = Self::user() {
            let owner = format!("{}:{}", user.uid, user.gid);
            let at = ["m.yaml", "tmp", "files", "dumps"].map(|name| host.path(name));
            assert!(Command::new("chown").arg("-R").arg(owner).args(at).status().unwrap().success());
        }
        Some(host)
    }

    /// Who stages where the tests run as root, which PostgreSQL refuses.
    fn user() -> Option<User> {
        geteuid().is_root().then(|| User::from_name("postgres").unwrap().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Begins one and waits until it is up, or has failed.
    fn stage(&self, words: &[&str]) -> Staged {
        let mut child = self.start(words);
        let mut address = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Staged { child, address }
    }

    fn start(&self, words: &[&str]) -> Child {
        self.begin(words, Stdio::null())
    }

    fn begin(&self, words: &[&str], input: Stdio) -> Child {
        let mut command = Command::new(self.path("mastmaintctl"));
        command.args(["stage", "database", "--config"]).arg(self.path("m.yaml")).args(words);
        command.env("TMPDIR", self.path("tmp")).current_dir("/").stdin(input);
        command.stdout(Stdio::piped()).stderr(fs::File::create(self.path("stderr")).unwrap());
        if let Some(user) = Self::user() {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        command.spawn().unwrap()
    }

    fn said(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap()
    }

    /// Processes that are ours or work below us, by their command lines.
    fn processes(&self, is_meant: impl Fn(&str) -> bool) -> Vec<i32> {
        let pids =
            fs::read_dir("/proc").unwrap().flatten().filter_map(|p| p.file_name().to_str()?.parse().ok());
        let is_here = |name: &str, pid: i32| {
            fs::read_link(format!("/proc/{pid}/{name}")).is_ok_and(|at| at.starts_with(self.0.path()))
        };
        let line = |pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        pids.filter(|pid| (is_here("cwd", *pid) || is_here("exe", *pid)) && is_meant(&line(*pid))).collect()
    }

    /// Neither a directory nor a process is left; `mastmaintctl` itself cannot tidy up when it was killed.
    fn is_clean(&self, directories: usize) {
        let tmp = self.path("tmp");
        let is_clean = wait_up_to(GENEROUS, || {
            let left: Vec<_> = fs::read_dir(&tmp).unwrap().flatten().map(|entry| entry.path()).collect();
            let is_little =
                left.len() == directories && left.iter().all(|at| !at.join("drill/scratch").exists());
            is_little && self.processes(|_| true).is_empty()
        });
        assert!(is_clean, "something is left: {}", self.said());
    }
}

/// A `mastmaintctl stage` at work, and the first thing it printed.
struct Staged {
    child: Child,
    address: String,
}

impl Staged {
    fn port(&self) -> u16 {
        let port = self.address.strip_prefix("http://127.0.0.1:").and_then(|rest| rest.strip_suffix("/\n"));
        port.unwrap_or_else(|| panic!("no address: {:?}", self.address)).parse().unwrap()
    }

    /// What is answered to a head; the lines that every request needs are added.
    fn ask(&self, start: &str, fields: &str, body: &str) -> String {
        let mut connection = TcpStream::connect(("127.0.0.1", self.port())).unwrap();
        let host = if fields.contains("Host:") {
            String::new()
        } else {
            format!("Host: localhost:{}\r\n", self.port())
        };
        let head = format!("{start} HTTP/1.1\r\n{host}{fields}\r\n{body}");
        connection.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    /// The process that has let in who connects, by what the kernel says of it.
    fn who_answers(&self) -> String {
        let mut browser = TcpStream::connect(("127.0.0.1", self.port())).unwrap();
        browser.write_all(b"GET").unwrap();
        let ours = browser.local_addr().unwrap().port();
        // A line of theirs: local address, remote address, and the number of the socket.
        let socket = || {
            let table = fs::read_to_string("/proc/net/tcp").unwrap();
            let is_theirs = |line: &&str| {
                let words: Vec<_> = line.split_whitespace().collect();
                words[1].ends_with(&format!(":{:04X}", self.port()))
                    && words[2].ends_with(&format!(":{ours:04X}"))
            };
            let number = table.lines().skip(1).find(is_theirs)?.split_whitespace().nth(9)?.to_owned();
            (number != "0").then_some(format!("socket:[{number}]"))
        };
        let holds = |pid: &PathBuf, socket: &str| {
            let open = fs::read_dir(pid.join("fd")).into_iter().flatten().flatten();
            open.into_iter().any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == socket))
        };
        let mut status = String::new();
        let found = wait_up_to(GENEROUS, || {
            let Some(socket) = socket() else { return false };
            let pids = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
            let found = pids.filter(|pid| pid.join("fd").exists()).find(|pid| holds(pid, &socket));
            status = found.and_then(|pid| fs::read_to_string(pid.join("status")).ok()).unwrap_or_default();
            !status.is_empty()
        });
        assert!(found, "nobody has let it in");
        status
    }

    fn ends(mut self, signal: Option<Signal>) -> Option<i32> {
        if let Some(signal) = signal {
            kill(Pid::from_raw(self.child.id().cast_signed()), signal).unwrap();
        }
        self.child.wait().unwrap().code()
    }
}

#[test]
fn a_person_looks_at_a_backup() {
    let Some(host) = Host::new() else {
        println!("left out: there is no PostgreSQL, Redis, Ruby or Bundler");
        return;
    };
    let staged = host.stage(&["--try", "echo from $LOCAL_DOMAIN; bundle exec rails assets:precompile"]);
    let said = host.said();
    let port = staged.port();
    for words in [
        "staging mastodon-1.dump (made",
        "  from mast.test",
        "  built 1",
        "Mastodon 4.6.5 of mast.test from mastodon-1.dump",
        &format!("ssh -L {port}:127.0.0.1:{port} root@"),
        "in 4 h",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    // Who speaks with browsers is another one than who stages, and can never become more than it is.
    let answers = staged.who_answers();
    assert!(answers.contains("\nNoNewPrivs:\t1\n"), "{answers}");
    assert!(!answers.contains(&format!("\nPid:\t{}\n", staged.child.id())), "{answers}");
    // As through a tunnel: by another port.
    let about = staged.ask("GET /about", "Host: 127.0.0.1:9\r\n", "");
    assert!(about.starts_with("HTTP/1.1 200 X\r\n") && about.ends_with("mast.test</body></html>"), "{about}");
    let built = staged.ask("GET /packs/bird.css?v=1", "", "");
    assert!(built.ends_with("\r\n\r\n/* built */ body{}"), "{built}");
    // A browser fetches nothing from elsewhere and keeps nothing.
    for words in ["\r\nContent-Security-Policy: default-src 'self' ", "\r\nCache-Control: no-store\r\n"] {
        assert!(about.contains(words), "{words}: {about}");
    }
    let login = staged.ask("GET /login", "", "");
    assert!(login.contains(&format!("Location: http://localhost:{port}/about\r\n")), "{login}");
    assert!(login.contains("Set-Cookie: a=b\r\n"), "{login}");
    let fields =
        format!("Content-Length: 4\r\nOrigin: http://localhost:{port}\r\nX-Forwarded-Proto: http\r\n");
    let told = staged.ask("POST /told", &fields, "bodyGET /smuggled HTTP/1.1\r\n\r\n");
    for words in
        ["Host: mast.test\n", "X-Forwarded-Proto: https\n", "Origin: https://mast.test\n", "\n\nbody\n"]
    {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(told.ends_with(&format!("ws://127.0.0.1:{port}")) && !told.contains("Proto: http\n"), "{told}");
    for (start, fields, status) in [
        ("GET /about", "Host: evil.test\r\n", "421"),
        ("GET /about", "Upgrade: websocket\r\n", "501"),
        ("GET /sw.js", "Service-Worker: script\r\n", "404"),
        ("POST /told", "Transfer-Encoding: chunked\r\n", "411"),
        ("GET http://mast.test/", "", "400"),
    ] {
        let refused = staged.ask(start, fields, "");
        assert!(refused.starts_with(&format!("HTTP/1.1 {status} ")), "{fields}: {refused}");
    }
    let endless = format!("X: {}\r\n", "x".repeat(70 * 1024));
    assert!(staged.ask("GET /about", &endless, "").starts_with("HTTP/1.1 431 "));
    // Who only holds connections open takes nothing but those.
    let held: Vec<_> = (0..32).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    assert!(staged.ask("GET /about", "", "").starts_with("HTTP/1.1 503 "));
    drop(held);
    assert_eq!(staged.ends(Some(Signal::SIGTERM)), Some(0), "{}", host.said());
    host.is_clean(0);
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(host.said().contains("nothing of it is left"), "{}", host.said());
}

#[test]
fn whatever_ends_it_nothing_stays() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let Some(host) = Host::new() else { return };
    assert_eq!(host.stage(&["--port", &port]).ends(None), Some(1));
    assert!(host.said().contains("[port-taken]"), "{}", host.said());

    let failed = host.stage(&["--try", "echo tried; (sleep 1000 &); exit 3"]);
    assert_eq!(failed.address, "", "nothing was opened");
    assert_eq!(failed.ends(None), Some(1));
    let said = host.said();
    assert!(said.contains("  tried") && said.contains("exit status: 3 [change-failed]"), "{said}");
    host.is_clean(0);

    let staged = host.stage(&["--for", "2s"]);
    assert!(staged.ask("GET /about", "", "").contains("mast.test"));
    assert_eq!(staged.ends(None), Some(0), "{}", host.said());
    host.is_clean(0);

    // By hand in the middle of what is tried, which nobody reads off the list of processes, and which has no network.
    let command = host.path("command");
    fs::write(&command, "echo under way in $(readlink /proc/self/ns/net); : s3same; exec sleep 1000")
        .unwrap();
    let mut trying = host.begin(&["--try", "-"], fs::File::open(command).unwrap().into());
    assert!(wait_up_to(GENEROUS, || host.said().contains("  under way in net:[")), "{}", host.said());
    let lines = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path().join("cmdline"));
    let lines: Vec<_> = lines.filter_map(|at| fs::read(at).ok()).collect();
    let has = |word: &str| lines.iter().any(|line| String::from_utf8_lossy(line).contains(word));
    assert!(has("--stage") && !has("s3same"), "a command line shows what is tried");
    let network = fs::read_link("/proc/self/ns/net").unwrap();
    assert!(!host.said().contains(network.to_str().unwrap()), "{}", host.said());
    kill(Pid::from_raw(trying.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(trying.wait().unwrap().code(), Some(1));
    let words = "ended before it was up; nothing of it is left [cancelled]";
    assert!(host.said().contains(words), "{}", host.said());
    host.is_clean(0);

    // Who drills is killed, and there is no room that would sweep behind it.
    let staged = host.stage(&[]);
    let drills = host.processes(|line| line.contains("/mastmaint-drill\0"));
    assert_eq!(drills.len(), 1, "{drills:?}");
    kill(Pid::from_raw(drills[0]), Signal::SIGKILL).unwrap();
    assert_eq!(staged.ends(None), Some(1));
    assert!(host.said().contains("[drill-room]"), "{}", host.said());
    host.is_clean(0);

    // Who speaks with browsers is killed: nobody would answer any more.
    let staged = host.stage(&[]);
    let apart = host.processes(|line| line.contains("\0stage-relay\0"));
    assert_eq!(apart.len(), 1, "{apart:?}");
    kill(Pid::from_raw(apart[0]), Signal::SIGKILL).unwrap();
    assert_eq!(staged.ends(None), Some(1));
    assert!(host.said().contains("[relay-ended]"), "{}", host.said());
    host.is_clean(0);

    let killed = host.stage(&[]);
    assert!(killed.ask("GET /about", "", "").contains("mast.test"));
    killed.ends(Some(Signal::SIGKILL));
    host.is_clean(1);
}

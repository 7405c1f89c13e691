//! A real PostgreSQL with an instance's database in it, and the instance's files.

use crate::{
    dumps::{SMALL_POSTS, fixture, small},
    server::{bin, cluster, of_who_serves, serving},
};
use mastmaint_database::{Settings, Site};
use mastmaint_verify::prove::Tell;
use mastmaint_words::RunId;
use std::{
    collections::BTreeMap,
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The database that Mastodon uses.
pub(crate) const TODAY: &str = "social";
/// The role of the instance.
pub(crate) const ROLE: &str = "toot";

pub(crate) fn run(tail: &str) -> RunId {
    format!("20261126T200000Z-7k3f9{tail}").parse().unwrap()
}

pub(crate) struct Ground {
    pub(crate) at: TempDir,
    pub(crate) bin: PathBuf,
    pub(crate) port: u16,
    server: Child,
}

/// Remembers what was said.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Vec<String>>);

impl Heard {
    pub(crate) fn all(&self) -> String {
        self.0.lock().unwrap().join("\n")
    }
}

impl Tell for Heard {
    fn say(&self, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub(crate) fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is() {
        assert!(begun.elapsed() < Duration::from_mins(2), "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

impl Ground {
    /// A server with the role and an instance's database; none where there is no PostgreSQL.
    pub(crate) fn new() -> Option<Self> {
        let bin = bin()?;
        let at = tempfile::tempdir().unwrap();
        fs::set_permissions(at.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let place = at.path().join("server");
        fs::create_dir(&place).unwrap();
        of_who_serves(&place);
        let data = place.join("data");
        let copied = Command::new("cp").arg("-a").arg(cluster(&bin)).arg(&data).status().unwrap();
        assert!(copied.success());
        let port = free_port();
        let mut server = serving(bin.join("postgres"));
        server.arg("-D").arg(&data).args([
            "-p",
            &port.to_string(),
            "-c",
            "fsync=off",
            "-c",
            "autovacuum=off",
        ]);
        server.args(["-c", "max_prepared_transactions=2", "-c", "listen_addresses=127.0.0.1", "-c"]);
        server.arg(format!("unix_socket_directories={}", place.display()));
        let log = fs::File::create(at.path().join("log")).unwrap();
        let server = server.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let ground = Self { at, bin, port, server };
        until("PostgreSQL starts", || ground.try_sql("postgres", "SELECT 1").status.success());
        ground.sql("postgres", &format!("CREATE ROLE {ROLE} LOGIN CREATEDB; CREATE ROLE grafana LOGIN"));
        ground.sql("postgres", &format!("CREATE DATABASE {TODAY} OWNER {ROLE}"));
        ground.fill(TODAY, &small(SMALL_POSTS + 2));
        let live = ground.live();
        fs::create_dir_all(live.join("db/migrate")).unwrap();
        fs::create_dir_all(live.join("db/post_migrate")).unwrap();
        fs::write(live.join("db/migrate/20260611150940_newest.rb"), "").unwrap();
        fs::write(live.join(".env.production"), ground.env()).unwrap();
        Some(ground)
    }

    /// The variables of the instance; its secrets are those of the fixture.
    pub(crate) fn env(&self) -> String {
        let own = format!(
            "LOCAL_DOMAIN=mast.test\nDB_HOST={}\nDB_PORT={}\nDB_USER={ROLE}\nDB_NAME={TODAY}\n",
            self.socket().display(),
            self.port
        );
        let fixture = fs::read_to_string(fixture(".env.production")).unwrap();
        let secrets = fixture.lines().filter(|line| line.starts_with("ACTIVE_RECORD_ENCRYPTION_"));
        own + &secrets.collect::<Vec<_>>().join("\n") + "\n"
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.at.path().join("server")
    }

    pub(crate) fn live(&self) -> PathBuf {
        self.at.path().join("live")
    }

    /// Where it is noted that a pooler is paused.
    pub(crate) fn paused(&self) -> PathBuf {
        self.at.path().join("paused")
    }

    pub(crate) fn settings(&self, over: &[(&str, &str)]) -> Settings {
        let over = over.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Settings::read(&self.live(), &self.live(), &BTreeMap::new(), &over).unwrap()
    }

    /// psql of the superuser.
    pub(crate) fn psql(&self, database: &str, user: &str) -> Command {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", user, "-d", database, "-p"]);
        psql.arg(self.port.to_string()).arg("-h").arg(self.socket()).stdin(Stdio::null());
        psql
    }

    fn try_sql(&self, database: &str, sql: &str) -> Output {
        let mut psql = self.psql(database, "postgres");
        for statement in sql.split("; ") {
            psql.args(["-c", statement]);
        }
        psql.output().unwrap()
    }

    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let done = self.try_sql(database, sql);
        assert!(done.status.success(), "{sql}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    /// Brings text into a database as the instance's role.
    pub(crate) fn fill(&self, database: &str, text: &str) {
        let path = self.at.path().join(format!("{database}.sql"));
        fs::write(&path, text).unwrap();
        let done = self.psql(database, ROLE).arg("-f").arg(path).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// The databases of the instance, sorted.
    pub(crate) fn databases(&self) -> Vec<String> {
        let sql = format!("SELECT datname FROM pg_database WHERE datname LIKE '{TODAY}%' ORDER BY 1");
        self.sql("postgres", &sql).lines().map(str::to_owned).collect()
    }

    /// A session that stays until it is dropped.
    pub(crate) fn session(&self, database: &str, user: &str, begin: &str) -> Session {
        let mut psql = self.psql(database, user);
        let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut stdin, format!("{begin};\n").as_bytes()).unwrap();
        let is_there = format!(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = '{database}' AND usename = '{user}' AND state LIKE 'idle%'"
        );
        until("the session is there", || self.sql("postgres", &is_there) == "t");
        Session { child, _stdin: stdin }
    }

    pub(crate) fn posts(&self, database: &str) -> u64 {
        self.sql(database, "SELECT count(*) FROM statuses").parse().unwrap()
    }
}

impl Ground {
    /// The server ends; its files stay until this is dropped.
    pub(crate) fn end(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.server);
        if matches!(self.server.try_wait(), Ok(None)) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::QUIT);
        }
        let _ = self.server.wait();
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.end();
    }
}

/// Somebody who is connected.
pub(crate) struct Session {
    child: Child,
    _stdin: std::process::ChildStdin,
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn site<'a>(settings: &'a Settings, tell: &'a dyn Tell) -> Site<'a> {
    Site { settings, paused: None, tell, reach: &|_| () }
}

//! A real PostgreSQL of our own, loaded with the backup of a real instance, whose media rows are those of the made-up
//! instance: for what only a look at rows can tell.

use crate::instance::{Instance, MEDIA};
use std::{
    fs, io,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU32, Ordering},
    },
    thread::sleep,
    time::{Duration, Instant},
};

/// The dump of a real 4.6.5 (`tests/fixtures/README.md`).
const DUMP: &[u8] = include_bytes!("../fixtures/mastodon-pg15.dump");
/// Where Debian keeps the programs, newest first.
const VERSIONS: [&str; 3] = ["17", "16", "15"];
/// The database that is copied for each test.
const TEMPLATE: &str = "mastodon_production";
const READY: Duration = Duration::from_mins(1);

/// The server that tests of one program share for as long as one of them holds it: starting it takes seconds.
static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
static COUNT: AtomicU32 = AtomicU32::new(0);

/// A database of its own with the rows of the dump.
#[derive(Debug)]
pub struct Postgres {
    server: Arc<Server>,
    name: String,
}

/// A running server in a directory of its own; ended when dropped.
#[derive(Debug)]
struct Server {
    dir: tempfile::TempDir,
    bin: PathBuf,
    main: Child,
}

impl Postgres {
    /// A new database.
    ///
    /// # Errors
    /// If PostgreSQL is not installed (`cargo xtask test` installs it) or does not start.
    pub fn start() -> io::Result<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let server = match shared.upgrade() {
            Some(server) => server,
            None => Arc::new(Server::start()?),
        };
        *shared = Arc::downgrade(&server);
        let name = format!("mastodon_{}", COUNT.fetch_add(1, Ordering::Relaxed));
        // While the lock is held: a template that somebody copies is not copied by another.
        server.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))?;
        Ok(Self { server, name })
    }

    /// The directory of its socket: `DB_HOST`.
    pub fn socket(&self) -> PathBuf {
        self.server.socket()
    }

    /// Its name: `DB_NAME`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What a statement prints, unaligned.
    pub fn query(&self, sql: &str) -> io::Result<String> {
        self.server.psql(&self.name, sql)
    }

    /// Makes the database that of a made-up instance: the same media, and the settings to reach it.
    pub fn belong_to(&self, instance: &Instance) -> io::Result<()> {
        for sql in made_up_rows() {
            self.query(&sql)?;
        }
        instance.set_env("DB_NAME", &self.name)?;
        instance.set_env("DB_HOST", &self.socket().to_string_lossy())
    }
}

/// The dump that every database is loaded with.
pub const fn dump() -> &'static [u8] {
    DUMP
}

/// What makes the rows of the dump those of a made-up instance.
pub fn made_up_rows() -> [String; 3] {
    let rows: Vec<String> =
        MEDIA.iter().zip(1..).map(|((id, name), n)| format!("({n}, {id}, '{name}.png')")).collect();
    let media = format!(
        "UPDATE media_attachments m SET id = made.id, file_file_name = made.name \
         FROM (VALUES {}) AS made (n, id, name), \
         (SELECT id, row_number() OVER (ORDER BY id) AS n FROM media_attachments WHERE remote_url <> '') AS known \
         WHERE known.id = m.id AND known.n = made.n",
        rows.join(", ")
    );
    let local = "UPDATE media_attachments SET id = 117663460000000001, file_file_name = '0123456789abcdef.png' \
                 WHERE remote_url = ''";
    let cards = "UPDATE preview_cards p SET id = known.n, image_file_name = 'card' || known.n || '.png' \
                 FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM preview_cards WHERE image_file_name <> '') known \
                 WHERE known.id = p.id AND known.n <> p.id";
    [media, local.to_owned(), cards.to_owned()]
}

impl Server {
    fn start() -> io::Result<Self> {
        let bin = VERSIONS
            .iter()
            .map(|version| PathBuf::from(format!("/usr/lib/postgresql/{version}/bin")))
            .find(|bin| bin.join("initdb").exists())
            .ok_or_else(|| io::Error::other("PostgreSQL is not installed: apt-get install postgresql"))?;
        let dir = tempfile::Builder::new().prefix("mastmaint-pg").tempdir()?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755))?;
        let data = dir.path().join("data");
        fs::create_dir(&data)?;
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700))?;
        let socket = dir.path().join("socket");
        fs::create_dir(&socket)?;
        fs::write(dir.path().join("dump"), DUMP)?;
        if let Some((uid, gid)) = other_user() {
            for path in [&data, &socket] {
                chown(path, Some(uid), Some(gid))?;
            }
        }
        run(own(&bin.join("initdb"))
            .args(["--no-sync", "-A", "trust", "-U", "mastodon", "-E", "UTF8", "-D"])
            .arg(&data))?;
        let main = own(&bin.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "full_page_writes=off", "-c"])
            .arg(format!("unix_socket_directories={}", socket.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(dir.path().join("log"))?)
            .spawn()?;
        let postgres = Self { dir, bin, main };
        let begin = Instant::now();
        while postgres.psql("postgres", "SELECT 1").is_err() {
            if begin.elapsed() > READY {
                let log = fs::read_to_string(postgres.dir.path().join("log")).unwrap_or_default();
                return Err(io::Error::other(format!("PostgreSQL does not start:\n{log}")));
            }
            sleep(Duration::from_millis(50));
        }
        postgres.psql("postgres", &format!("CREATE DATABASE {TEMPLATE} TEMPLATE template0"))?;
        let mut restore = Command::new(postgres.bin.join("pg_restore"));
        restore.args(["--no-owner", "-U", "mastodon", "-d", TEMPLATE, "-h"]).arg(postgres.socket());
        run(restore.arg(postgres.dir.path().join("dump")))?;
        Ok(postgres)
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("socket")
    }

    fn psql(&self, database: &str, sql: &str) -> io::Result<String> {
        let mut psql = Command::new(self.bin.join("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", "mastodon", "-d", database, "-h"]);
        run(psql.arg(self.socket()).args(["-c", sql]))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGINT to the server itself would be kinder; a scratch cluster is thrown away.
        drop(self.main.kill());
        drop(self.main.wait());
    }
}

/// PostgreSQL refuses to run as root: then it runs as the user that its package made.
fn other_user() -> Option<(u32, u32)> {
    nix::unistd::geteuid().is_root().then_some(())?;
    let user = nix::unistd::User::from_name("postgres").ok()??;
    Some((user.uid.as_raw(), user.gid.as_raw()))
}

fn own(program: &Path) -> Command {
    match other_user() {
        None => Command::new(program),
        Some((uid, gid)) => {
            let mut command = Command::new("setpriv");
            command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
            command.arg(program);
            command.current_dir("/");
            command
        }
    }
}

fn run(command: &mut Command) -> io::Result<String> {
    let done = command.stdin(Stdio::null()).output()?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned());
    }
    Err(io::Error::other(format!("{command:?}: {}", String::from_utf8_lossy(&done.stderr))))
}

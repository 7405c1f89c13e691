//! Behind a real PgBouncer: it is refused as a way to rename, and paused around a rename where its console hears us.

use crate::{
    dumps::{SMALL_POSTS, small},
    ground::{Ground, Heard, ROLE, TODAY, free_port, run, site, until},
    kills::{deadly, died},
    server::{of_who_serves, serving},
    verify_room::VerifyRoom,
};
use mastmaint_database::{Did, Site, back, resume, switch};
use mastmaint_words::database::Beside;
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

/// A PgBouncer before the server, which is what the instance's own settings name.
struct Pooler<'a> {
    ground: &'a Ground,
    port: u16,
    process: Child,
}

const PROGRAM: &str = "/usr/sbin/pgbouncer";

impl<'a> Pooler<'a> {
    fn new(ground: &'a Ground, admins: &str) -> Option<Self> {
        if !Path::new(PROGRAM).exists() {
            println!("left out: there is no PgBouncer");
            return None;
        }
        let (port, place) = (free_port(), ground.at.path().join("pooler"));
        fs::create_dir(&place).unwrap();
        fs::write(place.join("users"), format!("\"{ROLE}\" \"\"\n\"boss\" \"\"\n")).unwrap();
        let ini = format!(
            "[databases]\n{TODAY} = host={} port={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = trust\nauth_file = {}\nadmin_users = {admins}\npool_mode = transaction\nmin_pool_size = 2\nquery_wait_timeout = 10\n",
            ground.socket().display(),
            ground.port,
            place.join("users").display()
        );
        fs::write(place.join("ini"), ini).unwrap();
        of_who_serves(&place);
        let log = fs::File::create(ground.at.path().join("pooler.log")).unwrap();
        let process = serving(PROGRAM)
            .arg(place.join("ini"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let pooler = Self { ground, port, process };
        until("PgBouncer answers", || pooler.ask().is_some());
        let env = ground.env().replace(&ground.socket().display().to_string(), "127.0.0.1");
        let env = env.replace(&format!("DB_PORT={}", ground.port), &format!("DB_PORT={port}"));
        fs::write(ground.live().join(".env.production"), env).unwrap();
        Some(pooler)
    }

    /// What Mastodon gets: posts, if anything.
    fn ask(&self) -> Option<u64> {
        let mut psql = Command::new(self.ground.bin.join("psql"));
        psql.args([
            "-X",
            "-A",
            "-t",
            "-U",
            ROLE,
            "-d",
            TODAY,
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
        ]);
        let done = psql
            .args(["-c", "SELECT count(*) FROM statuses"])
            .env("PGCONNECT_TIMEOUT", "5")
            .output()
            .unwrap();
        String::from_utf8_lossy(&done.stdout).trim().parse().ok()
    }
}

impl Drop for Pooler<'_> {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        fs::remove_dir_all(self.ground.at.path().join("pooler")).unwrap();
    }
}

#[test]
fn a_pooler_is_refused_and_paused_around_the_rename() {
    let Some(ground) = Ground::new() else { return };
    let (socket, port) = (ground.socket().display().to_string(), ground.port.to_string());
    let direct = [("DB_HOST", socket.as_str()), ("DB_PORT", port.as_str())];
    for (admins, tails) in [(ROLE, ["a", "b"]), ("boss", ["c", "d"])] {
        let Some(pooler) = Pooler::new(&ground, admins) else { return };
        let mut room = VerifyRoom::new(&ground);
        room.dump("night.sql", small(SMALL_POSTS));
        let (first, second) = (run(tails[0]), run(tails[1]));
        // Through it nothing begins.
        let error = room.load(&room.order(&first)).0.unwrap_err();
        assert_eq!(error.code(), "pooler", "{error}");
        assert!(error.to_string().contains("DB_PORT: \"5432\""), "{error}");
        let through = ground.settings(&[]);
        assert_eq!(switch(&site(&through, &Heard::default()), &first).unwrap_err().code(), "pooler");
        // Directly it does.
        room.variables = direct.map(|(n, v)| (n.to_owned(), v.to_owned())).into();
        room.load(&room.order(&first)).0.unwrap();
        let (settings, heard, paused) = (ground.settings(&direct), Heard::default(), ground.paused());
        let site = Site { paused: Some(&paused), ..site(&settings, &heard) };
        assert_eq!(pooler.ask(), Some(SMALL_POSTS + 2));
        assert!(matches!(switch(&site, &first).unwrap(), Did::Done(_)));
        let said = heard.all();
        let is_heard = admins == ROLE;
        assert_eq!(said.contains("paused PgBouncer"), is_heard, "{said}");
        assert_eq!(said.contains("does not take commands from toot"), !is_heard, "{said}");
        assert_eq!(pooler.ask(), Some(SMALL_POSTS), "it goes on, to the restored database");
        assert!(matches!(back(&site, &first).unwrap(), Did::Done(_)));
        assert_eq!(pooler.ask(), Some(SMALL_POSTS + 2));
        // Whoever is killed while it is paused lets it go on when asked again, whatever is left to do.
        if is_heard {
            room.load(&room.order(&second)).0.unwrap();
            let (then, now) = (SMALL_POSTS + 2, SMALL_POSTS);
            let cases = [
                ("paused", then, true),
                ("paused", then, false),
                ("renamed", now, true),
                ("renamed", now, false),
            ];
            for (number, (point, posts, nobody_asks)) in cases.into_iter().enumerate() {
                died(deadly(&ground, "switch", &second, point, &direct).spawn().unwrap(), point);
                assert_eq!(ground.posts(TODAY), posts, "{point}");
                if nobody_asks {
                    // What systemd calls as soon as the room has ended is enough.
                    assert!(matches!(resume(&paused).unwrap(), Did::Done(_)), "{point}");
                    assert_eq!(pooler.ask(), Some(posts), "{point}");
                    assert!(matches!(resume(&paused).unwrap(), Did::Nothing(_)), "{point}: once is enough");
                }
                switch(&site, &second).unwrap();
                assert_eq!(pooler.ask(), Some(SMALL_POSTS), "{point}");
                if number < 3 {
                    back(&site, &second).unwrap();
                    ground.sql(
                        "postgres",
                        &format!(
                            "ALTER DATABASE {} RENAME TO {}",
                            Beside::Restored.name(TODAY, &second),
                            Beside::New.name(TODAY, &second)
                        ),
                    );
                }
            }
        }
        if !is_heard {
            mastmaint_database::prune(&site, &first).unwrap();
            continue;
        }
        // A failure lets it go on, too.
        back(&site, &second).unwrap();
        let foreign = ground.session(TODAY, "grafana", "SELECT 1");
        let third = run("e");
        room.load(&room.order(&third)).0.unwrap();
        assert_eq!(switch(&site, &third).unwrap_err().code(), "foreign-sessions");
        assert_eq!(pooler.ask(), Some(SMALL_POSTS + 2));
        drop(foreign);
        for run in [first, second, third] {
            mastmaint_database::prune(&site, &run).unwrap();
        }
    }
}

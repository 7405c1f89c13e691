//! A session that stays open. What it holds is let go of when this process ends, however that happens: psql ends with
//! what it reads, and the server with its client.

use crate::psql::Server;
use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Open until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    session: Child,
}

impl Held {
    /// Opens one on a database and has statements done in it; none if they are not done in that time.
    pub(crate) fn open(
        server: &Server,
        database: &str,
        statements: &str,
        within: Duration,
    ) -> io::Result<Option<Self>> {
        let mut psql = server.client("psql", database);
        psql.args(["-X", "-q", "-A", "-t", "-f", "-"]);
        let mut session = psql.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        // Servers before 14 have no such limit.
        let sql = format!(
            "\\set ON_ERROR_STOP off\nSET idle_session_timeout = 0;\n\\set ON_ERROR_STOP on\n{statements}\n\\echo held\n"
        );
        let (said, hears) = mpsc::channel();
        let out = session.stdout.take();
        thread::spawn(move || {
            for line in out.into_iter().flat_map(|out| BufReader::new(out).lines()).map_while(Result::ok) {
                if line == "held" {
                    let _ = said.send(());
                    return;
                }
            }
        });
        // The session ends at the end of what it reads: its input stays open as long as this is held.
        let asked = session.stdin.as_mut().map(|input| input.write_all(sql.as_bytes()));
        let held = Self { session };
        // Who was not let in has ended before it read anything.
        let is_asked = asked.is_some_and(|asked| asked.is_ok());
        Ok((is_asked && hears.recv_timeout(within).is_ok()).then_some(held))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.session.kill();
        let _ = self.session.wait();
    }
}

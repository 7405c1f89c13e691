//! One verb at a time works on the databases of an instance. The lock is PostgreSQL's own, of a session that we keep
//! open: it goes with this process, however that ends.

use crate::{error::DatabaseError, psql::Server, text::literal};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// Who was killed a moment ago holds it a little longer.
const PATIENCE: &str = "20s";
const ANSWERED: Duration = Duration::from_secs(40);

/// Held until it is dropped.
#[derive(Debug)]
pub(crate) struct Lock {
    session: Child,
}

impl Lock {
    /// Takes it; who has it is waited for a moment.
    pub(crate) fn take(server: &Server, admin: &str, today: &str) -> Result<Self, DatabaseError> {
        let doing = "the lock of the restore";
        let mut psql = server.client("psql", admin);
        psql.args(["-X", "-q", "-A", "-t", "-f", "-"]);
        let mut session = psql
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(DatabaseError::io(doing))?;
        let sql = format!(
            "\\set ON_ERROR_STOP off\nSET idle_session_timeout = 0;\n\\set ON_ERROR_STOP on\nSET statement_timeout = 0;\n\
             SET lock_timeout = '{PATIENCE}';\nSELECT pg_advisory_lock(hashtext('mastmaintd'), hashtext({}));\n\\echo held\n",
            literal(today)
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
        let lock = Self { session };
        asked.transpose().map_err(DatabaseError::io(doing))?;
        hears.recv_timeout(ANSWERED).map_err(|_| DatabaseError::Busy(today.to_owned()))?;
        Ok(lock)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The server lets go of it when its client is gone.
        let _ = self.session.kill();
        let _ = self.session.wait();
    }
}

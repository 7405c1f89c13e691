//! The program that opens the backups and asks the room, as a child. It ends when we let go of its standard input, also
//! when we are killed, and it takes the room along.

use crate::error::CtlError;
use mastmaint_words::stage::{Asked, Told};
use std::{
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    os::unix::process::CommandExt as _,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread,
    time::Duration,
};

/// A longer line is none of that program's.
const LONGEST: u64 = 4 * 1024 * 1024;
/// Lines that wait to be shown; whoever says more waits.
const WAITING: usize = 16;

/// The child, and what holds it.
#[derive(Debug)]
pub(super) struct Asking {
    child: Child,
    held: Option<ChildStdin>,
    told: Receiver<Told>,
}

/// What one look brings.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Told(Told),
    Nothing,
    /// It says nothing more.
    End,
}

impl Asking {
    pub(super) fn start(mut command: Command, asked: &Asked) -> Result<Self, CtlError> {
        let mut line = serde_json::to_vec(asked).map_err(io::Error::from)?;
        line.push(b'\n');
        let program = command.get_program().to_string_lossy().into_owned();
        // In a group of its own: Ctrl-C is for us, who let go of it in order.
        command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped());
        let failed =
            |error: io::Error| CtlError::Command { command: program.clone(), why: error.to_string() };
        let mut child = command.spawn().map_err(failed)?;
        let (tells, told) = sync_channel(WAITING);
        let (held, said) = (child.stdin.take(), child.stdout.take());
        let mut asking = Self { child, held, told };
        if let Some(said) = said {
            thread::Builder::new().spawn(move || listen(said, &tells)).map_err(failed)?;
        }
        if let Some(held) = &mut asking.held {
            // Who does not listen has ended, which is heard.
            let _ = held.write_all(&line);
        }
        Ok(asking)
    }

    /// What it says next, within this time.
    pub(super) fn hear(&self, patience: Duration) -> Heard {
        match self.told.recv_timeout(patience) {
            Ok(told) => Heard::Told(told),
            Err(RecvTimeoutError::Timeout) => Heard::Nothing,
            Err(RecvTimeoutError::Disconnected) => Heard::End,
        }
    }

    /// Lets go of it; what it still says can be heard.
    pub(super) fn let_go(&mut self) {
        self.held = None;
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.let_go();
        // It has ended, or hangs: the unit, if there is one, ends with what it reads from and writes to.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn listen(said: ChildStdout, tells: &SyncSender<Told>) {
    let mut said = BufReader::new(said);
    loop {
        let mut line = Vec::new();
        let count = said.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        if !count.is_ok_and(|count| count > 0) {
            return;
        }
        // What is no such line is not for us, and what is behind it neither.
        let Ok(told) = serde_json::from_slice(&line) else { return };
        if tells.send(told).is_err() {
            return;
        }
    }
}

//! `mastmaint-verify --stage`: what is asked comes in a line over its standard input, what there is to say of it goes out,
//! a line of JSON each, to who started it and waits there: behind that line nothing comes but the end.

use crate::{
    finding::Severity,
    prove::Tell,
    verify::{Request, stage},
};
use mastmaint_words::stage::{Asked, Stage, Told, Up};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::{
    io::{self, BufRead as _, Read as _, Write as _},
    os::fd::AsFd as _,
};

/// A longer line is none of ours.
const LONGEST: u64 = 4 * 1024 * 1024;

/// Who waits.
#[derive(Debug, Clone, Copy, Default)]
struct Waiting;

/// What is asked.
pub fn asked() -> io::Result<Asked> {
    let mut line = String::new();
    io::stdin().lock().take(LONGEST).read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

/// Stages a backup for who waits, and tells everything; whether it came to its right end.
pub fn stage_for_who_waits(request: &Request<'_>, order: &Stage) -> bool {
    let staged = stage(request, order, &|chosen| tell(&Told::Chosen(chosen)), &Waiting);
    match staged {
        Ok(findings) => {
            let is_fine = findings.iter().all(|finding| finding.severity < Severity::Fail);
            tell(&Told::Over(findings));
            is_fine
        }
        Err(error) => {
            tell(&Told::Failed { code: error.code().to_owned(), message: error.to_string() });
            false
        }
    }
}

fn tell(told: &Told) {
    let Ok(mut line) = serde_json::to_vec(told) else { return };
    line.push(b'\n');
    let mut out = io::stdout().lock();
    // Who does not listen any more has gone, which is seen by `is_cancelled`.
    let _ = out.write_all(&line).and_then(|()| out.flush());
}

impl Tell for Waiting {
    fn say(&self, text: &str) {
        tell(&Told::Said(text.to_owned()));
    }

    fn up(&self, up: &Up) {
        tell(&Told::Up(up.clone()));
    }

    fn is_cancelled(&self) -> bool {
        let stdin = io::stdin();
        let mut look = [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut look, Some(&now)).is_ok_and(|ready| ready > 0)
    }
}

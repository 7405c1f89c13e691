//! A probe as a step of a job: asked until it says yes, or for so long.

use crate::{Asker, ask_all};
use mastmaint_runner::{probe::Said, protocol::AskedProbe};
use mastmaint_words::ProbeName;
use std::{
    thread,
    time::{Duration, Instant},
};

/// Between two questions.
const PAUSE: Duration = Duration::from_secs(2);

/// Exit status of a yes.
pub const YES: u8 = 0;
/// Exit status of a no.
pub const NO: u8 = 1;
/// Exit status of a probe that could not be asked.
pub const NOT_ASKED: u8 = 3;

/// Asks until the probe says yes or the time is over; what it says goes to standard output when it changes, and the last
/// word of a probe that never did to standard error.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a step speaks to the runner over both")]
pub fn yes(asker: &Asker, probe: &ProbeName, within: Duration) -> u8 {
    let end = Instant::now() + within;
    let (mut last, mut note) = (String::new(), None);
    loop {
        let question = AskedProbe { name: probe.clone(), note };
        let Some(answer) = ask_all(asker, vec![question]).next() else {
            eprintln!("the configuration has no such probe");
            return NOT_ASKED;
        };
        note = answer.note;
        let (status, text) = match answer.said {
            Said::Answers { what } => (YES, what),
            Said::Silent { why } => (NO, why),
            Said::NotAsked { why } => (NOT_ASKED, why),
        };
        if status == YES {
            println!("{probe} says yes: {text}");
            return YES;
        }
        if Instant::now() + PAUSE >= end {
            eprintln!("{text}");
            return status;
        }
        if text != last {
            println!("{probe} does not say yes yet: {text}");
            last = text;
        }
        thread::sleep(PAUSE);
    }
}

//! A probe as a step of a job: asked until it says yes, or for so long.

use crate::{Asker, ask_all, visit};
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

/// What a look at the site may take, each time.
const VISIT: Duration = Duration::from_secs(30);

/// Asks a probe until it says yes.
pub fn yes(asker: &Asker, probe: &ProbeName, within: Duration) -> u8 {
    let mut note = None;
    until(probe.as_str(), within, || {
        let question = AskedProbe { name: probe.clone(), note: note.take() };
        let answer = ask_all(asker, vec![question]).next();
        let unheard = || Said::NotAsked { why: "the configuration has no such probe".to_owned() };
        answer.map_or_else(unheard, |answer| {
            note = answer.note;
            answer.said
        })
    })
}

/// Looks at the site and every theme as a visitor, until all of it is well.
pub fn well(asker: &Asker, within: Duration) -> u8 {
    until("the site", within, || visit::ask(asker, Instant::now() + VISIT.min(within)))
}

/// Asks until the answer is yes or the time is over; what is said goes to standard output when it changes, and the last
/// word of who never said yes to standard error.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a step speaks to the runner over both")]
fn until(whom: &str, within: Duration, mut ask: impl FnMut() -> Said) -> u8 {
    let end = Instant::now() + within;
    let mut last = String::new();
    loop {
        let (status, text) = match ask() {
            Said::Answers { what } => (YES, what),
            Said::Silent { why } => (NO, why),
            Said::NotAsked { why } => (NOT_ASKED, why),
        };
        if status == YES {
            println!("{whom} says yes: {text}");
            return YES;
        }
        if Instant::now() + PAUSE >= end {
            eprintln!("{text}");
            return status;
        }
        if text != last {
            println!("{whom} does not say yes yet: {text}");
            last = text;
        }
        thread::sleep(PAUSE);
    }
}

//! A change that is tried in the staged copy before Mastodon is started from it: an admin's command, whose output is told
//! as it comes.

use super::{environment::redacted, mastodon::Mastodon};
use crate::{
    check::Env,
    drill::{Stop, space},
    error::VerifyError,
    finding::{Code, Finding},
    prove::Tell,
};
use mastmaint_words::human;
use std::{
    fs::File,
    io::{self, Read as _},
    thread,
    time::{Duration, Instant},
};

const LOOK_EVERY: Duration = Duration::from_millis(100);
/// So much of its output is told, which is less than who listens takes. A build of all assets says a tenth of that.
const MOST: usize = 512 * 1024;
/// What a line takes beside its words; that of an empty one is what ends a flood of them.
const AROUND: usize = 16;
/// A longer line is told in pieces.
const LINE: usize = 4096;

/// Runs it; whatever it is that failed, nothing goes on.
pub(super) fn try_out(
    mastodon: &Mastodon<'_>,
    (change, limit): (&str, Duration),
    reserve: u64,
    tell: &dyn Tell,
) -> Result<(), Stop> {
    let of = || VerifyError::drill(mastodon.scratch);
    let begun = Instant::now();
    tell.say(&format!("trying in the copy: {change}"));
    let mut running = mastodon.shell("change", change)?;
    let mut output = Output::new(File::open(running.log()).map_err(of())?);
    let status = loop {
        let ended = running.ended().map_err(of())?;
        output.tell(mastodon.env, tell).map_err(of())?;
        if let Some(status) = ended {
            break status;
        }
        if tell.is_cancelled() {
            return Err(VerifyError::Cancelled.into());
        }
        if begun.elapsed() > limit {
            output.flush(mastodon.env, tell);
            let what = format!(
                "nothing is staged: the command that was tried was not done after {}",
                human::took(limit)
            );
            let advice = "See what it waits for, or give the stage more time with --for.";
            return Err(Finding::fail(Code::ChangeFailed, what, advice).with([running.said()]).into());
        }
        if space::free(mastodon.scratch)? < reserve {
            return Err(space::filled_up(mastodon.name, mastodon.scratch, []).into());
        }
        thread::sleep(LOOK_EVERY);
    };
    output.flush(mastodon.env, tell);
    if status.success() {
        tell.say(&format!("it went through in {}", human::took(begun.elapsed())));
        return Ok(());
    }
    let what = format!("nothing is staged: the command that was tried ended with {status}");
    let advice = "See what it says. It ran in the copy without a network, and with nothing that is not in the file backup.";
    Err(Finding::fail(Code::ChangeFailed, what, advice).with(mastodon.evidence(&running.said())).into())
}

/// What it has said so far, and how much of that was told.
struct Output {
    log: File,
    line: Vec<u8>,
    left: usize,
    is_too_much: bool,
}

impl Output {
    fn new(log: File) -> Self {
        Self { log, line: Vec::new(), left: MOST, is_too_much: false }
    }

    /// Tells what was said since.
    fn tell(&mut self, env: &Env, tell: &dyn Tell) -> io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        while self.left > 0 {
            let count = self.log.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            for byte in &buffer[..count] {
                // What a terminal would write over a line is a line, too.
                match byte {
                    b'\n' | b'\r' => self.flush(env, tell),
                    byte => self.line.push(*byte),
                }
                if self.line.len() >= LINE {
                    self.flush(env, tell);
                }
            }
        }
        if !self.is_too_much {
            self.is_too_much = true;
            tell.say("what it says from here on is not shown");
        }
        Ok(())
    }

    /// Tells the line that is under way, whether or not it has come to its end.
    fn flush(&mut self, env: &Env, tell: &dyn Tell) {
        let line = redacted(&String::from_utf8_lossy(&std::mem::take(&mut self.line)), env);
        if self.left > 0 && !line.is_empty() {
            tell.say(&format!("  {line}"));
        }
        self.left = self.left.saturating_sub(line.len() + AROUND);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, io::Write as _, sync::Mutex};

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Tell for Heard {
        fn say(&self, text: &str) {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }

    #[test]
    fn lines_are_told_as_they_come_and_a_flood_is_cut() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("log");
        let mut log = File::options().create(true).append(true).open(&path).unwrap();
        let env = Env::parse("SECRET_KEY_BASE=verysecret\n");
        let (heard, mut output) = (Heard::default(), Output::new(File::open(&path).unwrap()));
        log.write_all(b"one\rtwo \x1b[1mverysecret\nthr").unwrap();
        output.tell(&env, &heard).unwrap();
        assert_eq!(heard.0.lock().unwrap()[..], ["  one", "  two \\u{1b}[1m[SECRET_KEY_BASE]"]);
        log.write_all(b"ee").unwrap();
        output.tell(&env, &heard).unwrap();
        output.flush(&env, &heard);
        assert_eq!(heard.0.lock().unwrap()[2], "  three");

        fs::write(&path, vec![b'x'; 2 * MOST]).unwrap();
        let (heard, mut output) = (Heard::default(), Output::new(File::open(&path).unwrap()));
        output.tell(&env, &heard).unwrap();
        output.tell(&env, &heard).unwrap();
        output.flush(&env, &heard);
        let heard = heard.0.lock().unwrap();
        assert_eq!(heard.len(), MOST.div_ceil(LINE + AROUND) + 1);
        assert!(heard.last().unwrap().contains("not shown"), "{:?}", heard.last());

        fs::write(&path, vec![b'\n'; 2 * MOST]).unwrap();
        let (heard, mut output) = (Heard::default(), Output::new(File::open(&path).unwrap()));
        output.tell(&env, &heard).unwrap();
        assert_eq!(heard.0.lock().unwrap().len(), 1);
    }
}

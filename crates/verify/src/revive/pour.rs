//! The dump goes into a PostgreSQL: an archive by `pg_restore`, text by `psql`. Any complaint that is not known to be
//! harmless ends it.

use super::{Complaints, Shape};
use crate::{
    dump::{beyond, is_ended},
    finding::{Code, Finding, Severity},
    stream::{self, Input},
};
use std::{
    fs::File,
    io::{self, Read as _, Write as _},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Who has ended has said everything by then.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// Enough for the completion line and what follows it.
const TAIL: usize = 600;

/// How the program that restores came to its end; `H` is why it was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended<H> {
    /// By itself.
    Exited(ExitStatus),
    /// It was ended at its first complaint that matters.
    GivenUp,
    /// It was ended because of something else.
    Stopped(H),
}

/// What came of it.
#[derive(Debug)]
pub struct Poured<H> {
    /// How it ended.
    pub ended: Ended<H>,
    /// What it complained about.
    pub heard: Complaints,
    fed: Option<Fed>,
}

/// What was fed of a text.
#[derive(Debug, Default)]
struct Fed {
    tail: Vec<u8>,
    broken: Option<io::Error>,
    /// What it would have done beyond its own database.
    beyond: Option<String>,
}

/// Restores. `client` makes a client of the server by its program's name; `stop` is asked again and again whether to end.
/// With a key, which the dump must not know, `psql` takes nothing but SQL from it, and nothing of that which reaches beyond
/// the database.
pub fn pour<H>(
    shape: Shape,
    dump: File,
    key: Option<&str>,
    client: &dyn Fn(&str) -> Command,
    stop: &mut dyn FnMut() -> io::Result<Option<H>>,
) -> io::Result<Poured<H>> {
    let (mut child, feeding) = start(shape, dump, key, client)?;
    let complaints = Arc::new(Mutex::new(Complaints::default()));
    let listening = listen(&mut child, &complaints);
    let heard = || complaints.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let ended = wait(&mut child, stop, &|| !heard().fatal.is_empty())?;
    await_end(&listening);
    // Who was ended may leave the feeding thread at a pipe in which nothing comes: it goes with this process.
    let has_fed = matches!(ended, Ended::Exited(_));
    let fed = feeding.filter(|_| has_fed).map(|feeding| {
        await_end(&feeding);
        if feeding.is_finished() { feeding.join().unwrap_or_default() } else { Fed::default() }
    });
    Ok(Poured { ended, heard: heard(), fed })
}

fn start(
    shape: Shape,
    dump: File,
    key: Option<&str>,
    client: &dyn Fn(&str) -> Command,
) -> io::Result<(Child, Option<JoinHandle<Fed>>)> {
    if let Shape::Archive(..) = shape {
        let mut restore = client("pg_restore");
        restore.args(["--no-owner", "--no-privileges", "--no-publications", "--no-subscriptions"]);
        let child = restore.stdin(dump).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        return Ok((child, None));
    }
    let mut psql = client("psql");
    // Not ON_ERROR_STOP: what is harmless must not end it, and what is not is seen by us.
    psql.args(["-X", "-q", "-f", "-"]);
    let mut child = psql.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let key = key.map(str::to_owned);
    let feeding = child.stdin.take().map(|to| thread::spawn(move || feed(dump, key.as_deref(), to)));
    Ok((child, feeding))
}

/// Unpacks the dump into `psql` and keeps its end.
fn feed(dump: File, key: Option<&str>, mut to: ChildStdin) -> Fed {
    let mut fed = Fed::default();
    let unpacked = stream::unpack_file(dump).and_then(|text| match key {
        Some(key) => restricted(key, text),
        None => Ok(text),
    });
    let mut text = match unpacked {
        Ok(text) => text,
        Err(error) => return Fed { broken: Some(error), ..fed },
    };
    let mut watch = key.map(|_| beyond::Watch::default());
    let mut buffer = vec![0; 256 * 1024];
    loop {
        let count = match text.read(&mut buffer) {
            Ok(0) => return fed,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Fed { broken: Some(error), ..fed },
        };
        // The statement has not ended by then: psql has at most its first words.
        if let Some(beyond) = watch.as_mut().and_then(|watch| watch.see(&buffer[..count])) {
            return Fed { beyond: Some(beyond), ..fed };
        }
        fed.tail.extend_from_slice(&buffer[..count]);
        let surplus = fed.tail.len().saturating_sub(TAIL);
        fed.tail.drain(..surplus);
        if to.write_all(&buffer[..count]).is_err() {
            // psql has ended; it has said why.
            return Fed::default();
        }
    }
}

/// Where the line stands that a dump begins its own restriction with.
const HEAD: usize = 4096;

/// A text that is restricted by our key instead of the one that is written in it.
fn restricted(key: &str, text: Input) -> io::Result<Input> {
    let mut head = Vec::with_capacity(HEAD);
    let mut text = text;
    (&mut text).take(HEAD as u64).read_to_end(&mut head)?;
    let own = head.split_inclusive(|b| *b == b'\n').position(|line| line.starts_with(b"\\restrict "));
    let lines = head.split_inclusive(|b| *b == b'\n').enumerate();
    let mut begin = format!("\\restrict {key}\n").into_bytes();
    begin.extend(lines.filter(|(at, _)| Some(*at) != own).flat_map(|(_, line)| line));
    Ok(Box::new(io::Cursor::new(begin).chain(text)))
}

fn listen(child: &mut Child, complaints: &Arc<Mutex<Complaints>>) -> JoinHandle<()> {
    let (from, complaints) = (child.stderr.take(), Arc::clone(complaints));
    thread::spawn(move || {
        if let Some(from) = from {
            Complaints::read(from, |heard| {
                complaints.lock().unwrap_or_else(PoisonError::into_inner).clone_from(heard);
            });
        }
    })
}

fn await_end<T>(thread: &JoinHandle<T>) {
    let begun = Instant::now();
    while !thread.is_finished() && begun.elapsed() < LAST_WORDS {
        thread::sleep(LOOK_EVERY / 4);
    }
}

fn wait<H>(
    child: &mut Child,
    stop: &mut dyn FnMut() -> io::Result<Option<H>>,
    has_failed: &dyn Fn() -> bool,
) -> io::Result<Ended<H>> {
    let ended = loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Ended::Exited(status));
        }
        match stop() {
            Ok(None) => {}
            Ok(Some(why)) => break Ok(Ended::Stopped(why)),
            Err(error) => break Err(error),
        }
        if has_failed() {
            // A moment for the lines that explain it.
            thread::sleep(LOOK_EVERY * 5);
            break Ok(Ended::GivenUp);
        }
        thread::sleep(LOOK_EVERY);
    };
    let _ = child.kill();
    let _ = child.wait();
    ended
}

impl<H> Poured<H> {
    /// What it says of the dump, where nothing else was in its way: what was harmless, or why it does not come back.
    pub fn verdict(&self, dump: &str, shape: Shape, major: u32) -> Result<Vec<String>, Box<Finding>> {
        if let Some(error) = self.fed.as_ref().and_then(|f| f.broken.as_ref()) {
            return Err(Box::new(stream::broken(dump, error)));
        }
        let version = match shape {
            Shape::Archive(a, b) => Some((a, b)),
            Shape::Text | Shape::Cluster => None,
        };
        if let Some(statement) = self.fed.as_ref().and_then(|f| f.beyond.as_ref()) {
            return Err(Box::new(Finding { severity: Severity::Fail, ..beyond::finding(dump, statement) }));
        }
        if let Some(finding) = self.heard.finding(dump, version, major) {
            return Err(Box::new(finding));
        }
        let is_fine = match self.ended {
            Ended::Exited(status) if status.success() => true,
            Ended::Exited(status) => {
                status.code() == Some(1) && version.is_some() && self.heard.explain_ignored()
            }
            Ended::GivenUp | Ended::Stopped(_) => false,
        };
        if !is_fine {
            let how = match self.ended {
                Ended::Exited(status) => status.to_string(),
                Ended::GivenUp | Ended::Stopped(_) => "it was ended".to_owned(),
            };
            let what = format!("{dump} cannot be restored: the program that restores it ended with {how}");
            let advice = "See what it says; it would not come back whole.";
            return Err(Box::new(Finding::fail(Code::RestoreErrors, what, advice).with(self.heard.last())));
        }
        if let Some(fed) = &self.fed
            && !is_ended(&String::from_utf8_lossy(&fed.tail), shape == Shape::Cluster)
        {
            let what = format!("{dump} ends before its end: the completion line is missing");
            let advice = "It would not come back whole. Keep older dumps until there is a good one again, and see why: the disk it lies on, the end of pg_dump's output.";
            return Err(Box::new(Finding::fail(Code::CutShort, what, advice)));
        }
        Ok(self.heard.harmless())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_the_dump_is_taken_out_and_ours_comes_first() {
        let of = |text: &'static str| {
            let mut out = String::new();
            restricted("ours", Box::new(text.as_bytes())).unwrap().read_to_string(&mut out).unwrap();
            out
        };
        assert_eq!(of("--\n\n\\restrict theirs\nSELECT 1;\n"), "\\restrict ours\n--\n\nSELECT 1;\n");
        assert_eq!(of("SELECT 1;"), "\\restrict ours\nSELECT 1;");
        // Only the first: whatever else is in it is not taken by psql.
        assert_eq!(of("\\restrict a\n\\restrict b\n"), "\\restrict ours\n\\restrict b\n");
    }
}

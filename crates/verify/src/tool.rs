//! Programs of others: started with nothing of our environment, read with a bound, never left behind.

use crate::{
    prove::Tell,
    stream::{Input, Trouble},
};
use std::{
    ffi::{OsStr, OsString},
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// What a program complains about at length is not kept.
const COMPLAINTS: usize = 64 * 1024;
/// The longest listing that is taken in as a whole: tens of thousands of snapshots.
const LONGEST: u64 = 64 * 1024 * 1024;
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// Where the programs of a distribution lie, and those that an admin has put there.
const DIRECTORIES: [&str; 3] = ["/usr/bin", "/usr/local/bin", "/bin"];

/// A program and what each of its calls has in common.
#[derive(Debug, Clone)]
pub(crate) struct Tool {
    program: PathBuf,
    environment: Vec<(String, OsString)>,
    common: Vec<OsString>,
    hopeless: Option<&'static str>,
    log: Option<PathBuf>,
}

/// What a program that has ended said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: ExitStatus,
    pub(crate) out: Vec<u8>,
    pub(crate) complaints: String,
}

/// How a program came to its end.
#[derive(Debug)]
pub(crate) enum Ran {
    /// By itself.
    Ended(Said),
    /// Its time was over; it was killed.
    TooLong,
    /// Somebody asked for the end; it was killed.
    Cancelled,
}

impl Tool {
    /// Looks for a program; its home and its temporary files are in `scratch`.
    pub(crate) fn find(name: &str, scratch: &Path) -> Option<Self> {
        let program = DIRECTORIES.iter().map(|d| Path::new(d).join(name)).find(|p| p.exists())?;
        let scratch = scratch.as_os_str().to_owned();
        let environment = vec![
            ("PATH", OsString::from("/usr/local/bin:/usr/bin:/bin")),
            ("LC_ALL", "C.UTF-8".into()),
            // Times without a zone are in this one.
            ("TZ", "UTC".into()),
            ("HOME", scratch.clone()),
            ("TMPDIR", scratch),
        ];
        let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Some(Self { program, environment, common: Vec::new(), hopeless: None, log: None })
    }

    /// The same with a variable.
    pub(crate) fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.environment.push((name.to_owned(), value.into()));
        self
    }

    /// The same with a word before those of each call.
    pub(crate) fn word(mut self, word: impl Into<OsString>) -> Self {
        self.common.push(word.into());
        self
    }

    /// The same, ended as soon as it complains in these words: what it would try again is as it is.
    pub(crate) const fn hopeless(mut self, words: &'static str) -> Self {
        self.hopeless = Some(words);
        self
    }

    /// The same with a file into which a program that it starts complains: what that says last is lost on its way
    /// through both.
    pub(crate) fn log(mut self, path: PathBuf) -> Self {
        self.log = Some(path);
        self
    }

    fn command(&self, words: &[&OsStr]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.common).args(words).env_clear().envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs it to its end, or until `time` is over or somebody asks for the end.
    pub(crate) fn run(&self, words: &[&str], time: Option<Duration>, tell: &dyn Tell) -> io::Result<Ran> {
        let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        let begun = Instant::now();
        let (child, out, complaints, _) = start(self.command(&words), self.hopeless)?;
        let out = thread::spawn(move || kept(out, LONGEST));
        let status = loop {
            if let Some(status) = locked(&child).try_wait()? {
                break status;
            }
            let is_over = time.is_some_and(|time| begun.elapsed() >= time);
            if is_over || tell.is_cancelled() {
                let mut child = locked(&child);
                child.kill()?;
                child.wait()?;
                return Ok(if is_over { Ran::TooLong } else { Ran::Cancelled });
            }
            thread::sleep(LOOK_EVERY);
        };
        let out = out.join().unwrap_or_default();
        let complaints = complaints.join().unwrap_or_default() + &logged(self.log.as_deref());
        Ok(Ran::Ended(Said { status, out, complaints }))
    }

    /// Starts it; what it writes is read while it works. `explain` makes words of its complaints if it fails.
    pub(crate) fn stream(
        &self,
        words: &[&OsStr],
        input: Option<Input>,
        explain: fn(&str) -> Trouble,
    ) -> io::Result<Stream> {
        let mut command = self.command(words);
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut stream = Stream::start(command, self.hopeless, input, explain)?;
        stream.log.clone_from(&self.log);
        Ok(stream)
    }
}

/// A child that is waited for by one thread and may be ended by another.
type Shared = Arc<Mutex<Child>>;

fn locked(child: &Shared) -> MutexGuard<'_, Child> {
    child.lock().unwrap_or_else(PoisonError::into_inner)
}

type Started = (Shared, Option<ChildStdout>, JoinHandle<String>, Option<ChildStdin>);

/// Starts a program; somebody listens to what it complains about.
fn start(mut command: Command, hopeless: Option<&'static str>) -> io::Result<Started> {
    let mut child = command.spawn()?;
    let (out, stdin, complaints) = (child.stdout.take(), child.stdin.take(), child.stderr.take());
    let child = Arc::new(Mutex::new(child));
    let of = Arc::clone(&child);
    let complaints = thread::spawn(move || {
        let mut text = String::new();
        for line in complaints
            .map(BufReader::new)
            .into_iter()
            .flat_map(|lines| lines.split(b'\n'))
            .map_while(Result::ok)
        {
            let line = String::from_utf8_lossy(&line);
            if text.len() < COMPLAINTS {
                text.push_str(&line);
                text.push('\n');
            }
            if hopeless.is_some_and(|words| line.contains(words)) {
                let _ = locked(&of).kill();
            }
        }
        text
    });
    Ok((child, out, complaints, stdin))
}

/// What was complained about in a file, which is gone then.
fn logged(log: Option<&Path>) -> String {
    let Some(log) = log else { return String::new() };
    let file = File::open(log).ok();
    let _ = fs::remove_file(log);
    String::from_utf8_lossy(&kept(file, COMPLAINTS as u64)).into_owned()
}

/// Keeps the first bytes of what a program writes, and reads the rest too: it must not wait for us.
fn kept(from: Option<impl Read>, most: u64) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(mut from) = from {
        let _ = (&mut from).take(most).read_to_end(&mut kept);
        let _ = io::copy(&mut from, &mut io::sink());
    }
    kept
}

/// What a program writes, as long as it works. That it failed is the error at the end.
pub(crate) struct Stream {
    child: Shared,
    out: Option<ChildStdout>,
    complaints: Option<JoinHandle<String>>,
    feeding: Option<JoinHandle<io::Result<u64>>>,
    log: Option<PathBuf>,
    explain: fn(&str) -> Trouble,
}

impl Stream {
    fn start(
        command: Command,
        hopeless: Option<&'static str>,
        input: Option<Input>,
        explain: fn(&str) -> Trouble,
    ) -> io::Result<Self> {
        let (child, out, complaints, stdin) = start(command, hopeless)?;
        let feeding = input
            .zip(stdin)
            .map(|(mut input, mut stdin)| thread::spawn(move || io::copy(&mut input, &mut stdin)));
        Ok(Self { child, out, complaints: Some(complaints), feeding, log: None, explain })
    }

    /// Waits for its end; an error if it failed, or if what it was fed with did.
    fn end(&mut self) -> io::Result<()> {
        let status = loop {
            // Nobody is kept from ending it.
            if let Some(status) = locked(&self.child).try_wait()? {
                break status;
            }
            thread::sleep(LOOK_EVERY);
        };
        let fed = self.feeding.take().and_then(|feeding| feeding.join().ok());
        if let Some(Err(error)) = fed
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            return Err(error);
        }
        if status.success() {
            return Ok(());
        }
        let complaints = self.complaints.take().and_then(|c| c.join().ok()).unwrap_or_default();
        let complaints = complaints + &logged(self.log.as_deref());
        Err((self.explain)(&complaints).into())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(out) = &mut self.out else { return Ok(0) };
        let count = out.read(buffer)?;
        if count == 0 && !buffer.is_empty() {
            self.out = None;
            self.end()?;
        }
        Ok(count)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Whoever has read enough needs no more of it. What was fed meets a closed pipe and ends by itself.
        if self.out.take().is_some() {
            let mut child = locked(&self.child);
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The last line that says something, for evidence.
pub(crate) fn last_line(text: &str) -> String {
    text.lines().rev().map(str::trim).find(|l| !l.is_empty()).unwrap_or("it said nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{finding::Code, prove::Untold};

    fn shell() -> Tool {
        Tool::find("sh", Path::new("/tmp")).unwrap().word("-c")
    }

    fn explain(complaints: &str) -> Trouble {
        Trouble { code: Code::Damaged, what: last_line(complaints), advice: "", says: Vec::new() }
    }

    #[test]
    fn a_program_gets_nothing_of_our_environment_and_is_killed_in_time() {
        let ran = |script: &str, time| shell().run(&[script], time, &Untold).unwrap();
        let Ran::Ended(said) = ran("env | cut -d= -f1 | sort | tr '\\n' ' '; echo no >&2; exit 3", None)
        else {
            panic!("not ended")
        };
        assert_eq!(String::from_utf8_lossy(&said.out), "HOME LC_ALL PATH PWD TMPDIR TZ ");
        assert_eq!((said.status.code(), said.complaints.as_str()), (Some(3), "no\n"));
        assert!(matches!(ran("exec sleep 100", Some(Duration::from_millis(50))), Ran::TooLong));
        let hopeless = shell().hopeless("retrying");
        let ran = hopeless.run(&["echo no, retrying >&2; exec sleep 100"], None, &Untold).unwrap();
        let Ran::Ended(said) = ran else { panic!("not ended") };
        assert_eq!((said.status.code(), said.complaints.as_str()), (None, "no, retrying\n"));
    }

    #[test]
    fn that_it_failed_is_told_at_the_end_of_what_it_wrote() {
        let read = |script: &str, input: Option<Input>| {
            let mut stream = shell().stream(&[OsStr::new(script)], input, explain).unwrap();
            let mut out = String::new();
            stream.read_to_string(&mut out).map(|_| out).map_err(|e| e.to_string())
        };
        let fed = |bytes: &'static [u8]| Some(Box::new(bytes) as Input);
        assert_eq!(read("cat", fed(b"abc")).unwrap(), "abc");
        assert_eq!(read("head -c 1", Some(Box::new(io::repeat(b'x')))).unwrap(), "x");
        assert_eq!(read("cat; echo a >&2; echo why >&2; exit 1", fed(b"abc")).unwrap_err(), "why");
    }

    #[test]
    fn who_has_read_enough_is_not_kept_waiting() {
        let mut stream = shell().stream(&[OsStr::new("exec yes")], None, explain).unwrap();
        stream.read_exact(&mut [0; 10]).unwrap();
    }
}

//! A daemon that says what a test wants, on real sockets, for the real binary.

use mastmaint_control::{
    decode_request, encode_reply,
    words::{Reply, Request},
};
use std::{
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
};

type Answer = dyn Fn(&Request, &mut UnixStream) + Send + Sync;

/// Sockets with a made-up daemon behind them.
pub(crate) struct FakeDaemon {
    dir: tempfile::TempDir,
    asked: Arc<Mutex<Vec<(&'static str, Request)>>>,
}

impl FakeDaemon {
    /// Answers each request with what `replies` gives for it, then closes.
    pub(crate) fn saying(replies: impl Fn(&Request) -> Vec<Reply> + Send + Sync + 'static) -> Self {
        Self::doing(move |request, stream| {
            for reply in replies(request) {
                if stream.write_all(&encode_reply(&reply)).is_err() {
                    return;
                }
            }
        })
    }

    /// Does anything at all with a connection.
    pub(crate) fn doing(answer: impl Fn(&Request, &mut UnixStream) + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let answer: Arc<Answer> = Arc::new(answer);
        for socket in ["observe.sock", "control.sock"] {
            let listener = UnixListener::bind(dir.path().join(socket)).unwrap();
            let (asked, answer) = (asked.clone(), answer.clone());
            thread::spawn(move || {
                for stream in listener.incoming() {
                    let (asked, answer) = (asked.clone(), answer.clone());
                    thread::spawn(move || serve(stream.unwrap(), socket, &asked, &*answer));
                }
            });
        }
        Self { dir, asked }
    }

    /// What was asked so far, and where.
    pub(crate) fn asked(&self) -> Vec<(&'static str, Request)> {
        self.asked.lock().unwrap().clone()
    }

    /// A command line for this daemon.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        command(self.dir.path(), args)
    }

    /// Runs a command line to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }
}

fn serve(
    mut stream: UnixStream,
    socket: &'static str,
    asked: &Mutex<Vec<(&'static str, Request)>>,
    answer: &Answer,
) {
    let mut line = Vec::new();
    BufReader::new(stream.try_clone().unwrap()).read_until(b'\n', &mut line).unwrap();
    if line.is_empty() {
        return;
    }
    let request = decode_request(&line).unwrap();
    asked.lock().unwrap().push((socket, request.clone()));
    answer(&request, &mut stream);
}

/// The real binary.
pub(crate) fn command(runtime_dir: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mastmaintctl"));
    command.arg("--runtime-dir").arg(runtime_dir).args(args).env("TZ", "UTC").stdin(Stdio::null());
    command
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

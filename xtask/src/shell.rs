//! Running other programs and talking to the developer.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Why a task could not be done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TaskError {
    /// A program ended with a failure.
    #[error("`{command}` failed: {status}")]
    Failed { command: String, status: String },
    /// A program could not be started.
    #[error("cannot run `{command}`: {source}")]
    Start { command: String, source: std::io::Error },
    /// A file could not be handled.
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    /// Something that no further try would change.
    #[error("{0}")]
    Hopeless(String),
}

/// What tasks return.
pub(crate) type Result<T> = std::result::Result<T, TaskError>;

/// Attaches a path to an I/O error.
pub(crate) fn at(path: &Path) -> impl FnOnce(std::io::Error) -> TaskError + '_ {
    |source| TaskError::File { path: path.to_owned(), source }
}

/// Talk goes to standard error.
pub(crate) fn say(text: &str) {
    // Nobody listens any more if this fails.
    drop(writeln!(std::io::stderr(), "{text}"));
}

/// Data goes to standard output.
pub(crate) fn print(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where cargo puts what it builds.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// A command in the workspace's root without anything on its standard input.
pub(crate) fn command<I: IntoIterator<Item = S>, S: AsRef<str>>(program: &str, args: I) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root()).stdin(Stdio::null());
    for arg in args {
        command.arg(arg.as_ref());
    }
    command
}

/// The cargo that runs this task.
pub(crate) fn cargo<I: IntoIterator<Item = S>, S: AsRef<str>>(args: I) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    command(&cargo, args)
}

/// Runs a command to a good end.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let line = line_of(&command);
    say(&format!("+ {line}"));
    let status = command.status().map_err(|source| TaskError::Start { command: line.clone(), source })?;
    if status.success() {
        Ok(())
    } else {
        Err(TaskError::Failed { command: line, status: status.to_string() })
    }
}

/// Runs a command to a good end and returns what it printed.
pub(crate) fn output(mut command: Command) -> Result<Vec<u8>> {
    let line = line_of(&command);
    command.stderr(Stdio::inherit());
    let done = command.output().map_err(|source| TaskError::Start { command: line.clone(), source })?;
    if done.status.success() {
        Ok(done.stdout)
    } else {
        Err(TaskError::Failed { command: line, status: done.status.to_string() })
    }
}

fn line_of(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|w| w.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

//! Starts the main process, or says in words why it cannot.

use super::{Ending, StepCommand};
use std::{
    fs,
    io::{self, BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// Starts it as leader of a process group of its own, with nothing inherited.
pub(super) fn start(command: &StepCommand) -> Result<Child, Ending> {
    let directory = &command.directory;
    match fs::metadata(directory) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => {
            return Err(not_started(
                "directory-missing",
                format!("{} is not a directory", directory.display()),
            ));
        }
        Err(e) => {
            let code = if e.kind() == io::ErrorKind::NotFound {
                "directory-missing"
            } else {
                "directory-unreadable"
            };
            let text = format!("its directory {} cannot be entered: {}", directory.display(), plain(&e));
            return Err(not_started(code, text));
        }
    }
    let program = find(command).ok_or_else(|| {
        let text =
            format!("{} was not found in PATH; install it or name it in full", command.program.display());
        not_started("program-missing", text)
    })?;
    Command::new(&program)
        .arg0(&command.program)
        .args(&command.args)
        .env_clear()
        .envs(&command.environment)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|e| explain(&e, &program))
}

/// Where the program is. A bare name is looked up in the PATH that the step gets, not in ours.
fn find(command: &StepCommand) -> Option<PathBuf> {
    if command.program.components().count() > 1 || command.program.is_absolute() {
        return Some(command.directory.join(&command.program));
    }
    let path = command.environment.get("PATH")?;
    let candidates = std::env::split_paths(path).map(|d| command.directory.join(d).join(&command.program));
    let found: Vec<_> = candidates.filter(|c| c.is_file()).collect();
    found.iter().find(|c| is_executable(c)).or(found.first()).cloned()
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).is_ok_and(|m| m.permissions().mode() & 0o111 != 0)
}

fn explain(error: &io::Error, program: &Path) -> Ending {
    use nix::errno::Errno;
    let shown = program.display();
    let (code, text) = match Errno::from_raw(error.raw_os_error().unwrap_or(0)) {
        Errno::ENOENT | Errno::ENOTDIR if fs::metadata(program).is_ok() => match interpreter(program) {
            Some(name) => {
                ("interpreter-missing", format!("{shown} wants {name}, which is not there; install it"))
            }
            None => (
                "interpreter-missing",
                format!("{shown} wants a loader that is not there: is it built for this system?"),
            ),
        },
        Errno::ENOENT | Errno::ENOTDIR => {
            ("program-missing", format!("{shown} does not exist; install it or correct its path"))
        }
        Errno::EACCES | Errno::EPERM => (
            "not-executable",
            format!("{shown} may not be executed: look at its mode (chmod +x) and at the mount"),
        ),
        Errno::ENOEXEC => {
            ("not-a-program", format!("{shown} is neither a program nor a script that begins with #!"))
        }
        Errno::ENOMEM => ("out-of-memory", format!("there is no memory to start {shown}")),
        Errno::EAGAIN => {
            ("too-many-processes", format!("the limit of processes is reached, {shown} was not started"))
        }
        Errno::E2BIG => {
            ("arguments-too-long", format!("the arguments and variables of {shown} are too long"))
        }
        Errno::ETXTBSY => ("program-busy", format!("{shown} is being written right now; try again")),
        _ => ("could-not-start", format!("{shown} could not be started: {}", plain(error))),
    };
    not_started(code, text)
}

/// What the first line of a script names.
fn interpreter(program: &Path) -> Option<String> {
    let mut line = Vec::new();
    BufReader::new(fs::File::open(program).ok()?.take(256)).read_until(b'\n', &mut line).ok()?;
    let line = String::from_utf8_lossy(line.strip_prefix(b"#!")?).trim().to_owned();
    line.split_whitespace().next().map(str::to_owned)
}

/// The error without Rust's `(os error 2)`.
fn plain(error: &io::Error) -> String {
    error
        .raw_os_error()
        .map_or_else(|| error.to_string(), |n| nix::errno::Errno::from_raw(n).desc().to_owned())
}

const fn not_started(code: &'static str, text: String) -> Ending {
    Ending::CouldNotStart { code, text }
}

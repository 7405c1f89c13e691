//! The reader and the judge by themselves: `mastmaintctl judge` on a saved output of millions of lines.

use super::{
    Row,
    bed::{Bed, program},
    process::{mib, peak},
};
use crate::shell::{Result, TaskError, at};
use nix::unistd::Pid;
use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const LINES: u64 = 5_000_000;

pub(super) fn measure() -> Result<Vec<Row>> {
    let bed = Bed::new("judge", "")?;
    let (orphans, warnings) = (bed.path("stdout"), bed.path("stderr"));
    write(&orphans, |n| match n {
        _ if n == LINES - 1 => "Removed 4990000 orphans (approx. 1.2 TB)\n".to_owned(),
        _ if n % 500 == 0 => format!("Error processing cache/media_attachments/{n}: Permission denied @ x\n"),
        _ if n % 97 == 0 => format!("I, [2026-11-23T02:54:33.793674 #1779]  INFO -- : [{n}] looked\n"),
        _ => {
            format!("Found and removed orphan: cache/media_attachments/files/{n:018}/original/a1b2c3d4.png\n")
        }
    })?;
    write(&warnings, |n| {
        format!("/x/gems/fog-{n}/lib/x.rb:1: warning: method redefined; discarding old y\n")
    })?;
    let empty = Path::new("/dev/null");
    Ok(vec![
        row("orphans on standard output, an error in 500", &orphans, empty)?,
        row("warnings on standard error", &orphans, &warnings)?,
    ])
}

fn write(path: &Path, line: impl Fn(u64) -> String) -> Result<()> {
    let mut file = BufWriter::new(File::create(path).map_err(at(path))?);
    for n in 0..LINES {
        file.write_all(line(n).as_bytes()).map_err(at(path))?;
    }
    file.flush().map_err(at(path))
}

fn row(what: &str, stdout: &Path, stderr: &Path) -> Result<Row> {
    let mut command = Command::new(program("mastmaintctl"));
    command.args(["judge", "--exit", "0", "--stdout"]).arg(stdout).arg("--stderr").arg(stderr);
    command.args(["--", "bin/tootctl", "media", "remove-orphans"]).stdin(Stdio::null()).stdout(Stdio::null());
    let begin = Instant::now();
    let mut child = command.spawn().map_err(at(&program("mastmaintctl")))?;
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default());
    let mut most = 0;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(at(stdout))? {
            break status;
        }
        most = most.max(peak(pid));
        sleep(Duration::from_millis(5));
    };
    let seconds = begin.elapsed().as_secs_f64();
    if status.code() != Some(1) {
        return Err(TaskError::Hopeless(format!("a run with errors was judged with {status}")));
    }
    let lines = if stderr.is_file() { 2 * LINES } else { LINES };
    #[expect(clippy::cast_precision_loss, reason = "lines a second are not counted one by one")]
    let speed = lines as f64 / seconds / 1e6;
    Ok(Row {
        what: format!("reader and judge: {} million lines, {what}", lines / 1_000_000),
        goal: "≥ 1 million lines/s; memory flat",
        figure: format!("{speed:.2} million lines/s ({seconds:.2} s); peak {}", mib(most)),
        peers: String::new(),
    })
}

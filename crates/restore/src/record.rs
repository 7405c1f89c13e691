//! What was written into the copy, name by name, to be compared with what can be read back.

use crate::error::{RestoreError, io_on};
use mastmaint_verify::Line;
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// A manifest that grows.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    out: Mutex<(BufWriter<File>, u64)>,
}

impl Recorder {
    /// Begins one, in the place of an older one.
    pub(crate) fn begin(path: &Path) -> Result<Self, RestoreError> {
        let file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path);
        let file = file.map_err(io_on(path, "write the manifest"))?;
        Ok(Self { path: path.to_owned(), out: Mutex::new((BufWriter::with_capacity(256 * 1024, file), 0)) })
    }

    /// Adds a line.
    pub(crate) fn add(&self, line: &Line) -> Result<(), RestoreError> {
        let mut text = serde_json::to_vec(line).map_err(|e| self.failed(e.into()))?;
        text.push(b'\n');
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.0.write_all(&text).map_err(|e| self.failed(e))?;
        out.1 += 1;
        Ok(())
    }

    /// Ends it; says how many lines it has.
    pub(crate) fn end(self) -> Result<u64, RestoreError> {
        let (mut out, count) = self.out.into_inner().unwrap_or_else(PoisonError::into_inner);
        let path = self.path;
        out.flush().and_then(|()| out.get_ref().sync_all()).map_err(io_on(&path, "write the manifest"))?;
        Ok(count)
    }

    fn failed(&self, error: io::Error) -> RestoreError {
        io_on(&self.path, "write the manifest")(error)
    }
}

/// The lines of a manifest.
pub(crate) fn lines(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Line, RestoreError>> + use<>, RestoreError> {
    lines_from(path, 0)
}

/// The lines of a manifest after its first one, which says what it is.
pub(crate) fn lines_after_head(
    path: &Path,
) -> Result<impl Iterator<Item = Result<Line, RestoreError>> + use<>, RestoreError> {
    lines_from(path, 1)
}

fn lines_from(
    path: &Path,
    first: usize,
) -> Result<impl Iterator<Item = Result<Line, RestoreError>> + use<>, RestoreError> {
    let file = File::open(path).map_err(io_on(path, "read the manifest"))?;
    let path = path.to_owned();
    Ok(BufReader::with_capacity(256 * 1024, file).split(b'\n').skip(first).map(move |line| {
        line.and_then(|line| Ok(serde_json::from_slice(&line)?)).map_err(io_on(&path, "read the manifest"))
    }))
}

//! What was written into the copy, name by name, to be compared with what can be read back.

use crate::error::{RestoreError, io_on};
use mastmaint_verify::Line;
use serde::de::DeserializeOwned;
use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

/// Most lines are shorter.
const LINE: usize = 512;

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
        let mut text = Vec::with_capacity(LINE);
        serde_json::to_writer(&mut text, line).map_err(|e| self.failed(e.into()))?;
        text.push(b'\n');
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.0.write_all(&text).map_err(|e| self.failed(e))?;
        out.1 += 1;
        Ok(())
    }

    /// Ends it: it can be read, and is not on the disk yet.
    pub(crate) fn end(self) -> Result<Recorded, RestoreError> {
        let (out, count) = self.out.into_inner().unwrap_or_else(PoisonError::into_inner);
        let path = self.path;
        let file = out.into_inner().map_err(|e| io_on(&path, "write the manifest")(e.into_error()))?;
        Ok(Recorded { count, path, file })
    }

    fn failed(&self, error: io::Error) -> RestoreError {
        io_on(&self.path, "write the manifest")(error)
    }
}

/// A manifest that is whole.
#[derive(Debug)]
pub(crate) struct Recorded {
    /// How many lines it has.
    pub(crate) count: u64,
    path: PathBuf,
    file: File,
}

impl Recorded {
    /// Waits until it is on the disk.
    pub(crate) fn keep(&self) -> Result<(), RestoreError> {
        self.file.sync_all().map_err(io_on(&self.path, "write the manifest"))
    }
}

/// No line is longer: a name has 4096 bytes at most, and the target of a link too.
const LONGEST: u64 = 128 * 1024;

/// The lines of a manifest.
pub(crate) fn lines(path: &Path) -> Result<Lines, RestoreError> {
    Ok(Lines::of(File::open(path).map_err(io_on(path, "read the manifest"))?, path))
}

/// The lines of a manifest, one after the other.
#[derive(Debug)]
pub(crate) struct Lines {
    from: BufReader<File>,
    line: Vec<u8>,
    path: PathBuf,
}

impl Lines {
    /// Those of an open file from where it stands; `path` is for messages.
    pub(crate) fn of(file: File, path: &Path) -> Self {
        let from = BufReader::with_capacity(256 * 1024, file);
        Self { from, line: Vec::with_capacity(LINE), path: path.to_owned() }
    }

    /// The next line, whatever it says; none at the end.
    pub(crate) fn read<T: DeserializeOwned>(&mut self) -> Result<Option<T>, RestoreError> {
        let Self { from, line, .. } = self;
        line.clear();
        let read = from.take(LONGEST).read_until(b'\n', line).and_then(|count| match count {
            0 => Ok(None),
            _ => Ok(Some(serde_json::from_slice(line)?)),
        });
        read.map_err(io_on(&self.path, "read the manifest"))
    }
}

impl Iterator for Lines {
    type Item = Result<Line, RestoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

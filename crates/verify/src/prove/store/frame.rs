//! Frames: a length, the content, a checksum. A file of frames may end in the middle of one.

use std::{
    fs::File,
    io::{self, BufReader, Read as _},
    path::Path,
};

/// What every file of the store begins with; the number is raised when the form of a record changes.
pub(super) const MAGIC: &[u8] = b"mastmaint-proofs 1\n";
/// No record is longer: a path has at most 4096 bytes where the kernel takes one, and ours may be longer.
const LONGEST: u32 = 16 * 1024 * 1024;

/// Puts one frame behind what is there.
pub(super) fn append(out: &mut Vec<u8>, content: &[u8]) {
    let length = u32::try_from(content.len()).unwrap_or(LONGEST);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(content);
    out.extend_from_slice(&checksum(content));
}

fn checksum(content: &[u8]) -> [u8; 4] {
    let mut sum = [0; 4];
    sum.copy_from_slice(&blake3::hash(content).as_bytes()[..4]);
    sum
}

/// Reads frames one by one up to the first that is not whole.
pub(super) struct Frames {
    input: BufReader<File>,
    length: u64,
    whole: u64,
    content: Vec<u8>,
}

impl Frames {
    /// Opens a file of frames; `None` if there is none.
    pub(super) fn open(path: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let length = file.metadata()?.len();
        let mut input = BufReader::with_capacity(256 * 1024, file);
        let mut magic = vec![0; MAGIC.len()];
        let is_ours = match input.read_exact(&mut magic) {
            Ok(()) => magic == MAGIC,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
            Err(error) => return Err(error),
        };
        let whole = if is_ours { MAGIC.len() as u64 } else { 0 };
        Ok(Some(Self { input, length, whole, content: Vec::new() }))
    }

    /// The next whole frame.
    pub(super) fn next(&mut self) -> io::Result<Option<&[u8]>> {
        if self.whole == 0 {
            return Ok(None);
        }
        match self.read() {
            Ok(true) => Ok(Some(&self.content)),
            Ok(false) => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn read(&mut self) -> io::Result<bool> {
        let mut word = [0; 4];
        self.input.read_exact(&mut word)?;
        let length = u32::from_le_bytes(word);
        if length > LONGEST || u64::from(length) > self.length {
            return Ok(false);
        }
        self.content.resize(length as usize, 0);
        self.input.read_exact(&mut self.content)?;
        self.input.read_exact(&mut word)?;
        if word != checksum(&self.content) {
            return Ok(false);
        }
        self.whole += u64::from(length) + 8;
        Ok(true)
    }

    /// Bytes up to the end of the last whole frame.
    pub(super) const fn whole(&self) -> u64 {
        self.whole
    }

    /// Whether the file ends there.
    pub(super) const fn is_whole(&self) -> bool {
        self.whole == self.length
    }
}

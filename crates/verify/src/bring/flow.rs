//! An archive on its way: what comes out of it, and the hash of the file that it is.

use crate::stream::Input;
use std::{
    fmt,
    io::{self, Read},
    sync::{Arc, Mutex, PoisonError},
};

/// The bytes of an archive, to be read once.
pub struct Flow {
    input: Input,
    whole: Option<(Hashed, [u8; 32])>,
}

impl fmt::Debug for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flow").field("is_proved", &self.whole.is_some()).finish_non_exhaustive()
    }
}

type Hashed = Arc<Mutex<blake3::Hasher>>;

impl Flow {
    /// What a program hands on.
    pub fn of(input: Input) -> Self {
        Self { input, whole: None }
    }

    /// A file that was proved to have this hash, if it was; `open` makes of its bytes those of the archive.
    pub(super) fn of_file(
        raw: Input,
        proof: Option<[u8; 32]>,
        open: impl FnOnce(Input) -> io::Result<Input>,
    ) -> io::Result<Self> {
        let hashed: Hashed = Arc::default();
        let whole = proof.map(|proof| (Arc::clone(&hashed), proof));
        Ok(Self { input: open(Box::new(Hashing { raw, hashed }))?, whole })
    }

    /// Reads what is left, and says whether the file is the one that was proved.
    pub fn is_what_was_proved(&mut self) -> io::Result<bool> {
        io::copy(&mut self.input, &mut io::sink())?;
        let Some((hashed, proof)) = &self.whole else { return Ok(true) };
        let hash = hashed.lock().unwrap_or_else(PoisonError::into_inner).finalize();
        Ok(hash.as_bytes() == proof)
    }
}

impl Read for Flow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.input.read(buffer)
    }
}

struct Hashing {
    raw: Input,
    hashed: Hashed,
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.raw.read(buffer)?;
        self.hashed.lock().unwrap_or_else(PoisonError::into_inner).update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_another_one_is_seen_at_its_end() {
        let proof = *blake3::hash(b"content").as_bytes();
        let read = |bytes: &'static [u8]| {
            let mut flow = Flow::of_file(Box::new(bytes), Some(proof), Ok).unwrap();
            flow.read_exact(&mut [0; 3]).unwrap();
            flow.is_what_was_proved().unwrap()
        };
        assert!(read(b"content"));
        assert!(!read(b"CONTENT") && !read(b"content and more"));
        assert!(Flow::of(Box::new(&b"anything"[..])).is_what_was_proved().unwrap());
    }
}

//! What the frames of the store hold, byte by byte.

use crate::stamp::{Nanos, Stamp};
use serde::{Deserialize, Serialize};

/// What stands for a file: its file system and its inode number, or a digest of its path where these do not last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Identity {
    pub(crate) fs: u32,
    pub(crate) ino: u64,
}

impl Identity {
    pub(crate) const fn new(fs: u32, ino: u64) -> Self {
        Self { fs, ino }
    }

    /// What is counted together: a file system, or a sort of parts.
    pub(crate) const fn sort(self) -> u32 {
        self.fs
    }

    /// Its number among these.
    pub(crate) const fn number(self) -> u64 {
        self.ino
    }
}

/// How a file was found when it was last read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum State {
    /// Its content was what it had been, or it was new.
    #[default]
    Sound,
    /// Its content differed while size and time did not.
    Rotten,
    /// It could not be read.
    Unreadable,
}

/// The proof of one inode.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proof {
    /// Which.
    pub identity: Identity,
    /// When the inode was made, by the file system.
    pub birth: Nanos,
    /// Bytes.
    pub size: u64,
    /// Last change, by the file system.
    pub mtime: Nanos,
    /// BLAKE3 of its content when it was first read.
    pub hash: [u8; 32],
    /// When we first met it.
    pub first_seen: Stamp,
    /// When its content was last found to be right.
    pub proved: Stamp,
    /// When it was last read, whatever came of it.
    pub tried: Stamp,
    /// What came of it.
    pub state: State,
    /// The generation in which it was met.
    pub generation: Stamp,
    /// One of its paths there.
    pub path: Box<[u8]>,
}

/// Count and size of the newest generation in one night.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    /// Which night.
    pub at: Stamp,
    /// Names of files.
    pub paths: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

/// A generation that was walked from end to end, and how many names it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finished {
    pub(crate) stamp: Stamp,
    pub(crate) paths: u64,
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// The large file begins.
    Begin {
        generation: u64,
    },
    /// The large file ends, after so many proofs.
    End {
        count: u64,
    },
    /// A night begins that belongs to that large file.
    Night {
        generation: u64,
        began: Stamp,
    },
    Proof(Proof),
    History(History),
    Finished(Finished),
}

struct Out(Vec<u8>);

impl Out {
    fn u32(mut self, value: u32) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn u64(mut self, value: u64) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn i64(mut self, value: i64) -> Self {
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn bytes(mut self, value: &[u8]) -> Self {
        self.0.extend_from_slice(value);
        self
    }
}

struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }

    fn stamp(&mut self) -> Option<Stamp> {
        self.u32().map(Stamp)
    }

    fn nanos(&mut self) -> Option<Nanos> {
        self.take().map(i64::from_le_bytes).map(Nanos)
    }

    const fn rest(self) -> &'a [u8] {
        self.0
    }
}

impl Record {
    pub(super) fn encode(&self) -> Vec<u8> {
        let out = |tag: u8| Out(vec![tag]);
        match self {
            Self::Begin { generation } => out(b'B').u64(*generation).0,
            Self::End { count } => out(b'E').u64(*count).0,
            Self::Night { generation, began } => out(b'N').u64(*generation).u32(began.0).0,
            Self::Proof(proof) => Self::encode_proof(proof),
            Self::History(h) => out(b'H').u32(h.at.0).u64(h.paths).u64(h.bytes).0,
            Self::Finished(f) => out(b'F').u32(f.stamp.0).u64(f.paths).0,
        }
    }

    /// The same without an owned record: the large file has many of them.
    pub(super) fn encode_proof(p: &Proof) -> Vec<u8> {
        let state = match p.state {
            State::Sound => b's',
            State::Rotten => b'r',
            State::Unreadable => b'u',
        };
        Out(vec![b'P', state])
            .u32(p.identity.fs)
            .u64(p.identity.ino)
            .i64(p.birth.0)
            .u64(p.size)
            .i64(p.mtime.0)
            .bytes(&p.hash)
            .u32(p.first_seen.0)
            .u32(p.proved.0)
            .u32(p.tried.0)
            .u32(p.generation.0)
            .bytes(&p.path)
            .0
    }

    pub(super) fn decode(frame: &[u8]) -> Option<Self> {
        let (tag, rest) = frame.split_first()?;
        let mut input = In(rest);
        let record = match tag {
            b'B' => Self::Begin { generation: input.u64()? },
            b'E' => Self::End { count: input.u64()? },
            b'N' => Self::Night { generation: input.u64()?, began: input.stamp()? },
            b'H' => Self::History(History { at: input.stamp()?, paths: input.u64()?, bytes: input.u64()? }),
            b'F' => Self::Finished(Finished { stamp: input.stamp()?, paths: input.u64()? }),
            b'P' => {
                let state = match input.take()? {
                    [b's'] => State::Sound,
                    [b'r'] => State::Rotten,
                    [b'u'] => State::Unreadable,
                    _ => return None,
                };
                let identity = Identity { fs: input.u32()?, ino: input.u64()? };
                let (birth, size, mtime) = (input.nanos()?, input.u64()?, input.nanos()?);
                let hash = input.take()?;
                let (first_seen, proved) = (input.stamp()?, input.stamp()?);
                let (tried, generation) = (input.stamp()?, input.stamp()?);
                let path = input.rest().into();
                return Some(Self::Proof(Proof {
                    identity,
                    birth,
                    size,
                    mtime,
                    hash,
                    first_seen,
                    proved,
                    tried,
                    state,
                    generation,
                    path,
                }));
            }
            _ => return None,
        };
        input.rest().is_empty().then_some(record)
    }
}

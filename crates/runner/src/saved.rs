//! The verdict of a run that is over: its output was saved, its end is known.

use crate::{
    exec::{Ended, Ending},
    output::Reader,
    protocol::Stream,
    redact::Redactor,
    verdict::Judge,
};
use jiff::Timestamp;
use mastmaint_words::Verdict;
use std::io::{self, Read};

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// Judges what a run left: how it ended and what it wrote. Memory does not grow with the output.
///
/// # Errors
/// If a stream cannot be read.
pub fn judge(judge: &Judge, ending: Ending, stdout: impl Read, stderr: impl Read) -> io::Result<Verdict> {
    let redactor = Redactor::from_secrets([]);
    let mut reader = Reader::new(&redactor);
    feed(&mut reader, Stream::Stdout, stdout)?;
    feed(&mut reader, Stream::Stderr, stderr)?;
    let (summary, _) = reader.finish(Timestamp::UNIX_EPOCH, &mut |_| ());
    Ok(judge.judge(&Ended::by_itself(ending, summary)))
}

fn feed(reader: &mut Reader<'_>, stream: Stream, mut from: impl Read) -> io::Result<()> {
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => reader.feed(Timestamp::UNIX_EPOCH, stream, &piece[..length], &mut |_| ()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

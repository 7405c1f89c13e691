//! Frames: one JSON object a line, never longer than [`MAX_FRAME`]. Reading holds at most one frame in memory, whatever
//! the other side sends; the same functions serve the rooms (blocking) and the daemon's client (bytes in, bytes out).

use crate::protocol::{Event, EventKind, MAX_FRAME, OLDEST_VERSION, Op, Request, VERSION};
use serde::{Serialize, de::DeserializeOwned};
use std::io::{self, BufRead};

/// Why a frame could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The line is longer than a frame may be.
    #[error("a line of more than {MAX_FRAME} bytes came; a frame is one line of JSON, at most that long")]
    TooLong,
    /// The other side went away in the middle of a line.
    #[error("the connection ended in the middle of a line")]
    Cut,
    /// Not the JSON that was expected.
    #[error("this is not a frame: {0}")]
    NotAFrame(#[from] serde_json::Error),
    /// Reading or writing failed; `TimedOut` and `WouldBlock` mean that nothing came or went in time.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
}

/// Why a request is not obeyed before its operation is looked at.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Not a request.
    #[error("this is not a request: {0}; a request is one line of JSON with v and op")]
    Bad(String),
    /// Spoken in a version that this build does not know.
    #[error("{0}")]
    Version(String),
}

impl RequestError {
    /// Its stable code in [`EventKind::Refused`].
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Bad(_) => "bad-request",
            Self::Version(_) => "version",
        }
    }
}

/// Reads one line of at most `cap` bytes, newline included, and returns it without the newline; `None` at the end.
///
/// # Errors
/// [`FrameError::TooLong`] as soon as `cap` is passed: the rest is not read. [`FrameError::Cut`] and
/// [`FrameError::Io`] as they say.
pub fn read_frame(reader: &mut impl BufRead, cap: usize) -> Result<Option<Vec<u8>>, FrameError> {
    let mut line = Vec::new();
    loop {
        let available = match reader.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        if available.is_empty() {
            return if line.is_empty() { Ok(None) } else { Err(FrameError::Cut) };
        }
        let newline = available.iter().position(|byte| *byte == b'\n');
        let take = newline.map_or(available.len(), |at| at + 1);
        if line.len() + take > cap {
            return Err(FrameError::TooLong);
        }
        line.extend_from_slice(&available[..newline.unwrap_or(take)]);
        reader.consume(take);
        if newline.is_some() {
            return Ok(Some(line));
        }
    }
}

/// One line with its newline.
///
/// # Errors
/// [`FrameError::TooLong`] if it does not fit a frame.
pub fn encode<T: Serialize>(words: &T) -> Result<Vec<u8>, FrameError> {
    let mut line = serde_json::to_vec(words)?;
    line.push(b'\n');
    if line.len() > MAX_FRAME { Err(FrameError::TooLong) } else { Ok(line) }
}

/// An event of this build's version as a line.
///
/// # Errors
/// As [`encode`].
pub fn encode_event(seq: u64, kind: EventKind) -> Result<Vec<u8>, FrameError> {
    encode(&Event { v: VERSION, seq, kind })
}

/// A request of this build's version as a line.
///
/// # Errors
/// As [`encode`].
pub fn encode_request(op: Op) -> Result<Vec<u8>, FrameError> {
    encode(&Request { v: VERSION, op })
}

/// Reads the words of a line.
///
/// # Errors
/// [`FrameError::NotAFrame`].
pub fn decode<T: DeserializeOwned>(line: &[u8]) -> Result<T, FrameError> {
    Ok(serde_json::from_slice(line)?)
}

/// Reads a request, by the version rule: one of an older version than [`OLDEST_VERSION`] is refused; one of a newer
/// version is understood if its operation is known.
///
/// # Errors
/// [`RequestError`], with the code to refuse it with.
pub fn decode_request(line: &[u8]) -> Result<Request, RequestError> {
    #[derive(serde::Deserialize)]
    struct Version {
        v: u16,
    }
    let Version { v } = serde_json::from_slice(line).map_err(|e| RequestError::Bad(e.to_string()))?;
    if v < OLDEST_VERSION {
        return Err(RequestError::Version(format!(
            "the request speaks version {v}, this room understands {OLDEST_VERSION} to {VERSION}; install the same \
             version of mastmaintd and mastmaint-runner"
        )));
    }
    serde_json::from_slice(line).map_err(|error| {
        if v > VERSION {
            RequestError::Version(format!(
                "the request speaks version {v}, this room speaks {VERSION} and does not know what it asks \
                 ({error}); install the same version of mastmaintd and mastmaint-runner"
            ))
        } else {
            RequestError::Bad(error.to_string())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{BufReader, Cursor, Read};

    #[test]
    fn lines_come_one_by_one_and_a_cut_one_is_an_error() {
        let mut reader = BufReader::with_capacity(3, Cursor::new(b"one\n\ntwo\nthr".to_vec()));
        assert_eq!(read_frame(&mut reader, 8).unwrap().unwrap(), b"one");
        assert_eq!(read_frame(&mut reader, 8).unwrap().unwrap(), b"");
        assert_eq!(read_frame(&mut reader, 8).unwrap().unwrap(), b"two");
        assert!(matches!(read_frame(&mut reader, 8), Err(FrameError::Cut)));
    }

    #[test]
    fn an_endless_line_is_left_unread() {
        let mut endless = BufReader::new(io::repeat(b'x').take(1 << 40));
        assert!(matches!(read_frame(&mut endless, MAX_FRAME), Err(FrameError::TooLong)));
    }

    #[test]
    fn the_cap_counts_the_newline() {
        assert_eq!(read_frame(&mut Cursor::new(b"1234\n"), 5).unwrap().unwrap(), b"1234");
        assert!(matches!(read_frame(&mut Cursor::new(b"12345\n"), 5), Err(FrameError::TooLong)));
    }

    #[test]
    fn neighbouring_versions_understand_each_other() {
        let with = |v: u16, op: &str| {
            decode_request(
                format!(
                    r#"{{"v":{v},"op":"{op}","key":{{"run":"20261123T003000Z-7k3f9q","step":0}},"later":1}}"#
                )
                .as_bytes(),
            )
        };
        assert!(with(VERSION, "cancel").is_ok());
        assert!(with(VERSION + 1, "cancel").is_ok(), "a newer speaker with a known operation");
        assert_eq!(with(VERSION + 1, "conjure").unwrap_err().code(), "version");
        assert_eq!(with(VERSION, "conjure").unwrap_err().code(), "bad-request");
        assert_eq!(with(OLDEST_VERSION - 1, "cancel").unwrap_err().code(), "version");
        assert_eq!(decode_request(b"{\"op\":\"cancel\"}").unwrap_err().code(), "bad-request");
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _ = decode_request(&bytes);
            let _ = decode::<Event>(&bytes);
            let mut reader = Cursor::new(&bytes);
            while let Ok(Some(line)) = read_frame(&mut reader, 64) {
                prop_assert!(line.len() < 64 && !line.contains(&b'\n'));
            }
        }

        #[test]
        fn almost_requests_never_panic(
            v in any::<u16>(), op in "accept|start|collect|cancel|forget|[a-z]{1,8}", run in "\\PC{0,30}", step in any::<i64>(),
        ) {
            let line = serde_json::json!({"v": v, "op": op, "key": {"run": run, "step": step}, "in_use": [run]});
            let _ = decode_request(line.to_string().as_bytes());
        }
    }
}

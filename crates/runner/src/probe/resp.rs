//! As much of the protocol of Redis as a few reads need: commands out, values in, both bounded.

use std::fmt::Write as _;
use std::io::{self, BufRead, Read, Write};

/// More than any answer that is asked for.
const MOST_BYTES: usize = 1024 * 1024;
const MOST_VALUES: usize = 10_000;
/// A list, and those in it: nothing else is asked for.
const DEEPEST: usize = 2;

/// What Redis answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A status, a number or a string.
    Text(String),
    /// Nothing of that name.
    Nothing,
    /// Several.
    Many(Vec<Value>),
}

/// Asks one thing.
///
/// # Errors
/// With what Redis says where it refuses.
pub(super) fn ask(stream: &mut (impl BufRead + Write), words: &[&str]) -> io::Result<Value> {
    let mut command = format!("*{}\r\n", words.len());
    for word in words {
        // Writing to a string does not fail.
        let _ = write!(command, "${}\r\n{word}\r\n", word.len());
    }
    stream.write_all(command.as_bytes())?;
    stream.flush()?;
    read(stream)
}

fn read(stream: &mut impl BufRead) -> io::Result<Value> {
    value(stream, DEEPEST)
}

fn value(stream: &mut impl BufRead, deep: usize) -> io::Result<Value> {
    let (kind, rest) = line(stream)?;
    match kind {
        b'+' | b':' => Ok(Value::Text(rest)),
        b'-' => Err(io::Error::other(rest)),
        b'$' => bulk(stream, &rest),
        b'*' | b'~' => {
            let Ok(count) = rest.parse::<usize>() else { return Ok(Value::Nothing) };
            if count > MOST_VALUES {
                return Err(strange("it answers with too much"));
            }
            if deep == 0 {
                return Err(strange("it answers with lists in lists"));
            }
            (0..count).map(|_| value(stream, deep - 1)).collect::<io::Result<_>>().map(Value::Many)
        }
        b'_' => Ok(Value::Nothing),
        _ => Err(strange("what answers there does not speak Redis")),
    }
}

fn bulk(stream: &mut impl BufRead, length: &str) -> io::Result<Value> {
    let Ok(length) = length.parse::<usize>() else { return Ok(Value::Nothing) };
    if length > MOST_BYTES {
        return Err(strange("it answers with too much"));
    }
    let mut bytes = vec![0; length + 2];
    stream.read_exact(&mut bytes)?;
    bytes.truncate(length);
    Ok(Value::Text(String::from_utf8_lossy(&bytes).into_owned()))
}

fn line(stream: &mut impl BufRead) -> io::Result<(u8, String)> {
    let mut line = Vec::new();
    stream.take(4096).read_until(b'\n', &mut line)?;
    let text = String::from_utf8_lossy(&line);
    let mut text = text.trim_end_matches(['\r', '\n']).chars();
    let kind = text.next().ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((u8::try_from(kind).unwrap_or(b'?'), text.as_str().to_owned()))
}

fn strange(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(bytes: &str) -> io::Result<Value> {
        read(&mut bytes.as_bytes())
    }

    #[test]
    fn answers_are_read() {
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(answer("+OK\r\n").unwrap(), text("OK"));
        assert_eq!(answer("$5\r\na\r\nbc\r\n").unwrap(), text("a\r\nbc"));
        assert_eq!(answer("$-1\r\n").unwrap(), Value::Nothing);
        assert_eq!(answer("*2\r\n$1\r\na\r\n:3\r\n").unwrap(), Value::Many(vec![text("a"), text("3")]));
        assert_eq!(
            answer("-NOAUTH Authentication required.\r\n").unwrap_err().to_string(),
            "NOAUTH Authentication required."
        );
    }

    #[test]
    fn rubbish_and_too_much_are_errors() {
        for bytes in ["", "HTTP/1.1 400\r\n", "$99999999\r\n", "*99999999\r\n", "*1\r\n*1\r\n", "$5\r\nab"] {
            assert!(answer(bytes).is_err(), "{bytes:?}");
        }
    }
}

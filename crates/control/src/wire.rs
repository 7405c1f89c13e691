//! Lines to words and back. What comes in is bounded before it is parsed.

use crate::words::{MAX_REPLY, MAX_REQUEST, Reply, Request};
use serde::Serialize;

/// Reads a request line, with or without its newline.
///
/// # Errors
/// The [`Reply::Error`] to send; `too-large` means that the rest of the connection cannot be trusted.
pub fn decode_request(line: &[u8]) -> Result<Request, Reply> {
    if line.len() > MAX_REQUEST {
        return Err(error("too-large", format!("the request is longer than {MAX_REQUEST} bytes")));
    }
    serde_json::from_slice(line).map_err(|e| {
        // The text is the peer's: a part of the message, but neither long nor able to break the line.
        let why: String = e.to_string().chars().filter(|c| !c.is_control()).take(200).collect();
        error(
            "bad-request",
            format!("not a request: {why}; are daemon and mastmaintctl of the same version?"),
        )
    })
}

/// A reply as a line, newline included. One that is longer than a line may be becomes an error that says so.
pub fn encode_reply(reply: &Reply) -> Vec<u8> {
    match line(reply) {
        Ok(bytes) if bytes.len() <= MAX_REPLY => bytes,
        Ok(bytes) => {
            let size = bytes.len();
            error_line(&format!(
                "the answer has {size} bytes, more than {MAX_REPLY}: ask for less (`--limit`)"
            ))
        }
        Err(e) => error_line(&format!("the answer cannot be written as JSON: {e}")),
    }
}

/// A request as a line, newline included.
///
/// # Errors
/// If it is longer than a request may be.
pub fn encode_request(request: &Request) -> Result<Vec<u8>, String> {
    let bytes = line(request).map_err(|e| e.to_string())?;
    if bytes.len() > MAX_REQUEST {
        return Err(format!("the request has {} bytes, more than {MAX_REQUEST}", bytes.len()));
    }
    Ok(bytes)
}

fn line<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn error(code: &str, message: String) -> Reply {
    Reply::Error { code: code.to_owned(), message }
}

fn error_line(message: &str) -> Vec<u8> {
    let text = serde_json::json!({"reply": "error", "code": "too-large", "message": message});
    format!("{text}\n").into_bytes()
}

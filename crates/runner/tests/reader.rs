//! Properties of the reader: how the bytes are cut into reads changes nothing, and no bytes make it panic or grow.

use jiff::Timestamp;
use mastmaint_runner::{
    output::{MAX_LINE, Reader, Summary},
    protocol::{EventKind, Stream},
    redact::Redactor,
};
use proptest::prelude::*;

const EPOCH: Timestamp = Timestamp::UNIX_EPOCH;

/// Everything that comes out when `bytes` are read in pieces of these sizes.
fn read(bytes: &[u8], sizes: &[usize]) -> (Vec<EventKind>, Summary, Vec<u8>, u64) {
    let redactor = Redactor::from_secrets(["hidden-value".to_owned()]);
    let mut reader = Reader::new(&redactor);
    let mut events = Vec::new();
    let mut rest = bytes;
    let mut sizes = sizes.iter().copied().cycle();
    while !rest.is_empty() {
        let (chunk, after) = rest.split_at(sizes.next().unwrap_or(usize::MAX).clamp(1, rest.len()));
        reader.feed(EPOCH, Stream::Stdout, chunk, &mut |e| events.push(e));
        rest = after;
    }
    let (summary, copy) = reader.finish(EPOCH, &mut |e| events.push(e));
    let (text, omitted) = copy.into_text();
    (events, summary, text, omitted)
}

/// Output as tootctl could write it, and worse.
fn output() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"Progress: |".to_vec()),
        Just(b"====".to_vec()),
        Just(b"|".to_vec()),
        Just(b"3/15 |==  |".to_vec()),
        Just(b"\x1b[33m".to_vec()),
        Just(b"Error processing 1: no\n".to_vec()),
        Just(b"E, [2026-11-23T02:58:30 #1] ERROR -- : clear failed\n".to_vec()),
        Just(b"Removed 15 media attachments (approx. 1.11 MB)\n".to_vec()),
        Just(b"hidden-value".to_vec()),
        Just(vec![b'x'; 5000]),
        Just(vec![b'y'; 20_000]),
        "\\PC{0,20}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(part, 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn the_way_it_is_cut_changes_nothing(bytes in output(), sizes in proptest::collection::vec(1_usize..200, 1..10)) {
        prop_assert_eq!(read(&bytes, &sizes), read(&bytes, &[]));
    }

    #[test]
    fn what_comes_out_is_plain_bounded_and_redacted(bytes in output()) {
        let (events, summary, text, _) = read(&bytes, &[]);
        for event in events {
            if let EventKind::Line { text, .. } = event {
                prop_assert!(text.len() <= MAX_LINE);
                prop_assert!(!text.chars().any(|c| c.is_control() && c != '\t'));
                prop_assert!(!text.contains("hidden-value"));
            }
        }
        prop_assert!(!String::from_utf8_lossy(&text).contains("hidden-value"));
        prop_assert_eq!(summary.bytes, bytes.len() as u64);
    }

    #[test]
    fn a_secret_is_never_told_by_half(before in 3000_usize..18_000) {
        let secret = "hidden-value";
        let line = format!("{}{secret} and more {}", "x".repeat(before), "y".repeat(20_000));
        let (events, ..) = read(line.as_bytes(), &[]);
        for event in events {
            if let EventKind::Line { text, .. } = event {
                prop_assert!(!text.contains("hidden-"), "{}", &text[text.len() - 40..]);
            }
        }
    }
}

#[test]
fn a_line_of_a_hundred_megabytes_is_one_line() {
    let redactor = Redactor::from_secrets([]);
    let mut reader = Reader::new(&redactor);
    let mut events = Vec::new();
    let chunk = vec![b'z'; 1 << 20];
    for _ in 0..100 {
        reader.feed(EPOCH, Stream::Stdout, &chunk, &mut |e| events.push(e));
    }
    let (summary, _) = reader.finish(EPOCH, &mut |e| events.push(e));
    assert_eq!((summary.lines, summary.bytes), (1, 100 << 20));
    let [EventKind::Line { text, .. }] = &events[..] else { panic!("{events:?}") };
    assert!(text.len() <= MAX_LINE && text.len() > MAX_LINE - 8 && text.ends_with('…'));
}

#[test]
fn progress_is_told_only_when_something_changed() {
    let redactor = Redactor::from_secrets(["hidden-value".to_owned()]);
    let mut reader = Reader::new(&redactor);
    assert!(!reader.is_changed());
    let half = format!("I say hidden-value\n\nProgress: |{}", "=".repeat(34));
    reader.feed(EPOCH, Stream::Stdout, half.as_bytes(), &mut |_| ());
    assert!(reader.is_changed());
    let progress = reader.progress();
    assert_eq!((progress.lines, progress.bar_percent), (2, Some(50)));
    assert_eq!(progress.last, "I say [redacted]");
    assert!(!reader.is_changed());
}

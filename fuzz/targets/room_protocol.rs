//! What comes over a room's socket, to the room and to the daemon.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mastmaint_runner::{
    codec::{decode, decode_request, encode, read_frame},
    protocol::{Event, MAX_FRAME, Request},
};
use std::io::{BufReader, Cursor};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    // A small cap meets lines that are too long more often than the real one.
    for cap in [64, MAX_FRAME] {
        let mut reader = BufReader::with_capacity(usize::from(*first).max(1), Cursor::new(bytes));
        let mut length = 0;
        while let Ok(Some(line)) = read_frame(&mut reader, cap) {
            assert!(line.len() < cap && !line.contains(&b'\n'));
            length += line.len() + 1;
            assert!(length <= bytes.len());
            words(&line);
        }
    }
});

fn words(line: &[u8]) {
    match decode_request(line) {
        Ok(request) => {
            // Paths and options can make a line longer than it was; then it is refused, not cut.
            if let Ok(written) = encode(&request) {
                let again: Request = decode_request(&written).expect("what was written reads back");
                assert_eq!(request, again);
            }
        }
        Err(error) => assert!(!error.code().is_empty() && error.to_string().len() < 4096 + 2 * line.len()),
    }
    if let Ok(event) = decode::<Event>(line)
        && let Ok(written) = encode(&event)
    {
        // The second writing stands for the event: not every event can be compared.
        let again = encode(&decode::<Event>(&written).expect("what was written reads back"));
        assert_eq!(written, again.expect("it was written before"));
    }
}

//! What comes over the control sockets, to the daemon and to mastmaintctl.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mastmaint_control::{
    Socket, allowed, decode_request, encode_reply, encode_request,
    words::{MAX_REPLY, MAX_REQUEST, Reply},
};

fuzz_target!(|line: &[u8]| {
    match decode_request(line) {
        Ok(request) => {
            // Whoever is neither root nor the daemon's user changes nothing, on no socket.
            assert!(!request.is_doing() || allowed(&request, Socket::Looking, 1000, 990).is_err());
            assert!(allowed(&request, Socket::Doing, 1000, 990).is_err());
            if let Ok(written) = encode_request(&request) {
                assert!(written.len() <= MAX_REQUEST);
                assert_eq!(decode_request(&written), Ok(request));
            }
        }
        Err(reply) => {
            let written = encode_reply(&reply);
            assert!(written.len() < 1024 && written.iter().filter(|byte| **byte == b'\n').count() == 1);
        }
    }
    if let Ok(reply) = serde_json::from_slice::<Reply>(line) {
        let written = encode_reply(&reply);
        assert!(written.len() <= MAX_REPLY && written.iter().filter(|byte| **byte == b'\n').count() == 1);
        serde_json::from_slice::<Reply>(&written).expect("what was written reads back");
    }
});

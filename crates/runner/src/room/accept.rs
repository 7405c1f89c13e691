//! Accepting a configuration: the systemctl room (root) checks the files itself and stores the parts, so that every
//! room obeys only what was checked, whoever asks.

use super::Options;
use super::connection::refused;
use crate::bracket::Brackets;
use crate::protocol::{EventKind, MAX_FRAME};
use mastmaint_config::{InUse, Source, Store, Trust, load};
use mastmaint_words::{Digest, Room};
use nix::unistd::getuid;

/// What rendered texts may take of a frame: JSON escapes a byte to at most six.
const MOST_BYTES: usize = (MAX_FRAME - 1024) / 6;

pub(super) fn accept(options: &Options, in_use: InUse<'_>) -> EventKind {
    if options.room != Room::Systemctl {
        return refused(
            "wrong-room",
            format!("the {} room accepts no configuration; ask the systemctl room", options.room),
        );
    }
    // A bracket that is open needs its configuration until it is closed, whatever the daemon knows of it.
    let mut needed: Vec<Digest> = match in_use {
        InUse::These(digests) => digests.to_vec(),
        InUse::Unknown => Vec::new(),
    };
    needed.extend(Brackets::list(&options.state).0.into_iter().map(|record| record.digest));
    let in_use = if in_use == InUse::Unknown { InUse::Unknown } else { InUse::These(&needed) };
    let trust = if options.walled { Trust::Root } else { Trust::Invoker { uid: getuid().as_raw() } };
    let loaded = match load(&Source { main: options.config.clone(), trust }) {
        Ok(loaded) => loaded,
        Err(rejection) => return EventKind::Rejected { mistakes: cut(&rejection.mistakes) },
    };
    match Store::new(options.accepted.clone()).put(&loaded, in_use) {
        Ok(()) => EventKind::Accepted { digest: loaded.digest, warnings: cut(&loaded.warnings) },
        Err(error) => refused(
            "no-state",
            format!(
                "the configuration is good, but cannot be stored in {}: {error}; the one before it stays in force",
                options.accepted.display()
            ),
        ),
    }
}

/// As many of the texts as fit a frame, and a last one that says how many are left out.
fn cut(texts: &[impl ToString]) -> Vec<String> {
    let all = texts.len();
    let mut room = MOST_BYTES - 64;
    let mut kept: Vec<String> = Vec::new();
    for text in texts {
        let text = text.to_string();
        if text.len() + 3 > room {
            kept.push(format!("… and {} more", all - kept.len()));
            break;
        }
        room -= text.len() + 3;
        kept.push(text);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::encode_event;

    #[test]
    fn any_number_of_mistakes_fits_a_frame() {
        for texts in
            [vec!["\u{1}".repeat(200); 1000], vec!["\u{1}".repeat(100_000)], vec![String::new(); 100_000]]
        {
            let all = texts.len();
            let kept = cut(&texts);
            let last = kept.last().unwrap();
            assert_eq!(*last, format!("… and {} more", all - (kept.len() - 1)));
            encode_event(0, EventKind::Rejected { mistakes: kept }).unwrap();
        }
        assert_eq!(cut(&["one"]), ["one"]);
    }
}

//! The bounded share of the output that is told at once: the first lines, after them only errors and warnings, and the
//! last lines at the end. How many were left out is said where they are missing.

use crate::protocol::{EventKind, LineClass, Stream};
use jiff::Timestamp;
use std::collections::VecDeque;

const HEAD: u32 = 200;
const ALERTS: u32 = 200;
const TAIL: usize = 50;

/// A line of the share.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    at: Timestamp,
    stream: Stream,
    class: LineClass,
    text: String,
}

/// What was told and what waits for the end.
#[derive(Debug, Default)]
pub(super) struct Share {
    told: u32,
    alerts: u32,
    omitted: u64,
    tail: VecDeque<Held>,
}

impl Share {
    pub(super) fn line(
        &mut self,
        at: Timestamp,
        stream: Stream,
        class: LineClass,
        text: &str,
        emit: &mut dyn FnMut(EventKind),
    ) {
        if self.told < HEAD {
            self.told += 1;
            emit(EventKind::Line { at, stream, class, text: text.to_owned() });
        } else if self.alerts < ALERTS && matches!(class, LineClass::Error | LineClass::Warning) {
            self.alerts += 1;
            // What waited for the end stands before this line and can no longer be told after it.
            self.omitted += u64::try_from(self.tail.len()).unwrap_or(u64::MAX);
            self.tail.clear();
            self.say_omitted(emit);
            emit(EventKind::Line { at, stream, class, text: text.to_owned() });
        } else if self.tail.len() < TAIL {
            self.tail.push_back(Held { at, stream, class, text: text.to_owned() });
        } else if let Some(mut oldest) = self.tail.pop_front() {
            // Its memory is used again: no allocation a line.
            self.omitted += 1;
            oldest.text.clear();
            oldest.text.push_str(text);
            self.tail.push_back(Held { at, stream, class, text: oldest.text });
        }
    }

    pub(super) fn finish(&mut self, emit: &mut dyn FnMut(EventKind)) {
        self.say_omitted(emit);
        for Held { at, stream, class, text } in self.tail.drain(..) {
            emit(EventKind::Line { at, stream, class, text });
        }
    }

    fn say_omitted(&mut self, emit: &mut dyn FnMut(EventKind)) {
        if self.omitted > 0 {
            emit(EventKind::Omitted { lines: std::mem::take(&mut self.omitted) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_head_errors_and_tail_and_counts_the_rest() {
        let mut share = Share::default();
        let mut events = Vec::new();
        for n in 0..10_000 {
            let class = if n == 5000 { LineClass::Error } else { LineClass::Output };
            share.line(Timestamp::UNIX_EPOCH, Stream::Stdout, class, &n.to_string(), &mut |e| events.push(e));
        }
        share.finish(&mut |e| events.push(e));
        let rendered: Vec<_> = events
            .iter()
            .map(|e| match e {
                EventKind::Line { text, .. } => text.clone(),
                EventKind::Omitted { lines } => format!("-{lines}"),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(rendered.len(), 200 + 2 + 1 + 50);
        assert_eq!(rendered[199..204], ["199", "-4800", "5000", "-4949", "9950"]);
        assert_eq!(rendered.last().map(String::as_str), Some("9999"));
    }

    #[test]
    fn a_flood_of_errors_is_bounded_too() {
        let mut share = Share::default();
        let mut count = 0;
        for _ in 0..10_000 {
            share.line(Timestamp::UNIX_EPOCH, Stream::Stderr, LineClass::Error, "x", &mut |_| count += 1);
        }
        share.finish(&mut |_| count += 1);
        assert_eq!(count, 200 + 200 + 1 + 50);
    }
}

//! What arrives from a room, put into the shapes that ledger and followers want.

use base64::{Engine, prelude::BASE64_STANDARD};
use mastmaint_config::settings::Step;
use mastmaint_control::words::{StepLine, StepProgress};
use mastmaint_ledger::StepEnd;
use mastmaint_runner::protocol::{Progress, Sign};
use mastmaint_words::StepIndex;

/// A room keeps at most 1 MiB of text; even text that gzip cannot shrink stays below this.
const MAX_COPY: usize = 2 * 1024 * 1024;

/// The kept copy of a step's output, gzip, as its pieces arrive.
#[derive(Debug, Default)]
pub(super) struct Copy {
    bytes: Vec<u8>,
    broken: bool,
}

impl Copy {
    /// Adds a piece. One that is not base64 or beyond the cap makes the whole copy worthless.
    pub(super) fn push(&mut self, piece: &str) {
        match BASE64_STANDARD.decode(piece) {
            Ok(bytes) if !self.broken && self.bytes.len() + bytes.len() <= MAX_COPY => {
                self.bytes.extend_from_slice(&bytes);
            }
            _ => {
                self.broken = true;
                self.bytes = Vec::new();
            }
        }
    }

    /// The whole copy, if there is one.
    pub(super) fn take(&mut self) -> Option<Vec<u8>> {
        let bytes = std::mem::take(&mut self.bytes);
        (!bytes.is_empty() && !self.broken).then_some(bytes)
    }
}

/// How far a step is, as followers and listings see it.
pub(super) fn progress(progress: Progress) -> StepProgress {
    StepProgress {
        lines: progress.lines,
        errors: progress.errors,
        bar_percent: progress.bar_percent,
        items_done: progress.bar_items.map(|items| items.done),
        items_of: progress.bar_items.map(|items| items.of),
        last: progress.last,
        sign: progress.sign.and_then(|sign| match sign {
            Sign::Start => Some("start".to_owned()),
            Sign::Output => Some("output".to_owned()),
            Sign::Work => Some("work".to_owned()),
            Sign::Other => None,
        }),
        sign_at: progress.sign_at,
    }
}

/// A step that is over, as followers and `show` see it.
pub(super) fn step_line(step: StepIndex, definition: &Step, end: &StepEnd, output_kept: bool) -> StepLine {
    StepLine {
        step,
        title: definition.action.title(),
        started: end.started,
        ended: Some(end.ended),
        took_seconds: end.took.get().as_secs_f64(),
        outcome: Some(end.verdict.outcome),
        grade: Some(end.verdict.grade),
        reasons: end.verdict.reasons.clone(),
        numbers: end.verdict.numbers,
        exit: end.exit,
        signal: end.signal.clone(),
        peak_rss_bytes: end.peak_rss,
        space: end.space,
        lines: end.lines,
        bytes: end.bytes,
        output_kept,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_whole_or_nothing() {
        let mut copy = Copy::default();
        copy.push(&BASE64_STANDARD.encode(b"one "));
        copy.push(&BASE64_STANDARD.encode(b"two"));
        assert_eq!(copy.take().as_deref(), Some(b"one two".as_slice()));
        copy.push(&BASE64_STANDARD.encode(b"one"));
        copy.push("*");
        copy.push(&BASE64_STANDARD.encode(b"two"));
        assert_eq!(copy.take(), None);
    }

    #[test]
    fn a_copy_that_never_ends_is_not_kept_in_memory() {
        let mut copy = Copy::default();
        let piece = BASE64_STANDARD.encode(vec![0; 32 * 1024]);
        for _ in 0..1000 {
            copy.push(&piece);
        }
        assert!(copy.bytes.len() <= MAX_COPY);
        assert_eq!(copy.take(), None);
    }
}

//! What somebody is told: already a text for people, redacted, and the facts beside it for machines.

use jiff::Timestamp;
use mastmaint_words::{JobName, Occasion, Outcome, RunId};
use serde::{Deserialize, Serialize};

/// Longest subject.
const MOST_SUBJECT: usize = 200;
/// Longest text; escaped six times over it still fits a frame.
const MOST_TEXT: usize = 9000;

/// A message. It holds no address: the room knows those.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What it is about.
    pub occasion: Occasion,
    /// When that happened.
    pub at: Timestamp,
    /// Of which job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobName>,
    /// In which run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// How that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
    /// Stable code of the first reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// One line: what happened.
    pub subject: String,
    /// The rest.
    pub text: String,
}

impl Notice {
    /// The same, cut to what fits a frame, with a subject of one line.
    pub fn fitting(mut self) -> Self {
        self.subject = self.subject.split_whitespace().collect::<Vec<_>>().join(" ");
        cut(&mut self.subject, MOST_SUBJECT);
        cut(&mut self.text, MOST_TEXT);
        self
    }
}

fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{codec, protocol::Op};

    #[test]
    fn any_notice_fits_a_frame() {
        let notice = Notice {
            occasion: Occasion::Failed,
            at: Timestamp::UNIX_EPOCH,
            job: None,
            run: None,
            outcome: None,
            code: None,
            subject: "a\nb\u{1}".repeat(10_000),
            text: "\u{1}é".repeat(50_000),
        };
        let notice = Box::new(notice.fitting());
        assert!(!notice.subject.contains('\n'));
        let digest = "0123456789abcdef0123456789abcdef".parse().unwrap();
        codec::encode_request(Op::Notify { digest, target: 0, notice }).unwrap();
    }
}

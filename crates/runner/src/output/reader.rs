//! Puts the parts together: pieces → text → redacted line → class → share, copy, summary.

use super::{
    KeptCopy, MAX_LINE, MAX_QUOTE, MAX_QUOTES, Summary,
    bar::{Bar, Stand},
    classify::{Kind, classify},
    clean::clean,
    cut,
    lines::{End, Piece, Splitter},
    remarks,
    share::Share,
    watch::{Patterns, Watch},
};
use crate::{
    protocol::{EventKind, Progress, Stream},
    redact::Redactor,
};
use jiff::Timestamp;
use mastmaint_tootctl::may_go_on;

const MAX_LAST: usize = 200;

/// Reads the output of one step.
pub struct Reader<'r> {
    splitters: [Splitter; 2],
    digest: Digest<'r>,
}

/// Everything behind the splitters.
struct Digest<'r> {
    redactor: &'r Redactor,
    bars: [Bar; 2],
    /// The last line on standard error warned, and what follows may belong to it.
    is_warning_open: bool,
    share: Share,
    watch: Watch,
    copy: KeptCopy,
    summary: Summary,
    last: String,
    is_changed: bool,
}

impl<'r> Reader<'r> {
    /// A reader that has read nothing.
    pub fn new(redactor: &'r Redactor) -> Self {
        Self {
            splitters: Default::default(),
            digest: Digest {
                redactor,
                bars: Default::default(),
                is_warning_open: false,
                share: Share::default(),
                watch: Watch::default(),
                copy: KeptCopy::default(),
                summary: Summary::default(),
                last: String::new(),
                is_changed: false,
            },
        }
    }

    /// The same, and it looks for what the admin wants to see and what not.
    #[must_use]
    pub fn watching(mut self, patterns: &Patterns) -> Self {
        self.digest.watch = Watch::new(patterns);
        self
    }

    /// Takes what was read.
    pub fn feed(&mut self, at: Timestamp, stream: Stream, chunk: &[u8], emit: &mut dyn FnMut(EventKind)) {
        let Self { splitters, digest } = self;
        digest.summary.bytes += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
        digest.is_changed |= !chunk.is_empty();
        splitters[index(stream)].feed(chunk, |piece| digest.piece(at, stream, piece, emit));
    }

    /// Whether there is progress to tell.
    pub const fn is_changed(&self) -> bool {
        self.digest.is_changed
    }

    /// Where the step stands.
    pub fn progress(&mut self) -> Progress {
        self.digest.is_changed = false;
        let Digest { bars, summary, last, .. } = &self.digest;
        let mut stands = bars.iter().zip(&self.splitters).map(|(bar, splitter)| bar.with(splitter.held()));
        let stand = stands.find_map(|stand| stand);
        Progress {
            lines: summary.lines,
            bytes: summary.bytes,
            errors: summary.errors(),
            bar_percent: stand.map(Stand::percent),
            bar_items: stand.and_then(Stand::items),
            last: last.clone(),
            sign: None,
            sign_at: None,
        }
    }

    /// Takes what had no end, tells the last lines and gives away what is known.
    pub fn finish(self, at: Timestamp, emit: &mut dyn FnMut(EventKind)) -> (Summary, KeptCopy) {
        let Self { mut splitters, mut digest } = self;
        for stream in [Stream::Stdout, Stream::Stderr] {
            splitters[index(stream)].finish(|piece| digest.piece(at, stream, piece, emit));
        }
        digest.share.finish(emit);
        digest.watch.finish(&mut digest.summary);
        (digest.summary, digest.copy)
    }
}

const fn index(stream: Stream) -> usize {
    match stream {
        Stream::Stdout => 0,
        Stream::Stderr => 1,
    }
}

impl Digest<'_> {
    fn piece(&mut self, at: Timestamp, stream: Stream, piece: &Piece<'_>, emit: &mut dyn FnMut(EventKind)) {
        if piece.end != End::Return {
            self.summary.lines += 1;
        }
        let cleaned = clean(piece.bytes);
        let whole = if piece.is_cut {
            // A secret may have been cut in two: what could be its first half goes, too.
            &cleaned[..cleaned.floor_char_boundary(cleaned.len().saturating_sub(self.redactor.longest()))]
        } else {
            &*cleaned
        };
        let text = self.bars[index(stream)].take_out(whole, piece.end == End::Return).trim_end();
        if text.is_empty() {
            self.is_warning_open &= stream != Stream::Stderr;
            return;
        }
        let redacted = self.redactor.redact(text);
        let text = if piece.is_cut && redacted.len() < MAX_LINE - 3 {
            format!("{redacted}…").into()
        } else {
            cut(&redacted, MAX_LINE)
        };
        self.watch.line(&text);
        let kind = match self.in_place(stream, classify(stream, &text), &text) {
            Kind::Statement if piece.end == End::Stream && may_go_on(&text) => Kind::Plain,
            kind => kind,
        };
        self.summary.note(stream, kind, &text);
        let is_of_logger = text.get(1..4) == Some(", [");
        if stream == Stream::Stdout && kind == Kind::Plain && !is_of_logger {
            let last = self.summary.last_stdout.get_or_insert_default();
            last.clear();
            last.push_str(&cut(&text, MAX_QUOTE));
        }
        self.last.clear();
        self.last.push_str(&cut(&text, MAX_LAST));
        self.copy.line(stream, &text);
        self.share.line(at, stream, kind.class(), &text, emit);
    }
}

impl Digest<'_> {
    /// What a line is where it stands: the rest of a warning has no sign of its own.
    fn in_place(&mut self, stream: Stream, kind: Kind, text: &str) -> Kind {
        if stream == Stream::Stdout {
            return kind;
        }
        let is_rest = self.is_warning_open && kind == Kind::Unexpected && remarks::may_continue(text);
        // `DETAIL:` between a warning and its hint leaves it open.
        self.is_warning_open =
            is_rest || kind == Kind::Warning || self.is_warning_open && kind == Kind::Plain;
        if is_rest { Kind::Aside } else { kind }
    }
}

impl Summary {
    fn note(&mut self, stream: Stream, kind: Kind, text: &str) {
        match kind {
            Kind::Plain | Kind::Aside => {}
            Kind::Warning => self.warnings += 1,
            Kind::ItemError => self.item_errors += 1,
            Kind::PlainError => self.plain_errors += 1,
            Kind::LoggedError => self.logged_errors += 1,
            Kind::Complaint => self.complaints += 1,
            Kind::Unexpected => {
                self.unexpected += 1;
                self.first_unexpected.get_or_insert_with(|| quote(text));
            }
            Kind::Exception => {
                self.logged_errors += 1;
                // The outermost comes first; what it was caused by follows.
                self.exception.get_or_insert_with(|| quote(text));
            }
            Kind::Statement => keep_last(&mut self.statements, text),
            Kind::Milestone => keep_last(&mut self.milestones, text),
            Kind::Help => self.help += 1,
        }
        if kind.class() == crate::protocol::LineClass::Error && self.first_errors.len() < MAX_QUOTES {
            self.first_errors.push(quote(text));
        }
        if stream == Stream::Stderr
            && self.ruby_signal.is_none()
            && let Some(name) = ruby_signal(text)
        {
            self.ruby_signal = Some(name.to_owned());
        }
        match kind {
            _ if stream == Stream::Stdout => {}
            Kind::Plain => {}
            Kind::Warning | Kind::Aside => {
                // Its memory is used again: a storm of warnings allocates nothing.
                let last = self.last_aside.get_or_insert_default();
                last.clear();
                last.push_str(&cut(text, MAX_QUOTE));
            }
            _ if self.first_stderr.len() < MAX_QUOTES => self.first_stderr.push(quote(text)),
            _ => {}
        }
    }
}

fn keep_last(quotes: &mut Vec<String>, text: &str) {
    if quotes.len() == 2 * MAX_QUOTES {
        quotes.remove(0);
    }
    quotes.push(quote(text));
}

/// `SignalException: SIGTERM (SignalException)`, as Ruby says what it was ended by.
fn ruby_signal(text: &str) -> Option<&str> {
    let at = memchr::memmem::find(text.as_bytes(), b"SIG").filter(|_| text.contains("SignalException"))?;
    let after = &text[at + 3..];
    let name = after.len() - after.trim_start_matches(|c: char| c.is_ascii_uppercase()).len();
    let begin = text.len() - after.len() - 3;
    (name > 0).then(|| &text[begin..begin + 3 + name])
}

fn quote(text: &str) -> String {
    cut(text, MAX_QUOTE).into_owned()
}

//! Where entries go: the journal by `tracing-journald`, or lines of text.

use crate::{Entry, Level};
use jiff::tz::TimeZone;
use std::io::Write;
use tracing::Dispatch;
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::{Layer as _, filter::filter_fn, layer::SubscriberExt};

/// Target of our own events; nothing else reaches the journal's subscriber.
const TARGET: &str = "mastmaintd";

/// Takes one entry after the other, on the writer's thread.
pub(crate) trait Sink: Send {
    fn write(&mut self, entry: &Entry);
}

/// The journal. The crate's layer lives in a subscriber of its own that is current only while an entry is written,
/// so events of libraries never get there but through the queue.
pub(crate) struct Journald {
    dispatch: Dispatch,
}

impl Journald {
    /// # Errors
    /// If journald does not listen.
    pub(crate) fn connect(identifier: &str) -> std::io::Result<Self> {
        let layer = tracing_journald::layer()?
            .with_field_prefix(None)
            .with_syslog_identifier(identifier.to_owned())
            // `tracing` has no notice: TRACE, which nobody here uses, stands for it.
            .with_priority_mappings(PriorityMappings {
                error: Priority::Error,
                warn: Priority::Warning,
                info: Priority::Informational,
                debug: Priority::Debug,
                trace: Priority::Notice,
            });
        let own = filter_fn(|meta| meta.target() == TARGET);
        Ok(Self { dispatch: Dispatch::new(tracing_subscriber::registry().with(layer.with_filter(own))) })
    }
}

/// A level is part of a callsite, so each needs one; a field that is `None` is left out.
macro_rules! say {
    ($level:ident, $entry:ident) => {
        tracing::event!(
            target: TARGET,
            tracing::Level::$level,
            MESSAGE_ID = $entry.message_id.map(crate::MessageId::as_str),
            MASTMAINT_JOB = $entry.job.as_ref().map(mastmaint_words::JobName::as_str),
            MASTMAINT_RUN = $entry.run.as_ref().map(mastmaint_words::RunId::as_str),
            MASTMAINT_STEP = $entry.step.map(|step| u32::from(step.0) + 1),
            MASTMAINT_OUTCOME = $entry.outcome.map(mastmaint_words::Outcome::as_str),
            MASTMAINT_GRADE = $entry.grade.map(mastmaint_words::Grade::as_str),
            MASTMAINT_TRIGGER = $entry.trigger,
            MASTMAINT_STREAM = $entry.stream.map(crate::Stream::as_str),
            MASTMAINT_DURATION_USEC = $entry.duration.map(|d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX)),
            MASTMAINT_ITEMS = $entry.items,
            MASTMAINT_BYTES = $entry.bytes,
            OBJECT_SYSTEMD_UNIT = $entry.unit,
            message = $entry.message.as_str(),
        )
    };
}

impl Sink for Journald {
    fn write(&mut self, entry: &Entry) {
        tracing::dispatcher::with_default(&self.dispatch, || match entry.level {
            Level::Error => say!(ERROR, entry),
            Level::Warning => say!(WARN, entry),
            Level::Notice => say!(TRACE, entry),
            Level::Info => say!(INFO, entry),
            Level::Debug => say!(DEBUG, entry),
        });
    }
}

/// Lines of text for a person at a terminal, or for whatever keeps standard error.
pub(crate) struct Text<W> {
    to: W,
    colour: bool,
    zone: TimeZone,
}

impl<W: Write + Send> Text<W> {
    pub(crate) const fn new(to: W, colour: bool, zone: TimeZone) -> Self {
        Self { to, colour, zone }
    }
}

impl<W: Write + Send> Sink for Text<W> {
    fn write(&mut self, entry: &Entry) {
        let time = jiff::Timestamp::now().to_zoned(self.zone.clone());
        let line = line(entry, &time.strftime("%H:%M:%S").to_string(), self.colour);
        // A closed terminal is no reason to end, and there is nobody left to tell.
        let _ = self.to.write_all(line.as_bytes());
        let _ = self.to.flush();
    }
}

/// Begins a further line of an entry, as far in as time and level reach.
const BELOW: &str = "\n                 ";

/// `00:30:00 warning clean-media: …`. Control characters become spaces: a step's output must not move the cursor. Its
/// lines are one entry each; an entry of several lines is our own, and those after the first are indented below it.
fn line(entry: &Entry, time: &str, colour: bool) -> String {
    let (word, code) = match entry.level {
        Level::Error => ("error", "1;31"),
        Level::Warning => ("warning", "33"),
        Level::Notice => ("notice", "1"),
        Level::Info => ("info", "32"),
        Level::Debug => ("debug", "2"),
    };
    let is_output = entry.stream.is_some();
    let mut message = String::with_capacity(entry.message.len());
    for c in entry.message.chars() {
        match c {
            '\n' if !is_output => message.push_str(BELOW),
            c if c.is_control() => message.push(' '),
            c => message.push(c),
        }
    }
    if colour {
        format!("\x1b[2m{time}\x1b[0m \x1b[{code}m{word:<7}\x1b[0m {message}\n")
    } else {
        format!("{time} {word:<7} {message}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stream;

    #[test]
    fn a_mistake_keeps_its_line_and_caret_below_it() {
        let entry = Entry::error("m.yaml:1:1: job: unknown key\n    1 | job: {}\n      | ^\x1b[2J");
        assert_eq!(
            line(&entry, "00:30:00", false),
            "00:30:00 error   m.yaml:1:1: job: unknown key\n\
             \x20                    1 | job: {}\n\
             \x20                      | ^ [2J\n"
        );
    }

    #[test]
    fn lines_are_lines_whatever_a_step_prints() {
        let entry = Entry::warning("odd\n\x1b[2Jthing").stream(Stream::Stdout);
        assert_eq!(line(&entry, "00:30:00", false), "00:30:00 warning odd  [2Jthing\n");
        assert_eq!(
            line(&Entry::info("x"), "00:30:00", true),
            "\x1b[2m00:30:00\x1b[0m \x1b[32minfo   \x1b[0m x\n"
        );
    }
}

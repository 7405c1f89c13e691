//! The log. [`Journal::log`] never waits: one thread writes, and a journald that stands still costs entries, counted
//! and marked, but no step its time.

use crate::{
    Entry, Level,
    layer::EventLayer,
    queue::Queue,
    sink::{Journald, Sink, Text},
};
use jiff::tz::TimeZone;
use nix::sys::stat::fstat;
use std::{
    io::{self, IsTerminal},
    sync::Arc,
    time::Duration,
};

/// How the log is begun.
#[derive(Debug, Clone)]
pub struct JournalConfig {
    /// `SYSLOG_IDENTIFIER`.
    pub identifier: String,
    /// Entries that matter less are not written.
    pub level: Level,
    /// In which lines of text say the time.
    pub zone: TimeZone,
}

/// Where the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The journal, with fields.
    Journal,
    /// A terminal.
    Terminal {
        /// With colours.
        colour: bool,
    },
    /// Lines of text.
    Plain,
}

impl Output {
    /// What the environment asks for: the journal if standard error is connected to it, else text.
    pub fn from_environment() -> Self {
        let stderr = io::stderr();
        let connected = fstat(&stderr).ok().is_some_and(|stat| {
            std::env::var("JOURNAL_STREAM")
                .is_ok_and(|stream| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
        });
        // NO_COLOR counts if it is there and not empty (no-color.org).
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|v| !v.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self::choose(connected, stderr.is_terminal(), no_colour)
    }

    const fn choose(journal: bool, terminal: bool, no_colour: bool) -> Self {
        match (journal, terminal) {
            (true, _) => Self::Journal,
            (false, true) => Self::Terminal { colour: !no_colour },
            (false, false) => Self::Plain,
        }
    }
}

/// The log; clones write to the same one.
#[derive(Debug, Clone)]
pub struct Journal {
    queue: Arc<Queue>,
    level: Level,
    output: Output,
}

impl Journal {
    /// Begins the log where the environment says. An absent journald is no error: standard error is used instead,
    /// and the first entry says so.
    ///
    /// # Errors
    /// Only if there is no thread to be had.
    pub fn start(config: &JournalConfig) -> io::Result<Self> {
        Self::start_on(config, Output::from_environment())
    }

    /// Begins the log in a given place.
    ///
    /// # Errors
    /// Only if there is no thread to be had.
    pub fn start_on(config: &JournalConfig, output: Output) -> io::Result<Self> {
        let zone = &config.zone;
        let (sink, output, why): (Box<dyn Sink>, _, _) = match output {
            Output::Journal => match Journald::connect(&config.identifier) {
                Ok(journald) => (Box::new(journald), Output::Journal, None),
                Err(e) => (Box::new(Text::new(io::stderr(), false, zone.clone())), Output::Plain, Some(e)),
            },
            Output::Terminal { colour } => {
                (Box::new(Text::new(io::stderr(), colour, zone.clone())), output, None)
            }
            Output::Plain => (Box::new(Text::new(io::stderr(), false, zone.clone())), output, None),
        };
        let journal = Self::with_sink(config.level, output, sink)?;
        if let Some(why) = why {
            journal.log(Entry::warning(format!(
                "journald does not answer ({why}): the log goes to standard error, without fields"
            )));
        }
        Ok(journal)
    }

    fn with_sink(level: Level, output: Output, mut sink: Box<dyn Sink>) -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let source = Arc::clone(&queue);
        std::thread::Builder::new().name("journal".to_owned()).stack_size(256 * 1024).spawn(move || {
            loop {
                sink.write(&source.next());
            }
        })?;
        Ok(Self { queue, level, output })
    }

    /// Logs an entry. Returns at once; whether it is written shows in [`Journal::lost`].
    pub fn log(&self, entry: Entry) {
        if entry.level <= self.level {
            self.queue.push(entry);
        }
    }

    /// How many entries were dropped since the start.
    pub fn lost(&self) -> u64 {
        self.queue.lost()
    }

    /// Waits until everything is written, but not for longer than `patience`; says whether it is.
    pub fn flush(&self, patience: Duration) -> bool {
        self.queue.drain(patience)
    }

    /// Where the log goes.
    pub const fn output(&self) -> Output {
        self.output
    }

    /// Brings the `tracing` events of libraries here: install it once as the global subscriber.
    pub fn layer<S>(&self) -> impl tracing_subscriber::Layer<S> + use<S>
    where
        S: tracing::Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    {
        EventLayer::filtered(self.clone(), self.level)
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;

//! Events of libraries that speak `tracing` become entries: the message first, other fields behind it.

use crate::{Entry, Journal, Level};
use std::fmt::{self, Write as _};
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{Layer, filter::filter_fn, layer::Context, registry::LookupSpan};

pub(crate) struct EventLayer {
    journal: Journal,
}

impl EventLayer {
    pub(crate) fn filtered<S>(journal: Journal, level: Level) -> impl Layer<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let most = match level {
            Level::Error => LevelFilter::ERROR,
            Level::Warning => LevelFilter::WARN,
            Level::Notice | Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
        };
        Self { journal }.with_filter(filter_fn(move |meta| wanted(meta, most)).with_max_level_hint(most))
    }
}

/// The scheduler crate reports as warnings what is everyday life for a storage of our own.
fn wanted(meta: &Metadata<'_>, most: LevelFilter) -> bool {
    let most = if meta.target().starts_with("tokio_cron_scheduler") { LevelFilter::ERROR } else { most };
    meta.level() <= &most
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for EventLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warning,
            tracing::Level::INFO => Level::Info,
            tracing::Level::DEBUG | tracing::Level::TRACE => Level::Debug,
        };
        let Text { message, fields } = text;
        self.journal.log(Entry::new(level, format!("{}: {message}{fields}", event.metadata().target())));
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, " {}={value:?}", field.name())
        };
    }

    /// The whole chain: an error alone says only its outermost sentence.
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let _ = write!(self.fields, " {}={value}", field.name());
        let mut cause = value.source();
        while let Some(inner) = cause {
            let _ = write!(self.fields, ": {inner}");
            cause = inner.source();
        }
    }
}

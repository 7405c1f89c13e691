//! Tests of the whole way from text to settings.

mod files;
mod guard;
mod host;
mod mistakes;
mod properties;
mod samples;

use crate::{Loaded, load_str};

fn loaded(text: &str) -> Loaded {
    load_str("m.yaml", text).unwrap_or_else(|r| {
        let all: Vec<_> = r.mistakes.iter().map(ToString::to_string).collect();
        panic!("{r}:\n{}\n{text}", all.join("\n"))
    })
}

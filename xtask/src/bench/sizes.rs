//! Sizes of the release build.

use super::{Row, bed::program, process::mib};
use crate::shell::{Result, at};
use std::fs;

pub(super) fn measure() -> Result<Vec<Row>> {
    [
        "mastmaintd",
        "mastmaint-runner",
        "mastmaint-prove",
        "mastmaint-probe",
        "mastmaint-notify",
        "mastmaintctl",
    ]
    .into_iter()
    .map(|name| {
        let path = program(name);
        let bytes = fs::metadata(&path).map_err(at(&path))?.len();
        let figure = mib(bytes / 1024);
        Ok(Row { what: format!("size of `{name}`"), goal: "", figure, peers: String::new() })
    })
    .collect()
}

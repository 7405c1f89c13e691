//! Developer tasks: `cargo xtask demo`.
#![expect(clippy::print_stderr, reason = "a task speaks to the person who started it")]

mod demo;

use std::process::ExitCode;

fn main() -> ExitCode {
    let done = match std::env::args().nth(1).as_deref() {
        Some("demo") => demo::run(),
        _ => Err("usage: cargo xtask demo".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("xtask: {e}");
            ExitCode::FAILURE
        }
    }
}

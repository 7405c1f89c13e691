//! `mastmaintd`: see the library for everything.

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(mastmaintd::boot::main(mastmaintd::args::Args::parse()))
}

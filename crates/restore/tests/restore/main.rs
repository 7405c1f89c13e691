//! Restores on real trees, with proofs that the verification made of them.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;
mod faults;
mod idle;
mod kills;
mod program;
mod resume;
mod rotation;
mod streams;
mod whole;

//! Times the path from a child's pipe to the end of a step: `cargo run --release --example flood [LINES]`.
//! Prints lines a second and what this process held at most.

use mastmaint_runner::{
    exec::{Limits, Orders, Sink, StepCommand, execute},
    output::Patterns,
    protocol::{EndingCause, EventKind},
    redact::Redactor,
    verdict::Judge,
};
use mastmaint_words::{StepIndex, StepKey};
use std::{collections::BTreeMap, error::Error, time::Duration};

struct Counting(u64);

impl Sink for Counting {
    fn event(&mut self, _: EventKind) {
        self.0 += 1;
    }
}

#[expect(clippy::print_stdout, reason = "its result is for the terminal")]
fn main() -> Result<(), Box<dyn Error>> {
    let lines = std::env::args().nth(1).unwrap_or_else(|| "10000000".to_owned());
    let line = "Processing 117663464916054119 of remote.example, 0123456789 abcdefghijklmnopqrs";
    let day = Duration::from_hours(24);
    let command = StepCommand {
        program: "sh".into(),
        args: vec!["-c".into(), format!("yes '{line}' | head -n {lines}")],
        environment: BTreeMap::from([("PATH".to_owned(), "/usr/bin:/bin".to_owned())]),
        directory: "/".into(),
        patterns: Patterns::default(),
    };
    let limits = Limits { timeout: day, timeout_cause: EndingCause::StepTimeout, grace: day, quiet: None };
    let (_orders, mut receiver) = Orders::new()?;
    let redactor = Redactor::from_secrets((0..12).map(|n| format!("a-secret-of-the-instance-{n:032}")));
    let mut sink = Counting(0);
    let key = StepKey { run: "20261123T003000Z-7k3f9q".parse()?, step: StepIndex(0) };
    let report = execute(
        key,
        &command,
        limits,
        &mut receiver,
        &redactor,
        &|ended| Judge::of_any().judge(ended),
        &mut sink,
    );
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or_default();
    println!("{} lines, {} bytes in {}, {} events; {peak}", report.lines, report.bytes, report.took, sink.0);
    Ok(())
}

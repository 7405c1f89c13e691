//! Any output of a step: how it was cut into reads changes nothing, what comes out is bounded, plain and redacted, and
//! the verdict on it is never `ok` beside an error of an item.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use mastmaint_runner::{
    exec::{Ended, Ending},
    output::{MAX_LINE, Reader, Summary},
    protocol::{EndingCause, EventKind, Stream},
    redact::Redactor,
    verdict::Judge,
};
use mastmaint_words::{Outcome, Verdict};
use std::sync::LazyLock;

const SECRET: &str = "hidden-value-1";
const COMMANDS: [&str; 12] = [
    "media remove --days 7",
    "media remove-orphans",
    "preview_cards remove --days 30",
    "statuses remove --skip-media-remove",
    "statuses remove",
    "accounts cull",
    "accounts refresh --domain x",
    "cache clear",
    "cache recount accounts",
    "feeds vacuum",
    "search deploy",
    "media usage",
];
static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::from_secrets([SECRET.to_owned()]));

/// What a reader makes of a step's output.
#[derive(PartialEq, Debug)]
struct Read {
    events: Vec<EventKind>,
    summary: Summary,
    copy: Vec<u8>,
    omitted: u64,
}

/// Reads `body`, over and over, in pieces of `size` bytes, on the streams in turn.
fn read(body: &[u8], times: usize, size: usize, streams: &[Stream]) -> Read {
    let mut reader = Reader::new(&REDACTOR);
    let mut events = Vec::new();
    let mut turn = streams.iter().cycle();
    for _ in 0..times {
        for piece in body.chunks(size.max(1)) {
            let stream = *turn.next().expect("a cycle has no end");
            reader.feed(Timestamp::UNIX_EPOCH, stream, piece, &mut |event| events.push(event));
        }
        let progress = reader.progress();
        assert!(progress.last.len() <= 512 && progress.bar_percent.is_none_or(|percent| percent <= 100));
    }
    let (summary, copy) = reader.finish(Timestamp::UNIX_EPOCH, &mut |event| events.push(event));
    let (copy, omitted) = copy.into_text();
    Read { events, summary, copy, omitted }
}

fn judge(read: &Read, command: &str, end: u8) {
    let args: Vec<String> = command.split(' ').map(str::to_owned).collect();
    let ending = match end % 4 {
        0 | 1 => Ending::Exited(0),
        2 => Ending::Exited(1),
        _ => Ending::Signalled { name: "SIGKILL".to_owned(), by_oom_killer: false },
    };
    let cut_short = (end & 0x30 == 0x30).then_some(EndingCause::StepTimeout);
    let summary = read.summary.clone();
    let item_errors = summary.item_errors;
    let ended = Ended { ending, cut_short, summary, survivors_killed: u32::from(end >> 6), oom_kills: 0 };
    for judge in [Judge::tootctl(&args), Judge::of_any()] {
        let verdict = judge.judge(&ended);
        check(&verdict);
        let must_fail = item_errors > 0 || ended.ending != Ending::Exited(0) || ended.cut_short.is_some();
        assert!(!must_fail || verdict.outcome != Outcome::Ok, "{verdict}: {ended:?}");
    }
}

fn check(verdict: &Verdict) {
    assert!(verdict.outcome == Outcome::Ok || !verdict.reasons.is_empty(), "{verdict}");
    for reason in &verdict.reasons {
        let text = &reason.text;
        assert!(!text.contains(['\n', '\r', '\u{1b}']) && !text.contains(SECRET), "{text:?}");
        assert!(text.len() < 2048, "{text:?}");
    }
}

fuzz_target!(|bytes: &[u8]| {
    let [shape, size, command, end, body @ ..] = bytes else { return };
    let times = if shape % 16 == 15 { 1 + usize::from(shape >> 2) } else { 1 };
    let streams: &[Stream] = match shape % 3 {
        0 => &[Stream::Stdout],
        1 => &[Stream::Stderr],
        _ => &[Stream::Stdout, Stream::Stderr],
    };
    let found = read(body, times, usize::from(*size), streams);
    if streams.len() == 1 {
        assert_eq!(found, read(body, times, usize::MAX, streams), "cut otherwise");
    }
    assert!(found.events.len() <= 200 + 2 * 200 + 1 + 50, "{} events", found.events.len());
    for event in &found.events {
        if let EventKind::Line { text, .. } = event {
            assert!(text.len() <= MAX_LINE && !text.contains(SECRET), "{text:?}");
            assert!(!text.chars().any(|c| c.is_control() && c != '\t'), "{text:?}");
        }
    }
    assert!(found.copy.len() <= 1024 * 1024 + 100);
    let quotes = [&found.summary.first_errors, &found.summary.first_stderr, &found.summary.statements];
    assert!(quotes.iter().all(|quotes| quotes.len() <= 16 && quotes.iter().all(|quote| quote.len() <= 400)));
    judge(&found, COMMANDS[usize::from(*command) % COMMANDS.len()], *end);
});

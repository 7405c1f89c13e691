//! Any command line, end and output: the grammar takes it apart without panic, the judge never calls `ok` what ended
//! badly or holds an error, and what it says is bounded.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mastmaint_runner::{
    exec::Ending,
    saved,
    verdict::{Judge, Signals, Terms},
};
use mastmaint_tootctl::{Call, Series, Version};
use mastmaint_words::{Outcome, Verdict};

fn judge(judge: &Judge, ending: &Ending, stdout: &[u8], stderr: &[u8]) -> Verdict {
    let verdict = saved::judge(judge, ending.clone(), stdout, stderr).expect("slices can be read");
    assert!(verdict.outcome == Outcome::Ok || !verdict.reasons.is_empty(), "{verdict}");
    assert!(verdict.reasons.len() <= 8, "{verdict:?}");
    for reason in &verdict.reasons {
        assert!(reason.text.len() < 2048 && !reason.text.contains(['\n', '\u{1b}']), "{:?}", reason.text);
    }
    verdict
}

fn grammar(args: &[String], version: Option<Series>) {
    let call = Call::read(args, version);
    for misuse in call.misuses() {
        assert!(misuse.word <= args.len() && !misuse.wrong.to_string().is_empty());
    }
    let _ = (call.danger(), call.too_few_days(), call.expected().count());
    if let Some(dry) = Call::dry_run_of(args) {
        assert!(Call::read(&dry, version).has("dry-run"), "{dry:?}");
    }
}

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.splitn(4, '\u{0}');
    let (Some(head), Some(line)) = (parts.next(), parts.next()) else { return };
    let (stdout, stderr) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let version = head.parse::<Version>().ok().map(|version| version.series());
    let argv: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    grammar(&argv, version);
    let _ = Version::from_ruby(&text);
    let terms = Terms { version, signals: Signals::Person, ..Terms::default() };
    let of_line = Judge::of_line(&argv).with(terms);
    let fine = judge(&of_line, &Ending::Exited(0), stdout.as_bytes(), stderr.as_bytes());
    for ending in [Ending::Exited(1), Ending::Signalled { name: "SIGTERM".to_owned(), by_oom_killer: false }] {
        assert_ne!(judge(&of_line, &ending, stdout.as_bytes(), stderr.as_bytes()).outcome, Outcome::Ok);
    }
    let worse = format!("{stdout}\nError processing 1: x\n");
    let worse = judge(&of_line, &Ending::Exited(0), worse.as_bytes(), stderr.as_bytes());
    assert_ne!(worse.outcome, Outcome::Ok, "an error more: {fine}");
});

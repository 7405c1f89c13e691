//! No known secret survives redaction, whatever stands around it and whatever other secrets there are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mastmaint_runner::redact::Redactor;

/// Whether a secret of this kind is promised to go: short ones and common words are not, and one that holds a bracket
/// or is a part of the marks can come about by redaction itself.
fn is_promised(secret: &str) -> bool {
    secret.len() >= 6
        && secret.contains(|c: char| c.is_ascii_digit())
        && !secret.contains(['[', ']', '\n', '\r'])
        && !secret.contains("\\n")
}

// The first line holds the secrets, the others the text.
fuzz_target!(|input: &str| {
    let (secrets, text) = input.split_once('\n').unwrap_or(("", input));
    let secrets: Vec<&str> = secrets.split('\u{1}').collect();
    let redactor = Redactor::from_secrets(secrets.iter().map(|secret| (*secret).to_owned()));
    let everything = [text, &secrets.join(" "), text].concat();
    for text in [text, &everything] {
        let redacted = redactor.redact(text);
        for secret in secrets.iter().filter(|secret| is_promised(secret)) {
            assert!(!redacted.contains(secret), "{secret:?} stays in {redacted:?} of {text:?}");
        }
        assert!(redacted.len() <= 16 * text.len() + 16);
    }
});

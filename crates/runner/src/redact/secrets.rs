//! Where secrets are found: variables whose names say so, passwords in URLs.

/// Parts of the names of variables that hold secrets.
const SECRET_NAMES: [&str; 14] = [
    "KEY",
    "SECRET",
    "PASS",
    "PWD",
    "TOKEN",
    "SALT",
    "OTP",
    "VAPID",
    "CREDENTIAL",
    "PRIVATE",
    "AUTH",
    "DSN",
    "COOKIE",
    "WEBHOOK",
];
/// Values that may stand in such variables and are words of plain output.
pub(super) const COMMON: [&str; 23] = [
    "true",
    "false",
    "none",
    "null",
    "auto",
    "plain",
    "login",
    "peer",
    "always",
    "never",
    "cram_md5",
    "production",
    "mastodon",
    "localhost",
    "postgres",
    "required",
    "optional",
    "enabled",
    "disabled",
    "default",
    "development",
    "staging",
    "public",
];

/// Shorter values of the instance's files would turn up everywhere in plain text.
pub(super) const SHORTEST_FOUND: usize = 6;
/// What the admin gives to a step by a telling name is hidden from this length on.
pub(super) const SHORTEST_GIVEN: usize = 4;

/// The forms in which a secret may turn up, if they have `shortest` bytes: its lines, and each as a URL would write it.
pub(super) fn forms(secret: String, shortest: usize) -> Vec<String> {
    let lines = secret.replace("\\n", "\n");
    let mut forms: Vec<String> = lines.lines().map(|l| l.trim().to_owned()).collect();
    forms.extend(lines.lines().map(|l| percent_encoded(l.trim())));
    forms.push(secret);
    forms.retain(|f| f.len() >= shortest && !COMMON.contains(&f.to_ascii_lowercase().as_str()));
    forms
}

fn percent_encoded(text: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(text.len());
    for b in text.bytes() {
        if b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~') {
            encoded.push(char::from(b));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{b:02X}");
        }
    }
    encoded
}

/// The secrets that a variable holds: all of it if its name says so, and the password of a URL.
pub(super) fn secrets_in(name: &str, value: &str) -> Vec<String> {
    let name = name.to_ascii_uppercase();
    let mut secrets = Vec::new();
    if SECRET_NAMES.iter().any(|part| name.contains(part)) {
        secrets.push(value.to_owned());
    }
    let password = value.split_once("://").and_then(|(_, rest)| {
        let authority = rest.split(['/', '?', '#']).next()?;
        let (user, _) = authority.rsplit_once('@')?;
        user.split_once(':').map(|(_, password)| password)
    });
    secrets.extend(password.into_iter().flat_map(|p| [p.to_owned(), mastmaint_instance::decoded(p)]));
    secrets
}

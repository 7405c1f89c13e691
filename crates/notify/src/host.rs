//! How this host calls itself.

use std::fs;

/// The name behind the @ of its own users' mail, as Debian keeps it, else the name of the host.
pub(crate) fn mail_name() -> String {
    let mailname = fs::read_to_string("/etc/mailname").unwrap_or_default();
    let hostname = || nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    first_word(&mailname)
        .or_else(|| hostname().as_deref().and_then(first_word))
        .unwrap_or_else(|| "localhost".to_owned())
}

fn first_word(text: &str) -> Option<String> {
    let word = text.split_whitespace().next()?;
    let is_name = word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    is_name.then(|| word.to_owned())
}

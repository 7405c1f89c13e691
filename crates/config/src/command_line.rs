//! Command lines without their secrets, for people: what stands behind options and variables with telling names, in
//! URLs, in headers. Pure; what has no name beside it (`echo hunter2`) cannot be told.

const REDACTED: &str = "[redacted]";
/// A name that holds one of these is telling.
const TELLING: [&str; 10] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "credential",
    "authorization",
    "cookie",
    "webhook",
    "userpwd",
];
/// So is one with one of these between its dashes.
const TELLING_PARTS: [&str; 14] = [
    "key",
    "apikey",
    "accesskey",
    "secretkey",
    "privatekey",
    "pass",
    "pw",
    "pwd",
    "auth",
    "otp",
    "pin",
    "salt",
    "dsn",
    "psk",
];
/// What such a name ends with when it only says where the secret is.
const PLACES: [&str; 12] =
    ["file", "path", "dir", "command", "cmd", "stdin", "fd", "id", "type", "name", "prompt", "env"];
/// Options whose value is `USER:PASSWORD`.
const USERS: [&str; 4] = ["-u", "-U", "--user", "--proxy-user"];
/// Programs with a one-letter option for a password.
const SHORT: [(&str, &str); 8] = [
    ("mysql", "-p"),
    ("mysqldump", "-p"),
    ("mysqladmin", "-p"),
    ("mariadb", "-p"),
    ("mariadb-dump", "-p"),
    ("sshpass", "-p"),
    ("redis-cli", "-a"),
    ("7z", "-p"),
];

/// The command line as one line for people.
pub(crate) fn shown(args: &[String]) -> String {
    let (shown, _) = scrub(args);
    let quoted: Vec<_> = shown
        .iter()
        .map(|arg| {
            // The mark itself is no reason for quotation marks.
            let plain = arg.replace(REDACTED, "x");
            if shell_words::quote(&plain) == plain {
                arg.clone()
            } else {
                shell_words::quote(arg).into_owned()
            }
        })
        .collect();
    quoted.join(" ")
}

/// The secrets of a command line, as they stand in it.
pub fn secrets_of(args: &[String]) -> Vec<String> {
    scrub(args).1
}

fn scrub(args: &[String]) -> (Vec<String>, Vec<String>) {
    let mut scrubber = Scrubber::default();
    let shown = args.iter().map(|arg| scrubber.argument(arg)).collect();
    (shown, scrubber.secrets)
}

/// What the next word is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Next {
    #[default]
    Anything,
    Secret,
    UserAndPassword,
}

#[derive(Debug, Default)]
struct Scrubber {
    next: Next,
    /// The one-letter option for a password of the program that was named.
    short: Option<&'static str>,
    secrets: Vec<String>,
}

impl Scrubber {
    fn argument(&mut self, arg: &str) -> String {
        // The value of an option is its whole argument, whatever is in it.
        if self.next != Next::Anything && !arg.starts_with("--") {
            return self.awaited(arg);
        }
        self.next = Next::Anything;
        // What stands behind `NAME=` in an argument of its own may hold blanks.
        let own = arg.split_once('=').filter(|(name, _)| last_name(name) == *name && is_telling(name));
        match own {
            Some((name, value)) => format!("{name}={}", self.hide(value)),
            None if arg.contains(char::is_whitespace) => self.text(arg),
            None => self.word(arg),
        }
    }

    /// A header, or a command for a shell.
    fn text(&mut self, text: &str) -> String {
        let mut plain = String::with_capacity(text.len());
        let mut rest = text;
        loop {
            let word_at = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
            plain.push_str(&rest[..word_at]);
            rest = &rest[word_at..];
            if rest.is_empty() {
                return plain;
            }
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''));
            let length = rest.find(char::is_whitespace).unwrap_or(rest.len());
            if self.next != Next::Anything && !rest.starts_with("--") {
                let quoted = quote.and_then(|q| rest[1..].find(q)).map(|at| at + 2);
                let (value, after) = rest.split_at(quoted.unwrap_or(length));
                plain.push_str(&self.awaited(value));
                rest = after;
                continue;
            }
            self.next = Next::Anything;
            let (word, after) = rest.split_at(length);
            rest = after;
            let header = word.strip_suffix(':').or_else(|| word.strip_suffix("\":"));
            if header.is_some_and(|name| is_telling(last_name(name))) {
                let ends: &[char] = match quote {
                    Some('"') => &['"', '\n'],
                    Some(_) => &['\'', '\n'],
                    None => &['\n'],
                };
                // In `"password": "x"` the mark was that of the name.
                let begin = rest.len() - rest.trim_start_matches([' ', '\t', '"']).len();
                let end = rest[begin..].find(ends).map_or(rest.len(), |at| begin + at);
                plain.push_str(word);
                plain.push_str(&rest[..begin]);
                plain.push_str(&self.hide(&rest[begin..end]));
                rest = &rest[end..];
            } else {
                plain.push_str(&self.word(word));
            }
        }
    }

    fn awaited(&mut self, value: &str) -> String {
        match std::mem::take(&mut self.next) {
            Next::UserAndPassword => self.user_and_password(value),
            Next::Secret | Next::Anything => self.hide(value),
        }
    }

    fn word(&mut self, word: &str) -> String {
        let bare = word.trim_matches(['"', '\'']);
        let program = bare.rsplit('/').next().unwrap_or(bare);
        if let Some((_, option)) = SHORT.iter().find(|(name, _)| *name == program) {
            self.short = Some(option);
            return word.to_owned();
        }
        if let Some(option) = bare.strip_prefix('-') {
            if USERS.contains(&bare) {
                self.next = Next::UserAndPassword;
                return word.to_owned();
            }
            if let Some((name, value)) = bare.split_once('=').filter(|(name, _)| USERS.contains(name)) {
                return format!("{name}={}", self.user_and_password(value));
            }
            if let Some(value) = bare.strip_prefix("-u").filter(|v| v.contains(':')) {
                return format!("-u{}", self.user_and_password(value));
            }
            if let Some((short, value)) = self.short.and_then(|s| Some((s, bare.strip_prefix(s)?))) {
                if value.is_empty() {
                    self.next = Next::Secret;
                    return word.to_owned();
                }
                return format!("{short}{}", self.hide(value));
            }
            if !option.contains(['=', ':']) && is_telling(option) {
                self.next = Next::Secret;
                return word.to_owned();
            }
        }
        let without = self.values(word);
        self.url(&without)
    }

    /// `NAME=value`, `"NAME":"value"`, `?NAME=value&…` without the values of telling names.
    fn values(&mut self, word: &str) -> String {
        let mut plain = String::with_capacity(word.len());
        let mut rest = word;
        while let Some(at) = rest.find(['=', ':']) {
            let (before, after) = (&rest[..at], &rest[at + 1..]);
            plain.push_str(&rest[..=at]);
            rest = after;
            let name = last_name(before);
            if !is_telling(name) || after.starts_with("//") {
                continue;
            }
            let begin = after.len() - after.trim_start_matches(['"', '\'']).len();
            // In a word of its own it may hold any character.
            let is_whole = plain.len() == at + 1 && last_name(before) == before;
            let ends: &[char] = match after.chars().next() {
                Some('"') => &['"'],
                Some('\'') => &['\''],
                _ if is_whole => &[],
                _ => &['&', ';', ',', '"', '\'', '}', '#'],
            };
            let end = after[begin..].find(ends).map_or(after.len(), |at| begin + at);
            plain.push_str(&after[..begin]);
            plain.push_str(&self.hide(&after[begin..end]));
            rest = &after[end..];
        }
        plain.push_str(rest);
        plain
    }

    /// `scheme://user:password@host`, and a token in the place of the user.
    fn url(&mut self, word: &str) -> String {
        const SHORTEST_TOKEN: usize = 16;
        let mut plain = String::with_capacity(word.len());
        let mut rest = word;
        while let Some((before, after)) = rest.split_once("://") {
            plain.push_str(before);
            plain.push_str("://");
            let length = after.find(['/', '?', '#', '"', '\'']).unwrap_or(after.len());
            rest = after;
            let Some(at) = after[..length].rfind('@') else { continue };
            match after[..at].split_once(':') {
                Some((user, password)) => {
                    plain.push_str(user);
                    plain.push(':');
                    plain.push_str(&self.hide(password));
                }
                None if at >= SHORTEST_TOKEN => plain.push_str(&self.hide(&after[..at])),
                None => plain.push_str(&after[..at]),
            }
            rest = &after[at..];
        }
        plain.push_str(rest);
        plain
    }

    fn user_and_password(&mut self, value: &str) -> String {
        let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        match value.split_once(':') {
            // `1000:1000` are a user and a group.
            Some((user, password)) if !(is_number(user) && is_number(password)) => {
                format!("{user}:{}", self.hide(password))
            }
            _ => value.to_owned(),
        }
    }

    fn hide(&mut self, secret: &str) -> String {
        let bare = secret.trim_matches(['"', '\'']);
        if bare.is_empty() || bare == REDACTED {
            return secret.to_owned();
        }
        self.secrets.push(bare.to_owned());
        // Of `Bearer x` it is `x` that turns up elsewhere, of `x psql` it is the first.
        let words = bare.split_whitespace();
        let ends = [words.clone().next(), words.last()].into_iter().flatten();
        self.secrets.extend(ends.filter(|word| *word != bare && !is_scheme(word)).map(str::to_owned));
        REDACTED.to_owned()
    }
}

/// The name at the end of `text`: `token` of `?a=b&token`.
fn last_name(text: &str) -> &str {
    let text = text.trim_end_matches(['"', '\'']);
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let start = text.char_indices().rev().take_while(|(_, c)| is_part(*c)).last();
    start.map_or("", |(at, _)| &text[at..])
}

fn is_scheme(word: &str) -> bool {
    ["bearer", "basic", "token"].contains(&word.to_ascii_lowercase().as_str())
}

fn is_telling(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let mut parts = name.split(['-', '_', '.']);
    if parts.clone().next_back().is_some_and(|last| PLACES.contains(&last)) {
        return false;
    }
    TELLING.iter().any(|word| name.contains(word)) || parts.any(|part| TELLING_PARTS.contains(&part))
}

#[cfg(test)]
#[path = "command_line_tests.rs"]
mod tests;

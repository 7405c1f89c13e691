//! Command lines as people paste them from web pages and crontabs, and what is wrong with them here: no shell reads
//! them, and `tootctl` is already said by the key.

use crate::{
    diagnostic::Place,
    mistake::Mistake,
    read::{Reader, is_control},
    tree::{Kind, Node},
};

/// What a command line belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Tootctl,
    Systemctl,
    Run,
    Verify,
    Probe,
    Restore,
    RestoreDatabase,
    RedisFlush,
    Guard,
}

impl Key {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Tootctl => "tootctl",
            Self::Systemctl => "systemctl",
            Self::Run => "run",
            Self::Verify => "verify",
            Self::Probe => "probe",
            Self::Restore => "restore",
            Self::RestoreDatabase => "restore-database",
            Self::RedisFlush => "redis-flush",
            Self::Guard => "guard",
        }
    }

    pub(super) const fn wanted(self) -> &'static str {
        match self {
            Self::Tootctl => "a command, like \"media remove --days 14\"",
            Self::Systemctl => "a verb and units, like {restart: [mastodon-web]}",
            Self::Verify => "the name of a backup",
            Self::Probe => "the name of a probe",
            Self::Restore => "the name of a backup, or a map like {backup: nightly-files, snapshot: daily.1}",
            Self::RedisFlush => "true",
            Self::RestoreDatabase => "the name of a backup, or a map like {backup: database, rehearse: true}",
            Self::Guard => "a command or a list of commands, like bin/rails assets:precompile",
            Self::Run => "a program by its whole path, like /usr/local/bin/tidy, and its arguments",
        }
    }

    const fn shell_help(self) -> &'static str {
        match self {
            Self::Tootctl => "put quotes around it if tootctl shall see it, or make steps of their own",
            Self::Systemctl => "name the verb and the units only",
            Self::RedisFlush => "write true only",
            Self::Verify | Self::Restore | Self::RestoreDatabase => "name the backup only",
            Self::Probe => "name the probe only",
            Self::Guard => {
                "write it as a list with a shell, like [[/bin/sh, -c, \"…\"]], or put quotes around it"
            }
            Self::Run => {
                "write it as a list with a shell, like [/bin/sh, -c, \"…\"], or put quotes around it"
            }
        }
    }
}

/// The words of a command: a string, split as a shell would, or a list.
pub(super) fn words(reader: &mut Reader, node: &Node, path: &str, key: Key) -> Option<Vec<String>> {
    let words = match &node.kind {
        Kind::Text(text) => {
            if let Some(what) = shell_syntax(text) {
                reader.wrong(node.place, path, Mistake::ShellSyntax { what, help: key.shell_help() });
                return None;
            }
            let Ok(words) = shell_words::split(text) else {
                reader.wrong(node.place, path, Mistake::Quotes);
                return None;
            };
            words
        }
        Kind::Seq(items) => {
            let words = list(reader, items, path)?;
            let operator = |word: &&String| is_operator(word);
            if let Some(what) = words.iter().find(operator).cloned() {
                reader.wrong(node.place, path, Mistake::ShellSyntax { what, help: key.shell_help() });
                return None;
            }
            words
        }
        Kind::Null => vec![],
        _ => {
            let wanted = "a command line or a list of its words";
            reader.wrong(node.place, path, Mistake::WrongType { wanted, found: node.kind_name() });
            return None;
        }
    };
    let mistake = mistake_in(&words, key);
    if let Some(mistake) = mistake {
        reader.wrong(node.place, path, mistake);
        return None;
    }
    Some(words)
}

/// Where each word of a command stands, as far as that can be told: a word that was quoted within its text, or a text
/// of several lines, takes the place of the whole.
pub(super) fn places(node: &Node) -> impl Iterator<Item = Place> {
    let mut places = Vec::new();
    match &node.kind {
        Kind::Seq(items) => places.extend(items.iter().map(|item| item.place)),
        Kind::Text(text) if !text.contains(['\'', '"', '\\']) && node.end.0 == node.place.line => {
            // The text may stand in quotes of YAML; if it is longer still, it is not written as it reads.
            let written = node.end.1.saturating_sub(node.place.column);
            let quotes = written.checked_sub(text.chars().count()).filter(|quotes| matches!(quotes, 0 | 2));
            if let Some(quotes) = quotes {
                let mut was_blank = true;
                for (index, c) in text.chars().enumerate() {
                    if was_blank && !c.is_whitespace() {
                        let column = node.place.column + quotes / 2 + index;
                        places.push(Place::new(node.place.file, node.place.line, column));
                    }
                    was_blank = c.is_whitespace();
                }
            }
        }
        _ => {}
    }
    places.into_iter().chain(std::iter::repeat(node.place))
}

/// The texts of a list.
pub(super) fn list(reader: &mut Reader, items: &[Node], path: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut complete = true;
    for (index, item) in items.iter().enumerate() {
        match &item.kind {
            Kind::Text(text) => words.push(text.clone()),
            // `[media, remove, --days, 14]` has one meaning only.
            Kind::Number(number) => {
                words.push(number.clone());
                let written = reader.files.scalar(item.place).unwrap_or(number).to_owned();
                if written != *number {
                    complete = false;
                    let mistake = Mistake::NumberChanges { written, read: number.clone() };
                    reader.wrong(item.place, &format!("{path}[{}]", index + 1), mistake);
                }
            }
            _ => {
                complete = false;
                let mistake = Mistake::WrongType { wanted: "text", found: item.kind_name() };
                reader.wrong(item.place, &format!("{path}[{}]", index + 1), mistake);
            }
        }
    }
    complete.then_some(words)
}

fn mistake_in(words: &[String], key: Key) -> Option<Mistake> {
    let Some(first) = words.first().filter(|word| !word.is_empty()) else {
        return Some(Mistake::Empty { wanted: key.wanted() });
    };
    if words.iter().any(|word| word.contains(is_control)) {
        return Some(Mistake::ControlCharacter);
    }
    if let Some(word) = words.iter().find(|word| word.starts_with(['—', '–', '−', '‐', '‑', '―']))
    {
        return Some(Mistake::Dash { word: word.clone() });
    }
    if !matches!(key, Key::Run | Key::Guard) {
        let own = key.as_str();
        if first == own || first.strip_suffix(own).is_some_and(|rest| rest.ends_with('/')) {
            return Some(Mistake::Doubled { given: first.clone(), key: own });
        }
    }
    if is_assignment(first) {
        let help = "put the variable into the step's environment";
        return Some(Mistake::ShellSyntax { what: first.clone(), help });
    }
    if key == Key::Run && !first.starts_with('/') {
        let help = if matches!(first.as_str(), "sh" | "bash" | "dash") {
            format!("write /bin/{first}")
        } else {
            "name the program with its whole path; no PATH is searched".to_owned()
        };
        return Some(Mistake::RelativePath { given: first.clone(), help });
    }
    None
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit())
    })
}

fn is_operator(word: &str) -> bool {
    matches!(word, "|" | "||" | "&" | "&&" | ";" | ">" | ">>" | "<" | "2>" | "2>&1" | "&>")
}

/// The first word of an unquoted text that only a shell would understand.
fn shell_syntax(text: &str) -> Option<String> {
    let (mut single, mut double, mut escaped, mut word_begins) = (false, false, false, true);
    for (index, c) in text.char_indices() {
        if escaped {
            (escaped, word_begins) = (false, false);
            continue;
        }
        let special = match c {
            '\\' if !single => {
                escaped = true;
                false
            }
            '\'' if !double => {
                single = !single;
                false
            }
            '"' if !single => {
                double = !double;
                false
            }
            _ if single => false,
            '$' | '`' => true,
            _ if double => false,
            '|' | '&' | ';' | '<' | '>' | '(' | ')' | '*' | '?' | '[' | '{' => true,
            '~' | '#' => word_begins,
            _ => false,
        };
        if special {
            let shown = text[..index].rsplit(char::is_whitespace).next().map_or(0, str::len);
            let shown = &text[index - shown..];
            return Some(shown.split_whitespace().next().unwrap_or(shown).chars().take(40).collect());
        }
        word_begins = c.is_whitespace();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_expand_is_seen() {
        for (text, what) in [
            ("media remove; cache clear", "remove;"),
            ("a | b", "|"),
            ("a > /dev/null 2>&1", ">"),
            ("/bin/echo $HOME", "$HOME"),
            ("/bin/rm /tmp/*", "/tmp/*"),
            ("/bin/ls ~/live", "~/live"),
            ("a \"$(date)\"", "\"$(date)\""),
            // Blanks of other alphabets have several bytes.
            ("a\u{3000}b | c\u{2003}d|e", "|"),
            ("a\u{3000}b\u{2003}é|e", "é|e"),
        ] {
            assert_eq!(shell_syntax(text).as_deref(), Some(what), "{text}");
        }
        for text in
            ["media remove --days 14", "a 'b; c' d", "a \"b; c\"", "a b\\;c", "a#b c~d", "accounts cull é"]
        {
            assert_eq!(shell_syntax(text), None, "{text}");
        }
    }
}

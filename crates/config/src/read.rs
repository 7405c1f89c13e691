//! Reads typed values out of the tree and collects every mistake on the way, instead of stopping at the first one.

use crate::{
    diagnostic::{Diagnostic, Files, Place},
    mistake::{self, Mistake},
    tree::{Kind, Node},
};
use mastmaint_words::Span;
use std::collections::{BTreeMap, HashMap};

/// Most mistakes that are shown; the others are counted.
const MOST: usize = 100;

/// A value with its place.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// Where mistakes and warnings go.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) files: Files,
    pub(crate) mistakes: Vec<Diagnostic>,
    pub(crate) warnings: Vec<Diagnostic>,
    /// Where each key path stands, for checks that come later.
    pub(crate) places: HashMap<String, Place>,
    not_shown: usize,
}

/// A map whose keys are known and stand once.
pub(crate) struct Fields<'n> {
    pub(crate) path: String,
    pub(crate) place: Place,
    entries: HashMap<&'n str, (Place, &'n Node)>,
}

impl<'n> Fields<'n> {
    pub(crate) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.get(key).map(|(_, node)| *node)
    }

    pub(crate) fn key_place(&self, key: &str) -> Place {
        self.entries.get(key).map_or(self.place, |(place, _)| *place)
    }

    pub(crate) fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }
}

/// A key, where it stands, and its value.
pub(crate) type Pair<'n> = (&'n str, Place, &'n Node);

/// Appends a key to a path; keys that would make it ambiguous or long are cut and escaped.
pub(crate) fn join(path: &str, key: &str) -> String {
    let shown: String = key.chars().take(64).flat_map(char::escape_debug).collect();
    if path.is_empty() { shown } else { format!("{path}.{shown}") }
}

impl Reader {
    pub(crate) fn new(files: Files) -> Self {
        Self { files, mistakes: vec![], warnings: vec![], places: HashMap::new(), not_shown: 0 }
    }

    pub(crate) fn wrong(&mut self, place: Place, path: &str, mistake: Mistake) {
        if self.mistakes.len() < MOST {
            let diagnostic = self.files.diagnostic(place, path, mistake);
            // A default that many jobs share is wrong once.
            if !self.mistakes.contains(&diagnostic) {
                self.mistakes.push(diagnostic);
            }
        } else {
            self.not_shown += 1;
        }
    }

    pub(crate) fn odd(&mut self, place: Place, path: &str, mistake: Mistake) {
        if self.warnings.len() < MOST {
            self.warnings.push(self.files.diagnostic(place, path, mistake));
        }
    }

    /// Whether further mistakes are only counted, so that nothing costly is done for them.
    pub(crate) fn is_full(&self) -> bool {
        self.mistakes.len() >= MOST
    }

    /// Puts everything into the order of the files and adds the count of what was not shown.
    pub(crate) fn close(&mut self) {
        self.mistakes.sort_by_key(|diagnostic| diagnostic.place);
        self.warnings.sort_by_key(|diagnostic| diagnostic.place);
        if self.not_shown > 0 {
            let more = Mistake::More { count: self.not_shown };
            self.mistakes.push(self.files.diagnostic(Place::start(0), "", more));
            self.not_shown = 0;
        }
    }

    fn wrong_type(&mut self, node: &Node, path: &str, wanted: &'static str) {
        let mistake = match node.kind {
            Kind::Null => Mistake::Empty { wanted },
            _ => Mistake::WrongType { wanted, found: node.kind_name() },
        };
        self.wrong(node.place, path, mistake);
    }

    /// The pairs of a map with text keys; each key once.
    pub(crate) fn pairs<'n>(
        &mut self,
        node: &'n Node,
        path: &str,
        wanted: &'static str,
    ) -> Option<Vec<Pair<'n>>> {
        self.pairs_and_duplicates(node, path, wanted).map(|(kept, _)| kept)
    }

    /// The same, and beside them those whose key had been there before.
    pub(crate) fn pairs_and_duplicates<'n>(
        &mut self,
        node: &'n Node,
        path: &str,
        wanted: &'static str,
    ) -> Option<(Vec<Pair<'n>>, Vec<Pair<'n>>)> {
        let Kind::Map(pairs) = &node.kind else {
            self.wrong_type(node, path, wanted);
            return None;
        };
        let mut seen: HashMap<&str, Place> = HashMap::new();
        let (mut kept, mut again) = (Vec::new(), Vec::new());
        for (key, value) in pairs {
            let Kind::Text(name) = &key.kind else {
                self.wrong(key.place, path, Mistake::KeyNotText { found: key.kind_name() });
                continue;
            };
            if let Some(first) = seen.get(name.as_str()) {
                let first = self.files.name(*first);
                let key_name = name.clone();
                let mistake = if path == "jobs" {
                    Mistake::DuplicateJob { key: key_name, first }
                } else {
                    Mistake::DuplicateKey { key: key_name, first }
                };
                self.wrong(key.place, &join(path, name), mistake);
                again.push((name.as_str(), key.place, value));
                continue;
            }
            seen.insert(name, key.place);
            kept.push((name.as_str(), key.place, value));
        }
        Some((kept, again))
    }

    /// A map with known keys.
    pub(crate) fn fields<'n>(
        &mut self,
        node: &'n Node,
        path: &str,
        wanted: &'static str,
        known: &'static [&'static str],
    ) -> Option<Fields<'n>> {
        let pairs = self.pairs(node, path, wanted)?;
        let mut entries = HashMap::new();
        for (key, place, value) in pairs {
            let at = join(path, key);
            if known.contains(&key) {
                self.places.insert(at, value.place);
                entries.insert(key, (place, value));
            } else {
                let help = if self.is_full() { String::new() } else { mistake::help(key, known) };
                let key = key.chars().take(64).collect();
                self.wrong(place, &at, Mistake::UnknownKey { key, help });
            }
        }
        Some(Fields { path: path.to_owned(), place: node.place, entries })
    }

    pub(crate) fn text(&mut self, f: &Fields<'_>, key: &str, wanted: &'static str) -> Option<At<String>> {
        let node = f.get(key)?;
        match &node.kind {
            Kind::Text(text) if text.is_empty() => {
                self.wrong(node.place, &f.path_of(key), Mistake::Empty { wanted });
                None
            }
            Kind::Text(text) if text.contains(is_control) => {
                self.wrong(node.place, &f.path_of(key), Mistake::ControlCharacter);
                None
            }
            Kind::Text(text) => Some(At { value: text.clone(), place: node.place }),
            _ => {
                self.wrong_type(node, &f.path_of(key), wanted);
                None
            }
        }
    }

    pub(crate) fn boolean(&mut self, f: &Fields<'_>, key: &str) -> Option<bool> {
        let node = f.get(key)?;
        if let Kind::Bool(value) = node.kind {
            return Some(value);
        }
        self.wrong_type(node, &f.path_of(key), "true or false");
        None
    }

    /// A whole number from 0 to `max`.
    pub(crate) fn count(
        &mut self,
        f: &Fields<'_>,
        key: &str,
        max: u32,
        what: &'static str,
        range: &'static str,
    ) -> Option<u32> {
        let node = f.get(key)?;
        let Kind::Number(number) = &node.kind else {
            self.wrong_type(node, &f.path_of(key), "a whole number");
            return None;
        };
        let value = number.parse().ok().filter(|n: &u32| *n <= max);
        if value.is_none() {
            let mistake = Mistake::OutOfRange { what, given: number.clone(), range };
            self.wrong(node.place, &f.path_of(key), mistake);
        }
        value
    }

    pub(crate) fn span(&mut self, f: &Fields<'_>, key: &str) -> Option<At<Span>> {
        let node = f.get(key)?;
        let mistake = match &node.kind {
            Kind::Text(text) => match text.parse::<Span>() {
                Ok(value) => return Some(At { value, place: node.place }),
                Err(error) => Mistake::BadDuration { why: error.to_string() },
            },
            Kind::Number(number) => Mistake::NoUnit { number: number.clone() },
            Kind::Null => Mistake::Empty { wanted: "a duration like \"2h 30m\"" },
            _ => Mistake::WrongType { wanted: "a duration like \"2h 30m\"", found: node.kind_name() },
        };
        self.wrong(node.place, &f.path_of(key), mistake);
        None
    }

    /// A duration within bounds.
    pub(crate) fn span_within(
        &mut self,
        f: &Fields<'_>,
        key: &str,
        what: &'static str,
        (least, most): (u64, u64),
        range: &'static str,
    ) -> Option<At<Span>> {
        let span = self.span(f, key)?;
        if span.value < Span::from_secs(least) && least == 1 {
            self.wrong(span.place, &f.path_of(key), Mistake::Zero { what });
            return None;
        }
        if span.value < Span::from_secs(least) || span.value > Span::from_secs(most) {
            let given = span.value.to_string();
            self.wrong(span.place, &f.path_of(key), Mistake::OutOfRange { what, given, range });
            return None;
        }
        Some(span)
    }

    /// One of a set of words.
    pub(crate) fn word<T: Copy>(
        &mut self,
        f: &Fields<'_>,
        key: &str,
        what: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.text(f, key, what)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text.value) {
            return Some(*value);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let help = mistake::help(&text.value, &known);
        self.wrong(text.place, &f.path_of(key), Mistake::UnknownWord { what, given: text.value, help });
        None
    }

    /// Names and values of variables; a value is never quoted in a message.
    pub(crate) fn environment(&mut self, f: &Fields<'_>, key: &str) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let Some(node) = f.get(key) else { return variables };
        if matches!(node.kind, Kind::Null) {
            return variables;
        }
        let path = f.path_of(key);
        for (name, place, value) in
            self.pairs(node, &path, "a map of variables, like {RAILS_ENV: production}").unwrap_or_default()
        {
            let at = join(&path, name);
            let well_named = !name.is_empty()
                && name.len() <= 128
                && !name.starts_with(|c: char| c.is_ascii_digit())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if !well_named {
                let name = name.chars().take(64).collect();
                self.wrong(place, &at, Mistake::BadVariable { name });
                continue;
            }
            match &value.kind {
                Kind::Text(text) if text.contains('\0') => {
                    self.wrong(value.place, &at, Mistake::ControlCharacter);
                }
                Kind::Text(text) => {
                    variables.insert(name.to_owned(), text.clone());
                }
                _ => self.wrong(value.place, &at, Mistake::VariableNotText { found: value.kind_name() }),
            }
        }
        variables
    }
}

/// What no argument may hold. Newlines and tabs are fine: a script in a `run` list has them.
pub(crate) fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

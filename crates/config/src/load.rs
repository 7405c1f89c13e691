//! From files to [`Settings`]: read, parse, merge, check. Everything that is wrong comes back in one go.

use crate::{
    check,
    diagnostic::{Diagnostic, Files, Place},
    host, mask,
    mistake::Mistake,
    read::Reader,
    repair,
    settings::Settings,
    source::{self, Source},
    tree::{Kind, Node},
};
use mastmaint_words::Digest;
use sha2::{Digest as _, Sha256};

/// A configuration without mistakes.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What it says, all defaults filled in.
    pub settings: Settings,
    /// Its name: the beginning of the SHA-256 of the settings.
    pub digest: Digest,
    /// What is odd but not wrong.
    pub warnings: Vec<Diagnostic>,
}

/// A configuration with mistakes.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{} in the configuration", count(.mistakes.len()))]
pub struct Rejection {
    /// All of them.
    pub mistakes: Vec<Diagnostic>,
    /// What is odd but not wrong.
    pub warnings: Vec<Diagnostic>,
}

fn count(mistakes: usize) -> String {
    format!("{mistakes} mistake{}", if mistakes == 1 { "" } else { "s" })
}

/// Loads the files of a source. Looks at nothing but them and the host's time zone; see [`load_on_host`].
pub fn load(source: &Source) -> Result<Loaded, Rejection> {
    load_with(source, false)
}

/// As [`load`], with warnings about what the configuration names and this host lacks.
pub fn load_on_host(source: &Source) -> Result<Loaded, Rejection> {
    load_with(source, true)
}

fn load_with(source: &Source, look_at_host: bool) -> Result<Loaded, Rejection> {
    let mut texts = Vec::new();
    let mut refused = Vec::new();
    for answer in source::read_all(source) {
        match answer {
            Ok((path, text)) => texts.push((path.display().to_string(), text)),
            Err((path, mistake)) => refused.push(Diagnostic {
                at: path.display().to_string(),
                place: None,
                path: String::new(),
                mistake,
                excerpt: None,
            }),
        }
    }
    let texts: Vec<_> = texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    evaluate(&texts, refused, &host::timezone(), look_at_host)
}

/// Loads one text; the default time zone is UTC, so that the answer depends on nothing else.
pub fn load_str(name: &str, text: &str) -> Result<Loaded, Rejection> {
    load_texts(&[(name, text)])
}

/// Loads several texts as if they were the main file and its fragments.
pub fn load_texts(texts: &[(&str, &str)]) -> Result<Loaded, Rejection> {
    evaluate(texts, vec![], "UTC", false)
}

fn evaluate(
    texts: &[(&str, &str)],
    refused: Vec<Diagnostic>,
    host_timezone: &str,
    look_at_host: bool,
) -> Result<Loaded, Rejection> {
    let mut files = Files::default();
    let mut broken = Vec::new();
    let mut fragments = Vec::new();
    for (name, text) in texts {
        let file = files.add(name, text);
        if text.len() as u64 > source::MAX_FILE {
            let size = text.len() as u64;
            broken.push((Place::start(file), Mistake::TooLarge { size, max: source::MAX_FILE }));
        } else if let Some(node) = repair::parse(file, text, &mut files, &mut broken) {
            mask::mask(&mut files, &node);
            mask::targets(&mut files, &node);
            fragments.push(node);
        }
    }
    let mut reader = Reader::new(files);
    reader.mistakes = refused;
    for (place, mistake) in broken {
        reader.wrong(place, "", mistake);
    }
    let root = merge(&mut reader, fragments);
    let settings = check::settings(&mut reader, &root, host_timezone);
    if look_at_host && let Some(settings) = &settings {
        host::look(&mut reader, settings);
    }
    reader.close();
    let Reader { mut mistakes, mut warnings, .. } = reader;
    match settings {
        Some(settings) if mistakes.is_empty() => match digest(&settings) {
            Ok(digest) => Ok(Loaded { settings, digest, warnings }),
            Err(why) => Err(Rejection { mistakes: vec![without_place(why)], warnings }),
        },
        _ => {
            // A file that could not be read may hold the jobs.
            warnings.retain(|warning| warning.mistake != Mistake::NoJobs);
            if mistakes.iter().any(|told| told.mistake != Mistake::NoJobsSaid) {
                mistakes.retain(|told| told.mistake != Mistake::NoJobsSaid);
            }
            Err(Rejection { mistakes, warnings })
        }
    }
}

fn without_place(why: String) -> Diagnostic {
    Diagnostic {
        at: "settings".to_owned(),
        place: None,
        path: String::new(),
        mistake: Mistake::CannotRead { why },
        excerpt: None,
    }
}

/// The name of settings: the first 32 hex digits of the SHA-256 of their JSON, whose maps are sorted.
pub fn digest(settings: &Settings) -> Result<Digest, String> {
    let json = serde_json::to_vec(settings).map_err(|error| error.to_string())?;
    short_digest(&json).parse().map_err(|error: mastmaint_words::NameError| error.to_string())
}

/// The first 32 hex digits of the SHA-256.
pub(crate) fn short_digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut hex = String::with_capacity(32);
    for byte in Sha256::digest(bytes).iter().take(16) {
        // Only memory could refuse it.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

/// One tree of all fragments: sections are joined key by key and nothing overrides anything; a key that two files
/// set stays twice and is reported as such by whoever reads it.
fn merge(reader: &mut Reader, fragments: Vec<Node>) -> Node {
    let mut root: Vec<(Node, Node)> = Vec::new();
    let mut first = None;
    for fragment in fragments {
        let mut own: Vec<(String, Place)> = Vec::new();
        let (place, end) = (fragment.place, fragment.end);
        first.get_or_insert((place, end));
        let pairs = match fragment.kind {
            Kind::Map(pairs) => pairs,
            Kind::Null => continue,
            _ => {
                let wanted = "a map with instance, defaults, jobs, holds, ledger";
                reader.wrong(place, "", Mistake::WrongType { wanted, found: fragment.kind_name() });
                continue;
            }
        };
        for (key, value) in pairs {
            let Kind::Text(name) = &key.kind else {
                root.push((key, value));
                continue;
            };
            // What stands in the second one is checked as well, so it is joined all the same.
            if let Some((_, before)) = own.iter().find(|(known, _)| known == name) {
                let first = reader.files.name(*before);
                reader.wrong(key.place, name, Mistake::DuplicateKey { key: name.clone(), first });
            }
            own.push((name.clone(), key.place));
            let same =
                root.iter_mut().find(|(known, _)| matches!(&known.kind, Kind::Text(known) if known == name));
            match (same, value) {
                (Some((_, Node { kind: Kind::Map(into), .. })), Node { kind: Kind::Map(more), .. }) => {
                    into.extend(more);
                }
                (Some((_, Node { kind: Kind::Seq(into), .. })), Node { kind: Kind::Seq(more), .. }) => {
                    into.extend(more);
                }
                (Some((_, into @ Node { kind: Kind::Null, .. })), value) => *into = value,
                (Some(_), Node { kind: Kind::Null, .. }) => {}
                (_, value) => root.push((key, value)),
            }
        }
    }
    let (place, end) = first.unwrap_or((Place::start(0), (1, 1)));
    Node { kind: Kind::Map(root), place, end }
}

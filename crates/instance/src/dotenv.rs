//! Dotenv files as Mastodon reads them.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, ErrorKind},
    path::Path,
};

/// The dotenv files that Mastodon reads in production; the first that names a variable decides.
pub const FILES: [&str; 4] = [".env.production.local", ".env.local", ".env.production", ".env"];

/// The variables that the instance runs with.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, String>);

impl fmt::Debug for Variables {
    /// The names only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Variables {
    /// What a process of the instance finds: `process` wins over the files below `live`.
    ///
    /// # Errors
    /// If a file is there and cannot be read: what it says would be guessed.
    pub fn read(live: &Path, process: &BTreeMap<String, String>) -> io::Result<Self> {
        let mut variables = process.clone();
        for file in FILES {
            let path = live.join(file);
            match fs::read(&path) {
                Ok(bytes) => {
                    for (name, value) in pairs(&String::from_utf8_lossy(&bytes)) {
                        variables.entry(name).or_insert(value);
                    }
                }
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    return Err(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
                }
            }
        }
        Ok(Self(variables))
    }

    /// The value of a variable that is set to something.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// All of them with their values.
    pub fn into_pairs(self) -> BTreeMap<String, String> {
        self.0
    }

    /// Whether a variable is exactly `true`, as Mastodon asks for its switches.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// The variables of a dotenv file, in their order. A value in quotes may have several lines.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        rest = after;
        let line = line.trim();
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=').filter(|(name, _)| !name.starts_with('#')) else {
            continue;
        };
        let value = value.trim();
        let quoted = value.chars().next().filter(|c| matches!(c, '"' | '\'')).map(|quote| {
            let inner = &value[1..];
            if let Some((whole, _)) = inner.split_once(quote) {
                return whole.to_owned();
            }
            let (more, after) = rest.split_once(quote).unwrap_or(("", rest));
            rest = after;
            format!("{inner}\n{more}")
        });
        let value = quoted.unwrap_or_else(|| value.split(" #").next().unwrap_or(value).trim().to_owned());
        pairs.push((name.trim().to_owned(), value));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_wins_over_the_files_and_the_local_file_over_the_common_one() {
        let live = tempfile::tempdir().unwrap();
        fs::write(live.path().join(".env.production"), "A=file\nB=\"of the file\" # why\nC=c\nD=\n").unwrap();
        fs::write(live.path().join(".env.production.local"), "export C='local'\n").unwrap();
        let process = [("A".to_owned(), "process".to_owned())].into();
        let found = Variables::read(live.path(), &process).unwrap();
        assert_eq!(found.get("A"), Some("process"));
        assert_eq!(found.get("B"), Some("of the file"));
        assert_eq!(found.get("C"), Some("local"));
        assert_eq!(found.get("D"), None);
        assert!(!format!("{found:?}").contains("process"));
    }

    #[test]
    fn a_value_may_have_several_lines() {
        let found = pairs("A=\"one\ntwo\"\nB=3\n");
        assert_eq!(found, [("A".into(), "one\ntwo".into()), ("B".into(), "3".into())]);
    }
}

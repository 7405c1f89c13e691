//! Whether a build of Mastodon's assets is whole: what `config/themes.yml` lists and what the build wrote down of itself
//! against the files that are there. Pure: texts and sizes in, faults out. A theme that is listed and not built answers
//! 500 on every page of whoever uses it, and the build that left it out exits with 0.

mod manifest;

pub use manifest::Manifest;

use crate::integrity;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Where themes are listed, below the Rails root.
pub const THEMES: &str = "config/themes.yml";
/// Where the build of 4.4 and newer says what it built, below the Rails root.
pub const VITE: [&str; 2] = ["public/packs/.vite/manifest.json", "public/packs/.vite/manifest-lookup.json"];
/// Where it says by which files pages and mails find icons and images. Each of them that it does not name raises.
pub const VITE_ASSETS: &str = "public/packs/.vite/manifest-assets.json";
/// Where the build of older ones does.
pub const WEBPACKER: &str = "public/packs/manifest.json";

/// The themes that a Mastodon lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Themes(BTreeSet<String>);

impl Themes {
    /// Reads `config/themes.yml`.
    ///
    /// # Errors
    /// If it is no map from names.
    pub fn read(text: &str) -> Result<Self, String> {
        let listed: BTreeMap<String, serde_yaml::Value> =
            serde_yaml::from_str(text).map_err(|error| format!("{THEMES}: {error}"))?;
        Ok(Self(listed.into_keys().collect()))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// The stylesheet of a theme.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stylesheet<'m> {
    /// The theme's name.
    pub theme: &'m str,
    /// It, below `public`.
    pub file: &'m str,
    /// Its digest.
    pub integrity: Option<&'m str>,
}

/// What is wrong with a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A theme is listed, and the build knows nothing of it.
    NotBuilt {
        /// Its name.
        theme: String,
    },
    /// A theme leads to nothing that was built.
    LeadsNowhere {
        /// Its name.
        theme: String,
        /// What it leads to.
        to: String,
    },
    /// A file of the build is not there.
    Missing {
        /// It, below `public`.
        file: String,
    },
    /// A file of the build is empty.
    Empty {
        /// It, below `public`.
        file: String,
    },
    /// An entry needs another one that was not built.
    UnknownImport {
        /// The entry.
        of: String,
        /// What it needs.
        import: String,
    },
    /// A file of the build is not the one that was built.
    Changed {
        /// It, below `public`.
        file: String,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBuilt { theme } => write!(
                f,
                "the theme {theme} is listed in {THEMES} and was not built: every page of whoever uses it answers 500"
            ),
            Self::LeadsNowhere { theme, to } => {
                write!(f, "the theme {theme} leads to {to}, which was not built")
            }
            Self::Missing { file } => write!(f, "public/{file} was built and is not there"),
            Self::Empty { file } => write!(f, "public/{file} is empty"),
            Self::UnknownImport { of, import } => write!(f, "{of} needs {import}, which was not built"),
            Self::Changed { file } => write!(f, "public/{file} is not the file that was built"),
        }
    }
}

/// What is wrong with a build, the themes first; `size_of` says how large a file below `public` is, if it is there.
pub fn faults(themes: &Themes, manifest: &Manifest, size_of: impl Fn(&str) -> Option<u64>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for theme in &themes.0 {
        match manifest.themes.get(theme) {
            None => faults.push(Fault::NotBuilt { theme: theme.clone() }),
            Some(key) if manifest.entries.get(key).is_none_or(|entry| entry.file.is_none()) => {
                faults.push(Fault::LeadsNowhere { theme: theme.clone(), to: key.clone() });
            }
            Some(_) => {}
        }
    }
    let digests = manifest.digests();
    let is_empty_as_built = |file| digests.get(file).and_then(|of| integrity::fits(b"", of)) == Some(true);
    for file in manifest.files() {
        match size_of(file) {
            None => faults.push(Fault::Missing { file: file.to_owned() }),
            Some(0) if !is_empty_as_built(file) => faults.push(Fault::Empty { file: file.to_owned() }),
            Some(_) => {}
        }
    }
    for (name, entry) in &manifest.entries {
        let unknown = entry.imports.iter().chain(&entry.dynamic_imports);
        for import in unknown.filter(|import| !manifest.entries.contains_key(*import)) {
            faults.push(Fault::UnknownImport { of: name.clone(), import: import.clone() });
        }
    }
    faults
}

#[cfg(test)]
mod tests;

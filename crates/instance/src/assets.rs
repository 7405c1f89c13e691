//! Whether a build of Mastodon's assets is whole: what `config/themes.yml` lists and what the build wrote down of itself
//! against the files that are there. Pure: texts and sizes in, faults out. A theme that is listed and not built answers
//! 500 on every page of whoever uses it, and the build that left it out exits with 0.

use serde::Deserialize;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// Where themes are listed, below the Rails root.
pub const THEMES: &str = "config/themes.yml";
/// Where the build of 4.4 and newer says what it built, below the Rails root.
pub const VITE: [&str; 2] = ["public/packs/.vite/manifest.json", "public/packs/.vite/manifest-lookup.json"];
/// Where that of older ones does.
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

/// What a build wrote down of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    entries: BTreeMap<String, Entry>,
    /// Name of a theme to the entry that it leads to.
    themes: BTreeMap<String, String>,
}

/// One thing that was built.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Entry {
    file: Option<String>,
    css: Vec<String>,
    assets: Vec<String>,
    imports: Vec<String>,
    dynamic_imports: Vec<String>,
    integrity: Option<String>,
}

impl Manifest {
    /// Reads what Vite wrote: its manifest, and the names that lead to entries of it.
    ///
    /// # Errors
    /// If one of them is not what Vite writes.
    pub fn of_vite(manifest: &str, lookup: &str) -> Result<Self, String> {
        let mut entries: BTreeMap<String, Entry> =
            serde_json::from_str(manifest).map_err(|error| format!("{}: {error}", VITE[0]))?;
        let lookup: BTreeMap<String, String> =
            serde_json::from_str(lookup).map_err(|error| format!("{}: {error}", VITE[1]))?;
        for entry in entries.values_mut() {
            let paths = entry.file.iter_mut().chain(&mut entry.css).chain(&mut entry.assets);
            paths.for_each(|path| path.insert_str(0, "packs/"));
        }
        let theme = |(name, key): (String, String)| Some((name.strip_prefix("themes/")?.to_owned(), key));
        Ok(Self { entries, themes: lookup.into_iter().filter_map(theme).collect() })
    }

    /// Reads what Webpacker wrote: names to paths, `NAME.css` for a theme.
    ///
    /// # Errors
    /// If it is not what Webpacker writes.
    pub fn of_webpacker(manifest: &str) -> Result<Self, String> {
        let named: BTreeMap<String, serde_json::Value> =
            serde_json::from_str(manifest).map_err(|error| format!("{WEBPACKER}: {error}"))?;
        // What is no text groups entries that stand there by themselves, too.
        let paths = named.into_iter().filter_map(|(name, path)| Some((name, path.as_str()?.to_owned())));
        let entries: BTreeMap<String, Entry> = paths
            .map(|(name, path)| {
                let file = Some(path.trim_start_matches('/').to_owned());
                (name, Entry { file, ..Entry::default() })
            })
            .collect();
        let theme = |name: &String| Some((name.strip_suffix(".css")?.to_owned(), name.clone()));
        Ok(Self { themes: entries.keys().filter_map(theme).collect(), entries })
    }

    /// Every file that must be there, below `public`.
    pub fn files(&self) -> BTreeSet<&str> {
        let entries = self.entries.values();
        let files = entries.flat_map(|entry| entry.file.iter().chain(&entry.css).chain(&entry.assets));
        files.map(String::as_str).collect()
    }

    /// What each listed theme that was built leads to, below `public`, with its digest where that is known.
    pub fn stylesheets<'m>(&'m self, themes: &'m Themes) -> impl Iterator<Item = Stylesheet<'m>> {
        themes.0.iter().filter_map(|theme| {
            let entry = self.entries.get(self.themes.get(theme)?)?;
            Some(Stylesheet { theme, file: entry.file.as_deref()?, integrity: entry.integrity.as_deref() })
        })
    }

    /// Files whose content is known, below `public`, each with its digest as pages name it: `sha384-BASE64`.
    pub fn digests(&self) -> impl Iterator<Item = (&str, &str)> {
        self.entries.values().filter_map(|entry| Some((entry.file.as_deref()?, entry.integrity.as_deref()?)))
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
    for file in manifest.files() {
        match size_of(file) {
            None => faults.push(Fault::Missing { file: file.to_owned() }),
            Some(0) => faults.push(Fault::Empty { file: file.to_owned() }),
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
mod tests {
    use super::*;

    const MANIFEST: &str = r#"{
        "styles/application.scss": {"file": "assets/application-a1.css", "isEntry": true, "integrity": "sha384-x"},
        "styles/tangerine.scss": {"file": "assets/tangerine-b2.css", "assets": ["assets/orange-c3.svg"]},
        "entrypoints/application.ts": {"file": "application-d4.js", "css": ["assets/common-e5.css"],
            "imports": ["_shared.js"], "dynamicImports": ["features/x.ts"]},
        "_shared.js": {"file": "shared-f6.js"},
        "features/x.ts": {"file": "x-g7.js", "isDynamicEntry": true}
    }"#;
    const LOOKUP: &str = r#"{"themes/default": "styles/application.scss", "themes/tangerine": "styles/tangerine.scss",
        "application": "entrypoints/application.ts"}"#;

    fn found(themes: &str, manifest: &Manifest, change: impl Fn(&str) -> Option<u64>) -> Vec<String> {
        let themes = Themes::read(themes).unwrap();
        faults(&themes, manifest, change).iter().map(Fault::to_string).collect()
    }

    /// The size of a file of a build that has lost none of them.
    fn all(file: &str) -> Option<u64> {
        u64::try_from(file.len()).ok()
    }

    #[test]
    fn a_whole_build_has_no_fault() {
        let vite = Manifest::of_vite(MANIFEST, LOOKUP).unwrap();
        let themes = "# comment\ndefault: styles/application.scss\n'tangerine': \"styles/tangerine.scss\"\n";
        assert_eq!(found(themes, &vite, all), [""; 0]);
        assert_eq!(vite.files().len(), 7);
        assert_eq!(vite.digests().collect::<Vec<_>>(), [("packs/assets/application-a1.css", "sha384-x")]);
    }

    #[test]
    fn a_theme_that_is_listed_and_not_built_is_the_outage() {
        let vite = Manifest::of_vite(MANIFEST, LOOKUP).unwrap();
        let said = found("default: styles/application.scss\nplum: styles/plum.scss\n", &vite, all);
        assert_eq!(
            said,
            [
                "the theme plum is listed in config/themes.yml and was not built: every page of whoever uses it answers 500"
            ]
        );
        let astray = Manifest::of_vite(MANIFEST, r#"{"themes/default": "styles/gone.scss"}"#).unwrap();
        let said = found("{default: styles/application.scss}", &astray, all);
        assert_eq!(said, ["the theme default leads to styles/gone.scss, which was not built"]);
    }

    #[test]
    fn files_and_imports_must_be_there() {
        let vite = Manifest::of_vite(MANIFEST, LOOKUP).unwrap();
        let said = found("default: x", &vite, |file| match file {
            "packs/assets/orange-c3.svg" => None,
            "packs/assets/common-e5.css" => Some(0),
            _ => Some(1),
        });
        assert_eq!(
            said,
            [
                "public/packs/assets/common-e5.css is empty",
                "public/packs/assets/orange-c3.svg was built and is not there"
            ]
        );
        let torn = MANIFEST.replace("\"_shared.js\": {", "\"_other.js\": {");
        let torn = Manifest::of_vite(&torn, LOOKUP).unwrap();
        assert_eq!(
            found("default: x", &torn, all),
            ["entrypoints/application.ts needs _shared.js, which was not built"]
        );
    }

    #[test]
    fn webpacker_names_a_theme_by_its_stylesheet() {
        let text = r#"{"default.css": "/packs/css/default-1.css", "default.css.map": "/packs/css/default-1.css.map",
            "application.js": "/packs/js/application-2.js", "entrypoints": {"default": {"assets": {}}}}"#;
        let old = Manifest::of_webpacker(text).unwrap();
        assert_eq!(found("default: styles/application.scss", &old, all), [""; 0]);
        assert_eq!(found("contrast: styles/contrast.scss", &old, all).len(), 1);
        let said = found("default: x", &old, |file| (file != "packs/js/application-2.js").then_some(1));
        assert_eq!(said, ["public/packs/js/application-2.js was built and is not there"]);
    }

    #[test]
    fn what_is_damaged_is_no_empty_build() {
        assert!(Manifest::of_vite("{", "{}").is_err());
        assert!(Manifest::of_vite("{}", "[]").is_err());
        assert!(Manifest::of_webpacker("[]").is_err());
        assert!(Themes::read("- a\n- b\n").is_err());
    }
}

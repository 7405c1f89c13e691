//! What a build wrote down of itself. Vite's manifest names entries, one for each source; Webpacker's names files by what
//! pages ask for. The facts call the latter flat, which is what plain Webpacker writes: every Mastodon up to 4.3 adds
//! `webpack-assets-manifest` with checksums, so each name leads to `{"src": …, "integrity": "sha256-…"}` and `entrypoints`
//! groups them once more. Both are read.

use super::{Stylesheet, Themes, VITE, VITE_ASSETS, WEBPACKER};
use serde::{Deserialize, de::IgnoredAny};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// What no page asks for: maps for developers, licences, and what a web server may send instead of the file itself.
const BESIDE: [&str; 4] = [".map", ".LICENSE.txt", ".gz", ".br"];
/// Written over by the plugin that makes it after its checksum was taken; browsers are told none for it.
const SERVICE_WORKER: &str = "sw.js";

/// What a build wrote down of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    pub(super) entries: BTreeMap<String, Entry>,
    /// Name of a theme to the entry that it leads to.
    pub(super) themes: BTreeMap<String, String>,
}

/// One thing that was built.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Entry {
    pub(super) file: Option<String>,
    css: Vec<String>,
    assets: Vec<String>,
    pub(super) imports: Vec<String>,
    pub(super) dynamic_imports: Vec<String>,
    integrity: Option<String>,
}

/// What a name leads to in Webpacker's manifest.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Packed {
    Plain(String),
    Checked {
        src: String,
        integrity: Option<String>,
    },
    /// Groups of what stands there by itself, too.
    Group(IgnoredAny),
}

impl Manifest {
    /// Reads what Vite wrote: its manifest, the names that lead to entries of it, and the entries for pictures and fonts,
    /// which Mastodon looks up as if all of them were one.
    ///
    /// # Errors
    /// If one of them is not what Vite writes.
    pub fn of_vite(manifest: &str, lookup: &str, assets: &str) -> Result<Self, String> {
        let entries = |file: &str, text: &str| -> Result<BTreeMap<String, Entry>, String> {
            serde_json::from_str(text).map_err(|error| format!("{file}: {error}"))
        };
        let mut all = entries(VITE[0], manifest)?;
        all.extend(entries(VITE_ASSETS, assets)?);
        let lookup: BTreeMap<String, String> =
            serde_json::from_str(lookup).map_err(|error| format!("{}: {error}", VITE[1]))?;
        for entry in all.values_mut() {
            let paths = entry.file.iter_mut().chain(&mut entry.css).chain(&mut entry.assets);
            paths.for_each(|path| path.insert_str(0, "packs/"));
        }
        let theme = |(name, key): (String, String)| Some((name.strip_prefix("themes/")?.to_owned(), key));
        Ok(Self { entries: all, themes: lookup.into_iter().filter_map(theme).collect() })
    }

    /// Reads what Webpacker wrote: names to files, `NAME.css` for a theme.
    ///
    /// # Errors
    /// If it is not what Webpacker writes.
    pub fn of_webpacker(manifest: &str) -> Result<Self, String> {
        let named: BTreeMap<String, Packed> =
            serde_json::from_str(manifest).map_err(|error| format!("{WEBPACKER}: {error}"))?;
        let entry = |(name, packed): (String, Packed)| {
            let (src, integrity) = match packed {
                Packed::Plain(src) => (src, None),
                Packed::Checked { src, integrity } => (src, integrity),
                Packed::Group(_) => return None,
            };
            let file = below_public(&src);
            if BESIDE.iter().any(|ending| file.ends_with(ending)) {
                return None;
            }
            let is_rewritten = Path::new(file).file_name().is_some_and(|name| name == SERVICE_WORKER);
            let integrity = integrity.filter(|text| !text.is_empty() && !is_rewritten);
            Some((name, Entry { file: Some(file.to_owned()), integrity, ..Entry::default() }))
        };
        let entries: BTreeMap<String, Entry> = named.into_iter().filter_map(entry).collect();
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

    /// Files whose content is known, below `public`, each with its digests as pages name them: `sha384-BASE64`.
    pub fn digests(&self) -> BTreeMap<&str, &str> {
        self.entries
            .values()
            .filter_map(|entry| Some((entry.file.as_deref()?, entry.integrity.as_deref()?)))
            .collect()
    }
}

/// The path of a file below `public`, of the address that pages name: it may lie on another host.
fn below_public(src: &str) -> &str {
    let path = src.split(['?', '#']).next().unwrap_or(src);
    let of_host = path.split_once("//").and_then(|(_, rest)| rest.split_once('/'));
    of_host.map_or(path, |(_, path)| path).trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_be_named_by_the_address_of_another_host() {
        for src in
            ["/packs/css/a.css", "https://cdn.example/packs/css/a.css", "//cdn.example/packs/css/a.css?x#y"]
        {
            assert_eq!(below_public(src), "packs/css/a.css");
        }
    }

    #[test]
    fn what_is_damaged_is_no_empty_build() {
        assert!(Manifest::of_vite("{", "{}", "{}").is_err());
        assert!(Manifest::of_vite("{}", "[]", "{}").is_err());
        let torn = Manifest::of_vite("{}", "{}", r#"{"images/logo.svg": {"fi"#).unwrap_err();
        assert!(torn.starts_with("public/packs/.vite/manifest-assets.json: "), "{torn}");
        assert!(Manifest::of_webpacker("[]").is_err());
    }
}

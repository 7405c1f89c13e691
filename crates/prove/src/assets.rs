//! Looks at a build of the assets: reads what it wrote down of itself and compares the files with that.

use crate::{Blind, Instance};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use mastmaint_instance::assets::{self, Fault, Manifest, Stylesheet, Themes};
use mastmaint_words::Looked;
use sha2::{Digest as _, Sha384};
use std::{
    fs,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::{self, ErrorKind},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Faults that are told; those that follow are of the same kind.
const MOST: usize = 5;
/// Written by every build from 4.4 on, at its end: what visitors see when Rails does not answer.
const LAST: &str = "public/assets/500.html";

/// Looks at the build below the Rails root.
///
/// # Errors
/// If it cannot be read.
pub fn look(instance: &Instance) -> Result<Looked, Blind> {
    let build = Build::read(&instance.live).map_err(Blind::Assets)?;
    let mut faults = build.faults();
    faults.extend(build.changed().map_err(Blind::Assets)?);
    let count = faults.len();
    faults.truncate(MOST);
    Ok(Looked::Assets { themes: build.themes.count(), files: build.files(), count, faults })
}

/// What there is of a build.
#[derive(Debug)]
pub struct Build {
    live: PathBuf,
    themes: Themes,
    /// What it wrote down, and whether it was Vite's.
    manifest: Option<(Manifest, bool)>,
}

impl Build {
    /// Reads what the build below a Rails root wrote down.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn read(live: &Path) -> Result<Self, String> {
        let themes = read(live, assets::THEMES)?;
        let themes = themes.ok_or_else(|| format!("{} is not there", live.join(assets::THEMES).display()))?;
        Ok(Self { live: live.to_owned(), themes: Themes::read(&themes)?, manifest: manifest(live)? })
    }

    /// How many themes are listed.
    pub fn themes(&self) -> usize {
        self.themes.count()
    }

    /// How many files there must be.
    pub fn files(&self) -> usize {
        self.manifest.as_ref().map_or(0, |(manifest, _)| manifest.files().len())
    }

    /// The stylesheet of each theme that was built.
    pub fn stylesheets(&self) -> impl Iterator<Item = Stylesheet<'_>> {
        self.manifest.iter().flat_map(|(manifest, _)| manifest.stylesheets(&self.themes))
    }

    /// What is wrong with it, as far as names and sizes tell; the themes first.
    pub fn faults(&self) -> Vec<String> {
        let Some((manifest, is_vite)) = &self.manifest else {
            return vec!["there is no manifest of a build in public/packs".to_owned()];
        };
        let size_of = |file: &str| self.metadata(file).map(|metadata| metadata.len());
        let found = assets::faults(&self.themes, manifest, size_of);
        let mut faults: Vec<String> = found.iter().map(Fault::to_string).collect();
        if *is_vite && fs::metadata(self.live.join(LAST)).map_or(true, |metadata| metadata.len() == 0) {
            faults.push(format!("{LAST}, which a build writes at its end, is not there or empty"));
        }
        faults
    }

    /// What is wrong with the content of its files, each of which is read.
    ///
    /// # Errors
    /// If one cannot be.
    pub fn changed(&self) -> Result<Vec<String>, String> {
        let mut faults = Vec::new();
        let digests = self.manifest.iter().flat_map(|(manifest, _)| manifest.digests());
        for (file, digest) in digests {
            // One that is not there is told by its name.
            let path = self.live.join("public").join(file);
            if is_changed(&path, digest).map_err(|error| format!("{file}: {error}"))? {
                faults.push(Fault::Changed { file: file.to_owned() }.to_string());
            }
        }
        Ok(faults)
    }

    /// Something that changes whenever a file of it is written: what it is made of was not, as long as this is the same.
    pub fn stamp(&self) -> String {
        let mut hasher = DefaultHasher::new();
        for (file, digest) in self.manifest.iter().flat_map(|(manifest, _)| manifest.digests()) {
            let at =
                self.metadata(file).map(|m| (m.len(), m.ino(), m.mtime(), m.mtime_nsec(), m.ctime_nsec()));
            (file, digest, at).hash(&mut hasher);
        }
        format!("{:016x}", hasher.finish())
    }

    fn metadata(&self, file: &str) -> Option<fs::Metadata> {
        fs::metadata(self.live.join("public").join(file)).ok().filter(fs::Metadata::is_file)
    }
}

/// What the newest kind of build that there is wrote down, and whether it was Vite's.
fn manifest(live: &Path) -> Result<Option<(Manifest, bool)>, String> {
    let [manifest, lookup] = assets::VITE;
    if let Some(manifest) = read(live, manifest)? {
        let lookup = read(live, lookup)?.unwrap_or_else(|| "{}".to_owned());
        return Manifest::of_vite(&manifest, &lookup).map(|manifest| Some((manifest, true)));
    }
    let old = read(live, assets::WEBPACKER)?;
    old.map(|text| Manifest::of_webpacker(&text).map(|manifest| (manifest, false))).transpose()
}

/// A file's text; nothing if it is not there.
fn read(live: &Path, file: &str) -> Result<Option<String>, String> {
    match fs::read_to_string(live.join(file)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{file}: {error}")),
    }
}

/// Whether a file that is there has another content than was built. Of several digests one must fit; one that we do not
/// know says nothing.
fn is_changed(file: &Path, digests: &str) -> io::Result<bool> {
    let known: Vec<&str> =
        digests.split_whitespace().filter_map(|digest| digest.strip_prefix("sha384-")).collect();
    let content = match fs::read(file) {
        Ok(content) if !known.is_empty() => content,
        Ok(_) => return Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let digest = BASE64_STANDARD.encode(Sha384::digest(&content));
    Ok(!known.contains(&digest.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(live: &Path, themes: &str) -> Looked {
        for directory in ["config", "public/packs/.vite", "public/packs/assets", "public/assets"] {
            fs::create_dir_all(live.join(directory)).unwrap();
        }
        let style = "body { color: orange }";
        let digest = BASE64_STANDARD.encode(Sha384::digest(style));
        fs::write(live.join("public/packs/assets/a-1.css"), style).unwrap();
        fs::write(live.join("public/assets/500.html"), "<h1>").unwrap();
        fs::write(live.join("config/themes.yml"), themes).unwrap();
        let manifest =
            format!(r#"{{"styles/a.scss": {{"file": "assets/a-1.css", "integrity": "sha384-{digest}"}}}}"#);
        fs::write(live.join(assets::VITE[0]), manifest).unwrap();
        fs::write(live.join(assets::VITE[1]), r#"{"themes/default": "styles/a.scss"}"#).unwrap();
        again(live)
    }

    fn again(live: &Path) -> Looked {
        look(&Instance { live: live.to_owned(), environment: std::collections::BTreeMap::new() }).unwrap()
    }

    fn faults(looked: Looked) -> String {
        let Looked::Assets { faults, .. } = looked else { panic!("{looked:?}") };
        faults.join("; ")
    }

    #[test]
    fn what_was_built_is_compared_with_what_is_there() {
        let scratch = tempfile::tempdir().unwrap();
        let live = scratch.path();
        let whole = built(live, "default: styles/a.scss\n");
        assert_eq!(whole, Looked::Assets { themes: 1, files: 1, count: 0, faults: vec![] });
        fs::write(live.join("public/packs/assets/a-1.css"), "body { color: ora").unwrap();
        assert_eq!(faults(again(live)), "public/packs/assets/a-1.css is not the file that was built");
        fs::remove_file(live.join("public/packs/assets/a-1.css")).unwrap();
        assert_eq!(faults(again(live)), "public/packs/assets/a-1.css was built and is not there");
        assert!(
            faults(built(live, "default: styles/a.scss\nplum: styles/plum.scss\n")).contains("theme plum")
        );
        fs::remove_file(live.join("public/assets/500.html")).unwrap();
        assert!(faults(again(live)).contains("500.html"));
        fs::remove_file(live.join(assets::VITE[0])).unwrap();
        assert!(faults(again(live)).contains("no manifest"));
    }

    #[test]
    fn where_nothing_can_be_read_nothing_is_said() {
        let scratch = tempfile::tempdir().unwrap();
        let instance =
            Instance { live: scratch.path().to_owned(), environment: std::collections::BTreeMap::new() };
        assert!(
            matches!(look(&instance), Err(Blind::Assets(why)) if why.contains("themes.yml is not there"))
        );
        built(scratch.path(), "default: x");
        fs::write(scratch.path().join(assets::VITE[0]), "{").unwrap();
        assert!(look(&instance).is_err());
    }
}

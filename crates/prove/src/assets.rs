//! Looks at a build of the assets: reads what it wrote down of itself and compares the files with that.

mod bundler;

use crate::{Blind, Instance};
use bundler::Bundler;
use mastmaint_instance::{
    assets::{self, Fault, Manifest, Stylesheet, Themes},
    integrity,
};
use mastmaint_words::Looked;
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
    bundler: Bundler,
    /// What it wrote down.
    manifest: Option<Manifest>,
}

impl Build {
    /// Reads what the build below a Rails root wrote down.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn read(live: &Path) -> Result<Self, String> {
        let themes = read(live, assets::THEMES)?;
        let themes = themes.ok_or_else(|| format!("{} is not there", live.join(assets::THEMES).display()))?;
        let bundler = Bundler::of(live);
        let manifest = manifest(live, bundler)?;
        Ok(Self { live: live.to_owned(), themes: Themes::read(&themes)?, bundler, manifest })
    }

    /// How many themes are listed.
    pub fn themes(&self) -> usize {
        self.themes.count()
    }

    /// How many files there must be.
    pub fn files(&self) -> usize {
        self.manifest.as_ref().map_or(0, |manifest| manifest.files().len())
    }

    /// The stylesheet of each theme that was built.
    pub fn stylesheets(&self) -> impl Iterator<Item = Stylesheet<'_>> {
        self.manifest.iter().flat_map(|manifest| manifest.stylesheets(&self.themes))
    }

    /// What is wrong with it, as far as names and sizes tell; the themes first.
    pub fn faults(&self) -> Vec<String> {
        let Some(manifest) = &self.manifest else {
            return vec![format!(
                "there is no manifest of a build: {} is not there",
                self.bundler.manifest()
            )];
        };
        let size_of = |file: &str| self.metadata(file).map(|metadata| metadata.len());
        let found = assets::faults(&self.themes, manifest, size_of);
        let mut faults: Vec<String> = found.iter().map(Fault::to_string).collect();
        if self.bundler == Bundler::Vite {
            let is_there = |file: &str| fs::metadata(self.live.join(file)).is_ok_and(|meta| meta.len() > 0);
            if !is_there(assets::VITE_ASSETS) {
                let text = "by which pages and mails find icons and images, is not there or empty: those pages answer 500";
                faults.push(format!("{}, {text}", assets::VITE_ASSETS));
            }
            if !is_there(LAST) {
                faults.push(format!("{LAST}, which a build writes at its end, is not there or empty"));
            }
        }
        faults
    }

    /// What is wrong with the content of its files, each of which is read.
    ///
    /// # Errors
    /// If one cannot be.
    pub fn changed(&self) -> Result<Vec<String>, String> {
        let mut faults = Vec::new();
        let digests = self.manifest.iter().flat_map(Manifest::digests);
        for (file, digest) in digests {
            // One that is not there, or empty, is told by its name.
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
        for (file, digest) in self.manifest.iter().flat_map(Manifest::digests) {
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

/// What the build wrote down that Mastodon reads.
fn manifest(live: &Path, bundler: Bundler) -> Result<Option<Manifest>, String> {
    let Some(manifest) = read(live, bundler.manifest())? else { return Ok(None) };
    let or_nothing =
        |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "{}".to_owned());
    match bundler {
        Bundler::Vite => {
            let lookup = read(live, assets::VITE[1])?.unwrap_or_else(|| "{}".to_owned());
            let pictures = or_nothing(read(live, assets::VITE_ASSETS)?);
            Manifest::of_vite(&manifest, &lookup, &pictures)
        }
        Bundler::Webpacker => Manifest::of_webpacker(&manifest),
    }
    .map(Some)
}

/// A file's text; nothing if it is not there.
pub(crate) fn read(live: &Path, file: &str) -> Result<Option<String>, String> {
    match fs::read_to_string(live.join(file)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{file}: {error}")),
    }
}

/// Whether a file that holds something has another content than was built.
fn is_changed(file: &Path, digests: &str) -> io::Result<bool> {
    match fs::read(file) {
        Ok(content) => Ok(!content.is_empty() && integrity::fits(&content, digests) == Some(false)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;

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
fn read(live: &Path, file: &str) -> Result<Option<String>, String> {
    match fs::read_to_string(live.join(file)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{file}: {error}")),
    }
}

/// Whether a file that is there has another content than was built.
fn is_changed(file: &Path, digests: &str) -> io::Result<bool> {
    match fs::read(file) {
        Ok(content) => Ok(integrity::fits(&content, digests) == Some(false)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use sha2::{Digest as _, Sha256, Sha384};

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
        fs::write(live.join("public/packs/assets/logo-2.svg"), "<svg/>").unwrap();
        let digest = BASE64_STANDARD.encode(Sha384::digest("<svg/>"));
        let pictures = format!(
            r#"{{"images/logo.svg": {{"file": "assets/logo-2.svg", "src": "images/logo.svg", "integrity": "sha384-{digest}"}}}}"#
        );
        fs::write(live.join(assets::VITE_ASSETS), pictures).unwrap();
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
        assert_eq!(whole, Looked::Assets { themes: 1, files: 2, count: 0, faults: vec![] });
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
    fn icons_and_images_are_looked_up_in_a_manifest_of_their_own() {
        let scratch = tempfile::tempdir().unwrap();
        let live = scratch.path();
        let anew = || drop(built(live, "default: styles/a.scss\n"));
        let logo = live.join("public/packs/assets/logo-2.svg");
        anew();
        fs::write(&logo, "<svg>").unwrap();
        assert_eq!(faults(again(live)), "public/packs/assets/logo-2.svg is not the file that was built");
        fs::write(&logo, "").unwrap();
        assert!(faults(again(live)).starts_with("public/packs/assets/logo-2.svg is empty"));
        fs::remove_file(&logo).unwrap();
        assert_eq!(faults(again(live)), "public/packs/assets/logo-2.svg was built and is not there");
        anew();
        for broken in [true, false] {
            if broken {
                fs::write(live.join(assets::VITE_ASSETS), "").unwrap();
            } else {
                fs::remove_file(live.join(assets::VITE_ASSETS)).unwrap();
            }
            let said = faults(again(live));
            assert!(said.starts_with("public/packs/.vite/manifest-assets.json, by which"), "{said}");
        }
        fs::write(live.join(assets::VITE_ASSETS), "{").unwrap();
        let instance = Instance { live: live.to_owned(), environment: std::collections::BTreeMap::new() };
        assert!(look(&instance).is_err());
    }

    fn installed(live: &Path, minor: u16) {
        fs::create_dir_all(live.join("lib/mastodon")).unwrap();
        let text = format!("def major\n  4\nend\ndef minor\n  {minor}\nend\ndef patch\n  9\nend\n");
        fs::write(live.join("lib/mastodon/version.rb"), text).unwrap();
    }

    /// A build as 4.3 leaves it.
    fn packed(live: &Path) {
        let file = |path: &str, content: &str| {
            let path = live.join("public/packs").join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        let entry = |path: &str, content: &str| {
            file(path, content);
            let digest = BASE64_STANDARD.encode(Sha256::digest(content));
            serde_json::json!({"src": format!("/packs/{path}"), "integrity": format!("sha256-{digest}")})
        };
        let style = entry("css/default-1a.css", "body { color: orange }");
        let worker = entry("sw.js", "self.__WB_MANIFEST");
        file("sw.js", "[{url: '/packs/js/common-2b.js'}]");
        let manifest = serde_json::json!({
            "common.js": entry("js/common-2b.js", "console.log('hello')"),
            "common.js.map": {"src": "/packs/js/common-2b.js.map", "integrity": "sha256-gone"},
            "default.css": style,
            "entrypoints": {"default": {"assets": {"css": [style]}}},
            "media/images/logo.svg": entry("media/images/logo-3c.svg", "<svg/>"),
            "sw.js": worker,
        });
        file("manifest.json", &manifest.to_string());
        fs::create_dir_all(live.join("config")).unwrap();
        fs::write(live.join("config/themes.yml"), "default: styles/application.scss\n").unwrap();
    }

    #[test]
    fn a_build_of_webpacker_is_whole_and_a_spoiled_one_is_not() {
        let scratch = tempfile::tempdir().unwrap();
        let live = scratch.path();
        installed(live, 3);
        packed(live);
        assert_eq!(again(live), Looked::Assets { themes: 1, files: 4, count: 0, faults: vec![] });
        for (file, content, why) in [
            ("css/default-1a.css", "body { color: ora", "is not the file that was built"),
            ("js/common-2b.js", "console.log('hell", "is not the file that was built"),
            ("media/images/logo-3c.svg", "<svg>", "is not the file that was built"),
            ("css/default-1a.css", "", "is empty; "),
        ] {
            fs::write(live.join("public/packs").join(file), content).unwrap();
            let said = faults(again(live));
            assert!(said.starts_with(&format!("public/packs/{file} {why}")), "{said}");
            packed(live);
        }
        fs::remove_file(live.join("public/packs/css/default-1a.css")).unwrap();
        assert_eq!(faults(again(live)), "public/packs/css/default-1a.css was built and is not there");
        fs::write(live.join("config/themes.yml"), "plum: styles/plum.scss\n").unwrap();
        assert!(faults(again(live)).contains("the theme plum is listed"));
    }

    #[test]
    fn what_an_upgrade_left_behind_stands_in_for_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let live = scratch.path();
        packed(live);
        built(live, "default: styles/a.scss\n");
        installed(live, 4);
        fs::remove_file(live.join(assets::VITE[0])).unwrap();
        assert_eq!(
            faults(again(live)),
            "there is no manifest of a build: public/packs/.vite/manifest.json is not there"
        );
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

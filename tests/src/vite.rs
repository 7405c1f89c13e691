//! A build of Mastodon's assets as Vite leaves it, small: one script, a picture, a stylesheet for each listed theme whose
//! source is there, what the build writes down of itself, and the stamp by which the next one sees that nothing has changed.

use crate::site::{ERROR_PAGE, SCRIPT, STYLESHEET};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::json;
use sha2::{Digest as _, Sha384};
use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

/// By this Vite sees that nothing it watches has changed; `config/themes.yml` is nothing it watches.
pub const STAMP: &str = "tmp/cache/vite/last-build-production.json";
/// Where the sources of themes are.
pub const STYLES: &str = "app/javascript/styles";
/// A picture that mails show, below `public/packs`.
const LOGO: &str = "assets/logo-h8.svg";

/// Builds what is listed, as far as its sources are there; the others are named.
pub fn build(live: &Path) -> io::Result<Vec<String>> {
    let packs = live.join("public/packs");
    for directory in [".vite", "assets"] {
        fs::create_dir_all(packs.join(directory))?;
    }
    let mut manifest = json!({});
    let mut lookup = BTreeMap::from([("application".to_owned(), "entrypoints/application.ts".to_owned())]);
    let script = "console.log('hello')\n";
    fs::write(packs.join(SCRIPT), script)?;
    manifest["entrypoints/application.ts"] = json!({ "file": SCRIPT, "integrity": sum(script) });
    let mut left_out = Vec::new();
    for (name, path) in themes(live)? {
        let source = live.join("app/javascript").join(&path);
        let has_ending = source.extension().is_some_and(|ending| ending == "scss");
        let Some(text) = fs::read_to_string(&source).ok().filter(|_| has_ending) else {
            left_out.push(path);
            continue;
        };
        let digest = sum(&text);
        let tag: String = digest.chars().filter(char::is_ascii_alphanumeric).skip(6).take(6).collect();
        let file = if name == "default" { STYLESHEET.to_owned() } else { format!("assets/{name}-{tag}.css") };
        fs::write(packs.join(&file), &text)?;
        manifest[&path] = json!({ "file": file, "integrity": digest });
        if name == "default" {
            fs::write(packs.join("sums"), format!("{digest}\n{}", sum(script)))?;
        }
        lookup.insert(format!("themes/{name}"), path);
    }
    fs::write(packs.join(".vite/manifest.json"), manifest.to_string())?;
    fs::write(packs.join(".vite/manifest-lookup.json"), json!(lookup).to_string())?;
    let logo = "<svg/>";
    fs::write(packs.join(LOGO), logo)?;
    let pictures =
        json!({ "images/logo.svg": { "file": LOGO, "src": "images/logo.svg", "integrity": sum(logo) } });
    fs::write(packs.join(".vite/manifest-assets.json"), pictures.to_string())?;
    fs::create_dir_all(live.join("public/assets"))?;
    fs::write(live.join("public/assets/500.html"), ERROR_PAGE)?;
    let stamp: PathBuf = live.join(STAMP);
    if let Some(directory) = stamp.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(stamp, r#"{"success": true}"#)?;
    Ok(left_out)
}

/// Makes a build as large as a real one: so many more files of so many bytes, some of which it writes down.
pub fn enlarge(live: &Path, files: usize, written_down: usize, bytes: usize) -> io::Result<()> {
    let packs = live.join("public/packs");
    let path = packs.join(".vite/manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&path)?)?;
    for number in 0..files {
        let file = format!("assets/chunk-{number:05}.js");
        let content = format!("// {number}\n").repeat(bytes / 8);
        fs::write(packs.join(&file), &content)?;
        if number < written_down {
            manifest[&file] = json!({ "file": file, "integrity": sum(&content) });
        }
    }
    fs::write(path, manifest.to_string())
}

/// The lines of `config/themes.yml`.
pub(crate) fn themes(live: &Path) -> io::Result<Vec<(String, String)>> {
    let text = fs::read_to_string(live.join("config/themes.yml"))?;
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    Ok(lines.map(|(name, path)| (name.trim().to_owned(), path.trim().to_owned())).collect())
}

fn sum(content: &str) -> String {
    format!("sha384-{}", BASE64_STANDARD.encode(Sha384::digest(content)))
}

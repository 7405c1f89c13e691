//! A build of Mastodon's assets as 4.3 leaves it, small: what Webpacker and `webpack-assets-manifest` write down of a script,
//! a picture, a service worker and a stylesheet for each listed theme.

use crate::{
    site::{SCRIPT, STYLESHEET},
    vite::{STYLES, themes},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::{fs, io, path::Path};

/// Its settings: where they are, assets are built by it.
const SETTINGS: &str = "config/webpacker.yml";
/// Where it says what it built.
pub const MANIFEST: &str = "public/packs/manifest.json";

/// By this it sees that nothing it watches has changed; written at the end of each build, also of the same.
pub const STAMP: &str = "tmp/cache/webpacker/last-compilation-digest-production";

/// Makes an instance one of 4.3, without what Vite built: its themes bring in others by `@import`.
pub fn downgrade(live: &Path) -> io::Result<()> {
    let version = "def major\n  4\nend\ndef minor\n  3\nend\ndef patch\n  23\nend\n";
    fs::write(live.join("lib/mastodon/version.rb"), version)?;
    fs::write(live.join(SETTINGS), "production: {public_output_path: packs}\n")?;
    fs::remove_dir_all(live.join("public/packs/.vite"))?;
    let styles = live.join(STYLES);
    fs::create_dir_all(styles.join("contrast"))?;
    fs::write(styles.join("application.scss"), "@import 'mastodon/variables';\n")?;
    fs::write(styles.join("contrast/diff.scss"), "a { color: $red; }\n")?;
    fs::write(styles.join("contrast/variables.scss"), "$red: #f00;\n")?;
    let contrast = "@import 'contrast/variables';\n@import 'application';\n@import 'contrast/diff';\n";
    fs::write(styles.join("contrast.scss"), contrast)?;
    fs::write(
        live.join("config/themes.yml"),
        "default: styles/application.scss\ncontrast: styles/contrast.scss\n",
    )?;
    build(live).map(drop)
}

/// Whether it builds the assets of an instance.
pub fn is_of(live: &Path) -> bool {
    live.join(SETTINGS).exists()
}

/// Builds what is listed; the error that ends it, if a stylesheet does not compile.
pub fn build(live: &Path) -> io::Result<Option<String>> {
    let packs = live.join("public/packs");
    fs::create_dir_all(packs.join("assets"))?;
    let script = "console.log('hello')\n";
    let mut manifest = json!({
        "common.js": entry(&packs, SCRIPT, script)?,
        "common.js.map": { "src": format!("/packs/{SCRIPT}.map"), "integrity": sum("a map") },
        "media/images/logo.svg": entry(&packs, "media/images/logo-h8.svg", "<svg/>")?,
        "sw.js": entry(&packs, "sw.js", "self.__WB_MANIFEST")?,
    });
    // A plugin writes the names of files into it when all of it is written down already.
    fs::write(packs.join("sw.js"), format!("['/packs/{SCRIPT}']"))?;
    let mut entrypoints = json!({});
    for (name, path) in themes(live)? {
        let text = fs::read_to_string(live.join("app/javascript").join(&path))?;
        if let Some(error) = undefined(&live.join(STYLES), &text) {
            return Ok(Some(format!("ERROR in ./app/javascript/{path}\nSassError: {error}")));
        }
        let file = if name == "default" { STYLESHEET.to_owned() } else { format!("css/{name}-3a.css") };
        let built = entry(&packs, &file, &text)?;
        if name == "default" {
            fs::write(packs.join("sums"), format!("{}\n{}", sum(&text), sum(script)))?;
        }
        entrypoints[&name] = json!({ "assets": { "css": [built] } });
        manifest[format!("{name}.css")] = built;
    }
    manifest["entrypoints"] = entrypoints;
    fs::write(live.join(MANIFEST), manifest.to_string())?;
    let stamp = live.join(STAMP);
    if let Some(directory) = stamp.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(stamp, "3a")?;
    Ok(None)
}

/// What `@use` brings in does not see the variables of what is brought in beside it: a variable of another file is none.
fn undefined(styles: &Path, text: &str) -> Option<&'static str> {
    let used = text.lines().filter_map(|line| line.strip_prefix("@use '")?.strip_suffix("';"));
    let mut texts = used.filter_map(|name| fs::read_to_string(styles.join(format!("{name}.scss"))).ok());
    texts.any(|text| text.contains(": $")).then_some("Undefined variable.")
}

fn entry(packs: &Path, file: &str, content: &str) -> io::Result<Value> {
    let path = packs.join(file);
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    fs::write(path, content)?;
    Ok(json!({ "src": format!("/packs/{file}"), "integrity": sum(content) }))
}

fn sum(content: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(content)))
}

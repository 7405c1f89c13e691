//! `bin/rails assets:precompile` as it can go: the files that it leaves, the words that it says, and how it ends. The
//! words are those of the recordings.

use mastmaint_tests::{vite, webpacker};
use nix::{
    sys::signal::{Signal, kill},
    unistd::getpid,
};
use serde::Deserialize;
use std::{fs, io, path::Path};

/// How a build goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Build {
    /// Everything that is listed and has a source is built; what was built since nothing seems to have changed is not.
    Whole,
    /// A stylesheet does not compile; nothing is written.
    Fails,
    /// It breaks off in the middle of writing, and says so.
    Half,
    /// The same, and it says that all is well.
    HalfAndLies,
    /// It is killed in the middle of writing.
    Killed,
    /// It empties `public/packs` first and then fails.
    Empties,
    /// It is switched off, which is no error and which nobody says.
    Nothing,
}

/// Builds; the exit status.
#[expect(clippy::print_stdout, reason = "a build speaks there")]
pub(crate) fn run(build: Build, live: &Path) -> io::Result<i32> {
    match build {
        Build::Nothing => Ok(0),
        Build::Whole if webpacker::is_of(live) && live.join(webpacker::STAMP).exists() => {
            println!("Everything's up-to-date. Nothing to do");
            Ok(0)
        }
        Build::Whole if webpacker::is_of(live) => {
            println!("Compiling...");
            let error = webpacker::build(live)?;
            match &error {
                None => println!("Compiled all packs in {}/public/packs", live.display()),
                Some(error) => println!("Compilation failed:\n{error}"),
            }
            Ok(i32::from(error.is_some()))
        }
        Build::Whole if live.join(vite::STAMP).exists() => {
            println!(
                "Skipping vite build. Watched files have not changed since the last build at 2026-11-23"
            );
            Ok(0)
        }
        Build::Whole => {
            for path in vite::build(live)? {
                println!("Invalid theme path \"{path}\" in themes.yml, skipping");
            }
            println!("Build with Vite complete: {}/public/packs", live.display());
            Ok(0)
        }
        Build::Fails => {
            println!("Build with Vite failed! ❌");
            Ok(1)
        }
        Build::Half => {
            half(live)?;
            println!("Build with Vite failed! ❌");
            Ok(1)
        }
        Build::HalfAndLies => {
            half(live)?;
            println!("Build with Vite complete: {}/public/packs", live.display());
            Ok(0)
        }
        Build::Killed => {
            half(live)?;
            kill(getpid(), Signal::SIGKILL)?;
            Ok(1)
        }
        Build::Empties => {
            fs::remove_dir_all(live.join("public/packs"))?;
            println!("Build with Vite failed! ❌");
            Ok(1)
        }
    }
}

/// New files beside the old ones, one of them cut, and a manifest that is torn.
fn half(live: &Path) -> io::Result<()> {
    vite::build(live)?;
    let packs = live.join("public/packs");
    fs::write(packs.join("assets/new-c3.css"), "body { col")?;
    fs::write(packs.join(mastmaint_tests::site::STYLESHEET), "body { col")?;
    let manifest = packs.join(".vite/manifest.json");
    let text = fs::read_to_string(&manifest)?;
    fs::write(&manifest, &text[..text.len() / 2])?;
    fs::remove_file(live.join("public/assets/500.html"))
}

//! Builds the Debian package: the programs, then what is generated (completions, changelog, man pages and
//! the catalog in their places), then cargo-deb. The list of files stands in `crates/daemon/Cargo.toml`.

use crate::{
    apt,
    shell::{Result, TaskError, at, cargo, command, output, root, run, say, target},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The version of cargo-deb that the package's list of files was written for.
const CARGO_DEB: &str = "3.8.0";
/// Those in which the kill matrix kills.
pub(crate) const WITH_FAILPOINTS: [&str; 5] =
    ["mastmaintd", "mastmaint-runner", "mastmaintd-recover", "mastmaint-restore", "mastmaint-database"];
/// All that are shipped.
const PROGRAMS: [&str; 11] = [
    "mastmaintd",
    "mastmaintctl",
    "mastmaint-runner",
    "mastmaint-prove",
    "mastmaint-probe",
    "mastmaint-verify",
    "mastmaint-restore",
    "mastmaint-database",
    "mastmaint-fetch",
    "mastmaint-notify",
    "mastmaintd-recover",
];

/// The profile of `cargo test`: what the container tests install is built of what the other tests have built already.
pub(crate) const TESTED: &str = "dev";

/// Builds the package and returns its path.
pub(crate) fn package(profile: &str) -> Result<PathBuf> {
    apt::install(apt::PACKAGING)?;
    run(build(profile))?;
    generate(profile)?;
    pack(profile, None)
}

/// Builds what is shipped: for tests as the whole workspace, so that dependencies have the features that they have
/// there; for people by itself, so that no other crate's features get in.
pub(crate) fn build(profile: &str) -> Command {
    let mut build = cargo(["build", "--locked", "--profile", profile]);
    if profile == TESTED {
        build.args(["--workspace", "--bins"]);
    } else {
        for program in PROGRAMS {
            build.args(["--package", program]);
        }
    }
    build
}

/// Where cargo puts what it builds with a profile.
pub(crate) fn built(profile: &str) -> PathBuf {
    target().join(if profile == TESTED { "debug" } else { profile })
}

/// Packs what is built; with another version if one is given (a test upgrades to it).
pub(crate) fn pack(profile: &str, version: Option<&str>) -> Result<PathBuf> {
    // Folders of our own: cargo-deb clears its usual one of other versions.
    let out = target().join("deb").join(version.unwrap_or("this"));
    fs::create_dir_all(&out).map_err(at(&out))?;
    let mut args =
        vec!["deb", "--no-build", "--locked", "--package", "mastmaintd", "--profile", profile, "--output"];
    let out = out.display().to_string();
    args.push(&out);
    if profile == TESTED {
        // Nobody downloads it, and what is built for tests is large.
        args.push("--fast");
    }
    if let Some(version) = version {
        args.extend(["--deb-version", version]);
    }
    let tool = cargo_deb()?.display().to_string();
    let mut deb = command(&tool, &args[1..]);
    deb.env("CARGO_TARGET_DIR", target());
    let printed = output(deb)?;
    let path = String::from_utf8_lossy(&printed).lines().last().unwrap_or_default().to_owned();
    if path.is_empty() {
        return Err(TaskError::Hopeless("cargo-deb named no package".to_owned()));
    }
    Ok(PathBuf::from(path))
}

/// Installs cargo-deb below `target/tools` unless it is there.
pub(crate) fn cargo_deb() -> Result<PathBuf> {
    let tools = target().join("tools");
    let tool = tools.join("bin/cargo-deb");
    let has = command(&tool.display().to_string(), ["--version"])
        .output()
        .is_ok_and(|o| String::from_utf8_lossy(&o.stdout).split_whitespace().any(|word| word == CARGO_DEB));
    if !has {
        say("installing cargo-deb (once, a minute or two)");
        let at = tools.display().to_string();
        let mut install =
            cargo(["install", "cargo-deb", "--version", CARGO_DEB, "--locked", "--quiet", "--root", &at]);
        // It packs a few files: to build it well takes longer than it ever saves.
        for (name, value) in [("OPT_LEVEL", "1"), ("LTO", "off"), ("CODEGEN_UNITS", "16")] {
            install.env(format!("CARGO_PROFILE_RELEASE_{name}"), value);
        }
        run(install)?;
    }
    Ok(tool)
}

/// Fills `target/package`, from where cargo-deb takes what is not in the tree.
fn generate(profile: &str) -> Result<()> {
    let stage = root().join("target/package");
    if stage.exists() {
        fs::remove_dir_all(&stage).map_err(at(&stage))?;
    }
    let tree = stage.join("root");
    let ctl = built(profile).join("mastmaintctl");
    for (shell, file) in [
        ("bash", "usr/share/bash-completion/completions/mastmaintctl"),
        ("zsh", "usr/share/zsh/vendor-completions/_mastmaintctl"),
        ("fish", "usr/share/fish/vendor_completions.d/mastmaintctl.fish"),
    ] {
        let text = output(command(&ctl.display().to_string(), ["completions", shell]))?;
        write(&tree.join(file), &text)?;
    }
    let catalog = root().join("packaging/mastmaintd.catalog");
    copy(&catalog, &tree.join("usr/lib/systemd/catalog/mastmaintd.catalog"))?;
    let pages = root().join("packaging/man");
    for page in fs::read_dir(&pages).map_err(at(&pages))? {
        let page = page.map_err(at(&pages))?.path();
        let (Some(name), Some(section)) = (page.file_name(), page.extension()) else { continue };
        let folder = format!("usr/share/man/man{}", section.to_string_lossy());
        let mut zipped = name.to_owned();
        zipped.push(".gz");
        write(&tree.join(folder).join(zipped), &gzip(&fs::read(&page).map_err(at(&page))?)?)?;
    }
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).map_err(at(Path::new("CHANGELOG.md")))?;
    write(&stage.join("changelog.Debian"), debian_changelog(&changelog)?.as_bytes())
}

/// The newest entry of CHANGELOG.md as Debian writes it. Refused if it is about another version than the workspace's.
fn debian_changelog(markdown: &str) -> Result<String> {
    let version = env!("CARGO_PKG_VERSION");
    let mut sections = markdown.split("\n## ").skip(1);
    let newest = sections.next().unwrap_or_default();
    let (title, body) = newest.split_once('\n').unwrap_or((newest, ""));
    if title.trim() != version {
        return Err(TaskError::Hopeless(format!(
            "CHANGELOG.md: its top entry is {:?} and the workspace's version is {version}: write the entry first",
            title.trim()
        )));
    }
    let lines: Vec<_> =
        body.trim().lines().map(|line| format!("  {}", line.replacen("- ", "* ", 1))).collect();
    let entries = lines.join("\n");
    let date =
        String::from_utf8_lossy(&output(command("date", ["-R", "-r", "CHANGELOG.md"]))?).trim().to_owned();
    Ok(format!(
        "mastmaintd ({version}-1) stable; urgency=medium\n\n{entries}\n\n -- {}  {date}\n",
        maintainer()?
    ))
}

/// Who looks after the package, as its manifest says.
fn maintainer() -> Result<String> {
    let manifest = root().join("crates/daemon/Cargo.toml");
    let text = fs::read_to_string(&manifest).map_err(at(&manifest))?;
    let line = text.lines().find_map(|line| line.strip_prefix("maintainer = "));
    let name = line.map(|quoted| quoted.trim_matches('"').to_owned());
    name.ok_or_else(|| {
        TaskError::Hopeless(format!("{}: there is no line `maintainer = …`", manifest.display()))
    })
}

fn gzip(text: &[u8]) -> Result<Vec<u8>> {
    use std::io::Write as _;
    // No time and no name in it: the same page gives the same package.
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text).and_then(|()| encoder.finish()).map_err(at(Path::new("man page")))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    write(to, &fs::read(from).map_err(at(from))?)
}

fn write(path: &Path, text: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(at(folder))?;
    }
    fs::write(path, text).map_err(at(path))
}

#[cfg(test)]
mod tests {
    use super::debian_changelog;

    #[test]
    fn the_changelog_is_about_this_version() {
        let text = std::fs::read_to_string(crate::shell::root().join("CHANGELOG.md")).unwrap();
        let debian = debian_changelog(&text).unwrap();
        assert!(
            debian.starts_with(concat!("mastmaintd (", env!("CARGO_PKG_VERSION"), "-1) stable;")),
            "{debian}"
        );
        assert!(debian.contains("\n  * The daemon runs tootctl"), "{debian}");
    }

    #[test]
    fn a_changelog_about_another_version_is_refused() {
        let error = debian_changelog("# Changelog\n\n## 0.0.0\n\n- x\n").unwrap_err();
        assert!(error.to_string().contains("write the entry first"), "{error}");
    }
}

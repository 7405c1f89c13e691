//! Where the real binaries are. They are built once if `cargo test` was asked for this crate alone.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The directory of the binaries, built and current.
///
/// # Panics
/// If they cannot be built: then no test of them means anything.
pub fn dir() -> &'static Path {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    DIR.get_or_init(|| {
        let exe = std::env::current_exe().unwrap_or_default();
        // target/PROFILE/deps/TEST or target/PROFILE/xtask
        let parent = exe.parent().unwrap_or(Path::new("."));
        let dir = if parent.ends_with("deps") { parent.parent().unwrap_or(parent) } else { parent };
        build(dir);
        dir.to_owned()
    })
}

/// One of the binaries.
pub fn path(name: &str) -> PathBuf {
    dir().join(name)
}

fn build(dir: &Path) {
    // A stale binary would be tested without a word: cargo decides what is stale.
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // The whole workspace, as `cargo test` does: fewer packages have other features, and dependencies are built again.
    cargo.args(["build", "--quiet", "--workspace", "--bins", "--manifest-path"]);
    cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"));
    if dir.ends_with("release") {
        cargo.arg("--release");
    }
    if let Some(target) = dir.parent() {
        cargo.env("CARGO_TARGET_DIR", target);
    }
    let built = cargo.status();
    assert!(
        built.as_ref().is_ok_and(std::process::ExitStatus::success),
        "cannot build the binaries: {built:?}"
    );
}

//! What every guard keeps, and what it removes so that a build is one.

use std::path::{Path, PathBuf};

/// What a theme brings along, and what a build of the assets writes.
const ALWAYS: [&str; 4] = ["config/themes.yml", "app/javascript/styles", "public/packs", "public/assets"];

/// The paths that are kept, none below another.
pub(super) fn paths(own: &[PathBuf], environment: &str) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> =
        ALWAYS.iter().map(PathBuf::from).chain(stamps(environment)).chain(own.to_vec()).collect();
    all.sort();
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in all {
        if !kept.iter().any(|known| path.starts_with(known)) {
            kept.push(path);
        }
    }
    kept
}

/// By these a build sees that nothing has changed since the last one, also where something has (`config/themes.yml` is
/// not watched): Vite's, and Webpacker's before 4.4.
pub(super) fn stamps(environment: &str) -> [PathBuf; 2] {
    [
        Path::new("tmp/cache/vite").join(format!("last-build-{environment}.json")),
        Path::new("tmp/cache/webpacker").join(format!("last-compilation-digest-{environment}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_part_of_another_is_kept_once() {
        let own = ["app/javascript", "config/themes.yml", "config/custom.yml"].map(PathBuf::from);
        let kept: Vec<String> =
            paths(&own, "production").iter().map(|path| path.display().to_string()).collect();
        assert_eq!(
            kept,
            [
                "app/javascript",
                "config/custom.yml",
                "config/themes.yml",
                "public/assets",
                "public/packs",
                "tmp/cache/vite/last-build-production.json",
                "tmp/cache/webpacker/last-compilation-digest-production"
            ]
        );
    }
}

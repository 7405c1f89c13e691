//! Which of two programs builds the assets of a Mastodon, and so where it looks for what was built. A build empties no
//! directory: after an upgrade the manifest of the other one still lies there, and Mastodon reads it no more.

use mastmaint_instance::assets::{VITE, WEBPACKER};
use mastmaint_tootctl::{Series, Version};
use std::path::Path;

/// From here on it is Vite.
const SINCE: Series = Series::new(4, 4);
/// What only a Mastodon with Vite has.
const VITE_CONFIG: [&str; 2] = ["config/vite.json", "vite.config.mts"];
/// What only one with Webpacker has.
const WEBPACKER_CONFIG: &str = "config/webpacker.yml";

/// What builds the assets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bundler {
    /// From 4.4 on.
    Vite,
    /// Before.
    Webpacker,
}

impl Bundler {
    /// That of the Mastodon below a Rails root: by its version, then by its settings, then by what was built.
    pub(super) fn of(live: &Path) -> Self {
        let is_there = |file: &str| live.join(file).exists();
        let is_old = match Version::installed(live) {
            Some(version) => version.series() < SINCE,
            None if VITE_CONFIG.into_iter().any(is_there) => false,
            None => is_there(WEBPACKER_CONFIG) || !is_there(VITE[0]) && is_there(WEBPACKER),
        };
        if is_old { Self::Webpacker } else { Self::Vite }
    }

    /// Where it writes down what it built.
    pub(super) const fn manifest(self) -> &'static str {
        match self {
            Self::Vite => VITE[0],
            Self::Webpacker => WEBPACKER,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn version(live: &Path, minor: u16) {
        fs::create_dir_all(live.join("lib/mastodon")).unwrap();
        let text = format!("def major\n  4\nend\ndef minor\n  {minor}\nend\ndef patch\n  9\nend\n");
        fs::write(live.join("lib/mastodon/version.rb"), text).unwrap();
    }

    #[test]
    fn the_version_says_it_then_the_settings_then_what_is_there() {
        let scratch = tempfile::tempdir().unwrap();
        let live = scratch.path();
        let put = |file: &str| {
            fs::create_dir_all(live.join(file).parent().unwrap()).unwrap();
            fs::write(live.join(file), "").unwrap();
        };
        assert_eq!(Bundler::of(live), Bundler::Vite);
        put(WEBPACKER);
        assert_eq!(Bundler::of(live), Bundler::Webpacker);
        put(VITE[0]);
        assert_eq!(Bundler::of(live), Bundler::Vite);
        put(WEBPACKER_CONFIG);
        assert_eq!(Bundler::of(live), Bundler::Webpacker);
        put(VITE_CONFIG[1]);
        assert_eq!(Bundler::of(live), Bundler::Vite);
        version(live, 3);
        assert_eq!(Bundler::of(live), Bundler::Webpacker);
        version(live, 4);
        assert_eq!(Bundler::of(live), Bundler::Vite);
    }
}

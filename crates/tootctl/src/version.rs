//! Versions of Mastodon, and the one of an installed Mastodon from `lib/mastodon/version.rb` without Ruby.

use std::{fmt, fs, path::Path, str::FromStr};

/// Major and minor version: what the grammar depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    /// The 4 of 4.6.
    pub major: u16,
    /// The 6 of 4.6.
    pub minor: u16,
}

/// A version of Mastodon, `4.6.5` or `4.5.0-rc.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    series: Series,
    /// As it is written.
    text: String,
}

impl Series {
    /// The oldest that the grammar knows.
    pub const OLDEST: Self = Self::new(4, 1);
    /// The newest that the grammar knows; what is newer is judged by its rules.
    pub const NEWEST: Self = Self::new(4, 6);

    /// A series by its two numbers.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Whether the grammar was written before it.
    pub fn is_newer_than_known(self) -> bool {
        self > Self::NEWEST
    }

    /// Whether it is older than what the grammar was written for.
    pub fn is_older_than_known(self) -> bool {
        self < Self::OLDEST
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Version {
    /// Its major and minor version.
    pub const fn series(&self) -> Series {
        self.series
    }

    /// That of the Mastodon below a Rails root; `None` if its file says none in the usual way.
    pub fn installed(live: &Path) -> Option<Self> {
        Self::from_ruby(&fs::read_to_string(live.join("lib/mastodon/version.rb")).ok()?)
    }

    /// The version that `lib/mastodon/version.rb` says; `None` if it says none in the usual way.
    pub fn from_ruby(text: &str) -> Option<Self> {
        let number = |name| body(text, name).and_then(|body| body.parse::<u16>().ok());
        let (major, minor, patch) = (number("major")?, number("minor")?, number("patch")?);
        let pre = ["default_prerelease", "flags"]
            .iter()
            .find_map(|name| body(text, name))
            .map(|body| body.trim_matches(['\'', '"']))
            .filter(|pre| !pre.is_empty() && pre.chars().all(|c| c.is_ascii_alphanumeric() || c == '.'));
        let tail = pre.map(|pre| format!("-{pre}")).unwrap_or_default();
        Some(Self { series: Series { major, minor }, text: format!("{major}.{minor}.{patch}{tail}") })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl FromStr for Version {
    type Err = String;

    /// `4.6.5`, `v4.6.5`, `4.6`, `4.7.0-nightly.2027-01-01`, `4.6.5+glitch`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.strip_prefix('v').unwrap_or(text);
        let mut parts = plain.split(['.', '-', '+']);
        let mut number = || parts.next().and_then(|part| part.parse::<u16>().ok());
        match (number(), number()) {
            (Some(major), Some(minor)) => {
                Ok(Self { series: Series { major, minor }, text: plain.to_owned() })
            }
            _ => Err(format!("{text:?} is no version of Mastodon; write it like 4.6.5")),
        }
    }
}

/// The first line of a method.
fn body<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.find(|line| line.strip_prefix("def ").is_some_and(|def| def.trim() == name))?;
    lines.next()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(pre: &str) -> String {
        format!(
            "# frozen_string_literal: true\n\nmodule Mastodon\n  module Version\n    module_function\n\n    def major\n      4\n    end\n\n    def minor\n      6\n    end\n\n    def patch\n      5\n    end\n\n    def default_prerelease\n      '{pre}'\n    end\n"
        )
    }

    #[test]
    fn the_version_is_read_without_ruby() {
        let read = |text: &str| Version::from_ruby(text).map(|v| v.to_string());
        assert_eq!(read(&file("")).as_deref(), Some("4.6.5"));
        assert_eq!(read(&file("rc.1")).as_deref(), Some("4.6.5-rc.1"));
        assert_eq!(read("def major\n  ENV['X']\nend"), None);
        assert_eq!(read(""), None);
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let series = |text: &str| text.parse::<Version>().unwrap().series();
        assert!(series("4.10.0") > series("4.6.5"));
        assert!(series("v5.0").is_newer_than_known());
        assert!(series("4.0.15").is_older_than_known());
        assert_eq!(series("4.3.0-rc.1+glitch"), Series::new(4, 3));
        assert!("latest".parse::<Version>().is_err());
        assert!("4".parse::<Version>().is_err());
    }
}

//! The version of an installed Mastodon, from `lib/mastodon/version.rb` without Ruby.

/// `4.6.5`, `4.5.0-rc.1`.
pub fn parse(text: &str) -> Option<String> {
    let major = number(text, "major")?;
    let minor = number(text, "minor")?;
    let patch = number(text, "patch")?;
    let pre = ["default_prerelease", "flags"]
        .iter()
        .find_map(|name| body(text, name))
        .map(|body| body.trim_matches(['\'', '"']))
        .filter(|pre| !pre.is_empty() && pre.chars().all(|c| c.is_ascii_alphanumeric() || c == '.'));
    let tail = pre.map(|pre| format!("-{pre}")).unwrap_or_default();
    Some(format!("{major}.{minor}.{patch}{tail}"))
}

fn number(text: &str, name: &str) -> Option<u32> {
    body(text, name)?.parse().ok()
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
        assert_eq!(parse(&file("")).as_deref(), Some("4.6.5"));
        assert_eq!(parse(&file("rc.1")).as_deref(), Some("4.6.5-rc.1"));
        assert_eq!(parse("def major\n  ENV['X']\nend"), None);
        assert_eq!(parse(""), None);
    }
}

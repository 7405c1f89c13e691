//! `.env.production`: the secrets in it, and which of them a version of Mastodon needs.

use std::{collections::BTreeMap, fmt};

/// Variables of `.env.production`. Its `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env(BTreeMap<String, String>);

impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl FromIterator<(String, String)> for Env {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl Env {
    /// Reads the lines as dotenv does: `export`, quotes, comments.
    pub fn parse(text: &str) -> Self {
        let mut variables = BTreeMap::new();
        for line in text.lines() {
            let line = line.trim();
            let line = line.strip_prefix("export ").unwrap_or(line);
            let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else {
                continue;
            };
            variables.insert(name.trim().to_owned(), unquoted(value.trim()).to_owned());
        }
        Self(variables)
    }

    /// A variable that is set to something.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// All variables that are set to something.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).filter(|(_, v)| !v.is_empty())
    }

    /// Whether a variable is `true`.
    pub fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }
}

fn unquoted(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some((inner, _)) = value.strip_prefix(quote).and_then(|v| v.split_once(quote)) {
            return inner;
        }
    }
    value.split_once(" #").map_or(value, |(value, _)| value.trim_end())
}

/// A version of Mastodon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// 4 in 4.6.5.
    pub major: u32,
    /// 6 in 4.6.5.
    pub minor: u32,
}

impl Version {
    /// From the text of `lib/mastodon/version.rb`.
    pub fn parse(code: &str) -> Option<Self> {
        let number = |name: &str| {
            let after = code.split_once(&format!("def {name}"))?.1;
            after.split_whitespace().next()?.parse().ok()
        };
        Some(Self { major: number("major")?, minor: number("minor")? })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// What every version needs.
const ALWAYS: [&str; 4] = ["LOCAL_DOMAIN", "SECRET_KEY_BASE", "VAPID_PRIVATE_KEY", "VAPID_PUBLIC_KEY"];
/// What a version from 4.3 on does not start without.
const ENCRYPTION: [&str; 3] = [
    "ACTIVE_RECORD_ENCRYPTION_DETERMINISTIC_KEY",
    "ACTIVE_RECORD_ENCRYPTION_KEY_DERIVATION_SALT",
    "ACTIVE_RECORD_ENCRYPTION_PRIMARY_KEY",
];
const ENCRYPTION_SINCE: Version = Version { major: 4, minor: 3 };

/// Names of the secrets that this version needs and that are not set. An unknown version is taken for a new one.
pub fn missing_secrets(env: &Env, version: Option<Version>) -> Vec<&'static str> {
    let needs_encryption = version.is_none_or(|v| v >= ENCRYPTION_SINCE);
    let mut needed = ALWAYS.to_vec();
    if needs_encryption {
        needed.extend(ENCRYPTION);
    } else {
        needed.push("OTP_SECRET");
    }
    needed.retain(|name| env.get(name).is_none());
    needed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_as_dotenv_reads_them() {
        let env =
            Env::parse("# A=0\nA=1\nexport B=\"two words\" # more\nC='x'\nD=\nE=plain # note\nno line\n");
        assert_eq!([env.get("A"), env.get("B"), env.get("C")], [Some("1"), Some("two words"), Some("x")]);
        assert_eq!((env.get("D"), env.get("E")), (None, Some("plain")));
        assert_eq!(format!("{:?}", Env::parse("SECRET_KEY_BASE=hunter2")), "{\"SECRET_KEY_BASE\"}");
    }

    #[test]
    fn a_version_needs_its_own_secrets() {
        let code = "    def major\n      4\n    end\n\n    def minor\n      6\n    end\n\n    def patch\n      5\n    end\n";
        assert_eq!(Version::parse(code), Some(Version { major: 4, minor: 6 }));
        let old = Env::parse(
            "LOCAL_DOMAIN=a\nSECRET_KEY_BASE=b\nVAPID_PRIVATE_KEY=c\nVAPID_PUBLIC_KEY=d\nOTP_SECRET=e",
        );
        assert_eq!(missing_secrets(&old, Some(Version { major: 4, minor: 2 })), Vec::<&str>::new());
        assert_eq!(missing_secrets(&old, Some(Version { major: 4, minor: 3 })), ENCRYPTION);
        assert_eq!(missing_secrets(&Env::default(), None).len(), 7);
    }
}

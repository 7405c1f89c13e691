//! Checksums as pages and manifests name them: `sha256-BASE64`, `sha384-…` or `sha512-…`, several with blanks between.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// The kinds that browsers know, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Sha256,
    Sha384,
    Sha512,
}

impl Kind {
    fn named(word: &str) -> Option<Self> {
        match word {
            "sha256" => Some(Self::Sha256),
            "sha384" => Some(Self::Sha384),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn sum(self, content: &[u8]) -> String {
        match self {
            Self::Sha256 => BASE64_STANDARD.encode(Sha256::digest(content)),
            Self::Sha384 => BASE64_STANDARD.encode(Sha384::digest(content)),
            Self::Sha512 => BASE64_STANDARD.encode(Sha512::digest(content)),
        }
    }
}

/// Whether content is what `integrity` names; `None` if it names none of a kind that is known, as browsers then want
/// none. Of several kinds the strongest counts, as it does for browsers; of several of that kind one is enough.
pub fn fits(content: &[u8], integrity: &str) -> Option<bool> {
    let known = || {
        integrity.split_whitespace().filter_map(|one| {
            // An option may follow.
            let (kind, sum) = one.split('?').next()?.split_once('-')?;
            Some((Kind::named(kind)?, sum))
        })
    };
    let strongest = known().map(|(kind, _)| kind).max()?;
    let own = strongest.sum(content);
    Some(known().any(|(kind, sum)| kind == strongest && sum == own))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTENT: &[u8] = b"body { color: orange }";
    const OTHER: &[u8] = b"body { color: ora";

    #[test]
    fn a_checksum_of_each_kind_is_known() {
        for (word, kind) in [("sha256", Kind::Sha256), ("sha384", Kind::Sha384), ("sha512", Kind::Sha512)] {
            let own = format!("{word}-{}", kind.sum(CONTENT));
            assert_eq!(fits(CONTENT, &own), Some(true), "{own}");
            assert_eq!(fits(OTHER, &own), Some(false), "{own}");
            assert_eq!(
                fits(CONTENT, &format!("{own}?ct=text/css")),
                Some(true),
                "an option says nothing of it"
            );
            assert_eq!(fits(CONTENT, &format!("{word}-AAAA {own}")), Some(true), "one of several is enough");
        }
        // Not made by the code that is tested: `openssl dgst -sha256 -binary </dev/null | base64`.
        assert_eq!(fits(b"", "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="), Some(true));
    }

    #[test]
    fn of_several_kinds_the_strongest_counts() {
        let sum = |word: &str, kind: Kind, content| format!("{word}-{}", kind.sum(content));
        let weak_fits =
            format!("{} {}", sum("sha256", Kind::Sha256, CONTENT), sum("sha512", Kind::Sha512, OTHER));
        assert_eq!(fits(CONTENT, &weak_fits), Some(false));
        assert_eq!(fits(OTHER, &weak_fits), Some(true));
    }

    #[test]
    fn what_is_not_known_wants_nothing() {
        assert_eq!((fits(CONTENT, "md5-x"), fits(CONTENT, "")), (None, None));
    }
}

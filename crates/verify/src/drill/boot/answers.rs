//! What the answers of a started Mastodon mean. Pure: answers in, what is wrong out.

use super::http::Answer;
use serde::Deserialize;

/// No version is longer.
const LONGEST: usize = 64;

/// What is expected of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expected<'a> {
    pub(super) domain: &'a str,
    /// From `lib/mastodon/version.rb`: 4.6.5.
    pub(super) version: Option<String>,
}

#[derive(Deserialize)]
struct Instance {
    domain: String,
    version: String,
}

/// Whether a page came and not the one that is shown for errors, which may come with any status.
pub(super) fn page(answer: &Answer) -> Result<(), String> {
    if answer.status != 200 {
        return Err(format!("it answered with status {}", answer.status));
    }
    let is_error =
        ["<body class='error'", "<body class=\"error\""].iter().any(|tag| answer.body.contains(tag));
    if is_error {
        return Err("it answered with its page for errors".to_owned());
    }
    if answer.body.contains("</html>") { Ok(()) } else { Err("it answered with no whole page".to_owned()) }
}

/// The version that it tells, if it is the instance that is expected.
pub(super) fn instance(answer: &Answer, expected: &Expected<'_>) -> Result<String, String> {
    if answer.status != 200 {
        return Err(format!("it answered with status {}", answer.status));
    }
    let told: Instance =
        serde_json::from_str(&answer.body).map_err(|_| "it did not say domain and version".to_owned())?;
    if told.domain != expected.domain {
        return Err(format!(
            "it says that it is {:?}, and .env.production says {:?}",
            told.domain, expected.domain
        ));
    }
    match &expected.version {
        Some(version) if !is_of(&told.version, version) => {
            Err(format!("it says that it is version {:?}, and its code says {version:?}", told.version))
        }
        _ => Ok(told.version.chars().take(LONGEST).collect()),
    }
}

/// `4.6.5+glitch` and `4.6.0-beta.1` are of 4.6.5 and 4.6.0, 4.6.50 is not of 4.6.5.
fn is_of(told: &str, version: &str) -> bool {
    let rest = told.strip_prefix(version);
    rest.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
}

/// The version in `lib/mastodon/version.rb`.
pub(super) fn version_of(code: &str) -> Option<String> {
    let number = |name: &str| {
        let after = code.split_once(&format!("def {name}"))?.1;
        after.split_whitespace().next()?.parse::<u32>().ok()
    };
    Some(format!("{}.{}.{}", number("major")?, number("minor")?, number("patch")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: body.to_owned() }
    }

    #[test]
    fn the_page_for_errors_is_none() {
        assert_eq!(page(&answer(200, "<html><body class='app-body'></body></html>")), Ok(()));
        for bad in [
            answer(500, "<html></html>"),
            answer(301, ""),
            answer(200, "<html><body class='error'></body></html>"),
            answer(200, "<html><body>"),
        ] {
            assert!(page(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn another_domain_or_version_is_told() {
        let expected = Expected { domain: "mast.test", version: Some("4.6.5".to_owned()) };
        let told = |domain: &str, version: &str| {
            let body = format!(r#"{{"domain":"{domain}","title":"x","version":"{version}","rules":[]}}"#);
            instance(&answer(200, &body), &expected)
        };
        for fine in ["4.6.5", "4.6.5+glitch", "4.6.5-nightly"] {
            assert_eq!(told("mast.test", fine), Ok(fine.to_owned()));
        }
        assert!(told("other.test", "4.6.5").unwrap_err().contains("other.test"));
        for other in ["4.6.50", "4.6.5.1", "4.5.5"] {
            assert!(told("mast.test", other).unwrap_err().contains(other), "{other}");
        }
        assert!(instance(&answer(200, "<html>"), &expected).is_err());
        assert!(instance(&answer(503, ""), &expected).unwrap_err().contains("503"));
        let unknown = Expected { version: None, ..expected };
        let body = r#"{"domain":"mast.test","version":"4.6.5"}"#;
        assert_eq!(instance(&answer(200, body), &unknown), Ok("4.6.5".to_owned()));
    }

    #[test]
    fn the_version_is_read_from_the_code() {
        let code = "    def major\n      4\n    end\n\n    def minor\n      6\n    end\n\n    def patch\n      5\n    end\n";
        assert_eq!(version_of(code).as_deref(), Some("4.6.5"));
        assert_eq!(version_of("def major\n 4\nend"), None);
    }
}

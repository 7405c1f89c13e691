//! Takes secrets out of text before it leaves the room: known values, passwords in URLs, tokens, e-mail addresses.
//! Handles (`@alice@remote.example`) stay: they are public and say which account is meant.

mod secrets;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use mastmaint_config::settings::Environment;
use mastmaint_instance::{FILES, pairs};
use regex::Regex;
use secrets::{SHORTEST_FOUND, SHORTEST_GIVEN, forms, secrets_in};
use std::{borrow::Cow, path::Path, sync::LazyLock};

const REDACTED: &str = "[redacted]";
const E_MAIL: &str = "[e-mail]";
/// Longest token without a known value that is never told by half.
const LONGEST_TOKEN: usize = 1024;
/// What gives a token or a URL away, before any regular expression is tried.
static TRIGGERS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let words = [
        "://",
        "bearer ",
        "token",
        "secret",
        "pass",
        "key",
        "authorization",
        "salt",
        "otp",
        "pwd",
        "dsn",
        "cookie",
        "credential",
        "webhook",
    ];
    AhoCorasickBuilder::new().ascii_case_insensitive(true).build(words).ok()
});
static URL_PASSWORD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(://[^\s/:@]*:)[^\s@/]+@").ok());
static TOKEN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(TOKENS).ok());

/// `Authorization: Bearer x`, `access_token=x`, `"password": "x"`; what follows a colon must look like a token.
const TOKENS: &str = concat!(
    r#"(?i)(\b(?:bearer|authorization["']?[ \t]*[:=][ \t]*["']?(?:bearer|basic|token))[ \t]+)[A-Za-z0-9._~+/=-]{12,}"#,
    r#"|((?:token|secret|passw(?:or)?d|(?:api|access|secret|private|encryption|primary|otp)_?-?key(?:_base)?|authorization)["']?[ \t]*=>?[ \t]*["']?)[^\s"'&,;\[]{4,}"#,
    r#"|((?:token|secret|passw(?:or)?d|key|authorization)["']?[ \t]*:[ \t]*["']?)[A-Za-z0-9+/_=.-]{16,}"#,
);
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(NAMED_VALUES).ok());

/// `DB_PASS=x`, `smtp_pass = x`, `db_pass: x`, `..._SALT=x`: a word of the name says that the value is a secret. A name
/// of one word before a colon may be prose.
const NAMED_VALUES: &str = concat!(
    r#"(?i)(\b(?:[a-z0-9]+[_-])*(?:pass|passwd|password|passphrase|secret|token|salt|key|otp|credentials?|dsn|cookie|webhook)"#,
    r#"(?:[_-][a-z0-9]+)*["']?[ \t]*=>?[ \t]*["']?)[^\s"'&,;\[\]]{4,}"#,
    r#"|(\b(?:[a-z0-9]+[_-])+(?:pass|passwd|password|passphrase|pwd|secret|token|salt|key|otp|credentials?|dsn|cookie|webhook)"#,
    r#"(?:[_-][a-z0-9]+)*["']?[ \t]*(?::|=>?)[ \t]*["']?)[^\s"'&,;\[\]]{4,}"#,
);

/// Knows the secrets of one step.
#[derive(Debug)]
pub struct Redactor {
    values: Option<AhoCorasick>,
    longest: usize,
}

impl Redactor {
    /// Redacts these values and everything that looks like a secret.
    pub fn from_secrets(secrets: impl IntoIterator<Item = String>) -> Self {
        Self::knowing(secrets.into_iter().flat_map(|s| forms(s, SHORTEST_FOUND)))
    }

    /// Redacts what the instance at `live` and the step's variables hold as secrets.
    pub fn for_instance(live: &Path, environment: &Environment) -> Self {
        let files = FILES.iter().filter_map(|name| std::fs::read(live.join(name)).ok());
        let pairs = files.flat_map(|bytes| pairs(&String::from_utf8_lossy(&bytes)));
        let found = pairs.flat_map(|(name, value)| secrets_in(&name, &value));
        Self::knowing(found.flat_map(|s| forms(s, SHORTEST_FOUND)).chain(given(environment)))
    }

    /// Redacts what a program is given: its step's variables, and the secrets of its command line.
    pub fn for_program(environment: &Environment, command_line: &[String]) -> Self {
        // What stands behind such a URL is the secret as often as its password.
        let urls = environment.iter().filter(|(name, _)| name.to_ascii_uppercase().ends_with("_URL"));
        let urls = urls.flat_map(|(_, value)| forms(value.clone(), SHORTEST_GIVEN));
        let arguments = mastmaint_config::secrets_of(command_line);
        let arguments = arguments.into_iter().flat_map(|s| forms(s, SHORTEST_GIVEN));
        Self::knowing(urls.chain(arguments).chain(given(environment)))
    }

    fn knowing(forms: impl Iterator<Item = String>) -> Self {
        let mut values: Vec<String> = forms.collect();
        values.sort_unstable();
        values.dedup();
        let longest = values.iter().map(String::len).max().unwrap_or(0).max(LONGEST_TOKEN);
        let automaton = AhoCorasickBuilder::new().match_kind(MatchKind::LeftmostLongest).build(&values);
        Self { values: automaton.ok().filter(|_| !values.is_empty()), longest }
    }

    /// The text without secrets. Nothing is copied when there is none.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        if let Some(values) = self.values.as_ref().filter(|v| v.is_match(&*text)) {
            let mut plain = String::with_capacity(text.len());
            values.replace_all_with(&text, &mut plain, |_, _, to| {
                to.push_str(REDACTED);
                true
            });
            text = Cow::Owned(plain);
        }
        if TRIGGERS.as_ref().is_none_or(|t| t.is_match(&*text)) {
            text = replaced(text, URL_PASSWORD.as_ref(), "${1}[redacted]@");
            text = replaced(text, TOKEN.as_ref(), "${1}${2}${3}[redacted]");
            text = replaced(text, NAMED.as_ref(), "${1}${2}[redacted]");
        }
        if let Some(without) = without_addresses(&text) {
            text = Cow::Owned(without);
        }
        text
    }

    /// No secret is longer than this, in bytes.
    pub(crate) const fn longest(&self) -> usize {
        self.longest
    }
}

/// The secrets in the variables that the admin gave to a step.
fn given(environment: &Environment) -> impl Iterator<Item = String> {
    let secrets = environment.iter().flat_map(|(name, value)| secrets_in(name, value));
    secrets.flat_map(|s| forms(s, SHORTEST_GIVEN))
}

fn replaced<'a>(text: Cow<'a, str>, regex: Option<&Regex>, with: &str) -> Cow<'a, str> {
    match regex.map(|r| r.replace_all(&text, with)) {
        Some(Cow::Owned(changed)) => Cow::Owned(changed),
        _ => text,
    }
}

/// The text without e-mail addresses, or `None` if there is none.
fn without_addresses(text: &str) -> Option<String> {
    let mut plain: Option<String> = None;
    let mut done = 0;
    for at in memchr::memchr_iter(b'@', text.as_bytes()) {
        if at < done {
            continue;
        }
        let local_start = text[done..at]
            .char_indices()
            .rev()
            .take_while(|(_, c)| {
                c.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(*c) && !"/'=`{|}".contains(*c)
            })
            .last()
            .map(|(offset, _)| done + offset);
        let Some(start) = local_start else { continue };
        let domain = text[at + 1..]
            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-')))
            .next()
            .unwrap_or("")
            .trim_end_matches(['.', '-']);
        // `@alice@remote.example` names an account; `mastodon-web@4000.service` a unit; `sass@1.2` a package.
        let is_handle = text[..start].ends_with('@');
        if is_handle || !is_domain(domain) {
            continue;
        }
        let plain = plain.get_or_insert_with(String::new);
        plain.push_str(&text[done..start]);
        plain.push_str(E_MAIL);
        done = at + 1 + domain.len();
    }
    let mut plain = plain?;
    plain.push_str(&text[done..]);
    Some(plain)
}

fn is_domain(domain: &str) -> bool {
    const UNITS: [&str; 8] = ["service", "socket", "timer", "target", "path", "mount", "slice", "scope"];
    domain.rsplit_once('.').is_some_and(|(name, last)| {
        !name.is_empty()
            && last.chars().count() >= 2
            && last.chars().any(char::is_alphabetic)
            && !UNITS.contains(&last)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        Redactor::from_secrets(secrets.iter().map(|s| (*s).to_owned()))
    }

    #[test]
    fn known_values_go() {
        let redactor =
            redactor(&["hunter22", "hunter2", "p@ss/word", "short", "production", "line one\\nline two"]);
        for (given, expected) in [
            ("the password is hunter22!", "the password is [redacted]!"),
            ("hunter2hunter22", "[redacted][redacted]"),
            ("p@ss/word or p%40ss%2Fword", "[redacted] or [redacted]"),
            ("short production", "short production"),
            ("says line two here", "says [redacted] here"),
        ] {
            assert_eq!(redactor.redact(given), expected);
        }
        assert!(matches!(redactor.redact("nothing of it"), Cow::Borrowed(_)));
    }

    #[test]
    fn what_looks_like_a_secret_goes() {
        let redactor = redactor(&[]);
        for (given, expected) in [
            ("postgres://mastodon:pw@db/x", "postgres://mastodon:[redacted]@db/x"),
            ("redis://:pw1@localhost:6379 down", "redis://:[redacted]@localhost:6379 down"),
            ("Authorization: Bearer abcdef0123456789", "Authorization: Bearer [redacted]"),
            ("authorization: Basic dXNlcjpwYXNzd29yZA==", "authorization: Basic [redacted]"),
            ("Basic authentication failed", "Basic authentication failed"),
            ("GET /x?access_token=abcd1234&y=1", "GET /x?access_token=[redacted]&y=1"),
            ("\"password\": \"0123456789abcdef0\"", "\"password\": \"[redacted]\""),
            ("SECRET_KEY_BASE=aaaaaaaa", "SECRET_KEY_BASE=[redacted]"),
            ("DB_PASS=hunter22", "DB_PASS=[redacted]"),
            ("Environment=A=b DB_PASS=hunter27 C=d", "Environment=A=b DB_PASS=[redacted] C=d"),
            ("db_pass: hunter25", "db_pass: [redacted]"),
            ("smtp_pass = hunter26", "smtp_pass = [redacted]"),
            ("{\"db_pass\":\"hunter28\"}", "{\"db_pass\":\"[redacted]\"}"),
            ("X_KEY_DERIVATION_SALT=hunter24", "X_KEY_DERIVATION_SALT=[redacted]"),
            ("PASSENGER=fast, 3 passed: 12 tokens", "PASSENGER=fast, 3 passed: 12 tokens"),
            ("password: must be longer", "password: must be longer"),
            ("mail to alice@mast.test, bob.b+x@a.b.example.", "mail to [e-mail], [e-mail]."),
            ("<root@localhost.localdomain>", "<[e-mail]>"),
            ("@alice@remote.example followed", "@alice@remote.example followed"),
            ("mastodon-streaming@4000.service", "mastodon-streaming@4000.service"),
            ("Permission denied @ apply2files - /x", "Permission denied @ apply2files - /x"),
            ("(redis://localhost:6379)", "(redis://localhost:6379)"),
            ("https://a.example/@alice", "https://a.example/@alice"),
            ("password authentication failed for user", "password authentication failed for user"),
            ("update-browserslist-db@latest", "update-browserslist-db@latest"),
        ] {
            assert_eq!(redactor.redact(given), expected, "{given}");
        }
    }

    #[test]
    fn the_instance_gives_its_secrets_away_to_nobody() {
        let live = tempfile::tempdir().unwrap();
        std::fs::write(
            live.path().join(".env.production"),
            "# comment\nLOCAL_DOMAIN=mast.example\nexport DB_PASS='quoted pass'\nOTP_SECRET=otp00000 # old\n\
             SMTP_PASSWORD=\"two\nlines of it\"\nREDIS_URL=redis://user:url%2Dpass@host/0\nSINGLE_USER_MODE=true\n\
             VAPID_PRIVATE_KEY=vapid000=\nDB_NAME=mastodon_production\n",
        )
        .unwrap();
        let environment =
            Environment::from([("AWS_SECRET_ACCESS_KEY".to_owned(), "from-the-step".to_owned())]);
        let redactor = Redactor::for_instance(live.path(), &environment);
        for secret in
            ["quoted pass", "otp00000", "lines of it", "url%2Dpass", "url-pass", "vapid000=", "from-the-step"]
        {
            assert_eq!(redactor.redact(&format!("<{secret}>")), "<[redacted]>", "{secret}");
        }
        for word in ["mast.example", "mastodon_production", "true"] {
            assert_eq!(redactor.redact(word), word);
        }
    }

    #[test]
    fn what_a_step_is_given_goes_from_four_bytes_on() {
        let environment: Environment = [
            ("PGAUTH", "auth"),
            ("SENTRY_DSN", "https://key0@sentry.example/1"),
            ("SESSION_COOKIE", "c00k13"),
            ("MY_SALT", "s4lt"),
            ("SMS_OTP", "12345"),
            ("PRIVATE_THING", "priv1"),
            ("DB_PASSWORD", "hunt"),
            ("HOOK_URL", "https://hooks.example/T0/B0"),
            ("SMTP_AUTH_METHOD", "plain"),
            ("API_TOKEN", "abc"),
            ("RAILS_ENV", "production"),
        ]
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .into();
        let argv = ["curl", "-u", "me:s3cr3t"].map(str::to_owned);
        let program = Redactor::for_program(&environment, &argv);
        let live = tempfile::tempdir().unwrap();
        let instance = Redactor::for_instance(live.path(), &environment);
        for (name, value) in environment
            .iter()
            .filter(|(name, _)| !["SMTP_AUTH_METHOD", "API_TOKEN", "RAILS_ENV"].contains(&name.as_str()))
        {
            assert_eq!(program.redact(&format!("<{value}>")), "<[redacted]>", "{name}");
            assert!(name == "HOOK_URL" || instance.redact(value) == "[redacted]", "{name}");
        }
        assert_eq!(program.redact("said s3cr3t"), "said [redacted]");
        for word in ["plain", "abc", "production"] {
            assert_eq!(program.redact(word), word);
        }
    }

    proptest! {
        #[test]
        fn no_known_value_is_left(before in "\\PC{0,40}", secret in "[a-zA-Z0-9/+@:=]{8,30}", after in "\\PC{0,40}") {
            prop_assume!(!secrets::COMMON.contains(&secret.to_ascii_lowercase().as_str()));
            let text = format!("{before}{secret}{after}");
            let plain = redactor(&[&secret]).redact(&text).into_owned();
            prop_assert!(!plain.contains(&secret), "{plain}");
        }

        #[test]
        fn never_panics(text in "[\\PC@:/=.]*") {
            let _ = redactor(&["secret1"]).redact(&text);
        }
    }
}

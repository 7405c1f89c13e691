//! The environment of a step, built from nothing. Nothing of the runner's own variables (`NOTIFY_SOCKET`,
//! `LISTEN_FDS`, `BUNDLE_*`, `RUBYOPT`, …) ever reaches a step.

use mastmaint_config::settings::{Environment, Instance};
use mastmaint_tootctl::{Program, program};
use std::{collections::BTreeMap, path::Path};

/// What a tootctl step finds: what tootctl needs, then the instance's variables, then the step's own.
pub fn for_tootctl(instance: &Instance, step: &Environment, home: &Path) -> BTreeMap<String, String> {
    let home = home.to_string_lossy();
    let mut environment = base(&home, &format!("{home}/.rbenv/shims:{home}/.rbenv/bin:{PLAIN_PATH}"));
    for (name, value) in [
        ("RAILS_ENV", "production"),
        // Sizes are read from the output; in another locale they are `1,11 Mo` or `0バイト`.
        (LOCALE, "en"),
        // Otherwise Bundler complains about a home that it cannot write.
        ("BUNDLE_USER_HOME", "/tmp/mastmaintd-bundle"),
    ] {
        environment.insert(name.to_owned(), value.to_owned());
    }
    environment.extend(instance.environment.clone());
    environment.extend(step.clone());
    environment
}

/// What a command of a guarded change finds: the same, but the language that output is read in only where tootctl's is,
/// for what is built is made in the language of the site.
pub fn for_change(
    instance: &Instance,
    step: &Environment,
    home: &Path,
    argv: &[String],
) -> BTreeMap<String, String> {
    let mut environment = for_tootctl(instance, step, home);
    let is_said = instance.environment.contains_key(LOCALE) || step.contains_key(LOCALE);
    if !is_said && !matches!(program(argv), Program::Tootctl(_)) {
        environment.remove(LOCALE);
    }
    environment
}

/// What any other program finds, then the step's own variables.
pub fn for_program(step: &Environment, home: &Path, path: &str) -> BTreeMap<String, String> {
    let mut environment = base(&home.to_string_lossy(), path);
    environment.extend(step.clone());
    environment
}

const LOCALE: &str = "DEFAULT_LOCALE";
const PLAIN_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

fn base(home: &str, path: &str) -> BTreeMap<String, String> {
    [("HOME", home), ("LANG", "C.UTF-8"), ("NO_COLOR", "1"), ("PATH", path)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn tootctl_finds_what_it_needs_and_nothing_else() {
        let instance = Instance {
            live: "/home/mastodon/live".into(),
            user: "mastodon".into(),
            services: vec![],
            settle: mastmaint_config::settings::USUAL_SETTLE,
            environment: variables(&[("RAILS_ENV", "staging"), ("A", "instance")]),
            url: None,
        };
        let found = for_tootctl(&instance, &variables(&[("A", "step")]), Path::new("/home/mastodon"));
        let expected = variables(&[
            ("A", "step"),
            ("BUNDLE_USER_HOME", "/tmp/mastmaintd-bundle"),
            ("DEFAULT_LOCALE", "en"),
            ("HOME", "/home/mastodon"),
            ("LANG", "C.UTF-8"),
            ("NO_COLOR", "1"),
            ("PATH", "/home/mastodon/.rbenv/shims:/home/mastodon/.rbenv/bin:/usr/local/bin:/usr/bin:/bin"),
            ("RAILS_ENV", "staging"),
        ]);
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_built_is_built_in_the_language_of_the_site() {
        let mut instance = Instance {
            live: "/home/mastodon/live".into(),
            user: "mastodon".into(),
            services: vec![],
            settle: mastmaint_config::settings::USUAL_SETTLE,
            environment: variables(&[]),
            url: None,
        };
        let locale = |instance: &Instance, line: &str| {
            let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
            for_change(instance, &Environment::new(), Path::new("/h"), &argv).get(LOCALE).cloned()
        };
        assert_eq!(locale(&instance, "bin/rails assets:precompile"), None);
        assert_eq!(locale(&instance, "bin/tootctl cache clear").as_deref(), Some("en"));
        instance.environment = variables(&[(LOCALE, "fr")]);
        assert_eq!(locale(&instance, "bin/rails assets:precompile").as_deref(), Some("fr"));
    }

    #[test]
    fn a_program_finds_a_path_and_its_own_variables() {
        let found = for_program(&variables(&[("LANG", "C")]), Path::new("/var/empty"), "/usr/bin:/bin");
        let expected =
            variables(&[("HOME", "/var/empty"), ("LANG", "C"), ("NO_COLOR", "1"), ("PATH", "/usr/bin:/bin")]);
        assert_eq!(found, expected);
    }
}

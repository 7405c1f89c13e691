//! The first configuration of a host as text. Pure; whatever a host is called, the text stays one configuration.

use super::{
    facts::{facts, rival_line},
    host::{FoundInstance, Host, Media},
    proposed,
};
use crate::print::tame;
use mastmaint_config::sample_job;
use std::fmt::Write as _;

/// A commented configuration that loads without mistakes.
pub fn config(host: &Host) -> String {
    let mut text = String::from(
        "# A first configuration for this host, written by `mastmaintctl init`. Everything in it may be changed;\n\
         # `mastmaintctl check` tells whether it still makes sense, `systemctl reload mastmaintd` puts it in force.\n\
         # Every key is explained in mastmaintd.yaml(5).\n#\n# Found on this host:\n",
    );
    for fact in facts(host) {
        let _ = writeln!(text, "#   {}", comment(&fact));
    }
    if !host.rivals.is_empty() {
        text.push_str("#\n# Switch these off: they do the same work, and two at once disturb each other.\n");
        for rival in &host.rivals {
            let _ = writeln!(text, "#   {}", comment(&rival_line(rival)));
        }
    }
    text.push('\n');
    let proposed = proposed::backups(&host.backups);
    let verifying = proposed::job(&proposed);
    if let Some(instance) = &host.instance {
        instance_part(&mut text, instance);
        defaults_part(&mut text, host);
        text.push_str(&proposed::section(&proposed));
        jobs_part(&mut text, &instance.media);
        text.push_str(&verifying);
        text.push_str(&proposed::probes(&services(instance), url(instance).is_some()));
    } else {
        defaults_part(&mut text, host);
        text.push_str(&proposed::section(&proposed));
        text.push_str(NO_INSTANCE);
        text.push_str(if verifying.is_empty() { "jobs: {}\n" } else { "jobs:" });
        text.push_str(&verifying);
    }
    text.push_str(proposed::notify(host.takes_mail));
    text
}

fn instance_part(text: &mut String, instance: &FoundInstance) {
    let _ = write!(
        text,
        "instance:\n  live: {}\n  user: {}\n  # Only these units are ever acted on.\n  services: [{}]\n  environment:\n",
        quoted(&instance.live.to_string_lossy()),
        quoted(&instance.user),
        services(instance).join(", "),
    );
    for (name, value) in &instance.environment {
        let _ = writeln!(text, "    {name}: {}", quoted(value));
    }
    if let Some(url) = url(instance) {
        let _ = writeln!(text, "  url: {}", quoted(&url));
    }
    text.push('\n');
}

/// Where visitors find it, as far as it was seen.
fn url(instance: &FoundInstance) -> Option<String> {
    instance.domain.as_deref().filter(|domain| is_domain(domain)).map(|domain| format!("https://{domain}"))
}

/// Unit names for `services`: a template only where nothing plain of that name exists, an instance never, because
/// the loaded instances of a template belong to it.
pub fn services(instance: &FoundInstance) -> Vec<String> {
    let plain = |name: &str| name.trim_end_matches(".service").to_owned();
    let base = |name: &str| name.split('@').next().unwrap_or(name).to_owned();
    let whole: Vec<String> =
        instance.units.iter().map(|u| plain(&u.name)).filter(|name| !name.contains('@')).collect();
    let mut names = whole.clone();
    for name in instance.units.iter().map(|u| plain(&u.name)).filter(|name| name.contains('@')) {
        let template = format!("{}@", base(&name));
        if !whole.contains(&base(&name)) && !names.contains(&template) {
            names.push(template);
        }
    }
    names
}

fn defaults_part(text: &mut String, host: &Host) {
    text.push_str("defaults:\n");
    if let Some(zone) = &host.timezone {
        let _ = writeln!(text, "  timezone: {}", quoted(zone));
    }
    text.push_str("  timeout: 2h\n  # Between TERM and KILL: long, because a killed command leaves things half done.\n  grace: 10m\n");
    text.push('\n');
}

/// The jobs are those of the sample, so that the two never differ.
fn jobs_part(text: &mut String, media: &Media) {
    text.push_str(JOBS);
    text.push_str(&sample_job("clean-media"));
    for name in [
        "clean-preview-cards",
        "clean-orphans",
        "clean-statuses",
        "clean-profiles",
        "clean-after-restore",
        "clean-lost-cache",
    ] {
        text.push('\n');
        let job = sample_job(name);
        match media {
            _ if name != "clean-orphans" => text.push_str(&job),
            Media::Local { .. } => text.push_str(&job),
            Media::S3 { .. } => {
                text.push_str(
                    "  # Left out because media is in an object store: the listing of a whole bucket costs money.\n",
                );
                text.push_str(&commented(&job));
            }
            Media::Unknown => {
                text.push_str(
                    "  # Left out because .env.production was not read: with an object store the listing costs money.\n",
                );
                text.push_str(&commented(&job));
            }
        }
    }
}

/// A job as an example that is switched on by removing the `#`.
fn commented(job: &str) -> String {
    job.lines().fold(String::new(), |mut text, line| {
        let _ = match line.strip_prefix("  ") {
            Some(setting) if !setting.starts_with('#') => writeln!(text, "  #{setting}"),
            _ => writeln!(text, "{line}"),
        };
        text
    })
}

/// A scalar that reads back as this text: plain where it cannot mean anything else, else quoted and in ASCII.
pub(super) fn quoted(text: &str) -> String {
    let is_word = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
        .contains(&text.to_ascii_lowercase().as_str());
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.'));
    if is_plain && !is_word {
        return text.to_owned();
    }
    let inside = text.chars().fold(String::new(), |mut inside, c| {
        match c {
            '"' | '\\' => inside.extend(['\\', c]),
            ' '..='~' => inside.push(c),
            _ => {
                let _ = write!(inside, "\\U{:08x}", u32::from(c));
            }
        }
        inside
    });
    format!("\"{inside}\"")
}

/// One line without anything that ends a comment or that YAML refuses.
fn comment(text: &str) -> String {
    let line = tame(text).split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().map(|c| if c.is_alphanumeric() || matches!(c, ' '..='~') { c } else { '?' }).collect()
}

fn is_domain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':'))
}

const JOBS: &str = "\
# Mastodon's own vacuum runs at a random minute of 03:00-05:59: these keep away from it. Jobs with tootctl steps share
# the lock \"mastodon\" and never overlap. A line that begins with \"#\" and no blank is an example.
jobs:
";

const NO_INSTANCE: &str = r#"# There is no Mastodon here, so there is no `instance` and no step of it. A program of yours runs like this:
# jobs:
#   tidy:
#     schedule: "30 0 * * *"
#     steps:
#       - run: [/usr/local/bin/tidy, --quiet]
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::host::{Place, Rival, SwitchOff};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_found_on_a_host_breaks_the_file(
            value in "\\PC{0,40}", path in "/[ -~]{0,30}", word in "(?s).{0,30}", domain in "(?s).{0,20}"
        ) {
            let live = format!("/srv/{}", word.chars().filter(|c| !c.is_control()).collect::<String>());
            let instance = FoundInstance {
                live: live.clone().into(),
                user: "mastodon".into(),
                environment: vec![("PATH".into(), value.clone())],
                version: Some(word.clone()),
                domain: Some(domain),
                database: Place::Remote(word.clone()),
                media: Media::S3 { bucket: Some(word.clone()) },
                others: vec![path.clone().into()],
                ..FoundInstance::default()
            };
            let rival = Rival { file: path.into(), line: 1, what: word.clone(), switch_off: SwitchOff::Unit(word) };
            let host = Host { instance: Some(instance), rivals: vec![rival], ..Host::default() };
            let text = config(&host);
            let settings = mastmaint_config::load_str("init", &text).map(|loaded| loaded.settings);
            let read = settings.map(|s| s.instance.map(|i| (i.live, i.environment["PATH"].clone())));
            prop_assert_eq!(read.ok().flatten(), Some((live.into(), value)), "{}", text);
        }
    }
}

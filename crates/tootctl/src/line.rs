//! What a command line calls, whatever stands before it.

/// What is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// `bin/tootctl` with these arguments.
    Tootctl(Vec<String>),
    /// `bin/rails` or `rake` with these arguments.
    Rails(Vec<String>),
    /// Anything else.
    Other,
}

/// What stands before a program and only changes how it runs.
const BEFORE: [&str; 37] = [
    "env",
    "bundle",
    "exec",
    "nice",
    "ionice",
    "ruby",
    "timeout",
    "sudo",
    "doas",
    "runuser",
    "setsid",
    "nohup",
    "time",
    "stdbuf",
    "chrt",
    "taskset",
    "flock",
    "rbenv",
    "systemd-run",
    "systemd-inhibit",
    "docker",
    "docker-compose",
    "podman",
    "chronic",
    "gosu",
    "su-exec",
    "su",
    "setpriv",
    "chroot",
    "nsenter",
    "unshare",
    "prlimit",
    "ssh",
    "kubectl",
    "tini",
    "dumb-init",
    "lxc-attach",
];

/// Looks behind variables, `env`, `bundle exec`, paths: `RAILS_ENV=production bundle exec bin/rails db:migrate`.
pub fn program(words: &[String]) -> Program {
    let name = |word: &'_ String| word.rsplit('/').next().unwrap_or_default().to_owned();
    let called = words.iter().position(|word| !is_assignment(word)).unwrap_or(words.len());
    let mut rest = &words[called..];
    // `timeout 1h sudo -u mastodon …`: words of theirs stand between, whatever they are.
    let is_wrapped = rest.first().is_some_and(|word| BEFORE.contains(&name(word).as_str()));
    while let Some((word, after)) = rest.split_first() {
        match name(word).as_str() {
            "tootctl" => return Program::Tootctl(after.to_vec()),
            "rails" | "rake" => return Program::Rails(arguments(after)),
            _ if is_wrapped => rest = after,
            _ => return Program::Other,
        }
    }
    Program::Other
}

/// Variables may stand among the tasks of rails: `rails assets:precompile RAILS_ENV=production`.
fn arguments(words: &[String]) -> Vec<String> {
    words.iter().filter(|word| !is_assignment(word)).cloned().collect()
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_behind_what_stands_before() {
        let called = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            match program(&words) {
                Program::Tootctl(args) => format!("tootctl {}", args.join(" ")),
                Program::Rails(args) => format!("rails {}", args.join(" ")),
                Program::Other => "other".to_owned(),
            }
        };
        for line in [
            "bin/tootctl media usage",
            "./bin/tootctl media usage",
            "/home/mastodon/live/bin/tootctl media usage",
            "RAILS_ENV=production bin/tootctl media usage",
            "env RAILS_ENV=production HOME=/x bin/tootctl media usage",
            "/usr/bin/env -i RAILS_ENV=production bundle exec tootctl media usage",
            "nice -n 19 ruby bin/tootctl media usage",
            "timeout 1h sudo -u mastodon /home/mastodon/live/bin/tootctl media usage",
            "docker compose run --rm web bin/tootctl media usage",
            "gosu mastodon bin/tootctl media usage",
            "kubectl exec deploy/mastodon -- tootctl media usage",
            "ssh web.example /home/mastodon/live/bin/tootctl media usage",
        ] {
            assert_eq!(called(line), "tootctl media usage", "{line}");
        }
        for line in [
            "bin/rails assets:precompile",
            "RAILS_ENV=production bundle exec rails assets:precompile",
            "bundle exec rake assets:precompile RAILS_ENV=production",
        ] {
            assert_eq!(called(line), "rails assets:precompile", "{line}");
        }
        for line in ["", "/bin/sh -c bin/tootctl", "-n tootctl", "echo tootctl media"] {
            assert_eq!(called(line), "other", "{line}");
        }
    }
}

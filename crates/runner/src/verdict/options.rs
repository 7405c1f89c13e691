//! The options of the tootctl commands that take names, as data: such a command takes an option that it does not know
//! for a name, finds nothing of that name and exits with 0. Every other command refuses by itself.

use mastmaint_words::{Grade, Outcome, Reason, Verdict};

/// A command that takes names.
struct Takes {
    words: &'static str,
    options: &'static [&'static str],
    /// `c` is `-c`.
    short: &'static str,
}

const fn takes(words: &'static str, options: &'static [&'static str], short: &'static str) -> Takes {
    Takes { words, options, short }
}

const COMMANDS: &[Takes] = &[
    takes("accounts cull", &["concurrency", "dry-run"], "c"),
    takes("accounts refresh", &["all", "domain", "concurrency", "verbose", "dry-run"], "cv"),
    takes("accounts rotate", &["all"], ""),
    takes("accounts approve", &["all", "number"], "n"),
    takes("feeds build", &["all", "concurrency", "verbose", "dry-run", "skip-filled-timelines"], "acv"),
    takes(
        "domains purge",
        &[
            "concurrency",
            "verbose",
            "dry-run",
            "limited-federation-mode",
            "by-uri",
            "include-subdomains",
            "purge-domain-blocks",
        ],
        "cv",
    ),
    takes("domains crawl", &["concurrency", "silent", "format", "exclude-suspended"], "csfx"),
    takes("email-domain-blocks add", &["with-dns-records", "allow-with-approval"], ""),
    takes("email-domain-blocks remove", &[], ""),
    takes("ip-blocks add", &["severity", "comment", "duration", "force"], "scd"),
    takes("ip-blocks remove", &["force"], "f"),
];

/// The verdict on a command whose option would be taken for a name; `None` if it can run.
pub(crate) fn misspelt(args: &[String]) -> Option<Verdict> {
    let words: Vec<String> = args.iter().take(2).map(|a| a.replace('_', "-")).collect();
    let words = words.join(" ");
    let command = COMMANDS.iter().find(|c| c.words == words)?;
    // Behind `--` everything is a name on purpose.
    let mut given = args.iter().skip(2).map(String::as_str).take_while(|a| *a != "--");
    let unknown = given.find(|a| looks_like_option(a) && !command.knows(a))?;
    let shown = unknown.split('=').next().unwrap_or(unknown);
    let advice = match command.nearest(shown) {
        Some(near) => format!("did you mean --{near}?"),
        None if command.options.is_empty() => "it has no options".to_owned(),
        None => format!("it has --{}", command.options.join(", --")),
    };
    let text = format!("tootctl {words} has no option {shown} and would take it for a name; {advice}");
    Some(Verdict::because(Outcome::Failed, Grade::Exit, Reason::new("usage-error", text)))
}

/// Numbers may have a minus.
fn looks_like_option(arg: &str) -> bool {
    arg.strip_prefix('-').is_some_and(|rest| rest.starts_with(|c: char| c == '-' || c.is_alphabetic()))
}

impl Takes {
    fn knows(&self, arg: &str) -> bool {
        if let Some(long) = arg.strip_prefix("--") {
            let name = long.split('=').next().unwrap_or(long).replace('_', "-");
            let positive = name.strip_prefix("no-").or_else(|| name.strip_prefix("skip-"));
            return name == "help"
                || self.options.iter().any(|known| *known == name || Some(*known) == positive);
        }
        // `-c5`, `-c=5`, `-vc`.
        let letters: String = arg.chars().skip(1).take_while(|c| c.is_alphabetic()).collect();
        letters == "h" || letters.chars().all(|c| self.short.contains(c))
    }

    fn nearest(&self, arg: &str) -> Option<&'static str> {
        let name = arg.trim_start_matches('-').replace('_', "-");
        self.options
            .iter()
            .map(|known| (strsim::damerau_levenshtein(known, &name), *known))
            .filter(|(distance, _)| *distance <= 3 && *distance < name.len())
            .min()
            .map(|(_, known)| known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str) -> Option<String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        misspelt(&args).map(|verdict| {
            assert_eq!((verdict.outcome, verdict.reasons[0].code.as_str()), (Outcome::Failed, "usage-error"));
            verdict.reasons[0].text.clone()
        })
    }

    #[test]
    fn an_option_that_would_become_a_name_is_refused() {
        for (line, advice) in [
            ("accounts cull --dryrun", "did you mean --dry-run?"),
            ("accounts cull a.example --dry-rn", "did you mean --dry-run?"),
            ("accounts cull --concurency=5", "did you mean --concurrency?"),
            ("accounts cull --days 7", "it has --concurrency, --dry-run"),
            ("accounts cull -d", "it has --concurrency, --dry-run"),
            ("accounts refresh --al", "did you mean --all?"),
            ("domains purge x.example --dry--run", "did you mean --dry-run?"),
            ("email_domain_blocks remove --force", "it has no options"),
        ] {
            let text = refusal(line).unwrap_or_default();
            assert!(text.ends_with(advice), "{line}: {text}");
        }
    }

    #[test]
    fn what_tootctl_knows_or_refuses_by_itself_passes() {
        for line in [
            "accounts cull",
            "accounts cull --dry_run -c5 a.example",
            "accounts cull --no-dry-run --concurrency=5",
            "accounts cull -- --a-name",
            "accounts refresh --domain remote.example -vc 5",
            "feeds build --all --help",
            "media remove --day 7 --verbos",
            "",
        ] {
            assert_eq!(refusal(line), None, "{line}");
        }
    }
}

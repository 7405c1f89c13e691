//! Which tootctl commands have an effect that can be looked at, and how.

/// The command's own words, as the manual writes them.
fn words(args: &[String]) -> String {
    let words: Vec<String> =
        args.iter().take_while(|a| !a.starts_with('-')).take(2).map(|a| a.replace('_', "-")).collect();
    words.join(" ")
}

fn has(args: &[String], option: &str) -> bool {
    args.iter().any(|a| a.split('=').next().unwrap_or(a).replace('_', "-") == option)
}

/// Whether some of what it must remove can be told beforehand from rows, so that `prove: sample` means something.
pub fn can_be_sampled(args: &[String]) -> bool {
    matches!(words(args).as_str(), "media remove" | "preview-cards remove") && !has(args, "--dry-run")
}

/// Whether it removes something and its dry run counts what it would remove: for `prove: again` and `at_most`.
pub fn can_look_first(args: &[String]) -> bool {
    let removes = matches!(
        words(args).as_str(),
        "media remove" | "media remove-orphans" | "preview-cards remove" | "accounts prune" | "accounts cull"
    );
    removes && !has(args, "--dry-run")
}

/// Whether it deletes files, of which its dry run sees only the rows.
pub fn deletes_files(args: &[String]) -> bool {
    matches!(words(args).as_str(), "media remove" | "preview-cards remove" | "media remove-orphans")
}

/// Whether its count is that of the accounts it visited, and only its bytes tell what it removed.
pub fn counts_visits(args: &[String]) -> bool {
    words(args) == "media remove" && (has(args, "--prune-profiles") || has(args, "--remove-headers"))
}

/// Whether it takes every file for an orphan that the database does not know.
pub fn trusts_the_database(args: &[String]) -> bool {
    words(args) == "media remove-orphans"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn each_command_is_known_for_what_it_does() {
        let media = args("media remove --days 7");
        assert!(can_be_sampled(&media) && can_look_first(&media) && deletes_files(&media));
        assert!(!counts_visits(&media) && counts_visits(&args("media remove --prune_profiles")));
        assert!(can_be_sampled(&args("preview_cards remove")));
        let orphans = args("media remove_orphans");
        assert!(trusts_the_database(&orphans) && can_look_first(&orphans) && !can_be_sampled(&orphans));
        assert!(can_look_first(&args("accounts prune")) && !deletes_files(&args("accounts prune")));
        for line in ["feeds build --all", "statuses remove", "media remove --dry-run", "cache clear"] {
            assert!(!can_look_first(&args(line)), "{line}");
        }
    }
}

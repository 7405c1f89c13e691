//! Which commands have an effect that can be looked at, and how.

use mastmaint_tootctl::{Call, Program, program};

/// Whether some of what it must remove can be told beforehand from rows, so that `prove: sample` means something.
pub fn can_be_sampled(args: &[String]) -> bool {
    let call = Call::read(args, None);
    matches!(call.words(), "media remove" | "preview-cards remove") && !call.has("dry-run")
}

/// Whether it removes something and its dry run counts what it would remove: for `prove: again` and `at_most`.
pub fn can_look_first(args: &[String]) -> bool {
    let call = Call::read(args, None);
    let removes = matches!(
        call.words(),
        "media remove" | "media remove-orphans" | "preview-cards remove" | "accounts prune" | "accounts cull"
    );
    removes && !call.has("dry-run")
}

/// Whether it deletes files, of which its dry run sees only the rows.
pub fn deletes_files(args: &[String]) -> bool {
    let call = Call::read(args, None);
    matches!(call.words(), "media remove" | "preview-cards remove" | "media remove-orphans")
}

/// Whether its count is that of the accounts it visited, and only its bytes tell what it removed.
pub fn counts_visits(args: &[String]) -> bool {
    let call = Call::read(args, None);
    call.words() == "media remove" && (call.has("prune-profiles") || call.has("remove-headers"))
}

/// Whether it removes every file that the database does not know.
pub fn trusts_the_database(args: &[String]) -> bool {
    let call = Call::read(args, None);
    call.words() == "media remove-orphans" && !call.has("dry-run")
}

/// Whether a program builds Mastodon's assets, whatever stands before it: what was built is looked at.
pub fn builds_assets(argv: &[String]) -> bool {
    matches!(program(argv), Program::Rails(tasks) if tasks.iter().any(|task| task == "assets:precompile"))
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
        assert!(builds_assets(&args("/usr/bin/env -C /live bundle exec rails assets:precompile")));
        assert!(
            !builds_assets(&args("/live/bin/rails db:migrate")) && !builds_assets(&args("/bin/echo rails"))
        );
        for line in ["feeds build --all", "statuses remove", "media remove --dry-run", "cache clear"] {
            assert!(!can_look_first(&args(line)), "{line}");
        }
    }
}

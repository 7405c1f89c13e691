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

/// Tasks of the database that change nothing of it.
const HARMLESS: [&str; 5] = [
    "db:abort_if_pending_migrations",
    "db:migrate:status",
    "db:version",
    "db:schema:dump",
    "db:structure:dump",
];

/// Whether a command line migrates the database, also where a shell reads it.
pub fn migrates(argv: &[String]) -> bool {
    let is_task = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-' | '/' | '.');
    argv.iter().flat_map(|word| word.split(|c| !is_task(c))).any(|word| {
        // Both prepare the database.
        let is_setup = word.ends_with("bin/setup") || word.ends_with("bin/update");
        is_setup || (word.starts_with("db:") && word.len() > 3 && !HARMLESS.contains(&word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn a_migration_is_seen_also_in_a_shell() {
        for line in [
            "bin/rails db:migrate",
            "bundle exec rake db:migrate:up VERSION=1",
            "bin/setup",
            "bin/rails db:prepare",
        ] {
            assert!(migrates(&args(line)), "{line}");
        }
        let shell = |script: &str| migrates(&["/bin/sh".into(), "-c".into(), script.into()]);
        assert!(shell("git pull && SKIP=1 bin/rails 'db:migrate';true") && shell("rake db:migrate"));
        assert!(!shell("bin/rails db:abort_if_pending_migrations && bin/rails assets:precompile"));
        for line in
            ["bin/rails assets:precompile", "bin/rails db:version", "/bin/cp db: x", "/bin/echo adb:x"]
        {
            assert!(!migrates(&args(line)), "{line}");
        }
    }

    #[test]
    fn each_command_is_known_for_what_it_does() {
        let media = args("media remove --days 7");
        assert!(can_be_sampled(&media) && can_look_first(&media) && deletes_files(&media));
        assert!(!counts_visits(&media) && counts_visits(&args("media remove --prune_profiles")));
        assert!(can_be_sampled(&args("preview_cards remove")));
        let orphans = args("media remove_orphans");
        assert!(trusts_the_database(&orphans) && can_look_first(&orphans) && !can_be_sampled(&orphans));
        assert!(!trusts_the_database(&args("media remove-orphans --dry-run")), "it removes nothing");
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

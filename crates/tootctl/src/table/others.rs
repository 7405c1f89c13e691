//! What is left: settings, maintenance, the end of a server, and tootctl's own words.

use crate::{Command, Names, Schedule, Statement, option::flag};

const OK: &[Statement] = &[Statement::line(&["OK"])];

pub(super) const COMMANDS: [Command; 8] = [
    Command { statements: OK, ..Command::new("settings registrations open") },
    Command {
        options: &[flag("require-reason"), flag("require-invite-text")],
        statements: OK,
        ..Command::new("settings registrations approved")
    },
    Command { statements: OK, ..Command::new("settings registrations close") },
    Command {
        statements: &[Statement::line(&["Finished!"])],
        schedule: Schedule::Never("it asks questions, merges accounts, and Mastodon must be stopped for it"),
        ..Command::new("maintenance fix-duplicates")
    },
    Command {
        options: &[flag("dry-run")],
        statements: &[Statement::line(&[
            "Queued {any} items into Sidekiq for {visited} accounts",
            "You can shut it down and delete it any time",
        ])],
        schedule: Schedule::Never("it ends this server for good"),
        ..Command::new("self-destruct")
    },
    Command { ..Command::new("version") },
    Command { names: Names::MANY, ..Command::new("help") },
    Command { ..Command::new("tree") },
];

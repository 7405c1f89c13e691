//! `statuses`, `cache`, `feeds`, `search`: what is about the database and what is made from it.

use crate::{
    Command, Names, OptionSpec, Statement,
    command::Debris,
    option::{flag, list_of, number},
};

const CONCURRENCY: OptionSpec = number("concurrency", 1).or('c');
const VERBOSE: OptionSpec = flag("verbose").or('v');
const OK: &[Statement] = &[Statement::line(&["OK"])];
const STATUSES_DONE: &str = "Done after {any}s, removed {removed} out of {visited} statuses.";
const CONVERSATIONS_DONE: &str = "Done after {any}s, removed {removed} out of {visited} conversations.";

pub(super) const COMMANDS: [Command; 7] = [
    Command {
        options: &[
            number("days", 0),
            number("batch-size", 1).or('b'),
            flag("continue"),
            flag("clean-followed"),
            flag("skip-status-remove"),
            flag("skip-media-remove"),
            flag("compress-database"),
        ],
        statements: &[
            Statement::line(&[STATUSES_DONE]).unless(&["skip-status-remove"]),
            Statement::line(&["Done after {any}s, removed {removed} out of {visited} media_attachments."])
                .unless(&["skip-media-remove"]),
            Statement::line(&[CONVERSATIONS_DONE]),
        ],
        deletes_files: true,
        debris: &[
            Debris {
                begins: &[
                    "Extract the deletion target from statuses{any}",
                    "Beginning statuses removal{any}",
                ],
                ends: STATUSES_DONE,
                left: "statuses_to_be_deleted",
                mended_by: "the next `statuses remove` makes it anew, and with --continue goes on where this one stopped",
            },
            Debris {
                begins: &[
                    "Extract the deletion target from conversations{any}",
                    "Beginning orphans removal{any}",
                ],
                ends: CONVERSATIONS_DONE,
                left: "conversations_to_be_deleted",
                mended_by: "the next `statuses remove` makes it anew, and with --continue goes on where this one stopped",
            },
        ],
        ..Command::new("statuses remove")
    },
    Command { statements: OK, ..Command::new("cache clear") },
    Command {
        names: Names { of: &["accounts", "statuses"], ..Names::ONE },
        options: &[CONCURRENCY, VERBOSE],
        statements: &[Statement::line(&["OK, recounted {visited} records"])],
        ..Command::new("cache recount")
    },
    Command {
        names: Names::MAYBE,
        options: &[
            flag("all"),
            CONCURRENCY,
            VERBOSE,
            flag("dry-run"),
            flag("skip-filled-timelines").since(4, 2),
        ],
        statements: &[Statement::line(&["Regenerated feeds for {visited} accounts", "OK"])],
        ..Command::new("feeds build")
    },
    Command { statements: OK, ..Command::new("feeds clear") },
    Command { since: crate::Series::new(4, 3), ..Command::new("feeds vacuum") },
    Command {
        options: &[
            CONCURRENCY,
            number("batch-size", 1).or('b'),
            list_of("only", &["instances", "accounts", "tags", "statuses", "public_statuses"]),
            flag("import"),
            flag("clean"),
            flag("reset-chewy"),
            flag("only-mapping").since(4, 2),
        ],
        statements: &[
            Statement::line(&["Indexed {done} records, de-indexed {removed}"]).unless(&["only-mapping"]),
            Statement::line(&["Updated index mappings"]).only_with(&["only-mapping"]),
        ],
        ..Command::new("search deploy")
    },
];

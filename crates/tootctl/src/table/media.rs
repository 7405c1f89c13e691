//! `media`, `preview_cards`, `emoji`, `upgrade`: what is about files.

use crate::{
    Command, Names, OptionSpec, Schedule, Statement,
    command::Days,
    option::{flag, number, text},
};

const CONCURRENCY: OptionSpec = number("concurrency", 1).or('c');
const VERBOSE: OptionSpec = flag("verbose").or('v');
const DRY_RUN: OptionSpec = flag("dry-run");
/// Either makes `media remove` one of profiles.
const OF_PROFILES: &[&str] = &["prune-profiles", "remove-headers"];

pub(super) const COMMANDS: [Command; 10] = [
    Command {
        options: &[
            number("days", 0).or('d'),
            flag("prune-profiles"),
            flag("remove-headers"),
            flag("include-follows"),
            flag("keep-interacted").since(4, 6),
            CONCURRENCY,
            VERBOSE.since(4, 3),
            DRY_RUN,
        ],
        statements: &[
            Statement::line(&["Removed {visited} media attachments (approx. {bytes})"]).unless(OF_PROFILES),
            Statement::line(&["Visited {visited} accounts and removed profile media totaling {bytes}"])
                .only_with(OF_PROFILES),
        ],
        deletes_files: true,
        files_go_first: true,
        excluding: &[("prune-profiles", "remove-headers")],
        needing: &[("include-follows", OF_PROFILES)],
        days: Some(Days {
            least: 30,
            usual: 7,
            only_with: OF_PROFILES,
            why: "profile images are not fetched again when somebody looks at them",
        }),
        ..Command::new("media remove")
    },
    Command {
        options: &[text("start-after"), text("prefix"), flag("fix-permissions"), DRY_RUN],
        statements: &[Statement::line(&["Removed {removed} orphans (approx. {bytes})"])],
        deletes_files: true,
        ..Command::new("media remove-orphans")
    },
    Command {
        options: &[
            text("account"),
            text("domain"),
            number("status", 0),
            number("days", 0),
            CONCURRENCY,
            VERBOSE,
            DRY_RUN,
            flag("force"),
        ],
        statements: &[Statement::line(&["Downloaded {visited} media attachments (approx. {bytes})"])],
        wants: &["status", "account", "domain", "days"],
        ..Command::new("media refresh")
    },
    Command {
        statements: &[Statement::line(&["Attachments{any}"]), Statement::line(&["Settings{any}"])],
        ..Command::new("media usage")
    },
    Command { names: Names::ONE, ..Command::new("media lookup") },
    Command {
        options: &[number("days", 0), CONCURRENCY, VERBOSE, DRY_RUN, flag("link")],
        statements: &[Statement::line(&[
            "Removed {visited} preview cards (approx. {bytes})",
            "Removed {visited} link-type preview cards (approx. {bytes})",
            "Removed media from {visited} preview cards (approx. {bytes})",
            "Removed media from {visited} link-type preview cards (approx. {bytes})",
        ])],
        deletes_files: true,
        files_go_first: true,
        days: Some(Days {
            least: 14,
            usual: 180,
            only_with: &[],
            why: "the image of a card is fetched again only when its link is posted after two weeks",
        }),
        ..Command::new("preview-cards remove")
    },
    Command {
        names: Names::ONE,
        options: &[text("prefix"), text("suffix"), flag("overwrite"), flag("unlisted"), text("category")],
        statements: &[Statement::line(&["Imported {removed}, skipped {any}, failed to import {failed}"])],
        ..Command::new("emoji import")
    },
    Command {
        names: Names::ONE,
        options: &[text("category"), flag("overwrite")],
        statements: &[Statement::line(&["Exported {visited}, skipped {any}", "Exported {visited}"])],
        ..Command::new("emoji export")
    },
    Command {
        options: &[flag("remote-only"), flag("suspended-only").since(4, 3)],
        statements: &[Statement::line(&["OK"])],
        schedule: Schedule::OnlyWith(
            &["remote-only", "suspended-only"],
            "without --remote-only it deletes the emoji of this server",
        ),
        deletes_files: true,
        ..Command::new("emoji purge")
    },
    Command {
        options: &[DRY_RUN, VERBOSE],
        statements: &[Statement::line(&["Upgraded storage schema of {done} records"])],
        ..Command::new("upgrade storage-schema")
    },
];

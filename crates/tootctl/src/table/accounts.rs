//! `accounts`.

use crate::{
    Command, Names, OptionSpec, Schedule, Statement,
    option::{flag, number, text},
};

const CONCURRENCY: OptionSpec = number("concurrency", 1).or('c');
const VERBOSE: OptionSpec = flag("verbose").or('v');
const DRY_RUN: OptionSpec = flag("dry-run");
const OK: &[Statement] = &[Statement::line(&["OK"])];
const ONE_PERSON: Schedule = Schedule::Never("it acts on the account of one person, once");

pub(super) const COMMANDS: [Command; 15] = [
    Command {
        names: Names::MAYBE,
        options: &[flag("all")],
        statements: &[Statement::line(&["OK, rotated keys for {visited} accounts", "OK"])],
        schedule: Schedule::Never("every server that knows the accounts has to learn their new keys"),
        wants: &["all"],
        ..Command::new("accounts rotate")
    },
    Command {
        names: Names::ONE,
        options: &[
            text("email"),
            flag("confirmed"),
            text("role"),
            flag("reattach"),
            flag("force"),
            flag("approve"),
        ],
        statements: OK,
        schedule: ONE_PERSON,
        required: &["email"],
        ..Command::new("accounts create")
    },
    Command {
        names: Names::ONE,
        options: &[
            text("role"),
            flag("remove-role"),
            text("email"),
            flag("confirm"),
            flag("enable"),
            flag("disable"),
            flag("disable-2fa"),
            flag("approve"),
            flag("reset-password"),
        ],
        statements: OK,
        schedule: ONE_PERSON,
        excluding: &[("enable", "disable"), ("role", "remove-role")],
        ..Command::new("accounts modify")
    },
    Command {
        names: Names::MAYBE,
        options: &[text("email"), DRY_RUN],
        statements: OK,
        schedule: Schedule::Never("it deletes an account of this server for good"),
        deletes_files: true,
        wants: &["email"],
        ..Command::new("accounts delete")
    },
    Command {
        names: Names { least: 2, most: 2, of: &[] },
        options: &[flag("force").or('f')],
        statements: OK,
        ..Command::new("accounts merge")
    },
    Command { options: &[DRY_RUN], ..Command::new("accounts fix-duplicates") },
    Command { names: Names::ONE, statements: OK, ..Command::new("accounts backup") },
    Command {
        names: Names::MANY,
        options: &[CONCURRENCY, DRY_RUN],
        statements: &[Statement::line(&["Visited {visited} accounts, removed {removed}"])],
        deletes_files: true,
        ..Command::new("accounts cull")
    },
    Command {
        names: Names::MANY,
        options: &[flag("all"), text("domain"), CONCURRENCY, VERBOSE, DRY_RUN],
        statements: &[
            Statement::line(&["Refreshed {visited} accounts"]).only_with(&["all", "domain"]),
            Statement::line(&["OK"]).unless(&["all", "domain"]),
        ],
        wants: &["all", "domain"],
        ..Command::new("accounts refresh")
    },
    Command {
        names: Names::ONE,
        options: &[CONCURRENCY, VERBOSE],
        statements: &[Statement::line(&["OK, followed target from {visited} accounts"])],
        ..Command::new("accounts follow")
    },
    Command {
        names: Names::ONE,
        options: &[CONCURRENCY, VERBOSE],
        statements: &[Statement::line(&["OK, unfollowed target from {visited} accounts"])],
        ..Command::new("accounts unfollow")
    },
    Command {
        names: Names::ONE,
        options: &[flag("follows"), flag("followers")],
        statements: &[Statement::line(&["Processed {visited} relationships"])],
        ..Command::new("accounts reset-relationships")
    },
    Command {
        names: Names::MAYBE,
        options: &[number("number", 1).or('n'), flag("all")],
        statements: OK,
        wants: &["number", "all"],
        ..Command::new("accounts approve")
    },
    Command {
        options: &[CONCURRENCY, VERBOSE, DRY_RUN],
        statements: &[Statement::line(&["OK, pruned {removed} accounts"])],
        deletes_files: true,
        ..Command::new("accounts prune")
    },
    Command {
        names: Names::ONE,
        options: &[flag("force"), flag("replay"), text("target")],
        statements: &[Statement::line(&["OK, migrated {any} to {any}"])],
        excluding: &[("replay", "target")],
        schedule: ONE_PERSON,
        ..Command::new("accounts migrate")
    },
];

//! `domains`, `email_domain_blocks`, `canonical_email_blocks`, `ip_blocks`: who is kept out.

use crate::{
    Command, Names, OptionSpec, Schedule, Statement,
    option::{flag, number, one_of, text},
};

const CONCURRENCY: OptionSpec = number("concurrency", 1).or('c');
const SOME: Names = Names { least: 1, ..Names::MANY };

pub(super) const COMMANDS: [Command; 10] = [
    Command {
        names: Names::MANY,
        options: &[
            CONCURRENCY,
            flag("verbose").or('v'),
            flag("dry-run"),
            flag("limited-federation-mode"),
            flag("by-uri"),
            flag("include-subdomains"),
            flag("purge-domain-blocks"),
        ],
        statements: &[
            Statement::line(&["Removed {visited} accounts"]),
            Statement::line(&["Removed {removed} domain blocks"]).only_with(&["purge-domain-blocks"]),
            Statement::line(&["Removed {removed} custom emojis"]),
        ],
        schedule: Schedule::Never("it removes whole servers from this one"),
        deletes_files: true,
        wants: &["limited-federation-mode"],
        ..Command::new("domains purge")
    },
    Command {
        names: Names::MAYBE,
        options: &[
            CONCURRENCY,
            flag("silent").or('s'),
            one_of("format", &["summary", "domains", "json"]).or('f'),
            flag("exclude-suspended").or('x'),
        ],
        statements: &[
            Statement::line(&["Visited {visited} domains, {any} failed ({any}"]).unless(&["format"])
        ],
        schedule: Schedule::Never("it asks every server of the network"),
        ..Command::new("domains crawl")
    },
    Command {
        options: &[flag("only-blocked").since(4, 3), flag("only-with-approval").since(4, 3)],
        excluding: &[("only-blocked", "only-with-approval")],
        ..Command::new("email-domain-blocks list")
    },
    Command {
        names: SOME,
        options: &[flag("with-dns-records"), flag("allow-with-approval").since(4, 3)],
        statements: &[Statement::line(&["Added {visited}, skipped {any}"])],
        ..Command::new("email-domain-blocks add")
    },
    Command {
        names: SOME,
        statements: &[Statement::line(&["Removed {removed}, skipped {any}, failed {failed}"])],
        ..Command::new("email-domain-blocks remove")
    },
    Command { names: Names::ONE, ..Command::new("canonical-email-blocks find") },
    Command { names: Names::ONE, ..Command::new("canonical-email-blocks remove") },
    Command {
        names: SOME,
        options: &[
            one_of("severity", &["sign_up_requires_approval", "sign_up_block", "no_access"]),
            text("comment").or('c'),
            number("duration", 0).or('d'),
            flag("force").or('f'),
        ],
        statements: &[Statement::line(&["Added {removed}, skipped {any}, failed {failed}"])],
        required: &["severity"],
        ..Command::new("ip-blocks add")
    },
    Command {
        names: SOME,
        options: &[flag("force").or('f')],
        statements: &[Statement::line(&["Removed {removed}, skipped {any}"])],
        ..Command::new("ip-blocks remove")
    },
    Command { options: &[one_of("format", &["plain", "nginx"]).or('f')], ..Command::new("ip-blocks export") },
];

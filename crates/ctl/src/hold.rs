//! `mastmaintctl hold`: periods in which jobs do not run.

use crate::{client::Daemon, error::CtlError, exit, look, print, render, when::When};
use clap::{Args, Subcommand};
use jiff::{SignedDuration, Timestamp};
use mastmaint_config::instant::{Edge, instant};
use mastmaint_control::words::{HoldLine, Reply, Request};
use mastmaint_words::{HoldId, HoldScope, Span};
use serde::Serialize;

/// What can be done with holds.
#[derive(Debug, Subcommand)]
pub enum HoldCommand {
    /// Keep jobs marked `change: true` from running for a while; prints the id of the hold.
    Add(Add),
    /// List the holds that are on or still to come.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take back a hold that was set by hand.
    Remove {
        /// Which: its id in the list.
        id: HoldId,
    },
}

/// A hold as it is typed.
#[derive(Debug, Args)]
pub struct Add {
    /// From when on: a date, "2026-12-01 08:00", or RFC 3339; in this host's time zone [default: now].
    #[arg(long, value_name = "WHEN")]
    from: Option<String>,
    /// Up to when; a date is included.
    #[arg(long, value_name = "WHEN", required_unless_present_any = ["span", "all"])]
    until: Option<String>,
    /// For how long, like 2h or 3d.
    #[arg(long = "for", value_name = "SPAN", conflicts_with = "until")]
    span: Option<Span>,
    /// Hold every job, not only those marked change; --all 2h is --all --for 2h.
    #[arg(long, value_name = "SPAN", num_args = 0..=1)]
    #[expect(clippy::option_option, reason = "clap's way to say: absent, alone, with a value")]
    all: Option<Option<Span>>,
    /// Why, for whoever meets it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

impl Add {
    fn request(self, when: &When) -> Result<Request, CtlError> {
        let at = |text: &str, edge| {
            instant(text, &when.zone, edge).map_err(|error| CtlError::Usage(error.to_string()))
        };
        let from = self.from.as_deref().map_or(Ok(when.now), |from| at(from, Edge::Begin))?;
        let scope = if self.all.is_some() { HoldScope::All } else { HoldScope::Change };
        let until = match (self.until, self.span, self.all.flatten()) {
            (Some(until), None, None) => at(&until, Edge::End)?,
            (None, Some(span), None) | (None, None, Some(span)) => after(from, span),
            (None, None, None) => {
                return Err(CtlError::Usage("say for how long, like --for 2h, or up to when".to_owned()));
            }
            _ => return Err(CtlError::Usage("say the end once: --until, --for or --all SPAN".to_owned())),
        };
        Ok(Request::HoldAdd { from, until, scope, reason: self.reason })
    }
}

fn after(from: Timestamp, span: Span) -> Timestamp {
    SignedDuration::try_from(span.get())
        .ok()
        .and_then(|span| from.checked_add(span).ok())
        .unwrap_or(Timestamp::MAX)
}

pub(crate) fn hold(daemon: &Daemon, when: &When, command: HoldCommand) -> Result<u8, CtlError> {
    match command {
        HoldCommand::Add(add) => {
            let request = add.request(when)?;
            let Reply::HoldAdded { id } = daemon.ask(&request)? else { return Err(CtlError::BadReply) };
            print::data(&format!("{id}\n"))?;
            print::talk(&format!("hold {id} is set; take it back with `mastmaintctl hold remove {id}`"));
            Ok(exit::FINE)
        }
        HoldCommand::List { json } => list(daemon, when, json),
        HoldCommand::Remove { id } => match daemon.ask(&Request::HoldRemove { id })? {
            Reply::Done => {
                print::talk(&format!("hold {id} is removed; what was skipped meanwhile is not made up for"));
                Ok(exit::FINE)
            }
            _ => Err(CtlError::BadReply),
        },
    }
}

#[derive(Serialize)]
struct Holds {
    holds: Vec<HoldLine>,
}

fn list(daemon: &Daemon, when: &When, json: bool) -> Result<u8, CtlError> {
    let Reply::Holds { holds } = daemon.ask(&Request::Holds)? else { return Err(CtlError::BadReply) };
    if json {
        look::print_json(Holds { holds })?;
    } else if holds.is_empty() {
        print::talk("there is no hold");
    } else {
        print::data(&render::holds(&holds, when, print::width()))?;
    }
    Ok(exit::FINE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn request(args: &str) -> Result<Request, String> {
        let when = When {
            now: "2026-11-23T12:00:00Z".parse().unwrap(),
            zone: jiff::tz::TimeZone::get("Europe/Paris").unwrap(),
        };
        let words = ["mastmaintctl", "hold", "add"].into_iter().chain(args.split_whitespace());
        let cli = Cli::try_parse_from(words).map_err(|error| error.to_string())?;
        let Command::Hold { command: HoldCommand::Add(add) } = cli.command else {
            return Err("another command".to_owned());
        };
        add.request(&when).map_err(|error| error.to_string())
    }

    fn set(from: &str, until: &str, scope: HoldScope) -> Request {
        let (from, until) = (from.parse().unwrap(), until.parse().unwrap());
        Request::HoldAdd { from, until, scope, reason: String::new() }
    }

    #[test]
    fn the_end_is_said_in_one_of_three_ways() {
        let now = "2026-11-23T12:00:00Z";
        let two_hours = "2026-11-23T14:00:00Z";
        assert_eq!(request("--all 2h").unwrap(), set(now, two_hours, HoldScope::All));
        assert_eq!(request("--all --for 2h").unwrap(), set(now, two_hours, HoldScope::All));
        assert_eq!(request("--for 2h").unwrap(), set(now, two_hours, HoldScope::Change));
        assert_eq!(
            request("--from 2026-12-01 --until 2026-12-31").unwrap(),
            set("2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z", HoldScope::Change)
        );
        for wrong in [
            "",
            "--all",
            "--all 2h --until 2026-12-01",
            "--for 2h --until 2026-12-01",
            "--until never",
            "--for 2",
        ] {
            assert!(request(wrong).is_err(), "{wrong}");
        }
    }
}

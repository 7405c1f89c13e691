//! `mastmaintctl init`: looks at the host and writes a first configuration, never over an existing one.

mod backups;
pub mod cron;
pub mod dotenv;
pub mod facts;
pub mod host;
pub mod inspect;
mod proposed;
pub mod render;
mod rivals;
pub mod units;
mod write;

use crate::{
    error::CtlError,
    exit, print,
    rooms::plan::{Resident, plan},
};
use host::{Apart, FoundInstance, Host, Media};
use std::{fs, path::Path};

/// The place of the configuration below a root.
const PLACE: &str = "etc/mastmaintd/mastmaintd.yaml";

pub(crate) fn init(root: &Path, output: Option<&Path>) -> Result<u8, CtlError> {
    // A root that is mistyped would look like a host without a Mastodon.
    fs::read_dir(root).map_err(|source| CtlError::File {
        what: "cannot look below",
        path: root.to_owned(),
        source,
        advice: "name the directory that holds etc/ and home/ with --root",
    })?;
    let host = inspect::inspect(root);
    let text = render::config(&host);
    report(&host);
    if output == Some(Path::new("-")) {
        print::data(&text)?;
        return Ok(exit::FINE);
    }
    let path = output.map_or_else(|| root.join(PLACE), Path::to_owned);
    if let Some(kept) = write::write(&path, &text)? {
        print::talk(&format!("kept the shipped sample as {}", kept.display()));
    }
    print::talk(&format!("wrote {}\n\nNow:", path.display()));
    for command in next_commands(&host, &path, output.is_none() && root == Path::new("/")) {
        print::talk(&format!("  {command}"));
    }
    Ok(exit::FINE)
}

fn report(host: &Host) {
    print::talk("Found on this host:");
    for fact in facts::facts(host) {
        print::talk(&format!("  {}", print::tame(&fact)));
    }
    if !host.rivals.is_empty() {
        print::talk("\nSwitch these off, they do the same work:");
        for rival in &host.rivals {
            print::talk(&format!("  {}", print::tame(&facts::rival_line(rival))));
        }
    }
    print::talk("");
}

/// What to type next, in this order.
fn next_commands(host: &Host, path: &Path, is_in_place: bool) -> Vec<String> {
    let file = |command: &str, option: &str| {
        if is_in_place { command.to_owned() } else { format!("{command} {option}{}", path.display()) }
    };
    let mut commands = vec![file("mastmaintctl check", "")];
    let fits_shipped = host.instance.as_ref().is_none_or(|instance| {
        plan(Some(&resident(instance)), &[])
            .is_ok_and(|rooms| rooms.iter().all(|room| room.drop_in.is_none()))
    });
    if !fits_shipped {
        commands.push(file("mastmaintctl rooms --apply", "--config "));
    }
    if is_in_place {
        commands.push("systemctl enable --now mastmaintd".to_owned());
    }
    commands
}

/// Who would live in the tootctl room, as far as it was seen.
fn resident(instance: &FoundInstance) -> Resident {
    let mut media = Vec::new();
    if let Media::Local { path, apart } = &instance.media {
        media.push(path.clone());
        if let Some(Apart::Link(to)) = apart {
            media.push(to.clone());
        }
    }
    Resident {
        user: instance.user.clone(),
        home: nix::unistd::User::from_name(&instance.user).ok().flatten().map(|account| account.dir),
        live: instance.live.clone(),
        path: instance.environment.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.clone()),
        media,
    }
}

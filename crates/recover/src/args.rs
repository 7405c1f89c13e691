//! The command line.

use std::{ffi::OsString, path::PathBuf};

const USAGE: &str = "usage: mastmaintd-recover [--state DIR] [--rooms DIR] [--observe SOCKET] [--accepted DIR] [--now], or mastmaintd-recover [--state DIR] --hold; --now waits for nobody, --hold keeps from starting at boot what nobody has decided on";

/// What the command line says.
#[derive(Debug, Clone)]
pub(crate) struct Args {
    /// State directory of the systemctl room.
    pub(crate) state: PathBuf,
    /// Where the rooms' sockets are.
    pub(crate) rooms: PathBuf,
    /// Where the daemon says what it holds.
    pub(crate) observe: PathBuf,
    /// Root of the accepted configurations, which say who is told.
    pub(crate) accepted: PathBuf,
    /// Everything is closed at once and tried once: the package is being removed.
    pub(crate) now: bool,
    /// Nothing is closed; systemd is kept from starting at boot what nobody has decided on.
    pub(crate) hold: bool,
}

pub(crate) fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Args, String> {
    let mut args = Args {
        state: "/var/lib/mastmaintd-systemctl".into(),
        rooms: "/run/mastmaintd-rooms".into(),
        observe: "/run/mastmaintd/observe.sock".into(),
        accepted: "/var/lib/mastmaintd-accepted".into(),
        now: false,
        hold: false,
    };
    while let Some(argument) = arguments.next() {
        let name = argument.to_string_lossy().into_owned();
        let mut value =
            || arguments.next().map(PathBuf::from).ok_or_else(|| format!("{name} needs a value\n{USAGE}"));
        match name.as_str() {
            "--state" => args.state = value()?,
            "--rooms" => args.rooms = value()?,
            "--observe" => args.observe = value()?,
            "--accepted" => args.accepted = value()?,
            "--now" => args.now = true,
            "--hold" => args.hold = true,
            _ => return Err(format!("unknown argument {name:?}\n{USAGE}")),
        }
    }
    Ok(args)
}

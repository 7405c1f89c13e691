//! A program of a room that is started by hand: in a unit of its own that has this program's pipes, behind walls like those
//! of the room.

use std::{path::Path, process::Command};

/// Where systemd runs.
const BOOTED: &str = "/run/systemd/system";
/// The walls, as far as they do not say what may be read and written.
const WALLS: [&str; 17] = [
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "PrivateDevices=yes",
    "PrivateNetwork=yes",
    "PrivateTmp=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectSystem=strict",
    "RestrictAddressFamilies=AF_UNIX",
    "RestrictNamespaces=yes",
    "SystemCallFilter=@system-service",
    "UMask=0077",
];

/// Whether there is a systemd that puts them up.
pub(crate) fn are_here() -> bool {
    Path::new(BOOTED).exists()
}

/// A command that runs the program in a unit of this name. It must not begin with `mastmaintd-`: the drop-in of all rooms
/// would take away what is given here.
pub(crate) fn walled(unit: &str, capabilities: &str, more: &[String], program: &Path) -> Command {
    let mut command = Command::new("systemd-run");
    // The description would be the whole command line, for everybody to read.
    command.args(["--pipe", "--wait", "--collect", "--quiet", "--unit", unit, "--description", unit]);
    let capabilities = format!("CapabilityBoundingSet={capabilities}");
    for wall in std::iter::once(capabilities.as_str()).chain(WALLS).chain(more.iter().map(String::as_str)) {
        command.arg("--property").arg(wall);
    }
    command.arg(program);
    command
}

/// A word for a command of [`walled`] as it is: systemd puts variables of its own in where it finds a dollar sign.
pub(crate) fn word(text: &str) -> String {
    text.replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dollar_sign_stays_one() {
        assert_eq!(word("echo ${A} $$ $1"), "echo $${A} $$$$ $$1");
    }
}

//! The network of a drill: where no room sees to it, one of its own with nothing in it. Databases, Redis and Mastodon speak
//! over Unix sockets and miss nothing.

use nix::{
    errno::Errno,
    sched::{CloneFlags, unshare},
    unistd::{getegid, geteuid},
};
use std::{fs, io};

/// What a drill can reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Network {
    /// Nothing: the room sees to it, or it has left the host's.
    #[default]
    None,
    /// All that this host can, and why it could not leave that.
    OfHost(String),
}

/// What would help.
pub(super) const ADVICE: &str = "Do it where systemd and the rooms of mastmaintd are, or let users make namespaces: the sysctls user.max_user_namespaces and, on Debian, kernel.unprivileged_userns_clone; in a container what it may call.";

impl Network {
    /// Why Mastodon is not started in it: it would reach what the running instance does, with its keys.
    pub(super) fn forbids(&self) -> Option<String> {
        let Self::OfHost(why) = self else { return None };
        Some(format!("it would have the network of this host, and cannot have one of its own: {why}"))
    }

    /// Leaves that of the host, with all that is started from here on. To be done before there is a second thread; what
    /// works already is not seen any more by who has left.
    pub fn leave() -> Self {
        leave().map_or_else(|error| Self::OfHost(error.to_string()), |()| Self::None)
    }
}

/// Only root has networks to give; anybody else is given one along with a user namespace, in which he stays who he is.
fn leave() -> io::Result<()> {
    match unshare(CloneFlags::CLONE_NEWNET) {
        Err(Errno::EPERM) => {}
        other => return Ok(other?),
    }
    let (user, group) = (geteuid(), getegid());
    unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
    // Without that the kernel lets nobody say which groups there are.
    fs::write("/proc/self/setgroups", "deny")?;
    fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}

//! Installs Debian packages that a task needs, once.

use crate::shell::{Result, TaskError, command, output, run, say};
use std::process::Command;

/// What building the package needs beside Rust and a C compiler.
pub(crate) const PACKAGING: &[&str] = &["dpkg-dev", "binutils"];
/// What the tests of backups read and pack with.
pub(crate) const BACKUPS: &[&str] = &[
    "postgresql-client",
    "redis-tools",
    "rsnapshot",
    "restic",
    "borgbackup",
    "openssh-client",
    "openssh-server",
    "gpg",
    "gpg-agent",
    "age",
    "xz-utils",
    "zstd",
];
/// What tests of proofs, probes and drills need: servers of their own, to start them as another user, and what Mastodon
/// runs by.
pub(crate) const DATABASE: &[&str] =
    &["postgresql", "pgbouncer", "util-linux", "redis-server", "nginx-light", "ruby", "ruby-bundler"];
/// What the container tests need.
pub(crate) const CONTAINERS: &[&str] =
    &["mmdebstrap", "systemd-container", "lintian", "mount", "util-linux", "iproute2"];

/// Installs those that are missing; needs neither network nor root if none is.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    let missing: Vec<&str> = packages.iter().copied().filter(|p| !is_installed(p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    say(&format!("installing {}", missing.join(" ")));
    run(as_root("apt-get", &["-q", "update"])?)?;
    let mut args = vec!["-qy", "-o", "Dpkg::Use-Pty=0", "install", "--no-install-recommends"];
    args.extend(&missing);
    let mut apt = as_root("apt-get", &args)?;
    apt.env("DEBIAN_FRONTEND", "noninteractive");
    run(apt)
}

/// A command as root: by itself if we are, else by sudo.
pub(crate) fn as_root(program: &str, args: &[&str]) -> Result<Command> {
    if nix::unistd::geteuid().is_root() {
        return Ok(command(program, args));
    }
    if !command("sudo", ["-n", "true"]).output().is_ok_and(|o| o.status.success()) {
        return Err(TaskError::Hopeless(format!(
            "`{program}` needs root: run this as root, or as somebody whose sudo asks for no password; \
             `cargo xtask test --no-system` runs what needs neither"
        )));
    }
    let mut words = vec!["-n", "--preserve-env", program];
    words.extend(args);
    Ok(command("sudo", words))
}

fn is_installed(package: &str) -> bool {
    output(command("dpkg-query", ["-W", "-f=${db:Status-Status}", package])).is_ok_and(|s| s == b"installed")
}

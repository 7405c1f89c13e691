//! How repositories on other hosts are reached: by ssh with a key of its own, or with the keys of an object storage.

use crate::{backup::Reach, repository::Refusal, tool::Tool};
use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// Variables that would make another program of it.
const NOT_TAKEN: [&str; 3] = ["PATH", "HOME", "TMPDIR"];
/// Options of ssh with which it never asks anybody anything, goes to no host that it does not know, and is ended by one
/// that has gone away.
pub const SSH_OPTIONS: [&str; 5] = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "ConnectTimeout=30",
    "ServerAliveInterval=30",
    "ServerAliveCountMax=4",
];

/// A word of a command line that is taken apart as a shell does.
pub(crate) fn quoted(word: &Path) -> String {
    format!("'{}'", word.display().to_string().replace('\'', "'\"'\"'"))
}

/// Where ssh complains.
pub(crate) fn log(scratch: &Path) -> PathBuf {
    scratch.join(format!("ssh-{}.log", std::process::id()))
}

/// The command of ssh with its key and the hosts that it knows.
pub(crate) fn ssh(reach: &Reach, log: &Path) -> String {
    let mut command = String::from("ssh");
    for option in SSH_OPTIONS {
        let _ = write!(command, " -o {option}");
    }
    let _ = write!(command, " -E {}", quoted(log));
    if let Some(key) = &reach.ssh_key {
        let _ = write!(command, " -o IdentitiesOnly=yes -i {}", quoted(key));
    }
    if let Some(hosts) = &reach.known_hosts {
        let _ =
            write!(command, " -o {}", quoted(Path::new(&format!("UserKnownHostsFile={}", hosts.display()))));
    }
    command
}

/// The command by which restic speaks sftp with the host of a repository: `sftp:USER@HOST:PATH`, or
/// `sftp://USER@HOST:PORT/PATH`.
pub(crate) fn sftp(repository: &str, reach: &Reach, log: &Path) -> Option<String> {
    let rest = repository.strip_prefix("sftp:")?;
    let (host, port) = match rest.strip_prefix("//") {
        Some(rest) => {
            let host = rest.split('/').next()?;
            match host.rsplit_once(':') {
                Some((host, port)) => (host, Some(port.parse::<u16>().ok()?)),
                None => (host, None),
            }
        }
        None => (rest.split_once(':')?.0, None),
    };
    let port = port.map_or_else(String::new, |port| format!(" -p {port}"));
    Some(format!("{}{port} -s -- {} sftp", ssh(reach, log), quoted(Path::new(host))))
}

/// The same tool with the variables of a file: keys of an object storage.
pub(crate) fn with_environment(mut tool: Tool, reach: &Reach) -> Result<Tool, Refusal> {
    let Some(file) = &reach.environment_file else { return Ok(tool) };
    let text = fs::read_to_string(file)
        .map_err(|error| Refusal::Unreadable { at: file.display().to_string(), says: error.to_string() })?;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let line = line.strip_prefix("export ").unwrap_or(line);
        let Some((name, value)) = line.split_once('=') else { continue };
        let (name, value) = (name.trim(), value.trim().trim_matches(['"', '\'']));
        if !NOT_TAKEN.contains(&name) && !name.starts_with("LD_") {
            tool = tool.with(name, value);
        }
    }
    Ok(tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restic_and_borg_get_a_command_of_ssh() {
        let reach = Reach {
            ssh_key: Some("/k/it's".into()),
            known_hosts: Some("/k/hosts".into()),
            ..Reach::default()
        };
        let log = Path::new("/s/log");
        let of = |repository: &str, reach: &Reach| sftp(repository, reach, log).unwrap();
        let begin = ssh(&Reach::default(), log);
        assert!(begin.starts_with("ssh -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=30 "));
        assert!(begin.ends_with(" -o ServerAliveCountMax=4 -E '/s/log'"), "{begin}");
        assert_eq!(of("sftp:b@host:/srv/x", &Reach::default()), format!("{begin} -s -- 'b@host' sftp"));
        assert_eq!(
            of("sftp://b@host:2222//srv/x", &Reach::default()),
            format!("{begin} -p 2222 -s -- 'b@host' sftp")
        );
        assert_eq!(of("sftp://host/x", &Reach::default()), format!("{begin} -s -- 'host' sftp"));
        let whole = ssh(&reach, log);
        assert_eq!(
            whole,
            format!("{begin} -o IdentitiesOnly=yes -i '/k/it'\"'\"'s' -o 'UserKnownHostsFile=/k/hosts'")
        );
        assert_eq!(sftp("s3:https://x/y", &reach, log), None);
    }
}

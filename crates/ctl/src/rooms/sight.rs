//! What the change room sees of the host, as systemd has it: a command that lies where its walls hide everything would end
//! in "No such file" in there, although everybody outside sees the file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Any instance of it is like every other.
const UNIT: &str = "mastmaintd-change@sight.service";
const ASKED: &str = "--property=LoadState,ProtectHome,PrivateTmp,BindPaths,BindReadOnlyPaths";
/// What `ProtectHome` hides.
const HOMES: [&str; 3] = ["/home", "/root", "/run/user"];
/// What `PrivateTmp` hides.
const TEMPORARY: [&str; 2] = ["/tmp", "/var/tmp"];

/// What the room sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sight {
    hidden: Vec<&'static str>,
    /// Of what is hidden, nevertheless.
    bound: Vec<PathBuf>,
}

/// A word of a command that is there and that the room does not see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missed {
    word: String,
    below: &'static str,
}

impl Missed {
    /// What that means, and what to do.
    pub(crate) fn advice(&self) -> String {
        format!(
            "{} lies below {}, of which the room of changes sees nothing but the Rails root, Ruby and Node: put it where the \
             room and Mastodon's user can read it, like /usr/local/lib, /opt or /srv",
            self.word, self.below
        )
    }
}

impl Sight {
    /// That of the room that is installed; nothing where there is none, or no systemd to ask.
    pub(crate) fn of_room() -> Option<Self> {
        let asked = Command::new("systemctl").args(["show", ASKED, UNIT]).output().ok()?;
        Self::read(&String::from_utf8_lossy(&asked.stdout))
    }

    fn read(text: &str) -> Option<Self> {
        // A list has a line for each of its entries, or all of them in one.
        let values = |name: &'static str| {
            let lines = text.lines().filter_map(|line| line.split_once('='));
            lines.filter(move |(key, _)| *key == name).map(|(_, value)| value)
        };
        let value = |name| values(name).next().unwrap_or_default();
        if value("LoadState") != "loaded" {
            return None;
        }
        let mut hidden = Vec::new();
        if matches!(value("ProtectHome"), "tmpfs" | "yes") {
            hidden.extend(HOMES);
        }
        if matches!(value("PrivateTmp"), "yes" | "disconnected") {
            hidden.extend(TEMPORARY);
        }
        // SOURCE:DESTINATION:OPTIONS, with a dash before where it may be missing.
        let bound = |name| {
            let entries = values(name).flat_map(str::split_whitespace);
            entries.filter_map(|entry| Some(PathBuf::from(entry.split(':').nth(1)?))).collect::<Vec<_>>()
        };
        Some(Self { hidden, bound: [bound("BindPaths"), bound("BindReadOnlyPaths")].concat() })
    }

    /// The first word of a command that names a file of this host by its whole path, plain or behind an equals sign, which
    /// the room does not see.
    pub(crate) fn missed(&self, command: &[String]) -> Option<Missed> {
        command.iter().find_map(|word| {
            let value = word.split_once('=').map_or(word.as_str(), |(_, value)| value);
            let named = [word.as_str(), value].map(Path::new).into_iter().find(|path| path.is_absolute())?;
            // Also what is behind links is not there, and what is not there at all outside is for the command to tell.
            let real = fs::canonicalize(named).ok()?;
            let below = [named, &real].into_iter().find_map(|path| self.hides(path))?;
            Some(Missed { word: word.clone(), below })
        })
    }

    fn hides(&self, path: &Path) -> Option<&'static str> {
        let below = self.hidden.iter().find(|hidden| path.starts_with(hidden))?;
        (!self.bound.iter().any(|bound| path.starts_with(bound))).then_some(*below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOWN: &str = "LoadState=loaded
BindPaths=/home/mastodon/live:/home/mastodon/live:rbind
BindPaths=-/home/mastodon/.cache:/home/mastodon/.cache:rbind
BindReadOnlyPaths=-/home/mastodon/.rbenv:/home/mastodon/.rbenv:rbind -/home/mastodon/.nvm:/home/mastodon/.nvm:rbind
PrivateTmp=yes
ProtectHome=tmpfs
";

    #[test]
    fn what_systemd_says_is_understood() {
        let sight = Sight::read(SHOWN).unwrap();
        let hides = |path: &str| sight.hides(Path::new(path));
        assert_eq!(hides("/home/mastodon/theme.sh"), Some("/home"));
        assert_eq!(hides("/root/theme"), Some("/root"));
        assert_eq!(hides("/var/tmp/x"), Some("/var/tmp"));
        for seen in [
            "/home/mastodon/live/bin/rails",
            "/home/mastodon/.rbenv/shims/ruby",
            "/home/mastodon/.cache/yarn",
            "/home/mastodon/.nvm/versions",
            "/usr/local/x",
            "/srv/theme",
            "/rooted",
        ] {
            assert_eq!(hides(seen), None, "{seen}");
        }
        let open = Sight::read("LoadState=loaded\nPrivateTmp=no\nProtectHome=read-only\n").unwrap();
        assert_eq!(open.hides(Path::new("/root/x")), None);
        assert_eq!(Sight::read("LoadState=not-found\nProtectHome=no\n"), None, "no room, no walls");
        assert_eq!(Sight::read(""), None);
    }

    #[test]
    fn a_word_is_missed_if_it_is_there_and_hidden_also_behind_a_link() {
        let scratch = tempfile::tempdir_in("/tmp").unwrap();
        let script = scratch.path().join("install.sh");
        fs::write(&script, "").unwrap();
        let sight = Sight { hidden: vec!["/tmp"], bound: vec![] };
        let missed = |sight: &Sight, words: &[&str]| {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            sight.missed(&words).map(|missed| missed.advice())
        };
        let path = script.display().to_string();
        let said = missed(&sight, &["/bin/sh", &path]).unwrap();
        assert!(said.starts_with(&format!("{path} lies below /tmp")) && said.contains("/srv"), "{said}");
        assert!(missed(&sight, &["bin/x", &format!("--source={path}")]).is_some());
        assert_eq!(missed(&sight, &["/bin/sh", "/tmp/no-such-file", "relative", "--flag", "A=b"]), None);
        let bound = Sight { bound: vec![scratch.path().into()], ..sight };
        assert_eq!(missed(&bound, &[&path]), None);
        // A link that is seen leads to what is not.
        let beside = tempfile::tempdir_in("/var/tmp").unwrap();
        let link = beside.path().join("link");
        std::os::unix::fs::symlink(&script, &link).unwrap();
        let sight = Sight { hidden: vec!["/tmp"], bound: vec![] };
        assert!(missed(&sight, &[&link.display().to_string()]).is_some());
    }
}

//! `rsnapshot.conf`, read as rsnapshot reads it: tabs part words, a line that begins with a blank goes on with the one
//! before, included files are read in place. Commands in backticks are not run.

use super::keys::{is_known, is_reserved};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

/// Included files may include others, but not for ever.
const DEEPEST: u32 = 16;

/// One level of retention, the lowest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level {
    /// `daily`.
    pub name: String,
    /// How many generations are kept.
    pub keep: u32,
}

/// What is copied, and where below each generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// A path, `user@host:/path` or the like.
    pub source: String,
    /// Below the generation, without slashes at its ends.
    pub dest: String,
}

/// What the configuration says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conf {
    /// Where the generations are.
    pub snapshot_root: PathBuf,
    /// Levels in their order.
    pub levels: Vec<Level>,
    /// Backup points, also those of scripts.
    pub points: Vec<Point>,
    /// Patterns of `exclude`, with their place.
    pub excludes: Vec<(String, Place)>,
    /// Whether the copy goes into `.sync` first.
    pub sync_first: bool,
    /// Whether rsync links instead of `cp -al`.
    pub link_dest: bool,
    /// Whether a missing root is an error: it is a mount.
    pub no_create_root: bool,
    /// The lock file.
    pub lockfile: Option<PathBuf>,
    /// The log.
    pub logfile: Option<PathBuf>,
}

/// A line of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// From 1; 0 for the file as a whole.
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file.display()),
            line => write!(f, "{}:{line}", self.file.display()),
        }
    }
}

/// How much a note about the configuration matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoteKind {
    /// rsnapshot refuses to run.
    Mistake,
    /// It runs, but not as it seems.
    Doubt,
    /// We have not read this part.
    NotRead,
}

/// Something about the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// How much it matters.
    pub kind: NoteKind,
    /// Where.
    pub at: Place,
    /// What.
    pub text: String,
}

/// The configuration and what there is to say about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// What it says.
    pub conf: Conf,
    /// What is wrong with it.
    pub notes: Vec<Note>,
}

/// Reads a configuration from its file.
pub fn read(path: &Path) -> io::Result<Parsed> {
    let text = fs::read(path)?;
    Ok(parse(path, &String::from_utf8_lossy(&text), &mut |file| {
        fs::read(file).map(|t| String::from_utf8_lossy(&t).into_owned())
    }))
}

/// Parses the text of a configuration; `include` gives the text of included files.
pub fn parse(path: &Path, text: &str, include: &mut dyn FnMut(&Path) -> io::Result<String>) -> Parsed {
    let mut parser = Parser { parsed: Parsed::default(), seen: Seen::default(), include };
    parser.file(path, text, 0);
    parser.whole(path);
    parser.parsed
}

#[derive(Default)]
struct Seen {
    version: bool,
    rsync: bool,
    root: bool,
}

struct Parser<'a> {
    parsed: Parsed,
    seen: Seen,
    include: &'a mut dyn FnMut(&Path) -> io::Result<String>,
}

impl Parser<'_> {
    fn note(&mut self, kind: NoteKind, at: &Place, text: impl Into<String>) {
        self.parsed.notes.push(Note { kind, at: at.clone(), text: text.into() });
    }

    fn mistake(&mut self, at: &Place, text: impl Into<String>) {
        self.note(NoteKind::Mistake, at, text);
    }

    fn file(&mut self, path: &Path, text: &str, depth: u32) {
        let lines: Vec<&str> = text.lines().collect();
        let mut next = 0;
        while let Some(line) = lines.get(next) {
            next += 1;
            let number = u32::try_from(next).unwrap_or(u32::MAX);
            let at = Place { file: path.to_owned(), line: number };
            if line.starts_with('#') || line.trim().is_empty() {
                continue;
            }
            let mut line = (*line).to_owned();
            while let Some(more) =
                lines.get(next).filter(|l| l.starts_with([' ', '\t']) && !l.trim().is_empty())
            {
                line.push('\t');
                line.push_str(more.trim());
                next += 1;
            }
            self.line(&line, &at, depth);
        }
    }

    fn line(&mut self, line: &str, at: &Place, depth: u32) {
        let words = words(line);
        let Some(key) = words.first().copied().filter(|k| !k.is_empty()) else {
            return self.mistake(at, "the line begins with a tab: rsnapshot finds no word on it");
        };
        let Some(value) = words.get(1).copied() else {
            let text = if line.trim_end().contains(char::is_whitespace) {
                format!("{line:?} has blanks where tabs must be")
            } else {
                format!("{key} has no value")
            };
            return self.mistake(at, text);
        };
        if words[1..].iter().any(|w| w.starts_with(' ')) {
            self.note(
                NoteKind::Doubt,
                at,
                format!("a blank follows a tab: the value begins with it ({line:?})"),
            );
        }
        let (second, third) = (words.get(2).copied(), words.get(3).copied());
        match key {
            "include_conf" => self.include(value, at, depth),
            "config_version" if value == "1.2" => self.seen.version = true,
            "config_version" => self.mistake(at, format!("config_version {value:?} is not 1.2")),
            "snapshot_root" => self.root(value, at),
            "interval" | "retain" => self.level(key, value, second, at),
            "backup" => self.point(value, second, third, at),
            "backup_script" => self.point(value, second, None, at),
            "sync_first" | "link_dest" | "no_create_root" => self.switch(key, value, at),
            "lockfile" | "logfile" if !absolute(value) => {
                self.mistake(at, format!("{key} {value:?} is no whole path"));
            }
            "lockfile" => self.parsed.conf.lockfile = Some(value.into()),
            "logfile" => self.parsed.conf.logfile = Some(value.into()),
            "exclude" => self.parsed.conf.excludes.push((value.to_owned(), at.clone())),
            "cmd_rsync" => self.seen.rsync = true,
            known if is_known(known) => {}
            unknown => self.mistake(at, format!("{unknown:?} is no word of rsnapshot")),
        }
    }

    fn include(&mut self, value: &str, at: &Place, depth: u32) {
        if value.starts_with('`') && value.ends_with('`') && value.len() > 1 {
            let text = format!("what {value} would add is not read: the command is not run here");
            return self.note(NoteKind::NotRead, at, text);
        }
        if depth >= DEEPEST {
            return self.mistake(at, "files that include each other");
        }
        match (self.include)(Path::new(value)) {
            Ok(text) => self.file(Path::new(value), &text, depth + 1),
            Err(error) => self.mistake(at, format!("{value} cannot be read: {error}")),
        }
    }

    fn root(&mut self, value: &str, at: &Place) {
        if !absolute(value) {
            return self.mistake(at, format!("snapshot_root {value:?} is no whole path on this host"));
        }
        self.seen.root = true;
        let cut = value.trim_end_matches('/');
        self.parsed.conf.snapshot_root = if cut.is_empty() { "/".into() } else { cut.into() };
    }

    fn level(&mut self, key: &str, name: &str, count: Option<&str>, at: &Place) {
        if is_reserved(name) {
            return self.mistake(at, format!("{name:?} is a command of rsnapshot and cannot be a level"));
        }
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return self.mistake(at, format!("{name:?} is no name of a level: only letters, digits and _"));
        }
        let keep = match count.map(str::parse::<u32>) {
            Some(Ok(keep)) if keep > 0 => keep,
            Some(Ok(_)) => return self.mistake(at, format!("{key} {name} keeps 0 generations; at least 1")),
            Some(Err(_)) => {
                let count = count.unwrap_or_default();
                return self.mistake(at, format!("{count:?} is no number of generations"));
            }
            None => return self.mistake(at, format!("{key} {name} has no number")),
        };
        if self.parsed.conf.levels.iter().any(|l| l.name == name) {
            self.note(NoteKind::Doubt, at, format!("the level {name} is there twice"));
        }
        self.parsed.conf.levels.push(Level { name: name.to_owned(), keep });
    }

    fn point(&mut self, source: &str, dest: Option<&str>, options: Option<&str>, at: &Place) {
        if !self.seen.root {
            return self.mistake(at, "a backup point before snapshot_root");
        }
        let Some(dest) = dest.filter(|d| !d.is_empty()) else {
            return self.mistake(at, format!("{source} has no destination"));
        };
        for path in [source, dest] {
            if path.contains("/../") || path.ends_with("/..") || path.starts_with("../") {
                return self.mistake(at, format!("{path:?} goes up with .."));
            }
        }
        if dest.starts_with('/') {
            return self.mistake(
                at,
                format!("the destination {dest:?} begins with a slash; it lies below each generation"),
            );
        }
        for exclude in
            options.unwrap_or_default().split(',').filter_map(|o| o.trim().strip_prefix("+rsync_long_args="))
        {
            let pattern = exclude.strip_prefix("--exclude=").map(|p| p.trim_matches(['"', '\'']));
            if let Some(pattern) = pattern {
                self.parsed.conf.excludes.push((pattern.to_owned(), at.clone()));
            }
        }
        let dest = dest.trim_matches('/').trim_start_matches("./");
        let dest = if dest == "." { "" } else { dest };
        self.parsed.conf.points.push(Point { source: source.to_owned(), dest: dest.to_owned() });
    }

    fn switch(&mut self, key: &str, value: &str, at: &Place) {
        let on = match value {
            "1" => true,
            "0" => false,
            _ => return self.mistake(at, format!("{key} is 0 or 1, not {value:?}")),
        };
        let conf = &mut self.parsed.conf;
        match key {
            "sync_first" => conf.sync_first = on,
            "link_dest" => conf.link_dest = on,
            _ => conf.no_create_root = on,
        }
    }

    /// What must be there, looked at when all is read.
    fn whole(&mut self, path: &Path) {
        let at = Place { file: path.to_owned(), line: 0 };
        // What a command adds may have all of it.
        if self.parsed.notes.iter().any(|n| n.kind == NoteKind::NotRead) {
            return;
        }
        let conf = &self.parsed.conf;
        let single_first = conf.levels.len() > 1 && conf.levels[0].keep == 1;
        let missing = [
            (!self.seen.version, "config_version 1.2 is missing"),
            (!self.seen.rsync, "cmd_rsync is missing"),
            (!self.seen.root, "snapshot_root is missing"),
            (conf.levels.is_empty(), "there is no retain line"),
            (conf.points.is_empty(), "there is no backup point"),
            (
                single_first,
                "the first level keeps 1 generation and there is a second level: rsnapshot refuses that",
            ),
        ];
        for (_, text) in missing.into_iter().filter(|(is, _)| *is) {
            self.mistake(&at, text);
        }
    }
}

/// Words between tabs, four at most, as Perl's `split(/\t+/, $line, 4)` does it.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = line;
    while words.len() < 3 {
        let Some(at) = rest.find('\t') else { break };
        words.push(&rest[..at]);
        rest = rest[at..].trim_start_matches('\t');
    }
    // Perl drops empty words at the end.
    if !rest.is_empty() {
        words.push(rest);
    }
    words
}

fn absolute(path: &str) -> bool {
    path.starts_with('/') && !path.contains("/..") && !path.contains("../")
}

#[cfg(test)]
mod tests;

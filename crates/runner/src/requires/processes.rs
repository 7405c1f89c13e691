//! Which programs run on the host, whoever runs them. Read from `/proc`, which must show the processes of others.

use super::policy::Reading;
use std::{fs, path::Path};

/// What reads the program that it runs from a file: the file's name is the program's.
const INTERPRETERS: [&str; 12] =
    ["ruby", "perl", "python", "sh", "bash", "dash", "zsh", "ksh", "node", "bundle", "php", "busybox"];
/// The kernel cuts a program's name after so many bytes.
const NAME_BYTES: usize = 15;
/// A command line that is longer than this says its program before.
const MOST_WORDS: usize = 32;

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) id: u32,
    /// As the kernel has it, at most 15 bytes.
    name: String,
    words: Vec<String>,
}

impl Process {
    #[cfg(test)]
    pub(super) fn new(id: u32, name: &str, words: &[&str]) -> Self {
        Self { id, name: name.to_owned(), words: words.iter().map(|word| (*word).to_owned()).collect() }
    }

    /// Whether it runs this program: by the kernel's name of it, by its command line, or as the script that an
    /// interpreter reads. What a program has among its arguments it does not run.
    pub(super) fn is_of(&self, program: &str) -> bool {
        let cut = program.get(..NAME_BYTES).unwrap_or(program);
        if self.name == cut && (program.len() <= NAME_BYTES || self.words.is_empty()) {
            return true;
        }
        // A title that a program gives itself is one word: `postgres: mastodon …`, `bin/tootctl media remove`.
        let title = self.words.first().and_then(|title| title.split_whitespace().next());
        title.is_some_and(|title| base(title) == program) || calls(&self.words, program)
    }
}

/// Whether a command line runs a program, itself or by an interpreter.
fn calls(words: &[String], program: &str) -> bool {
    let Some((first, rest)) = words.split_first() else { return false };
    if base(first) == program {
        return true;
    }
    if !is_interpreter(base(first)) {
        return false;
    }
    let is_word = |word: &String| !word.starts_with('-') && word != "exec";
    let Some(at) = rest.iter().position(is_word) else { return false };
    // The word after a short option may be its value: `ruby -I lib bin/tootctl`.
    let may_be_value = at > 0 && rest[at - 1].len() == 2;
    let after = &rest[at + 1..];
    let next = after.iter().position(is_word).filter(|_| may_be_value);
    calls(&rest[at..], program) || next.is_some_and(|next| calls(&after[next..], program))
}

/// `/usr/bin/pg_dump`, and `-bash` of a login.
fn base(word: &str) -> &str {
    let name = word.rsplit('/').next().unwrap_or(word);
    name.strip_prefix('-').unwrap_or(name)
}

/// `python3.11` and `ruby3.3` are, too.
fn is_interpreter(name: &str) -> bool {
    INTERPRETERS.contains(&name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.'))
}

/// Every process that lives.
pub(super) fn all(proc: &Path) -> Reading<Vec<Process>> {
    // Where processes of others are hidden, the first of them is.
    if !proc.join("1/stat").exists() {
        return Err("the processes of others are hidden here (see ProtectProc= of the room)".to_owned());
    }
    let entries = fs::read_dir(proc).map_err(|error| format!("{}: {error}", proc.display()))?;
    // One that ends meanwhile does not run any more.
    let processes = entries.filter_map(|entry| read(&entry.ok()?.path()));
    Ok(processes.collect())
}

fn read(directory: &Path) -> Option<Process> {
    let id = directory.file_name()?.to_str()?.parse().ok()?;
    let stat = String::from_utf8_lossy(&fs::read(directory.join("stat")).ok()?).into_owned();
    // The name may hold blanks and brackets.
    let (before, after) = stat.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let is_dead = matches!(after.split_whitespace().next()?, "Z" | "X");
    let line = fs::read(directory.join("cmdline")).unwrap_or_default();
    let words = line.split(|byte| *byte == 0).take(MOST_WORDS).filter(|word| !word.is_empty());
    let words = words.map(|word| String::from_utf8_lossy(word).into_owned()).collect();
    (!is_dead).then_some(Process { id, name, words })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn runs(line: &str, program: &str) -> bool {
        let words: Vec<&str> = line.split(' ').collect();
        Process::new(1, "", &words).is_of(program)
    }

    #[test]
    fn a_program_is_known_however_it_was_called() {
        for line in [
            "pg_dump -Fc mastodon",
            "/usr/lib/postgresql/17/bin/pg_dump -Fc mastodon",
            "/usr/bin/perl -w /usr/bin/pg_dump mastodon",
            "python3.11 pg_dump",
            "/bin/sh -e /usr/local/sbin/pg_dump",
        ] {
            assert!(runs(line, "pg_dump"), "{line}");
        }
        for line in [
            "ruby bin/tootctl media remove",
            "ruby -I lib -W0 bin/tootctl media remove",
            "ruby3.3 -W0 /home/mastodon/live/bin/tootctl media remove",
            "/usr/bin/ruby /usr/bin/bundle exec tootctl media remove",
            "bin/tootctl",
        ] {
            assert!(runs(line, "tootctl"), "{line}");
        }
        assert!(Process::new(1, "", &["bin/tootctl media remove --days 7"]).is_of("tootctl"));
        assert!(Process::new(1, "rsnapshot", &["/usr/bin/perl", "-w", "/opt/backup.pl"]).is_of("rsnapshot"));
    }

    #[test]
    fn who_only_speaks_of_a_program_does_not_run_it() {
        for line in [
            "grep pg_dump",
            "vim /etc/pg_dump",
            "less /usr/bin/pg_dump",
            "pg_dumpall",
            "my_pg_dump",
            "/bin/sh -c",
            "bash",
            "python3 -m",
            "",
        ] {
            assert!(!runs(line, "pg_dump"), "{line}");
        }
    }

    #[test]
    fn a_name_that_the_kernel_cut_is_no_proof() {
        let cut = |words: &[&str]| Process::new(1, "mastodon-backup", words);
        assert!(cut(&["/bin/sh", "/usr/bin/mastodon-backup-all"]).is_of("mastodon-backup-all"));
        assert!(!cut(&["/bin/sh", "/usr/bin/mastodon-backup-one"]).is_of("mastodon-backup-all"));
        assert!(cut(&[]).is_of("mastodon-backup-all"), "nothing else is known");
    }

    #[test]
    fn the_living_are_seen_and_the_dead_are_not() {
        let mut child = Command::new("/bin/sleep").arg("60").stdout(Stdio::null()).spawn().unwrap();
        let seen = |id| all(Path::new("/proc")).unwrap().into_iter().find(|process| process.id == id);
        assert!(seen(child.id()).unwrap().is_of("sleep"));
        child.kill().unwrap();
        // Not waited for yet: a zombie, which has a name still.
        let begin = std::time::Instant::now();
        while seen(child.id()).is_some() && begin.elapsed().as_secs() < 20 {}
        assert!(seen(child.id()).is_none());
        child.wait().unwrap();
        let nothing = tempfile::tempdir().unwrap();
        assert!(all(nothing.path()).unwrap_err().contains("hidden"));
    }
}

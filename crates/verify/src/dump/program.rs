//! Reading a dump to its end, by `pg_restore` where it is an archive: listing it would not see a cut or a flipped bit.

use super::{Content, archive::Kind, facts::Facts, media::MediaFile, scan};
use crate::{
    decrypt::{Seal, sealed},
    finding::{Code, Finding},
    stamp::Nanos,
    stream,
};
use std::{
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

const ADVICE: &str = "It would not come back. Keep older dumps until there is a good one again, and see why: the disk it lies on, the end of pg_dump's output.";
/// What `pg_restore` complains about at length is not kept.
const COMPLAINTS: u64 = 8 * 1024;

/// The newest `pg_restore` of this host: an older one refuses archives of a newer server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restorer {
    program: PathBuf,
    major: Option<u32>,
}

impl Restorer {
    /// Looks where Debian and its relatives put them, then in the path.
    pub fn find() -> Option<Self> {
        let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let majors = versions.filter_map(|v| v.file_name().to_str()?.parse::<u32>().ok());
        let of_major = |major: u32| PathBuf::from(format!("/usr/lib/postgresql/{major}/bin/pg_restore"));
        if let Some(major) = majors.filter(|m| of_major(*m).exists()).max() {
            return Some(Self { program: of_major(major), major: Some(major) });
        }
        let others = ["/usr/bin/pg_restore", "/usr/local/bin/pg_restore", "/usr/pgsql/bin/pg_restore"];
        others.iter().map(PathBuf::from).find(|p| p.exists()).map(|program| Self { program, major: None })
    }

    /// Starts making text of an archive: of a file, or of what is fed to it.
    pub(crate) fn text(&self, content: &Content<'_>) -> io::Result<(Child, Option<Feeding>)> {
        let mut command = Command::new(&self.program);
        // Who owned something where it was made is of no use elsewhere.
        command
            .args(["-f", "-", "--no-owner", "--no-privileges"])
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", "/usr/bin:/bin");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(path) = content.path().filter(|_| !content.is_packed()) {
            return Ok((command.arg(path).spawn()?, None));
        }
        let mut input = stream::unpack(content.open()?)?;
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        let mut stdin = child.stdin.take();
        let feed = move || match &mut stdin {
            Some(stdin) => io::copy(&mut input, stdin),
            None => Ok(0),
        };
        Ok((child, Some(thread::spawn(feed))))
    }
}

/// A thread that feeds a program.
pub(crate) type Feeding = thread::JoinHandle<io::Result<u64>>;

/// Reads a dump to its end. The finding is what is wrong with it; facts are what was read until then.
pub fn read_dump(
    path: &Path,
    kind: &Kind,
    domain: Option<&str>,
    tell: &mut dyn FnMut(MediaFile),
) -> io::Result<(Facts, Option<Finding>)> {
    read_content(&Content::of_file(path, Nanos::default(), 0, None), kind, domain, tell)
}

/// The same, wherever it lies.
pub(crate) fn read_content(
    content: &Content<'_>,
    kind: &Kind,
    domain: Option<&str>,
    tell: &mut dyn FnMut(MediaFile),
) -> io::Result<(Facts, Option<Finding>)> {
    let name = &content.name;
    let not_a_dump = |what: &str| {
        let advice = "See what the command that makes the dump says; perhaps its errors went into the file, or nowhere.";
        Ok((Facts::default(), Some(Finding::fail(Code::NotADump, format!("{name} {what}"), advice))))
    };
    match kind {
        Kind::Custom(header) | Kind::Directory(header) => read_archive(content, header.version, domain, tell),
        Kind::Plain | Kind::Cluster => {
            let scanned = content
                .open()
                .and_then(stream::unpack)
                .and_then(|text| scan(text, domain, *kind == Kind::Cluster, tell));
            Ok(match scanned {
                Ok(facts) if facts.is_complete => (facts, None),
                Ok(facts) => {
                    let what = format!("{name} ends before its end: the completion line is missing");
                    (facts, Some(Finding::fail(Code::CutShort, what, ADVICE)))
                }
                Err(error) => (Facts::default(), Some(stream::broken(name, &error))),
            })
        }
        Kind::Packed(packing) => Ok((Facts::default(), Some(stream::not_unpacked(name, packing)))),
        Kind::Empty => not_a_dump("is empty"),
        Kind::Unknown if content.path().is_some_and(Path::is_dir) => {
            not_a_dump("has no toc.dat, which pg_dump -Fd writes last: it broke off, or is still at work")
        }
        // What was decrypted already is no dump whatever its seal was.
        Kind::Unknown if content.is_decrypted() => {
            not_a_dump("is no dump of PostgreSQL once it is decrypted")
        }
        Kind::Unknown => match sealed(name, Seal::of(&content.head(Seal::HEAD)?)) {
            Some(sealed) => Ok((Facts::default(), Some(sealed))),
            None => not_a_dump("is no dump of PostgreSQL"),
        },
        Kind::DataDirectory => {
            let what = format!("{name} is a data directory of PostgreSQL, not a dump");
            let advice = "Copied while the server runs it is of no use. Make dumps with pg_dump -Fc, or base backups with pg_basebackup.";
            Ok((Facts::default(), Some(Finding::fail(Code::RawDataDirectory, what, advice))))
        }
    }
}

fn read_archive(
    content: &Content<'_>,
    version: (u8, u8),
    domain: Option<&str>,
    tell: &mut dyn FnMut(MediaFile),
) -> io::Result<(Facts, Option<Finding>)> {
    let name = &content.name;
    let Some(restorer) = Restorer::find() else {
        let what = format!("{name} was not read: there is no pg_restore on this host");
        let advice = "Install the package postgresql-client of the server's version.";
        return Ok((Facts::default(), Some(Finding::warn(Code::NotChecked, what, advice))));
    };
    let (mut child, feeding) = restorer.text(content)?;
    let (text, complaints) = (child.stdout.take(), child.stderr.take());
    let complaints = thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut from) = complaints {
            let _ = (&mut from).take(COMPLAINTS).read_to_end(&mut kept);
            let _ = io::copy(&mut from, &mut io::sink());
        }
        String::from_utf8_lossy(&kept).into_owned()
    });
    let scanned = text.map_or(Ok(Facts::default()), |text| scan(text, domain, false, tell));
    if scanned.is_err() {
        let _ = child.kill();
    }
    let status = child.wait()?;
    let complaints = complaints.join().unwrap_or_default();
    let fed = feeding.and_then(|feeding| feeding.join().ok());
    let facts = scanned?;
    match fed {
        // A dump that breaks off stops pg_restore: what could not be read before is why.
        Some(Err(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            Ok((facts, Some(stream::broken(name, &error))))
        }
        _ if status.success() && facts.is_complete => Ok((facts, None)),
        _ => Ok((facts, Some(explained(name, version, restorer.major, &complaints)))),
    }
}

/// What a complaint of `pg_restore` about an archive means.
pub(crate) fn explained(name: &str, version: (u8, u8), major: Option<u32>, complaints: &str) -> Finding {
    let says = complaints.lines().rev().find(|l| l.contains("error")).or_else(|| complaints.lines().last());
    let says = says.unwrap_or("pg_restore said nothing").to_owned();
    if complaints.contains("unsupported version") {
        let have = major.map_or_else(|| "this host's".to_owned(), |m| format!("that of {m}"));
        let what = format!(
            "{name} was not read: its format {}.{} is newer than {have} pg_restore knows",
            version.0, version.1
        );
        let advice =
            "Install the package postgresql-client of the version that made it (apt.postgresql.org has all).";
        return Finding::warn(Code::NotChecked, what, advice).with([says]);
    }
    let is_cut = ["end of file", "unexpected end", "could not read"].iter().any(|w| complaints.contains(w));
    let (code, what) = if is_cut || complaints.is_empty() {
        (Code::CutShort, format!("{name} ends before its end"))
    } else {
        (Code::Damaged, format!("{name} cannot be read to its end"))
    };
    Finding::fail(code, what, ADVICE).with([says])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pg_restore_says_becomes_a_word() {
        let code = |text: &str| explained("x", (1, 16), Some(15), text);
        let newer = code("pg_restore: error: unsupported version (1.16) in file header\n");
        assert_eq!(newer.code, Code::NotChecked);
        assert!(newer.what.contains("1.16") && newer.what.contains("15"), "{}", newer.what);
        assert_eq!(
            code("pg_restore: error: could not read from input file: end of file").code,
            Code::CutShort
        );
        assert_eq!(code("pg_restore: error: could not uncompress data: (null)").code, Code::Damaged);
    }
}

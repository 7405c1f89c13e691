//! Decrypting a backup while it is read: `gpg` and `age` as a stage between the file and whoever reads it. Nothing
//! decrypted is ever written to a disk.

use crate::{
    backup::Decrypt,
    finding::{Code, Finding},
    prove::Untold,
    stream::{Input, Trouble, peek},
    tool::{Ran, Tool, last_line},
};
use std::{
    ffi::OsStr,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

const ADVICE: &str = "It would not come back. Keep older ones until there is a good one again, and see why: the disk it lies on, the program that wrote it.";
const KEY_ADVICE: &str = "Give the key that it was made for with `decrypt:`; `gpg --list-packets` or the head of the file says which. Without that key nobody can restore it.";

/// What a file is sealed with, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seal {
    None,
    Gpg,
    Age,
}

impl Seal {
    /// So many bytes tell.
    pub(crate) const HEAD: usize = 64;

    pub(crate) fn of(head: &[u8]) -> Self {
        if head.starts_with(b"age-encryption.org/") || head.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----")
        {
            return Self::Age;
        }
        if head.starts_with(b"-----BEGIN PGP MESSAGE-----") {
            return Self::Gpg;
        }
        // A packet of a session key, encrypted for a key (1) or by a passphrase (3), in the new or the old format.
        match head.first() {
            Some(first) if first & 0xc0 == 0xc0 => match first & 0x3f {
                1 | 3 => Self::Gpg,
                _ => Self::None,
            },
            Some(first) if first & 0x80 != 0 => match (first >> 2) & 0x0f {
                1 | 3 => Self::Gpg,
                _ => Self::None,
            },
            _ => Self::None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::None => "nothing",
            Self::Gpg => "gpg",
            Self::Age => "age",
        }
    }
}

/// A program that decrypts, with its key at hand.
#[derive(Debug)]
pub(crate) struct Unseal {
    tool: Tool,
    seal: Seal,
    words: Vec<String>,
    /// The home of gpg, removed at the end.
    home: Option<PathBuf>,
}

/// Why nothing can be decrypted at all.
pub(crate) type NotReady = Finding;

impl Unseal {
    /// Makes the program ready. A finding says what is missing or wrong with the key.
    pub(crate) fn ready(how: &Decrypt, scratch: &Path) -> io::Result<Result<Self, NotReady>> {
        match how {
            Decrypt::Gpg { key, passphrase } => gpg(key.as_deref(), passphrase.as_deref(), scratch),
            Decrypt::Age { key } => Ok(age(key, scratch)),
        }
    }

    /// Decrypts an input. What is not encrypted at all is handed on as it is; the caller asks [`Self::is_open`].
    pub(crate) fn open(&self, input: Input) -> io::Result<Input> {
        let (head, input) = peek(input, Seal::HEAD)?;
        let seal = Seal::of(&head);
        if seal == Seal::None {
            return Ok(input);
        }
        if seal != self.seal {
            let what = format!("is encrypted by {}, not by {}", seal.name(), self.seal.name());
            return Err(Trouble { code: Code::WrongKey, what, advice: KEY_ADVICE, says: Vec::new() }.into());
        }
        let explain = if seal == Seal::Gpg { explain_gpg } else { explain_age };
        let words: Vec<&OsStr> = self.words.iter().map(OsStr::new).collect();
        Ok(Box::new(self.tool.stream(&words, Some(input), explain)?))
    }

    /// Whether an input lies there for everybody to read.
    pub(crate) fn is_open(input: Input) -> io::Result<bool> {
        let (head, _) = peek(input, Seal::HEAD)?;
        Ok(!head.is_empty() && Seal::of(&head) == Seal::None)
    }
}

impl Drop for Unseal {
    fn drop(&mut self) {
        let Some(home) = &self.home else { return };
        // The agent that gpg has started would go on for a while without its home.
        if let Some(conf) = Tool::find("gpgconf", home) {
            let conf = conf.with("GNUPGHOME", home);
            let _ = conf.run(&["--kill", "all"], None, &Untold);
        }
        let _ = fs::remove_dir_all(home);
    }
}

/// The finding for something that should be encrypted and is not.
pub(crate) fn not_encrypted(name: &str) -> Finding {
    Finding::warn(
        Code::NotEncrypted,
        format!("{name} is not encrypted, although `decrypt:` says so"),
        "Whoever can read the file has the database. See that the program that makes it still encrypts, or take `decrypt:` away.",
    )
}

/// The finding for something that is encrypted and that nobody gave us a key for.
pub(crate) fn sealed(name: &str, seal: Seal) -> Option<Finding> {
    (seal != Seal::None).then(|| {
        Finding::warn(
            Code::NotChecked,
            format!("{name} is encrypted by {}, and there is no `decrypt:`", seal.name()),
            "Give the key with `decrypt:`, or nothing can be said of what is in it.",
        )
    })
}

fn no_program(program: &str) -> Finding {
    Finding::warn(
        Code::NotChecked,
        format!("what is encrypted was not read: there is no {program} on this host"),
        format!("Install the package {}.", if program == "age" { "age" } else { "gpg" }),
    )
}

fn no_key(path: &Path, says: String) -> Finding {
    let what = format!("the key {} cannot be used", path.display());
    let advice = "Name a file with the secret key in it, readable for the room that verifies.";
    Finding::fail(Code::WrongKey, what, advice).with([says])
}

fn age(key: &Path, scratch: &Path) -> Result<Unseal, NotReady> {
    let tool = Tool::find("age", scratch).ok_or_else(|| no_program("age"))?;
    let text = fs::read_to_string(key).map_err(|error| no_key(key, error.to_string()))?;
    if !text.lines().any(|line| line.starts_with("AGE-SECRET-KEY-") || line.contains("PRIVATE KEY")) {
        return Err(no_key(key, "there is no secret key in it".to_owned()));
    }
    let words = vec!["--decrypt".to_owned(), "--identity".to_owned(), key.display().to_string()];
    Ok(Unseal { tool, seal: Seal::Age, words, home: None })
}

fn explain_age(complaints: &str) -> Trouble {
    let says =
        complaints.lines().find(|l| l.contains("error")).map_or_else(|| last_line(complaints), str::to_owned);
    let (code, what, advice) = match () {
        () if says.contains("no identity matched") || says.contains("incorrect") => {
            (Code::WrongKey, "is encrypted for another key than the one given", KEY_ADVICE)
        }
        () if says.contains("unexpected EOF") || says.contains("unexpected end") => {
            (Code::CutShort, "ends before its end", ADVICE)
        }
        // Each piece is sealed by itself: half of one looks like one that was changed.
        () => (Code::Damaged, "cannot be decrypted to its end: it was cut short or changed", ADVICE),
    };
    Trouble { code, what: what.to_owned(), advice, says: vec![says] }
}

fn gpg(
    key: Option<&Path>,
    passphrase: Option<&Path>,
    scratch: &Path,
) -> io::Result<Result<Unseal, NotReady>> {
    // A path to its socket must be short.
    let home = scratch.join(format!("gpg{}", std::process::id()));
    DirBuilder::new().recursive(true).mode(0o700).create(&home)?;
    let Some(tool) = Tool::find("gpg", &home) else {
        fs::remove_dir_all(&home)?;
        return Ok(Err(no_program("gpg")));
    };
    let tool = tool.with("GNUPGHOME", &home);
    let mut words: Vec<String> =
        ["--batch", "--no-tty", "--quiet", "--no-options", "--pinentry-mode", "loopback"]
            .map(str::to_owned)
            .to_vec();
    if let Some(file) = passphrase {
        words.extend(["--passphrase-file".to_owned(), file.display().to_string()]);
    }
    let mut unseal = Unseal { tool, seal: Seal::Gpg, words, home: Some(home) };
    if let Some(key) = key {
        let mut import: Vec<&str> = unseal.words.iter().map(String::as_str).collect();
        let name = key.display().to_string();
        import.extend(["--status-fd", "1", "--import", &name]);
        let Ran::Ended(said) = unseal.tool.run(&import, None, &Untold)? else {
            return Err(io::ErrorKind::Interrupted.into());
        };
        let out = String::from_utf8_lossy(&said.out);
        if !has_secret_key(&out) {
            return Ok(Err(no_key(key, last_line(&said.complaints))));
        }
    }
    unseal.words.extend(["--status-fd", "2", "--trust-model", "always", "--decrypt"].map(str::to_owned));
    Ok(Ok(unseal))
}

/// `IMPORT_OK 17 …`: the flag 16 says that it is a secret key.
fn has_secret_key(status: &str) -> bool {
    let ok = status.lines().filter_map(|l| l.strip_prefix("[GNUPG:] IMPORT_OK "));
    ok.filter_map(|l| l.split(' ').next()?.parse::<u32>().ok()).any(|flags| flags & 16 != 0)
}

fn explain_gpg(complaints: &str) -> Trouble {
    let has = |word: &str| {
        complaints.lines().any(|l| l.strip_prefix("[GNUPG:] ").is_some_and(|l| l.starts_with(word)))
    };
    let spoken = complaints.lines().filter(|l| !l.starts_with("[GNUPG:]"));
    let says: Vec<String> = spoken.map(str::to_owned).take(5).collect();
    let is_of_other = (has("ENC_TO") && !has("DECRYPTION_KEY")) || has("NEED_PASSPHRASE_SYM");
    let (code, what, advice) = match () {
        () if has("BADMDC") => {
            (Code::Damaged, "cannot be decrypted to its end: its checksum disagrees", ADVICE)
        }
        // With the right key gpg says what it is about to write.
        () if is_of_other && !has("PLAINTEXT") => {
            (Code::WrongKey, "is encrypted for another key or passphrase than the one given", KEY_ADVICE)
        }
        () => (Code::CutShort, "ends before its end", ADVICE),
    };
    Trouble { code, what: what.to_owned(), advice, says }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_known_by_its_first_bytes() {
        for (head, seal) in [
            (&b"\x84\x5e\x03\x64"[..], Seal::Gpg),
            (b"\x8c\x0d\x04\x09", Seal::Gpg),
            (b"\xc1\xc0\x4c\x03", Seal::Gpg),
            (b"-----BEGIN PGP MESSAGE-----", Seal::Gpg),
            (b"age-encryption.org/v1\n", Seal::Age),
            (b"-----BEGIN AGE ENCRYPTED FILE-----", Seal::Age),
            (b"PGDMP", Seal::None),
            (b"REDIS0011", Seal::None),
            (b"\x1f\x8b\x08", Seal::None),
            (b"\x28\xb5\x2f\xfd", Seal::None),
            (b"\xfd7zXZ\0", Seal::None),
            (b"", Seal::None),
        ] {
            assert_eq!(Seal::of(head), seal, "{head:?}");
        }
    }

    #[test]
    fn what_gpg_says_becomes_a_word() {
        let code = |lines: &[&str]| {
            let lines: Vec<String> = lines.iter().map(|l| format!("[GNUPG:] {l}")).collect();
            explain_gpg(&lines.join("\n")).code
        };
        assert_eq!(code(&["ENC_TO 64F1", "BEGIN_DECRYPTION", "DECRYPTION_FAILED"]), Code::WrongKey);
        let begun = ["ENC_TO 64F1", "DECRYPTION_KEY C55E", "BEGIN_DECRYPTION"];
        assert_eq!(
            code(&[&begun[..], &["PLAINTEXT 62", "BADMDC", "DECRYPTION_FAILED"]].concat()),
            Code::Damaged
        );
        assert_eq!(code(&[&begun[..], &["PLAINTEXT 62", "DECRYPTION_FAILED"]].concat()), Code::CutShort);
        assert_eq!(code(&["NEED_PASSPHRASE_SYM 9 3 2", "DECRYPTION_FAILED"]), Code::WrongKey);
        assert_eq!(code(&["NODATA 3"]), Code::CutShort);
    }
}

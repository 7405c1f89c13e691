//! A `dump.rdb`: its magic, its end and its checksum.

use crate::{
    finding::{Code, Finding},
    stream::{self, Input},
};
use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    process::{Command, Stdio},
};

const PROGRAM: &str = "/usr/bin/redis-check-rdb";
/// The end mark and eight bytes of checksum.
const TAIL: usize = 9;
const END_MARK: u8 = 0xff;
const ADVICE: &str = "Without it queues and home feeds are lost; `tootctl feeds build --all` brings the feeds back. Keep an older dump until there is a good one.";

/// Reads a dump to its end; what is wrong with it, if anything.
pub fn check(path: &Path) -> io::Result<Vec<Finding>> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let mut findings: Vec<Finding> = check_content(&name, &mut File::open(path)?)?.into_iter().collect();
    if findings.is_empty() && Path::new(PROGRAM).exists() {
        findings.extend(check_by_program(&name, path)?);
    }
    Ok(findings)
}

/// The same of one that lies elsewhere: `redis-check-rdb` wants a file and is not asked.
pub(crate) fn check_input(name: &str, mut input: Input) -> Vec<Finding> {
    match check_content(name, &mut input) {
        Ok(finding) => finding.into_iter().collect(),
        Err(error) => vec![stream::broken(name, &error)],
    }
}

fn check_content(name: &str, input: &mut impl Read) -> io::Result<Option<Finding>> {
    let mut buffer = vec![0; 256 * 1024];
    let (mut crc, mut rest, mut total): (u64, Vec<u8>, u64) = (0, Vec::new(), 0);
    let table = table();
    let mut magic = Vec::new();
    loop {
        let count = input.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        if magic.len() < 9 {
            magic.extend(buffer[..count].iter().take(9 - magic.len()));
        }
        total += count as u64;
        // The last bytes wait: they may be the tail.
        rest.extend_from_slice(&buffer[..count]);
        let done = rest.len().saturating_sub(TAIL);
        crc = update(&table, crc, &rest[..done]);
        rest.drain(..done);
    }
    let version = magic.strip_prefix(b"REDIS").and_then(|v| std::str::from_utf8(v).ok()?.parse::<u32>().ok());
    let Some(version) = version else {
        let what = match total {
            0 => format!("{name} is empty"),
            _ => format!("{name} is no dump of Redis"),
        };
        return Ok(Some(Finding::fail(Code::NotADump, what, ADVICE)));
    };
    // Checksums came with version 5.
    if version < 5 {
        return Ok(None);
    }
    let cut = || Some(Finding::fail(Code::CutShort, format!("{name} ends before its end"), ADVICE));
    let Some((&mark, sum)) = rest.split_first().filter(|_| rest.len() == TAIL) else { return Ok(cut()) };
    let told = sum.try_into().map_or(0, u64::from_le_bytes);
    let crc = update(&table, crc, &[mark]);
    Ok(match (mark == END_MARK, told == crc) {
        (true, true) => None,
        // Redis writes zero where checksums are turned off.
        (true, false) if told == 0 => None,
        (true, false) => {
            Some(Finding::fail(Code::Damaged, format!("{name}: its checksum disagrees"), ADVICE))
        }
        (false, _) => cut(),
    })
}

fn check_by_program(name: &str, path: &Path) -> io::Result<Option<Finding>> {
    let output =
        Command::new(PROGRAM).arg(path).env_clear().env("LC_ALL", "C").stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(None);
    }
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok(Some(refused(name, &text)))
}

/// What it means that `redis-check-rdb` refuses a dump. One of a newer Redis than this host's (a backup server seldom
/// has that of the instance) is not damaged: its checksum was right.
fn refused(name: &str, text: &str) -> Finding {
    if text.contains("Can't handle RDB format version") {
        let what = format!(
            "{name} was written by a newer Redis than the redis-check-rdb of this host can read: its checksum was checked, not its keys"
        );
        return Finding::info(Code::NotChecked, what, "Install redis-tools as new as Mastodon's Redis.");
    }
    let says = text.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("no word").trim().to_owned();
    Finding::fail(Code::Damaged, format!("redis-check-rdb refuses {name}"), ADVICE).with([says])
}

/// CRC-64 of Redis (Jones), reflected.
const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;

fn table() -> [u64; 256] {
    let mut table = [0; 256];
    for (byte, entry) in (0_u64..).zip(&mut table) {
        let mut crc = byte;
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ POLYNOMIAL } else { crc >> 1 };
        }
        *entry = crc;
    }
    table
}

fn update(table: &[u64; 256], crc: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(crc, |crc, byte| table[usize::from(crc.to_le_bytes()[0] ^ byte)] ^ (crc >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump() -> Vec<u8> {
        let mut dump = b"REDIS0011".to_vec();
        dump.extend_from_slice(&[7; 3000]);
        dump.push(END_MARK);
        let sum = update(&table(), 0, &dump);
        dump.extend_from_slice(&sum.to_le_bytes());
        dump
    }

    fn code(bytes: &[u8]) -> Option<Code> {
        check_content("dump.rdb", &mut &bytes[..]).unwrap().map(|f| f.code)
    }

    #[test]
    fn a_dump_that_is_too_new_for_the_program_is_not_called_damaged() {
        let new = "[offset 0] Checking RDB file dump.rdb\n--- RDB ERROR DETECTED ---\n\
            [offset 9] Can't handle RDB format version 12\n[info] 0 keys read\n";
        assert_eq!(refused("dump.rdb", new).code, Code::NotChecked);
        let broken = "--- RDB ERROR DETECTED ---\n[offset 90] Unexpected EOF reading RDB file\n";
        assert_eq!(refused("dump.rdb", broken).code, Code::Damaged);
    }

    #[test]
    fn the_checksum_is_that_of_redis() {
        assert_eq!(update(&table(), 0, b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn a_flipped_bit_a_cut_and_another_file_have_their_words() {
        let good = dump();
        assert_eq!(code(&good), None);
        let mut flipped = good.clone();
        flipped[1000] ^= 1;
        assert_eq!(code(&flipped), Some(Code::Damaged));
        for cut in [10, 1000, good.len() - 1] {
            assert!(matches!(code(&good[..cut]), Some(Code::CutShort | Code::Damaged)), "cut at {cut}");
        }
        assert_eq!(code(b""), Some(Code::NotADump));
        assert_eq!(code(b"PGDMP and more"), Some(Code::NotADump));
        let mut without = good;
        let at = without.len() - 8;
        without[at..].fill(0);
        assert_eq!(code(&without), None, "checksums turned off");
    }
}

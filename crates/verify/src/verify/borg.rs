//! A night in a repository of Borg: its archives, the newest of them, its segments, and one part of the newest archive
//! read by borg itself, which decrypts it.

use super::{
    Night, Report,
    book::{Book, Part},
    repository::{Stop, newest_is_complete, too_large},
    source::Source,
    wait::being_written,
};
use crate::{
    backup::Borg,
    borg::{Archive, Listed, Reading, Repository, Segment, choose, read_segment, segments},
    check::{Age, KnownBy, raw_copies},
    error::VerifyError,
    finding::{Code, Finding, some_of},
    parts::Weights,
    prove::{Candidate, Identity, State, Told, pick},
    stamp::{Nanos, Stamp},
};
use jiff::Timestamp;
use mastmaint_words::{Bytes, Span, human};
use std::{
    fs::File,
    io::{BufWriter, Write as _},
    time::{Duration, Instant},
};

/// Stand for segments and for parts of archives in the store of proofs.
const SEGMENTS: u32 = 2;
const ARCHIVE: u32 = 3;

const ADVICE: &str = "Look after the disk (smartctl -a, dmesg). Keep a copy of the repository before `borg check --repair`; a new archive of what is still there brings its content back.";

pub(super) fn verify(night: &Night<'_>, place: &Borg) -> Result<Report, VerifyError> {
    look(night, place).or_else(|stop| stop.report(night, &place.repository))
}

fn look(night: &Night<'_>, place: &Borg) -> Result<Report, Stop> {
    let begun = Instant::now();
    let repository = Repository::new(place, night.request.scratch)?;
    let (locks, waited) = night.wait_for_locks("borg", || repository.locks(Timestamp::now()))?;
    let archives = repository.archives()?;
    let mut findings: Vec<Finding> = waited.into_iter().collect();
    findings.extend(locks.left("borg", "borg break-lock"));
    let newest = choose(&archives, place);
    let age = newest.map(|a| Age { name: a.name.clone(), at: a.start, known_by: KnownBy::Stamp });
    findings.extend(night.fresh(age.as_ref()));
    let (mut history, mut weights) = (None, Weights::default());
    match newest.map(|newest| Listed::of(&repository, newest, None, night.tell)) {
        Some(Ok(listed)) => {
            history = Some((listed.listing.paths, listed.listing.bytes));
            weights = listed.weights.clone();
            findings.extend(listed.unhealthy());
            findings.extend(raw_copies(&listed.listing));
            let source = Source { name: listed.name(), tree: Box::new(listed), below: Vec::new() };
            findings.extend(newest_is_complete(night, &source));
        }
        Some(Err(refusal)) => findings.push(refusal.finding(&place.repository)?),
        None => {}
    }
    let stamps: Vec<Stamp> = archives.iter().filter(|a| a.is_of(place)).map(|a| Stamp::of(a.start)).collect();
    let mut book = Book::open(night)?;
    findings.extend(book.forgotten("archives", &stamps));
    let mut said = vec![format!("{} archives", stamps.len())];
    let mut work = Work { night, repository: &repository, archives: &archives, begun, findings };
    let mut present = Vec::new();
    if locks.held.is_empty() {
        present = work.segments(&mut book)?;
    }
    let mut also = Vec::new();
    if let (Some(newest), true, Some((_, bytes))) = (newest, locks.held.is_empty(), history) {
        also = work.archive(&mut book, newest, (&weights, bytes), &mut said)?;
    }
    let findings = work.findings;
    // Elsewhere its segments cannot be seen: what was read of the newest archive is all that is proved.
    let (things, present, also) = if repository.directory.is_some() {
        ("segments", present, also)
    } else {
        ("parts of the newest archive", also, Vec::new())
    };
    let proved = book.close(things, &present, &also, &stamps, history)?;
    Ok(night.report(age, Some(proved), &said, findings))
}

fn of_segment(segment: &Segment) -> Part {
    Part {
        identity: Identity::new(SEGMENTS, segment.number),
        hash: [0; 32],
        size: segment.size,
        changed: segment.changed,
        name: format!("segment {}", segment.number),
    }
}

/// What is read in a night.
struct Work<'a> {
    night: &'a Night<'a>,
    repository: &'a Repository,
    archives: &'a [Archive],
    begun: Instant,
    findings: Vec<Finding>,
}

impl Work<'_> {
    /// What is left of the time of this night.
    fn time_left(&self) -> Option<Duration> {
        let time = self.night.request.backup.budget.time.filter(|_| !self.night.request.full).map(Span::get);
        time.map(|time| time.saturating_sub(self.begun.elapsed()))
    }

    /// Whether somebody else worked in the repository since it was listed.
    fn has_moved(&self) -> bool {
        let is_locked = self.repository.locks(Timestamp::now()).is_ok_and(|locks| !locks.held.is_empty());
        is_locked || self.repository.archives().is_ok_and(|now| now != self.archives)
    }

    /// Says what is wrong, unless somebody else works there: then it may be of two minds.
    fn told(&mut self, wrong: Vec<Finding>) -> bool {
        if wrong.is_empty() {
            return true;
        }
        if self.has_moved() {
            let what = "the repository was written to while it was read";
            self.findings.push(being_written(what, "new archives, or a lock"));
            return false;
        }
        self.findings.extend(wrong);
        true
    }

    /// Reads the segments that are due, the oldest proofs first. Gives all that are there.
    fn segments(&mut self, book: &mut Book) -> Result<Vec<Part>, Stop> {
        let Some(directory) = &self.repository.directory else { return Ok(Vec::new()) };
        let all = segments(directory).map_err(VerifyError::backup(directory))?;
        let due: Vec<&Segment> = all.iter().filter(|s| is_due(book, s)).collect();
        let candidate = |s: &&Segment| Candidate {
            tried: book.tried(of_segment(s).identity),
            ino: s.number,
            size: s.size,
        };
        let candidates: Vec<Candidate> = due.iter().map(candidate).collect();
        let mut wrong = Vec::new();
        let mut told = Told { files: all.len() as u64, ..Told::default() };
        for at in pick(&candidates, book.nightly.bytes(), 0) {
            if self.time_left().is_some_and(|left| left.is_zero()) {
                break;
            }
            let segment = due[at];
            let reading = read_segment(segment, &mut |bytes| {
                told.bytes += bytes;
                self.night.tell.progress(told);
                !self.night.tell.is_cancelled()
            });
            if self.night.tell.is_cancelled() {
                return Err(VerifyError::Cancelled.into());
            }
            told.read += 1;
            wrong.extend(judge(book, segment, reading)?);
        }
        wrong.extend(self.missing(book, &all));
        self.told(wrong);
        Ok(all.iter().map(of_segment).collect())
    }

    /// Segments that were there and are gone, although nothing was written since that could have compacted them.
    fn missing(&self, book: &Book, all: &[Segment]) -> Option<Finding> {
        let written = Stamp::of(self.repository.written()?.try_into().ok()?);
        let is_there = |number: u64| all.binary_search_by_key(&number, |s| s.number).is_ok();
        let gone = book.proofs(SEGMENTS).filter(|p| p.proved > written && !is_there(p.identity.number()));
        let names: Vec<String> = gone.map(|p| String::from_utf8_lossy(&p.path).into_owned()).collect();
        (!names.is_empty()).then(|| {
            let what =
                format!("{} of the repository missing, and borg did not compact it", counted(names.len()));
            Finding::fail(Code::Missing, what, ADVICE)
                .with(some_of(names.iter().cloned(), names.len() as u64))
        })
    }

    /// Has borg read the part of the newest archive that waits longest. `borg check` is of no use here: also without
    /// `--repair` it writes into the repository. Gives the parts that are kept.
    fn archive(
        &mut self,
        book: &mut Book,
        newest: &Archive,
        (weights, bytes): (&Weights, u64),
        said: &mut Vec<String>,
    ) -> Result<Vec<Part>, Stop> {
        let backup = self.night.request.backup;
        let parts = weights.parts(backup.budget.bytes.map(Bytes::get), backup.prove_every.get());
        let of = match parts {
            Ok(of) => of,
            Err(_) if self.night.request.full => 1,
            Err(least) => {
                self.findings.push(too_large(&newest.name, least, backup.budget.bytes));
                return Ok(Vec::new());
            }
        };
        let all: Vec<Part> = (1..=of).map(|part| of_part(newest, part, bytes / u64::from(of))).collect();
        let due = all.iter().filter(|p| book.is_due(p.identity));
        let next = due.min_by_key(|p| (book.tried(p.identity), p.identity.number()));
        let (what, read, wanted): (String, &[Part], _) = match next {
            _ if self.night.request.full => (format!("all of {}", newest.name), &all, None),
            None => return Ok(all),
            Some(part) => {
                let number = u8::try_from(part.identity.number()).unwrap_or(u8::MAX);
                let what = format!("part {number} of {of} of {}", newest.name);
                (what, std::slice::from_ref(part), Some((number, of)))
            }
        };
        match self.read(newest, wanted)? {
            None => self.findings.push(took_too_long(&what, self.night)),
            Some(lines) => {
                let wrong = of_lines(&format!("{what} cannot be read to its end"), &lines);
                let state = if wrong.is_empty() { State::Sound } else { State::Unreadable };
                if self.told(wrong) {
                    read.iter().try_for_each(|part| book.keep(part, state))?;
                    said.push(format!("{what} read by borg tonight"));
                }
            }
        }
        Ok(all)
    }

    /// Has a part of an archive read, or all of it.
    fn read(&self, newest: &Archive, part: Option<(u8, u8)>) -> Result<Option<Vec<String>>, Stop> {
        let tell = self.night.tell;
        let Some((part, of)) = part.filter(|(_, of)| *of > 1) else {
            return Ok(self.repository.read(newest, None, self.time_left(), tell)?);
        };
        let path = self.repository.scratch("borg-patterns");
        let of_path = || VerifyError::store(path.clone());
        let mut out = BufWriter::new(File::create(&path).map_err(of_path())?);
        let count = self.repository.patterns(newest, (part, of), tell, &mut out)?;
        out.flush().map_err(of_path())?;
        let read = match count {
            0 => Ok(Some(Vec::new())),
            _ => self.repository.read(newest, Some(&path), self.time_left(), tell),
        };
        std::fs::remove_file(&path).map_err(of_path())?;
        Ok(read?)
    }
}

fn of_part(archive: &Archive, part: u8, size: u64) -> Part {
    Part {
        identity: Identity::new(ARCHIVE, u64::from(part)),
        hash: [0; 32],
        size,
        changed: Nanos::default(),
        name: format!("part {part} of {}", archive.name),
    }
}

/// A segment that was written to is another one.
fn is_due(book: &Book, segment: &Segment) -> bool {
    let identity = of_segment(segment).identity;
    let is_other = book.proof(identity).is_some_and(|p| (p.size, p.mtime) != (segment.size, segment.changed));
    is_other || book.is_due(identity)
}

/// Keeps what was read, and says what is wrong with it.
fn judge(book: &mut Book, segment: &Segment, reading: Reading) -> Result<Option<Finding>, Stop> {
    let part = of_segment(segment);
    let before = book
        .proof(part.identity)
        .filter(|p| p.proved != Stamp::NEVER && (p.size, p.mtime) == (segment.size, segment.changed));
    let name = format!("segment {} of the repository", segment.number);
    let path = segment.path.display().to_string();
    let (state, finding) = match reading {
        Reading::Unsettled => return Ok(None),
        Reading::Whole(hash) => match before {
            Some(p) if p.hash != hash => {
                let what = format!("rot in {name}: its content changed while size and time did not");
                (State::Rotten, Some(Finding::fail(Code::Rot, what, ADVICE).with([path])))
            }
            _ => {
                book.keep(&Part { hash, ..part }, State::Sound)?;
                return Ok(None);
            }
        },
        Reading::Damaged { at, why } => {
            let good =
                before.map(|p| format!("it was good on {}", p.proved.at().strftime("%Y-%m-%d %H:%M:%S UTC")));
            let what = format!("{name} is damaged: {why}");
            let lines = [format!("{path}, byte {at}")].into_iter().chain(good);
            (State::Unreadable, Some(Finding::fail(Code::Damaged, what, ADVICE).with(lines)))
        }
        Reading::Unreadable(why) => {
            let what = format!("{name} cannot be read");
            (State::Unreadable, Some(Finding::fail(Code::Unreadable, what, ADVICE).with([path, why])))
        }
    };
    book.keep(&part, state)?;
    Ok(finding)
}

fn of_lines(what: &str, lines: &[String]) -> Vec<Finding> {
    if lines.is_empty() {
        return Vec::new();
    }
    vec![Finding::fail(Code::Damaged, what, ADVICE).with(some_of(lines.iter().cloned(), lines.len() as u64))]
}

fn counted(segments: usize) -> String {
    if segments == 1 { "1 segment".to_owned() } else { format!("{segments} segments") }
}

fn took_too_long(what: &str, night: &Night<'_>) -> Finding {
    let time = night.request.backup.budget.time.map(Span::get).unwrap_or_default();
    Finding::warn(
        Code::NotChecked,
        format!("{what} was not read to its end in {}", human::span(time)),
        "Give it more time with `budget: {time: …}`, or less to read in a night with `budget: {bytes: …}`.",
    )
}

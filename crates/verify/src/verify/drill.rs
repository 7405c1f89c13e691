//! Bringing the newest dump to life when that is due: what is handed to who does it, and what is remembered of it.

use super::{Night, dumps::Dump};
use crate::{
    backup::{Drill, DrillPlan},
    check::Mastodon,
    drill::{Order, Shape},
    dump::{Content, Kind, Restorer},
    error::VerifyError,
    finding::{Code, Finding},
    prove::grouped,
    stream,
};
use jiff::Timestamp;
use mastmaint_words::human;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, DirBuilder, File},
    io,
    os::{fd::OwnedFd, unix::fs::DirBuilderExt as _},
    path::{Path, PathBuf},
    process::Child,
    thread,
    time::Duration,
};

/// What tonight's verification says of drills.
pub(super) struct Tonight {
    pub(super) said: String,
    pub(super) findings: Vec<Finding>,
    pub(super) last: Option<Drill>,
}

/// What is remembered from night to night.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Memory {
    /// The last drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Drill>,
    /// The last good one: the measure of the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    good: Option<Drill>,
}

/// Brings a dump to life if it is whole and a drill is due.
pub(super) fn tonight(
    night: &Night<'_>,
    plan: &DrillPlan,
    dump: &Dump<'_>,
    mastodon: Option<&Mastodon>,
    is_whole: bool,
) -> Result<Tonight, VerifyError> {
    let request = night.request;
    let path = request.proofs.join(request.name).join("drills.json");
    let mut memory = Memory::read(&path);
    let mut tonight = Tonight { said: String::new(), findings: Vec::new(), last: None };
    let is_due = request.full || is_due(plan, memory.last.as_ref(), request.now);
    if let Some(room) = request.drills.filter(|_| is_whole && is_due) {
        let (order, open, mut unpacking) = handed_over(plan, dump, mastodon, memory.good.clone())
            .map_err(VerifyError::backup(&dump.content.name))?;
        let drilled = room.ask(&order, &open, night.tell);
        end(unpacking.as_mut());
        match drilled {
            Ok(drilled) => {
                tonight.findings = drilled.findings;
                if drilled.drill.is_good {
                    memory.good = Some(drilled.drill.clone());
                }
                memory.last = Some(drilled.drill);
                memory.keep(&path).map_err(VerifyError::store(&path))?;
            }
            Err(VerifyError::Cancelled) => return Err(VerifyError::Cancelled),
            Err(error) => {
                let what = format!("{} was not brought to life: {error}", dump.age.name);
                let advice = "See journalctl -u 'mastmaintd-drill@*' for what ended it; the next verification tries again.";
                tonight.findings.push(Finding::fail(Code::DrillDied, what, advice));
            }
        }
    }
    tonight.said = sentence(memory.good.as_ref(), request.now);
    tonight.last = memory.last;
    Ok(tonight)
}

/// One that was not good is tried again in the next night.
fn is_due(plan: &DrillPlan, last: Option<&Drill>, now: Timestamp) -> bool {
    let Some(last) = last.filter(|last| last.is_good) else { return true };
    // A clock that was set back must not put it off for ever.
    Duration::try_from(now.duration_since(last.at)).map_or(true, |age| age >= plan.schedule.age())
}

/// The order and the open dump. A directory goes as the text that `pg_restore` makes of it: who has it needs no right
/// to the files in it. What lies in another backup, or is encrypted, comes through a pipe.
fn handed_over(
    plan: &DrillPlan,
    dump: &Dump<'_>,
    mastodon: Option<&Mastodon>,
    before: Option<Drill>,
) -> io::Result<(Order, OwnedFd, Option<Child>)> {
    let content = dump.content;
    let mut unpacking = None;
    let (shape, open) = match (&dump.kind, content.path()) {
        (Ok(Kind::Custom(header)), Some(path)) => {
            (Shape::Archive(header.version.0, header.version.1), OwnedFd::from(File::open(path)?))
        }
        (Ok(Kind::Directory(_) | Kind::Custom(_)), _) => {
            let none = || io::Error::other("there is no pg_restore on this host");
            // Who feeds it ends with it.
            let (mut child, _) = Restorer::find().ok_or_else(none)?.text(content)?;
            let text = child.stdout.take().ok_or_else(none)?;
            unpacking = Some(child);
            (Shape::Text, OwnedFd::from(text))
        }
        (kind, path) => {
            let shape = if matches!(kind, Ok(Kind::Cluster)) { Shape::Cluster } else { Shape::Text };
            (shape, path.map_or_else(|| piped(content), |path| Ok(File::open(path)?.into()))?)
        }
    };
    let order = Order {
        dump: dump.age.name.clone(),
        shape,
        size: content.path().map_or(Ok(content.size), size)?,
        domain: mastodon.and_then(Mastodon::domain).map(str::to_owned),
        code: mastodon.map(|m| m.migrations.clone()).unwrap_or_default(),
        before,
        assertions: plan.assertions.clone(),
        reserve: plan.reserve.get(),
    };
    Ok((order, open, unpacking))
}

/// The text of a dump, unpacked, through a pipe.
fn piped(content: &Content<'_>) -> io::Result<OwnedFd> {
    let mut text = content.open().and_then(stream::unpack)?;
    let (pipe, mut out) = io::pipe()?;
    // That it breaks off is seen by who reads it: the completion line is missing then.
    thread::spawn(move || io::copy(&mut text, &mut out));
    Ok(pipe.into())
}

/// Bytes of a file, or of the files in a directory.
fn size(path: &Path) -> io::Result<u64> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    fs::read_dir(path)?.try_fold(0, |sum, entry| Ok(sum + entry?.metadata()?.len()))
}

/// Nobody reads any more: whether it was whole is known from before.
fn end(unpacking: Option<&mut Child>) {
    if let Some(child) = unpacking {
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn sentence(good: Option<&Drill>, now: Timestamp) -> String {
    let Some(drill) = good else { return "never brought to life by a good drill".to_owned() };
    let counts = drill.counts.unwrap_or_default();
    format!(
        "{} brought to life {}: restored in {}, {}, {}, {}",
        drill.dump,
        human::ago(now, drill.at),
        human::took(drill.times.restore),
        plural(counts.tables, "table"),
        plural(counts.users, "user"),
        plural(counts.local_statuses, "local post")
    )
}

fn plural(count: u64, what: &str) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{} {what}{s}", grouped(count))
}

impl Memory {
    /// One that cannot be read is none: the next drill writes it anew.
    fn read(path: &Path) -> Self {
        fs::read(path).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    fn keep(&self, path: &PathBuf) -> io::Result<()> {
        let directory = path.parent().unwrap_or(Path::new("/"));
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
        let new = path.with_extension("new");
        let file = File::create(&new)?;
        serde_json::to_writer(&file, self)?;
        file.sync_all()?;
        fs::rename(&new, path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::{Every, Times};

    fn drill(is_good: bool) -> Drill {
        Drill {
            at: Timestamp::from_second(1_000_000).unwrap(),
            dump: "x.dump".to_owned(),
            is_good,
            server: Some(15),
            bytes: 1,
            times: Times { restore: Duration::from_millis(7100), ..Times::default() },
            counts: None,
            harmless: Vec::new(),
        }
    }

    #[test]
    fn a_drill_is_due_by_its_word_and_after_one_that_was_not_good() {
        let plan = |schedule| DrillPlan { schedule, assertions: Vec::new(), reserve: DrillPlan::RESERVE };
        let after = |hours: i64| Timestamp::from_second(1_000_000 + hours * 3600).unwrap();
        let due = |schedule, hours| is_due(&plan(schedule), Some(&drill(true)), after(hours));
        assert!(due(Every::Nightly, 0) && due(Every::Nightly, 24));
        assert!(!due(Every::Weekly, 6 * 24) && due(Every::Weekly, 7 * 24 - 1));
        assert!(!due(Every::Monthly, 28 * 24) && due(Every::Monthly, 30 * 24));
        assert!(due(Every::Monthly, -24), "the clock was set back");
        assert!(is_due(&plan(Every::Monthly), Some(&drill(false)), after(1)));
        assert!(is_due(&plan(Every::Monthly), None, after(1)));
    }

    #[test]
    fn it_is_remembered() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("database/drills.json");
        assert_eq!(Memory::read(&path), Memory::default());
        let memory = Memory { last: Some(drill(false)), good: Some(drill(true)) };
        memory.keep(&path).unwrap();
        assert_eq!(Memory::read(&path), memory);
        fs::write(&path, "rubbish").unwrap();
        assert_eq!(Memory::read(&path), Memory::default());
        let now = Timestamp::from_second(1_000_000 + 3 * 86_400).unwrap();
        let said = sentence(Some(&drill(true)), now);
        assert!(said.starts_with("x.dump brought to life 3 d ago: restored in 7.1 s"), "{said}");
    }
}

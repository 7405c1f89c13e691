//! What is handed to who brings a dump to life: the order, the open dump, and the files of Mastodon as a stream.

use super::{
    dumps::Dump,
    live::{self, Sent},
    source::Source,
};
use crate::{
    backup::{Drill, DrillPlan},
    check::Mastodon,
    drill::{Files, Order, Shape},
    dump::{Content, Kind, Restorer},
    finding::{Code, Finding},
    stream,
};
use std::{
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    path::Path,
    process::Child,
    thread,
};

/// The file backup as far as a drill is concerned.
#[derive(Clone, Copy)]
pub(super) struct Beside<'a> {
    pub(super) source: Option<&'a Source>,
    pub(super) mastodon: Option<&'a Mastodon>,
    /// What of the Rails root is handed over where Mastodon shall be started.
    pub(super) sent: Sent,
}

/// An order with what belongs to it.
pub(super) struct Handed {
    pub(super) order: Order,
    /// The dump, then the files of Mastodon where it shall be started.
    pub(super) open: Vec<OwnedFd>,
    /// Mastodon shall be started and there is nothing to start it from.
    pub(super) no_boot: Option<Finding>,
    _unpacking: Option<Unpacking>,
}

/// A dump that can be handed over.
pub(crate) struct Opened {
    /// How it is read.
    pub(crate) shape: Shape,
    /// Its bytes on disk.
    pub(crate) size: u64,
    /// It.
    pub(crate) open: OwnedFd,
    /// What feeds it, where something has to.
    pub(crate) unpacking: Option<Unpacking>,
}

/// A program that makes text of an archive; it ends with whoever wanted that.
pub(crate) struct Unpacking(Child);

impl Drop for Unpacking {
    fn drop(&mut self) {
        // Nobody reads any more: whether it was whole is seen by who has read it.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Opens a dump. A directory goes as the text that `pg_restore` makes of it: who has it needs no right to the files in
/// it. What lies in another backup, or is encrypted, comes through a pipe.
pub(super) fn open(dump: &Dump<'_>) -> io::Result<Opened> {
    let content = dump.content;
    let mut unpacking = None;
    let (shape, open) = match (&dump.kind, content.path()) {
        (Ok(Kind::Custom(header)), Some(path)) if !content.is_packed() => {
            (Shape::Archive(header.version.0, header.version.1), OwnedFd::from(File::open(path)?))
        }
        (Ok(Kind::Directory(_) | Kind::Custom(_)), _) => {
            let none = || io::Error::other("there is no pg_restore on this host");
            // Who feeds it ends with it.
            let (mut child, _) = Restorer::find().ok_or_else(none)?.text(content)?;
            let text = child.stdout.take().ok_or_else(none)?;
            unpacking = Some(Unpacking(child));
            (Shape::Text, OwnedFd::from(text))
        }
        (kind, path) => {
            let shape = if matches!(kind, Ok(Kind::Cluster)) { Shape::Cluster } else { Shape::Text };
            (shape, path.map_or_else(|| piped(content), |path| Ok(File::open(path)?.into()))?)
        }
    };
    let size = content.path().map_or(Ok(content.size), size)?;
    Ok(Opened { shape, size, open, unpacking })
}

/// Opens everything.
pub(super) fn hand_over(
    plan: &DrillPlan,
    dump: &Dump<'_>,
    beside: Beside<'_>,
    before: Option<Drill>,
) -> io::Result<Handed> {
    let mastodon = beside.mastodon;
    let Opened { shape, size, open, unpacking } = open(dump)?;
    let mut handed = Handed {
        order: Order {
            dump: dump.age.name.clone(),
            shape,
            size,
            domain: mastodon.and_then(Mastodon::domain).map(str::to_owned),
            code: mastodon.map(|m| m.migrations.clone()).unwrap_or_default(),
            before,
            assertions: plan.assertions.clone(),
            reserve: plan.reserve.get(),
            boot: None,
            stage: None,
        },
        open: vec![open],
        no_boot: None,
        _unpacking: unpacking,
    };
    if plan.boot {
        match files(beside) {
            Ok((files, stream)) => {
                handed.order.boot = Some(files);
                handed.open.push(stream);
            }
            Err(why) => {
                let what = format!("Mastodon was not started: {why}");
                let advice = "See to the file backup named by `files:` and to its `live:`. Whether Mastodon comes up is not known.";
                handed.no_boot = Some(Finding::warn(Code::NotChecked, what, advice));
            }
        }
    }
    Ok(handed)
}

/// The Rails root as a stream, measured before; else why there is none.
fn files(beside: Beside<'_>) -> Result<(Files, OwnedFd), String> {
    let source = beside.source.ok_or("the file backup cannot be opened")?;
    let mastodon = beside.mastodon.ok_or("there is no Mastodon in the file backup")?;
    let at = format!("{} in {}", mastodon.live, source.name);
    let why = |error: io::Error| format!("{at} cannot be read: {error}");
    let none = || format!("{at} is no directory");
    let live = source.tree.directory(&mastodon.live).map_err(why)?.ok_or_else(none)?;
    let version = source.tree.small_file(&format!("{}/.ruby-version", mastodon.live)).map_err(why)?;
    let version = version.map(|text| String::from_utf8_lossy(&text).trim().to_owned());
    let files = Files {
        name: source.name.clone(),
        bytes: live::bytes(&live, beside.sent).map_err(why)?,
        ruby: version.filter(|v| !v.is_empty() && !v.contains('/')),
    };
    let (pipe, out) = io::pipe().map_err(why)?;
    // That it breaks off is seen by who reads it: what comes last is missing then.
    thread::spawn(move || live::send(&live, beside.sent, out));
    Ok((files, pipe.into()))
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

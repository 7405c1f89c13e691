//! Sends a generation to another host, from a backup server: first all names with their proofs, then the content. The
//! other side compares; what changes meanwhile is refused there.

use crate::{
    Did, Site,
    error::{RestoreError, io_at, io_on},
    file::PIECE,
    names::{CACHE, UPLOADS},
    proofs::Proofs,
    receive::{END, Head, MAGIC, VERSION},
    sending::Sending,
    survey::Few,
    trust,
    walk::{Entry, Visitor, walk},
};
use jiff::Timestamp;
use mastmaint_verify::{Kind, Line, bring::Tree, prove::stat_of};
use mastmaint_words::restore::{Amount, Generation, RestoreOrder};
use rustix::fs::readlinkat;
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, BufWriter, Seek as _, SeekFrom, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
    sync::Arc,
};

/// Sends a generation of a backup that lies here as directories.
pub fn send(site: &Site<'_>, order: &RestoreOrder, out: &mut dyn Write) -> Result<Did, RestoreError> {
    let live = order.live.to_string_lossy();
    let live = order.backup.live.as_deref().unwrap_or(&live);
    let store = site.proofs.join(order.name.as_str());
    let tree = Tree::open(&order.backup, order.snapshot.as_deref(), live, &store)?;
    let root = Arc::new(tree.root.try_clone().map_err(io_at(b"live", "open in the backup"))?);
    let stat = stat_of(&tree.root).map_err(io_at(b"live", "look at in the backup"))?;
    let known = trust::last_report(site.proofs, order)?;
    let told = known.as_ref().and_then(|known| known.report.newest.as_ref()).map(|newest| newest.at);
    let at = tree.made.or(told).unwrap_or_else(|| stat.mtime.at());
    let generation = Generation { name: tree.name.clone(), at };
    let proved_at = trust::trusted(order, known, &generation, Timestamp::now())?;

    let spool = spool(site.state, order)?;
    let mut announcing = Announcing {
        proofs: Proofs::of(&tree),
        with_cache: order.with_media,
        out: BufWriter::new(&spool),
        amount: Amount::default(),
        unproved: Few::default(),
    };
    walk(&root, &mut b"live".to_vec(), &mut announcing)?;
    let Announcing { out: lines, amount, unproved, .. } = announcing;
    lines.into_inner().map(|_| ()).map_err(|error| sending(error.into_error()))?;
    let why = (unproved.count > 0)
        .then(|| format!("{} of its files have no proof: {}", unproved.count, unproved.told()));
    trust::refuse(order, why.clone())?;
    let doubt = why.or_else(|| proved_at.is_none().then(|| "nothing speaks for it where it lies".to_owned()));
    let head = Head {
        version: VERSION,
        backup: order.name.clone(),
        generation,
        proved_at,
        doubt,
        uid: stat.uid,
        gid: stat.gid,
        amount,
        with_cache: Some(order.with_media),
    };
    // Small files are gathered; pieces of large ones go as they are.
    let mut out = BufWriter::with_capacity(PIECE, out);
    announce(&mut out, &head, &spool).map_err(sending)?;
    let mut sent = Sending::begin(out, order.with_media);
    walk(&root, &mut b"live".to_vec(), &mut sent)?;
    let mut out = sent.end()?;
    out.write_all(END).and_then(|()| out.flush()).map_err(sending)?;
    Ok(Did::Done)
}

/// Why nothing more can be sent.
pub(crate) fn sending(source: io::Error) -> RestoreError {
    RestoreError::Io { at: "the other host".to_owned(), what: "send to", source }
}

/// A file without a name, for all names that are sent.
fn spool(state: &Path, order: &RestoreOrder) -> Result<File, RestoreError> {
    let directory = mastmaint_words::restore::Restoring::directory(state);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&directory);
    made.map_err(io_on(&directory, "make"))?;
    let path = directory.join(format!("{}.sending", order.run));
    let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).mode(0o600).open(&path);
    let file = file.map_err(io_on(&path, "write"))?;
    std::fs::remove_file(&path).map_err(io_on(&path, "remove"))?;
    Ok(file)
}

fn announce(out: &mut dyn Write, head: &Head, mut spool: &File) -> io::Result<()> {
    let mut line = serde_json::to_vec(head)?;
    line.push(b'\n');
    let length = spool.metadata()?.len() + line.len() as u64;
    out.write_all(MAGIC)?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(&line)?;
    spool.seek(SeekFrom::Start(0))?;
    io::copy(&mut spool, out).map(drop)
}

/// Whether a name is sent. Copies of what lies on other servers are not, unless all uploads are wanted.
pub(crate) fn is_sent(path: &[u8], with_cache: bool) -> bool {
    let upload =
        path.strip_prefix(b"live/").and_then(|p| p.strip_prefix(UPLOADS)).and_then(|p| p.strip_prefix(b"/"));
    with_cache || upload != Some(CACHE)
}

struct Announcing<'a> {
    proofs: Proofs<'a>,
    with_cache: bool,
    out: BufWriter<&'a File>,
    amount: Amount,
    unproved: Few,
}

impl Announcing<'_> {
    fn line(
        &mut self,
        entry: &Entry<'_>,
        proof: Option<[u8; 32]>,
        target: Option<&[u8]>,
    ) -> Result<(), RestoreError> {
        let line = Line::of(entry.path, &entry.stat, proof, target);
        let written = serde_json::to_writer(&mut self.out, &line).map_err(io::Error::from);
        written.and_then(|()| self.out.write_all(b"\n")).map_err(sending)
    }
}

impl Visitor for Announcing<'_> {
    fn enter(&mut self, entry: &Entry<'_>) -> Result<bool, RestoreError> {
        let is_sent = is_sent(entry.path, self.with_cache);
        if is_sent {
            self.line(entry, None, None)?;
        }
        Ok(is_sent)
    }

    fn thing(&mut self, entry: &Entry<'_>) -> Result<(), RestoreError> {
        match entry.kind() {
            Kind::File => {
                let path = entry.path.strip_prefix(b"live/").unwrap_or(entry.path);
                let proof = self.proofs.proof(entry, path)?;
                if proof.is_none() {
                    self.unproved.add(path);
                }
                self.amount.files += 1;
                self.amount.bytes += entry.stat.size;
                self.line(entry, proof, None)
            }
            Kind::Link => {
                let target = readlinkat(entry.above, entry.name, Vec::new());
                let target = target.map_err(io_at(entry.path, "read the link"))?;
                self.line(entry, None, Some(target.to_bytes()))
            }
            Kind::Directory | Kind::Other => Ok(()),
        }
    }
}

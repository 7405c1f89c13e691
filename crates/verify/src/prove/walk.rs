//! The walk: parallel walkers over directory descriptors. The walk is the cost of a verification, not the hash, so
//! it asks the file system nothing that `readdir` has said already.

use super::{
    device::{Device, Devices, Numbers},
    open::{is_gone, open_directory, stat_at},
};
use rustix::{
    fs::{FileType, RawDir},
    io::Errno,
};
use std::{
    collections::HashSet,
    ffi::{CStr, CString},
    mem::MaybeUninit,
    ops::Range,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// Deeper than any backup is; what nests deeper than this was made to.
const DEEPEST: u32 = 2_000;
const LISTING: usize = 32 * 1024;

/// A directory on the way down: enough to say the path of what is below.
#[derive(Debug)]
pub(crate) struct Node {
    above: Option<Arc<Node>>,
    name: Box<[u8]>,
    depth: u32,
}

impl Node {
    /// The path from the root, with a last name.
    pub(crate) fn path(&self, last: &[u8]) -> Vec<u8> {
        let mut names = vec![last];
        let mut at = Some(self);
        while let Some(node) = at {
            names.push(&node.name);
            at = node.above.as_deref();
        }
        names.reverse();
        names.retain(|n| !n.is_empty());
        names.join(&b'/')
    }
}

/// Where a walk begins.
#[derive(Debug)]
pub(crate) struct Root {
    /// Its name in paths; may be empty.
    pub(crate) name: Vec<u8>,
    /// The open directory.
    pub(crate) fd: OwnedFd,
}

/// Something that is not a directory.
pub(crate) struct Entry<'a> {
    /// The directory it is in.
    pub(crate) directory: BorrowedFd<'a>,
    /// Its name there.
    pub(crate) name: &'a CStr,
    /// Its inode number, as the directory says.
    pub(crate) ino: u64,
    /// What it is.
    pub(crate) kind: FileType,
    /// The way to its directory.
    pub(crate) above: &'a Node,
    /// The file system.
    pub(crate) device: Device,
    /// Which root it is below.
    pub(crate) root: usize,
}

impl Entry<'_> {
    /// Its path, beginning with the name of the root.
    pub(crate) fn path(&self) -> Vec<u8> {
        self.above.path(self.name.to_bytes())
    }
}

/// Why a part of the tree was not walked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It went away while we walked.
    Gone,
    /// It cannot be read.
    Unreadable(Errno),
    /// It is nested too deep.
    TooDeep,
}

/// Who is told what the walk meets; by several walkers at the same time.
pub(crate) trait Visitor: Sync {
    /// A directory was opened.
    fn directory(&self, root: usize);
    /// Something else was met.
    fn entry(&self, entry: &Entry<'_>);
    /// Something could not be walked.
    fn trouble(&self, root: usize, path: Vec<u8>, trouble: Trouble);
    /// Whether to stop.
    fn is_cancelled(&self) -> bool;
}

struct Task {
    above: Arc<OwnedFd>,
    name: CString,
    node: Arc<Node>,
    device: Device,
    root: usize,
}

#[derive(Default)]
struct Queue {
    tasks: Vec<Task>,
    at_work: usize,
}

struct Shared<'a, V> {
    queue: Mutex<Queue>,
    more: Condvar,
    devices: &'a Devices,
    visitor: &'a V,
    /// A walker that panicked: the others must not wait for it.
    broken: AtomicBool,
}

/// Walks every root with this many walkers. Returns when all is walked or the visitor cancels.
pub(crate) fn walk<V: Visitor>(roots: &[Root], devices: &Devices, walkers: usize, visitor: &V) {
    let shared = Shared {
        queue: Mutex::default(),
        more: Condvar::new(),
        devices,
        visitor,
        broken: AtomicBool::new(false),
    };
    {
        let mut queue = lock(&shared.queue);
        // Walkers take the last first, so that few directories are open at a time.
        for (root, start) in roots.iter().enumerate().rev() {
            let node = Arc::new(Node { above: None, name: start.name.clone().into(), depth: 0 });
            match devices.of(start.fd.as_fd()).and_then(|device| Ok((device, start.fd.try_clone()?))) {
                Ok((device, fd)) => {
                    queue.tasks.push(Task { above: Arc::new(fd), name: c".".to_owned(), node, device, root });
                }
                Err(error) => visitor.trouble(root, node.path(b""), trouble_of(errno(&error))),
            }
        }
    }
    thread::scope(|scope| {
        for _ in 0..walkers.max(1) {
            scope.spawn(|| Walker::default().work(&shared));
        }
    });
}

/// Meets only these names in the first level of each root.
pub(crate) fn visit_files<V: Visitor>(
    roots: &[Root],
    names: &HashSet<Vec<u8>>,
    devices: &Devices,
    visitor: &V,
) {
    for (root, start) in roots.iter().enumerate() {
        let above = Node { above: None, name: start.name.clone().into(), depth: 0 };
        let device = match devices.of(start.fd.as_fd()) {
            Ok(device) => device,
            Err(error) => {
                visitor.trouble(root, above.path(b""), trouble_of(errno(&error)));
                continue;
            }
        };
        for name in names {
            let Ok(name) = CString::new(name.as_slice()) else { continue };
            let directory = start.fd.as_fd();
            match stat_at(directory, &name) {
                Ok(stat) => visitor.entry(&Entry {
                    directory,
                    name: &name,
                    ino: stat.ino,
                    kind: FileType::from_raw_mode(stat.mode.into()),
                    above: &above,
                    device,
                    root,
                }),
                Err(error) => visitor.trouble(root, above.path(name.to_bytes()), trouble_of(error)),
            }
        }
    }
}

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}

/// What an error of the file system means for the walk.
pub(crate) fn trouble_of(error: Errno) -> Trouble {
    if is_gone(error) { Trouble::Gone } else { Trouble::Unreadable(error) }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What one walker keeps from directory to directory, so that it asks for no memory on the way.
struct Walker {
    listing: Vec<MaybeUninit<u8>>,
    names: Vec<u8>,
    entries: Vec<(Range<usize>, u64, FileType)>,
    below: Vec<Task>,
}

impl Default for Walker {
    fn default() -> Self {
        Self {
            listing: vec![MaybeUninit::uninit(); LISTING],
            names: Vec::new(),
            entries: Vec::new(),
            below: Vec::new(),
        }
    }
}

/// Wakes the others if its walker dies.
struct Guard<'a, V>(&'a Shared<'a, V>);

impl<V> Drop for Guard<'_, V> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.broken.store(true, Ordering::Relaxed);
            self.0.more.notify_all();
        }
    }
}

impl Walker {
    fn work<V: Visitor>(mut self, shared: &Shared<'_, V>) {
        let _guard = Guard(shared);
        while let Some(task) = next(shared) {
            self.directory(&task, shared);
            let mut queue = lock(&shared.queue);
            queue.at_work -= 1;
            if queue.at_work == 0 && queue.tasks.is_empty() {
                shared.more.notify_all();
            }
        }
    }

    fn directory<V: Visitor>(&mut self, task: &Task, shared: &Shared<'_, V>) {
        let visitor = shared.visitor;
        let trouble = |error: Errno| visitor.trouble(task.root, task.node.path(b""), trouble_of(error));
        if task.node.depth > DEEPEST {
            return visitor.trouble(task.root, task.node.path(b""), Trouble::TooDeep);
        }
        let opened = match open_directory(task.above.as_fd(), &task.name) {
            Ok(opened) => opened,
            Err(error) => return trouble(error),
        };
        let mut device = task.device;
        if opened.crossed || device.numbers == Numbers::PerSubvolume {
            match shared.devices.of(opened.fd.as_fd()) {
                Ok(found) => device = found,
                Err(error) => return trouble(errno(&error)),
            }
        }
        let fd = Arc::new(opened.fd);
        visitor.directory(task.root);
        if let Err(error) = self.list(&fd, task, device) {
            trouble(error);
        }
        if !self.below.is_empty() {
            let woken = self.below.len();
            lock(&shared.queue).tasks.append(&mut self.below);
            if woken == 1 { shared.more.notify_one() } else { shared.more.notify_all() }
        }
        for (range, ino, kind) in &self.entries {
            if visitor.is_cancelled() {
                return;
            }
            let Ok(name) = CStr::from_bytes_with_nul(&self.names[range.clone()]) else { continue };
            let directory = fd.as_fd();
            visitor.entry(&Entry {
                directory,
                name,
                ino: *ino,
                kind: *kind,
                above: &task.node,
                device,
                root: task.root,
            });
        }
    }

    /// Reads the names of one directory: subdirectories become tasks, the others wait in `entries`.
    fn list(&mut self, fd: &Arc<OwnedFd>, task: &Task, device: Device) -> Result<(), Errno> {
        self.names.clear();
        self.entries.clear();
        let mut listing = RawDir::new(fd.as_fd(), &mut self.listing);
        while let Some(entry) = listing.next() {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            let mut kind = entry.file_type();
            if kind == FileType::Unknown {
                match stat_at(fd.as_fd(), name) {
                    Ok(stat) => kind = FileType::from_raw_mode(stat.mode.into()),
                    Err(error) if is_gone(error) => continue,
                    Err(error) => return Err(error),
                }
            }
            if kind == FileType::Directory {
                self.below.push(Task {
                    above: Arc::clone(fd),
                    name: name.to_owned(),
                    node: Arc::new(Node {
                        above: Some(Arc::clone(&task.node)),
                        name: name.to_bytes().into(),
                        depth: task.node.depth + 1,
                    }),
                    device,
                    root: task.root,
                });
            } else {
                let start = self.names.len();
                self.names.extend_from_slice(name.to_bytes_with_nul());
                self.entries.push((start..self.names.len(), entry.ino(), kind));
            }
        }
        Ok(())
    }
}

fn next<V: Visitor>(shared: &Shared<'_, V>) -> Option<Task> {
    let mut queue = lock(&shared.queue);
    loop {
        if shared.broken.load(Ordering::Relaxed) || shared.visitor.is_cancelled() {
            shared.more.notify_all();
            return None;
        }
        if let Some(task) = queue.tasks.pop() {
            queue.at_work += 1;
            return Some(task);
        }
        if queue.at_work == 0 {
            return None;
        }
        queue = shared.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
    }
}

//! A generation that comes as a stream of tar: an archive, or what restic and Borg make of theirs.

use super::{Flow, NotBrought, rails_root};
use crate::{
    backup::{self, Backup, Place},
    borg,
    check::{Mastodon, live_in},
    decrypt::Unseal,
    error::VerifyError,
    found::{Found, matching},
    look::Tree,
    manifest::is_of,
    prove::{Devices, Store, Untold, identity_at, stat_of},
    restic,
    stamp::Stamp,
    stream,
    tarball::Tarball,
    verify::reopen,
};
use jiff::Timestamp;
use std::{
    fmt,
    fs::File,
    io,
    os::{fd::AsFd as _, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
    rc::Rc,
};

/// A generation that is read from its beginning to its end.
pub struct Stream {
    /// What people call it: a file's name, a snapshot.
    pub name: String,
    /// When it was made.
    pub made: Timestamp,
    /// Where its Rails root lies in the archive.
    pub live: String,
    /// What there is of Mastodon.
    pub mastodon: Mastodon,
    /// Numbers of the owner and the group of the Rails root, where the stream itself does not tell them.
    pub owner: Option<(u32, u32)>,
    /// Names in all of it, not only below the Rails root.
    pub names: u64,
    /// Their bytes.
    pub bytes: u64,
    source: Source,
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("name", &self.name).field("live", &self.live).finish_non_exhaustive()
    }
}

enum Source {
    Tar { tarball: Box<Tarball>, path: PathBuf, unseal: Option<Rc<Unseal>>, proof: Option<[u8; 32]> },
    Restic(Box<restic::Listed>),
    Borg(Box<borg::Listed>),
}

impl Source {
    fn tree(&self) -> &dyn Tree {
        match self {
            Self::Tar { tarball, .. } => &**tarball,
            Self::Restic(listed) => &**listed,
            Self::Borg(listed) => &**listed,
        }
    }

    const fn amount(&self) -> (u64, u64) {
        let listing = match self {
            Self::Tar { tarball, .. } => tarball.listing(),
            Self::Restic(listed) => &listed.listing,
            Self::Borg(listed) => &listed.listing,
        };
        (listing.paths, listing.bytes)
    }
}

/// What is asked for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    backup: &'a Backup,
    generation: Option<&'a str>,
    live: &'a str,
    scratch: &'a Path,
}

impl Stream {
    /// Opens a generation of the backup, the newest one if none is named. `live` is where Mastodon's Rails root lies in
    /// it, `store` the directory of the backup's proofs, `scratch` a place for what programs of others write.
    pub fn open(
        backup: &Backup,
        generation: Option<&str>,
        live: &str,
        store: &Path,
        scratch: &Path,
    ) -> Result<Self, NotBrought> {
        let asked = Asked { backup, generation, live, scratch };
        match &backup.place {
            Place::Tar { path } => tar(asked, path, store),
            Place::Restic(place) => of_restic(asked, place),
            Place::Borg(place) => of_borg(asked, place),
            other => Err(NotBrought::NotFiles(other.kind())),
        }
    }

    fn of(asked: Asked<'_>, name: String, made: Timestamp, source: Source) -> Result<Self, NotBrought> {
        let failed = |error: io::Error| VerifyError::backup(&name)(error);
        let found = rails_root(source.tree(), &[], asked.live).map_err(failed)?;
        let Some(live) = found else {
            return Err(NotBrought::NoMastodon { generation: name, live: asked.live.to_owned() });
        };
        let mastodon = live_in(source.tree(), &[], &live).map_err(failed)?;
        let (names, bytes) = source.amount();
        let owner = match &source {
            Source::Restic(listed) => listed.owner_of(&live).map_err(failed)?,
            Source::Tar { .. } | Source::Borg(_) => None,
        };
        Ok(Self { name, made, live, mastodon, owner, names, bytes, source })
    }

    /// Whether something speaks for its content: the hash of the file, or the program that keeps it, which compares what
    /// it reads with its own hashes.
    pub const fn is_proved(&self) -> bool {
        match &self.source {
            Source::Tar { proof, .. } => proof.is_some(),
            Source::Restic(_) | Source::Borg(_) => true,
        }
    }

    /// Reads it, as tar.
    pub fn read(&self) -> io::Result<Flow> {
        match &self.source {
            Source::Tar { path, unseal, proof, .. } => Flow::of_file(stream::raw(path)?, *proof, |raw| {
                let open = match unseal {
                    Some(unseal) => unseal.open(raw)?,
                    None => raw,
                };
                stream::unpack(open)
            }),
            Source::Restic(listed) => Ok(Flow::of(listed.archive(&self.live)?)),
            Source::Borg(listed) => Ok(Flow::of(listed.tar(&self.live)?)),
        }
    }
}

fn tar(asked: Asked<'_>, pattern: &Path, store: &Path) -> Result<Stream, NotBrought> {
    let of = || VerifyError::backup(pattern);
    let mut found = matching(pattern).map_err(of())?;
    found.retain(|f| !f.is_directory);
    let name_of = |f: &Found| f.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let names: Vec<String> = found.iter().map(name_of).collect();
    let at = match asked.generation {
        None if names.is_empty() => return Err(NotBrought::NoBackup(pattern.to_owned())),
        None => 0,
        Some(wanted) => pick(&names, wanted, |name| name == wanted)?,
    };
    let (path, name, made) = (found[at].path.clone(), names[at].clone(), found[at].changed.at());
    let proof = proof_of(&path, store)?;
    let ready = asked.backup.decrypt.as_ref().map(|how| Unseal::ready(how, asked.scratch));
    let ready = ready.transpose().map_err(of())?;
    let unseal = ready.transpose().map_err(|f| NotBrought::Refused(f.what))?.map(Rc::new);
    let again = reopen(path.clone(), unseal.clone());
    let read = Tarball::read_by(&name, again, Some(Stamp::of(made)), None);
    let (tarball, broken) = read.map_err(VerifyError::backup(&path))?;
    if let Some(broken) = broken {
        return Err(NotBrought::Refused(broken.what));
    }
    let source = Source::Tar { tarball: Box::new(tarball), path, unseal, proof };
    Stream::of(asked, name, made, source)
}

/// The one of these names that is meant.
fn pick(names: &[String], wanted: &str, is: impl Fn(&str) -> bool) -> Result<usize, NotBrought> {
    let none = || NotBrought::NoGeneration { name: wanted.to_owned(), there: names.join(", ") };
    names.iter().position(|name| is(name)).ok_or_else(none)
}

/// The hash of an archive that was proved as it is now.
fn proof_of(path: &Path, store: &Path) -> Result<Option<[u8; 32]>, NotBrought> {
    let of = || VerifyError::backup(path);
    let file = File::open(path).map_err(of())?;
    let stat = stat_of(&file).map_err(|error| of()(error.into()))?;
    let device = Devices::default().of(file.as_fd()).map_err(of())?;
    let name = || path.file_name().unwrap_or_default().as_bytes().to_vec();
    let identity = identity_at(device, stat.ino, None, name);
    let store = Store::look(store)?;
    Ok(store.proof_of(identity).filter(|proof| is_of(proof, &stat)).map(|proof| proof.hash))
}

fn of_restic(asked: Asked<'_>, place: &backup::Restic) -> Result<Stream, NotBrought> {
    let repository = restic::Repository::new(place, asked.scratch).map_err(NotBrought::from)?;
    let (snapshots, _) = repository.snapshots().map_err(NotBrought::from)?;
    let snapshot = match asked.generation {
        None => restic::choose(&snapshots, place, asked.backup)
            .ok_or_else(|| NotBrought::NoBackup(PathBuf::from(&place.repository)))?,
        Some(wanted) => {
            // People see the first digits of an id, with and without the word before it.
            let id = wanted.trim_start_matches("snapshot ");
            let names: Vec<String> = snapshots.iter().map(|s| s.id.clone()).collect();
            &snapshots[pick(&names, wanted, |name| id.len() >= 8 && name.starts_with(id))?]
        }
    };
    let listed = restic::Listed::of(&repository, snapshot, None, &Untold).map_err(NotBrought::from)?;
    let (name, made) = (listed.name(), snapshot.time);
    Stream::of(asked, name, made, Source::Restic(Box::new(listed)))
}

fn of_borg(asked: Asked<'_>, place: &backup::Borg) -> Result<Stream, NotBrought> {
    let repository = borg::Repository::new(place, asked.scratch).map_err(NotBrought::from)?;
    let archives = repository.archives().map_err(NotBrought::from)?;
    let archive = match asked.generation {
        None => borg::choose(&archives, place)
            .ok_or_else(|| NotBrought::NoBackup(PathBuf::from(&place.repository)))?,
        Some(wanted) => {
            let names: Vec<String> = archives.iter().map(|a| a.name.clone()).collect();
            &archives[pick(&names, wanted, |name| name == wanted)?]
        }
    };
    let listed = borg::Listed::of(&repository, archive, None, &Untold).map_err(NotBrought::from)?;
    if let Some(unhealthy) = listed.unhealthy() {
        return Err(NotBrought::Refused(unhealthy.what));
    }
    let (name, made) = (listed.name(), archive.start);
    Stream::of(asked, name, made, Source::Borg(Box::new(listed)))
}

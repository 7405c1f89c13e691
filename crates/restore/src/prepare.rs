//! Makes the copy beside live, with Mastodon up. Nothing of live is changed; what would not work out is refused before
//! anything is written, where that can be known.

use crate::{
    Did, Site,
    check::check,
    copy::{self, Work, with_workers},
    diff::{self, Lost},
    error::{RestoreError, io_at, io_on},
    inode::seen,
    journal::{Journal, begin},
    media,
    meter::Meter,
    names::Policy,
    open::directory_below,
    owners::{Owner, Owners},
    plan::{Facts, plan},
    record::Recorder,
    space::{Needs, Room, fits},
    stage::{LIVE, MISSING, Stage},
    survey::{Survey, survey},
    today::{Media, Parent, Today},
    trust, uploads,
};
use jiff::Timestamp;
use mastmaint_verify::{
    bring::Tree,
    check::{Mastodon, live_in},
    look::DirectoryTree,
    prove::stat_of,
};
use mastmaint_words::restore::{Amount, Generation, Inode, Phase, RestoreOrder, Restoring, Uploads};
use nix::unistd::{Group, User};
use rustix::fs::{Gid, Mode, fstatvfs, mkdirat, syncfs};
use std::{os::fd::OwnedFd, sync::Arc};

/// Makes a checked copy of a backup beside live.
pub fn prepare(site: &Site<'_>, order: &RestoreOrder) -> Result<Did, RestoreError> {
    let journal = Journal::open(site.state, &order.run)?;
    match journal.read()?.map(|restoring| restoring.phase) {
        None | Some(Phase::Preparing | Phase::Refused { .. }) => {}
        Some(Phase::Prepared | Phase::Switching { .. } | Phase::Switched) => return Ok(Did::Done),
        Some(Phase::GoingBack { .. } | Phase::Back | Phase::Pruned) => {
            let what = format!("restore {} was taken back; begin another one", order.run);
            return Err(RestoreError::NotNow { what });
        }
    }
    let mut restoring = begin(order);
    journal.write(&mut restoring)?;
    let prepared = Preparing::begin(site, order, &mut restoring).and_then(|preparing| {
        journal.write(&mut restoring)?;
        tell(site, &restoring);
        preparing.copy(&journal, &mut restoring)
    });
    match prepared {
        Ok(()) => {
            journal.next(&mut restoring, Phase::Prepared)?;
            Ok(Did::Done)
        }
        Err(error) => {
            // Half a copy is of no use to anybody, and a full disk is one for the instance, too.
            if let Ok(parent) = Parent::open(&order.live)
                && let Ok(Some(stage)) = Stage::open(&parent, &order.run)
            {
                let _ = stage.remove(&parent, &order.run);
            }
            Err(journal.failed(&mut restoring, error))
        }
    }
}

fn tell(site: &Site<'_>, restoring: &Restoring) {
    let plan = &restoring.plan;
    site.tell.say(&plan.sentence);
    let lists = [
        ("stays as it is", &plan.kept),
        ("differs", &plan.differs),
        ("will not be there any more", &plan.would_be_lost),
        ("note", &plan.notes),
    ];
    for (word, lines) in lists {
        for line in lines {
            site.tell.say(&format!("{word}: {line}"));
        }
    }
    if !plan.would_be_lost.is_empty() {
        site.tell.say(&format!("what was live stays in {}", restoring.before().display()));
    }
}

/// What was found out before anything is written.
struct Preparing<'a> {
    site: &'a Site<'a>,
    order: &'a RestoreOrder,
    parent: Parent,
    today: Option<Today>,
    tree: Tree,
    root: Arc<OwnedFd>,
    policy: Policy,
    owners: Owners,
    group: Option<Gid>,
    whole: Survey,
    /// The backup's uploads, today's, and what only the backup has.
    missing: Option<(Arc<OwnedFd>, OwnedFd, Survey)>,
}

impl<'a> Preparing<'a> {
    fn begin(
        site: &'a Site<'a>,
        order: &'a RestoreOrder,
        restoring: &mut Restoring,
    ) -> Result<Self, RestoreError> {
        let here = user(&order.user)?;
        let group = site.group.map(group).transpose()?;
        let parent = Parent::open(&order.live)?;
        let today = Today::look(&parent, &order.live)?;
        let tree = open(site, order)?;
        let root = Arc::new(tree.root.try_clone().map_err(io_at(b"live", "open in the backup"))?);
        let known = trust::last_report(site.proofs, order)?;
        let generation = generation(&tree, known.as_ref())?;
        let now = Timestamp::now();
        let made = order.snapshot.is_none().then_some(generation.at);
        let doubt = trust::doubt(order, known.as_ref(), made, now);
        let proved_at = known.filter(|_| doubt.is_none()).map(|known| known.at);
        trust::refuse(order, doubt)?;
        let media = today.as_ref().map_or(&Media::None, |today| &today.media);
        let policy = Policy {
            uploads: uploads::decide(order, media),
            with_env: order.with_env,
            environment: today.as_ref().map(|today| today.environment.clone()).unwrap_or_default(),
        };
        if order.with_media {
            uploads::must_be_in(&tree)?;
        }
        let there = stat_of(&tree.root).map_err(io_at(b"live", "look at in the backup"))?;
        let owners = Owners { there: Owner { uid: there.uid, gid: there.gid }, here };
        let whole = survey(&tree, &root, &policy)?;
        let missing = missing(&tree, &root, today.as_ref(), &order.live, policy.uploads)?;
        let none = Survey::default();
        let added = missing.as_ref().map_or(&none, |(_, _, survey)| survey);
        let unproved = [&whole, added].into_iter().find(|survey| survey.unproved.count > 0);
        let why = unproved
            .map(|s| format!("{} of its files have no proof: {}", s.unproved.count, s.unproved.told()));
        trust::refuse(order, why)?;
        let space = room(&parent)?;
        fits(needs(&whole, added, policy.uploads), space, &parent.path.display().to_string())?;
        let (mastodon, lost) = match &today {
            Some(today) => (Some(mastodon(today)?), diff::lost(&today.fd, &root, &policy)?),
            None => (None, Lost::default()),
        };
        restoring.parent = Some(parent.seen.inode);
        restoring.today = today.as_ref().map(|today| today.seen.inode);
        restoring.uploads = Some(policy.uploads);
        restoring.media = media_inode(media);
        restoring.plan = plan(&Facts {
            order,
            generation: &generation,
            now,
            proved_at,
            policy: &policy,
            whole: &whole,
            missing: added,
            free: space.free,
            lost: &lost,
            here: mastodon.as_ref(),
            there: &tree.mastodon,
            notes: owners.note(&order.user).into_iter().collect(),
        });
        restoring.generation = Some(generation);
        Ok(Self { site, order, parent, today, tree, root, policy, owners, group, whole, missing })
    }

    fn copy(&self, journal: &Journal, restoring: &mut Restoring) -> Result<(), RestoreError> {
        let stage = Stage::make(&self.parent, &self.order.run)?;
        let recorder = Recorder::begin(&journal.manifest())?;
        let meter = Meter::new(self.site.tell, self.amount());
        let work = Work { tree: &self.tree, owners: self.owners, recorder: &recorder, meter: &meter };
        with_workers(&work, |queue| {
            copy::tree(&work, queue, &self.root, &stage.fd, &self.policy, &self.whole)?;
            match &self.missing {
                Some((there, here, survey)) if self.adds() && survey.amount.files > 0 => {
                    mkdirat(&stage.fd, MISSING, Mode::from_raw_mode(0o700))
                        .map_err(io_at(MISSING.as_bytes(), "make"))?;
                    let missing = directory_below(&stage.fd, MISSING);
                    let missing = Arc::new(missing.map_err(io_at(MISSING.as_bytes(), "open"))?);
                    media::copy(&work, queue, there, here, &missing)
                }
                _ => Ok(()),
            }
        })?;
        if let Some(today) = &self.today {
            uploads::make_room(&work, &stage.fd, today, &self.order.live, self.policy.uploads)?;
        }
        let count = recorder.end()?;
        syncfs(&stage.fd).map_err(io_on(&self.parent.path, "write the copy to the disk"))?;
        check(&stage.fd, &journal.manifest(), count, &meter)?;
        self.nothing_moved()?;
        let live = directory_below(&stage.fd, LIVE).map_err(io_at(b"live", "open in the copy"))?;
        restoring.staged = Some(seen(&live).map_err(io_at(b"live", "look at in the copy"))?.inode);
        stage.let_in(self.group)?;
        syncfs(&stage.fd).map_err(io_on(&self.parent.path, "write the copy to the disk"))
    }

    const fn adds(&self) -> bool {
        matches!(self.policy.uploads, Uploads::Stay)
    }

    fn amount(&self) -> Amount {
        let Amount { mut files, mut bytes } = self.whole.amount;
        if let Some((_, _, survey)) = self.missing.as_ref().filter(|_| self.adds()) {
            files += survey.amount.files;
            bytes += survey.amount.bytes;
        }
        Amount { files, bytes }
    }

    /// Whether the names still stand for what they stood for when it began.
    fn nothing_moved(&self) -> Result<(), RestoreError> {
        let now = Parent::open(&self.order.live)?;
        let live = now.look(self.order.live.file_name().unwrap_or_default())?;
        let was = self.today.as_ref().map(|today| today.seen.inode);
        if now.seen.inode == self.parent.seen.inode && live.map(|live| live.inode) == was {
            return Ok(());
        }
        let what = format!("{} is another directory than when the copy began", self.order.live.display());
        Err(RestoreError::Moved { what })
    }
}

fn open(site: &Site<'_>, order: &RestoreOrder) -> Result<Tree, RestoreError> {
    if !order.backup.place.holds_files() {
        return Err(RestoreError::NotFiles(order.backup.place.kind()));
    }
    let live = order.live.to_string_lossy();
    let live = order.backup.live.as_deref().unwrap_or(&live);
    let store = site.proofs.join(order.name.as_str());
    Ok(Tree::open(&order.backup, order.snapshot.as_deref(), live, &store)?)
}

/// What comes back. A tree does not say when it was made: then the last verification does, or its own time.
fn generation(tree: &Tree, known: Option<&trust::Known>) -> Result<Generation, RestoreError> {
    let told = || known.and_then(|known| known.report.newest.as_ref()).map(|newest| newest.at);
    let at = match tree.made.or_else(told) {
        Some(at) => at,
        None => stat_of(&tree.root).map_err(io_at(b"live", "look at in the backup"))?.mtime.at(),
    };
    Ok(Generation { name: tree.name.clone(), at })
}

fn missing(
    tree: &Tree,
    root: &OwnedFd,
    today: Option<&Today>,
    live: &std::path::Path,
    uploads: Uploads,
) -> Result<Option<(Arc<OwnedFd>, OwnedFd, Survey)>, RestoreError> {
    let (Some(today), Some(there)) = (today, media::of_backup(root)?) else { return Ok(None) };
    let here = match (uploads, &today.media) {
        (Uploads::Stay, _) => Some(media::of_today(&today.fd, live)?),
        (Uploads::Link, Media::Link(target)) => uploads::behind(live, target),
        _ => None,
    };
    let Some(here) = here else { return Ok(None) };
    let survey = media::survey(tree, &there, &here)?;
    Ok(Some((there, here, survey)))
}

fn needs(whole: &Survey, added: &Survey, uploads: Uploads) -> Needs {
    let added = if matches!(uploads, Uploads::Stay) { added.needs } else { Needs::default() };
    Needs { bytes: whole.needs.bytes + added.bytes, inodes: whole.needs.inodes + added.inodes }
}

fn room(parent: &Parent) -> Result<Room, RestoreError> {
    let stat = fstatvfs(&parent.fd).map_err(io_on(&parent.path, "ask for the space of"))?;
    Ok(Room {
        bytes: stat.f_blocks * stat.f_frsize,
        free: stat.f_bavail * stat.f_frsize,
        inodes: stat.f_files,
        free_inodes: stat.f_favail,
    })
}

fn mastodon(today: &Today) -> Result<Mastodon, RestoreError> {
    let fd = today.fd.try_clone().map_err(io_at(b"live", "open"))?;
    live_in(&DirectoryTree::new(fd, None), &[], "").map_err(io_at(b"live", "look into"))
}

const fn media_inode(media: &Media) -> Option<Inode> {
    match media {
        Media::Here(seen) => Some(seen.inode),
        Media::None | Media::Link(_) => None,
    }
}

fn user(name: &str) -> Result<Owner, RestoreError> {
    let found = User::from_name(name).ok().flatten();
    let user = found.ok_or_else(|| RestoreError::NoUser(name.to_owned()))?;
    Ok(Owner { uid: user.uid.as_raw(), gid: user.gid.as_raw() })
}

fn group(name: &str) -> Result<Gid, RestoreError> {
    let found = Group::from_name(name).ok().flatten();
    let group = found.ok_or_else(|| RestoreError::NoGroup(name.to_owned()))?;
    Ok(Gid::from_raw(group.gid.as_raw()))
}

//! A copy of a generation that lies here as directories. All that can be known is known before anything is written.

use crate::{
    cache::Cache,
    copy,
    diff::{self, Lost},
    error::{RestoreError, io_at},
    extract::room,
    ground::{Ground, Made},
    journal::Journal,
    making::Making,
    media,
    meter::Meter,
    open::directory_below,
    owners::{Owner, Owners},
    plan::{Facts, plan},
    record::Recorder,
    space::{Needs, fits},
    stage::{MISSING, Stage},
    survey::{Survey, survey},
    today::Media,
    trust, uploads,
    work::{Work, with_workers},
    writeback::Writeback,
};
use jiff::Timestamp;
use mastmaint_verify::{bring::Tree, prove::stat_of};
use mastmaint_words::restore::{Amount, Generation, Restoring, Uploads};
use rustix::fs::{Mode, mkdirat};
use std::{os::fd::OwnedFd, sync::Arc};

/// What was found out before anything is written.
pub(crate) struct FromTree<'a> {
    ground: &'a Ground<'a>,
    tree: Tree,
    root: Arc<OwnedFd>,
    owners: Owners,
    whole: Survey,
    added: Option<Added>,
}

/// The backup's uploads, today's, and what only the backup has.
struct Added {
    there: Arc<OwnedFd>,
    here: OwnedFd,
    survey: Survey,
}

impl<'a> FromTree<'a> {
    /// Looks into the backup, and refuses what would not work out.
    pub(crate) fn look(ground: &'a Ground<'a>, restoring: &mut Restoring) -> Result<Self, RestoreError> {
        let Ground { site, order, policy, .. } = ground;
        let store = site.proofs.join(order.name.as_str());
        let tree = Tree::open(&order.backup, order.snapshot.as_deref(), &ground.live_in_backup(), &store)?;
        let root = Arc::new(tree.root.try_clone().map_err(io_at(b"live", "open in the backup"))?);
        let known = trust::last_report(site.proofs, order)?;
        let generation = generation(&tree, known.as_ref())?;
        let now = Timestamp::now();
        let proved_at = trust::trusted(order, known, &generation, now)?;
        if policy.uploads == Uploads::FromBackup {
            uploads::must_be_in(&tree.root, &tree.name)?;
        }
        let there = stat_of(&tree.root).map_err(io_at(b"live", "look at in the backup"))?;
        let owners = Owners { there: Owner { uid: there.uid, gid: there.gid }, here: ground.here };
        let whole = survey(&tree, &root, policy)?;
        let added = added(&tree, &root, ground)?;
        let (none, added_survey) = (Survey::default(), added.as_ref().map(|added| &added.survey));
        let missing = added_survey.unwrap_or(&none);
        let unproved = [&whole, missing].into_iter().find(|survey| survey.unproved.count > 0);
        let why = unproved
            .map(|s| format!("{} of its files have no proof: {}", s.unproved.count, s.unproved.told()));
        trust::refuse(order, why)?;
        let space = room(&ground.parent.fd, &ground.parent.path)?;
        fits(needs(&whole, missing, policy.uploads), space, &ground.parent.path.display().to_string())?;
        let lost = match &ground.today {
            Some(today) => diff::lost(&today.fd, &root, policy)?,
            None => Lost::default(),
        };
        restoring.plan = plan(&Facts {
            order,
            generation: &generation,
            now,
            proved_at,
            policy,
            whole: &whole,
            missing,
            free: space.free,
            lost: &lost,
            cache: Cache::of(order, policy, &root, None)?,
            here: ground.mastodon()?.as_ref(),
            there: &tree.mastodon,
            notes: owners.note(&order.user).into_iter().collect(),
        });
        restoring.generation = Some(generation);
        Ok(Self { ground, tree, root, owners, whole, added })
    }

    /// Makes the copy.
    pub(crate) fn copy(&self, journal: &Journal, restoring: &mut Restoring) -> Result<(), RestoreError> {
        let ground = self.ground;
        let stage = Stage::make(&ground.parent, &ground.order.run)?;
        let recorder = Recorder::begin(&journal.manifest())?;
        let meter = Meter::new(ground.site.tell, self.amount());
        let writeback = Writeback::begin(&stage.fd);
        let making =
            Making { owners: self.owners, recorder: &recorder, meter: &meter, writeback: &writeback };
        let work = Work { tree: &self.tree, making, unproved: ground.order.unproved };
        with_workers(&work, |queue| {
            copy::tree(&work, queue, &self.root, &stage.fd, &ground.policy, &self.whole)?;
            (ground.site.reach)("prepare.half");
            let Some(Added { there, here, .. }) = self.puts_beside() else { return Ok(()) };
            let of = |what| io_at::<rustix::io::Errno>(MISSING.as_bytes(), what);
            mkdirat(&stage.fd, MISSING, Mode::from_raw_mode(0o700)).map_err(of("make in the copy"))?;
            let missing = Arc::new(directory_below(&stage.fd, MISSING).map_err(of("open in the copy"))?);
            media::copy(&work, queue, there, here, &missing)
        })?;
        uploads::make_room(&work.making, &stage.fd, ground)?;
        let made = Made { stage: &stage, recorder, writeback };
        ground.finish(made, journal, &meter, restoring)
    }

    /// Uploads that are put beside today's. Where a link of today leads nothing is put.
    fn puts_beside(&self) -> Option<&Added> {
        let stays = self.ground.policy.uploads == Uploads::Stay;
        self.added.as_ref().filter(|added| stays && added.survey.amount.files > 0)
    }

    fn amount(&self) -> Amount {
        let Amount { files, bytes } = self.whole.amount;
        let added = self.puts_beside().map(|added| added.survey.amount).unwrap_or_default();
        Amount { files: files + added.files, bytes: bytes + added.bytes }
    }
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

fn added(tree: &Tree, root: &OwnedFd, ground: &Ground<'_>) -> Result<Option<Added>, RestoreError> {
    let (Some(today), Some(there)) = (&ground.today, media::of_backup(root)?) else { return Ok(None) };
    let here = match (ground.policy.uploads, &today.media) {
        (Uploads::Stay, _) => Some(media::of_today(&today.fd, &ground.order.live)?),
        (Uploads::Link, Media::Link(target)) => uploads::behind(&ground.order.live, target),
        _ => None,
    };
    let Some(here) = here else { return Ok(None) };
    let survey = media::survey(tree, &there, &here)?;
    Ok(Some(Added { there, here, survey }))
}

fn needs(whole: &Survey, added: &Survey, uploads: Uploads) -> Needs {
    let added = if uploads == Uploads::Stay { added.needs } else { Needs::default() };
    Needs { bytes: whole.needs.bytes + added.bytes, inodes: whole.needs.inodes + added.inodes }
}

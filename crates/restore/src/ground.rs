//! The host on which a copy is made: what is live there, whose it is, and what of it stays.

use crate::{
    Site,
    check::check,
    counting,
    error::{RestoreError, io_at, io_on},
    inode::seen,
    journal::Journal,
    meter::Meter,
    names::Policy,
    open::directory_below,
    owners::Owner,
    record::Recorder,
    stage::{LIVE, Stage},
    today::{Media, Parent, Today},
    uploads,
    writeback::Writeback,
};
use mastmaint_verify::{
    check::{Mastodon, live_in},
    look::DirectoryTree,
};
use mastmaint_words::restore::{RestoreOrder, Restoring};
use nix::unistd::{Gid as NixGid, Group, User};
use rustix::fs::{Gid, syncfs};

/// A copy that was made, and what was recorded of it.
pub(crate) struct Made<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) recorder: Recorder,
    pub(crate) writeback: Writeback,
}

/// What was found out of the host.
pub(crate) struct Ground<'a> {
    pub(crate) site: &'a Site<'a>,
    pub(crate) order: &'a RestoreOrder,
    pub(crate) parent: Parent,
    pub(crate) today: Option<Today>,
    pub(crate) policy: Policy,
    /// The instance's user.
    pub(crate) here: Owner,
    group: Option<Gid>,
}

impl<'a> Ground<'a> {
    /// Looks, and notes what has to be the same when it is switched.
    pub(crate) fn look(
        site: &'a Site<'a>,
        order: &'a RestoreOrder,
        restoring: &mut Restoring,
    ) -> Result<Self, RestoreError> {
        let here = user(&order.user)?;
        let group = site.group.map(group).transpose()?;
        let parent = Parent::open(&order.live)?;
        let today = Today::look(&parent, &order.live)?;
        let media = today.as_ref().map_or(&Media::None, |today| &today.media);
        let environment = today.as_ref().map(|today| today.environment.clone()).unwrap_or_default();
        let policy = Policy::decide(uploads::decide(order, media), order.with_env, environment);
        restoring.with_env = policy.with_env;
        restoring.parent = Some(parent.seen.inode);
        restoring.today = today.as_ref().map(|today| today.seen.inode);
        restoring.uploads = Some(policy.uploads);
        restoring.media = match media {
            Media::Here(seen) => Some(seen.inode),
            Media::None | Media::Link(_) => None,
        };
        Ok(Self { site, order, parent, today, policy, here, group })
    }

    /// Where the Rails root should lie in the backup.
    pub(crate) fn live_in_backup(&self) -> String {
        self.order.backup.live.clone().unwrap_or_else(|| self.order.live.to_string_lossy().into_owned())
    }

    /// What there is of Mastodon today.
    pub(crate) fn mastodon(&self) -> Result<Option<Mastodon>, RestoreError> {
        let Some(today) = &self.today else { return Ok(None) };
        let fd = today.fd.try_clone().map_err(io_at(b"live", "open"))?;
        live_in(&DirectoryTree::new(fd, None), &[], "").map(Some).map_err(io_at(b"live", "look into"))
    }

    /// The name of the group of the instance's user.
    pub(crate) fn group_name(&self) -> Vec<u8> {
        let found = Group::from_gid(NixGid::from_raw(self.here.gid)).ok().flatten();
        found.map(|group| group.name.into_bytes()).unwrap_or_default()
    }

    /// Ends a copy: read back while it goes to the disk, and open for who tries it out. It counts when all of it is on
    /// the disk, and its manifest.
    pub(crate) fn finish(
        &self,
        made: Made<'_>,
        journal: &Journal,
        meter: &Meter<'_>,
        restoring: &mut Restoring,
    ) -> Result<(), RestoreError> {
        let Made { stage, recorder, writeback } = made;
        let recorded = recorder.end()?;
        writeback.now();
        check(&stage.fd, &journal.manifest(), recorded.count, meter)?;
        self.nothing_moved()?;
        let live = directory_below(&stage.fd, LIVE).map_err(io_at(b"live", "open in the copy"))?;
        let tree = seen(&live).map_err(io_at(b"live", "look at in the copy"))?.inode;
        restoring.staged = Some(tree);
        if self.policy.with_env {
            counting::keep(stage, &live, tree, &self.order.run)?;
        }
        stage.let_in(self.group)?;
        recorded.keep()?;
        drop(writeback);
        syncfs(&stage.fd).map_err(io_on(&self.parent.path, "write the copy to the disk"))
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

//! A copy of what comes as a stream: an archive, what restic and Borg make of theirs, what another host sends. How much
//! it is, and what it lacks, is known when it is there.

use crate::{
    cache::Cache,
    diff::{self, Lost},
    error::{RestoreError, io_at},
    extract::{Extractor, Met, Watch, Whose, room},
    ground::{Ground, Made},
    journal::Journal,
    making::Making,
    media,
    meter::Meter,
    open::directory_below,
    owners::{Owner, Owners},
    plain_tar::PlainTar,
    plan::{Facts, plan},
    receive::Received,
    record::Recorder,
    space::fits,
    stage::{LIVE, Stage},
    survey::{Few, Survey},
    today::Media,
    trust, uploads,
    writeback::Writeback,
};
use jiff::Timestamp;
use mastmaint_verify::{
    bring::Stream,
    check::{Mastodon, live_in},
    look::DirectoryTree,
    shown,
};
use mastmaint_words::restore::{Amount, Generation, Plan, Restoring, Uploads};
use std::{io::Read, os::fd::OwnedFd};

/// What was found out before anything is written.
pub(crate) struct FromStream<'a> {
    ground: &'a Ground<'a>,
    stream: Stream,
    proved_at: Option<Timestamp>,
}

impl<'a> FromStream<'a> {
    /// Opens the backup, and refuses what nothing speaks for.
    pub(crate) fn look(ground: &'a Ground<'a>, restoring: &mut Restoring) -> Result<Self, RestoreError> {
        let Ground { site, order, .. } = ground;
        let (store, scratch) = (site.proofs.join(order.name.as_str()), site.state.join("scratch"));
        let (live, named) = (ground.live_in_backup(), order.snapshot.as_deref());
        let stream = Stream::open(&order.backup, named, &live, &store, &scratch)?;
        let generation = Generation { name: stream.name.clone(), at: stream.made };
        let known = trust::last_report(site.proofs, order)?;
        let proved_at = trust::trusted(order, known, &generation, Timestamp::now())?;
        let why = (!stream.is_proved()).then(|| format!("{} has no proof", stream.name));
        trust::refuse(order, why)?;
        let sentence = format!("{} of {} is read: {} names at most", stream.name, order.name, stream.names);
        restoring.generation = Some(generation);
        restoring.plan =
            Plan { sentence, newest_proof: proved_at, made: Some(stream.made), ..Plan::default() };
        Ok(Self { ground, stream, proved_at })
    }

    /// Makes the copy.
    pub(crate) fn copy(&self, journal: &Journal, restoring: &mut Restoring) -> Result<(), RestoreError> {
        let mut flow = self.stream.read().map_err(|source| self.broken(source))?;
        let from = Source {
            name: &self.stream.name,
            live: self.stream.live.as_bytes(),
            there: self.stream.owner.map(|(uid, gid)| Owner { uid, gid }),
            proved_at: self.proved_at,
            amount: Amount { files: self.stream.names, bytes: self.stream.bytes },
            unproved: Few::default(),
            with_cache: None,
        };
        from.copy(self.ground, journal, restoring, &mut flow, None, |flow| {
            if flow.is_what_was_proved().map_err(|source| self.broken(source))? {
                return Ok(());
            }
            Err(RestoreError::Rot { path: self.stream.name.clone() })
        })
    }

    fn broken(&self, source: std::io::Error) -> RestoreError {
        RestoreError::Broken { name: self.stream.name.clone(), source }
    }
}

/// Makes the copy of what another host sends.
pub(crate) fn receive(
    ground: &Ground<'_>,
    journal: &Journal,
    restoring: &mut Restoring,
    mut input: &mut dyn Read,
) -> Result<(), RestoreError> {
    let mut received = Received::begin(input, &journal.sent(), &ground.policy)?;
    let head = received.head().clone();
    let order = ground.order;
    received.is_what_was_asked_for(order)?;
    let at = &ground.parent.path;
    fits(received.needs(), room(&ground.parent.fd, at)?, &at.display().to_string())?;
    let doubt = received.doubt();
    let proved_at = head.proved_at.filter(|_| doubt.is_none());
    let doubt = doubt.or_else(|| trust::too_old(order, &head.generation, Timestamp::now()));
    trust::refuse(order, doubt)?;
    let generation = Generation { name: shown(head.generation.name.as_bytes()), ..head.generation };
    restoring.generation = Some(generation.clone());
    let from = Source {
        name: &generation.name,
        live: LIVE.as_bytes(),
        there: Some(Owner { uid: head.uid, gid: head.gid }),
        proved_at,
        amount: head.amount,
        unproved: received.unproved().clone(),
        with_cache: head.with_cache,
    };
    from.copy(ground, journal, restoring, &mut input, Some(&mut received), |_| Ok(()))
}

/// What comes, and what is known of it.
struct Source<'a> {
    name: &'a str,
    live: &'a [u8],
    there: Option<Owner>,
    proved_at: Option<Timestamp>,
    amount: Amount,
    /// Files of which nobody says what was proved.
    unproved: Few,
    /// Whether who sends it was asked for all uploads, if that is known.
    with_cache: Option<bool>,
}

impl Source<'_> {
    fn copy<R: Read>(
        &self,
        ground: &Ground<'_>,
        journal: &Journal,
        restoring: &mut Restoring,
        input: &mut R,
        announced: Option<&mut Received>,
        end: impl FnOnce(&mut R) -> Result<(), RestoreError>,
    ) -> Result<(), RestoreError> {
        let stage = Stage::make(&ground.parent, &ground.order.run)?;
        let recorder = Recorder::begin(&journal.manifest())?;
        let meter = Meter::new(ground.site.tell, self.amount);
        let writeback = Writeback::begin(&stage.fd);
        let free = room(&ground.parent.fd, &ground.parent.path)?.free;
        let here = uploads_of(ground)?;
        let whose = self.whose(ground);
        let extractor = Extractor {
            run: &stage.fd,
            live: self.live,
            policy: &ground.policy,
            uploads: here.as_ref(),
            whose: whose.clone(),
            recorder: &recorder,
            meter: &meter,
            writeback: &writeback,
            watch: Watch::begin(&stage.fd, &ground.parent.path)?,
            name: self.name,
        };
        let met = match announced {
            Some(received) => {
                let met = extractor.extract(&mut PlainTar::of(input), Some(received))?;
                received.end(input)?;
                met
            }
            None => extractor.extract(input, None)?,
        };
        end(input)?;
        let owners = Owners { there: whose.here, here: whose.here };
        let making = Making { owners, recorder: &recorder, meter: &meter, writeback: &writeback };
        uploads::make_room(&making, &stage.fd, ground)?;
        let copy = directory_below(&stage.fd, LIVE).map_err(io_at(LIVE.as_bytes(), "open in the copy"))?;
        let there = self.is_whole(ground, &copy)?;
        restoring.plan = self.plan(ground, restoring, met, &copy, &there, free)?;
        let made = Made { stage: &stage, recorder, writeback };
        ground.finish(made, journal, &meter, restoring)
    }

    fn whose(&self, ground: &Ground<'_>) -> Whose {
        Whose {
            there: self.there,
            here: ground.here,
            user: ground.order.user.clone().into_bytes(),
            group: ground.group_name(),
        }
    }

    /// Whether what came is Mastodon, with the uploads if they are asked for.
    fn is_whole(&self, ground: &Ground<'_>, copy: &OwnedFd) -> Result<Mastodon, RestoreError> {
        let of = |what| io_at::<std::io::Error>(LIVE.as_bytes(), what);
        let fd = copy.try_clone().map_err(of("open in the copy"))?;
        let mastodon = live_in(&DirectoryTree::new(fd, None), &[], "").map_err(of("look into"))?;
        if mastodon.version.is_none() {
            let (generation, live) = (self.name.to_owned(), shown(self.live));
            return Err(mastmaint_verify::bring::NotBrought::NoMastodon { generation, live }.into());
        }
        if ground.policy.uploads == Uploads::FromBackup {
            uploads::must_be_in(copy, self.name)?;
        }
        Ok(mastodon)
    }

    fn plan(
        &self,
        ground: &Ground<'_>,
        restoring: &Restoring,
        met: Met,
        copy: &OwnedFd,
        there: &Mastodon,
        free: u64,
    ) -> Result<Plan, RestoreError> {
        let lost = match &ground.today {
            Some(today) => diff::lost(&today.fd, copy, &ground.policy)?,
            None => Lost::default(),
        };
        let generation = restoring.generation.clone();
        let generation = generation.unwrap_or(Generation { name: self.name.to_owned(), at: restoring.began });
        let whole = Survey {
            amount: met.whole,
            others: met.others,
            setuid: met.setuid,
            unproved: self.unproved.clone(),
            ..Survey::default()
        };
        let missing = Survey { amount: met.missing, ..Survey::default() };
        Ok(plan(&Facts {
            order: ground.order,
            generation: &generation,
            now: Timestamp::now(),
            proved_at: self.proved_at,
            policy: &ground.policy,
            whole: &whole,
            missing: &missing,
            free,
            lost: &lost,
            cache: Cache::of(ground.order, &ground.policy, copy, self.with_cache)?,
            here: ground.mastodon()?.as_ref(),
            there,
            notes: Vec::new(),
        }))
    }
}

/// Today's uploads, or what their link leads to.
fn uploads_of(ground: &Ground<'_>) -> Result<Option<OwnedFd>, RestoreError> {
    let Some(today) = &ground.today else { return Ok(None) };
    match (ground.policy.uploads, &today.media) {
        (Uploads::Stay, _) => media::of_today(&today.fd, &ground.order.live).map(Some),
        (Uploads::Link, Media::Link(target)) => Ok(uploads::behind(&ground.order.live, target)),
        _ => Ok(None),
    }
}

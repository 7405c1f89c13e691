//! Makes the copy beside live, with Mastodon up. Nothing of live is changed; what would not work out is refused before
//! anything is written, where that can be known.

use crate::{
    Did, Site,
    error::RestoreError,
    from_stream::{self, FromStream},
    from_tree::FromTree,
    ground::Ground,
    journal::{Journal, begin, list},
    pull::{Door, Pull},
    stage::Stage,
    today::Parent,
};
use mastmaint_verify::backup::Place;
use mastmaint_words::{
    Digest,
    restore::{Fetch, Phase, RestoreOrder, Restoring},
};
use std::io::{BufReader, Read};

/// So much is read at once.
const PIECE: usize = 256 * 1024;
const NO_SPACE: &str = "no-space";

/// Makes a checked copy of a backup beside live.
pub fn prepare(site: &Site<'_>, order: &RestoreOrder) -> Result<Did, RestoreError> {
    around(site, order, |journal, restoring| {
        let ground = Ground::look(site, order, restoring)?;
        match order.backup.place {
            Place::Rsnapshot { .. } | Place::Tree { .. } => {
                let from = FromTree::look(&ground, restoring)?;
                journal.write(restoring)?;
                tell(site, restoring);
                from.copy(journal, restoring)
            }
            _ => {
                let from = FromStream::look(&ground, restoring)?;
                journal.write(restoring)?;
                site.tell.say(&restoring.plan.sentence);
                from.copy(journal, restoring)?;
                tell(site, restoring);
                Ok(())
            }
        }
    })
}

/// Makes it of what [`crate::send`] sends from another host.
pub fn receive(site: &Site<'_>, order: &RestoreOrder, input: &mut dyn Read) -> Result<Did, RestoreError> {
    around(site, order, |journal, restoring| {
        let ground = Ground::look(site, order, restoring)?;
        from_stream::receive(&ground, journal, restoring, input)?;
        tell(site, restoring);
        Ok(())
    })
}

/// Makes it of what another host sends when it is asked: `digest` is that of the configuration in which it stands.
pub fn pull(
    site: &Site<'_>,
    order: &RestoreOrder,
    door: &Door,
    digest: &Digest,
) -> Result<Did, RestoreError> {
    around(site, order, |journal, restoring| {
        // Before anybody is asked: what would be refused on this host needs no other one.
        let ground = Ground::look(site, order, restoring)?;
        let fetch = Fetch {
            digest: digest.clone(),
            backup: order.name.clone(),
            generation: order.snapshot.clone(),
            with_media: order.with_media,
            unproved: order.unproved,
        };
        if let Place::Pulled(pulled) = &order.backup.place {
            site.tell.say(&format!("{} is asked for {}", pulled.from.host(), pulled.from.backup()));
        }
        let mut input = BufReader::with_capacity(PIECE, Pull::begin(door, &fetch)?);
        let received = from_stream::receive(&ground, journal, restoring, &mut input);
        received.map_err(|error| input.into_inner().why(error))?;
        tell(site, restoring);
        Ok(())
    })
}

/// What making a copy has in common: it is journaled, made once, and leaves nothing if it is not made.
fn around(
    site: &Site<'_>,
    order: &RestoreOrder,
    make: impl FnOnce(&Journal, &mut Restoring) -> Result<(), RestoreError>,
) -> Result<Did, RestoreError> {
    let journal = Journal::open(site.state, &order.run)?;
    match journal.read()?.map(|restoring| restoring.phase) {
        None | Some(Phase::Preparing | Phase::Refused { .. }) => {}
        Some(Phase::Prepared | Phase::Switching { .. } | Phase::Switched) => return Ok(Did::Done),
        Some(Phase::GoingBack { .. } | Phase::Back | Phase::Pruned) => {
            let what = format!("restore {} was taken back; begin another one", order.run);
            return Err(RestoreError::NotNow { what });
        }
    }
    drop_others(site, &journal, order, |other| matches!(other.phase, Phase::Preparing))?;
    let mut restoring = begin(order);
    journal.write(&mut restoring)?;
    (site.reach)("prepare.begun");
    match make(&journal, &mut restoring) {
        Ok(()) => {
            (site.reach)("prepare.copied");
            journal.next(&mut restoring, Phase::Prepared)?;
            (site.reach)("prepare.prepared");
            // Not before there is a better one: what is asked for now may not come.
            drop_others(site, &journal, order, |other| {
                matches!(other.phase, Phase::Prepared) && other.job.is_some() && other.job == order.job
            })?;
            name_others(site, order)?;
            Ok(Did::Done)
        }
        Err(error) => {
            // Half a copy is of no use to anybody, and a full disk is one for the instance, too.
            if let Ok(parent) = Parent::open(&order.live)
                && let Ok(Some(stage)) = Stage::open(&parent, &order.run)
            {
                let _ = stage.remove(&parent, &order.run);
            }
            if error.code() == NO_SPACE {
                name_others(site, order)?;
            }
            Err(journal.failed(&mut restoring, error))
        }
    }
}

/// Copies of earlier runs that nobody has switched in.
fn idle(
    site: &Site<'_>,
    order: &RestoreOrder,
    is_meant: impl Fn(&Restoring) -> bool,
) -> Result<impl Iterator<Item = Restoring>, RestoreError> {
    let is_one =
        move |other: &Restoring| is_meant(other) && other.run != order.run && other.live == order.live;
    Ok(list(site.state)?.into_iter().filter(is_one))
}

/// Each takes as much room as the instance, and was made for a person or by another job.
fn name_others(site: &Site<'_>, order: &RestoreOrder) -> Result<(), RestoreError> {
    for other in idle(site, order, |other| matches!(other.phase, Phase::Prepared))? {
        let run = &other.run;
        site.tell.say(&format!(
            "the copy of run {run} lies beside, too; `mastmaintctl restore --prepared {run}` switches it in, or \
             `mastmaintctl prune {run}` removes it"
        ));
    }
    Ok(())
}

/// Removes them.
fn drop_others(
    site: &Site<'_>,
    journal: &Journal,
    order: &RestoreOrder,
    is_meant: impl Fn(&Restoring) -> bool,
) -> Result<(), RestoreError> {
    for mut other in idle(site, order, is_meant)? {
        let parent = Parent::open(&other.live)?;
        if let Some(stage) = Stage::open(&parent, &other.run)? {
            stage.remove(&parent, &other.run)?;
            site.tell.say(&format!("removed the copy of run {}, which was never switched in", other.run));
        }
        journal.put_aside(&mut other)?;
    }
    Ok(())
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

//! One drill from its beginning to its end.

use super::{
    Drill, Drilled, Order, Shape, Stop, Times, ask, cluster::Cluster, judge::judge, programs::Programs,
    restore::restore, scratch::Scratch, space,
};
use crate::{
    error::VerifyError,
    finding::{Finding, Severity},
    prove::Tell,
    stream,
};
use jiff::Timestamp;
use mastmaint_words::human;
use std::{cmp::Reverse, fs::File, path::Path, time::Instant};

/// Brings a dump to life in a directory below `place`, asks it, and removes everything again.
pub fn drill(order: &Order, dump: File, place: &Path, tell: &dyn Tell) -> Result<Drilled, VerifyError> {
    let begun = Instant::now();
    let mut drill = Drill {
        at: Timestamp::now(),
        dump: order.dump.clone(),
        is_good: false,
        server: None,
        bytes: 0,
        times: Times::default(),
        counts: None,
        harmless: Vec::new(),
    };
    let mut findings = match bring_to_life(order, dump, place, tell, &mut drill) {
        Ok(findings) => findings,
        Err(Stop::Found(finding)) => vec![*finding],
        Err(Stop::Error(error)) => return Err(error),
    };
    findings.sort_by_key(|f| Reverse(f.severity));
    drill.is_good = drill.counts.is_some() && findings.iter().all(|f| f.severity < Severity::Fail);
    drill.times.total = begun.elapsed();
    Ok(Drilled { drill, findings })
}

fn bring_to_life(
    order: &Order,
    dump: File,
    place: &Path,
    tell: &dyn Tell,
    drill: &mut Drill,
) -> Result<Vec<Finding>, Stop> {
    let is_cancelled = || tell.is_cancelled();
    let programs = Programs::find(&order.dump, order.shape)?;
    drill.server = Some(programs.major);
    let scratch = Scratch::make(place, &is_cancelled)?;
    let packing = match order.shape {
        Shape::Archive(..) => None,
        // What comes through a pipe is unpacked already, and from something packed.
        Shape::Text | Shape::Cluster => stream::packing_of(&dump).map_err(VerifyError::drill(place))?,
    };
    space::check(scratch.path(), space::needed(order.before.as_ref(), order.size, packing), order.reserve)?;

    let mut clock = Instant::now();
    let mut lap = || std::mem::replace(&mut clock, Instant::now()).elapsed();
    let mut cluster = Cluster::start(programs, &scratch, &order.dump, &is_cancelled)?;
    drill.times.prepare = lap();
    tell.say(&format!("restoring {} into PostgreSQL {}", order.dump, cluster.programs.major));
    drill.harmless = restore(&mut cluster, order, dump, &is_cancelled)?;
    drill.times.restore = lap();
    drill.bytes = cluster.bytes().map_err(VerifyError::drill(place))?;
    tell.say(&format!(
        "restored in {}, {} on disk; asking",
        human::took(drill.times.restore),
        human::bytes(drill.bytes)
    ));
    let database = ask::database(&cluster, order.shape)?;
    let answers = ask::answers(&cluster, &database, order.domain.as_deref())?;
    let counts = answers.counts();
    let mut findings = judge(order, &answers, &counts);
    findings.extend(ask::assertions(&cluster, &database, &order.assertions)?);
    drill.times.ask = lap();
    drill.counts = Some(counts);
    Ok(findings)
}

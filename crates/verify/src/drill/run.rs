//! One drill from its beginning to its end.

use super::{
    Drill, Drilled, Host, Order, Shape, Stop, Times, assertions,
    boot::{self, boot},
    cluster::{self, Cluster},
    judge::judge,
    network,
    restore::restore,
    scratch::Scratch,
    space,
};
use crate::{
    error::VerifyError,
    finding::{Code, Finding, Severity},
    prove::Tell,
    revive::{self, Ask as _, Programs},
    stream,
};
use jiff::Timestamp;
use mastmaint_words::human;
use std::{cmp::Reverse, fs::File, path::Path, time::Instant};

/// What is handed over: the dump, and the files of Mastodon as a stream.
#[derive(Debug)]
pub struct Handed {
    /// The open dump.
    pub dump: File,
    /// What the verify room makes of the Rails root, where Mastodon shall be started.
    pub files: Option<File>,
}

/// Brings a dump to life in a directory below `place`, asks it, and removes everything again.
pub fn drill(
    order: &Order,
    handed: Handed,
    place: &Path,
    host: &Host,
    tell: &dyn Tell,
) -> Result<Drilled, VerifyError> {
    let begun = Instant::now();
    let mut drill = Drill {
        at: Timestamp::now(),
        dump: order.dump.clone(),
        is_good: false,
        server: None,
        bytes: 0,
        times: Times::default(),
        counts: None,
        boot: None,
        harmless: Vec::new(),
    };
    let mut findings = match bring_to_life(order, handed, place, host, tell, &mut drill) {
        Ok(findings) => findings,
        Err(Stop::Found(finding)) => vec![*finding],
        Err(Stop::Error(error)) => return Err(error),
    };
    findings.sort_by_key(|f| Reverse(f.severity));
    drill.is_good = drill.counts.is_some() && findings.iter().all(|f| f.severity < Severity::Fail);
    drill.times.total = begun.elapsed();
    Ok(Drilled { drill, findings })
}

/// That somebody else has the place says nothing about the dump.
fn not_tonight(dump: &str) -> Finding {
    let what = format!("{dump} was not brought to life: another drill, or a stage, is at work");
    let advice = "The next verification tries again; end the stage if nobody looks at it any more.";
    Finding::warn(Code::NotChecked, what, advice)
}

fn bring_to_life(
    order: &Order,
    handed: Handed,
    place: &Path,
    host: &Host,
    tell: &dyn Tell,
    drill: &mut Drill,
) -> Result<Vec<Finding>, Stop> {
    let Handed { dump, files } = handed;
    let is_cancelled = || tell.is_cancelled();
    // A drill goes on, and only starts no Mastodon.
    if let (Some(_), Some(why)) = (&order.stage, host.network.forbids()) {
        let what = format!("{} is not staged: {why}", order.dump);
        return Err(Finding::fail(Code::NetworkShared, what, network::ADVICE).into());
    }
    let programs = Programs::with_a_server(&order.dump, order.shape)?;
    drill.server = Some(programs.major);
    let scratch = match order.stage {
        // A person is told, and does not wait.
        Some(_) => Scratch::take(place)?.ok_or_else(|| at_work(&order.dump))?,
        None => Scratch::make(place, tell)?.ok_or_else(|| not_tonight(&order.dump))?,
    };
    let packing = match order.shape {
        Shape::Archive(..) => None,
        // What comes through a pipe is unpacked already, and from something packed.
        Shape::Text | Shape::Cluster => stream::packing_of(&dump).map_err(VerifyError::drill(place))?,
    };
    let needed = space::needed(order.before.as_ref(), order.size, packing);
    let needed = needed.saturating_add(order.boot.as_ref().map_or(0, |files| files.bytes));
    space::check(scratch.path(), needed, order.reserve)?;

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
    let database = match order.shape {
        Shape::Cluster => revive::database(&|name, sql| cluster.of(name).ask(sql))?,
        Shape::Archive(..) | Shape::Text => None,
    };
    let database = database.unwrap_or_else(|| cluster::DATABASE.to_owned());
    let answers = revive::answers(&cluster.of(&database), order.domain.as_deref())?;
    let counts = answers.counts();
    let mut findings = judge(order, &answers, &counts);
    findings.extend(assertions::hold(&cluster.of(&database), &order.assertions)?);
    drill.times.ask = lap();
    drill.counts = Some(counts);
    let is_usable = findings.iter().all(|f| f.severity < Severity::Fail);
    if let (Some(files), Some(stream), true) = (&order.boot, files, is_usable) {
        let ready = boot::Ready {
            files,
            stream,
            cluster: &cluster,
            database: &database,
            must_migrate: findings.iter().any(|f| f.code == Code::DumpOlderThanCode),
            reserve: order.reserve,
            stage: order.stage.as_ref(),
            host,
            tell,
        };
        let (booted, found) = boot(ready)?;
        drill.boot = Some(booted);
        findings.extend(found);
    }
    Ok(findings)
}

fn at_work(dump: &str) -> Finding {
    let what = format!("{dump} is not staged: another drill, or a stage, is at work on this host");
    let advice = "Try again when it is over; `systemctl list-units 'mastmaintd-drill@*' 'mastmaintd-boot@*'` shows it.";
    Finding::fail(Code::DrillAtWork, what, advice)
}

#[cfg(test)]
mod tests {
    use super::{super::Network, *};
    use crate::prove::Untold;
    use mastmaint_words::{Span, stage::Stage};
    use std::collections::BTreeSet;

    #[test]
    fn nothing_is_staged_with_the_network_of_the_host() {
        let order = Order {
            dump: "a.dump".to_owned(),
            shape: Shape::Text,
            size: 1,
            domain: None,
            code: BTreeSet::new(),
            before: None,
            assertions: Vec::new(),
            reserve: 0,
            boot: None,
            stage: Some(Stage { port: 1, lasts: Span::from_secs(1), change: None }),
        };
        let host = Host { network: Network::OfHost("not permitted".to_owned()), ..Host::default() };
        let place = tempfile::tempdir().unwrap();
        let handed = Handed { dump: tempfile::tempfile().unwrap(), files: None };
        let drilled = drill(&order, handed, place.path(), &host, &Untold).unwrap();
        let [finding] = &drilled.findings[..] else { panic!("{drilled:?}") };
        assert_eq!((finding.code, finding.severity), (Code::NetworkShared, Severity::Fail));
        assert!(finding.what.contains("a.dump is not staged") && finding.what.contains("not permitted"));
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0, "nothing was begun");
    }
}

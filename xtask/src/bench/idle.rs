//! What a daemon costs that has nothing to do: ten daily jobs, none of them due.

use super::{
    Row,
    bed::{Bed, Cron},
    process::{memory, mib, sleeps, woken},
};
use crate::shell::Result;
use nix::unistd::Pid;
use std::{fmt::Write as _, thread::sleep, time::Duration};

/// After the start there is the check of the ledger and memory to give back.
const SETTLE: Duration = Duration::from_secs(10);
const MINUTES: u32 = 3;

pub(super) fn measure() -> Result<Vec<Row>> {
    let (mut jobs, mut table) = (String::new(), String::new());
    // Half a day away from now at least at one end of the list, and none within the next minutes.
    let hour = (hour_of_day() + 6) % 24;
    for minute in 0..10 {
        let _ = write!(
            jobs,
            "  job{minute}:\n    schedule: \"{minute} {hour} * * *\"\n    steps:\n      - run: /bin/true\n"
        );
        let _ = writeln!(table, "{minute} {hour} * * * root /bin/true");
    }
    let bed = Bed::new("idle", &jobs)?;
    let cron = Cron::start(&table);
    let daemon = bed.start()?;
    sleep(SETTLE);
    let all: Vec<Pid> = [Some(daemon.pid()), cron.as_ref().map(Cron::pid)].into_iter().flatten().collect();
    let before: Vec<_> = all.iter().map(|pid| sleeps(*pid)).collect();
    sleep(Duration::from_mins(1) * MINUTES);
    let mut figures = all.iter().zip(before).map(|(pid, before)| {
        let woken = woken(&before, &sleeps(*pid));
        let (rss, pss) = memory(*pid);
        (format!("{woken} in {MINUTES} minutes"), format!("{} / {}", mib(rss), mib(pss)))
    });
    let (wakes, held) = figures.next().unwrap_or_default();
    let none = || ("cron: not to be had".to_owned(), "cron: not to be had".to_owned());
    let (cron_wakes, cron_held) =
        figures.next().map_or_else(none, |(wakes, held)| (format!("cron {wakes}"), format!("cron {held}")));
    Ok(vec![
        Row {
            what: "idle, 10 daily jobs, no watchdog: wake-ups of all threads".into(),
            goal: "≤ 1 a minute",
            figure: wakes,
            peers: cron_wakes,
        },
        Row { what: "the same: RSS / Pss".into(), goal: "≤ 8 / 4 MB", figure: held, peers: cron_held },
    ])
}

/// Of the UTC day, as the configuration's time zone; cron's may be another, which matters little.
fn hour_of_day() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs() / 3600 % 24)
}

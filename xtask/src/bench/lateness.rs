//! From the instant at which a job is due to the first thing that its program does: the clock's time, taken by the
//! program itself. Everything is due at whole seconds, so what is beyond the second is late.

use super::{
    Row,
    bed::{Bed, Cron, child},
    sample::Sample,
};
use crate::shell::{Result, at};
use std::{fmt::Write as _, fs, path::Path, thread::sleep, time::Duration};

/// The jobs of each minute, spread over it by a random delay. cron has one: it would start all of its own at once.
const JOBS: usize = 20;
const MINUTES: u32 = 6;

pub(super) fn measure() -> Result<Vec<Row>> {
    let stamps = crate::shell::target().join("bench/stamps");
    let cron_stamps = crate::shell::target().join("bench/stamps-cron");
    for file in [&stamps, &cron_stamps] {
        drop(fs::remove_file(file));
    }
    let (child, mut jobs) = (child(), String::new());
    for job in 0..JOBS {
        let _ = write!(
            jobs,
            "  job{job}:\n    schedule: \"* * * * *\"\n    random_delay: 50s\n    steps:\n      - run: [{}, stamp, {}]\n",
            child.display(),
            stamps.display()
        );
    }
    let bed = Bed::new("lateness", &jobs)?;
    let line = format!("* * * * * root {} stamp {}\n", child.display(), cron_stamps.display());
    let cron = Cron::start(&line);
    let daemon = bed.start()?;
    sleep(Duration::from_mins(1) * MINUTES);
    drop(daemon);
    let peers = match cron {
        Some(_) => format!("cron, one job a minute: {}", read(&cron_stamps)?),
        None => "cron: not to be had".to_owned(),
    };
    Ok(vec![Row {
        what: "lateness as a child: due → first instruction of the program".into(),
        goal: "p99 ≤ 5 ms",
        figure: read(&stamps)?.to_string(),
        peers,
    }])
}

/// How late each stamp is.
pub(super) fn read(stamps: &Path) -> Result<Sample> {
    Ok(late(&fs::read_to_string(stamps).map_err(at(stamps))?))
}

/// The same of a text.
pub(super) fn late(stamps: &str) -> Sample {
    let nanos = stamps.lines().filter_map(|line| line.split_once('.')?.1.parse().ok());
    Sample::new(nanos.map(Duration::from_nanos).collect())
}

//! The same questions in a room of Debian 12: systemd opens it, and the machine of the container tests carries it.

use super::{Row, bed::child, lateness::late, sample::Sample};
use crate::{
    shell::{Result, at, target},
    suites,
};
use std::{fs, time::Duration};

pub(super) fn measure() -> Result<Vec<Row>> {
    let out = target().join("bench/rooms");
    fs::create_dir_all(&out).map_err(at(&out))?;
    suites::figures(&child(), &out)?;
    let read = |name: &str| {
        let path = out.join(name);
        fs::read_to_string(&path).map_err(at(&path))
    };
    let knocks = read("knocks")?.lines().filter_map(|l| l.parse().ok()).map(Duration::from_micros).collect();
    Ok(vec![
        Row {
            what: "lateness in a room: due → first instruction of the program".into(),
            goal: "p99 ≤ 50 ms",
            figure: late(&read("late")?).to_string(),
            peers: format!("systemd-run (call → first instruction) {}", pairs(&read("systemd-run")?)),
        },
        Row {
            what: "connect → first line of a room".into(),
            goal: "≤ 40 ms",
            figure: Sample::new(knocks).to_string(),
            peers: String::new(),
        },
    ])
}

/// What lies between the first and the second, the third and the fourth time of a text.
fn pairs(times: &str) -> Sample {
    let times: Vec<Duration> = times
        .lines()
        .filter_map(|line| {
            let (seconds, nanos) = line.split_once('.')?;
            Some(Duration::new(seconds.parse().ok()?, nanos.parse().ok()?))
        })
        .collect();
    Sample::new(times.chunks_exact(2).map(|pair| pair[1].saturating_sub(pair[0])).collect())
}

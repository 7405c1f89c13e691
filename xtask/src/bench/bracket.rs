//! What a bracket costs beside the time that systemctl itself takes, in the machine of the container tests.

use super::{Row, sample::Sample};
use crate::{
    shell::{Result, at, target},
    suites,
};
use std::{fs, time::Duration};

pub(super) fn measure() -> Result<Vec<Row>> {
    let out = target().join("bench/bracket");
    fs::create_dir_all(&out).map_err(at(&out))?;
    suites::figures_of_bracket(&out)?;
    let read = |name: &str| {
        let path = out.join(name);
        let text = fs::read_to_string(&path).map_err(at(&path))?;
        Ok(text.lines().filter_map(|line| line.parse().ok()).map(Duration::from_micros).collect::<Vec<_>>())
    };
    Ok(vec![
        Row {
            what: "bracket: stop and start in the room, without systemctl's own time and without watching"
                .into(),
            goal: "≤ 100 ms",
            figure: Sample::new(read("in-room")?).to_string(),
            peers: format!("systemctl's own stop and start {}", Sample::new(read("systemctl")?)),
        },
        Row {
            what: "the same in the whole run: with the opening of two rooms and the ledger".into(),
            goal: "",
            figure: Sample::new(read("in-run")?).to_string(),
            peers: String::new(),
        },
    ])
}

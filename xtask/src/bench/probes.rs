//! What it costs to ask the instance how it is: the time of processors that a whole machine uses more with probes than
//! without, the web server's answers included.

use super::Row;
use crate::{
    shell::{Result, TaskError, at, target},
    suites,
};
use std::{fs, time::Duration};

pub(super) fn measure() -> Result<Vec<Row>> {
    let out = target().join("bench/probes");
    fs::create_dir_all(&out).map_err(at(&out))?;
    suites::figures_of_probes(&out)?;
    let path = out.join("each");
    let text = fs::read_to_string(&path).map_err(at(&path))?;
    let each = text.trim().parse().map(Duration::from_micros);
    let each = each.map_err(|error| TaskError::Hopeless(format!("{}: {error}", path.display())))?;
    Ok(vec![Row {
        what: "processor a minute of web, api, assets, units and disk, each asked every minute".into(),
        goal: "",
        figure: format!("{:.0} ms", each.as_secs_f64() * 1000.0),
        peers: String::new(),
    }])
}

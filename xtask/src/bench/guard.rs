//! What a guard takes beside its commands, with as many files as a real Mastodon has, and what it takes to put a build
//! back that wrote every file anew.

use super::{
    Row,
    bed::{Bed, Daemon},
    sample::Sample,
};
use crate::shell::{Result, TaskError, at};
use mastmaint_tests::{Site, Systemctl, vite};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, thread::sleep, time::Duration};

/// In `public/packs`, and what the manifest of 4.6.5 names of them.
const BUILT: usize = 6500;
const NAMED: usize = 810;
const BYTES: usize = 16 * 1024;
/// In all of the Rails root.
const ALL: usize = 46_000;
const RUNS: usize = 10;

pub(super) fn measure() -> Result<Vec<Row>> {
    let bed = Bed::new("guard", "  none:\n    steps: [{run: /bin/true}]\n")?;
    let live = bed.path("live");
    let site = fill(&live).map_err(at(&live))?;
    let bin = bed.path("bin");
    Systemctl::put(bin.clone(), &bed.path("never")).map_err(at(&bin))?;
    let anew = bin.join("anew");
    fs::write(&anew, "#!/bin/sh -e\ncp -r public/packs public/new\nrm -r public/packs\nmv public/new public/packs\nexit 1\n")
        .and_then(|()| fs::set_permissions(&anew, fs::Permissions::from_mode(0o755)))
        .map_err(at(&anew))?;
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
    let config = bed.path("etc/mastmaintd.yaml");
    let text = format!(
        "instance: {{live: {}, user: {}, services: [mastodon-web], settle: 1s, url: \"{}\"}}\n\
         defaults: {{timezone: UTC}}\njobs:\n  fine: {{steps: [{{guard: /bin/true, build: false}}]}}\n  \
         bad: {{steps: [{{guard: {}, build: false}}]}}\n",
        live.display(),
        user.map_or_else(|| "root".to_owned(), |user| user.name),
        site.url(),
        anew.display()
    );
    fs::write(&config, text).map_err(at(&config))?;
    let daemon = bed.start()?;
    let (mut kept, mut checked, mut back) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let fine = run(&daemon, "fine", "ok")?;
        kept.push(took(&fine, 0)? + took(&fine, 5)?);
        checked.push(took(&fine, 2)?);
        back.push(took(&run(&daemon, "bad", "failed")?, 2)?);
    }
    let row = |what: &str, goal, values, peers: &str| Row {
        what: format!("guard: {what}"),
        goal,
        figure: Sample::new(values).to_string(),
        peers: peers.to_owned(),
    };
    Ok(vec![
        row(
            "safe point and its removal; 6,500 files (104 MB) are kept, 46,000 are listed",
            "≤ 10 % of a build",
            kept,
            "a build of 4.6.5: 35 to 40 s",
        ),
        row("check: every file that the build names is read, 46,000 are looked at", "", checked, ""),
        row("put back after every file was written anew, each compared twice", "", back, ""),
    ])
}

/// A Mastodon of the usual size behind a web server.
fn fill(live: &Path) -> std::io::Result<Site> {
    let site = Site::start(live)?;
    vite::enlarge(live, BUILT, NAMED, BYTES)?;
    for number in 0..ALL - BUILT {
        let directory = live.join(format!("node_modules/{:03}", number / 100));
        if number % 100 == 0 {
            fs::create_dir_all(&directory)?;
        }
        fs::write(directory.join(format!("{number}.js")), "x")?;
    }
    Ok(site)
}

fn run(daemon: &Daemon, job: &str, expected: &str) -> Result<Value> {
    let id = daemon.ctl(&["run", job])?;
    let id = String::from_utf8_lossy(&id).trim().to_owned();
    loop {
        sleep(Duration::from_millis(50));
        let run = daemon.newest(job)?;
        if run["run"] == id.as_str() && run["state"] == "ended" {
            return if run["outcome"] == expected {
                Ok(run)
            } else {
                Err(TaskError::Hopeless(format!("{job} was to be {expected}: {run:#}")))
            };
        }
    }
}

/// Of the step at a position of those that were run.
fn took(run: &Value, position: usize) -> Result<Duration> {
    let seconds = run["steps"][position]["took_seconds"].as_f64();
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| TaskError::Hopeless(format!("no step {position}: {run:#}")))
}

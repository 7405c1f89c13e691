//! A machine with a made-up Mastodon and, if asked, with mastmaintd from the package.

use crate::{
    image::Debian,
    machine::{Done, Machine},
};
use serde_json::Value;
use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::Shutdown,
    path::PathBuf,
    time::Duration,
};

/// What no journal, ledger or terminal may show.
pub(crate) const SECRET: &str = "correct-horse-battery";

/// What the tests' configurations have in common.
const INSTANCE: &str = "\
instance:
  live: /home/mastodon/live
  user: mastodon
  services: [mastodon-web, mastodon-sidekiq, mastodon-streaming]
  settle: 1s
defaults: {timezone: UTC, timeout: 10m, grace: 5s, lock: mastodon}
";

/// The package under test.
pub(crate) fn deb() -> PathBuf {
    from_env("MASTMAINT_DEB")
}

/// The same with a higher version.
pub(crate) fn next_deb() -> PathBuf {
    from_env("MASTMAINT_DEB_NEXT")
}

/// A path that the task which runs us has set.
pub(crate) fn from_env(name: &str) -> PathBuf {
    PathBuf::from(
        std::env::var_os(name).unwrap_or_else(|| panic!("{name}: run this by `cargo xtask system`")),
    )
}

/// A Debian with a Mastodon on it.
pub(crate) fn mastodon(debian: Debian) -> Machine {
    let machine = Machine::boot(debian);
    machine.sh("useradd --create-home --shell /bin/bash mastodon").ok();
    let live = "/home/mastodon/live";
    machine.put(&from_env("MASTMAINT_STANDIN"), &format!("{live}/bin/tootctl"));
    machine.write(
        &format!("{live}/.env.production"),
        &format!("LOCAL_DOMAIN=social.example\nDB_PASS={SECRET}\n"),
    );
    machine.write(
        &format!("{live}/lib/mastodon/version.rb"),
        "module Mastodon\n  module Version\n    module_function\n\n    def major\n      4\n    end\n\n    \
         def minor\n      6\n    end\n\n    def patch\n      5\n    end\n  end\nend\n",
    );
    for name in ["mastodon-web", "mastodon-sidekiq", "mastodon-streaming", "mastodon-streaming@"] {
        machine.write(
            &format!("/etc/systemd/system/{name}.service"),
            "[Service]\nUser=mastodon\nWorkingDirectory=/home/mastodon/live\nEnvironment=RAILS_ENV=production\n\
             ExecStart=/usr/bin/sleep infinity\nRestart=always\n[Install]\nWantedBy=multi-user.target\n",
        );
    }
    // The stand-in's rows lie where a room lets it write, as the real ones do.
    machine
        .sh("cd /home/mastodon/live && mkdir -p public/system log tmp && ln -s tmp/standin-rows.jsonl . \
             && touch tmp/standin-rows.jsonl && chmod 755 bin/tootctl /home/mastodon \
             && chown -R mastodon:mastodon /home/mastodon && systemctl daemon-reload \
             && systemctl enable --now mastodon-web mastodon-sidekiq mastodon-streaming")
        .ok();
    machine
}

/// The same with mastmaintd running on these jobs (`standin.yaml` says what their commands meet).
pub(crate) fn maintained(debian: Debian, jobs: &str, weather: &str) -> Machine {
    let machine = mastodon(debian);
    machine.write("/home/mastodon/live/standin.yaml", weather);
    install(&machine, &deb());
    configure(&machine, jobs);
    machine.sh("systemctl start mastmaintd").ok();
    machine
}

/// Installs a package as apt would, without a network.
pub(crate) fn install(machine: &Machine, deb: &std::path::Path) {
    machine.put(deb, "/root/mastmaintd.deb");
    machine.sh("dpkg --force-confdef -i /root/mastmaintd.deb && rm /root/mastmaintd.deb").ok();
}

/// Writes a configuration of these jobs.
pub(crate) fn configure(machine: &Machine, jobs: &str) {
    // In place: the file keeps its owner and mode.
    machine.write("/etc/mastmaintd/mastmaintd.yaml", &format!("{INSTANCE}jobs:\n{jobs}"));
}

/// `mastmaintctl` as root.
pub(crate) fn ctl(machine: &Machine, args: &str) -> Done {
    machine.sh(&format!("mastmaintctl {args}"))
}

/// The newest run of a job that has ended, as `mastmaintctl history --json` shows it.
pub(crate) fn ended_run(machine: &Machine, job: &str) -> Value {
    machine.until(&format!("a run of {job} has ended"), Duration::from_mins(3), |m| {
        let listing: Value = serde_json::from_str(&ctl(m, &format!("history {job} --json")).out).ok()?;
        let runs = listing.get("runs")?.as_array()?;
        runs.iter().find(|run| run["state"] == "ended").cloned()
    })
}

/// Waits until a step of the stand-in has begun and returns its process id.
pub(crate) fn step_pid(machine: &Machine) -> String {
    machine.until("the step runs", Duration::from_mins(1), |m| {
        let found = m.sh("pgrep -x -U mastodon tootctl || pgrep -f -U mastodon bin/tootctl").out;
        found.lines().next().map(str::to_owned)
    })
}

/// Calls of the stand-in that have begun.
pub(crate) fn calls(machine: &Machine) -> Vec<Value> {
    let text = machine.sh("cat /home/mastodon/live/log/standin-calls.jsonl 2>/dev/null || true").ok();
    let calls = text.lines().map(|l| serde_json::from_str::<Value>(l).unwrap());
    calls.filter(|call| call["event"] == "start").collect()
}

/// Says a line to a room's socket, past the daemon, and returns what the room answers.
pub(crate) fn say_to_room(machine: &Machine, room: &str, line: &[u8]) -> Vec<Value> {
    let mut stream = machine.connect(&format!("/run/mastmaintd-rooms/{room}.sock"));
    // A room that has heard enough closes while we still speak; what it said is read all the same.
    drop(stream.write_all(line).and_then(|()| stream.shutdown(Shutdown::Write)));
    let answers = BufReader::new(stream).lines().map_while(Result::ok);
    answers.map(|answer| serde_json::from_str(&answer).unwrap()).collect()
}

/// Runs a command in a room's walls instead of its runner; its exit status, and what it printed.
pub(crate) fn within(machine: &Machine, room: &str, command: &str) -> (String, String) {
    let unit = format!("mastmaintd-{room}@probe.service");
    machine.write(
        &format!("/etc/systemd/system/mastmaintd-{room}@.service.d/60-probe.conf"),
        &format!(
            "[Service]\nType=oneshot\nStandardInput=null\nStandardOutput=append:/run/probe\n\
             StandardError=append:/run/probe-err\nExecStart=\nExecStart={command}\n\
             [Unit]\nCollectMode=inactive\n"
        ),
    );
    // What the room does at its end writes there, too.
    machine.sh("rm -f /run/probe /run/probe-err && systemctl daemon-reload").ok();
    machine.sh(&format!("systemctl start '{unit}'"));
    let status = machine.property(&unit, "ExecMainStatus");
    let printed = machine.sh("cat /run/probe /run/probe-err").out;
    machine
        .sh(&format!(
            "systemctl reset-failed '{unit}'; rm /etc/systemd/system/mastmaintd-{room}@.service.d/60-probe.conf \
             && systemctl daemon-reload"
        ))
        .ok();
    (status, printed)
}

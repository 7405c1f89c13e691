//! A Mastodon whose services answer as the real ones do, and what may be seen of them.

use crate::{
    host::{from_env, maintained},
    image::Debian,
    machine::Machine,
};
use std::time::Duration;

/// What a healthy Mastodon runs; the shim and its one instance among it.
pub(crate) const SERVICES: [&str; 4] =
    ["mastodon-web", "mastodon-sidekiq", "mastodon-streaming", "mastodon-streaming@4000"];

/// The same as [`maintained`] with services that answer.
pub(crate) fn answering(debian: Debian, jobs: &str, weather: &str) -> Machine {
    let machine = maintained(debian, jobs, weather);
    machine.put(&from_env("MASTMAINT_STANDIN_SERVICE"), "/usr/local/bin/standin-service");
    let service = |name: &str, more: &str| {
        format!(
            "[Unit]\n{more}[Service]\nUser=mastodon\nExecStart=/usr/local/bin/standin-service {name}\nRestart=always\n\
             Environment=RAILS_ENV=production\n{}[Install]\nWantedBy=multi-user.target\n",
            if name == "streaming" { "Environment=PORT=%i\n" } else { "" }
        )
    };
    let unit = |name: &str, text: &str| machine.write(&format!("/etc/systemd/system/{name}.service"), text);
    unit("mastodon-web", &service("web", ""));
    unit("mastodon-sidekiq", &service("sidekiq", ""));
    unit("mastodon-streaming@", &service("streaming", "PartOf=mastodon-streaming.service\n"));
    unit(
        "mastodon-streaming",
        "[Unit]\nWants=mastodon-streaming@4000.service\n[Service]\nType=oneshot\nRemainAfterExit=yes\n\
         ExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n",
    );
    machine
        .sh("chmod 755 /usr/local/bin/standin-service && systemctl daemon-reload && \
             systemctl restart mastodon-web mastodon-sidekiq && systemctl stop mastodon-streaming && \
             systemctl start mastodon-streaming")
        .ok();
    all_are(&machine, "active");
    machine
}

/// Waits until every service is in this state.
#[track_caller]
pub(crate) fn all_are(machine: &Machine, state: &str) {
    machine.until(&format!("all services are {state}"), Duration::from_mins(3), |m| {
        states(m).iter().all(|found| found == state).then_some(())
    });
}

/// The states of the services.
pub(crate) fn states(machine: &Machine) -> Vec<String> {
    let shown = machine.sh(&format!("systemctl show -P ActiveState {}", SERVICES.join(" "))).ok();
    shown.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// Makes a service ill, or well again with an empty word.
pub(crate) fn ail(machine: &Machine, name: &str, ailment: &str) {
    machine
        .sh(&format!(
            "mkdir -p /run/standin && chmod 755 /run/standin && echo '{ailment}' > /run/standin/{name}"
        ))
        .ok();
}

/// Records of open brackets.
pub(crate) fn open_brackets(machine: &Machine) -> Vec<String> {
    let listed = machine.sh("cd /var/lib/mastmaintd-systemctl/brackets && ls *.json 2>/dev/null").out;
    listed.lines().map(str::to_owned).collect()
}

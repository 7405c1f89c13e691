//! A Mastodon that breaks is seen from within the walls of the probe room, and told once.

use super::notify::{mail_server, mails};
use crate::{
    answering::{ail, answering},
    host::ctl,
    image::Debian,
    machine::Machine,
};
use serde_json::Value;
use std::time::Duration;

const JOBS: &str = "  quiet:
    with_services_stopped: true
    steps: [{tootctl: cache clear}]
notify:
  - {mail: root, on: [incident]}
probes:
  web: {address: 127.0.0.1:3000, every: 1s, down_after: 2, up_after: 2}
  assets: {every: 1s, down_after: 2, up_after: 2}
  streaming: {every: 1s, down_after: 2, up_after: 2}
  sidekiq: {every: 1s, down_after: 2, up_after: 2}
  units: {every: 1s, down_after: 2, up_after: 2}
  redis: {every: 1s, down_after: 2, up_after: 2}
  disk: {free: [{path: /var/lib, at_least: 1 MB}, {path: /home/mastodon/live, at_least: 1 MB}], every: 1s}
";
const ALL: [&str; 7] = ["assets", "disk", "redis", "sidekiq", "streaming", "units", "web"];
/// What 4.3 writes down of a build, with the checksum of the stylesheet as it is put there.
const PACKED: &str = r#"{
  "default.css": {
    "src": "/packs/default.css",
    "integrity": "sha256-oG/XUN5zdJg9r0ABZWSx+28haO0sV0LM9pkS6FdIA8A="
  },
  "default.css.map": {"src": "/packs/default.css.map", "integrity": "sha256-x"},
  "entrypoints": {"default": {"assets": {"css": [{"src": "/packs/default.css", "integrity": "sha256-x"}]}}}
}"#;
const WAIT: Duration = Duration::from_mins(5);

/// The probes in this state.
fn in_state(machine: &Machine, state: &str) -> Vec<String> {
    let status: Value = serde_json::from_str(&ctl(machine, "status --json").out).unwrap_or_default();
    let lines = status["probes"].as_array().cloned().unwrap_or_default();
    let wanted = lines.iter().filter(|line| line["state"] == state);
    wanted.filter_map(|line| line["probe"].as_str().map(str::to_owned)).collect()
}

#[track_caller]
fn are(machine: &Machine, state: &str, wanted: &[&str]) {
    machine.until(&format!("{wanted:?} are {state}"), WAIT, |m| (in_state(m, state) == wanted).then_some(()));
}

fn incidents(machine: &Machine) -> Vec<Value> {
    let listed: Value = serde_json::from_str(&ctl(machine, "incidents --json").out).unwrap();
    listed["incidents"].as_array().cloned().unwrap()
}

pub(crate) fn what_breaks_is_seen_told_once_and_told_again_when_it_is_over(debian: Debian) {
    let mut machine = answering(debian, JOBS, "speed: 100\nweather:\n  cache clear: {sleep: 8s}\n");
    mail_server(&machine);
    let live = "/home/mastodon/live";
    // As a build of 4.3 leaves it; those of Vite are seen in other tests.
    machine
        .sh(&format!(
            "cd {live} && sed -i 's/^      6$/      3/' lib/mastodon/version.rb && mkdir -p config public/packs && \
             echo 'default: styles/application.scss' > config/themes.yml && \
             echo 'body {{}}' > public/packs/default.css && chown -R mastodon: config public"
        ))
        .ok();
    machine.write(&format!("{live}/public/packs/manifest.json"), PACKED);
    are(&machine, "up", &ALL);
    assert_eq!(ctl(&machine, "status").status, 0);

    // What a job has stopped on purpose is no incident.
    let done = ctl(&machine, "run quiet --follow");
    assert_eq!(done.status, 0, "{}{}", done.out, done.err);
    are(&machine, "up", &ALL);
    let before: Vec<Value> = incidents(&machine).into_iter().filter(|one| one["probe"] != "assets").collect();
    assert_eq!(before, Vec::<Value>::new());

    machine.sh(&format!("echo 'plum: styles/plum.scss' >> {live}/config/themes.yml")).ok();
    ail(&machine, "web", "500");
    are(&machine, "down", &["assets", "web"]);
    assert_eq!(ctl(&machine, "status").status, 1);
    let sentence = machine.property("mastmaintd", "StatusText");
    assert!(sentence.contains("says NO for "), "{sentence}");
    // Of the body: a subject is folded wherever the line is full.
    let told = |m: &Machine, text: &str| mails(m).matches(text).count();
    let (no, yes) = ("The probe web says no since ", "The probe web says yes again. ");
    machine.until("it is mailed", WAIT, |m| (told(m, no) == 1).then_some(()));
    // The mail is out a moment before the daemon has written down that it is; who is killed in between tells twice.
    machine.sh("sleep 3; systemctl restart mastmaintd").ok();
    are(&machine, "down", &["assets", "web"]);
    ail(&machine, "web", "");
    machine.sh(&format!("sed -i /plum/d {live}/config/themes.yml")).ok();
    are(&machine, "up", &ALL);
    machine.until("the end is mailed", WAIT, |m| (told(m, yes) == 1).then_some(()));
    assert_eq!(told(&machine, no), 1, "a restart tells nobody again");
    let journal = machine.sh("journalctl -u mastmaintd -o cat").ok();
    assert!(journal.contains("the probe assets says no since "), "{journal}");
    assert!(journal.contains("the theme plum is listed in config/themes.yml and was not built"), "{journal}");

    // A host whose services start one after the other is nobody's outage.
    let known = incidents(&machine).len();
    ail(&machine, "web", "500");
    machine.reboot();
    are(&machine, "quiet", &ALL);
    machine.sh("sleep 10").ok();
    are(&machine, "quiet", &ALL);
    assert_eq!(incidents(&machine).len(), known);
}

//! The post-mortem, played again: a theme that is installed by hand and not built is named within a minute while visitors
//! see nothing of it; the same through the guard is refused and the site is never down; and what was wrecked all the same
//! comes back from last night's backup. `cargo xtask replay` prints how long each took.

use super::{
    guard::{built, next_build, seen},
    restore::back_up,
};
use crate::{
    answering::all_are,
    host::{configure, ctl},
    image::Debian,
    machine::Machine,
};
use serde_json::Value;
use std::time::{Duration, Instant};

const LIVE: &str = "/home/mastodon/live";
const JOBS: &str = "  nothing: {steps: [{run: /bin/true}]}
backups:
  files: {kind: rsnapshot, config: /etc/rsnapshot.conf, live: host/home/mastodon/live, max_age: 26h}
probes:
  web: {address: 127.0.0.1:3000, up_after: 1}
  assets: {up_after: 1}
  units: {up_after: 1}
";
/// The status of a page as a visitor sees it, and as somebody who has picked a theme.
const ASK: &str = "#!/bin/bash
exec 3<>/dev/tcp/127.0.0.1/3000 || { echo 000; exit; }
printf 'GET %s HTTP/1.1\\r\\nHost: social.example\\r\\nX-Forwarded-Proto: https\\r\\nConnection: close\\r\\n\\r\\n' \"$1\" >&3
read -r -t 5 _ status _ <&3; echo \"${status:-000}\"
";
/// A visitor who looks five times a second.
const WATCH: &str = "while :; do bash /root/ask /about; sleep 0.2; done >>/root/seen 2>/dev/null";
const WAIT: Duration = Duration::from_mins(3);

/// What happened when, for people.
struct Timeline(Instant);

impl Timeline {
    fn say(&self, what: &str) {
        eprintln!("{:>7.1} s  {what}", self.0.elapsed().as_secs_f64());
    }
}

fn page(machine: &Machine, path: &str) -> String {
    machine.sh(&format!("bash /root/ask '{path}'")).out.trim().to_owned()
}

fn incidents(machine: &Machine) -> Vec<Value> {
    let listed: Value = serde_json::from_str(&ctl(machine, "incidents --json").ok()).unwrap();
    listed["incidents"].as_array().cloned().unwrap_or_default()
}

fn until_all_say_yes(machine: &Machine) {
    machine.until("every probe says yes", WAIT, |m| (ctl(m, "status").status == 0).then_some(()));
}

/// How many looks of the visitor were not answered with the page, since the last time that this was asked.
fn missed(machine: &Machine) -> usize {
    let seen = machine.sh("cat /root/seen; : >/root/seen").ok();
    seen.lines().filter(|status| *status != "200").count()
}

pub(crate) fn the_post_mortem(debian: Debian) {
    let machine = built(debian, "  nothing: {steps: [{run: /bin/true}]}\n");
    machine.write("/root/ask", ASK);
    back_up(&machine);
    configure(&machine, JOBS);
    ctl(&machine, "reload").ok();
    ctl(&machine, "verify files --follow").ok();
    until_all_say_yes(&machine);
    let good = seen(&machine);
    machine.sh(&format!("setsid bash -c '{WATCH}' </dev/null >/dev/null 2>&1 &")).ok();

    let time = Timeline(Instant::now());
    time.say(
        "a theme is installed by hand; its build says \"Skipping vite build\" and exits 0; web is restarted",
    );
    next_build(&machine, "whole", "");
    let by_hand = format!(
        "cd {LIVE} && echo 'plum: styles/plum.scss' >> config/themes.yml && echo 'body {{}}' > app/javascript/styles/plum.scss \
         && runuser -u mastodon -- env RAILS_ENV=production bin/rails assets:precompile && systemctl restart mastodon-web"
    );
    assert!(machine.sh(&by_hand).ok().contains("Skipping vite build"));
    all_are(&machine, "active");
    machine.until("web answers", WAIT, |m| (page(m, "/about") == "200").then_some(()));
    assert_eq!(page(&machine, "/about?theme=plum"), "500", "whoever picks it sees the error page");
    let begun = Instant::now();
    let incident = machine.until("an incident is open", WAIT, |m| {
        incidents(m).into_iter().find(|one| one["probe"] == "assets")
    });
    let within = begun.elapsed();
    assert_eq!(page(&machine, "/about"), "200", "visitors see nothing of it");
    assert!(incident["why"].as_str().unwrap_or_default().contains("the theme plum"), "{incident}");
    time.say(&format!("incident: {}", incident["why"].as_str().unwrap_or_default()));
    assert!(within < Duration::from_mins(1), "it took {within:?}");
    machine.sh(&format!("cd {LIVE} && sed -i /plum/d config/themes.yml && rm app/javascript/styles/plum.scss && systemctl restart mastodon-web")).ok();
    until_all_say_yes(&machine);
    time.say("undone by hand; every probe says yes");

    missed(&machine);
    next_build(&machine, "fails", "");
    let done = ctl(
        &machine,
        "guard --yes --memory 1MB -- /bin/sh -c 'echo plum: styles/plum.scss >> config/themes.yml'",
    );
    assert_eq!(done.status, 1, "{}{}", done.out, done.err);
    assert_eq!(seen(&machine), good, "it is as before");
    assert_eq!(missed(&machine), 0, "the site was down under guard");
    time.say("the same through the guard: refused, put back, and not one page was missed");

    machine.sh(&format!("rm -rf {LIVE}/app {LIVE}/config {LIVE}/public/packs")).ok();
    machine.until("it is seen", WAIT, |m| (ctl(m, "status").status == 1).then_some(()));
    time.say("somebody typed rm -rf: the probes say no");
    let before = machine.sh(&format!("ls {LIVE}")).ok();
    missed(&machine);
    let restored = ctl(&machine, "restore files --yes");
    assert_eq!(restored.status, 0, "{}{}", restored.out, restored.err);
    let down = missed(&machine);
    let down = Duration::from_millis(200) * u32::try_from(down).unwrap();
    time.say(&format!("restored from last night's backup; about {:.1} s without a page", down.as_secs_f64()));
    assert_eq!(seen(&machine), good);
    until_all_say_yes(&machine);
    time.say("every probe says yes");
    assert_eq!(machine.sh(&format!("ls {LIVE}.before-*")).ok(), before, "the old tree is kept");
    let told = ctl(&machine, "incidents").ok();
    assert!(told.contains("assets") && !told.contains("since"), "{told}");
}

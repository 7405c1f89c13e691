//! Probes, end to end: what is wrong is seen, told once, and told again when it is over.

use mastmaint_tests::{
    Daemon, Place, Site,
    daemon::wait_up_to,
    receivers::MailServer,
    site::{SCRIPT, STYLESHEET},
    wait_for,
};
use serde_json::Value;
use std::{fs, path::PathBuf, time::Duration};

/// A place with a site in front of it, these probes, and somebody who hears of incidents.
fn place(probes: &str, mail: &MailServer) -> (Place, Site) {
    let place = Place::new("  none:\n    steps: [{run: /bin/true}]\n").unwrap();
    let site = Site::start(place.instance.live()).unwrap();
    place.configure_whole(&config(&place, &site, probes, mail)).unwrap();
    (place, site)
}

fn config(place: &Place, site: &Site, probes: &str, mail: &MailServer) -> String {
    format!(
        "instance: {{live: {}, services: [mastodon-web], url: \"{}\"}}\njobs: {{}}\n\
         notify: [{{on: incident, mail: root, smtp: {{host: 127.0.0.1, port: {}}}}}]\nprobes:\n{probes}",
        place.instance.live().display(),
        site.url(),
        mail.port(),
    )
}

fn probes(of: &[&str]) -> String {
    let lines: Vec<String> = of
        .iter()
        .map(|kind| format!("  {kind}: {{every: 1s, down_after: 2, up_after: 2, timeout: 30s}}\n"))
        .collect();
    lines.concat()
}

/// The probes in this state.
fn in_state(daemon: &Daemon, state: &str) -> Vec<String> {
    let status = daemon.ctl(&["status", "--json"]).json();
    let lines = status["probes"].as_array().cloned().unwrap_or_default();
    lines
        .iter()
        .filter(|line| line["state"] == state)
        .map(|line| line["probe"].as_str().unwrap().to_owned())
        .collect()
}

fn incidents(daemon: &Daemon) -> Vec<Value> {
    let listed = daemon.ctl(&["incidents", "--json"]).exits(0).json();
    listed["incidents"].as_array().cloned().unwrap()
}

fn comes(daemon: &Daemon, state: &str, wanted: &[&str]) {
    let is_so = || in_state(daemon, state) == wanted;
    assert!(
        wait_up_to(Duration::from_mins(2), is_so),
        "{wanted:?} is not {state}: {}\n{}",
        daemon.ctl(&["status"]).stdout,
        daemon.log()
    );
}

#[test]
fn the_theme_that_breaks_is_named_and_told_once_across_a_crash_while_the_page_is_well() {
    let mail = MailServer::start().unwrap();
    let (place, _site) = place(&probes(&["web", "api", "assets"]), &mail);
    let mut daemon = place.start().unwrap();
    comes(&daemon, "up", &["api", "assets", "web"]);
    daemon.ctl(&["status"]).exits(0);
    assert!(incidents(&daemon).is_empty() && mail.mails().is_empty());

    let themes = place.instance.live().join("config/themes.yml");
    fs::write(&themes, "default: styles/application.scss\ntangerine: styles/tangerine.scss\n").unwrap();
    comes(&daemon, "down", &["assets"]);
    assert_eq!(in_state(&daemon, "up"), ["api", "web"], "the page of whoever did not pick it is well");
    assert!(wait_for(|| mail.mails().len() == 1), "{}", daemon.log());
    let first = mail.mails().remove(0);
    assert!(first.subject().contains("assets says no: the theme tangerine is listed"), "{first:?}");
    assert!(first.text.contains("assets:precompile"), "what to do first is missing: {first:?}");
    let status = daemon.ctl(&["status"]).exits(1);
    assert!(status.stdout.contains("assets says no since"), "{}", status.stdout);
    assert!(daemon.log().contains("the probe assets says no since"), "{}", daemon.log());

    daemon.kill().unwrap();
    daemon = place.start().unwrap();
    // It goes on with the incident: nothing is opened or told a second time.
    comes(&daemon, "up", &["api", "web"]);
    assert_eq!((in_state(&daemon, "down"), incidents(&daemon).len()), (vec!["assets".to_owned()], 1));
    fs::write(&themes, "default: styles/application.scss\n").unwrap();
    comes(&daemon, "up", &["api", "assets", "web"]);
    assert!(wait_for(|| mail.mails().len() == 2), "{}", daemon.log());
    let last = mail.mails().remove(1);
    assert!(last.subject().contains("assets says yes again after"), "{last:?}");
    let known = incidents(&daemon);
    assert_eq!(known.len(), 1, "{known:?}");
    let times = ["opened", "known", "closed"].map(|name| known[0][name].as_str().unwrap().to_owned());
    assert!(times.is_sorted(), "{times:?}");
    assert!(daemon.ctl(&["incidents"]).exits(0).stdout.contains("the theme tangerine"));
}

#[test]
fn a_reload_takes_probes_in_and_out_and_closes_what_is_open() {
    let mail = MailServer::start().unwrap();
    let (place, site) = place(&probes(&["web"]), &mail);
    site.answers(&["/about"], 500);
    let daemon = place.start().unwrap();
    comes(&daemon, "down", &["web"]);
    // The same question asked at another pace is the same incident.
    let other =
        "  web: {every: 2s, down_after: 2, up_after: 2, timeout: 30s}\n  api: {every: 1s, timeout: 30s}\n";
    place.configure_whole(&config(&place, &site, other, &mail)).unwrap();
    daemon.ctl(&["reload"]).exits(0);
    comes(&daemon, "up", &["api"]);
    assert_eq!((in_state(&daemon, "down"), incidents(&daemon).len()), (vec!["web".to_owned()], 1));
    place.configure_whole(&config(&place, &site, "  api: {every: 1s, timeout: 30s}\n", &mail)).unwrap();
    daemon.ctl(&["reload"]).exits(0);
    let is_over = || incidents(&daemon)[0]["ended"].is_string();
    assert!(wait_for(is_over), "{:?}\n{}", incidents(&daemon), daemon.log());
    assert_eq!(in_state(&daemon, "down"), [""; 0]);
    assert!(wait_for(|| mail.mails().len() == 2), "{:?}", mail.mails());
}

#[test]
fn a_stylesheet_that_is_gone_or_cut_is_seen_by_who_fetches_and_by_who_looks() {
    let mail = MailServer::start().unwrap();
    let (place, _site) = place(&probes(&["assets", "web"]), &mail);
    let packs = place.instance.live().join("public/packs");
    let stylesheet: PathBuf = packs.join(STYLESHEET);
    fs::write(&stylesheet, "body { color: ora").unwrap();
    let daemon = place.start().unwrap();
    // The first look compares: only the checksum tells that it was cut.
    comes(&daemon, "down", &["assets", "web"]);
    fs::remove_file(&stylesheet).unwrap();
    fs::remove_file(packs.join(SCRIPT)).unwrap();
    let says = |text: &str| daemon.ctl(&["status"]).stdout.contains(text);
    assert!(
        wait_for(|| says("and 1 more") && says("was built and is not there")),
        "{}",
        daemon.ctl(&["status"]).stdout
    );
    let whys: Vec<String> =
        incidents(&daemon).iter().map(|incident| incident["why"].as_str().unwrap().to_owned()).collect();
    assert!(whys.iter().any(|why| why.contains("integrity")), "{whys:?}");
    assert!(whys.iter().any(|why| why.contains("is not the file that was built")), "{whys:?}");
}

#[test]
fn a_step_waits_for_a_yes_and_says_the_no_that_it_got() {
    let mail = MailServer::start().unwrap();
    let (place, site) = place("  web: {every: 1h, timeout: 30s}\n", &mail);
    let text = fs::read_to_string(place.config()).unwrap();
    let jobs = "jobs:\n  patient: {steps: [{probe: web, timeout: 90s}]}\n  hasty: {steps: [{probe: web, timeout: 4s}]}\n";
    place.configure_whole(&text.replace("jobs: {}\n", jobs)).unwrap();
    let daemon = place.start().unwrap();
    site.answers(&["/about"], 500);
    daemon.ctl(&["run", "hasty", "--follow"]).exits(1);
    let shown = daemon.ctl(&["show", "hasty", "--json"]).json();
    let step = &shown["steps"][0];
    assert_eq!((&step["outcome"], &step["reasons"][0]["code"]), (&"failed".into(), &"probe-no".into()), "{shown}");
    let why = step["reasons"][0]["text"].as_str().unwrap();
    assert!(why.starts_with("the probe web says no: ") && why.ends_with("/about answers 500"), "{why}");
    // A web that was just started: no at first, then yes.
    daemon.ctl(&["run", "patient"]).exits(0);
    let says_no = || daemon.log().contains("web does not say yes yet");
    assert!(wait_up_to(Duration::from_mins(1), says_no), "{}", daemon.log());
    site.is_well();
    let is_over = || daemon.ctl(&["show", "patient", "--json"]).json()["outcome"].is_string();
    assert!(wait_up_to(Duration::from_mins(1), is_over), "{}", daemon.log());
    let shown = daemon.ctl(&["show", "patient", "--json"]).json();
    assert_eq!((&shown["outcome"], &shown["grade"]), (&"ok".into(), &"proved".into()), "{shown}");
    daemon.stop().unwrap();
    let once = std::process::Command::new(mastmaint_tests::binaries::path("mastmaintd"))
        .args(place.arguments())
        .args(["--run", "hasty"])
        .output()
        .unwrap();
    assert!(once.status.success(), "{once:?}");
}

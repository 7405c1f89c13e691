//! Probes, end to end: what is wrong is seen, told once, and told again when it is over.

use mastmaint_tests::{
    Daemon, Nginx, Place, Postgres, Redis, Site,
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
    daemon.log_with("the probe assets says no since");

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
fn a_no_is_asked_about_again_soon_however_seldom_the_probe_is_asked() {
    let mail = MailServer::start().unwrap();
    let (place, site) = place("  web: {every: 1h, down_after: 2, timeout: 30s}\n", &mail);
    site.answers(&["/about"], 500);
    let daemon = place.start().unwrap();
    comes(&daemon, "down", &["web"]);
}

#[test]
fn what_nginx_keeps_hides_no_outage() {
    if !Nginx::is_here() {
        return;
    }
    let mail = MailServer::start().unwrap();
    let (place, site) = place("", &mail);
    let nginx = Nginx::start(&place.path("nginx"), &site).unwrap();
    let asked = config(&place, &site, &probes(&["api", "web"]), &mail).replace(&site.url(), &nginx.url());
    place.configure_whole(&asked).unwrap();
    let daemon = place.start().unwrap();
    comes(&daemon, "up", &["api", "web"]);
    // A visitor had the page; from now on visitors get that one, and so would whoever looks no further.
    nginx.get("/about").unwrap();
    nginx.get("/api/v2/instance").unwrap();
    site.answers(&["/about", "/api/v2/instance"], 500);
    comes(&daemon, "down", &["api", "web"]);
    let whys: Vec<String> =
        incidents(&daemon).iter().map(|incident| incident["why"].as_str().unwrap().to_owned()).collect();
    for page in ["/about", "/api/v2/instance"] {
        assert!(whys.iter().any(|why| why.contains(&format!("{page} answers 500"))), "{page}: {whys:?}");
    }
    // This one is not even past its time, and so says nothing of being old.
    let kept = nginx.get("/api/v2/instance").unwrap();
    assert!(kept.starts_with("HTTP/1.1 200") && kept.contains("X-Cached: HIT"), "{kept}");
    let kept = nginx.get("/about").unwrap();
    assert!(kept.starts_with("HTTP/1.1 200") && kept.contains("X-Cached: STALE"), "{kept}");
    site.is_well();
    comes(&daemon, "up", &["api", "web"]);
}

#[test]
fn a_server_that_is_closed_to_everybody_without_a_login_is_up() {
    let mail = MailServer::start().unwrap();
    let (place, site) = place(&probes(&["api"]), &mail);
    site.answers(&["/api/v2/instance"], 401);
    let daemon = place.start().unwrap();
    comes(&daemon, "up", &["api"]);
    let status = daemon.ctl(&["status", "--json"]).json();
    let said = status["probes"][0]["said"].as_str().unwrap();
    assert!(said.ends_with("/api/v2/instance answers apps only with a login"), "{said}");
    // A proxy that wants a password of its own keeps apps out.
    site.answers(&["/health"], 401);
    comes(&daemon, "down", &["api"]);
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
    assert_eq!(
        (&step["outcome"], &step["reasons"][0]["code"]),
        (&"failed".into(), &"probe-no".into()),
        "{shown}"
    );
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

/// A state of the table "What tells that the site is up", what makes it, and which probes say no in it.
struct State<'a> {
    what: &'a str,
    begin: &'a dyn Fn(),
    down: &'a [&'a str],
    end: &'a dyn Fn(),
}

/// The table of the facts: each state is seen by the probes that can see it, and none of the others cries.
#[test]
fn the_table_of_what_tells_that_the_site_is_up() {
    let (mail, postgres, redis) =
        (MailServer::start().unwrap(), Postgres::start().unwrap(), Redis::start().unwrap());
    let (place, site) = place(&probes(&["api", "assets", "postgres", "redis", "web"]), &mail);
    let instance = &place.instance;
    postgres.belong_to(instance).unwrap();
    instance.set_env("REDIS_HOST", "127.0.0.1").unwrap();
    instance.set_env("REDIS_PORT", &redis.port().to_string()).unwrap();
    let live = instance.live().to_owned();
    let (themes, manifest) = (live.join("config/themes.yml"), live.join("public/packs/.vite/manifest.json"));
    let stylesheet = live.join("public/packs").join(STYLESHEET);
    let [themes_were, manifest_was, style_was] =
        [&themes, &manifest, &stylesheet].map(|path| fs::read_to_string(path).unwrap());
    // What the build of before the upgrade left behind: Mastodon reads it no more.
    fs::write(
        live.join("public/packs/manifest.json"),
        r#"{"default.css": {"src": "/packs/assets/application-a1.css"}}"#,
    )
    .unwrap();
    let socket = postgres.socket().to_string_lossy().into_owned();
    let pages = ["/about", "/auth/sign_in"];
    let daemon = place.start().unwrap();
    let all = ["api", "assets", "postgres", "redis", "web"];
    comes(&daemon, "up", &all);
    let states = [
        State {
            what: "the default theme listed and not built",
            begin: &|| {
                fs::write(&themes, format!("{themes_were}plum: styles/plum.scss\n")).unwrap();
                site.answers(&pages, 500);
            },
            down: &["assets", "web"],
            end: &|| fs::write(&themes, &themes_were).unwrap(),
        },
        State {
            what: "manifest missing",
            begin: &|| {
                fs::remove_file(&manifest).unwrap();
                site.answers(&pages, 500);
            },
            down: &["assets", "web"],
            end: &|| fs::write(&manifest, &manifest_was).unwrap(),
        },
        State {
            what: "Redis stopped",
            begin: &|| {
                redis.is_shut(true);
                site.answers(&["/api/v2/instance"], 500);
            },
            down: &["api", "redis"],
            end: &|| redis.is_shut(false),
        },
        State {
            what: "PostgreSQL stopped",
            begin: &|| {
                instance.set_env("DB_HOST", "/nowhere").unwrap();
                site.answers(&["/about"], 500);
            },
            down: &["postgres", "web"],
            end: &|| instance.set_env("DB_HOST", &socket).unwrap(),
        },
        State {
            what: "a stylesheet missing on disk",
            begin: &|| fs::remove_file(&stylesheet).unwrap(),
            down: &["assets", "web"],
            end: &|| fs::write(&stylesheet, &style_was).unwrap(),
        },
        State {
            what: "a stylesheet emptied, which its head tells",
            begin: &|| fs::write(&stylesheet, "").unwrap(),
            down: &["assets", "web"],
            end: &|| fs::write(&stylesheet, &style_was).unwrap(),
        },
        State {
            what: "a stylesheet truncated, within the hour in which web compares none",
            begin: &|| fs::write(&stylesheet, &style_was[..5]).unwrap(),
            down: &["assets"],
            end: &|| fs::write(&stylesheet, &style_was).unwrap(),
        },
    ];
    let mut count = 0;
    for State { what, begin, down, end } in states {
        eprintln!("{what}");
        begin();
        comes(&daemon, "down", down);
        let up: Vec<&str> = all.into_iter().filter(|probe| !down.contains(probe)).collect();
        comes(&daemon, "up", &up);
        end();
        site.is_well();
        comes(&daemon, "up", &all);
        count += down.len();
    }
    // Each once, and none that was none.
    assert_eq!(incidents(&daemon).len(), count);
}

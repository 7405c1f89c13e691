//! Guarded changes, end to end: what goes well stays, what does not is put back to the last byte, whatever ends it.

use mastmaint_tests::{
    Daemon, Place, Postgres, Site, Systemctl,
    site::BREAKS,
    vite::{self, STYLES},
    wait_for, webpacker,
};
use nix::sys::signal::{Signal, kill};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

const JOB: &str = "change";
const PUT_BACK: &str = "it is put back, Mastodon is as before";

/// A place with a site before it and a systemd that can only restart.
struct Scene {
    place: Place,
    site: Site,
    systemctl: Systemctl,
}

impl Scene {
    fn new() -> Self {
        let place = Place::new("").unwrap();
        let site = Site::start(place.instance.live()).unwrap();
        let crashes = place.instance.live().join("public/packs/crashes");
        let systemctl = Systemctl::put(place.path("bin"), &crashes).unwrap();
        let scene = Self { place, site, systemctl };
        scene.builds("whole");
        scene
    }

    /// With a job of this guard, and more of the job.
    fn with(guard: &str, job: &str) -> (Self, Daemon) {
        let scene = Self::new();
        scene.configure(guard, job);
        let daemon = scene.start();
        (scene, daemon)
    }

    fn configure(&self, guard: &str, job: &str) {
        let user = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name;
        self.place
            .configure_whole(&format!(
                "instance: {{live: {}, user: {user}, services: [mastodon-web], settle: 1s, url: \"{}\"}}\n\
                 defaults: {{timezone: UTC, timeout: 2m, grace: 2s}}\n\
                 jobs:\n  {JOB}:\n    steps: [{{{guard}, memory: 1 MB}}]\n{job}",
                self.live().display(),
                self.site.url()
            ))
            .unwrap();
    }

    fn start(&self) -> Daemon {
        self.place.start_with(|command| self.systemctl.before_others(command)).unwrap()
    }

    fn live(&self) -> &Path {
        self.place.instance.live()
    }

    /// How the next build goes.
    fn builds(&self, how: &str) {
        self.place.instance.weather(&format!("weather: {{assets:precompile: {{build: {how}}}}}\n")).unwrap();
    }

    /// A command that does this.
    fn script(&self, name: &str, text: &str) -> String {
        let path = self.place.path(name);
        fs::write(&path, format!("#!/bin/sh -e\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    /// Everything that a visitor or a build could see: modes, links, content.
    fn seen(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut seen = BTreeMap::new();
        for below in ["config", "public", "app", "tmp/cache"] {
            walk(&self.live().join(below), &mut seen);
        }
        seen
    }

    /// What is kept in the state of the change room: copies, and anything in the Rails root that is ours.
    fn leftovers(&self) -> Vec<String> {
        let mut all = BTreeMap::new();
        walk(&self.place.path("state/rooms/change/changes"), &mut all);
        walk(self.live(), &mut all);
        let is_ours = |path: &&PathBuf| {
            let text = path.to_string_lossy();
            text.contains("/changes/") && !text.ends_with("record.json") || text.contains(".mastmaintd-")
        };
        all.keys().filter(is_ours).map(|path| path.display().to_string()).collect()
    }
}

fn walk(path: &Path, into: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    let Ok(meta) = fs::symlink_metadata(path) else { return };
    let content = if meta.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            walk(&entry.unwrap().path(), into);
        }
        Vec::new()
    } else if meta.is_symlink() {
        fs::read_link(path).unwrap().into_os_string().into_encoded_bytes()
    } else {
        fs::read(path).unwrap()
    };
    if !meta.is_dir() {
        into.insert(path.to_owned(), (meta.permissions().mode(), content));
    }
}

fn reason(run: &Value) -> &str {
    run["reason"].as_str().or(run["reasons"][0]["text"].as_str()).unwrap_or_default()
}

fn titles(run: &Value) -> Vec<&str> {
    run["steps"].as_array().unwrap().iter().map(|step| step["title"].as_str().unwrap()).collect()
}

/// The recipe of the package.
fn recipe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes/theme")
}

/// A theme as `TangerineUI` brings it.
fn tangerine(at: &Path) -> String {
    let styles = at.join("mastodon").join(STYLES);
    fs::create_dir_all(styles.join("tangerineui")).unwrap();
    fs::write(styles.join("tangerineui/tangerineui.scss"), "body { color: tangerine }\n").unwrap();
    for name in ["tangerineui", "tangerineui-purple"] {
        fs::write(styles.join(format!("{name}.scss")), format!("@import '{name}';\n")).unwrap();
    }
    format!("{} tangerine-ui {}", recipe().display(), at.display())
}

/// A theme as a release of Bird UI brings it.
fn bird(at: &Path, release: &str) -> String {
    let file = |name: &str, text: &str| {
        let path = at.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    file("CHANGELOG.md", &format!("### {release}: 2026-06-19\n\n* More birds\n\n### 1.0.0: 2023-03-01\n"));
    if release.starts_with('2') {
        file("layout-single-column.css", "body.theme-contrast { color: blue }\n");
        file("layout-multiple-columns.css", ".column { color: blue }\n");
    } else {
        file("dist/mastodon-bird-ui.css", "body.theme-contrast { color: blue }\n");
    }
    format!("{} bird-ui {}", recipe().display(), at.display())
}

#[test]
fn a_theme_that_is_well_stays() {
    let scene = Scene::new();
    let theme = tangerine(&scene.place.path("tangerine"));
    scene.configure(&format!("guard: '{theme}'"), "");
    let daemon = scene.start();
    daemon.ctl(&["run", JOB, "--follow"]).exits(0);
    let run = daemon.ended(JOB);
    assert_eq!(run["outcome"], "ok", "{run:#}");
    assert_eq!(titles(&run).len(), 7, "nothing of the way back is run: {run:#}");
    assert_eq!(scene.systemctl.restarts(), ["mastodon-web.service"]);
    let themes = fs::read_to_string(scene.live().join("config/themes.yml")).unwrap();
    assert!(themes.contains("tangerineui-purple: styles/tangerineui-purple.scss\n"), "{themes}");
    let built = fs::read_to_string(scene.live().join("public/packs/.vite/manifest-lookup.json")).unwrap();
    assert!(built.contains("themes/tangerineui-purple"), "{built}");
    assert_eq!(scene.leftovers(), [""; 0]);
    // The same once more: the build is made to be one although nothing has changed.
    daemon.ctl(&["run", JOB, "--follow"]).exits(0);
    assert_eq!(daemon.ended(JOB)["outcome"], "ok");
    let tried = daemon.ctl(&["run", JOB, "--follow", "--dry-run"]).exits(0);
    assert!(tried.stderr.contains("skipped"), "{}", tried.stderr);
}

#[test]
fn what_does_not_go_well_is_put_back_to_the_last_byte_and_web_is_left_alone() {
    let scene = Scene::new();
    let install = scene.script(
        "install",
        "echo 'plum: styles/plum.scss' >>config/themes.yml; mkdir -p app/javascript/styles/plum new
         echo x >app/javascript/styles/plum/a.scss; echo x >new/file; rm -f public/packs/application-b2.js
         [ ! -e ../listed ] || echo 'body {}' >app/javascript/styles/plum.scss",
    );
    scene.configure(&format!("guard: {install}, keep: [new, config/absent.yml]"), "");
    let daemon = scene.start();
    let before = scene.seen();
    for (build, why) in [
        ("whole", "Invalid theme path"),
        ("fails", "could not be built"),
        ("half", "could not be built"),
        ("half-and-lies", "manifest"),
        ("killed", "SIGKILL"),
        ("empties", "could not be built"),
    ] {
        scene.builds(build);
        daemon.ctl(&["run", JOB, "--follow"]).exits(1);
        let run = daemon.ended(JOB);
        assert_eq!(run["outcome"], "failed", "{build}: {run:#}");
        let said = reason(&run);
        assert!(said.contains(why) && said.ends_with(PUT_BACK), "{build}: {said}");
        assert!(scene.seen() == before, "{build}: not as before: {run:#}");
        assert!(!scene.live().join("new").exists(), "{build}");
        assert_eq!(titles(&run).last(), Some(&"look at the site and its themes as a visitor"), "{run:#}");
        assert_eq!(scene.leftovers(), [""; 0], "{build}");
    }
    assert_eq!(scene.systemctl.restarts(), [""; 0], "the site was never down");
    // What it changed beside that is named, and stays.
    let stray = scene.script("stray", "echo x >config/stray.yml; exit 3");
    scene.configure(&format!("guard: {stray}"), "");
    daemon.ctl(&["reload"]).exits(0);
    daemon.ctl(&["run", JOB, "--follow"]).exits(1);
    let run = daemon.ended(JOB);
    let said =
        "as far as it was kept; changed beside what was kept, and NOT put back: config/stray.yml (new)";
    assert!(reason(&run).ends_with(said), "{run:#}");
}

#[test]
fn a_web_that_does_not_come_up_and_a_site_that_is_not_well_are_brought_back() {
    let scene = Scene::new();
    let before = scene.seen();
    let daemon = {
        scene.configure("guard: []", "");
        scene.start()
    };
    for (planted, why) in [("packs/crashes", "mastodon-web"), (BREAKS, "answers 500")] {
        let plant = scene.script("plant", &format!("echo x >public/{planted}"));
        scene.configure(&format!("guard: {plant}"), "");
        daemon.ctl(&["reload"]).exits(0);
        daemon.ctl(&["run", JOB, "--follow"]).exits(1);
        let run = daemon.ended(JOB);
        assert!(reason(&run).contains(why) && reason(&run).ends_with(PUT_BACK), "{planted}: {run:#}");
        assert!(scene.seen() == before, "{planted}: {run:#}");
        let last = run["steps"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["outcome"], "ok", "it was looked at again: {run:#}");
    }
    assert_eq!(scene.systemctl.restarts().len(), 4, "with the change, and on what was put back, twice");
}

#[test]
fn whatever_ends_the_run_leads_over_the_way_back() {
    let (scene, daemon) = Scene::with(
        "guard: bin/rails assets:precompile",
        "  short:\n    timeout: 3s\n    steps: [{guard: bin/rails assets:precompile, memory: 1 MB}]\n",
    );
    scene.place.instance.weather("weather: {assets:precompile: {sleep: 90s, build: half}}\n").unwrap();
    let before = scene.seen();
    let building = || !daemon.below("rails").is_empty() || scene.place.starts() > 0;
    // A person.
    daemon.ctl(&["run", JOB]).exits(0);
    assert!(wait_for(building), "{}", daemon.log());
    daemon.ctl(&["cancel", JOB]).exits(0);
    let run = daemon.ended(JOB);
    assert_eq!(run["outcome"], "cancelled", "{run:#}");
    assert!(reason(&run).ends_with(PUT_BACK), "{run:#}");
    // The job's time, none of which is left for the way back.
    daemon.ctl(&["run", "short", "--follow"]).exits(1);
    let run = daemon.ended("short");
    assert_eq!(run["outcome"], "timed-out", "{run:#}");
    assert!(reason(&run).ends_with(PUT_BACK), "{run:#}");
    // A runner that is killed, and with it the daemon.
    let calls = scene.place.starts();
    daemon.ctl(&["run", JOB]).exits(0);
    assert!(wait_for(|| scene.place.starts() > calls), "{}", daemon.log());
    fs::write(scene.live().join("config/themes.yml"), "half").unwrap();
    let runners = daemon.below("mastmaint-runne");
    daemon.kill().unwrap();
    for runner in runners {
        // Only the one that waits for the build is there; the others end by themselves.
        let _ = kill(runner, Signal::SIGKILL);
    }
    let daemon = scene.start();
    let run = daemon.ended(JOB);
    assert_eq!(run["outcome"], "interrupted", "{run:#}");
    assert!(reason(&run).ends_with(PUT_BACK), "{run:#}");
    assert!(scene.seen() == before, "{run:#}");
    assert_eq!(scene.leftovers(), [""; 0]);
}

/// A build takes half a minute and more, in which what is listed is not built yet.
#[test]
fn a_theme_that_is_listed_before_it_is_built_is_no_incident() {
    let scene = Scene::new();
    let install = scene.script(
        "install",
        "echo 'plum: styles/plum.scss' >>config/themes.yml
         until [ -e ../go ]; do sleep 0.1; done
         echo 'body {}' >app/javascript/styles/plum.scss",
    );
    let often = "{every: 1s, down_after: 2, up_after: 1, timeout: 30s}";
    scene.configure(&format!("guard: {install}"), &format!("probes:\n  assets: {often}\n  web: {often}\n"));
    let daemon = scene.start();
    let state = || {
        let status = daemon.ctl(&["status", "--json"]).json();
        let lines = status["probes"].as_array().cloned().unwrap_or_default();
        lines.iter().map(|line| format!("{} {}", line["probe"], line["state"])).collect::<Vec<_>>().join(" ")
    };
    let comes = |wanted: &str| {
        assert!(wait_for(|| state() == wanted), "{}: {}", state(), daemon.log());
    };
    comes(r#""assets" "up" "web" "up""#);
    daemon.ctl(&["run", JOB]).exits(0);
    comes(r#""assets" "quiet" "web" "up""#);
    fs::write(scene.place.path("go"), "").unwrap();
    assert_eq!(daemon.ended(JOB)["outcome"], "ok");
    let known = daemon.ctl(&["incidents", "--json"]).exits(0).json();
    assert_eq!(known["incidents"].as_array().map(Vec::len), Some(0), "{known:#}");
}

#[test]
fn a_change_is_refused_before_anything_is_changed() {
    let (scene, daemon) = Scene::with("guard: bin/rails assets:precompile", "");
    let config = fs::read_to_string(scene.place.config()).unwrap();
    fs::write(scene.place.config(), config.replace("memory: 1 MB", "memory: 900 TB")).unwrap();
    daemon.ctl(&["reload"]).exits(0);
    let before = scene.seen();
    let refused = || {
        daemon.ctl(&["run", JOB, "--follow"]).exits(1);
        let run = daemon.ended(JOB);
        assert!(scene.seen() == before && scene.place.starts() == 0, "{run:#}");
        run
    };
    let run = refused();
    assert!(reason(&run).contains("of memory are free and the guard wants 900 TB"), "{run:#}");
    // What cannot be put back in one step: a link.
    fs::write(scene.place.config(), &config).unwrap();
    daemon.ctl(&["reload"]).exits(0);
    let packs = scene.live().join("public/packs");
    fs::rename(&packs, scene.place.path("packs")).unwrap();
    std::os::unix::fs::symlink(scene.place.path("packs"), &packs).unwrap();
    daemon.ctl(&["run", JOB, "--follow"]).exits(1);
    let run = daemon.ended(JOB);
    assert!(reason(&run).contains("public/packs is, or lies behind, a symbolic link"), "{run:#}");
    assert_eq!(run["steps"].as_array().unwrap().len(), 2, "{run:#}");
}

#[test]
fn files_of_a_database_that_was_migrated_are_not_put_back() {
    let postgres = Postgres::start().unwrap();
    let scene = Scene::new();
    postgres.belong_to(&scene.place.instance).unwrap();
    postgres.query("CREATE TABLE IF NOT EXISTS schema_migrations (version varchar PRIMARY KEY)").unwrap();
    postgres.query("INSERT INTO schema_migrations VALUES ('20260101000000') ON CONFLICT DO NOTHING").unwrap();
    let psql = format!("psql -X -q -U mastodon -d {} -h {}", postgres.name(), postgres.socket().display());
    let sly = scene.script(
        "sly",
        &format!("{psql} -c \"INSERT INTO schema_migrations VALUES ('20261126000000')\"; echo x >config/themes.yml; exit 1"),
    );
    scene.configure(&format!("guard: {sly}"), "");
    let daemon = scene.start();
    daemon.ctl(&["run", JOB, "--follow"]).exits(1);
    let run = daemon.ended(JOB);
    assert!(
        reason(&run).contains("NOT put back: the change migrated the database (1 migrations)"),
        "{run:#}"
    );
    let said = reason(&run);
    assert!(said.contains("this run verified no dump before: go on with the code"), "{said}");
    assert_eq!(fs::read_to_string(scene.live().join("config/themes.yml")).unwrap(), "x\n");
    assert!(!scene.leftovers().is_empty(), "what was kept is there for a person");
    daemon.ctl(&["run", JOB, "--follow"]).exits(1);
    let run = daemon.ended(JOB);
    assert!(reason(&run).contains("neither stays nor is put back"), "{run:#}");
}

#[test]
fn by_hand_it_is_a_fragment_for_as_long_as_somebody_waits() {
    let (scene, daemon) = Scene::with("guard: []", "");
    let config = scene.place.config().display().to_string();
    let fragment = scene.place.path("etc/conf.d/90-by-hand-guard.yaml");
    let guard = |words: &[&str], exit| {
        let fixed = ["guard", "--yes", "--memory", "1MB", "--config", &config];
        let said = daemon.ctl(&[&fixed[..], words].concat()).exits(exit);
        assert!(!fragment.exists(), "{}", said.stderr);
        said
    };
    let before = scene.seen();
    let fails = scene.script("fails", "echo x >config/themes.yml; echo no >&2; exit 2");
    let said = guard(&["--", &fails], 1);
    assert!(said.stderr.contains(PUT_BACK), "{}", said.stderr);
    assert!(scene.seen() == before);
    guard(&["--recipe", "precompile"], 0);
    let jobs = daemon.ctl(&["jobs"]).exits(0);
    assert!(!jobs.stdout.contains("guard-by-hand"), "{}", jobs.stdout);
    let said = guard(&["--keep", "../x", "--", "bin/x"], 78);
    assert!(said.stderr.contains("it leads out of the Rails root"), "{}", said.stderr);
    daemon.ctl(&["hold", "add", "--for", "2h", "--reason", "freeze"]).exits(0);
    let said = guard(&["--recipe", "precompile"], 1);
    assert!(said.stderr.contains("is on hold") && said.stderr.contains("--despite-hold"), "{}", said.stderr);
    guard(&["--despite-hold", "--recipe", "precompile"], 0);
}

#[test]
fn themes_are_installed_as_the_mastodon_that_is_there_wants_them() {
    let scene = Scene::new();
    let daemon = {
        scene.configure("guard: []", "");
        scene.start()
    };
    let run = |theme: &str, exit| {
        scene.configure(&format!("guard: '{theme}'"), "");
        daemon.ctl(&["reload"]).exits(0);
        daemon.ctl(&["run", JOB, "--follow"]).exits(exit);
        daemon.ended(JOB)
    };
    let style = |name: &str| fs::read_to_string(scene.live().join(STYLES).join(name)).unwrap_or_default();
    let (new, old) = (bird(&scene.place.path("new"), "4.0.0"), bird(&scene.place.path("old"), "2.2.1"));
    let tangerine = tangerine(&scene.place.path("tangerine"));
    // A clone that git does not read for this user, as it does not one that root has made.
    fs::create_dir(scene.place.path("tangerine/.git")).unwrap();
    // 4.6, whose stylesheets use each other.
    let styles = scene.live().join(STYLES);
    fs::write(styles.join("application.scss"), "@use 'common';\nbody { color: orange }\n").unwrap();
    fs::write(
        styles.join("contrast.scss"),
        "// Strong.\n@use 'contrast/variables';\n@use 'common';\na { color: red }\n",
    )
    .unwrap();
    assert_eq!(run(&new, 0)["outcome"], "ok");
    let on_top = "mastodon-bird-ui/mastodon-bird-ui.scss";
    assert_eq!(style("mastodon-bird-ui-dark.scss"), format!("@use 'application';\n@use '{on_top}';\n"));
    assert_eq!(
        style("mastodon-bird-ui-contrast.scss"),
        format!(
            "// Strong.\n@use 'contrast/variables';\n@use 'common';\n@use '{on_top}';\na {{ color: red }}\n"
        )
    );
    assert!(style(on_top).contains("body.theme-mastodon-bird-ui-contrast"));

    // 4.3, whose stylesheets import each other: a build of Webpacker, which is checked as well.
    for name in ["mastodon-bird-ui-dark.scss", "mastodon-bird-ui-contrast.scss"] {
        fs::remove_file(styles.join(name)).unwrap();
    }
    webpacker::downgrade(scene.live()).unwrap();
    let before = scene.seen();
    let refused = run(&new, 1);
    let said = "Bird UI 4.0.0 is made for Mastodon 4.6 and newer, and this is 4.3";
    assert!(refused.to_string().contains(said) && reason(&refused).ends_with(PUT_BACK), "{refused:#}");
    assert!(scene.seen() == before, "{refused:#}");
    let installed = run(&old, 0);
    assert_eq!(installed["outcome"], "ok", "{installed:#}");
    assert_eq!(style("mastodon-bird-ui-dark.scss"), format!("@import 'application';\n@import '{on_top}';\n"));
    let contrast = style("mastodon-bird-ui-contrast.scss");
    assert!(contrast.ends_with(&format!("@import 'contrast/diff';\n@import '{on_top}';\n")), "{contrast}");
    assert!(style(on_top).ends_with(".column { color: blue }\n"));
    assert_eq!(run(&tangerine, 0)["outcome"], "ok");
    let manifest = fs::read_to_string(scene.live().join(webpacker::MANIFEST)).unwrap();
    for theme in ["default", "contrast", "mastodon-bird-ui-contrast", "tangerineui-purple"] {
        assert!(manifest.contains(&format!("\"{theme}.css\":{{")), "{theme}: {manifest}");
    }
    // What was built before is whole, so nothing but the build itself shows that there was none.
    fs::write(
        scene.place.path("tangerine/mastodon").join(STYLES).join("tangerineui.scss"),
        "a { color: #f80 }\n",
    )
    .unwrap();
    let before = scene.seen();
    scene.builds("nothing");
    let none = run(&tangerine, 1);
    assert!(none.to_string().contains("it exited with 0 and built nothing"), "{none:#}");
    assert!(reason(&none).ends_with(PUT_BACK) && scene.seen() == before, "{none:#}");
    scene.builds("whole");
    // What 4.3 does not understand is not built, and put back.
    let before = scene.seen();
    let used =
        scene.script("used", "sed -i s/@import/@use/ app/javascript/styles/mastodon-bird-ui-contrast.scss");
    let not_built = run(&used, 1);
    assert!(
        not_built.to_string().contains("Compilation failed") && reason(&not_built).ends_with(PUT_BACK),
        "{not_built:#}"
    );
    assert!(scene.seen() == before);
    // Nor does anything of 4.2 get what is made for 4.3.
    let version = scene.live().join("lib/mastodon/version.rb");
    fs::write(&version, fs::read_to_string(&version).unwrap().replace("  3\n", "  2\n")).unwrap();
    let refused = run(&tangerine, 1);
    assert!(refused.to_string().contains("TangerineUI 2 is made for Mastodon 4.3 and newer"), "{refused:#}");
}

/// What a build would do by itself, so that the tests above say something.
#[test]
fn without_the_guard_a_build_would_be_skipped() {
    let scene = Scene::new();
    assert!(scene.live().join(vite::STAMP).exists());
    let rails = scene.live().join("bin/rails").display().to_string();
    let said = mastmaint_tests::ctl::call(&rails, &["assets:precompile"]);
    assert!(said.stdout.contains("Skipping vite build"), "{}", said.stdout);
}

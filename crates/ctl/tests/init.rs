//! `mastmaintctl init` on made-up hosts: what it finds, what it writes, what it leaves alone.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use mastmaint_config::calendar::Schedule;
use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::{Command, Output},
};

const WEB: &str = "[Unit]\nDescription=mastodon-web\n[Service]\nType=simple\nUser=mastodon\nWorkingDirectory=/home/mastodon/live\n\
    Environment=\"RAILS_ENV=production\"\nEnvironment=\"PORT=3000\"\nEnvironment=\"LD_PRELOAD=libjemalloc.so\"\n\
    ExecStart=/home/mastodon/.rbenv/shims/bundle exec puma -C config/puma.rb\n";
const SHIM: &str = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n";
const VERSION: &str = "module Mastodon\n  module Version\n    def major\n      4\n    end\n\n    def minor\n      6\n    end\n\n    def patch\n      5\n    end\n";

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            let path = tree.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        tree
    }

    fn usual(more: &[(&str, &str)]) -> Self {
        let usual = [
            ("etc/systemd/system/mastodon-web.service", WEB),
            ("etc/systemd/system/mastodon-sidekiq.service", WEB),
            ("etc/systemd/system/mastodon-streaming.service", SHIM),
            ("etc/systemd/system/mastodon-streaming@.service", WEB),
            ("home/mastodon/live/lib/mastodon/version.rb", VERSION),
        ];
        let tree = Self::new(&[&usual[..], more].concat());
        fs::create_dir_all(tree.path().join("etc")).unwrap();
        symlink("/usr/share/zoneinfo/Europe/Paris", tree.path().join("etc/localtime")).unwrap();
        tree
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn init(&self, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_mastmaintctl"))
            .args(["init", "--root"])
            .arg(self.path())
            .args(more)
            .output()
            .unwrap()
    }

    /// The configuration that init prints; it must load without a mistake.
    fn config(&self) -> String {
        let output = self.init(&["--output", "-"]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let loaded = mastmaint_config::load_str("init", &text).unwrap_or_else(|e| {
            panic!("{}\n{text}", e.mistakes.iter().map(ToString::to_string).collect::<String>())
        });
        let odd: Vec<_> = loaded.warnings.iter().filter(|w| w.code() != "no-jobs").collect();
        assert!(odd.is_empty(), "{odd:?}");
        text
    }
}

fn has_all(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is missing in\n{text}");
    }
}

#[test]
fn a_usual_host_is_written_down_and_its_rivals_named() {
    let tree = Tree::usual(&[
        (
            "home/mastodon/live/.env.production",
            "LOCAL_DOMAIN=social.example\nDB_PASS=s3cr3t-word\nDB_PORT=6432\n",
        ),
        (
            "etc/cron.d/mastodon_maintenance",
            "# nightly\n@daily mastodon /home/scripts/nightly TOKEN=s3cr3t-word | mailx root\n",
        ),
        ("home/scripts/nightly", "#!/bin/sh\ncd ~/live\n./bin/tootctl media remove --days 7\n"),
        ("etc/cron.weekly/orphans", "#!/bin/sh\nsu mastodon -c 'bin/tootctl media remove-orphans'\n"),
        (
            "var/spool/cron/crontabs/mastodon",
            "0 3 * * * cd live && RAILS_ENV=production bin/tootctl preview_cards remove\n",
        ),
        (
            "usr/lib/systemd/system/mastodon-media-remove.service",
            "[Service]\nUser=mastodon\nWorkingDirectory=/home/mastodon/live\nExecStart=/home/mastodon/live/bin/tootctl media remove\n",
        ),
        ("usr/lib/systemd/system/mastodon-media-remove.timer", "[Timer]\nOnCalendar=weekly\n"),
        ("etc/postfix/main.cf", "inet_interfaces = loopback-only\n"),
    ]);
    let text = tree.config();
    has_all(
        &text,
        &[
            "Mastodon 4.6.5 in /home/mastodon/live, user mastodon",
            "LOCAL_DOMAIN social.example",
            "unit mastodon-web.service: user mastodon, in /home/mastodon/live, sets RAILS_ENV=production, PORT=3000, LD_PRELOAD=libjemalloc.so (/etc/systemd/system/mastodon-web.service)",
            "unit mastodon-streaming.service: no user, no working directory (",
            "PgBouncer before PostgreSQL (DB_PORT=6432)",
            "PostgreSQL on this host",
            "Redis on this host",
            "time zone Europe/Paris",
            "/etc/cron.d/mastodon_maintenance:2: calls /home/scripts/nightly, which runs it in line 3; put a # before the line",
            "/etc/cron.weekly/orphans:2: runs tootctl; chmod -x it",
            "/var/spool/cron/crontabs/mastodon:1: runs tootctl",
            "/usr/lib/systemd/system/mastodon-media-remove.service:4: runs tootctl, started by mastodon-media-remove.timer; systemctl disable --now mastodon-media-remove.timer",
            "services: [mastodon-sidekiq, mastodon-streaming, mastodon-web]",
            "LD_PRELOAD: libjemalloc.so",
            "url: \"https://social.example\"",
            "timezone: Europe/Paris",
            "\n      - tootctl: media remove-orphans\n",
        ],
    );
    assert!(!text.contains("s3cr3t-word") && !text.contains("PORT: "), "{text}");
    let written = mastmaint_config::load_str("init", &text).unwrap().settings;
    let sample = mastmaint_config::load_str("sample", mastmaint_config::SAMPLE).unwrap().settings;
    let mut asked: Vec<_> = written.probes.values().map(|probe| probe.question.kind()).collect();
    asked.sort_unstable();
    let mut all = mastmaint_config::probes::Question::KINDS;
    all.sort_unstable();
    assert_eq!(asked, all, "an outage is not left to users to find");
    assert_eq!(written.notify.len(), 1, "and not told to nobody");
    assert_eq!(written.jobs.keys().collect::<Vec<_>>(), sample.jobs.keys().collect::<Vec<_>>());
    for (name, job) in &written.jobs {
        let same = &sample.jobs[name];
        assert_eq!(
            (&job.window, job.timeout, &job.retry),
            (&same.window, same.timeout, &same.retry),
            "{name}"
        );
        assert_eq!(
            job.schedule.as_ref().map(Schedule::as_str),
            same.schedule.as_ref().map(Schedule::as_str),
            "{name}"
        );
        assert_eq!(job.steps[0].action, same.steps[0].action, "{name}");
    }
}

#[test]
fn of_a_variable_that_may_be_a_secret_only_the_name_is_told() {
    let web = WEB.replace("PORT=3000", "SMTP_PASSWORD=s3cr3t-word\" \"OTP_KEY=s3cr3t-word");
    let tree = Tree::usual(&[("etc/systemd/system/mastodon-web.service", &web)]);
    let output = tree.init(&["--output", "-"]);
    let (file, talk) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    for text in [file, talk] {
        has_all(&text, &["SMTP_PASSWORD, OTP_KEY"]);
        assert!(!text.contains("s3cr3t-word"), "{text}");
    }
}

#[test]
fn a_root_that_is_not_there_is_no_host() {
    let scratch = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_mastmaintctl"))
        .args(["init", "--output", "-", "--root"])
        .arg(scratch.path().join("none"))
        .output()
        .unwrap();
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{talk}");
    assert!(talk.contains("cannot look below") && talk.ends_with("[file]\n"), "{talk}");
}

#[test]
fn an_object_store_leaves_the_orphans_out_with_the_reason() {
    let tree = Tree::usual(&[(
        "home/mastodon/live/.env.production",
        "LOCAL_DOMAIN=social.example\nWEB_DOMAIN=www.social.example\nS3_ENABLED=true\nS3_BUCKET=media\nDB_HOST=10.0.0.5\nREDIS_URL=rediss://:pw@cache.example:6380/0\n",
    )]);
    let text = tree.config();
    has_all(
        &text,
        &[
            "media in the object store, bucket media",
            "listing of a whole bucket costs money",
            "\n  #clean-orphans:\n",
            "\n  #    - tootctl: media remove-orphans\n",
            "LOCAL_DOMAIN social.example",
            "WEB_DOMAIN www.social.example",
            "PostgreSQL on 10.0.0.5",
            "Redis on cache.example",
            "https://www.social.example",
        ],
    );
    assert!(!text.contains("\n      - tootctl: media remove-orphans"), "{text}");
}

#[test]
fn media_elsewhere_is_told() {
    let tree = Tree::usual(&[("home/mastodon/live/.env.production", "LOCAL_DOMAIN=a.example\n")]);
    fs::create_dir_all(tree.path().join("home/mastodon/live/public")).unwrap();
    symlink("/mnt/media", tree.path().join("home/mastodon/live/public/system")).unwrap();
    has_all(&tree.config(), &["media in /home/mastodon/live/public/system, a link to /mnt/media"]);
}

#[test]
fn a_mastodon_of_another_user_and_only_templates_is_found_too() {
    let web = WEB.replace("/home/mastodon/live", "/var/www/masto").replace("User=mastodon", "User=masto");
    let tree = Tree::new(&[
        ("usr/lib/systemd/system/mastodon-web.service", &web),
        ("etc/systemd/system/mastodon-web.service.d/user.conf", "[Service]\nUser=social\n"),
        ("usr/lib/systemd/system/mastodon-sidekiq@.service", &web),
        ("etc/timezone", "America/New_York\n"),
    ]);
    has_all(
        &tree.config(),
        &[
            "live: /var/www/masto\n",
            "user: social\n",
            "services: [mastodon-web, mastodon-sidekiq@]",
            "timezone: America/New_York",
            "of unknown version",
            ".env.production was not read",
        ],
    );
}

#[test]
fn a_host_without_mastodon_gets_a_configuration_without_instance() {
    let text = Tree::new(&[("etc/crontab", "17 * * * * root run-parts /etc/cron.hourly\n")]).config();
    has_all(&text, &["no Mastodon"]);
    assert!(!text.contains("\ninstance:"), "{text}");
}

#[test]
fn names_from_the_host_cannot_break_the_file() {
    let web = WEB.replace("libjemalloc.so", "a: b # c \\\\ {x}");
    let tree = Tree::usual(&[
        ("etc/systemd/system/mastodon-web.service", &web),
        ("etc/systemd/system/mastodon-sidekiq.service", &web),
        ("home/mastodon/live/.env.production", "LOCAL_DOMAIN=\"x\\nservices: [evil]\"\n"),
    ]);
    let text = tree.config();
    assert!(!text.contains("evil]\"\n") && !text.contains("url:"), "{text}");
}

#[test]
fn the_file_is_new_or_not_written_at_all() {
    let tree = Tree::usual(&[]);
    let place = tree.path().join("etc/mastmaintd/mastmaintd.yaml");
    let first = tree.init(&[]);
    let talk = String::from_utf8(first.stderr).unwrap();
    assert_eq!((first.status.code(), first.stdout.len()), (Some(0), 0), "{talk}");
    has_all(&talk, &["Now:", "mastmaintctl check", &place.display().to_string()]);
    assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, 0o640);
    let text = fs::read_to_string(&place).unwrap();
    let again = tree.init(&[]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8(again.stderr).unwrap().contains("[in-the-way]"));
    assert_eq!(fs::read_to_string(&place).unwrap(), text);
    fs::write(&place, mastmaint_config::SAMPLE).unwrap();
    assert_eq!(tree.init(&[]).status.code(), Some(0));
    assert_eq!(fs::read_to_string(&place).unwrap(), text);
    assert_eq!(fs::read_to_string(place.with_extension("yaml.sample")).unwrap(), mastmaint_config::SAMPLE);
}

#[test]
fn the_next_commands_name_the_rooms_only_where_they_have_to_change() {
    let talk = |tree: &Tree| String::from_utf8(tree.init(&[]).stderr).unwrap();
    assert!(!talk(&Tree::usual(&[])).contains("rooms --apply"));
    let elsewhere = WEB.replace("/home/mastodon/live", "/srv/social");
    let tree = Tree::new(&[("etc/systemd/system/mastodon-web.service", &elsewhere)]);
    let said = talk(&tree);
    let check = said.find("mastmaintctl check").unwrap();
    assert!(said.find("mastmaintctl rooms --apply").unwrap() > check, "{said}");
}

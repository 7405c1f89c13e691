//! Proofs of effect on a real PostgreSQL and a store that can refuse: what neither exit status nor output tells.

use mastmaint_tests::{Bucket, Daemon, Place, Postgres};
use serde_json::Value;
use std::{fs, os::unix::fs::PermissionsExt as _};

/// A place whose instance has a real database, with one job of one step.
fn place(postgres: &Postgres, step: &str, weather: &str, bucket: Option<&Bucket>) -> Place {
    let place = Place::new(&format!("  work:\n    steps: [{{{step}}}]\n")).unwrap();
    postgres.belong_to(&place.instance).unwrap();
    let mut elsewhere = format!("database: {}, name: {}", postgres.socket().display(), postgres.name());
    if let Some(bucket) = bucket {
        for (name, value) in [
            ("S3_ENABLED", "true"),
            ("S3_BUCKET", "media"),
            ("S3_ENDPOINT", bucket.endpoint().as_str()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ] {
            place.instance.set_env(name, value).unwrap();
        }
        elsewhere = format!("{elsewhere}, bucket: {}/media", bucket.endpoint());
        bucket.state().objects.extend(place.instance.keys().unwrap());
    }
    let weather = format!("speed: 200\nelsewhere: {{{elsewhere}}}\nweather: {{{weather}}}\n");
    place.instance.weather(&weather).unwrap();
    place
}

/// The step of the newest run after one run of the job.
fn step(place: &Place, exit: i32) -> Value {
    let daemon: Daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(exit);
    daemon.ended("work")["steps"][0].clone()
}

fn word<'a>(step: &'a Value, name: &str) -> &'a str {
    step[name].as_str().unwrap_or_default()
}

fn code(step: &Value) -> &str {
    step["reasons"][0]["code"].as_str().unwrap_or_default()
}

const SAMPLE: &str = "tootctl: media remove --days 7, prove: sample";

#[test]
fn what_was_seen_to_go_is_proved_on_disk_and_in_a_bucket() {
    let postgres = Postgres::start().unwrap();
    let local = step(&place(&postgres, SAMPLE, "media remove: media-remove-ok", None), 0);
    assert_eq!((word(&local, "outcome"), word(&local, "grade")), ("ok", "proved"), "{local:#}");

    let (postgres, bucket) = (Postgres::start().unwrap(), Bucket::start([]).unwrap());
    let remote = step(&place(&postgres, SAMPLE, "media remove: media-remove-ok", Some(&bucket)), 0);
    assert_eq!((word(&remote, "outcome"), word(&remote, "grade")), ("ok", "proved"), "{remote:#}");
    let state = bucket.state();
    assert!(state.unsigned == 0 && state.seen.iter().any(|(method, _)| method == "HEAD"));
}

/// Every recording of tootctl that only its effect gives away.
#[test]
fn a_store_that_refuses_every_deletion_is_caught() {
    for (recording, status) in
        [("s3-media-remove-403", 403), ("s3-media-remove-503", 503), ("s3-media-remove-403", 301)]
    {
        let (postgres, bucket) = (Postgres::start().unwrap(), Bucket::start([]).unwrap());
        let place = place(&postgres, SAMPLE, &format!("media remove: {recording}"), Some(&bucket));
        bucket.state().refuses_deletions = Some(status);
        let step = step(&place, 1);
        assert_eq!((word(&step, "outcome"), word(&step, "grade")), ("failed", "proved"), "{step:#}");
        assert_eq!(code(&step), "effect-missing", "{step:#}");
        let cleared = postgres.query("SELECT count(*) FROM media_attachments WHERE file_file_name IS NULL");
        assert_eq!(cleared.unwrap(), "15", "the rows were not cleared: this is another case");
    }
}

/// The outage of the post-mortem: the build is skipped, says so, and exits with 0.
#[test]
fn a_theme_that_is_listed_and_was_not_built_is_caught() {
    let place = Place::new("").unwrap();
    let live = place.instance.live();
    let rails = live.join("bin/rails");
    place
        .configure(&format!("  work:\n    steps: [{{run: [{}, \"assets:precompile\"]}}]\n", rails.display()))
        .unwrap();
    for directory in ["config", "public/packs/.vite", "public/assets"] {
        fs::create_dir_all(live.join(directory)).unwrap();
    }
    fs::write(live.join("public/packs/a-1.css"), "body {}").unwrap();
    fs::write(live.join("public/assets/500.html"), "<h1>").unwrap();
    fs::write(live.join("public/packs/.vite/manifest.json"), r#"{"styles/a.scss": {"file": "a-1.css"}}"#)
        .unwrap();
    fs::write(live.join("public/packs/.vite/manifest-lookup.json"), r#"{"themes/default": "styles/a.scss"}"#)
        .unwrap();
    fs::write(live.join("public/packs/.vite/manifest-assets.json"), "{}").unwrap();
    let daemon = place.start().unwrap();
    let run = |recording: &str, themes: &str, exit| {
        let case = mastmaint_tests::recordings::find("4.6.5", recording).unwrap();
        fs::write(place.path("said"), case.stdout).unwrap();
        // It is another name of the stand-in, which others use as well.
        drop(fs::remove_file(&rails));
        fs::write(&rails, format!("#!/bin/sh\ncat {}\n", place.path("said").display())).unwrap();
        fs::set_permissions(&rails, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(live.join("config/themes.yml"), themes).unwrap();
        daemon.ctl(&["run", "work", "--follow"]).exits(exit);
        daemon.ended("work")["steps"][0].clone()
    };
    let whole = run("assets-unchanged", "default: styles/a.scss\n", 0);
    assert_eq!((word(&whole, "outcome"), word(&whole, "grade")), ("ok", "proved"), "{whole:#}");
    let themes = "default: styles/a.scss\ntangerineui: styles/tangerineui.scss\n";
    let left_out = run("assets-theme-listed-without-file", themes, 1);
    assert_eq!((word(&left_out, "outcome"), word(&left_out, "grade")), ("failed", "proved"), "{left_out:#}");
    assert_eq!(code(&left_out), "assets-incomplete");
    assert!(
        left_out["reasons"][0]["text"].as_str().unwrap().contains("the theme tangerineui"),
        "{left_out:#}"
    );
}

#[test]
fn without_a_proof_the_same_store_is_believed() {
    let (postgres, bucket) = (Postgres::start().unwrap(), Bucket::start([]).unwrap());
    let again = "tootctl: media remove --days 7, prove: again";
    let weather = "media remove: [s3-media-remove-403, media-remove-nothing-to-do]";
    let place = place(&postgres, again, weather, Some(&bucket));
    bucket.state().refuses_deletions = Some(403);
    let step = step(&place, 0);
    assert_eq!((word(&step, "outcome"), word(&step, "grade")), ("ok", "read"), "rows only: {step:#}");
    assert_eq!(place.starts(), 2, "there was no second look");
}

#[test]
fn rows_that_point_at_nothing_are_told() {
    let postgres = Postgres::start().unwrap();
    let weather = "media remove: media-remove-database-refuses-all";
    let step = step(&place(&postgres, SAMPLE, weather, None), 1);
    let codes: Vec<_> = step["reasons"].as_array().unwrap().iter().map(|r| word(r, "code")).collect();
    assert!(word(&step, "outcome") == "failed" && codes.contains(&"rows-without-files"), "{step:#}");
}

#[test]
fn what_cannot_be_looked_at_is_not_called_proved() {
    let place = Place::new(&format!("  work:\n    steps: [{{{SAMPLE}}}]\n")).unwrap();
    place.instance.set_env("DB_HOST", "/nowhere").unwrap();
    place.instance.weather("speed: 200\n").unwrap();
    let step = step(&place, 0);
    assert_eq!((word(&step, "outcome"), word(&step, "grade")), ("ok", "read"), "{step:#}");
    assert_eq!(code(&step), "not-proved");
    assert!(step["reasons"][0]["text"].as_str().unwrap().contains("/nowhere"), "{step:#}");
}

#[test]
fn a_dry_run_that_still_finds_them_is_a_failure() {
    let weather = "media remove: [media-remove-ok, media-remove-dry-run]";
    let place = Place::new("  work:\n    steps: [{tootctl: media remove --days 7, prove: again}]\n").unwrap();
    place.instance.weather(&format!("speed: 200\nweather: {{{weather}}}\n")).unwrap();
    let step = step(&place, 1);
    assert_eq!((word(&step, "outcome"), code(&step)), ("failed", "effect-missing"), "{step:#}");
}

#[test]
fn orphans_are_not_removed_while_the_database_is_older_than_the_files() {
    let postgres = Postgres::start().unwrap();
    let place = place(&postgres, "tootctl: media remove-orphans", "", None);
    // A day after the newest row of the dump.
    let newer = 117_663_864_900_000_000_u64 + (86_400_000 << 16);
    let groups = newer
        .to_string()
        .as_bytes()
        .chunks(3)
        .map(|c| String::from_utf8_lossy(c).into_owned())
        .collect::<Vec<_>>();
    place.instance.put(&format!("media_attachments/files/{}/original/a.png", groups.join("/")), 9).unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(1);
    // It is the look before it that is refused already.
    let refused = daemon.ended("work");
    let reason = word(&refused, "reason");
    assert!(word(&refused, "outcome") == "failed" && reason.contains("older than the files"), "{refused:#}");
    assert_eq!(place.starts(), 0, "tootctl was started");
}

/// An id that was given so long ago.
fn id_of(hours_ago: i64) -> i64 {
    let at = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours_ago);
    at.as_millisecond() << 16
}

/// The server was restored from a backup, and lives again: there are rows after the restore and uploads before it.
#[test]
fn orphans_are_not_removed_while_uploads_lie_in_a_time_that_the_database_does_not_know() {
    for remote in [false, true] {
        let postgres = Postgres::start().unwrap();
        let bucket = remote.then(|| Bucket::start([]).unwrap());
        let place = place(&postgres, "tootctl: media remove-orphans", "", bucket.as_ref());
        for hours_ago in [10, 1] {
            let id = id_of(hours_ago);
            let row = format!(
                "INSERT INTO media_attachments (id, created_at, updated_at) VALUES ({id}, now(), now())"
            );
            postgres.query(&row).unwrap();
        }
        for hours_ago in [6, 5] {
            let digits = id_of(hours_ago).to_string();
            let groups: Vec<&str> = (0..6).map(|n| &digits[n * 3..n * 3 + 3]).collect();
            let key = format!("media_attachments/files/{}/original/a.png", groups.join("/"));
            match &bucket {
                Some(bucket) => drop(bucket.state().objects.insert(key)),
                None => place.instance.put(&key, 9).unwrap(),
            }
        }
        let daemon = place.start().unwrap();
        daemon.ctl(&["run", "work", "--follow"]).exits(1);
        let refused = daemon.ended("work");
        let reason = word(&refused, "reason");
        assert!(word(&refused, "outcome") == "failed" && reason.contains("2 uploads"), "{refused:#}");
        assert_eq!(place.starts(), 0, "tootctl was started");
    }
}

#[test]
fn orphans_are_not_removed_while_nothing_is_known_of_the_database() {
    let place = Place::new("  work:\n    steps: [{tootctl: media remove-orphans}]\n").unwrap();
    place.instance.set_env("DB_HOST", "/nowhere").unwrap();
    place.instance.add_orphans().unwrap();
    let before = place.instance.held().unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(1);
    let refused = daemon.ended("work");
    let reason = word(&refused, "reason");
    assert!(word(&refused, "outcome") == "failed" && reason.contains("nothing was removed"), "{refused:#}");
    assert!(reason.contains("/nowhere"), "{reason}");
    assert_eq!((place.starts(), place.instance.held().unwrap()), (0, before));
}

#[test]
fn the_share_of_orphans_is_told_by_the_rows() {
    let postgres = Postgres::start().unwrap();
    let place = place(&postgres, "tootctl: media remove-orphans, at_most: {share: 100%}", "", None);
    place.instance.add_orphans().unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(0);
    assert_eq!(daemon.ended("work")["numbers"]["removed"], 5);
}

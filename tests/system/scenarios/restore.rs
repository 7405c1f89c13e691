//! A Mastodon that was wrecked is brought back from what rsnapshot has kept, from within the walls of the restore room,
//! and nothing that was there is gone afterwards.

use crate::{
    answering::{all_are, answering, open_brackets, states},
    host::{configure, ctl, ended_run},
    image::Debian,
    machine::Machine,
};
use mastmaint_tests::vite;
use std::{path::Path, time::Duration};

pub(super) const LIVE: &str = "/home/mastodon/live";
pub(super) const UPLOADS: &str = "public/system/media_attachments/files";
const JOBS: &str = "  restore-files:
    steps: [{restore: {backup: files}}]
  restore-any:
    steps: [{restore: {backup: files, unproved: true}}]
  nightly:
    with_services_stopped: true
    steps: [{run: /bin/true}]
  rehearse:
    schedule: '@monthly'
    steps: [{restore: {backup: files, rehearse: true}}]
backups:
  files: {kind: rsnapshot, config: /etc/rsnapshot.conf, live: host/home/mastodon/live, max_age: 26h}
";
pub(super) const RSNAPSHOT: &str = "config_version\t1.2\nsnapshot_root\t/backup/snapshots/\ncmd_cp\t/bin/cp\ncmd_rm\t/bin/rm\n\
    cmd_rsync\t/usr/bin/rsync\nretain\tdaily\t3\nlockfile\t/run/rsnapshot.pid\nlogfile\t/var/log/rsnapshot\nverbose\t1\n\
    loglevel\t3\nexclude\t/live.*\nexclude\t.mastmaintd-restore\nbackup\t/home/mastodon/\thost/\n";
/// Two nights of rsnapshot.
pub(super) fn back_up(machine: &Machine) {
    with_secrets(machine);
    machine.write("/etc/rsnapshot.conf", RSNAPSHOT);
    machine.sh(NIGHTS).ok();
}

/// On a disk of its own: inode numbers of the overlay below a container do not last.
pub(super) const NIGHTS: &str = "set -e; mkdir -p /backup && mount -t tmpfs tmpfs /backup\n\
    rsnapshot daily && sleep 1.1 && rsnapshot daily";

/// Settings that have what a verification looks for.
fn with_secrets(machine: &Machine) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/verify/tests/fixture");
    machine.put(&fixture.join(".env.production"), "/root/env");
    let lines = format!(
        "set -e; cd {LIVE}\n\
         grep -E '^(SECRET|VAPID|ACTIVE_RECORD|OTP)' /root/env >>.env.production && chmod 640 .env.production\n\
         mkdir -p public/system/media_attachments && chown -hR mastodon:mastodon {LIVE}"
    );
    machine.sh(&lines).ok();
}

/// Everything that a tree is, but for its uploads and settings: names, kinds, modes, owners, contents.
const TREE: &str = "find . -path ./public/system -prune -o ! -name '.env.production' -printf '%P %y %m %U:%G %l ' \
    \\( -type f -exec sha256sum {} \\; -o -printf '\\n' \\) | sort";

/// A Mastodon with files that are worth a backup.
pub(super) fn furnished(debian: Debian) -> Machine {
    let machine = answering(debian, "  nothing: {steps: [{run: /bin/true}]}\n", "");
    let lines = format!(
        "set -e; cd {LIVE} && mkdir -p config app/javascript/styles {UPLOADS}/1 'odd\nname' && echo 'default: styles/application.scss' >config/themes.yml\n\
         echo 'body {{}}' >app/javascript/styles/application.scss && echo old >{UPLOADS}/1/old.png && (cd odd* && ln -s ../config link)"
    );
    machine.sh(&lines).ok();
    with_built_assets(&machine);
    with_secrets(&machine);
    machine
}

/// What every restore looks for in the copy. Whoever calls this says whose the files are.
pub(super) fn with_built_assets(machine: &Machine) {
    let live = machine.root().join(LIVE.trim_start_matches('/'));
    assert_eq!(vite::build(&live).unwrap(), [""; 0], "every theme is built");
}

/// The same, backed up and proved.
pub(super) fn host(debian: Debian) -> Machine {
    let machine = furnished(debian);
    machine.write("/etc/rsnapshot.conf", RSNAPSHOT);
    machine.sh(NIGHTS).ok();
    configure(&machine, JOBS);
    ctl(&machine, "reload").ok();
    let verified = ctl(&machine, "verify files --follow");
    assert_eq!(verified.status, 0, "{}{}", verified.out, verified.err);
    machine
}

pub(super) fn tree(machine: &Machine, at: &str) -> String {
    machine.sh(&format!("cd {at} && {TREE}")).ok()
}

/// What people and machines have done to it since.
pub(super) fn wreck(machine: &Machine) {
    let lines = format!(
        "set -e; cd {LIVE}; rm -rf app; echo 'broken' >config/themes.yml; echo rubbish >config/rubbish\n\
         echo new >{UPLOADS}/1/new.png; rm -f {UPLOADS}/1/old.png; echo today=1 >>.env.production\n\
         chown -R mastodon:mastodon {LIVE}"
    );
    machine.sh(&lines).ok();
}

/// The id of the newest run of a job, and all that is known of it.
fn newest(machine: &Machine, job: &str) -> (String, String) {
    let run = ended_run(machine, job)["run"].as_str().unwrap().to_owned();
    let shown = ctl(machine, &format!("show {run} --json")).ok();
    (run, shown)
}

pub(crate) fn a_wrecked_mastodon_comes_back_and_nothing_is_lost(debian: Debian) {
    let machine = host(debian);
    let (good, before) = (tree(&machine, LIVE), states(&machine));
    wreck(&machine);
    let wrecked = tree(&machine, LIVE);
    assert_ne!(good, wrecked);

    // A rehearsal copies, checks and changes nothing.
    let rehearsed = ctl(&machine, "run rehearse --follow");
    assert_eq!(rehearsed.status, 0, "{}{}", rehearsed.out, rehearsed.err);
    assert_eq!(tree(&machine, LIVE), wrecked);
    assert_eq!(states(&machine), before);

    let restored = ctl(&machine, "run restore-files --follow");
    assert_eq!(restored.status, 0, "{}{}", restored.out, restored.err);
    all_are(&machine, "active");
    assert_eq!(tree(&machine, LIVE), good);
    let uploads = machine.sh(&format!("cd {LIVE}/{UPLOADS}/1 && cat new.png old.png")).ok();
    assert_eq!(uploads, "new\nold\n", "today's stays, and what was missing is back");
    let env = machine.sh(&format!("stat -c '%a %U' {LIVE}/.env.production; cat {LIVE}/.env.production")).ok();
    assert!(env.starts_with("640 mastodon\n") && env.contains("today=1"), "{env}");
    let (run, _) = newest(&machine, "restore-files");
    assert_eq!(tree(&machine, &format!("{LIVE}.before-{run}")), wrecked, "what was there is beside");
    // What runs now runs in the new tree.
    let works = machine.sh(&format!("stat -c %i {LIVE}; stat -Lc %i {LIVE}/.; ls -d {LIVE}.before-*")).ok();
    assert_eq!(works.lines().count(), 3, "{works}");

    // A bit that rotted between the proof and the restore.
    let rotten = "/backup/snapshots/daily.0/host/home/mastodon/live/app/javascript/styles/application.scss";
    let flip = format!(
        "touch -r {rotten} /root/time && printf X | dd of={rotten} bs=1 conv=notrunc status=none && touch -r /root/time {rotten}"
    );
    machine.sh(&flip).ok();
    let refused = ctl(&machine, "run restore-files --follow");
    assert_eq!(refused.status, 1, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("application.scss"), "{}", refused.err);
    assert_eq!(tree(&machine, LIVE), good, "nothing was switched in");
    let (_, refusal) = newest(&machine, "restore-files");
    assert!(!refusal.contains("to be started again"), "nothing was stopped: {refusal}");
    all_are(&machine, "active");
    machine.sh(&flip.replace("printf X", "printf b")).ok();

    // And back: the uploads since come along.
    machine.sh(&format!("echo newer >{LIVE}/{UPLOADS}/1/newer.png")).ok();
    let jobs = format!("  back:\n    steps: [{{restore: {{rollback: {run}}}}}]\n");
    configure(&machine, &jobs);
    ctl(&machine, "reload").ok();
    let back = ctl(&machine, "run back --follow");
    assert_eq!(back.status, 0, "{}{}", back.out, back.err);
    all_are(&machine, "active");
    assert_eq!(tree(&machine, LIVE), wrecked);
    let uploads = machine.sh(&format!("cd {LIVE}/{UPLOADS}/1 && cat new.png newer.png old.png")).ok();
    assert_eq!(uploads, "new\nnewer\nold\n");
    what_cannot_work_is_not_switched_in(&machine, &wrecked);
}

/// Services that do not come up on what was restored; then a copy without built assets.
fn what_cannot_work_is_not_switched_in(machine: &Machine, before: &str) {
    const COPY: &str = "/backup/snapshots/daily.0/host/home/mastodon/live";
    configure(machine, JOBS);
    ctl(machine, "reload").ok();
    machine.sh(&format!("echo crash >{COPY}/config/ails-web")).ok();
    let down = ctl(machine, "run restore-any --follow");
    assert_eq!(down.status, 1, "{}{}", down.out, down.err);
    let said = "the files of before are there again, and Mastodon runs on them";
    assert!(down.err.contains("Mastodon is not back") && down.err.contains(said), "{}", down.err);
    all_are(machine, "active");
    assert!(open_brackets(machine).is_empty());
    assert_eq!(tree(machine, LIVE), before);

    let package = r#"{"dependencies": {"pg": "^8"}}"#;
    machine
        .sh(&format!("cd {COPY} && rm config/ails-web && mkdir -p streaming && echo '{package}' >streaming/package.json"))
        .ok();
    let refused = ctl(machine, "restore files --unproved --without-assets --yes");
    assert_eq!(refused.status, 1, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("without pg in node_modules streaming does not start"), "{}", refused.err);
    all_are(machine, "active");
    assert_eq!(tree(machine, LIVE), before);

    machine.sh(&format!("rm -r {COPY}/streaming {COPY}/public/packs")).ok();
    let refused = ctl(machine, "restore files --unproved --yes");
    assert_eq!(refused.status, 1, "{}{}", refused.out, refused.err);
    for text in ["no manifest of a build", "--without-assets", "restore --prepared"] {
        assert!(refused.err.contains(text), "{text}: {}", refused.err);
    }
    let refused = ctl(machine, "run restore-any --follow");
    assert_eq!(refused.status, 1, "{}{}", refused.out, refused.err);
    let (_, refusal) = newest(machine, "restore-any");
    assert!(!refusal.contains("to be started again"), "nothing was stopped: {refusal}");
    assert_eq!(tree(machine, LIVE), before);
    let taken = ctl(machine, "restore files --unproved --without-assets --yes");
    assert_eq!(taken.status, 0, "{}{}", taken.out, taken.err);
    assert_ne!(tree(machine, LIVE), before);
    all_are(machine, "active");
    what_was_down_before_comes_back_or_is_named(machine);
}

/// A nightly job has met a Mastodon that does not come up any more; then a person stops all of it before the restore.
fn what_was_down_before_comes_back_or_is_named(machine: &Machine) {
    const RESTORE: &str = "restore files --unproved --without-assets --yes";
    machine.sh(&format!("echo crash >{LIVE}/config/ails-web")).ok();
    let night = ctl(machine, "run nightly --follow");
    assert_eq!((night.status, open_brackets(machine).len()), (1, 1), "{}{}", night.out, night.err);
    let restored = ctl(machine, RESTORE);
    assert_eq!(restored.status, 0, "{}{}", restored.out, restored.err);
    all_are(machine, "active");
    assert!(open_brackets(machine).is_empty());

    machine.sh("systemctl stop mastodon-web mastodon-sidekiq mastodon-streaming").ok();
    all_are(machine, "inactive");
    let restored = ctl(machine, RESTORE);
    assert_eq!(restored.status, 1, "{}{}", restored.out, restored.err);
    assert!(
        restored.err.contains("Mastodon does not run")
            && restored.err.contains("systemctl start mastodon-web")
    );
    assert!(open_brackets(machine).is_empty());
    // So many starts in so short a time are too many for systemd.
    machine
        .sh("systemctl reset-failed 'mastodon*'; systemctl start mastodon-web mastodon-sidekiq mastodon-streaming")
        .ok();
    all_are(machine, "active");
}

#[track_caller]
pub(super) fn is_restored(machine: &Machine, good: &str, after: &str) {
    all_are(machine, "active");
    machine.until(&format!("the bracket is closed after {after}"), Duration::from_mins(3), |m| {
        open_brackets(m).is_empty().then_some(())
    });
    assert_eq!(tree(machine, LIVE), good, "after {after}");
    let uploads = machine.sh(&format!("cd {LIVE}/{UPLOADS}/1 && cat new.png old.png")).ok();
    assert_eq!(uploads, "new\nold\n", "after {after}");
    assert_eq!(machine.sh("ls /var/lib/mastmaintd-restore/switching").ok(), "", "after {after}");
}

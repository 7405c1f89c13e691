//! Mastodon started from its backups in the boot room, with the release's own PostgreSQL, Redis, Ruby and Bundler and a
//! stand-in of puma; what is missing is said; nothing of it stays.

use super::drill::{is_clean, shown};
use crate::{
    host::{configure, ctl, deb, install, mastodon},
    image::Debian,
    machine::Machine,
};
use std::{path::Path, time::Duration};

const JOBS: &str = "  boots:
    steps: [{verify: database, full: true}]
backups:
  files: {kind: tree, path: /backup/files, live: live}
  database: {kind: postgres, path: /backup/dumps/*.dump, files: files, drill: {reserve: 1 MB, boot: true}}
";
pub(super) const LIVE: &str = "/backup/files/live";

pub(super) fn host(debian: Debian) -> Machine {
    let machine = mastodon(debian);
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let verify = here.join("../crates/verify/tests");
    for file in ["build.sh", "puma.rb", "rails.rb"] {
        machine.put(&verify.join("standin_puma").join(file), &format!("/root/standin/{file}"));
    }
    machine.sh(&format!("sh /root/standin/build.sh {LIVE}")).ok();
    machine.put(&verify.join("fixture/.env.production"), &format!("{LIVE}/.env.production"));
    machine.put(&here.join("fixtures/mastodon-pg15.dump"), "/backup/dumps/mastodon.dump");
    // Uploads are not what this is about.
    let lines = format!(
        "echo S3_ENABLED=true >>{LIVE}/.env.production; chown -R root:root /backup; chmod -R go= /backup"
    );
    machine.sh(&lines).ok();
    install(&machine, &deb());
    configure(&machine, JOBS);
    machine.sh("systemctl start mastmaintd").ok();
    machine
}

/// What a verification comes to, and all that is said of it.
fn boots(machine: &Machine, outcome: &str) -> String {
    ctl(machine, "run boots --follow");
    let run = shown(machine, "boots");
    assert_eq!(run["outcome"], outcome, "{run:#}");
    is_clean(machine);
    run.to_string()
}

pub(crate) fn mastodon_is_started_from_its_backups(debian: Debian) {
    let machine = host(debian);
    let said = boots(&machine, "ok");
    assert!(said.contains("Mastodon 4.6.5 answered on it"), "{said}");
    let page = ctl(&machine, "backup database").ok();
    assert!(page.contains("last boot: Mastodon 4.6.5 answered"), "{page}");
    // A backup without gems, on a host whose Ruby is in the home of Mastodon's user.
    let bin = "/home/mastodon/.rbenv/versions/9.9.9/bin";
    let moves = format!(
        "set -e; mkdir -p {bin} /home/mastodon/live/vendor; chmod 750 /home/mastodon\n\
         printf '#!/bin/sh\\nexec /usr/bin/ruby \"$@\"\\n' >{bin}/ruby; mv $(readlink -f /usr/bin/bundle) {bin}/bundle\n\
         rm -f /usr/bin/bundle; chmod +x {bin}/ruby; echo 9.9.9 >{LIVE}/.ruby-version\n\
         cp -a {LIVE}/vendor/bundle /home/mastodon/live/vendor/; rm -r {LIVE}/vendor\n\
         chmod -R go+rX /home/mastodon/live/vendor /home/mastodon/.rbenv"
    );
    machine.sh(&moves).ok();
    let said = boots(&machine, "ok");
    assert!(said.contains("Mastodon 4.6.5 answered on it"), "{said}");
    machine.sh("rm -r /home/mastodon/live/vendor").ok();
    let said = boots(&machine, "partial");
    assert!(said.contains("not-checked") && said.contains("Bundler does not find"), "{said}");
    machine.sh(&format!("rm {bin}/bundle")).ok();
    let said = boots(&machine, "partial");
    assert!(said.contains("has no Bundler beside it"), "{said}");
}

pub(crate) fn a_boot_that_is_killed_leaves_nothing(debian: Debian) {
    let machine = host(debian);
    machine.write(&format!("{LIVE}/weather"), "hangs");
    assert_eq!(ctl(&machine, "run boots").status, 0);
    machine.until("puma works", Duration::from_mins(2), |m| {
        let found =
            m.sh("pgrep -U mastmaintd-drill -f config/puma.rb && pgrep -U mastmaintd-drill -x redis-server");
        (found.status == 0).then_some(())
    });
    machine.sh("pkill -9 -U mastmaintd-drill -x mastmaint-drill").ok();
    let run = shown(&machine, "boots");
    assert_eq!(run["outcome"], "failed", "{run:#}");
    assert!(run.to_string().contains("drill-died"), "{run:#}");
    is_clean(&machine);
    machine.sh(&format!("rm {LIVE}/weather")).ok();
    boots(&machine, "ok");
}

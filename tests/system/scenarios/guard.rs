//! Changes under guard through the real rooms and systemd: what is well stays, what is not is put back, also after the
//! host went down in the middle.

use crate::{
    answering::{ail, all_are, answering},
    host::{ctl, ended_run, within},
    image::Debian,
    machine::{Done, Machine},
};
use std::time::Duration;

const LIVE: &str = "/home/mastodon/live";
const PUT_BACK: &str = "it is put back, Mastodon is as before";

/// A Mastodon whose assets are built, and whose builds go as said.
pub(super) fn built(debian: Debian, jobs: &str) -> Machine {
    let machine = answering(debian, jobs, &builds("whole", ""));
    machine
        .sh(&format!(
            "cd {LIVE} && cp bin/tootctl bin/rails && mkdir -p config app/javascript/styles public && \
             echo 'default: styles/application.scss' > config/themes.yml && \
             echo 'body {{ color: orange }}' > app/javascript/styles/application.scss && \
             chown -R mastodon:mastodon . && \
             runuser -u mastodon -- env RAILS_ENV=production bin/rails assets:precompile"
        ))
        .ok();
    machine
}

/// How the next builds go.
fn builds(how: &str, more: &str) -> String {
    format!("speed: 100\nweather:\n  assets:precompile: {{build: {how}{more}}}\n")
}

pub(super) fn next_build(machine: &Machine, how: &str, more: &str) {
    machine.write(&format!("{LIVE}/standin.yaml"), &builds(how, more));
}

/// All that a build or a theme could change, by content, mode and owner.
pub(super) fn seen(machine: &Machine) -> String {
    machine
        .sh(&format!(
            "cd {LIVE} && find config app public tmp/cache -path public/system -prune -o -printf '%p %y %m %u:%g %l\\n' \
             | sort && find config app public tmp/cache -path public/system -prune -o -type f -print0 | sort -z | \
             xargs -0 sha256sum"
        ))
        .ok()
}

/// What is kept of changes beside how they ended.
pub(super) fn copies(machine: &Machine) -> String {
    machine.sh("cd /var/lib/mastmaintd-change/changes 2>/dev/null && ls -d */files */listing 2>/dev/null || true").out
}

fn guard(machine: &Machine, words: &str) -> Done {
    let done = ctl(machine, &format!("guard --yes --memory 1MB {words}"));
    let left = machine.sh("ls /etc/mastmaintd/conf.d 2>/dev/null || true").out;
    assert_eq!(left.trim(), "", "{}", done.err);
    done
}

pub(crate) fn a_change_stays_or_is_put_back(debian: Debian) {
    let machine = built(debian, "  none: {steps: [{run: /bin/true}]}\n");
    let started = || machine.property("mastodon-web", "InvocationID");

    let (before, web) = (seen(&machine), started());
    next_build(&machine, "half", "");
    let done = guard(&machine, "-- /bin/sh -c 'echo plum: styles/plum.scss >> config/themes.yml'");
    assert!(done.status == 1 && done.err.contains(PUT_BACK), "{}{}", done.out, done.err);
    assert_eq!(seen(&machine), before);
    assert_eq!(started(), web, "web was restarted");

    next_build(&machine, "whole", "");
    machine
        .sh("mkdir -p /srv/theme/mastodon/app/javascript/styles && cd /srv/theme/mastodon/app/javascript/styles && \
             echo \"@import 'application';\" > tangerineui.scss")
        .ok();
    let done = guard(&machine, "--recipe theme tangerine-ui /srv/theme");
    assert_eq!(done.status, 0, "{}{}", done.out, done.err);
    let owner = machine.sh(&format!("stat -c '%U:%G %a' {LIVE}/public/packs/assets/tangerineui-*.css")).ok();
    assert_eq!(owner.trim(), "mastodon:mastodon 644");
    assert_ne!(started(), web);
    assert_eq!(copies(&machine), "");

    // Only the look finds that it is not well, and it is not the change: that is said.
    let (before, web) = (seen(&machine), started());
    ail(&machine, "web", "500");
    let done = guard(&machine, "-- /bin/sh -c 'echo >> app/javascript/styles/application.scss'");
    let said = "it is put back, and Mastodon is not well: the site says no";
    assert!(done.status == 1 && done.err.contains(said), "{}{}", done.out, done.err);
    ail(&machine, "web", "");
    assert_eq!(seen(&machine), before);
    assert_ne!(started(), web);

    // The walls: the Rails root and nothing else. What is behind them is said before anything is begun.
    machine.write("/root/precious", "x");
    machine.write("/home/mastodon/theme.sh", "#!/bin/sh\n");
    for hidden in ["/root/precious", "/home/mastodon/theme.sh", "--from=/root/precious"] {
        let done = guard(&machine, &format!("-- /bin/sh {hidden}"));
        assert!(done.status == 1 && done.err.contains("[hidden-from-room]"), "{hidden}: {}", done.err);
    }
    let done = guard(&machine, "--recipe theme tangerine-ui /home/mastodon");
    assert!(done.status == 1 && done.err.contains("lies below /home"), "{}", done.err);
    machine
        .write("/etc/mastmaintd/conf.d/hidden.yaml", "jobs: {theme: {steps: [{guard: /root/precious}]}}\n");
    let warned = ctl(&machine, "check").err;
    assert!(warned.contains("warning: the guard of job theme: /root/precious lies below /root"), "{warned}");
    machine.sh("rm /etc/mastmaintd/conf.d/hidden.yaml").ok();
    let tries = "touch /home/mastodon/live/tmp/x && ! touch /home/mastodon/x && ! touch /etc/x && ! touch /srv/x && \
                 ! cat /root/precious && grep -q MemAvailable /proc/meminfo";
    let (status, printed) = within(&machine, "change", &format!("/bin/sh -c '{tries}'"));
    assert_eq!(status, "0", "{printed}");
}

pub(crate) fn a_host_that_goes_down_in_a_change_has_mastodon_as_before(debian: Debian) {
    let job = "  change: {steps: [{guard: bin/rails assets:precompile, memory: 1 MB}]}\n";
    let mut machine = built(debian, job);
    let before = seen(&machine);
    next_build(&machine, "half", ", sleep: 90s");
    ctl(&machine, "run change").ok();
    machine.until("it builds", Duration::from_mins(1), |m| {
        (m.sh("pgrep -x -U mastodon rails").status == 0).then_some(())
    });
    machine.sh(&format!("echo half > {LIVE}/config/themes.yml && rm -r {LIVE}/public/packs && sync")).ok();
    machine.power_cut();
    machine.power_on();
    let run = ended_run(&machine, "change");
    assert_eq!(run["outcome"], "interrupted", "{run}");
    assert!(run["reason"].as_str().unwrap().contains(PUT_BACK), "{run}");
    assert_eq!(seen(&machine), before);
    all_are(&machine, "active");
    // systemd had started web on what it found: it was started again on what was put back.
    let shown = ctl(&machine, "show change").ok();
    assert!(shown.contains("systemctl restart mastodon-web"), "{shown}");
    assert_eq!(copies(&machine), "");
    machine.until("nothing is left of it", Duration::from_mins(1), |m| {
        m.sh(&format!("find {LIVE} -name '.mastmaintd-*' | grep -q .")).status.ne(&0).then_some(())
    });
}

//! Somebody who uploads all the while that Mastodon is changed: whatever was taken must be there at the end.

use crate::machine::Machine;

/// What was taken, a name a line.
const TAKEN: &str = "/var/tmp/taken";
const UPLOADER: &str = "/usr/local/bin/uploader";
/// While a directory is just being moved nothing is taken, and nothing is said to be.
const LINES: &str = "#!/bin/sh
exec 2>/dev/null
cd /; n=0
while :; do
    n=$((n + 1))
    if echo up-$n >\"$1/up-$n.png\"; then echo up-$n >>/var/tmp/taken; fi
    sleep 0.05
done
";

/// Uploads into a directory, as the instance's user, until it is ended or the host is.
pub(crate) fn begin(machine: &Machine, into: &str) {
    machine.write(UPLOADER, LINES);
    machine
        .sh(&format!(
            "chmod 755 {UPLOADER} && rm -f {TAKEN} && systemd-run -q --collect --unit=uploader -p User=mastodon {UPLOADER} {into}"
        ))
        .ok();
}

/// How many were taken so far.
pub(crate) fn taken(machine: &Machine) -> usize {
    machine.sh(&format!("cat {TAKEN} 2>/dev/null || true")).out.lines().count()
}

/// Ends it, and looks whether all that was taken is there; then it is removed.
#[track_caller]
pub(crate) fn are_all_there(machine: &Machine, at: &str, after: &str) {
    let lost = machine
        .sh(&format!(
            "systemctl stop uploader 2>/dev/null; while read name; do kept=; read kept 2>/dev/null <{at}/$name.png; \
             [ \"$kept\" = $name ] || echo $name; done <{TAKEN}"
        ))
        .out;
    assert_eq!(lost, "", "uploads of today are lost after {after}");
    assert!(taken(machine) > 0, "nothing was uploaded before {after}");
    machine.sh(&format!("rm -f {TAKEN} {at}/up-*.png")).ok();
}

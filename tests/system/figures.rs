//! The figures of a room for `docs/performance.md`. No test: it measures, writes what it measured below
//! `MASTMAINT_FIGURES`, and judges nothing. `cargo xtask bench rooms` builds what it needs, runs it and reads that.

use crate::{
    host::{from_env, maintained},
    image::Debian,
};
use std::{fmt::Write as _, fs, thread::sleep, time::Duration};

const JOBS: usize = 20;
const MINUTES: u64 = 6;
const TIMES: usize = 100;
const CHILD: &str = "/usr/local/bin/bench-child";
/// Where the run room may write.
const STAMPS: &str = "/var/lib/mastmaintd-run/stamps";

#[test]
#[ignore = "a benchmark: cargo xtask bench rooms"]
fn rooms() {
    let mut jobs = String::new();
    for job in 0..JOBS {
        writeln!(
            jobs,
            "  job{job}:\n    schedule: '* * * * *'\n    random_delay: 50s\n    steps: [{{run: [{CHILD}, stamp, {STAMPS}]}}]"
        )
        .unwrap();
    }
    let machine = maintained(Debian::Bookworm, &jobs, "");
    machine.put(&from_env("MASTMAINT_BENCH_CHILD"), CHILD);
    machine.sh(&format!("chmod 755 {CHILD}")).ok();
    // What was tried before the program was there left nothing that counts.
    sleep(Duration::from_secs(60 * MINUTES));
    let out = from_env("MASTMAINT_FIGURES");
    let keep = |name: &str, text: String| fs::write(out.join(name), text).unwrap();
    keep("late", machine.sh(&format!("cat {STAMPS}")).ok());
    machine.sh("systemctl stop mastmaintd").ok();
    keep("knocks", machine.sh(&format!("{CHILD} knock /run/mastmaintd-rooms/run.sock {TIMES}")).ok());
    // The peer: one line is the time before systemd-run was called, the next the program's.
    let transient = format!(
        "for i in $(seq {TIMES}); do date +%s.%N >>/root/peer; \
         systemd-run --quiet --wait {CHILD} stamp /root/peer; done; cat /root/peer"
    );
    keep("systemd-run", machine.sh(&transient).ok());
}

//! An idle ticker costs nothing: in a process of its own, so that the kernel's count of its wake-ups means something.

use mastmaintd::schedule::ticker::Ticker;
use std::{collections::BTreeMap, fs, thread, time::Duration};

/// How often the threads of this process went to sleep so far.
fn sleeps() -> Option<u64> {
    let statuses = fs::read_dir("/proc/self/task").ok()?.flatten().map(|task| task.path().join("status"));
    let counts = statuses.flat_map(fs::read_to_string).map(|status| {
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
        count.trim().parse::<u64>().ok()
    });
    counts.sum()
}

#[test]
fn ten_daily_jobs_do_not_wake_the_process() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (wakes, _keep) = tokio::sync::mpsc::channel(64);
    let ticker = runtime.block_on(Ticker::start(wakes)).unwrap();
    let tomorrow = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24);
    let plan: BTreeMap<_, _> =
        (0..10).map(|n| (format!("job-{n}").parse().unwrap(), Some(tomorrow))).collect();
    runtime.block_on(ticker.set_plan(&plan)).unwrap();
    // The loop comes by once more, late if the machine is busy, and parks. This thread's own sleep is one; a polling loop
    // would make ten and more each time.
    let is_quiet = || {
        let before = sleeps().unwrap();
        thread::sleep(Duration::from_secs(5));
        sleeps().unwrap() - before <= 3
    };
    assert!((0..6).any(|_| is_quiet()), "more than 3 wake-ups in each of six times 5 s");
}

//! How long a restore takes beside `tar | tar`, which checks nothing: 46,000 files of 550 MB, as the facts have them.
//!
//! `cargo run --release -p mastmaint-restore --example bench_restore -- DIR [ROUNDS] [--ssh]`; DIR takes 600 MB and
//! twice as much for each round, and is emptied at the end. With `--ssh` the backup comes from a server of ssh on
//! loopback, beside `ssh tar | tar`.
//!
//! Nothing is removed in between: for minutes ext4 passes by each inode that was removed, so that whoever comes after a
//! removal takes twice as long (`recently_deleted` in its profile).

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a measurement that cannot be made is none")]

mod over_ssh;

use jiff::Timestamp;
use mastmaint_restore::{Site, Untold, back, prepare, switch};
use mastmaint_verify::{Request, keep, verify};
use mastmaint_words::restore::{RestoreOrder, Restoring};
use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};
use over_ssh::Server;
use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

const FILES: u64 = 46_000;
const BYTES: u64 = 550 << 20;
/// With this word it is what the server of ssh starts: who sends.
const SENDER: &str = "--sender";

fn main() {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == SENDER) {
        return over_ssh::send(Path::new(&arguments[1]));
    }
    let is_over_ssh = arguments.iter().any(|word| word == "--ssh");
    arguments.retain(|word| word != "--ssh");
    let place = tempfile::tempdir_in(&arguments[0]).unwrap();
    let rounds: u32 = arguments.get(1).map_or(5, |rounds| rounds.parse().unwrap());
    let place = place.path();
    make(&place.join("backup/live"));
    proved(place, &order(place, 0));
    fs::create_dir_all(place.join("home/live/public/system")).unwrap();
    let server = is_over_ssh.then(|| Server::start(place));
    let mut both: Vec<(Duration, Duration)> = Vec::new();
    for round in 0..rounds {
        let mut taken = (Duration::ZERO, Duration::ZERO);
        // One after the other, and each of them first in every other round.
        for turn in 0..2 {
            settle(place);
            if (round + turn) % 2 == 0 {
                taken.0 = by_tar(place, server.as_ref(), &place.join(format!("by-tar/{round}")));
            } else {
                taken.1 = restored(place, server.as_ref(), &order(place, round));
            }
        }
        println!("{:.2} of it", taken.1.as_secs_f64() / taken.0.as_secs_f64());
        both.push(taken);
    }
    let of = |each: fn(&(Duration, Duration)) -> f64| {
        let mut all: Vec<f64> = both.iter().map(each).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    println!(
        "medians of {rounds}: tar {:.2} s, restore with its check {:.2} s, pair by pair {:.2} of it",
        of(|(tar, _)| tar.as_secs_f64()),
        of(|(_, ours)| ours.as_secs_f64()),
        of(|(tar, ours)| ours.as_secs_f64() / tar.as_secs_f64())
    );
}

fn order(place: &Path, round: u32) -> RestoreOrder {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).unwrap().unwrap().name;
    let text = format!(
        r#"{{"run":"20261126T2000{round:02}Z-7k3f9q","name":"files","live":"{0}/home/live","user":"{user}","backup":
        {{"kind":"tree","path":"{0}/backup","live":"live","prove_every":"7d","wait":"2h"}}}}"#,
        place.display()
    );
    serde_json::from_str(&text).unwrap()
}

/// As the post-mortem did it.
fn by_tar(place: &Path, server: Option<&Server>, into: &Path) -> Duration {
    fs::create_dir_all(into).unwrap();
    let mut used_before = Duration::ZERO;
    settled(UsageWho::RUSAGE_CHILDREN, &mut used_before);
    let taken = timed(|| match server {
        Some(server) => server.tar(into),
        None => tar(place, into),
    });
    let used = used(UsageWho::RUSAGE_CHILDREN, &mut used_before);
    println!("tar {:.2} s (of the processor {:.2})", taken.as_secs_f64(), used.as_secs_f64());
    taken
}

/// Copied, checked, switched in, and all of it taken back again.
fn restored(place: &Path, server: Option<&Server>, order: &RestoreOrder) -> Duration {
    let (state, proofs) = (place.join("state"), place.join("verify/proofs"));
    let site = Site { state: &state, proofs: &proofs, group: None, tell: &Untold, reach: &|_| () };
    let mut own = Duration::ZERO;
    settled(UsageWho::RUSAGE_SELF, &mut own);
    let prepared = timed(|| match server {
        Some(server) => server.receive(&site, order),
        None => _ = prepare(&site, order).unwrap(),
    });
    let prepare_used = used(UsageWho::RUSAGE_SELF, &mut own);
    let switched = timed(|| _ = switch(&site, &order.run).unwrap());
    let back = timed(|| _ = back(&site, &order.run).unwrap());
    let plan = fs::read(Restoring::path(&state, &order.run)).unwrap();
    let plan = serde_json::from_slice::<Restoring>(&plan).unwrap().plan;
    println!(
        "{} files, {} MB: prepare with its check {:.2} s (of the processor {:.2}), switch {:.0} ms, back {:.0} ms",
        plan.whole.files,
        plan.whole.bytes >> 20,
        prepared.as_secs_f64(),
        prepare_used.as_secs_f64(),
        switched.as_secs_f64() * 1000.0,
        back.as_secs_f64() * 1000.0,
    );
    prepared
}

/// What was used of the processor since the last look.
fn used(who: UsageWho, last: &mut Duration) -> Duration {
    let before = *last;
    settled(who, last);
    last.saturating_sub(before)
}

fn settled(who: UsageWho, last: &mut Duration) {
    let usage = getrusage(who).unwrap();
    let times = [usage.user_time(), usage.system_time()];
    *last = times.iter().map(|t| Duration::from_micros(u64::try_from(t.num_microseconds()).unwrap())).sum();
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn settle(place: &Path) {
    Command::new("sync").arg("-f").arg(place).status().unwrap();
}

/// What the post-mortem did, and then on the disk, as the restore is.
fn tar(place: &Path, into: &Path) {
    let script = "set -e; tar -C \"$1/backup\" -cpf - live | tar -C \"$2\" -xpf -; sync -f \"$2\"";
    let done = Command::new("sh").args(["-c", script, "sh"]).arg(place).arg(into).status().unwrap();
    assert!(done.success());
}

fn proved(place: &Path, order: &RestoreOrder) {
    let state = place.join("verify");
    let request = Request {
        name: order.name.as_str(),
        backup: &order.backup,
        files: None,
        inside: None,
        proofs: &state.join("proofs"),
        scratch: &state.join("scratch"),
        drills: None,
        boots: None,
        full: true,
        now: Timestamp::now(),
    };
    let mut report = verify(&request, &Untold).unwrap();
    report.findings.clear();
    keep(&report, &order.name, &state).unwrap();
}

/// Files as an instance has them: many small ones, some large, a dozen in each directory.
fn make(live: &Path) {
    let code = "def major\n 4\nend\ndef minor\n 6\nend\n";
    fs::create_dir_all(live.join("lib/mastodon")).unwrap();
    fs::create_dir_all(live.join("public")).unwrap();
    fs::write(live.join("lib/mastodon/version.rb"), code).unwrap();
    let mut content = vec![0_u8; 4 << 20];
    unlike(&mut content);
    let mean = usize::try_from(BYTES / FILES).unwrap();
    for n in 0..FILES {
        let directory = live.join(format!("node_modules/p{}/d{}", n / 144, n / 12));
        if n % 12 == 0 {
            fs::create_dir_all(&directory).unwrap();
        }
        let n = usize::try_from(n).unwrap();
        // One in a hundred holds a third of all bytes.
        let size = if n % 100 == 0 { mean * 33 } else { mean * 2 / 3 * (n % 7 + 1) / 4 };
        fs::write(directory.join(format!("f{n}.js")), &content[n..n + size]).unwrap();
    }
}

/// Bytes that do not repeat, the same each time.
fn unlike(bytes: &mut [u8]) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for byte in bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state.to_le_bytes()[0];
    }
}

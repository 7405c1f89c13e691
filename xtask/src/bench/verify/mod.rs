//! `mastmaint-verify` on seven hard-linked snapshots, beside b3sum over all paths, `rsync -nrcH` and `du -s`: from start
//! to the stored proof, with a cold and a warm page cache. `MASTMAINT_BENCH_PERCENT=5` makes the rotation smaller.

mod rotation;

use super::{
    Row,
    bed::{Bed, program},
    process::{mib, peak},
};
use crate::{
    apt,
    shell::{Result, TaskError, at, command, output, run, say},
};
use nix::unistd::Pid;
use rotation::{SNAPSHOTS, Size};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const PERCENT: &str = "MASTMAINT_BENCH_PERCENT";
const PEERS: &[&str] = &["b3sum", "rsync", "findutils", "util-linux"];
/// What somebody else has in the page cache.
const OF_OTHERS: usize = 64 << 20;

/// One measured program.
struct Figure {
    took: Duration,
    /// KiB.
    peak: u64,
    /// Bytes that came from the disk.
    read: u64,
}

pub(super) fn measure() -> Result<Vec<Row>> {
    apt::install(PEERS)?;
    let percent = std::env::var(PERCENT).ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let root = Bed::place("rotation").join(format!("{percent}"));
    say(&format!("making the rotation, {percent} % of its size"));
    let size = rotation::make(&root, percent)?;
    let bed = Bed::new("verify", "  idle:\n    steps: [{run: /bin/true}]\n")?;
    let config = bed.path("rsnapshot.conf");
    let text = format!(
        "config_version\t1.2\nsnapshot_root\t{}/\ncmd_cp\t/bin/cp\ncmd_rm\t/bin/rm\ncmd_rsync\t/usr/bin/rsync\n\
         retain\tdaily\t{SNAPSHOTS}\nbackup\t/srv/live/\t./\n",
        root.display()
    );
    fs::write(&config, text).map_err(at(&config))?;
    let mut rows = Vec::new();
    for cold in [true, false] {
        let word = if cold { "cold" } else { "warm" };
        let peers = [
            ("b3sum", find(&root, "xargs -0 -r -P 8 -n 500 b3sum --no-names")),
            (
                "rsync -nrcH",
                shell(&format!(
                    "mkdir -p {0} && rsync -nrcH {1}/ {0}/",
                    quoted(&bed.path("none")),
                    quoted(&root)
                )),
            ),
        ];
        let mut said = Vec::new();
        let mut best = Duration::MAX;
        for (name, line) in peers {
            let figure = timed(line, cold)?;
            best = best.min(figure.took);
            said.push(format!("{name} {}", seconds(figure.took)));
        }
        let state = bed.path(&format!("state-{word}"));
        let all = timed(verify(&state, &rsnapshot(&config)), cold)?;
        rows.push(Row {
            what: format!("verify {}, {word}", described(size)),
            goal: if cold {
                "≤ a third of the best peer; peak ≤ 200 MB"
            } else {
                "≤ 0.7 of the best peer"
            },
            figure: format!(
                "{} ({:.2} of the best); peak {}; read {} from the disk; store {} bytes an inode",
                seconds(all.took),
                all.took.as_secs_f64() / best.as_secs_f64(),
                mib(all.peak),
                mib(all.read / 1024),
                store_bytes(&state)? / size.inodes.max(1)
            ),
            peers: said.join(", "),
        });
        let walk = timed(shell(&format!("du -s {}", quoted(&root))), cold)?;
        let none_due = timed(verify(&state, &rsnapshot(&config)), cold)?;
        rows.push(Row {
            what: format!("a night with nothing due, {word}"),
            goal: "≤ du -s",
            figure: format!("{}; read {}", seconds(none_due.took), mib(none_due.read / 1024)),
            peers: format!("du -s {}", seconds(walk.took)),
        });
    }
    rows.push(single(&bed, &root.join("daily.0"))?);
    rows.push(of_others(&bed, &config)?);
    Ok(rows)
}

/// One snapshot alone, where hard links help nobody.
fn single(bed: &Bed, snapshot: &Path) -> Result<Row> {
    let peer = timed(find(snapshot, "xargs -0 -r -P 8 -n 500 b3sum --no-names"), true)?;
    let order = order(&format!("\"kind\":\"tree\",\"path\":{:?}", snapshot.display().to_string()));
    let own = timed(verify(&bed.path("state-single"), &order), true)?;
    Ok(Row {
        what: "a single snapshot, cold".to_owned(),
        goal: "≤ 0.7 of b3sum -P8",
        figure: format!("{} ({:.2})", seconds(own.took), own.took.as_secs_f64() / peer.took.as_secs_f64()),
        peers: format!("b3sum {}", seconds(peer.took)),
    })
}

/// How much of a file of somebody else stays in the page cache.
fn of_others(bed: &Bed, config: &Path) -> Result<Row> {
    let file = bed.path("of-others");
    fs::write(&file, vec![7; OF_OTHERS]).map_err(at(&file))?;
    fs::File::open(&file).and_then(|f| f.sync_all()).map_err(at(&file))?;
    let cached = || -> Result<String> {
        let path = file.display().to_string();
        let said = output(command("fincore", ["--bytes", "--noheadings", "--output", "RES", &path]))?;
        Ok(String::from_utf8_lossy(&said).trim().to_owned())
    };
    let before = cached()?;
    timed(verify(&bed.path("state-others"), &rsnapshot(config)), false)?;
    Ok(Row {
        what: "bytes of others in the page cache, before and after".to_owned(),
        goal: "the same",
        figure: format!("{before}, {}", cached()?),
        peers: String::new(),
    })
}

fn described(size: Size) -> String {
    format!(
        "{} paths, {} inodes, {} directories, {}",
        size.paths,
        size.inodes,
        size.directories,
        mib(size.bytes / 1024)
    )
}

fn order(place: &str) -> String {
    format!(
        "{{\"name\":\"bench\",\"backup\":{{{place},\"budget\":{{}},\"prove_every\":\"7d\",\"wait\":\"1s\"}}}}"
    )
}

fn rsnapshot(config: &Path) -> String {
    order(&format!("\"kind\":\"rsnapshot\",\"config\":{:?}", config.display().to_string()))
}

fn verify(state: &Path, order: &str) -> Command {
    let mut command = Command::new(program("mastmaint-verify"));
    command.arg("--state").arg(state).arg(order);
    command
}

fn find(root: &Path, behind: &str) -> Command {
    shell(&format!("find {} -type f -print0 | {behind}", quoted(root)))
}

fn shell(line: &str) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", line]);
    command
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', "'\\''"))
}

/// Runs it to its end; what it prints is for nobody.
fn timed(mut line: Command, cold: bool) -> Result<Figure> {
    if cold {
        run(apt::as_root("sh", &["-c", "sync; echo 3 >/proc/sys/vm/drop_caches"])?)?;
    }
    line.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
    let described = format!("{line:?}");
    let begin = Instant::now();
    let source = |source| TaskError::Start { command: described.clone(), source };
    let mut child: Child = line.spawn().map_err(source)?;
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default());
    let (mut most, mut read) = (0, 0);
    let status = loop {
        if let Some(status) = child.try_wait().map_err(source)? {
            break status;
        }
        most = most.max(peak(pid));
        read = read_bytes(pid).unwrap_or(read);
        sleep(Duration::from_millis(10));
    };
    // Findings (a level that never ran…) are a good end here: 10 and 11.
    match status.code() {
        Some(0 | 10 | 11) => Ok(Figure { took: begin.elapsed(), peak: most, read }),
        _ => Err(TaskError::Failed { command: described, status: status.to_string() }),
    }
}

fn read_bytes(pid: Pid) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("read_bytes: "))?.parse().ok()
}

fn store_bytes(state: &Path) -> Result<u64> {
    let store: PathBuf = state.join("proofs/bench");
    let entries = fs::read_dir(&store).map_err(at(&store))?;
    Ok(entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|about| about.len()).sum())
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

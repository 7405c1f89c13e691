//! `cargo xtask demo`: the daemon on a stand-in instance until each of its jobs has run once. Needs neither root nor
//! packages, and succeeds only if rows and files really changed and the command that lies was not believed.
#![expect(clippy::print_stdout, reason = "a demo is there to be looked at")]

use mastmaint_tests::{Daemon, Instance, binaries, ctl::Answer, daemon::Place, recordings::Held};
use std::{
    error::Error,
    fs,
    io::{self, Write as _},
    path::Path,
    time::{Duration, Instant},
};

/// `clean-cards` waits for its minute; the others are started by hand.
const JOBS: &str = "  clean-cards:
    description: Remove old preview cards, by schedule
    schedule: \"* * * * *\"
    steps:
      - tootctl: preview_cards remove --days 30
  clean-media:
    description: A tootctl that may not delete four files, says so in passing and exits with 0
    steps:
      - tootctl: media remove --days 14
  find-orphans:
    description: Look for files that no row names; without a database to ask, none is removed
    steps:
      - tootctl: media remove-orphans --dry-run
  say-hello:
    description: A program of the admin
    steps:
      - run: [/bin/echo, hello from a run step]
";

const WEATHER: &str = "speed: 4\nweather:\n  media remove --days: media-remove-permission-some\n";

/// Runs the demo; an error says what did not come out as it should.
pub(crate) fn run() -> Result<(), Box<dyn Error>> {
    say("building");
    let scratch = binaries::dir().parent().unwrap_or(Path::new("target")).join("demo");
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    fs::create_dir_all(&scratch)?;
    let place = Place::in_dir(&scratch, JOBS)?;
    place.instance.weather(WEATHER)?;
    place.instance.add_orphans()?;
    let before = place.instance.held()?;
    say(&format!("a stand-in instance in {}", place.instance.live().display()));
    show_held(before);

    say(&format!("mastmaintd {}", place.arguments().join(" ")));
    let daemon = place.start()?;
    let mut log = Log::default();
    for job in ["clean-media", "find-orphans", "say-hello"] {
        daemon.ctl(&["run", job]);
    }
    let end = Instant::now() + Duration::from_secs(85);
    let jobs = ["clean-cards", "clean-media", "find-orphans", "say-hello"];
    while !jobs.iter().all(|j| has_run(&daemon, j)) {
        if Instant::now() > end {
            return Err("not every job has run after 85 seconds".into());
        }
        std::thread::sleep(Duration::from_millis(300));
        log.follow(&daemon)?;
    }
    for args in [&["jobs"][..], &["history"], &["show", "clean-media"]] {
        say(&format!("mastmaintctl {}", args.join(" ")));
        print(&daemon.ctl(args));
    }
    let outcomes = jobs.map(|j| (j, outcome(&daemon, j)));
    let lied = daemon.ended("clean-media")["steps"][0]["exit"].clone();
    daemon.stop()?;
    log.finish(&place)?;
    say("afterwards");
    let after = place.instance.held()?;
    show_held(after);
    judge(&place.instance, before, after, &outcomes, &lied)
}

fn judge(
    instance: &Instance,
    before: Held,
    after: Held,
    outcomes: &[(&str, String)],
    lied: &serde_json::Value,
) -> Result<(), Box<dyn Error>> {
    for (job, outcome) in outcomes {
        let wanted = if *job == "clean-media" { "partial" } else { "ok" };
        if outcome != wanted {
            return Err(format!("{job} was called {outcome}, it should be {wanted}").into());
        }
    }
    if *lied != 0 {
        return Err(format!("clean-media should have exited with 0, not with {lied}").into());
    }
    let (Some(had), Some(has)) = (before.rows, after.rows) else { return Err("the rows are gone".into()) };
    if (had.media, had.cards, has.media, has.cards) != (15, 15, 4, 0) {
        return Err(format!("rows did not change as they should: {has:?}").into());
    }
    if after.files >= before.files || after.bytes >= before.bytes {
        return Err(format!("files did not go: {after:?} in {}", instance.live().display()).into());
    }
    say("clean-media exited with 0 and was called partial; rows and files really changed");
    Ok(())
}

fn has_run(daemon: &Daemon, job: &str) -> bool {
    daemon.newest(job).is_some_and(|r| r["state"] == "ended")
}

fn outcome(daemon: &Daemon, job: &str) -> String {
    // Of the earliest run: the scheduled job may be at its next one already, with nothing left to do.
    let history = daemon.ctl(&["history", job, "--json"]).json();
    let first = history["runs"].as_array().and_then(|r| r.last()).cloned().unwrap_or_default();
    first["outcome"].as_str().unwrap_or("nothing yet").to_owned()
}

fn show_held(held: Held) {
    if let Some(rows) = held.rows {
        println!(
            "{} cached media, {} card images; {} files, {} bytes under public/system",
            rows.media, rows.cards, held.files, held.bytes
        );
    }
}

fn say(what: &str) {
    println!("\n==> {what}");
}

fn print(answer: &Answer) {
    print!("{}{}", answer.stdout, answer.stderr);
}

/// The daemon's log, shown as it grows.
#[derive(Default)]
struct Log {
    shown: usize,
}

impl Log {
    fn follow(&mut self, daemon: &Daemon) -> io::Result<()> {
        self.show(&daemon.log())
    }

    fn finish(&mut self, place: &Place) -> io::Result<()> {
        self.show(&fs::read_to_string(place.path("daemon.log"))?)
    }

    fn show(&mut self, log: &str) -> io::Result<()> {
        let new = log.get(self.shown..).unwrap_or_default();
        self.shown = log.len();
        io::stdout().write_all(new.as_bytes())
    }
}

//! The kill matrix: at each write and each effect of a bracket, in the daemon, in the rooms and in mastmaintd-recover,
//! the process that does it is killed by SIGKILL. Afterwards everything is up, and each run has ended once.
//!
//! The gate takes a sample, `--long` the whole. The programs with failpoints are put in place of the packaged ones.

use crate::{
    answering::{ail, all_are, answering, open_brackets, states},
    host::{ctl, from_env},
    image::Debian,
    machine::Machine,
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// On the disk: a power cut leaves it.
pub(super) const ARMED: &str = "/var/lib/mastmaint-failpoints";
/// What the run room writes at each execution of the step.
const DONE: &str = "/var/lib/mastmaintd-run/done";
/// Of each release, in the gate and with `--long`.
const SAMPLE: usize = 8;
const ALL: usize = 110;

/// Reached only if a service does not come back.
const NOT_CONFIRMED: &str = "close.not-confirmed";

/// How a run comes to the failpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By itself.
    Run,
    /// The daemon is killed while the services are stopped, and the next one goes on.
    Adopt,
    /// The daemon is stopped while the services are, and mastmaintd-recover starts them.
    Recover,
}

/// A place to die at.
#[derive(Debug, Clone, Copy)]
struct Place {
    point: &'static str,
    way: Way,
    /// The highest number of times that it is passed by before.
    passes: u32,
    /// Whether services are stopped by then, or will be, whatever the kill does.
    after_stop: bool,
}

const fn place(point: &'static str, way: Way, passes: u32, after_stop: bool) -> Place {
    Place { point, way, passes, after_stop }
}

/// Every failpoint, by every way that leads to it.
const PLACES: [Place; 32] = [
    // The rooms: the step's own state, and the bracket.
    place("step.before-begin", Way::Run, 2, false),
    place("step.begun", Way::Run, 2, false),
    place("step.before-outcome", Way::Run, 2, true),
    place("step.outcome", Way::Run, 2, true),
    place("open.before-record", Way::Run, 0, false),
    place("open.recorded", Way::Run, 0, false),
    place("open.stopped", Way::Run, 0, true),
    place("open.noted", Way::Run, 0, true),
    place("start.begun", Way::Run, 0, true),
    place("close.begun", Way::Run, 0, true),
    place("close.started", Way::Run, 3, true),
    place("close.noted", Way::Run, 0, true),
    place("close.confirmed", Way::Run, 0, true),
    place("close.put-away", Way::Run, 0, true),
    place(NOT_CONFIRMED, Way::Run, 0, true),
    // The daemon.
    place("run.step-recorded", Way::Run, 2, false),
    place("run.before-step-end", Way::Run, 2, true),
    place("run.step-end-recorded", Way::Run, 2, true),
    place("run.before-end", Way::Run, 0, true),
    // Adoption: the next daemon dies as well, or the room that it asks.
    place("adopt.before-resume", Way::Adopt, 0, true),
    place("adopt.resumed", Way::Adopt, 0, true),
    place("resume.before-note", Way::Adopt, 0, true),
    place("resume.noted", Way::Adopt, 0, true),
    place("run.step-end-recorded", Way::Adopt, 1, true),
    place("close.started", Way::Adopt, 3, true),
    // mastmaintd-recover.
    place("recover.decided", Way::Recover, 0, true),
    place("close.begun", Way::Recover, 0, true),
    place("close.started", Way::Recover, 3, true),
    place("close.noted", Way::Recover, 0, true),
    place("close.confirmed", Way::Recover, 0, true),
    place("close.put-away", Way::Recover, 0, true),
    place("recover.told", Way::Recover, 0, true),
];

const JOBS: &str = "  bracketed:
    with_services_stopped: true
    steps:
      - run: [/bin/sh, -c, 'echo done >> /var/lib/mastmaintd-run/done; sleep 0.2']
  long:
    with_services_stopped: true
    steps:
      - run: [/bin/sh, -c, 'echo done >> /var/lib/mastmaintd-run/done; sleep 2']
      - run: [/bin/true]
";

pub(crate) fn every_kill_in_a_bracket_ends_with_everything_up(debian: Debian) {
    let machine = answering(debian, JOBS, "");
    put_deadly_programs_in_place(&machine);
    let long = std::env::var_os("MASTMAINT_LONG_TESTS").is_some();
    let mut dice = Dice::new();
    let kills = plan(&mut dice, if long { ALL } else { SAMPLE });
    let begin = Instant::now();
    let mut hits: BTreeMap<&str, usize> = BTreeMap::new();
    let mut seen_stopped = 0;
    for (number, (place, passes)) in kills.iter().enumerate() {
        eprintln!("{} kill {}: {place:?} after {passes}", debian.suite(), number + 1);
        seen_stopped += usize::from(kill_once(&machine, *place, *passes));
        *hits.entry(place.point).or_default() += 1;
    }
    // What died died of it: systemd saw as many ends by SIGKILL, and those of the daemon that we killed ourselves.
    let ours = kills.iter().filter(|(place, _)| place.way == Way::Adopt).count();
    let killed =
        machine.journal("MESSAGE_ID=98e322203f7a4ed290d09fe03c09fe15 EXIT_CODE=killed EXIT_STATUS=9").len();
    assert!(killed >= kills.len() + ours, "{killed} of {} died by SIGKILL", kills.len() + ours);
    let points: BTreeSet<&str> = PLACES.iter().map(|place| place.point).collect();
    assert!(!long || hits.len() == points.len(), "a failpoint was never hit: {hits:?}");
    eprintln!(
        "{}: {} kills at {} failpoints in {} s, services seen stopped in {seen_stopped}; {hits:?}",
        debian.suite(),
        kills.len() + ours,
        hits.len(),
        begin.elapsed().as_secs()
    );
}

/// Every place once in an order of its own, then again until there are enough; a sample takes the first few.
fn plan(dice: &mut Dice, count: usize) -> Vec<(Place, u32)> {
    let mut kills = Vec::new();
    while kills.len() < count {
        // All kills at one place, for whoever looks for what one of them breaks.
        let only = std::env::var("MASTMAINT_FAILPOINT").ok();
        let is_wanted = |place: &Place| only.as_deref().is_none_or(|only| only == place.point);
        let mut round: Vec<Place> = PLACES.into_iter().filter(is_wanted).collect();
        assert!(!round.is_empty(), "there is no failpoint {only:?}");
        while !round.is_empty() {
            let place = round.swap_remove(dice.below(round.len()));
            let passes = dice.below(place.passes as usize + 1);
            kills.push((place, u32::try_from(passes).unwrap()));
        }
    }
    kills.truncate(count);
    kills
}

/// One run with one kill; whether services were seen stopped.
fn kill_once(machine: &Machine, place: Place, passes: u32) -> bool {
    let before = machine.property("mastodon-web", "InvocationID");
    let (runs, done) = (history(machine).len(), executions(machine));
    machine.sh(&format!("rm -f {ARMED}/hit/*")).ok();
    let job = if place.way == Way::Run { "bracketed" } else { "long" };
    // The other ways arm it only where they begin: some of these places are passed before, too.
    if place.way == Way::Run {
        arm(machine, place.point, passes);
    }
    let ill = place.point == NOT_CONFIRMED;
    if ill {
        ail(machine, "web", "crash");
    }
    ctl(machine, &format!("run {job}")).ok();
    if place.way != Way::Run {
        machine.until("the step runs", Duration::from_mins(1), |m| (executions(m) > done).then_some(()));
        assert_eq!(states(machine), ["inactive"; 4], "{place:?}");
        arm(machine, place.point, passes);
        let how = if place.way == Way::Adopt {
            "kill -KILL $(systemctl show -P MainPID mastmaintd)"
        } else {
            "systemctl stop mastmaintd"
        };
        machine.sh(how).ok();
    }
    await_hit(machine, place.point);
    if ill {
        ail(machine, "web", "");
    }
    if place.way == Way::Recover {
        all_are(machine, "active");
        machine.sh("systemctl start mastmaintd").ok();
    }
    machine.until(&format!("the run is over after {place:?}"), Duration::from_mins(3), |m| {
        let runs_now = history(m);
        (runs_now.len() == runs + 1 && runs_now.iter().all(|run| run["state"] == "ended")).then_some(())
    });
    machine.until("the bracket is closed", Duration::from_mins(3), |m| {
        open_brackets(m).is_empty().then_some(())
    });
    assert_eq!(states(machine), ["active"; 4], "services left stopped after {place:?}");
    assert_eq!(history(machine).len(), runs + 1, "a run lost or doubled after {place:?}");
    assert!(executions(machine) <= done + 1, "a step ran twice after {place:?}");
    // The host has been up all the while, so a step that no room has heard of is begun.
    assert!(
        place.point != "run.step-recorded" || executions(machine) == done + 1,
        "not begun after {place:?}"
    );
    let was_stopped = machine.property("mastodon-web", "InvocationID") != before;
    assert!(was_stopped || !place.after_stop, "the services were not stopped at all: {place:?}");
    was_stopped
}

/// Whoever comes by may count down in it.
pub(super) fn arm(machine: &Machine, point: &str, passes: u32) {
    machine
        .sh(&format!("cd {ARMED} && echo {passes} > hit/new && chmod 666 hit/new && mv hit/new {point}"))
        .ok();
}

/// Waits until somebody has died there.
#[track_caller]
pub(super) fn await_hit(machine: &Machine, point: &str) {
    machine.until(&format!("{point} is hit"), Duration::from_mins(2), |m| {
        (m.sh(&format!("test -e {ARMED}/hit/{point}")).status == 0).then_some(())
    });
    machine.sh(&format!("rm {ARMED}/hit/{point}")).ok();
}

pub(super) fn history(machine: &Machine) -> Vec<Value> {
    let listing = machine.until("the daemon answers", Duration::from_mins(1), |m| {
        let done = ctl(m, "history --number 1000 --json");
        if done.status == 0 { serde_json::from_str::<Value>(&done.out).ok() } else { None }
    });
    listing["runs"].as_array().cloned().unwrap_or_default()
}

/// How often the step of a run was executed.
fn executions(machine: &Machine) -> usize {
    machine.sh(&format!("cat {DONE} 2>/dev/null || true")).out.lines().count()
}

/// The same programs with failpoints; the daemon is started again at once and a person's patience is not waited for.
pub(super) fn put_deadly_programs_in_place(machine: &Machine) {
    machine.sh("systemctl stop mastmaintd mastmaintd-recover").ok();
    for (program, folder) in [
        ("mastmaintd", "/usr/bin"),
        ("mastmaint-runner", "/usr/lib/mastmaintd"),
        ("mastmaintd-recover", "/usr/lib/mastmaintd"),
        ("mastmaint-restore", "/usr/lib/mastmaintd"),
        ("mastmaint-database", "/usr/lib/mastmaintd"),
    ] {
        let at = format!("{folder}/{program}");
        machine.sh(&format!("rm {at}")).ok();
        machine.put(&from_env("MASTMAINT_DEADLY").join(program), &at);
        machine.sh(&format!("chmod 755 {at}")).ok();
    }
    // By a prefix for every room; the daemon's own unit has no part of its name in common with them.
    for (unit, more) in [("mastmaintd-", ""), ("mastmaintd", "RestartSec=100ms\n")] {
        machine.write(
            &format!("/etc/systemd/system/{unit}.service.d/90-deadly.conf"),
            &format!("[Service]\nReadWritePaths=-{ARMED}\n{more}"),
        );
    }
    machine
        .sh(&format!(
            "mkdir -p {ARMED}/hit && chmod 777 {ARMED} {ARMED}/hit && systemctl daemon-reload && \
             systemctl start mastmaintd"
        ))
        .ok();
}

/// Random numbers from a seed that is said, so that a sample can be had again.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new() -> Self {
        let given = std::env::var("MASTMAINT_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs());
        let seed = given.unwrap_or_else(now);
        eprintln!("MASTMAINT_SEED={seed}");
        // Seeds that are next to each other must not give the same order.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// xorshift64*: which place is next needs no better.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(drawn).unwrap_or(0) % limit
    }
}

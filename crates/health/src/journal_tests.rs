use super::*;
use crate::MessageId;
use std::{collections::BTreeMap, os::unix::net::UnixDatagram, process::Command, sync::mpsc, time::Instant};
use tracing_subscriber::layer::SubscriberExt;

const SOCKET: &str = "/run/systemd/journal/socket";
/// Set in the process that has a `/run` of its own.
const INSIDE: &str = "MASTMAINT_TEST_OWN_RUN";

/// `tracing-journald` knows one fixed path. So such a test runs once more, alone, in a mount namespace where `/run`
/// is empty; says whether this is that run.
fn with_own_run(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let script = "mount -t tmpfs none /run && exec \"$0\" --exact \"$1\" --nocapture";
    let ran = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .arg(format!("journal::tests::{test}"))
        .env(INSIDE, "1")
        .output()
        .expect("unshare (util-linux) is needed");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(
        ran.status.success() && said.contains("1 passed"),
        "in its own namespace (user namespaces must be allowed): {said}{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    false
}

fn journald() -> UnixDatagram {
    std::fs::create_dir_all("/run/systemd/journal").unwrap();
    let socket = UnixDatagram::bind(SOCKET).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

/// The fields of the next entry, by the journal's native protocol.
fn next(socket: &UnixDatagram) -> BTreeMap<String, String> {
    let mut buffer = vec![0; 256 * 1024];
    let mut length = 0;
    // The first datagram is empty: it asks whether anybody listens.
    while length == 0 {
        length = socket.recv(&mut buffer).unwrap();
    }
    let mut fields = BTreeMap::new();
    let mut rest = &buffer[..length];
    while !rest.is_empty() {
        let end = rest.iter().position(|b| *b == b'\n').unwrap();
        let name = String::from_utf8(rest[..end].to_vec()).unwrap();
        let (name, value) = if let Some((name, value)) = name.split_once('=') {
            rest = &rest[end + 1..];
            (name.to_owned(), value.to_owned())
        } else {
            let size =
                usize::try_from(u64::from_le_bytes(rest[end + 1..end + 9].try_into().unwrap())).unwrap();
            let value = String::from_utf8(rest[end + 9..end + 9 + size].to_vec()).unwrap();
            rest = &rest[end + 10 + size..];
            (name, value)
        };
        assert_eq!(fields.insert(name.clone(), value), None, "{name} twice");
    }
    fields
}

fn config() -> JournalConfig {
    JournalConfig { identifier: "mastmaintd".to_owned(), level: Level::Debug, zone: TimeZone::UTC }
}

#[test]
fn journald_gets_the_fields_that_the_design_names() {
    if !with_own_run("journald_gets_the_fields_that_the_design_names") {
        return;
    }
    let socket = journald();
    let journal = Journal::start_on(&config(), Output::Journal).unwrap();
    assert_eq!(journal.output(), Output::Journal);
    let run = "20261123T003000Z-7k3f9q".parse().unwrap();
    journal.log(
        Entry::error("clean-media failed\nbadly")
            .id(MessageId::RunEndedFailed)
            .job(&"clean-media".parse().unwrap())
            .run(&run)
            .step(mastmaint_words::StepIndex(0))
            .outcome(mastmaint_words::Outcome::TimedOut)
            .grade(mastmaint_words::Grade::Read)
            .trigger(&mastmaint_words::Trigger::Manual { uid: 0, despite_hold: false })
            .stream(crate::Stream::Stderr)
            .duration(Duration::from_micros(1_500_001))
            .items(Some(12))
            .bytes(Some(u64::MAX)),
    );
    let mut fields = next(&socket);
    for at_home in ["CODE_FILE", "CODE_LINE", "TARGET"] {
        assert!(fields.remove(at_home).is_some(), "{at_home}");
    }
    let expected = [
        ("MESSAGE", "clean-media failed\nbadly"),
        ("MESSAGE_ID", MessageId::RunEndedFailed.as_str()),
        ("PRIORITY", "3"),
        ("SYSLOG_IDENTIFIER", "mastmaintd"),
        ("MASTMAINT_JOB", "clean-media"),
        ("MASTMAINT_RUN", "20261123T003000Z-7k3f9q"),
        ("MASTMAINT_STEP", "1"),
        ("MASTMAINT_OUTCOME", "timed-out"),
        ("MASTMAINT_GRADE", "read"),
        ("MASTMAINT_TRIGGER", "manual"),
        ("MASTMAINT_STREAM", "stderr"),
        ("MASTMAINT_DURATION_USEC", "1500001"),
        ("MASTMAINT_ITEMS", "12"),
        ("MASTMAINT_BYTES", "18446744073709551615"),
    ];
    assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());

    // What is not known is not there, and each level has the priority that journalctl colours by.
    for (level, priority) in [
        (Level::Error, "3"),
        (Level::Warning, "4"),
        (Level::Notice, "5"),
        (Level::Info, "6"),
        (Level::Debug, "7"),
    ] {
        journal.log(Entry::new(level, "x"));
        let fields = next(&socket);
        assert_eq!(fields["PRIORITY"], priority);
        assert!(
            !fields.keys().any(|name| name.starts_with("MASTMAINT") || name == "MESSAGE_ID"),
            "{fields:?}"
        );
    }

    // Libraries are heard through the queue, by the global subscriber, and do not disturb what is our own.
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(journal.layer())).unwrap();
    tracing::warn!(target: "somebody", "odd");
    let fields = next(&socket);
    assert_eq!((fields["MESSAGE"].as_str(), fields["PRIORITY"].as_str()), ("somebody: odd", "4"));
    journal.log(Entry::notice("still here"));
    assert_eq!(next(&socket)["PRIORITY"], "5");
    assert!(journal.flush(Duration::from_secs(5)));
    assert_eq!(journal.lost(), 0);
}

#[test]
fn a_journald_that_stands_still_delays_nobody() {
    if !with_own_run("a_journald_that_stands_still_delays_nobody") {
        return;
    }
    let socket = journald();
    let journal = Journal::start_on(&config(), Output::Journal).unwrap();
    let began = Instant::now();
    for number in 0..20_000 {
        journal.log(Entry::info(number.to_string()));
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(!journal.flush(Duration::from_millis(50)), "nobody reads: it cannot be written");
    let lost = journal.lost();
    assert!(lost > 10_000, "{lost}");

    // It wakes up: everything that was kept arrives in order, and so do the counts of what is missing, each in its
    // place: there are several when the writer made room in between.
    let (mut numbers, mut missing) = (Vec::new(), 0);
    while missing < lost {
        let fields = next(&socket);
        if let Ok(number) = fields["MESSAGE"].parse::<u64>() {
            numbers.push(number);
        } else {
            assert_eq!(fields["MESSAGE_ID"], MessageId::JournalLost.as_str());
            missing += fields["MESSAGE"].split_once(' ').unwrap().0.parse::<u64>().unwrap();
        }
    }
    assert_eq!(missing, lost);
    assert!(numbers.is_sorted());
    assert_eq!(numbers.len() as u64 + lost, 20_000);
    assert!(journal.flush(Duration::from_secs(5)));
}

#[test]
fn without_journald_the_log_goes_to_standard_error() {
    if !with_own_run("without_journald_the_log_goes_to_standard_error") {
        return;
    }
    let journal = Journal::start_on(&config(), Output::Journal).unwrap();
    assert_eq!(journal.output(), Output::Plain);
    assert!(journal.flush(Duration::from_secs(5)));
}

/// Hands entries over to the test.
struct Handed(mpsc::Sender<Entry>);

impl Sink for Handed {
    fn write(&mut self, entry: &Entry) {
        self.0.send(entry.clone()).unwrap();
    }
}

#[test]
fn libraries_are_heard_and_the_scheduler_crate_only_about_errors() {
    let (sender, entries) = mpsc::channel();
    let journal = Journal::with_sink(Level::Info, Output::Plain, Box::new(Handed(sender))).unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(journal.layer()), || {
        tracing::warn!(target: "tokio_cron_scheduler::job", "everyday");
        tracing::debug!(target: "somebody", "small talk");
        tracing::warn!(target: "somebody", number = 3, "odd");
        tracing::error!(target: "tokio_cron_scheduler::job", "broken");
    });
    assert!(journal.flush(Duration::from_secs(5)));
    let heard: Vec<_> = entries.try_iter().map(|entry| (entry.level, entry.message)).collect();
    assert_eq!(
        heard,
        [
            (Level::Warning, "somebody: odd number=3".to_owned()),
            (Level::Error, "tokio_cron_scheduler::job: broken".to_owned()),
        ]
    );
}

#[test]
fn what_matters_less_than_asked_for_is_not_written() {
    let (sender, entries) = mpsc::channel();
    let journal = Journal::with_sink(Level::Notice, Output::Plain, Box::new(Handed(sender))).unwrap();
    journal.log(Entry::info("no"));
    journal.log(Entry::notice("yes"));
    assert!(journal.flush(Duration::from_secs(5)));
    assert_eq!(entries.try_iter().map(|entry| entry.message).collect::<Vec<_>>(), ["yes"]);
}

#[test]
fn the_journal_comes_before_the_terminal_and_colours_can_be_refused() {
    assert_eq!(Output::choose(true, true, false), Output::Journal);
    assert_eq!(Output::choose(false, true, false), Output::Terminal { colour: true });
    assert_eq!(Output::choose(false, true, true), Output::Terminal { colour: false });
    assert_eq!(Output::choose(false, false, false), Output::Plain);
}

//! Incidents are kept as they stand, found by probe, and forgotten like runs.

use crate::common::{at, open};
use mastmaint_ledger::{Incident, Ledger};
use mastmaint_words::Span;

fn incident(probe: &str, opened: i64, closed: Option<i64>) -> Incident {
    Incident {
        probe: probe.parse().unwrap(),
        opened: at(opened),
        known: at(opened + 120),
        closed: closed.map(at),
        why: "/about answers 500".to_owned(),
        ended: None,
    }
}

fn names(ledger: &Ledger) -> Vec<(String, bool)> {
    let incidents = ledger.incidents(10).unwrap();
    incidents.into_iter().map(|one| (one.probe.to_string(), one.closed.is_some())).collect()
}

#[test]
fn an_incident_is_closed_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = open(dir.path());
    ledger.put_incident(&incident("web", 1000, None)).unwrap();
    ledger.put_incident(&incident("api", 2000, None)).unwrap();
    let mut closed = incident("web", 1000, Some(1300));
    closed.ended = Some("taken out of the configuration".to_owned());
    ledger.put_incident(&closed).unwrap();
    assert_eq!(names(&ledger), [("api".to_owned(), false), ("web".to_owned(), true)]);
    ledger.put_incident(&incident("web", 5000, None)).unwrap();
    drop(ledger);
    let ledger = open(dir.path());
    let newest = ledger.newest_incidents().unwrap();
    let newest: Vec<_> = newest.iter().map(|one| (one.probe.as_str(), one.opened)).collect();
    assert_eq!(newest, [("api", at(2000)), ("web", at(5000))]);
    assert!(ledger.incidents(10).unwrap().contains(&closed));
    assert_eq!(ledger.incidents(1).unwrap(), [incident("web", 5000, None)]);
}

#[test]
fn what_is_over_is_forgotten_and_what_is_open_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let mut ledger = open(dir.path());
    for one in [incident("web", 1000, Some(1300)), incident("api", 1000, None)] {
        ledger.put_incident(&one).unwrap();
    }
    let day = Span::from_secs(86_400);
    ledger.forget_old(at(1000 + 3 * 86_400), day, day).unwrap();
    assert_eq!(names(&ledger), [("api".to_owned(), false)]);
}

//! A copy takes as much room as the instance: one of a job that nobody switches in goes when that job makes the next one.
//! What was made for a person stays until a person removes it.

use crate::common::{Host, site};
use mastmaint_restore::{Did, RestoreError, prepare, switch};
use mastmaint_words::restore::{Phase, RestoreOrder, Restoring};
use std::fs;

/// Copies of two runs of these jobs, one after the other; gives the second order.
fn twice(host: &Host, jobs: [Option<&str>; 2]) -> RestoreOrder {
    let [first, second] = jobs.map(|job| job.map(|name| name.parse().unwrap()));
    let (state, proofs) = (host.path("state"), host.path("verify/proofs"));
    let site = site(&state, &proofs);
    prepare(&site, &RestoreOrder { job: first, ..host.order.clone() }).unwrap();
    let run = "20261127T200000Z-7k3f9q".parse().unwrap();
    let again = RestoreOrder { run, job: second, ..host.order.clone() };
    assert_eq!(prepare(&site, &again).unwrap(), Did::Done);
    again
}

fn copies(host: &Host) -> usize {
    fs::read_dir(host.live("").with_file_name(Restoring::BESIDE)).unwrap().count()
}

#[test]
fn of_a_job_only_the_last_copy_is_kept() {
    let host = Host::new();
    let again = twice(&host, [Some("weekly"), Some("weekly")]);
    assert_eq!((host.journal().phase, copies(&host)), (Phase::Pruned, 1));
    assert!(
        matches!(host.asked(switch), Err(RestoreError::NotNow { .. })),
        "nothing is there to be switched in"
    );
    let (state, proofs) = (host.path("state"), host.path("verify/proofs"));
    assert_eq!(switch(&site(&state, &proofs), &again).unwrap(), Did::Done);
}

#[test]
fn what_was_made_for_a_person_stays_until_a_person_removes_it() {
    for jobs in
        [[None, Some("weekly")], [None, None], [Some("weekly"), None], [Some("other"), Some("weekly")]]
    {
        let host = Host::new();
        twice(&host, jobs);
        assert_eq!((host.journal().phase, copies(&host)), (Phase::Prepared, 2), "{jobs:?}");
        assert_eq!(host.asked(switch).unwrap(), Did::Done);
    }
}

//! A copy takes as much room as the instance: one that nobody switches in goes when the next one is made.

use crate::common::{Host, site};
use mastmaint_restore::{Did, RestoreError, prepare, switch};
use mastmaint_words::restore::{Phase, RestoreOrder, Restoring};
use std::fs;

#[test]
fn only_the_last_copy_is_kept() {
    let host = Host::new();
    host.asked(prepare).unwrap();
    let order = RestoreOrder { run: "20261127T200000Z-7k3f9q".parse().unwrap(), ..host.order.clone() };
    let (state, proofs) = (host.path("state"), host.path("verify/proofs"));
    let again = site(&state, &proofs);
    assert_eq!(prepare(&again, &order).unwrap(), Did::Done);
    assert_eq!(host.journal().phase, Phase::Pruned);
    assert!(
        matches!(host.asked(switch), Err(RestoreError::NotNow { .. })),
        "nothing is there to be switched in"
    );
    let beside = host.live("").with_file_name(Restoring::BESIDE);
    let copies: Vec<_> = fs::read_dir(beside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(copies, [order.run.as_str()]);
    assert_eq!(switch(&again, &order).unwrap(), Did::Done);
}

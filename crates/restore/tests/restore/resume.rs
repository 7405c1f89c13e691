//! What was cut in the middle is owed, and finished by whoever is about to start Mastodon.

use crate::{
    common::{Host, site},
    kills::{BACK, SWITCH, killed, old_is_live, restored_is_live},
};
use mastmaint_restore::{Did, prepare, resume, switch};
use mastmaint_words::restore::Restoring;
use std::fs;

fn owed(host: &Host) -> usize {
    fs::read_dir(Restoring::switching(&host.path("state"))).map_or(0, Iterator::count)
}

fn resumed(host: &Host) -> Result<Did, mastmaint_restore::RestoreError> {
    resume(&site(&host.path("state"), &host.path("verify/proofs")))
}

#[test]
fn a_switch_that_was_cut_is_finished() {
    for point in SWITCH {
        let host = Host::new();
        host.asked(prepare).unwrap();
        assert_eq!(owed(&host), 0);
        killed(&host, "switch", point);
        assert_eq!(owed(&host), 1, "{point}");
        assert_eq!(resumed(&host).unwrap(), Did::Done, "{point}");
        restored_is_live(&host, point);
        assert_eq!(owed(&host), 0, "{point}");
        assert_eq!(resumed(&host).unwrap(), Did::Nothing, "{point}");
    }
}

#[test]
fn a_way_back_that_was_cut_is_gone_to_its_end() {
    for point in BACK {
        let host = Host::new();
        host.asked(prepare).unwrap();
        host.asked(switch).unwrap();
        killed(&host, "back", point);
        assert_eq!(resumed(&host).unwrap(), Did::Done, "{point}");
        old_is_live(&host, point);
        assert_eq!(owed(&host), 0, "{point}");
    }
}

#[test]
fn where_it_cannot_go_on_it_goes_back_and_where_neither_is_possible_it_stays_owed() {
    let host = Host::new();
    host.asked(prepare).unwrap();
    killed(&host, "switch", "switch.uploads");
    // The name that today's tree would get is taken.
    fs::create_dir(host.beside("before")).unwrap();
    assert_eq!(resumed(&host).unwrap(), Did::Done);
    fs::remove_dir(host.beside("before")).unwrap();
    old_is_live(&host, "the name is taken");
    assert_eq!(owed(&host), 0);

    let host = Host::new();
    host.asked(prepare).unwrap();
    killed(&host, "switch", "switch.uploads");
    let live = host.live("");
    let aside = live.with_file_name("aside");
    fs::rename(&live, &aside).unwrap();
    fs::create_dir(&live).unwrap();
    resumed(&host).unwrap_err();
    assert_eq!(owed(&host), 1, "nobody may start Mastodon");
    fs::remove_dir(&live).unwrap();
    fs::rename(&aside, &live).unwrap();
    resumed(&host).unwrap();
    assert_eq!(owed(&host), 0);
}

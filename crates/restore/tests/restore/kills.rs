//! Killed by SIGKILL at every step of the switch and of the way back, and asked again: afterwards there is one whole
//! live, and nothing of today's uploads is lost.

use crate::common::{Host, Verb, read};
use mastmaint_restore::{Did, Site, back, prepare, switch, tidy};
use mastmaint_words::restore::{Phase, RestoreOrder};
use std::{os::unix::process::ExitStatusExt as _, path::PathBuf, process::Command};

pub(crate) const SWITCH: [&str; 10] = [
    "switch.before-environment",
    "switch.environment",
    "switch.before-uploads",
    "switch.uploads",
    "switch.before-exchange",
    "switch.exchanged",
    "switch.before-keep",
    "switch.kept",
    "switch.before-missing",
    "switch.missing",
];
pub(crate) const BACK: [&str; 8] = [
    "back.before-environment",
    "back.environment",
    "back.before-uploads",
    "back.uploads",
    "back.before-exchange",
    "back.exchanged",
    "back.before-put-away",
    "back.put-away",
];

/// Runs a verb in a process of its own that dies at this point.
pub(crate) fn killed(host: &Host, verb: &str, point: &str) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kills::child", "--ignored"])
        .env("RESTORE_VERB", verb)
        .env("RESTORE_POINT", point)
        .env("RESTORE_PLACE", host.place.path())
        .env("RESTORE_ORDER", serde_json::to_string(&host.order).unwrap())
        .output()
        .unwrap()
        .status;
    assert_eq!(status.signal(), Some(9), "{point} was not reached");
}

#[test]
#[ignore = "the process that is killed by the others"]
fn child() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let (point, place) = (variable("RESTORE_POINT"), PathBuf::from(variable("RESTORE_PLACE")));
    let order: RestoreOrder = serde_json::from_str(&variable("RESTORE_ORDER")).unwrap();
    let reach = |reached: &'static str| {
        if reached == point {
            nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL).unwrap();
        }
    };
    let (state, proofs) = (place.join("state"), place.join("verify/proofs"));
    let deadly = Deadly(point.parse().unwrap_or_default(), std::sync::atomic::AtomicU64::new(0));
    let site = Site { state: &state, proofs: &proofs, group: None, tell: &deadly, reach: &reach };
    let verb: Verb = match variable("RESTORE_VERB").as_str() {
        "prepare" => prepare,
        "switch" => switch,
        _ => back,
    };
    verb(&site, &order).unwrap();
}

/// What must be there whichever tree is live.
fn uploads_are_whole(host: &Host, point: &str) {
    for (path, text) in
        [("files/001/original/both.png", "today"), ("files/002/original/new.png", "new today")]
    {
        let path = host.live("public/system/media_attachments").join(path);
        assert_eq!(read(path), text, "{point}");
    }
    assert!(read(host.live(".env.production")).contains("SECRET_KEY_BASE=now"), "{point}");
}

pub(crate) fn restored_is_live(host: &Host, point: &str) {
    assert_eq!(host.journal().phase, Phase::Switched, "{point}");
    assert_eq!(read(host.live("app/models/account.rb")), "class Account; end\n", "{point}");
    assert_eq!(
        read(host.live("public/system/media_attachments/files/001/original/gone.png")),
        "gone today",
        "{point}"
    );
    assert_eq!(read(host.beside("before").join("config/themes.yml")), "broken: true\n", "{point}");
    uploads_are_whole(host, point);
}

pub(crate) fn old_is_live(host: &Host, point: &str) {
    assert_eq!(host.journal().phase, Phase::Back, "{point}");
    assert_eq!(read(host.live("config/themes.yml")), "broken: true\n", "{point}");
    assert!(!host.live("app").exists() && !host.beside("before").exists(), "{point}");
    assert!(host.beside("restored").join("app/models/account.rb").exists(), "{point}");
    uploads_are_whole(host, point);
}

#[test]
fn a_switch_that_was_killed_goes_on_or_goes_back() {
    for point in SWITCH {
        let host = Host::new();
        host.asked(prepare).unwrap();
        killed(&host, "switch", point);
        assert!(host.journal().is_between(), "{point}");
        assert_eq!(host.asked(switch).unwrap(), Did::Done, "{point}");
        restored_is_live(&host, point);

        let host = Host::new();
        host.asked(prepare).unwrap();
        killed(&host, "switch", point);
        assert_eq!(host.asked(back).unwrap(), Did::Done, "{point}");
        old_is_live(&host, point);
    }
}

#[test]
fn a_way_back_that_was_killed_is_gone_to_its_end() {
    for point in BACK {
        let host = Host::new();
        host.asked(prepare).unwrap();
        host.asked(switch).unwrap();
        killed(&host, "back", point);
        assert!(host.asked(switch).is_err(), "{point}: half way back there is one way");
        assert_eq!(host.asked(back).unwrap(), Did::Done, "{point}");
        old_is_live(&host, point);
    }
}

/// Dies when so many files are done.
struct Deadly(u64, std::sync::atomic::AtomicU64);

impl mastmaint_restore::Tell for Deadly {
    fn progress(&self, _: mastmaint_restore::Told) {
        if self.1.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1 == self.0 {
            nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL).unwrap();
        }
    }
}

#[test]
fn a_copy_that_was_killed_is_made_anew() {
    let host = Host::new();
    let before = crate::common::content(&host.live(""));
    for point in ["1", "20", "75", "100", "140"] {
        killed(&host, "prepare", point);
        assert_eq!(host.journal().phase, Phase::Preparing, "{point}");
        assert!(crate::common::content(&host.live("")) == before, "{point}");
    }
    // Who tidies up after it leaves nothing of it, and it can be asked for again.
    assert_eq!(host.asked(tidy).unwrap(), Did::Done);
    assert!(matches!(host.journal().phase, Phase::Refused { code, .. } if code == "cut"));
    assert!(!host.path("home/.mastmaintd-restore").exists());
    assert_eq!(host.asked(prepare).unwrap(), Did::Done);
    assert_eq!(host.asked(switch).unwrap(), Did::Done);
    restored_is_live(&host, "after kills");
}

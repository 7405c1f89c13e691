//! The program itself: what it is asked with, what it says, and how it ends.

use crate::common::{Host, read, write};
use mastmaint_words::restore::{Phase, Restoring};
use std::{
    path::Path,
    process::{Command, Output, Stdio},
};

fn asked(host: &Host, state: &str, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mastmaint-restore"));
    command.arg("--state").arg(host.path(state)).arg("--proofs").arg(host.path("verify/proofs")).args(words);
    command
}

fn order(host: &Host) -> String {
    serde_json::to_string(&host.order).unwrap()
}

fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn ends(host: &Host, verb: &str) -> (Option<i32>, String, String) {
    said(&asked(host, "state", &[verb, &order(host)]).output().unwrap())
}

#[test]
fn each_verb_says_what_it_did_and_ends_as_it_should() {
    let host = Host::new();
    assert_eq!(ends(&host, "switch").0, Some(3), "nothing was prepared");
    let (status, out, errors) = ends(&host, "prepare");
    assert_eq!((status, errors.as_str()), (Some(0), ""), "{out}");
    for line in ["stays as it is: public/system", "differs: Mastodon: 4.6 today", "live.before-"] {
        assert!(out.contains(line), "{out}");
    }
    assert!(!out.contains("=now") && !out.contains("=then"), "no secret is said: {out}");
    assert_eq!((ends(&host, "prepare").0, ends(&host, "switch").0), (Some(0), Some(0)));
    let (_, listed, _) = said(&asked(&host, "state", &["list"]).output().unwrap());
    let listed: Vec<Restoring> = serde_json::from_str(&listed).unwrap();
    assert_eq!((listed.len(), &listed[0].phase), (1, &Phase::Switched));
    assert_eq!(
        (ends(&host, "back").0, ends(&host, "prune").0, ends(&host, "prune").0),
        (Some(0), Some(0), Some(3))
    );
    assert_eq!(read(host.live("config/themes.yml")), "broken: true\n");
    let (status, _, errors) = said(&asked(&host, "state", &["restore"]).output().unwrap());
    assert!(status == Some(2) && errors.contains("usage"), "{errors}");
}

#[test]
fn a_refusal_is_one_line_with_its_code() {
    let host = Host::new();
    write(&host.in_backup("app/since.rb"), "not proved");
    let (status, out, errors) = ends(&host, "prepare");
    assert_eq!((status, out.as_str(), errors.lines().count()), (Some(1), "", 1), "{errors}");
    assert!(
        errors.starts_with("mastmaint-restore: error: files is not proved: ")
            && errors.ends_with("[not-proved]\n")
    );
}

#[test]
fn one_host_sends_and_the_other_receives() {
    let host = Host::new();
    let mut sender = asked(&host, "other", &["send", &order(&host)]).stdout(Stdio::piped()).spawn().unwrap();
    let stream = sender.stdout.take().unwrap();
    let mut receiver = asked(&host, "state", &["prepare", "--stdin", &order(&host)]);
    receiver.arg("--proofs").arg(Path::new("/nowhere/proofs"));
    let (status, out, errors) = said(&receiver.stdin(stream).output().unwrap());
    assert_eq!((status, errors.as_str()), (Some(0), ""), "{out}");
    assert!(sender.wait().unwrap().success());
    assert_eq!(ends(&host, "switch").0, Some(0));
    assert_eq!(read(host.live("app/models/account.rb")), "class Account; end\n");
    // The other host dies in the middle.
    let host = Host::new();
    let mut cut = Command::new("sh");
    cut.args(["-c", "\"$0\" \"$@\" | head -c 200000", env!("CARGO_BIN_EXE_mastmaint-restore"), "--state"]);
    cut.arg(host.path("other")).arg("--proofs").arg(host.path("verify/proofs")).args(["send", &order(&host)]);
    let mut cut = cut.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let stream = cut.stdout.take().unwrap();
    let receiver = asked(&host, "state", &["prepare", "--stdin", &order(&host)]).stdin(stream).output();
    let (status, _, errors) = said(&receiver.unwrap());
    assert!(status == Some(1) && errors.contains("[cut-short]"), "{errors}");
    cut.wait().unwrap();
}

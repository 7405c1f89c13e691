//! What the configuration names and the host lacks is warned of, in its place, and refuses nothing.

use crate::{Loaded, Source, Trust, load, load_on_host};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// Loads `text` from a real file and looks at this host.
fn on_host(directory: &Path, text: &str) -> Loaded {
    let main = directory.join("m.yaml");
    fs::write(&main, text).unwrap();
    fs::set_permissions(&main, fs::Permissions::from_mode(0o640)).unwrap();
    let source = Source { main, trust: Trust::Invoker { uid: nix::unistd::geteuid().as_raw() } };
    assert!(load(&source).unwrap().warnings.is_empty(), "without looking at the host nothing is said of it");
    load_on_host(&source).unwrap()
}

/// The places and sentences of the warnings, without the directory.
fn said(directory: &Path, text: &str) -> Vec<String> {
    let directory = format!("{}/", directory.display());
    let warnings = on_host(directory.as_ref(), text).warnings;
    assert!(warnings.iter().all(|warning| warning.code() == "not-on-this-host"));
    warnings.iter().map(|warning| warning.headline().replace(&directory, "")).collect()
}

#[test]
fn what_is_missing_is_named_with_what_to_do() {
    let scratch = tempfile::tempdir().unwrap();
    let text = "instance:\n  live: /nowhere/live\n  user: no-such-user\njobs:\n  a:\n    steps:\n      - run: /nowhere/tool\n      - run: /bin/true\n    requires:\n      free: [{path: /, at_least: 1 B}, {path: /nowhere, at_least: 1 B}]\n";
    assert_eq!(
        said(scratch.path(), text),
        [
            "m.yaml:2:9: instance.live: /nowhere/live is not a directory here; write where Mastodon is; its steps fail until it is there",
            "m.yaml:3:9: instance.user: there is no user \"no-such-user\"; write whom Mastodon runs as; its steps fail until there is one",
            "m.yaml:7:14: jobs.a.steps[1].run: /nowhere/tool is not an executable file here; install it; the step fails until it is there",
            "m.yaml:10:13: jobs.a.requires.free: /nowhere is not there; write a path on the file system that is meant; runs fail until it is there",
        ]
    );
}

#[test]
fn a_default_that_is_missing_is_said_at_its_section() {
    let scratch = tempfile::tempdir().unwrap();
    let text = "jobs:\n  a:\n    steps:\n      - run: /bin/true\ninstance:\n  user: root\n";
    // The test's host has no Mastodon where the default says.
    if Path::new("/home/mastodon/live").exists() {
        assert_eq!(said(scratch.path(), text), [""; 0]);
    } else {
        assert_eq!(said(scratch.path(), text).len(), 1);
        assert!(
            said(scratch.path(), text)[0]
                .starts_with("m.yaml:6:3: instance.live: /home/mastodon/live is not")
        );
    }
}

#[test]
fn a_directory_must_hold_a_tootctl_that_can_run() {
    let scratch = tempfile::tempdir().unwrap();
    let live = scratch.path().join("live");
    fs::create_dir_all(live.join("bin")).unwrap();
    let text = format!(
        "instance: {{live: {}, user: root}}\njobs: {{a: {{steps: [{{run: /bin/true}}]}}}}\n",
        live.display()
    );
    let complaint = "m.yaml:1:18: instance.live: live/bin/tootctl is not an executable file; check that this is Mastodon's Rails root";
    assert_eq!(said(scratch.path(), &text), [complaint]);
    let tootctl = live.join("bin/tootctl");
    fs::write(&tootctl, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&tootctl, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(said(scratch.path(), &text), [complaint]);
    fs::set_permissions(&tootctl, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(said(scratch.path(), &text), [""; 0]);
}

#[test]
fn what_the_installed_mastodon_lacks_is_only_warned_of() {
    let scratch = tempfile::tempdir().unwrap();
    let live = scratch.path().join("live");
    fs::create_dir_all(live.join("bin")).unwrap();
    fs::create_dir_all(live.join("lib/mastodon")).unwrap();
    let tootctl = live.join("bin/tootctl");
    fs::write(&tootctl, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&tootctl, fs::Permissions::from_mode(0o755)).unwrap();
    let install = |major: u16, minor: u16| {
        let text = format!("def major\n  {major}\nend\ndef minor\n  {minor}\nend\ndef patch\n  1\nend\n");
        fs::write(live.join("lib/mastodon/version.rb"), text).unwrap();
    };
    let text = format!(
        "instance: {{live: {}, user: nobody}}\njobs: {{a: {{steps: [{{tootctl: media remove --keep-interacted}}]}}}}\n",
        live.display()
    );
    install(4, 6);
    assert_eq!(said(scratch.path(), &text), [""; 0]);
    install(4, 3);
    assert_eq!(
        said(scratch.path(), &text),
        [
            "m.yaml:2:30: jobs.a.steps[1].tootctl: Mastodon 4.3 has no --keep-interacted of tootctl media remove; it is there from 4.6 on; the step fails until it is there"
        ]
    );
    install(9, 0);
    assert_eq!(
        said(scratch.path(), &text),
        [
            "m.yaml:1:18: instance.live: Mastodon 9.0.1 is newer than what mastmaintd knows (4.6); its commands are judged by the newest rules; look for a newer mastmaintd"
        ]
    );
}

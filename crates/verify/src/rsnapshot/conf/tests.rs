use super::*;
use proptest::prelude::*;

const GOOD: &str = "# a comment\nconfig_version\t1.2\nsnapshot_root\t/backup/snapshots/\ncmd_rsync\t/usr/bin/rsync\n\
    retain\tdaily\t7\nretain\tweekly\t\t4\nlockfile\t/run/rsnapshot.pid\nlogfile\t/var/log/rsnapshot.log\n\
    exclude\t/home/mastodon/live/public/system/cache\nlink_dest\t1\n\n\
    backup\troot@mastodon:/home/mastodon/\tmastodon/\nbackup\t/etc/\n\tlocalhost/\n";

fn parsed(text: &str) -> Parsed {
    parse(Path::new("/etc/rsnapshot.conf"), text, &mut |path| match path.to_str() {
        Some("/etc/more.conf") => Ok("retain\thourly\t0\nretain\tmonthly\t3\n".to_owned()),
        Some("/etc/loop.conf") => Ok("include_conf\t/etc/loop.conf\n".to_owned()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    })
}

fn mistakes(text: &str) -> Vec<String> {
    let parsed = parsed(text);
    parsed.notes.iter().map(|n| format!("{}: {}", n.at, n.text)).collect()
}

#[test]
fn a_good_configuration_has_no_notes() {
    let Parsed { conf, notes } = parsed(GOOD);
    assert_eq!(notes, []);
    assert_eq!(conf.snapshot_root, Path::new("/backup/snapshots"));
    let level = |name: &str, keep| Level { name: name.to_owned(), keep };
    assert_eq!(conf.levels, [level("daily", 7), level("weekly", 4)]);
    let point = |source: &str, dest: &str| Point { source: source.to_owned(), dest: dest.to_owned() };
    let points = [point("root@mastodon:/home/mastodon/", "mastodon"), point("/etc/", "localhost")];
    assert_eq!(conf.points, points, "a line that begins with a tab goes on with the one before");
    assert!(conf.link_dest && !conf.sync_first);
    assert_eq!(conf.lockfile.as_deref(), Some(Path::new("/run/rsnapshot.pid")));
}

#[test]
fn every_mistake_has_file_and_line() {
    for (line, says) in [
        ("retain daily 7", "blanks where tabs must be"),
        ("retain\tdaily 7", "only letters, digits and _"),
        ("retain\tdaily\tseven", "no number of generations"),
        ("retain\tdaily\t0", "keeps 0 generations"),
        ("retain\tsync\t3", "is a command of rsnapshot"),
        ("retian\tmonthly\t3", "is no word of rsnapshot"),
        ("sync_first\tyes", "sync_first is 0 or 1"),
        ("backup\t/home/", "has no destination"),
        ("backup\t/home/\t/abs/", "begins with a slash"),
        ("backup\t/home/\t../up/", "goes up with .."),
        ("lockfile\trun/pid", "no whole path"),
        ("snapshot_root\tbackup@nas:/x", "no whole path on this host"),
        ("include_conf\t/etc/none.conf", "cannot be read"),
        ("include_conf\t/etc/loop.conf", "include each other"),
        ("config_version\t1.1", "is not 1.2"),
        ("cmd_cp", "cmd_cp has no value"),
    ] {
        let found = mistakes(&format!("{GOOD}{line}\n"));
        assert_eq!(found.len(), 1, "{line}: {found:?}");
        assert!(found[0].contains(says), "{line}: {found:?}");
        assert!(
            found[0].starts_with("/etc/rsnapshot.conf:15:") || line.contains("loop"),
            "{line}: {found:?}"
        );
    }
}

#[test]
fn included_files_have_their_own_lines_and_commands_are_not_run() {
    let found = mistakes(&format!("{GOOD}include_conf\t/etc/more.conf\n"));
    assert_eq!(found, ["/etc/more.conf:1: retain hourly keeps 0 generations; at least 1"]);
    let parsed = parsed("include_conf\t`/usr/local/bin/make-conf`\n");
    assert_eq!(parsed.notes.len(), 1, "{:?}", parsed.notes);
    assert_eq!(parsed.notes[0].kind, NoteKind::NotRead);
}

#[test]
fn what_must_be_there_is_asked_for() {
    let found = mistakes("retain\tdaily\t1\nretain\tweekly\t4\n");
    for says in ["config_version", "cmd_rsync", "snapshot_root", "no backup point", "first level keeps 1"] {
        assert!(found.iter().any(|f| f.contains(says)), "{says}: {found:?}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-z_\\t `#/.\\n0-9]{0,200}") {
        let _ = parsed(&text);
    }
}

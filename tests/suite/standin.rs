//! The stand-in plays every recording as it was and moves rows and files as it did.
#![expect(clippy::unwrap_used, reason = "a test whose ground gives way has to end there")]

use mastmaint_tests::{
    Instance,
    recordings::{CASES, Case, Held},
    rows::{self, Kind, Table},
};
use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

fn standin() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_standin-tootctl"))
}

/// Brings a new instance to where the recorded one was before the case.
fn prepare(case: &Case, dir: &Path) -> Instance {
    let instance = Instance::create(dir, case.version, standin()).unwrap();
    let Some(before) = case.before else { return instance };
    let mut table = Table::open(instance.live()).unwrap();
    if let Some(rows) = before.rows {
        for (kind, wanted) in [(Kind::Media, rows.media), (Kind::Status, rows.statuses)] {
            let without_files = before.files < 69;
            while table.count(kind) > wanted {
                let at = table.rows.iter().position(|r| r.kind == kind).unwrap();
                let row = table.rows.remove(at);
                if without_files {
                    row.files.iter().for_each(|f| table.delete(f).unwrap());
                }
            }
        }
        table.save().unwrap();
    }
    match case.name {
        "media-remove-files-already-gone" => {
            for row in table.rows.iter().filter(|r| r.kind == Kind::Media) {
                table.delete(&row.files[0]).unwrap();
            }
        }
        "orphans-unrecognized-files" => {
            instance.add_orphans().unwrap();
            let mut orphans = Vec::new();
            rows::walk(&rows::system(instance.live()), &mut |path, _| {
                if ["abcdef2", "abcdef3", "abcdef4"].iter().any(|n| path.to_string_lossy().contains(n)) {
                    orphans.push(path.to_owned());
                }
            })
            .unwrap();
            for orphan in &orphans {
                fs::remove_file(orphan).unwrap();
            }
            instance.put("README.txt", 5).unwrap();
            instance.put("lost+found/x", 1).unwrap();
            instance.put("cache/strange_things/1/2/3/4/5/original/z.png", 1).unwrap();
        }
        _ if before.files == 74 => instance.add_orphans().unwrap(),
        _ => {}
    }
    drop(table);
    instance
}

fn play(case: &Case, instance: &Instance) -> Output {
    let key = if case.argv.is_empty() { String::new() } else { case.argv[0].to_owned() };
    instance.weather(&format!("speed: 200\nweather: {{\"{key}\": {}}}\n", case.name)).unwrap();
    let mut child = Command::new(instance.live().join("bin").join(case.program))
        .args(case.argv)
        .env_clear()
        .env("RAILS_ENV", "production")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let named = |suffix: &str| case.name.ends_with(suffix);
    let signal = case.signal.filter(|s| *s != "SIGPIPE").or(match () {
        () if named("-sigint") => Some("SIGINT"),
        () if named("-sigterm") => Some("SIGTERM"),
        () => None,
    });
    if let Some(signal) = signal {
        let calls = instance.live().join("log/standin-calls.jsonl");
        let patience = Instant::now() + Duration::from_secs(20);
        while !fs::read_to_string(&calls).unwrap_or_default().contains("\"event\":\"waits\"") {
            assert!(child.try_wait().unwrap().is_none(), "{} does not wait for its signal", case.name);
            assert!(Instant::now() < patience, "{} is not done", case.name);
            std::thread::sleep(Duration::from_millis(10));
        }
        let signal: nix::sys::signal::Signal = signal.parse().unwrap();
        let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
        nix::sys::signal::kill(pid, signal).unwrap();
    }
    child.wait_with_output().unwrap()
}

fn check(case: &Case) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let instance = prepare(case, dir.path());
    let close = |a: Held, b: Held| a.rows == b.rows && a.files == b.files && a.bytes.abs_diff(b.bytes) <= 8;
    if let Some(before) = case.before {
        let held = instance.held().unwrap();
        let expected = Held { rows: before.rows.or(held.rows), ..before };
        if !close(held, expected) {
            return Err(format!("before: {held:?}, recorded {expected:?}"));
        }
    }
    let output = play(case, &instance);
    if output.stdout != case.stdout {
        return Err(format!("stdout: {}", String::from_utf8_lossy(&output.stdout)));
    }
    if output.stderr != case.stderr {
        return Err(format!("stderr: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let signal = output.status.signal().map(|s| nix::sys::signal::Signal::try_from(s).unwrap().as_str());
    if (output.status.code(), signal) != (case.exit, case.signal) {
        return Err(format!("ended with {:?} {signal:?}", output.status.code()));
    }
    if let Some(after) = case.after {
        let held = instance.held().unwrap();
        let expected = Held { rows: after.rows.or(held.rows), ..after };
        if !close(held, expected) {
            return Err(format!("after: {held:?}, recorded {expected:?}"));
        }
    }
    Ok(())
}

#[test]
fn every_recording_is_played_as_it_was() {
    let check_all = |cases: &[Case]| -> Vec<String> {
        let named = |c: &Case| check(c).err().map(|e| format!("{}/{}: {e}", c.version, c.name));
        cases.iter().filter_map(named).collect()
    };
    // Playing is mostly waiting: eight at a time.
    let wrong: Vec<_> = std::thread::scope(|scope| {
        let players: Vec<_> = CASES.chunks(15).map(|cases| scope.spawn(move || check_all(cases))).collect();
        players.into_iter().flat_map(|p| p.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn call(instance: &Instance, args: &[&str]) -> Output {
    let mut command = Command::new(instance.live().join("bin/tootctl"));
    command.args(args).env("RAILS_ENV", "production").stdin(Stdio::null()).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn without_weather_the_work_is_done_once() {
    let dir = tempfile::tempdir().unwrap();
    let instance = Instance::create(dir.path(), "4.6.5", standin()).unwrap();
    assert!(text(&call(&instance, &["media", "remove", "--days", "14"])).contains("Removed 15 media"));
    assert!(text(&call(&instance, &["media", "remove", "--days", "14"])).contains("Removed 0 media"));
    assert!(text(&call(&instance, &["preview_cards", "remove", "--days", "30"])).contains("from 15 preview"));
    assert!(text(&call(&instance, &["preview_cards", "remove", "--days", "30"])).contains("from 0 preview"));
    instance.add_orphans().unwrap();
    assert!(text(&call(&instance, &["media", "remove-orphans"])).contains("Removed 5 orphans"));
    assert!(text(&call(&instance, &["media", "remove-orphans"])).contains("Removed 0 orphans"));
}

#[test]
fn a_list_of_weather_is_met_call_by_call() {
    let dir = tempfile::tempdir().unwrap();
    let instance = Instance::create(dir.path(), "4.6.5", standin()).unwrap();
    instance
        .weather(
            "speed: 200\nweather: {\"media remove\": [postgres-down-media, {exit: 3}, media-remove-ok]}\n",
        )
        .unwrap();
    let codes: Vec<_> = (0..4).map(|_| call(&instance, &["media", "remove"]).status.code()).collect();
    assert_eq!(codes, [Some(1), Some(3), Some(0), Some(0)]);
    let calls = fs::read_to_string(instance.live().join("log/standin-calls.jsonl")).unwrap();
    assert_eq!(calls.lines().filter(|l| l.contains("\"event\":\"start\"")).count(), 4);
    assert_eq!(calls.lines().filter(|l| l.contains("\"event\":\"end\"")).count(), 4);
}

#[test]
fn an_unknown_call_says_that_it_is_the_stand_in() {
    let dir = tempfile::tempdir().unwrap();
    let instance = Instance::create(dir.path(), "4.6.5", standin()).unwrap();
    let output = call(&instance, &["self-destruct"]);
    assert_eq!(output.status.code(), Some(70));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("standin: no recording"));
}

#[test]
fn extras_do_what_no_recording_shows() {
    let dir = tempfile::tempdir().unwrap();
    let instance = Instance::create(dir.path(), "4.6.5", standin()).unwrap();
    instance
        .weather("speed: 200\nweather: {\"cache clear\": {print-lines: 3, print-secret: true, long-line: 100000, ignore-term: true, sleep: 1s}}\n")
        .unwrap();
    let started = Instant::now();
    let mut child = Command::new(instance.live().join("bin/tootctl"))
        .args(["cache", "clear"])
        .env("RAILS_ENV", "production")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    // Once it says anything it is deaf.
    said.read_line(&mut text).unwrap();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    said.read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success() && started.elapsed() >= Duration::from_secs(1));
    assert!(text.ends_with("OK\n") && text.contains("correct-horse-battery-staple"));
    assert_eq!(
        text.lines().filter(|l| l.starts_with("line 000000000")).map(str::len).collect::<Vec<_>>(),
        [79; 3]
    );
    assert!(text.lines().any(|l| l.len() == 100_000));
}

#[test]
fn a_page_is_really_fetched() {
    use std::io::Write as _;
    let dir = tempfile::tempdir().unwrap();
    let instance = Instance::create(dir.path(), "4.6.5", standin()).unwrap();
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/page", server.local_addr().unwrap());
    instance.weather(&format!("speed: 200\nweather: {{cache clear: {{fetch: \"{url}\"}}}}\n")).unwrap();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let mut asked = [0; 512];
        let n = stream.read(&mut asked).unwrap();
        stream.write_all(b"HTTP/1.0 200 OK\r\n\r\nhello").unwrap();
        String::from_utf8_lossy(&asked[..n]).into_owned()
    });
    let output = call(&instance, &["cache", "clear"]);
    assert!(text(&output).contains(&format!("fetched {url}: HTTP/1.0 200 OK (24 bytes)")), "{output:?}");
    assert!(serving.join().unwrap().starts_with("GET /page HTTP/1.0"));
}

#[test]
fn a_process_left_behind_is_deaf_and_holds_the_pipe() {
    let dir = tempfile::tempdir().unwrap();
    let instance = Instance::create(dir.path(), "4.6.5", standin()).unwrap();
    instance.weather("speed: 200\nweather: {cache clear: {leave-grandchild: true}}\n").unwrap();
    let mut child = Command::new(instance.live().join("bin/tootctl"))
        .args(["cache", "clear"])
        .env("RAILS_ENV", "production")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert!(child.wait().unwrap().success());
    let path = instance.live().join("log/standin-grandchild.pid");
    assert!(mastmaint_tests::wait_for(|| fs::read_to_string(&path).is_ok_and(|t| !t.is_empty())));
    let left: i32 = fs::read_to_string(path).unwrap().parse().unwrap();
    let pid = nix::unistd::Pid::from_raw(left);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert!(mastmaint_tests::daemon::runs(left), "SIGTERM ended it");
    assert_eq!(nix::unistd::getsid(Some(pid)).unwrap(), pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
}

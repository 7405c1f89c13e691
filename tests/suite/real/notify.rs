//! People are told: real mail, real webhooks, real pings, once for each thing that changes.

use mastmaint_ledger::Ledger;
use mastmaint_tests::{
    Daemon, Place, Postgres,
    daemon::wait_up_to,
    receivers::{Identity, Login, MailServer, Walls, WebServer},
    wait_for,
};
use serde_json::Value;
use std::{fs, time::Duration};

/// A place whose job `work` fails until `well` is there, and who is told of it.
fn place(steps: &str, notify: &str) -> Place {
    let place = Place::new("  none:\n    steps: [{run: /bin/true}]\n").unwrap();
    let whole = format!(
        "defaults: {{timezone: UTC, timeout: 1m, grace: 2s}}\njobs:\n  work:\n    steps:\n{steps}\nnotify:\n{notify}"
    );
    place.configure_whole(&whole).unwrap();
    place
}

fn run(daemon: &Daemon, code: i32) {
    daemon.ctl(&["run", "work", "--follow"]).exits(code);
}

#[test]
fn twenty_failures_with_a_killed_daemon_among_them_are_one_mail_and_one_recovery() {
    let (mail, hook, check) =
        (MailServer::start().unwrap(), WebServer::start().unwrap(), WebServer::start().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let well = dir.path().join("well");
    let notify = format!(
        "  - {{mail: root, smtp: {{host: 127.0.0.1, port: {}}}}}\n  - {{on: [failed, recovered], webhook: {}, token: s3cr3t-t0ken}}\n  - {{healthchecks: {}}}\n",
        mail.port(),
        hook.url("hook/s3cr3t-path"),
        check.url("ping/s3cr3t-uuid"),
    );
    let place = place(&format!("      - run: [/usr/bin/test, -e, {}]", well.display()), &notify);
    let mut daemon = place.start().unwrap();
    for turn in 0..20 {
        if turn == 9 {
            // Ids of runs follow the clock by the second: that of the run before the kill shall be the greatest.
            std::thread::sleep(Duration::from_millis(1100));
        }
        if turn == 10 {
            assert!(wait_for(|| mail.mails().len() == 1), "{}", daemon.log());
            daemon.kill().unwrap();
            daemon = place.start().unwrap();
        }
        run(&daemon, 1);
    }
    fs::write(&well, "").unwrap();
    run(&daemon, 0);
    let log = || daemon.log();
    assert!(wait_for(|| mail.mails().len() == 2), "{:?}\n{}", mail.mails(), log());
    let mails = mail.mails();
    assert!(mails[0].subject().contains("work failed: "), "{:?}", mails[0]);
    assert!(mails[1].subject().ends_with("work is well again"), "{:?}", mails[1]);
    assert!(mails[1].text.contains("20 runs since"), "{:?}", mails[1]);
    assert!(mails[0].to.starts_with("RCPT TO:<root@"), "{:?}", mails[0].to);
    assert!(mails[0].text.contains("mastmaintctl show ") && mails[0].text.contains("/usr/bin/test -e"));
    assert!(wait_for(|| hook.requests().len() == 2), "{:?}\n{}", hook.requests(), log());
    let told: Vec<Value> =
        hook.requests().iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect();
    assert_eq!((&told[0]["event"], &told[0]["job"]), (&"failed".into(), &"work".into()));
    assert_eq!((&told[1]["event"], &told[1]["outcome"]), (&"recovered".into(), &"ok".into()));
    assert!(hook.requests()[0].head.contains("Bearer s3cr3t-t0ken"), "{:?}", hook.requests()[0].head);
    // The last word of the check is that all is well.
    let last = || check.requests().last().map(|request| request.path.clone()).unwrap_or_default();
    assert!(wait_for(|| last() == "/ping/s3cr3t-uuid"), "{:?}\n{}", check.requests(), log());
    let paths: Vec<String> = check.requests().into_iter().map(|request| request.path).collect();
    assert!(paths.iter().any(|path| path.ends_with("/start")) && paths.iter().any(|p| p.ends_with("/fail")));
    for text in [log(), daemon.ctl(&["status", "--json"]).stdout] {
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}

#[test]
fn whoever_cannot_be_told_costs_no_job_anything_and_is_told_later() {
    let hook = WebServer::start().unwrap();
    hook.says(500);
    let place = place("      - run: /bin/false", &format!("  - webhook: {}\n", hook.url("s3cr3t")));
    let daemon = place.start().unwrap();
    run(&daemon, 1);
    let status = || daemon.ctl(&["status", "--json"]).json();
    let failing = || status()["notify"][0]["failing"].as_str().unwrap_or_default().to_owned();
    assert!(wait_for(|| failing().contains("it answered 500")), "{}", daemon.log());
    assert_eq!(status()["notify"][0]["waiting"], 1);
    assert!(wait_for(|| daemon.notes().iter().any(|n| n.contains("cannot notify"))), "{:?}", daemon.notes());
    daemon.log_with("cannot notify target 1 (webhook)");
    // The message outlives the daemon, too.
    daemon.kill().unwrap();
    hook.says(200);
    let daemon = place.start().unwrap();
    let told = || daemon.ctl(&["status", "--json"]).json()["notify"][0]["waiting"] == 0;
    assert!(wait_for(told), "{}", daemon.log());
    let events: Vec<Value> = hook
        .requests()
        .iter()
        .map(|r| serde_json::from_str::<Value>(&r.body).unwrap()["event"].clone())
        .collect();
    assert!(events.len() >= 2 && events.iter().all(|event| event == "failed"), "{events:?}");
}

#[test]
fn a_test_shows_what_each_target_says() {
    let (mail, hook) = (MailServer::start().unwrap(), WebServer::start().unwrap());
    hook.says(403);
    let notify = format!(
        "  - {{mail: admin@example.org, smtp: {{host: 127.0.0.1, port: {}}}}}\n  - {{webhook: {}, preset: ntfy}}\n  - {{mail: root, smtp: {{host: 127.0.0.1, port: 1}}}}\n",
        mail.port(),
        hook.url("s3cr3t-topic"),
    );
    let place = place("      - run: /bin/true", &notify);
    let daemon = place.start().unwrap();
    let all = daemon.ctl(&["notify", "test"]).exits(1).stdout;
    let lines: Vec<&str> = all.lines().collect();
    assert!(lines[0].starts_with("1 mail: ok: 250 "), "{all}");
    assert!(lines[1].starts_with("2 ntfy: not told: 127.0.0.1:") && lines[1].contains("403"), "{all}");
    assert!(lines[2].starts_with("3 mail: not told: the mail server 127.0.0.1:1 did not take it"), "{all}");
    assert!(!all.contains("s3cr3t"), "{all}");
    daemon.ctl(&["notify", "test", "--target", "1"]).exits(0);
    assert!(daemon.ctl(&["notify", "test", "--target", "4"]).exits(1).stderr.contains("they are 1 to 3"));
    assert_eq!(mail.mails().len(), 2);
    assert!(mail.mails()[0].subject().ends_with("this is a test"), "{:?}", mail.mails());
}

#[test]
fn walls_of_tls_are_passed_with_a_password_and_only_where_the_certificate_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let identity = Identity::new(dir.path()).unwrap();
    // NUL, `admin`, NUL, `s3cr3t-w0rd`.
    let login = || Login::Plain("AGFkbWluAHMzY3IzdC13MHJk");
    let starttls = MailServer::start_behind(Walls::Starttls(identity.clone()), login()).unwrap();
    let tls = MailServer::start_behind(Walls::Tls(identity.clone()), login()).unwrap();
    let hook = WebServer::start_as(&identity).unwrap();
    fs::write(dir.path().join("right"), "s3cr3t-w0rd\n").unwrap();
    fs::write(dir.path().join("wrong"), "s3cr3t-wrong\n").unwrap();
    let mail = |port: u16, tls: &str, password: &str| {
        let file = dir.path().join(password);
        format!(
            "  - {{mail: root, smtp: {{host: 127.0.0.1, port: {port}, tls: {tls}, user: admin, password_file: {}}}}}\n",
            file.display()
        )
    };
    let notify = [
        mail(starttls.port(), "starttls", "right"),
        mail(tls.port(), "always", "right"),
        format!("  - webhook: {}\n", hook.url("s3cr3t-path")),
        mail(starttls.port(), "starttls", "wrong"),
        mail(starttls.port(), "starttls", "none"),
    ];
    let place = place("      - run: /bin/true", &notify.concat());
    let trusting = place.start_with(|command| {
        command.env("SSL_CERT_FILE", identity.certificate());
    });
    let all = trusting.unwrap().ctl(&["notify", "test"]).exits(1).stdout;
    let lines: Vec<&str> = all.lines().collect();
    assert!(lines[0].starts_with("1 mail: ok: 250 ") && lines[1].starts_with("2 mail: ok: 250 "), "{all}");
    assert!(lines[2].starts_with("3 webhook: ok: "), "{all}");
    assert!(lines[3].starts_with("4 mail: not told: ") && lines[3].contains("wrong password"), "{all}");
    assert!(lines[4].starts_with("5 mail: not told: ") && lines[4].contains("none"), "{all}");
    assert!(!all.contains("s3cr3t"), "{all}");
    assert_eq!((starttls.mails().len(), tls.mails().len(), hook.requests().len()), (1, 1, 1));

    let doubting = place.start().unwrap().ctl(&["notify", "test"]).exits(1).stdout;
    let refused = doubting.lines().take(3).filter(|line| line.contains("certificate")).count();
    assert_eq!(refused, 3, "{doubting}");
    assert_eq!((starttls.mails().len(), tls.mails().len(), hook.requests().len()), (1, 1, 1));
}

#[test]
fn a_sendmail_program_gets_the_mail_and_its_complaint_is_passed_on() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let program = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    };
    let got = dir.path().join("got");
    let takes = program("takes", &format!("{{ echo \"$@\"; cat; }} > {}", got.display()));
    let refuses = program("refuses", "echo 'no such mailbox' >&2; exit 67");
    let notify =
        format!("  - {{mail: a@b.example, sendmail: {takes}}}\n  - {{mail: root, sendmail: {refuses}}}\n");
    let place = place("      - run: /bin/true", &notify);
    let daemon = place.start().unwrap();
    let all = daemon.ctl(&["notify", "test"]).exits(1).stdout;
    let lines: Vec<&str> = all.lines().collect();
    assert!(lines[0].starts_with("1 mail: ok: taken"), "{all}");
    assert!(lines[1].contains("not told: ") && lines[1].contains("no such mailbox"), "{all}");
    let got = fs::read_to_string(got).unwrap();
    assert!(got.lines().next().unwrap().ends_with("-- a@b.example"), "{got}");
    assert!(got.contains("To: a@b.example") && got.contains("this is a test"), "{got}");
}

#[test]
fn no_secret_is_in_any_message_nor_where_the_daemon_could_read_it() {
    let (mail, hook) = (MailServer::start().unwrap(), WebServer::start().unwrap());
    let steps = "      - run: [/bin/sh, -c, 'echo the password is $PASSWORD; echo mail to someone@private.example; exit 3']\n        environment: {PASSWORD: hunter2-and-more}";
    let notify = format!(
        "  - {{mail: root, smtp: {{host: 127.0.0.1, port: {}}}}}\n  - {{webhook: {}, token: s3cr3t-t0ken}}\n",
        mail.port(),
        hook.url("s3cr3t-path")
    );
    let place = place(steps, &notify);
    let daemon = place.start().unwrap();
    run(&daemon, 1);
    assert!(wait_for(|| mail.mails().len() == 1 && hook.requests().len() == 1), "{}", daemon.log());
    let (letter, body) = (mail.mails()[0].text.clone(), hook.requests()[0].body.clone());
    for text in [&letter, &body] {
        assert!(text.contains("the password is "), "the line itself is kept: {text}");
        assert!(!text.contains("hunter2") && !text.contains("someone@private"), "{text}");
        assert!(!text.contains("s3cr3t"), "{text}");
    }
    // Of the accepted configuration only the notify room's part knows where messages go.
    let parts = fs::read_dir(place.path("state/accepted")).unwrap();
    for part in parts.map(|part| part.unwrap()) {
        let of_the_room = part.file_name() == "notify";
        for file in fs::read_dir(part.path()).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            assert_eq!(text.contains("s3cr3t"), of_the_room, "{}: {text}", part.path().display());
        }
    }
    let shown = daemon.ctl(&["config", &place.config().display().to_string()]).exits(0).stdout;
    assert!(shown.contains("[redacted]") && !shown.contains("s3cr3t"), "{shown}");
}

#[test]
fn a_run_that_began_and_did_not_do_its_work_is_no_good_news() {
    let check = WebServer::start().unwrap();
    let place = Place::new("  work:\n    steps:\n      - run: /bin/true\n      - {tootctl: media remove-orphans, at_most: {items: 5}}\n").unwrap();
    // Orphans are looked for only where database and files are known to be of one state.
    let postgres = Postgres::start().unwrap();
    postgres.belong_to(&place.instance).unwrap();
    // The look before the run finds 5, the one before the step more.
    place
        .instance
        .weather("speed: 50\nweather: {media remove-orphans: [orphans-dry-run, orphans-database-older-than-files]}\n")
        .unwrap();
    place.instance.add_orphans().unwrap();
    let text = fs::read_to_string(place.config()).unwrap();
    place.configure_whole(&format!("{text}notify:\n  - healthchecks: {}\n", check.url("uuid"))).unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(0);
    let run = daemon.ended("work");
    assert_eq!(run["outcome"], "skipped", "{run:#}");
    assert!(!run["started"].is_null(), "it did not begin: {run:#}");
    let last = || check.requests().last().map(|request| request.path.clone()).unwrap_or_default();
    assert!(wait_for(|| last().ends_with("/fail")), "{:?}\n{}", check.requests(), daemon.log());
}

#[test]
fn a_message_goes_to_nobody_else_when_its_target_is_taken_away() {
    let hook = WebServer::start().unwrap();
    let place = Place::new("  none:\n    steps: [{run: /bin/true}]\n").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let well = dir.path().join("well");
    let configure = |targets: &str| {
        let text = format!(
            "jobs:\n  work: {{steps: [{{run: /bin/false}}]}}\n  b: {{steps: [{{run: [/usr/bin/test, -e, {}]}}]}}\nnotify:\n{targets}  - {{on: [recovered], jobs: [b], webhook: {}}}\n",
            well.display(),
            hook.url("x"),
        );
        place.configure_whole(&text).unwrap();
    };
    let refused = "  - {mail: root, smtp: {host: 127.0.0.1, port: 1}}\n";
    configure(refused);
    let daemon = place.start().unwrap();
    run(&daemon, 1);
    let waiting = |at: usize| daemon.ctl(&["status", "--json"]).json()["notify"][at]["waiting"].clone();
    assert!(wait_for(|| waiting(0) == 1), "{}", daemon.log());
    configure("");
    daemon.ctl(&["reload"]).exits(0);
    daemon.log_with("target 1 (mail) is not in the configuration any more");
    assert!(wait_for(|| waiting(0) == 0), "{}", daemon.log());
    configure(refused);
    daemon.ctl(&["reload"]).exits(0);
    assert_eq!(waiting(0), 0, "who comes back begins anew");
    daemon.ctl(&["run", "b", "--follow"]).exits(1);
    fs::write(&well, "").unwrap();
    daemon.ctl(&["run", "b", "--follow"]).exits(0);
    // Nobody was told of its failure, so there is no recovery to tell of either.
    daemon.ctl(&["notify", "test", "--target", "2"]).exits(0);
    let bodies: Vec<String> = hook.requests().into_iter().map(|request| request.body).collect();
    assert!(bodies.iter().all(|body| !body.contains("work")), "{bodies:?}");
}

#[test]
fn what_a_clock_that_was_ahead_wrote_is_cut_at_the_next_start() {
    let place = place("      - run: /bin/false", "  - {webhook: 'http://127.0.0.1:1/x'}\n");
    let daemon = place.start().unwrap();
    run(&daemon, 1);
    let waiting = || daemon.ctl(&["status", "--json"]).json()["notify"][0]["waiting"] == 1;
    assert!(wait_for(waiting), "{}", daemon.log());
    daemon.stop().unwrap();
    let told = |change: &dyn Fn(&str) -> Option<String>| {
        let path = place.path("state/ledger.sqlite");
        let mut ledger = Ledger::open(&path, jiff::Timestamp::now()).unwrap().ledger;
        let state = ledger.tellings().unwrap()["job:work"].clone();
        if let Some(state) = change(&state) {
            ledger.tell("job:work", &state, &[]).unwrap();
        }
        state
    };
    let year = jiff::Zoned::now().year();
    let (now, ahead) = (format!("\"told\":\"{year}"), format!("\"told\":\"{}", year + 2));
    assert!(told(&|state| Some(state.replace(&now, &ahead))).contains(&now));
    place.start().unwrap().stop().unwrap();
    let state = told(&|_| None);
    assert!(state.contains(&now) && !state.contains(&ahead), "{state}");
}

#[test]
fn who_acknowledges_is_believed_and_nothing_to_acknowledge_is_said() {
    let place = place("      - run: /bin/false", "  - {webhook: 'http://127.0.0.1:1/x'}\n");
    let daemon = place.start().unwrap();
    let refused = daemon.ctl(&["ack", "work"]).exits(1);
    assert!(refused.stderr.contains("nothing is wrong with work"), "{refused:?}");
    run(&daemon, 1);
    let acked = daemon.ctl(&["ack", "work", "--until", "3d"]).exits(0);
    assert!(acked.stderr.contains("nobody is reminded of work until"), "{acked:?}");
    daemon.ctl(&["ack", "no-such-job"]).exits(1);
    daemon.log_with("nobody is reminded until");
    let past = daemon.ctl(&["ack", "work", "--until", "2020-01-01"]).exits(2);
    assert!(past.stderr.contains("has passed already"), "{past:?}");
    let today = jiff::Zoned::now().date().to_string();
    daemon.ctl(&["ack", "work", "--until", &today]).exits(0);
}

/// A place with an instance, a webhook that hears of something, and these jobs.
fn hooked(jobs: &str, hook: &WebServer, on: &str) -> Place {
    let place = Place::new(jobs).unwrap();
    let text = fs::read_to_string(place.config()).unwrap();
    let notify = format!("notify:\n  - {{webhook: {}, {on}}}\n", hook.url("hook"));
    place.configure_whole(&(text + &notify)).unwrap();
    place
}

fn told(hook: &WebServer) -> Vec<Value> {
    hook.requests().iter().map(|request| serde_json::from_str(&request.body).unwrap()).collect()
}

/// A minute that begins in 10 to 70 seconds.
fn soon() -> jiff::Zoned {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(70)).to_zoned(jiff::tz::TimeZone::UTC)
}

#[test]
fn a_summary_comes_at_its_time_and_says_how_the_disk_fares() {
    let hook = WebServer::start().unwrap();
    // What has to be built for a place takes its time.
    drop(Place::new("").unwrap());
    let at = soon().strftime("%H:%M").to_string();
    let jobs =
        "  work:\n    steps: [{tootctl: media remove --days 7}]\n  bad:\n    steps: [{run: /bin/false}]\n";
    let place = hooked(jobs, &hook, &format!("on: summary, at: \"{at}\""));
    place.instance.weather("speed: 200\n").unwrap();
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "work", "--follow"]).exits(0);
    daemon.ctl(&["run", "bad", "--follow"]).exits(1);
    assert!(hook.requests().is_empty(), "before its time: {:?}", hook.requests());
    assert!(wait_up_to(Duration::from_secs(150), || !hook.requests().is_empty()), "{}", daemon.log());
    let summary = &told(&hook)[0];
    assert_eq!(summary["event"], "summary");
    let subject = summary["subject"].as_str().unwrap();
    assert!(subject.ends_with("1 of 2 runs did not end well: bad failed"), "{subject}");
    let text = summary["text"].as_str().unwrap();
    assert!(text.contains("work  ok (read) in ") && text.contains("15 removed"), "{text}");
    assert!(text.contains("The disk of the media holds about "), "{text}");
    // The same is there for machines.
    let listed = daemon.ctl(&["history", "--json"]).exits(0).json();
    assert!(listed["space"]["free_bytes"].as_u64().is_some_and(|free| free > 0), "{listed}");
}

/// After a start nothing is overdue for ten minutes: what was missed is being caught up.
#[test]
fn what_does_not_begin_is_overdue() {
    if std::env::var_os("MASTMAINT_LONG_TESTS").is_none() {
        return;
    }
    let hook = WebServer::start().unwrap();
    drop(Place::new("").unwrap());
    let slot = soon();
    let until = slot.checked_add(jiff::SignedDuration::from_mins(2)).unwrap().strftime("%H:%M").to_string();
    let cron = slot.strftime("%M %H * * *").to_string();
    let jobs = format!(
        "  holder:\n    lock: one\n    timeout: 30m\n    steps: [{{run: [/bin/sleep, \"1500.7\"], timeout: 30m}}]\n  \
           late:\n    lock: one\n    schedule: \"{cron}\"\n    window: {{until: \"{until}\"}}\n    steps: [{{run: /bin/true}}]\n"
    );
    let place = hooked(&jobs, &hook, "on: [overdue, recovered]");
    let daemon = place.start().unwrap();
    daemon.ctl(&["run", "holder"]).exits(0);
    assert!(wait_up_to(Duration::from_mins(15), || !hook.requests().is_empty()), "{}", daemon.log());
    let overdue = &told(&hook)[0];
    assert_eq!((&overdue["event"], &overdue["job"]), (&"overdue".into(), &"late".into()), "{overdue}");
    assert!(daemon.ctl(&["status"]).exits(3).stdout.contains("late"), "{}", daemon.log());
    assert_eq!(daemon.ended("late")["outcome"], "skipped");
    daemon.ctl(&["cancel", "holder"]).exits(0);
    assert_eq!(daemon.ended("holder")["outcome"], "cancelled");
    daemon.ctl(&["run", "late", "--follow"]).exits(0);
    assert!(wait_for(|| daemon.ctl(&["status"]).code == Some(0)), "it began: {}", daemon.log());
}

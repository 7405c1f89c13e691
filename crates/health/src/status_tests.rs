use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn job(name: &str) -> JobName {
    name.parse().unwrap()
}

fn last(name: &str, outcome: Outcome, ended: &str, freed: Option<u64>) -> LastRun {
    LastRun { job: job(name), ended: at(ended), outcome, freed }
}

/// As in Paris in winter: an hour later than UTC.
fn say(situation: &Situation, now: &str) -> String {
    situation.sentence(at(now), &TimeZone::fixed(jiff::tz::offset(1)))
}

#[test]
fn an_idle_day_after_a_good_night() {
    let situation = Situation {
        next: Some(NextRun { job: job("clean-media"), at: at("2026-11-23T23:30:00Z") }),
        last: vec![
            last("clean-media", Outcome::Ok, "2026-11-23T00:12:00Z", Some(22 << 30)),
            last("clean-cards", Outcome::Skipped, "2026-11-22T23:40:00Z", None),
            last("orphans", Outcome::Ok, "2026-11-02T00:40:00Z", Some(1 << 30)),
        ],
        ..Situation::default()
    };
    assert_eq!(
        say(&situation, "2026-11-23T20:30:00Z"),
        "idle; next clean-media in 3 h; last night skipped, 22 GB freed"
    );
    // The day after, last night is another one.
    assert_eq!(
        say(&situation, "2026-11-24T20:30:00Z"),
        "idle; next clean-media now; last clean-media ok 1 d 20 h ago, 22 GB freed"
    );
}

#[test]
fn a_hold_is_said_with_its_end() {
    let hold = |scope| {
        let (from, until) = (at("2026-11-30T23:00:00Z"), at("2026-12-31T23:00:00Z"));
        let hold = Hold { from, until, scope, reason: "freeze".to_owned() };
        say(&Situation { hold: Some(hold), ..Situation::default() }, "2026-12-03T12:00:00Z")
    };
    assert_eq!(hold(HoldScope::Change), "changes on hold until 2027-01-01 00:00 (freeze); idle");
    assert_eq!(hold(HoldScope::All), "all jobs on hold until 2027-01-01 00:00 (freeze); idle");
}

#[test]
fn what_went_wrong_is_said_until_it_went_right() {
    let mut situation = Situation {
        last: vec![
            last("clean-media", Outcome::Ok, "2026-11-23T00:12:00Z", Some(1)),
            last("clean-cards", Outcome::Partial, "2026-11-22T23:40:00Z", None),
            last("orphans", Outcome::Failed, "2026-11-02T12:00:00Z", None),
        ],
        ..Situation::default()
    };
    assert_eq!(say(&situation, "2026-11-23T12:00:00Z"), "idle; last orphans failed 21 d ago and 1 more");
    situation.last.pop();
    assert_eq!(say(&situation, "2026-11-23T12:00:00Z"), "idle; last clean-cards partial 12 h 20 min ago");
}

#[test]
fn what_runs_and_what_waits() {
    let mut situation = Situation {
        running: vec![NowRunning {
            job: job("clean-media"),
            step: Some(StepIndex(0)),
            of: 2,
            since: at("2026-11-23T00:30:00Z"),
        }],
        next: Some(NextRun { job: job("clean-cards"), at: at("2026-11-23T23:30:00Z") }),
        ..Situation::default()
    };
    assert_eq!(say(&situation, "2026-11-23T00:42:10Z"), "running clean-media step 1/2 for 12 min");
    situation.queued = 1;
    assert_eq!(say(&situation, "2026-11-23T00:42:10Z"), "running clean-media step 1/2 for 12 min, 1 waiting");
    // A clock that went back makes nobody run for minus a day.
    assert_eq!(say(&situation, "2026-11-22T00:42:10Z"), "running clean-media step 1/2 for 0 s, 1 waiting");
    situation.phase = Phase::Stopping;
    assert_eq!(say(&situation, "2026-11-23T00:42:10Z"), "stopping; clean-media goes on in its room");
    situation.phase = Phase::Working;
    situation.running.clear();
    assert_eq!(say(&situation, "2026-11-23T22:30:00Z"), "1 waiting; next clean-cards in 1 h");
}

#[test]
fn trouble_comes_first() {
    let situation = Situation {
        refused: Some(Refused {
            at: at("2026-11-23T11:01:30Z"),
            mistake: "/etc/mastmaintd/mastmaintd.yaml:3:5: jobs.a: unknown key".to_owned(),
        }),
        not_recording: Some("disk full".to_owned()),
        ..Situation::default()
    };
    assert_eq!(
        say(&situation, "2026-11-23T12:00:00Z"),
        "configuration refused at 12:01: /etc/mastmaintd/mastmaintd.yaml:3:5: jobs.a: unknown key; \
         old one in force; not recording: disk full; idle"
    );
}

#[test]
fn phases_have_their_words() {
    let say_phase = |phase| say(&Situation { phase, ..Situation::default() }, "2026-11-23T12:00:00Z");
    assert_eq!(say_phase(Phase::Starting), "starting: reading configuration and ledger");
    assert_eq!(say_phase(Phase::Working), "idle");
    assert_eq!(say_phase(Phase::Reloading), "reading the configuration again; idle");
    assert_eq!(say_phase(Phase::Stopping), "stopping");
}

#[test]
fn what_is_behind_and_who_cannot_be_told_is_said_first() {
    let situation = Situation {
        overdue: vec![job("clean-media")],
        stale: vec!["database".parse().unwrap()],
        not_notifying: Some("the mail server localhost:25 did not take it".to_owned()),
        ..Situation::default()
    };
    assert_eq!(
        say(&situation, "2026-11-23T20:30:00Z"),
        "overdue: clean-media; not known to be fresh: backup database; cannot notify: the mail server localhost:25 did not take it; idle"
    );
}

#[test]
fn services_that_are_stopped_are_said_first() {
    let mut situation = Situation {
        stopped: vec![Stopped {
            job: job("rebuild"),
            units: vec!["mastodon-web".parse().unwrap(), "mastodon-sidekiq".parse().unwrap()],
            not_confirmed: None,
        }],
        ..Situation::default()
    };
    let now = "2026-11-23T12:00:00Z";
    assert_eq!(say(&situation, now), "mastodon-web, mastodon-sidekiq stopped by rebuild; idle");
    situation.stopped[0].not_confirmed = Some("mastodon-web.service is failed (failed)".into());
    assert_eq!(
        say(&situation, now),
        "Mastodon is NOT BACK after rebuild: mastodon-web.service is failed (failed); idle"
    );
}

#[test]
fn what_probes_say_no_to_is_said_before_anything_else_that_goes_on() {
    let down = |probe: &str, since: &str| Down {
        probe: probe.parse().unwrap(),
        since: since.parse().unwrap(),
        why: format!("{probe} answers 500"),
    };
    let situation = Situation {
        down: vec![down("web", "2026-11-23T11:50:00Z"), down("assets", "2026-11-23T11:48:00Z")],
        ..Situation::default()
    };
    assert_eq!(
        say(&situation, "2026-11-23T12:00:00Z"),
        "assets says NO for 12 min: assets answers 500; also web; idle"
    );
}

//! What a schedule means, said by hand for the known days and by a second, minute-by-minute model for all others.

use super::*;
use jiff::{SignedDuration, civil::DateTime};
use proptest::prelude::*;
use std::collections::BTreeSet;

fn schedule(cron: &str, zone: &str) -> Schedule {
    Schedule::parse(cron, zone).unwrap()
}

fn refused(cron: &str) -> String {
    Schedule::parse(cron, "UTC").unwrap_err().to_string()
}

/// Slots after `from` (civil time in the zone) as `MM-DD HH:MM±hh` until `count` are there.
fn slots(cron: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = schedule(cron, zone);
    let mut at =
        from.parse::<DateTime>().unwrap().to_zoned(schedule.time_zone().clone()).unwrap().timestamp();
    let mut found = Vec::new();
    while found.len() < count {
        at = schedule.next_after(at).unwrap();
        found.push(at.to_zoned(schedule.time_zone().clone()).strftime("%m-%d %H:%M%z").to_string());
    }
    found
}

#[test]
fn fields_take_names_lists_ranges_and_steps() {
    assert_eq!(slots("30 0 * * *", "UTC", "2026-11-23T00:30", 2), ["11-24 00:30+0000", "11-25 00:30+0000"]);
    assert_eq!(slots("0 9 * * MON-fri", "UTC", "2026-11-20T09:00", 1), ["11-23 09:00+0000"]);
    assert_eq!(slots("0 9 * * fri-sun", "UTC", "2026-11-23T00:00", 4).last().unwrap(), "12-04 09:00+0000");
    for sunday in ["0", "7", "sun", "7-7", "*/7"] {
        assert_eq!(slots(&format!("0 0 * * {sunday}"), "UTC", "2026-11-23T00:00", 1), ["11-29 00:00+0000"]);
    }
    assert_eq!(
        slots("0 0 1 feb,Aug *", "UTC", "2026-11-23T00:00", 2),
        ["02-01 00:00+0000", "08-01 00:00+0000"]
    );
    assert_eq!(slots("10-40/15 5 * * *", "UTC", "2026-11-23T05:00", 3).last().unwrap(), "11-23 05:40+0000");
    assert_eq!(slots("0 0 29 2 *", "UTC", "2096-02-29T00:00", 1), ["02-29 00:00+0000"]);
}

#[test]
fn a_restricted_day_of_month_or_day_of_week_matches() {
    // 2026-12-13 is a Sunday; both fields are restricted, so either is enough.
    assert_eq!(
        slots("0 0 13 * fri", "UTC", "2026-12-05T00:00", 3),
        ["12-11 00:00+0000", "12-13 00:00+0000", "12-18 00:00+0000"]
    );
    // A field that begins with a star restricts nothing by itself: Mondays with an odd date.
    assert_eq!(
        slots("0 0 */2 * mon", "UTC", "2026-11-23T00:00", 2),
        ["12-07 00:00+0000", "12-21 00:00+0000"]
    );
}

#[test]
fn aliases_are_known_by_their_at() {
    assert_eq!(slots("@daily", "UTC", "2026-11-23T01:00", 1), ["11-24 00:00+0000"]);
    assert_eq!(slots("@midnight", "UTC", "2026-11-23T01:00", 1), ["11-24 00:00+0000"]);
    assert_eq!(slots("@hourly", "UTC", "2026-11-23T01:10", 1), ["11-23 02:00+0000"]);
    assert_eq!(slots("@weekly", "UTC", "2026-11-23T01:10", 1), ["11-29 00:00+0000"]);
    assert_eq!(slots("@monthly", "UTC", "2026-11-23T01:10", 1), ["12-01 00:00+0000"]);
    assert_eq!(slots("@yearly", "UTC", "2026-11-23T01:10", 1), ["01-01 00:00+0000"]);
    assert_eq!(slots("@Annually", "UTC", "2026-11-23T01:10", 1), ["01-01 00:00+0000"]);
    assert!(refused("daily").contains("like @daily"), "{}", refused("daily"));
    assert!(refused("@dayly").contains("did you mean @daily?"), "{}", refused("@dayly"));
    assert!(refused("@reboot").contains("@reboot is no time"));
}

#[test]
fn every_mistake_names_its_field_and_what_is_allowed() {
    for (cron, words) in [
        ("61 * * * *", ["minute \"61\"", "61 is above 59", "0-59"]),
        ("* 24 * * *", ["hour \"24\"", "24 is above 23", "0-23"]),
        ("0 0 0 * *", ["day of month \"0\"", "0 is below 1", "1-31"]),
        ("0 0 1 13 *", ["month \"13\"", "13 is above 12", "jan-dec"]),
        ("0 0 1 * 8", ["day of week \"8\"", "8 is above 7", "mon-sun"]),
        ("0 0 * foo *", ["month \"foo\"", "is not a number or a name", "jan-dec"]),
        ("0 22-2 * * *", ["hour \"22-2\"", "runs backwards", "write 22-23,0-2"]),
        ("*/0 * * * *", ["minute \"*/0\"", "a step of 0", "0-59"]),
        ("*/x * * * *", ["minute \"*/x\"", "the step \"x\" is not a number", "0-59"]),
        ("*/99 * * * *", ["minute \"*/99\"", "longer than the field", "0-59"]),
        ("5/15 * * * *", ["minute \"5/15\"", "write", "0-59"]),
        ("1,,2 * * * *", ["minute \"1,,2\"", "is empty", "0-59"]),
        ("0 -5 * * *", ["hour \"-5\"", "\"\" is not a number", "0-23"]),
        ("0 99999 * * *", ["hour \"99999\"", "99999 is above 23", "0-23"]),
        ("0 0 L * *", ["day of month \"L\"", "is not a number", "1-31"]),
    ] {
        let text = refused(cron);
        let words = words.map(|w| if w == "write" { "like 5-59/15" } else { w });
        assert!(words.iter().all(|w| text.contains(w)), "{cron}: {text}");
    }
}

#[test]
fn a_wrong_number_of_fields_is_explained() {
    assert!(refused("0 30 0 * * *").contains("has 6 fields") && refused("0 30 0 * * *").contains("seconds"));
    assert!(refused("0 30 0 * * * 2026").contains("has 7 fields"));
    assert!(refused("0 0 * *").contains("has 4 fields, not five"));
    assert!(refused("5").contains("has 1 field, not five"));
    assert_eq!(Schedule::parse("  ", "UTC").unwrap_err(), ScheduleError::Empty);
}

#[test]
fn a_schedule_that_never_matches_is_refused() {
    for never in ["0 0 31 2 *", "0 0 30 feb *", "0 0 31 4,6,9,11 *"] {
        assert!(refused(never).contains("never matches"), "{never}");
    }
    // A day of the week saves it.
    schedule("0 0 31 2 mon", "UTC");
}

#[test]
fn an_unknown_zone_names_the_nearest() {
    for (given, wanted) in [
        ("Europe/Pariss", "Europe/Paris"),
        ("paris", "Europe/Paris"),
        ("Amercia/New_York", "America/New_York"),
    ] {
        let error = Schedule::parse("@daily", given).unwrap_err();
        assert!(error.is_about_zone());
        assert!(error.to_string().contains(&format!("did you mean {wanted}?")), "{error}");
    }
    let error = Schedule::parse("@daily", "qqqqqqqqqq").unwrap_err().to_string();
    assert!(error.contains("like Europe/Paris"), "{error}");
    assert_eq!(schedule("@daily", "europe/paris").timezone_name(), "Europe/Paris");
}

#[test]
fn it_is_kept_as_a_map_and_checked_when_read() {
    let kept = serde_json::to_string(&schedule(" 30  0 * * * ", "Europe/Paris")).unwrap();
    assert_eq!(kept, r#"{"cron":"30 0 * * *","timezone":"Europe/Paris"}"#);
    assert_eq!(serde_json::from_str::<Schedule>(&kept).unwrap(), schedule("30 0 * * *", "Europe/Paris"));
    assert!(serde_json::from_str::<Schedule>(r#"{"cron":"61 0 * * *","timezone":"UTC"}"#).is_err());
}

#[test]
fn a_fixed_job_runs_once_over_the_gap() {
    let paris = |cron| slots(cron, "Europe/Paris", "2026-03-29T00:00", 2);
    assert_eq!(paris("30 2 * * *"), ["03-29 03:00+0200", "03-30 02:30+0200"]);
    assert_eq!(paris("15,45 2 * * *"), ["03-29 03:00+0200", "03-30 02:15+0200"]);
    assert_eq!(paris("30 2,3 * * *"), ["03-29 03:00+0200", "03-29 03:30+0200"]);
    assert_eq!(paris("0 5 * * *"), ["03-29 05:00+0200", "03-30 05:00+0200"]);
    assert_eq!(
        slots("@daily", "America/Sao_Paulo", "2017-10-14T12:00", 2),
        ["10-15 01:00-0200", "10-16 00:00-0200"]
    );
}

#[test]
fn a_fixed_job_runs_once_in_the_repeated_hour() {
    assert_eq!(
        slots("30 2 * * *", "Europe/Paris", "2026-10-24T12:00", 2),
        ["10-25 02:30+0200", "10-26 02:30+0100"]
    );
    assert_eq!(
        slots("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", 2),
        ["04-05 01:45+1100", "04-06 01:45+1030"]
    );
}

#[test]
fn a_rhythm_goes_on_over_both_switches() {
    assert_eq!(
        slots("30 * * * *", "Europe/Paris", "2026-03-29T01:00", 3),
        ["03-29 01:30+0100", "03-29 03:30+0200", "03-29 04:30+0200"]
    );
    assert_eq!(
        slots("30 * * * *", "Europe/Paris", "2026-10-25T01:40", 3),
        ["10-25 02:30+0200", "10-25 02:30+0100", "10-25 03:30+0100"]
    );
    assert_eq!(
        slots("*/15 2 * * *", "Europe/Paris", "2026-03-28T02:40", 3),
        ["03-28 02:45+0100", "03-29 03:00+0200", "03-30 02:00+0200"]
    );
    assert_eq!(
        slots("*/15 2 * * *", "Europe/Paris", "2026-10-25T02:40", 2),
        ["10-25 02:45+0200", "10-26 02:00+0100"]
    );
    assert_eq!(
        slots("*/20 * * * *", "America/New_York", "2026-11-01T01:30", 4),
        ["11-01 01:40-0400", "11-01 01:00-0500", "11-01 01:20-0500", "11-01 01:40-0500"]
    );
}

#[test]
fn a_day_that_a_zone_skips_loses_no_run() {
    // Samoa went from 29 to 31 December 2011.
    assert_eq!(
        slots("30 4 * * *", "Pacific/Apia", "2011-12-29T01:00", 3),
        ["12-29 04:30-1000", "12-31 00:00+1400", "12-31 04:30+1400"]
    );
    assert_eq!(
        slots("30 * * * *", "Pacific/Apia", "2011-12-29T23:00", 2),
        ["12-29 23:30-1000", "12-31 00:30+1400"]
    );
}

/// A field for the model: how it is written and the numbers that it means.
type Choice = (String, BTreeSet<i8>);

fn field(low: i8, high: i8) -> impl Strategy<Value = Choice> {
    let steps = (1..=(high - low)).prop_map(move |step| {
        (format!("*/{step}"), (low..=high).step_by(usize::try_from(step).unwrap()).collect())
    });
    let list = proptest::collection::btree_set(low..=high, 1..4)
        .prop_map(|set| (set.iter().map(ToString::to_string).collect::<Vec<_>>().join(","), set));
    let range = (low..=high, low..=high).prop_map(|(a, b)| {
        let (a, b) = (a.min(b), a.max(b));
        (format!("{a}-{b}"), (a..=b).collect())
    });
    let all = Just(("*".to_owned(), (low..=high).collect()));
    prop_oneof![2 => all, 2 => steps, 3 => list, 1 => range]
}

/// The model: knows nothing of masks or of jiff's gaps and folds, only what the wall clock shows in each minute.
struct Model {
    minutes: Choice,
    hours: Choice,
    weekdays: Choice,
    zone: TimeZone,
}

impl Model {
    fn shows(&self, at: Timestamp, offset: jiff::tz::Offset) -> bool {
        let local = offset.to_datetime(at);
        self.minutes.1.contains(&local.minute())
            && self.hours.1.contains(&local.hour())
            && self.weekdays.1.contains(&local.weekday().to_sunday_zero_offset())
    }

    fn rhythm(&self) -> bool {
        self.minutes.0.starts_with('*') || self.hours.0.starts_with('*')
    }

    fn between(&self, from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
        let minute = SignedDuration::from_mins(1);
        let mut found = Vec::new();
        let mut repeated: Option<(Timestamp, jiff::tz::Offset)> = None;
        // From well before, so that a repeated hour is known for one also if it has begun by then.
        let mut now = from - SignedDuration::from_hours(6);
        while now <= until {
            let (offset, earlier) = (self.zone.to_offset(now), self.zone.to_offset(now - minute));
            let jump = i64::from(offset.seconds() - earlier.seconds());
            if jump < 0 {
                repeated = Some((now + SignedDuration::from_secs(-jump), earlier));
            }
            let in_repeat = repeated.filter(|(end, _)| now < *end);
            let shown = self.shows(now, offset)
                && in_repeat.is_none_or(|(_, old)| self.rhythm() && self.shows(now, old));
            let swallowed = (0..jump / 60).map(|n| now + SignedDuration::from_mins(n)).any(|unswitched| {
                self.shows(unswitched, earlier)
                    && !(self.rhythm() && self.shows(unswitched, self.zone.to_offset(unswitched)))
            });
            if now > from && (shown || swallowed) {
                found.push(now);
            }
            now += minute;
        }
        found
    }
}

/// Instants around which a zone does something odd.
fn switches() -> Vec<(&'static str, Timestamp)> {
    let mut found = vec![
        ("Pacific/Apia", "2011-12-30T10:00:00Z".parse().unwrap()),
        ("America/Sao_Paulo", "2017-10-15T03:00:00Z".parse().unwrap()),
    ];
    let (from, until): (Timestamp, Timestamp) =
        ("2024-01-01T00:00:00Z".parse().unwrap(), "2033-01-01T00:00:00Z".parse().unwrap());
    for name in ["Europe/Paris", "America/New_York", "Australia/Lord_Howe"] {
        let zone = TimeZone::get(name).unwrap();
        let all = zone.following(from).map(|t| t.timestamp()).take_while(|t| *t < until);
        found.extend(all.map(|t| (name, t)));
    }
    assert_eq!(found.len(), 2 + 3 * 18, "two switches a year in nine years and three zones");
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn slots_are_those_of_the_model(
        minutes in field(0, 59), hours in field(0, 23), weekdays in field(0, 6),
        switch in proptest::sample::select(switches()), start in -50_i64..30,
    ) {
        let (name, at) = switch;
        let cron = format!("{} {} * * {}", minutes.0, hours.0, weekdays.0);
        let schedule = schedule(&cron, name);
        let from = at + SignedDuration::from_hours(start);
        let until = at + SignedDuration::from_hours(40);
        let model = Model { minutes, hours, weekdays, zone: schedule.time_zone().clone() };
        let mut found = Vec::new();
        let mut next = from;
        while let Some(slot) = schedule.next_after(next).filter(|slot| *slot <= until) {
            prop_assert!(slot > next);
            found.push(slot);
            next = slot;
        }
        let wanted = model.between(from, until);
        prop_assert_eq!(&found, &wanted, "{} in {}", cron, name);
        // The same from every other minute and second: the answer must not depend on where one asks.
        for step in (0..(until.as_second() - from.as_second())).step_by(613) {
            let ask = from + SignedDuration::from_secs(step);
            let answer = schedule.next_after(ask).filter(|slot| *slot <= until);
            prop_assert_eq!(answer, wanted.iter().copied().find(|slot| *slot > ask), "{} asked at {}", cron, ask);
        }
    }
}

#[test]
fn a_whole_year_agrees_with_the_model() {
    let all = |low: i8, high: i8| (low..=high).collect::<BTreeSet<i8>>();
    for (zone, minute, hour) in
        [("Europe/Paris", 30, Some(2)), ("America/New_York", 30, None), ("Australia/Lord_Howe", 15, None)]
    {
        let schedule =
            schedule(&format!("{minute} {} * * *", hour.map_or("*".to_owned(), |h: i8| h.to_string())), zone);
        let model = Model {
            minutes: (minute.to_string(), BTreeSet::from([minute])),
            hours: hour.map_or(("*".to_owned(), all(0, 23)), |h| (h.to_string(), BTreeSet::from([h]))),
            weekdays: ("*".to_owned(), all(0, 6)),
            zone: schedule.time_zone().clone(),
        };
        let from: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let until = from + SignedDuration::from_hours(24 * 365);
        let found: Vec<_> = std::iter::successors(schedule.next_after(from), |t| schedule.next_after(*t))
            .take_while(|t| *t <= until)
            .collect();
        assert_eq!(found, model.between(from, until));
    }
}

//! Any text as a schedule, asked at any instant: it answers soon, in whole seconds, in order, and the same for every
//! instant between two slots.
#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use mastmaint_config::calendar::Schedule;

const ZONES: [&str; 10] = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo",
    "Pacific/Apia",
    "Africa/Casablanca",
    "Antarctica/Troll",
    "Asia/Kathmandu",
    "Europe/Dublin",
];

fuzz_target!(|bytes: &[u8]| {
    let [zone, instant @ ..] = bytes else { return };
    let Some((instant, cron)) = instant.split_at_checked(8) else { return };
    let Ok(cron) = std::str::from_utf8(cron) else { return };
    let zone = ZONES.get(usize::from(*zone)).copied().unwrap_or(cron);
    let schedule = match Schedule::parse(cron, zone) {
        Ok(schedule) => schedule,
        Err(error) => {
            assert!(!error.code().is_empty() && !error.to_string().contains('\n'), "{error}");
            return;
        }
    };
    let again = Schedule::parse(schedule.as_str(), schedule.timezone_name());
    assert_eq!(again.as_ref(), Ok(&schedule));
    let number = instant.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let (least, most) = (Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    let from =
        least + i64::try_from(number % u64::try_from(most - least).expect("positive")).expect("in range");
    let mut after = Timestamp::from_second(from).expect("in range");
    for _ in 0..20 {
        let Some(slot) = schedule.next_after(after) else { return };
        assert!(slot > after && slot.subsec_nanosecond() == 0, "{slot} after {after}");
        let middle = after.as_second() + (slot.as_second() - after.as_second()) / 2;
        for between in [middle, slot.as_second() - 1] {
            let between = Timestamp::from_second(between).expect("between two instants");
            assert_eq!(schedule.next_after(between), Some(slot), "asked at {between} instead of {after}");
        }
        after = slot;
    }
});

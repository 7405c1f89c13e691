//! Whether a schedule, its random delay and its window leave a time in which the job can start. Pure arithmetic over
//! the times of day that a cron expression can mean.

use crate::{calendar::Schedule, mistake::Mistake, settings::Window};
use mastmaint_words::Span;

const DAY: u64 = 86_400;

/// What is wrong with a window for a schedule, if anything is.
pub(super) fn mistake(schedule: &Schedule, window: &Window, delay: Span) -> Option<Mistake> {
    let until = second_of(window.until);
    let slots: Vec<u64> = schedule.times_of_day().map(second_of).collect();
    let left = |slot: u64| match window.from.map(second_of) {
        None => Some(distance(slot, until)).map(|left| if left == 0 { DAY } else { left }),
        Some(from) => {
            let into = distance(from, slot);
            let length = distance(from, until);
            (into < length).then(|| length - into)
        }
    };
    let inside: Vec<u64> = slots.iter().filter_map(|slot| left(*slot)).collect();
    let Some(least) = inside.iter().min() else {
        let first = slots.first()?;
        return Some(Mistake::SlotOutsideWindow {
            slot: format!("{:02}:{:02}", first / 3600, first / 60 % 60),
        });
    };
    (delay >= Span::from_secs(*least)).then(|| Mistake::DelayBeyondWindow {
        delay: delay.to_string(),
        left: Span::from_secs(*least).to_string(),
    })
}

/// What is odd about a window without a beginning, if anything is: one that ends shortly before a slot ends a day
/// later.
pub(super) fn oddity(schedule: &Schedule, window: &Window) -> Option<Mistake> {
    let until = second_of(window.until);
    let slot = schedule.times_of_day().find(|slot| distance(second_of(*slot), until) > DAY / 2)?;
    let shown = |time: jiff::civil::Time| time.strftime("%H:%M").to_string();
    window
        .from
        .is_none()
        .then(|| Mistake::WindowEndsTheDayAfter { until: shown(window.until), slot: shown(slot) })
}

fn second_of(time: jiff::civil::Time) -> u64 {
    let part = |n: i8| u64::from(n.unsigned_abs());
    part(time.hour()) * 3600 + part(time.minute()) * 60 + part(time.second())
}

fn distance(from: u64, to: u64) -> u64 {
    (to + DAY - from) % DAY
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(cron: &str, from: Option<&str>, until: &str, delay: &str) -> Option<&'static str> {
        let window = Window { from: from.map(|t| t.parse().unwrap()), until: until.parse().unwrap() };
        mistake(&Schedule::parse(cron, "UTC").unwrap(), &window, delay.parse().unwrap()).map(|m| m.code())
    }

    #[test]
    fn a_window_must_hold_a_slot_and_its_delay() {
        assert_eq!(judge("30 0 * * *", None, "02:30", "10m"), None);
        assert_eq!(judge("30 0 * * *", None, "02:30", "2h"), Some("delay-beyond-window"));
        assert_eq!(judge("30 23 * * *", None, "01:00", "89m"), None);
        assert_eq!(judge("30 23 * * *", None, "01:00", "90m"), Some("delay-beyond-window"));
        assert_eq!(judge("30 0 * * *", Some("01:00"), "02:00", "0s"), Some("slot-outside-window"));
        assert_eq!(judge("30 0 * * *", Some("22:00"), "02:00", "0s"), None);
        assert_eq!(judge("0 */6 * * *", Some("05:00"), "07:00", "59m"), None);
        assert_eq!(judge("@daily", Some("00:00"), "01:00", "1h"), Some("delay-beyond-window"));
        assert_eq!(judge("@Hourly", Some("05:00"), "06:00", "0s"), None);
        assert_eq!(judge("0 2 * * *", Some("02:00"), "02:00", "0s"), Some("slot-outside-window"));
    }
}

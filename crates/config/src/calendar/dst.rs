//! From minutes on the wall clock to instants, over both switches of daylight saving time and any other jump of a
//! zone. The rule is Vixie cron's, made exact so that no run is lost and none is doubled:
//!
//! * A *fixed* job (neither minute nor hour begins with `*`) whose time falls into a gap runs once at the end of the
//!   gap, also if several of its times fell in. In a repeated hour it runs the first time only.
//! * A job with a *rhythm* (minute or hour begins with `*`) goes on as if nothing had been switched. A time in a gap
//!   is made up at the gap's end only if the clock without the switch would not find a run there: `30 * * * *` in
//!   Paris has its 02:30 at 03:30, nothing to make up; `*/15 2 * * *` runs once at 03:00. In a repeated hour it
//!   runs again only if the clock without the switch would say so: `30 * * * *` does, `*/15 2 * * *` does not.

use super::pattern::Pattern;
use jiff::{
    Timestamp,
    civil::DateTime,
    tz::{AmbiguousOffset, Offset, TimeZone},
};

/// The first slot after an instant.
pub(super) fn next_after(pattern: &Pattern, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    let mut from = first_candidate(zone, after);
    // The second pass of a repeated hour comes after the first pass of times that stand later on the wall clock.
    let mut again: Option<Timestamp> = None;
    while let Some(slot) = pattern.at_or_after(from) {
        let instants = Instants::of(pattern, zone, slot)?;
        again = [again, instants.again.filter(|t| *t > after)].into_iter().flatten().min();
        if let Some(first) = instants.first.filter(|t| *t > after) {
            return Some(again.map_or(first, |again| again.min(first)));
        }
        from = slot.checked_add(jiff::SignedDuration::from_mins(1)).ok()?;
    }
    again
}

/// The earliest time on the wall clock that can still have an instant after `after`: in the first pass of a
/// repeated hour that is the hour's begin, for its second pass is still to come.
fn first_candidate(zone: &TimeZone, after: Timestamp) -> DateTime {
    let local = zone.to_datetime(after);
    if let AmbiguousOffset::Fold { before, after: later } = zone.to_ambiguous_timestamp(local).offset()
        && zone.to_offset(after) == before
        && let Some(switch) = switch_after(zone, after, later)
    {
        return later.to_datetime(switch);
    }
    local
}

/// The instants of one time on the wall clock.
struct Instants {
    /// Its only or first one.
    first: Option<Timestamp>,
    /// In the second pass of a repeated hour.
    again: Option<Timestamp>,
}

impl Instants {
    /// `None` only at the end of representable time.
    fn of(pattern: &Pattern, zone: &TimeZone, slot: DateTime) -> Option<Self> {
        Some(match zone.to_ambiguous_timestamp(slot).offset() {
            AmbiguousOffset::Unambiguous { offset } => {
                Self { first: Some(offset.to_timestamp(slot).ok()?), again: None }
            }
            AmbiguousOffset::Gap { before, after } => {
                let unswitched = before.to_timestamp(slot).ok()?;
                let made_up = pattern.has_rhythm() && pattern.matches(zone.to_datetime(unswitched));
                let gap_end = switch_after(zone, after.to_timestamp(slot).ok()?, after);
                Self { first: if made_up { None } else { gap_end }, again: None }
            }
            AmbiguousOffset::Fold { before, after } => {
                let again = after.to_timestamp(slot).ok()?;
                let wanted = pattern.has_rhythm() && pattern.matches(before.to_datetime(again));
                Self { first: Some(before.to_timestamp(slot).ok()?), again: wanted.then_some(again) }
            }
        })
    }
}

/// The next switch of a zone to an offset.
fn switch_after(zone: &TimeZone, from: Timestamp, to: Offset) -> Option<Timestamp> {
    zone.following(from).find(|switch| switch.offset() == to).map(|switch| switch.timestamp())
}

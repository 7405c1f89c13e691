//! What a job requires of its host before a run of it is admitted: asked of the rooms that see it. What does not hold
//! lets the run wait or skips it; what cannot be looked at fails it, so that it never runs unseen.

use super::{Drive, look::Looked};
use crate::room::RoomError;
use mastmaint_runner::protocol::{EventKind, Op, Unmet};
use mastmaint_words::{Grade, Outcome, Reason, Room, Verdict};
use std::time::Duration;

/// Code of the reason of a run that was skipped because something was in its way.
pub const NOT_MET: &str = "requires";
/// Code of the reason of a run of which nobody knows whether something is in its way.
pub const UNKNOWN: &str = "requires-unknown";
/// Services are asked with some patience, one after the other.
const PATIENCE: Duration = Duration::from_mins(2);
/// More than these say nothing new.
const MOST_SAID: usize = 3;

impl Drive {
    /// Asks every room that sees something of it.
    pub(super) async fn look_at_requirements(&self) -> Looked {
        let mut unmet = Vec::new();
        for room in &self.spec.rooms_to_look {
            match tokio::time::timeout(PATIENCE, self.look_in(*room)).await {
                Ok(Ok(of_room)) => unmet.extend(of_room),
                Ok(Err(error)) => unmet.push(Unmet { why: error.to_string(), seen: false }),
                Err(_) => {
                    let why = format!("the {room} room gave no answer within {} s", PATIENCE.as_secs());
                    unmet.push(Unmet { why, seen: false });
                }
            }
        }
        decide(&unmet)
    }

    async fn look_in(&self, room: Room) -> Result<Vec<Unmet>, RoomError> {
        let mut open = self.outside.rooms.open(room).await?;
        let look = Op::Look { digest: self.spec.digest.clone(), job: self.spec.job_name.clone() };
        match open.ask_once(look).await? {
            EventKind::Looked { unmet } => Ok(unmet),
            other => {
                let why = format!("asked what is required, it says {other:?}");
                Err(RoomError::Protocol { room, why })
            }
        }
    }
}

/// What follows from what does not hold. What was seen comes first: while it is in the way nothing else matters.
fn decide(unmet: &[Unmet]) -> Looked {
    let said = |seen: bool| {
        let of_kind: Vec<&str> =
            unmet.iter().filter(|unmet| unmet.seen == seen).map(|unmet| unmet.why.as_str()).collect();
        let more = of_kind.len().saturating_sub(MOST_SAID);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        (!of_kind.is_empty()).then(|| format!("{}{more}", of_kind[..of_kind.len().min(MOST_SAID)].join("; ")))
    };
    if let Some(why) = said(true) {
        return Looked::NotNow(why);
    }
    match said(false) {
        Some(why) => {
            let text = format!("what the job requires is not known, so it was not run: {why}");
            let verdict = Verdict::because(Outcome::Failed, Grade::Exit, Reason::new(UNKNOWN, text));
            Looked::Over(Box::new(verdict))
        }
        None => Looked::Fine,
    }
}

/// The verdict of a run that had something in its way each time that it looked.
pub fn not_met(why: &str, looks: u32) -> Verdict {
    let often = if looks > 1 { format!("; so it was at the last of {looks} looks") } else { String::new() };
    Verdict::because(Outcome::Skipped, Grade::Exit, Reason::new(NOT_MET, format!("{why}{often}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmet(whys: &[(&str, bool)]) -> Vec<Unmet> {
        whys.iter().map(|(why, seen)| Unmet { why: (*why).to_owned(), seen: *seen }).collect()
    }

    #[test]
    fn what_was_seen_skips_and_what_is_not_known_fails() {
        assert!(matches!(decide(&[]), Looked::Fine));
        let Looked::NotNow(why) = decide(&unmet(&[("x", false), ("pg_dump is running", true)])) else {
            panic!("it would run or fail")
        };
        assert_eq!(why, "pg_dump is running");
        let Looked::Over(verdict) = decide(&unmet(&[("the load cannot be looked at: x", false)])) else {
            panic!("it would run unseen")
        };
        assert_eq!((verdict.outcome, verdict.reasons[0].code.as_str()), (Outcome::Failed, UNKNOWN));
    }

    #[test]
    fn of_much_that_is_in_the_way_some_is_said() {
        let many = unmet(&[("a", true), ("b", true), ("c", true), ("d", true), ("e", true)]);
        assert!(matches!(decide(&many), Looked::NotNow(why) if why == "a; b; c; and 2 more"));
    }

    #[test]
    fn a_run_says_how_often_it_looked() {
        assert_eq!(not_met("pg_dump is running", 1).to_string(), "skipped (exit): pg_dump is running");
        let often = not_met("pg_dump is running", 7).to_string();
        assert_eq!(often, "skipped (exit): pg_dump is running; so it was at the last of 7 looks");
    }
}

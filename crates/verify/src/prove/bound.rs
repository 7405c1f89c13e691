//! What can be said of all files after some were read.

use super::Summary;
use crate::stamp::Stamp;
use jiff::Timestamp;
use mastmaint_words::human;

/// The largest share of bad files that still lets `read` good ones in a row happen once in twenty times: at 95 %
/// confidence no more than this is bad. 1 if nothing was read.
pub fn at_most_bad(read: u64) -> f64 {
    if read == 0 {
        return 1.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "a per cent with two digits")]
    let exponent = 1.0 / read as f64;
    1.0 - 0.05_f64.powf(exponent)
}

/// The sentence about the proof: how many `things`, how old, and what follows for the rest.
pub fn sentence(summary: &Summary, things: &str, now: Timestamp) -> String {
    let Summary { files, proved, oldest, read, bad, .. } = *summary;
    if files == 0 {
        return format!("nothing to prove: there are no {things} in it");
    }
    let age = || match human::between(oldest.at(), now) {
        Some(age) => format!(", oldest proof {} old", human::span(age)),
        None => ", oldest proof just now".to_owned(),
    };
    let age = if oldest == Stamp::NEVER { String::new() } else { age() };
    let rest = match () {
        () if bad > 0 => format!("; {} bad", grouped(bad)),
        () if proved < files => {
            let per_cent = at_most_bad(proved) * 100.0;
            format!("; {} read tonight, none bad: at most {per_cent:.2} % bad (95 %)", grouped(read))
        }
        () => String::new(),
    };
    format!("{} of {} {things} proved{age}{rest}", grouped(proved), grouped(files))
}

/// A number with its thousands parted: `47,200`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_is_that_of_the_facts() {
        assert!((at_most_bad(900) * 100.0 - 0.33).abs() < 0.005);
        assert!((at_most_bad(1) - 0.95).abs() < 1e-9);
        assert!((at_most_bad(0) - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn the_sentence_says_how_many_and_how_old() {
        let now: Timestamp = "2026-11-23T06:30:00Z".parse().unwrap();
        let nine_days = Stamp::of("2026-11-14T06:30:00Z".parse().unwrap());
        let all = Summary { files: 47_200, proved: 47_200, oldest: nine_days, ..Summary::default() };
        assert_eq!(sentence(&all, "files", now), "47,200 of 47,200 files proved, oldest proof 9 d old");
        let some =
            Summary { files: 47_200, proved: 900, oldest: Stamp::of(now), read: 900, ..Summary::default() };
        assert_eq!(
            sentence(&some, "files", now),
            "900 of 47,200 files proved, oldest proof just now; 900 read tonight, none bad: at most 0.33 % bad (95 %)"
        );
        let bad = Summary { bad: 1, ..all };
        assert!(sentence(&bad, "files", now).ends_with("; 1 bad"));
        assert_eq!(sentence(&Summary::default(), "files", now), "nothing to prove: there are no files in it");
    }
}

use super::*;
use proptest::prelude::*;

/// `y`es, `n`o, `?` for not asked, `-` for a pause; a minute lies between two.
fn play(terms: Terms, answers: &str) -> (Standing, Vec<(usize, Change)>) {
    let (probe, mut standing, mut changes) = ("web".parse().unwrap(), Standing::default(), Vec::new());
    for (minute, answer) in answers.chars().enumerate() {
        let said = match answer {
            'y' => Said::Answers { what: "200".into() },
            'n' => Said::Silent { why: format!("no {minute}") },
            '-' => {
                standing.pause();
                continue;
            }
            _ => Said::NotAsked { why: "?".into() },
        };
        changes.extend(standing.hear(&probe, terms, at(minute), &said).map(|change| (minute, change)));
    }
    (standing, changes)
}

fn at(minute: usize) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + 60 * i64::try_from(minute).unwrap()).unwrap()
}

const USUAL: Terms = Terms { down_after: 3, up_after: 3 };

fn shape(changes: &[(usize, Change)]) -> Vec<(usize, bool)> {
    changes.iter().map(|(minute, change)| (*minute, matches!(change, Change::Opened(_)))).collect()
}

#[test]
fn three_of_three_open_and_three_of_three_close() {
    let (_, changes) = play(USUAL, "ynnynnnnnyynyyyy");
    assert_eq!(shape(&changes), [(6, true), (14, false)]);
    let Change::Opened(opened) = &changes[0].1 else { panic!() };
    assert_eq!((opened.opened, opened.known, opened.why.as_str()), (at(4), at(6), "no 6"));
    let Change::Closed(closed) = &changes[1].1 else { panic!() };
    assert_eq!((closed.opened, closed.closed), (at(4), Some(at(12))), "from the first no to the first yes");
}

#[test]
fn what_was_not_asked_says_nothing_and_a_pause_begins_anew() {
    assert_eq!(shape(&play(USUAL, "nn??n").1), [(4, true)]);
    assert_eq!(shape(&play(USUAL, "????????").1), []);
    assert_eq!(shape(&play(USUAL, "nn-nn").1), []);
    assert_eq!(shape(&play(USUAL, "nnn-yy-yy").1), [(2, true)]);
    assert_eq!(shape(&play(Terms { down_after: 1, up_after: 1 }, "nny").1), [(0, true), (2, false)]);
}

#[test]
fn an_incident_of_before_is_closed_and_not_opened_again() {
    let (standing, _) = play(USUAL, "nnn");
    let mut next = Standing::with(standing.incident().cloned());
    let probe = "web".parse().unwrap();
    for minute in 10..20 {
        assert_eq!(next.hear(&probe, USUAL, at(minute), &Said::Silent { why: "still".into() }), None);
    }
    let taken_out = next.give_up(at(30), "taken out").unwrap();
    assert_eq!((taken_out.closed, taken_out.ended.as_deref()), (Some(at(30)), Some("taken out")));
    assert_eq!(Standing::default().give_up(at(30), "x"), None);
}

#[test]
fn a_clock_that_is_set_back_makes_no_end_before_its_begin() {
    let (mut standing, _) = play(Terms { down_after: 1, up_after: 1 }, "yyyyyn");
    let change = standing.hear(
        &"web".parse().unwrap(),
        Terms { down_after: 1, up_after: 1 },
        at(0),
        &Said::Answers { what: String::new() },
    );
    let Some(Change::Closed(closed)) = change else { panic!() };
    assert!(closed.closed.unwrap() >= closed.opened);
}

proptest! {
    #[test]
    fn never_too_soon_and_always_in_turn(answers in "[yn?-]{0,80}", down_after in 1..5_u16, up_after in 1..5_u16) {
        let terms = Terms { down_after, up_after };
        let (standing, changes) = play(terms, &answers);
        // Opened and closed in turn, beginning with the first.
        for (position, (_, change)) in changes.iter().enumerate() {
            prop_assert_eq!(matches!(change, Change::Opened(_)), position % 2 == 0);
        }
        prop_assert_eq!(standing.incident().is_some(), changes.len() % 2 == 1);
        // Each after so many answers of its kind, without another kind or a pause in between.
        for (minute, change) in &changes {
            let (wanted, other, needed) = match change {
                Change::Opened(_) => ('n', 'y', down_after),
                Change::Closed(_) => ('y', 'n', up_after),
            };
            let before: String = answers[..=*minute].chars().rev().take_while(|c| *c != other && *c != '-').collect();
            let count = before.chars().filter(|c| *c == wanted).count();
            prop_assert!(count >= usize::from(needed), "{} of {} at {}", count, needed, minute);
        }
        // And never missed: so many in a row, however they came, leave it open or closed.
        let tail: String = answers.chars().rev().take_while(|c| *c == 'n').collect();
        prop_assert!(tail.len() < usize::from(down_after) || standing.incident().is_some());
    }
}

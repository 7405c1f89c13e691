use super::*;
use jiff::Timestamp;
use proptest::prelude::*;

fn claim(job: &str, lock: Option<&str>) -> Claim {
    Claim {
        run: RunId::new(Timestamp::UNIX_EPOCH).unwrap(),
        job: job.parse().unwrap(),
        lock: lock.map(|l| l.parse().unwrap()),
    }
}

#[test]
fn a_shared_lock_makes_the_second_wait_and_say_for_whom() {
    let mut admission = Admission::default();
    let [first, second, third] = ["media", "cards", "orphans"].map(|job| claim(job, Some("mastodon")));
    for each in [&first, &second, &third] {
        admission.enqueue(each.clone());
    }
    let why = |admission: &Admission, claim: &Claim| admission.waits_for(&claim.run).unwrap().to_string();
    assert_eq!(
        why(&admission, &second),
        format!("waits for the lock mastodon, behind media ({})", first.run)
    );
    assert_eq!(admission.admit(), vec![first.clone()]);
    for each in [&second, &third] {
        let expected = format!("waits for the lock mastodon, held by media ({})", first.run);
        assert_eq!(why(&admission, each), expected);
    }
    admission.release(&first.run);
    assert_eq!(admission.admit(), vec![second]);
}

#[test]
fn a_job_without_a_lock_overtakes_but_never_overlaps_itself() {
    let mut admission = Admission::default();
    let (a, b, c, d) = (claim("a", Some("x")), claim("b", Some("x")), claim("c", None), claim("c", None));
    for each in [&a, &b, &c, &d] {
        admission.enqueue(each.clone());
    }
    assert_eq!(admission.admit(), vec![a, c]);
    assert!(admission.waits_for(&d.run).unwrap().to_string().contains("same job"));
    assert!(admission.is_waiting(&b.run));
}

/// What happens to an admission. Who asked (a person, the schedule, a retry) makes no difference to it, so it is no
/// part of a claim; what an earlier daemon started is.
#[derive(Debug, Clone)]
enum Event {
    Ask {
        job: u8,
        lock: u8,
    },
    /// One of those that run ends.
    End(usize),
    /// One of those that wait is taken out: cancelled, or its bound on waiting is over.
    Leave(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..5_u8, 0..3_u8).prop_map(|(job, lock)| Event::Ask { job, lock }),
        2 => any::<usize>().prop_map(Event::End),
        1 => any::<usize>().prop_map(Event::Leave),
    ]
}

fn claim_of(job: u8, lock: u8) -> Claim {
    let lock = ["", "x", "y"][usize::from(lock)];
    claim(&format!("j{job}"), (!lock.is_empty()).then_some(lock))
}

proptest! {
    #[test]
    fn what_excludes_each_other_neither_overlaps_nor_overtakes_nor_starves(
        adopted in proptest::collection::vec((0..5_u8, 0..3_u8), 0..3),
        events in proptest::collection::vec(event(), 1..80),
    ) {
        let mut admission = Admission::default();
        // Those that an earlier daemon started may overlap (a lock may have been added since): nobody else may.
        let mut running: Vec<Claim> = adopted.into_iter().map(|(job, lock)| claim_of(job, lock)).collect();
        for claim in &running {
            admission.adopt(claim.clone());
        }
        let mut waiting: Vec<Claim> = Vec::new();
        // In the end everybody ends.
        let endings = std::iter::repeat_n(Event::End(0), events.len() + 3);
        for event in events.into_iter().chain(endings) {
            let mut starts_at_once = None;
            match event {
                Event::Ask { job, lock } => {
                    let claim = claim_of(job, lock);
                    starts_at_once = admission.is_free_for(&claim).then(|| claim.clone());
                    waiting.push(claim.clone());
                    admission.enqueue(claim);
                }
                Event::End(which) if !running.is_empty() => {
                    let done = running.remove(which % running.len());
                    admission.release(&done.run);
                }
                Event::Leave(which) if !waiting.is_empty() => {
                    let gone = waiting.remove(which % waiting.len());
                    admission.release(&gone.run);
                }
                Event::End(_) | Event::Leave(_) => {}
            }
            for admitted in admission.admit() {
                let place = waiting.iter().position(|claim| *claim == admitted);
                prop_assert!(place.is_some(), "{admitted:?} was not waiting");
                waiting.remove(place.unwrap());
                let earlier = &waiting[..place.unwrap()];
                prop_assert!(!earlier.iter().any(|e| excludes(e, &admitted)), "overtook whom it excludes");
                prop_assert!(!running.iter().any(|r| excludes(r, &admitted)), "overlaps");
                running.push(admitted);
            }
            if let Some(claim) = starts_at_once {
                prop_assert!(running.contains(&claim), "the lock was free: {claim:?}");
            }
            for (place, claim) in waiting.iter().enumerate() {
                // Whoever waits can say for whom, and it is true.
                let wait = admission.ahead_of(&claim.run);
                prop_assert!(wait.is_some(), "waits for nobody: {claim:?}");
                let wait = wait.unwrap();
                let other = if wait.is_running { running.as_slice() } else { &waiting[..place] };
                prop_assert!(other.iter().any(|o| o.run == wait.run && excludes(o, claim)));
            }
        }
        prop_assert!(waiting.is_empty() && running.is_empty(), "starved: {waiting:?}");
    }
}

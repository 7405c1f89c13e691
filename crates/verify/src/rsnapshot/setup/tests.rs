use super::*;
use crate::rsnapshot::{Level, Point};
use proptest::prelude::*;

const DAY: u32 = 86_400;

fn conf() -> Conf {
    let level = |name: &str, keep| Level { name: name.to_owned(), keep };
    Conf {
        levels: vec![level("daily", 7), level("weekly", 4)],
        points: vec![Point { source: "/a/".to_owned(), dest: "a".to_owned() }],
        ..Conf::default()
    }
}

fn present(daily: impl IntoIterator<Item = u32>, weekly: impl IntoIterator<Item = u32>) -> Present {
    let of = |level: usize, number: u32, step: u32| Snapshot {
        level,
        number,
        stamp: Stamp(1_000 * DAY - number * step * DAY - u32::try_from(level).unwrap() * 7 * DAY),
        standing: Standing::Complete,
    };
    let mut snapshots: Vec<_> = daily.into_iter().map(|n| of(0, n, 1)).collect();
    snapshots.extend(weekly.into_iter().map(|n| of(1, n, 7)));
    Present { snapshots, ..Present::default() }
}

fn codes(present: &Present, change: impl FnOnce(&mut Look<'_>)) -> Vec<Code> {
    codes_of(present, &BTreeSet::new(), change)
}

fn codes_of(present: &Present, bad: &BTreeSet<String>, change: impl FnOnce(&mut Look<'_>)) -> Vec<Code> {
    let conf = conf();
    let mut look = Look {
        conf: &conf,
        notes: &[],
        present,
        lock: Lock::Free,
        last_run: Some((Ended::Well, "completed successfully")),
        newest: (1000, 10),
        idle_excludes: &[],
        bad,
        known_since: Some(Stamp(900 * DAY)),
        now: Stamp(1_000 * DAY),
    };
    change(&mut look);
    set_up_right(&look).into_iter().map(|f| f.code).collect()
}

#[test]
fn a_full_rotation_and_a_young_one_are_clean() {
    assert_eq!(codes(&present(0..7, 0..4), |_| ()), []);
    assert_eq!(codes(&present(0..6, 0..1), |_| ()), [], "just rotated up");
    assert_eq!(codes(&present(0..3, []), |_| ()), [], "young");
    let young = |l: &mut Look<'_>| l.known_since = Some(Stamp(999 * DAY));
    assert_eq!(codes(&present(0..7, []), young), [], "full for the first time");
}

#[test]
fn what_a_run_deletes_lacks_nothing() {
    let mut present = present(0..7, 0..4);
    present.snapshots[6].standing = Standing::LacksAPoint;
    assert_eq!(codes(&present, |l| l.lock = Lock::Held(1)), []);
    assert_eq!(codes(&present, |_| ()), [Code::LastRunTroubled]);
}

#[test]
fn each_fault_has_its_word() {
    assert_eq!(codes(&present(0..7, []), |_| ()), [Code::LevelNeverRan]);
    assert_eq!(codes(&present([0, 1, 3, 4, 5, 6], 0..4), |_| ()), [Code::RetentionShort]);
    assert_eq!(codes(&present(0..3, 0..4), |_| ()), [Code::RetentionShort]);
    assert_eq!(codes(&present(0..7, 0..4), |l| l.newest = (1000, 990)), [Code::CopiedNotLinked]);
    assert_eq!(
        codes(&present(0..1, []), |l| l.newest = (1000, 1000)),
        [],
        "the first generation links to none"
    );
    assert_eq!(codes(&present(0..7, 0..4), |l| l.lock = Lock::Stale), [Code::StaleLock]);
    let errors = |l: &mut Look<'_>| l.last_run = Some((Ended::WithErrors, "completed, but with some errors"));
    assert_eq!(codes(&present(0..7, 0..4), errors), [Code::LastRunTroubled]);
    let left = Present { left: vec!["_delete.5".to_owned()], ..present(0..7, 0..4) };
    assert_eq!(codes(&left, |_| ()), [Code::DeletionLeft]);
    assert_eq!(codes(&left, |l| l.lock = Lock::Held(5)), [], "a deletion at work");
    let mut half = present(0..7, 0..4);
    half.snapshots[6].standing = Standing::LacksAPoint;
    assert_eq!(codes(&half, |_| ()), [Code::LastRunTroubled]);
    assert_eq!(codes(&half, |l| l.lock = Lock::Held(5)), [], "the oldest is being deleted");
}

#[test]
fn the_last_proved_generation_has_a_veto() {
    let all = present(0..7, 0..4);
    let names = |except: &str| {
        let names = all.snapshots.iter().map(|s| s.name(&conf()));
        names.filter(|n| n != except).collect::<BTreeSet<_>>()
    };
    let (but_the_last, but_another) = (names("weekly.3"), names("daily.2"));
    assert_eq!(codes_of(&all, &but_the_last, |_| ()), [Code::LastProvedGoes]);
    assert_eq!(codes_of(&all, &but_another, |_| ()), [], "the good one stays for a while");
    let short = present(0..7, 0..3);
    assert_eq!(codes_of(&short, &but_the_last, |_| ()), [], "nothing is deleted yet");
}

proptest! {
    #[test]
    fn there_is_a_veto_only_for_what_goes(
        daily in proptest::collection::btree_set(0_u32..9, 0..9),
        weekly in proptest::collection::btree_set(0_u32..6, 0..6),
        bad in proptest::collection::btree_set(0_u32..9, 0..9),
    ) {
        let present = present(daily, weekly);
        let bad: BTreeSet<String> = bad.into_iter().map(|n| format!("daily.{n}")).collect();
        let has_veto = codes_of(&present, &bad, |_| ()).contains(&Code::LastProvedGoes);
        let good = present.snapshots.iter().filter(|s| !bad.contains(&s.name(&conf()))).count();
        prop_assert_eq!(has_veto, good == 1 && doomed(&conf(), &present).any(|s| !bad.contains(&s.name(&conf()))));
    }
}

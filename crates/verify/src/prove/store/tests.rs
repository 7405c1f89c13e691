//! Whatever is cut off or flipped, the store opens, and never says more than was proved.

use super::*;
use mastmaint_words::backup::Budget;
use proptest::prelude::*;

fn proof(ino: u64, proved: u32) -> Proof {
    Proof {
        identity: Identity { fs: 1, ino },
        size: ino,
        hash: [u8::try_from(ino % 256).unwrap(); 32],
        proved: Stamp(proved),
        tried: Stamp(proved),
        path: format!("daily.0/{ino}\n\u{fffd}").into_bytes().into(),
        ..Proof::default()
    }
}

fn nightly(now: u32) -> Nightly {
    Nightly { now: Stamp(now), prove_every: Duration::ZERO, full: true, budget: Budget::default() }
}

fn night(store: &mut Store, now: u32, inos: impl IntoIterator<Item = u64>) {
    let began = store.begin(&nightly(now)).unwrap();
    for ino in inos {
        store.keep(proof(ino, began.0)).unwrap();
    }
}

fn finish(store: &mut Store) {
    store.take_over();
    let history = History { at: Stamp(1), paths: 2, bytes: 3 };
    store.finish(|_| true, vec![Finished { stamp: Stamp(7), paths: 8 }], Some(history)).unwrap();
}

#[test]
fn what_was_finished_is_there_again() {
    let place = tempfile::tempdir().unwrap();
    let mut store = Store::open(place.path(), Stamp(1)).unwrap();
    night(&mut store, 100, 0..50);
    finish(&mut store);
    night(&mut store, 200_000, 40..60);
    finish(&mut store);
    drop(store);
    let store = Store::open(place.path(), Stamp(1)).unwrap();
    assert_eq!(store.proofs().len(), 60);
    assert_eq!(store.proofs()[store.position(Identity { fs: 1, ino: 45 }).unwrap()], proof(45, 200_000));
    assert_eq!(store.proofs()[store.position(Identity { fs: 1, ino: 5 }).unwrap()], proof(5, 100));
    assert_eq!(store.history().len(), 2);
    assert_eq!(store.finished(Stamp(7)).unwrap().paths, 8);
    assert!(store.set_aside().is_none());
}

#[test]
fn one_at_a_time() {
    let place = tempfile::tempdir().unwrap();
    let first = Store::open(place.path(), Stamp(1)).unwrap();
    assert!(matches!(Store::open(place.path(), Stamp(1)), Err(VerifyError::Busy { .. })));
    drop(first);
    Store::open(place.path(), Stamp(1)).unwrap();
}

#[test]
fn a_night_that_was_cut_off_is_the_same_night_for_a_while() {
    let place = tempfile::tempdir().unwrap();
    let mut store = Store::open(place.path(), Stamp(1)).unwrap();
    night(&mut store, 100_000, 0..5);
    drop(store);
    let mut store = Store::open(place.path(), Stamp(1)).unwrap();
    assert_eq!(store.begin(&nightly(100_500)).unwrap(), Stamp(100_000));
    store.keep(proof(9, 100_000)).unwrap();
    drop(store);
    let mut store = Store::open(place.path(), Stamp(1)).unwrap();
    assert_eq!(store.proofs().len(), 6);
    assert_eq!(store.begin(&nightly(200_000)).unwrap(), Stamp(200_000), "the next night");
    drop(store);
    assert_eq!(Store::open(place.path(), Stamp(1)).unwrap().proofs().len(), 6);
}

#[test]
fn a_damaged_store_is_set_aside_and_kept() {
    let place = tempfile::tempdir().unwrap();
    let mut store = Store::open(place.path(), Stamp(1)).unwrap();
    night(&mut store, 100, 0..50);
    finish(&mut store);
    drop(store);
    let path = place.path().join("proofs");
    let mut content = fs::read(&path).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    fs::write(&path, content).unwrap();
    let store = Store::open(place.path(), Stamp(9)).unwrap();
    assert!(store.proofs().is_empty());
    assert!(store.set_aside().unwrap().exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Killed while it writes the file of the night: everything before the torn frame is there, and more can follow.
    #[test]
    fn a_torn_night_loses_only_its_torn_end(cut in any::<proptest::sample::Index>()) {
        let place = tempfile::tempdir().unwrap();
        let mut store = Store::open(place.path(), Stamp(1)).unwrap();
        night(&mut store, 100, 0..8);
        drop(store);
        let path = place.path().join("night");
        let content = fs::read(&path).unwrap();
        let at = cut.index(content.len() + 1);
        fs::write(&path, &content[..at]).unwrap();
        let mut store = Store::open(place.path(), Stamp(1)).unwrap();
        let kept = store.proofs().len() as u64;
        for ino in 0..kept {
            prop_assert_eq!(&store.proofs()[store.position(Identity { fs: 1, ino }).unwrap()], &proof(ino, 100));
        }
        if at == content.len() {
            prop_assert_eq!(kept, 8);
        }
        night(&mut store, 101, kept..8);
        drop(store);
        prop_assert_eq!(Store::open(place.path(), Stamp(1)).unwrap().proofs().len(), 8);
    }

    #[test]
    fn records_read_back(ino in any::<u64>(), path in proptest::collection::vec(any::<u8>(), 0..300)) {
        let given = Record::Proof(Proof { path: path.into(), ..proof(ino, 3) });
        prop_assert_eq!(Record::decode(&given.encode()), Some(given));
    }

    #[test]
    fn rubbish_is_no_record_and_no_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
        let _ = Record::decode(&bytes);
    }
}

use super::*;
use std::collections::{BTreeMap, BTreeSet};

const CATALOG: &str = include_str!("../../../packaging/mastmaintd.catalog");

/// Entries of the catalog: id, header lines, text.
fn entries() -> Vec<(&'static str, BTreeMap<&'static str, &'static str>, &'static str)> {
    let (_, entries) = CATALOG.split_once("\n-- ").unwrap();
    entries
        .split("\n-- ")
        .map(|entry| {
            let (id, rest) = entry.split_once('\n').unwrap();
            let (head, text) = rest.split_once("\n\n").unwrap();
            (id, head.lines().map(|line| line.split_once(": ").unwrap()).collect(), text)
        })
        .collect()
}

#[test]
fn the_catalog_explains_every_kind_and_nothing_else() {
    let written: Vec<_> = entries().iter().map(|(id, ..)| *id).collect();
    let known: Vec<_> = MessageId::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(written, known);
}

#[test]
fn ids_are_random_and_all_different() {
    let ids: BTreeSet<_> = MessageId::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(ids.len(), MessageId::ALL.len());
    for id in ids {
        assert!(id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')), "{id}");
        assert_eq!(id.as_bytes()[12], b'4', "{id} is not a random UUID");
    }
}

#[test]
fn each_entry_is_whole_and_names_only_fields_that_exist() {
    for (id, head, text) in entries() {
        assert_eq!(
            head.keys().copied().collect::<Vec<_>>(),
            ["Defined-By", "Documentation", "Subject"],
            "{id}"
        );
        assert_eq!(head["Defined-By"], "mastmaintd");
        assert!(text.trim().len() > 40, "{id} says too little");
        for field in format!("{}\n{text}", head["Subject"]).split('@').skip(1).step_by(2) {
            assert!(
                ["JOB", "RUN", "STEP", "OUTCOME", "GRADE", "TRIGGER", "STREAM"]
                    .iter()
                    .any(|name| field == format!("MASTMAINT_{name}")),
                "{id} names @{field}@"
            );
        }
    }
}

#[test]
fn each_outcome_of_a_run_has_its_own_explanation() {
    let kinds: BTreeSet<_> = Outcome::ALL.into_iter().map(MessageId::run_ended).collect();
    assert_eq!(kinds.len(), Outcome::ALL.len());
}

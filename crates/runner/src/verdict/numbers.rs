//! What a step counted, from its statements of success and its error lines.

use super::{commands::Command, some_if_any, template};
use crate::output::Summary;
use mastmaint_words::Numbers;

/// What `statuses remove` says of media; fewer than it found means that some of them failed.
pub(super) const MEDIA_DONE: &str =
    "Done after {any}s, removed {removed} out of {visited} media_attachments.";

/// The numbers of a step. A command that counts what it visited counts failures, too: they are taken off.
pub(super) fn of(command: Option<&Command>, summary: &Summary) -> Numbers {
    let failed = summary.item_errors;
    let mut numbers = Numbers { failed: some_if_any(failed), ..Numbers::default() };
    let add = |to: &mut Option<u64>, more: Option<u64>| {
        if let Some(more) = more {
            *to = Some(to.unwrap_or(0).saturating_add(more));
        }
    };
    for found in command.into_iter().flat_map(|c| c.read(summary)) {
        add(&mut numbers.visited, found.visited);
        add(&mut numbers.removed, found.removed);
        add(&mut numbers.bytes, found.bytes);
    }
    match (numbers.visited, numbers.removed) {
        (Some(visited), None) => numbers.removed = Some(visited.saturating_sub(failed)),
        (None, Some(removed)) => numbers.visited = Some(removed.saturating_add(failed)),
        _ => {}
    }
    numbers
}

/// How many of how many media attachments `statuses remove` removed, if not all.
pub(super) fn media_shortfall(summary: &Summary) -> Option<(u64, u64)> {
    summary.statements.iter().filter_map(|text| template::read(MEDIA_DONE, text)).find_map(|found| {
        let (removed, visited) = (found.removed?, found.visited?);
        (removed < visited).then_some((removed, visited))
    })
}

//! What a step counted, from its statements of success and its error lines.

use super::some_if_any;
use crate::output::Summary;
use mastmaint_tootctl::{Call, Found};
use mastmaint_words::Numbers;

/// What the lines say that are expected of this call.
pub(super) fn found<'a>(call: &'a Call, summary: &'a Summary) -> impl Iterator<Item = (Found, bool)> + 'a {
    // Nobody says a line of success twice; the last is the command's own.
    call.expected()
        .filter_map(|statement| summary.statements.iter().rev().find_map(|text| statement.read(text)))
}

/// Whether its line of success counts what it removed: `Removed 15 media attachments`, unlike `Visited 26989 accounts`.
fn removes(call: &Call) -> bool {
    call.expected().flat_map(|statement| statement.shapes).any(|shape| shape.starts_with("Removed "))
}

/// The numbers of a step. A command that counts what it visited counts failures, too: they are taken off.
pub(super) fn of(call: &Call, summary: &Summary) -> Numbers {
    let mut numbers = Numbers { failed: some_if_any(summary.item_errors), ..Numbers::default() };
    let add = |to: &mut Option<u64>, more: Option<u64>| {
        if let Some(more) = more {
            *to = Some(to.unwrap_or(0).saturating_add(more));
        }
    };
    let (mut said_failed, mut done) = (None, None::<u64>);
    for (found, _) in found(call, summary) {
        add(&mut numbers.visited, found.visited);
        add(&mut done, found.done);
        add(&mut numbers.removed, found.removed);
        add(&mut numbers.bytes, found.bytes);
        add(&mut said_failed, found.failed);
    }
    if let Some(said) = said_failed {
        numbers.failed = some_if_any(said.max(summary.item_errors));
    }
    let failed = numbers.failed.unwrap_or(0);
    if let Some(done) = done {
        numbers.visited = Some(done.saturating_add(failed));
    }
    match (numbers.visited, numbers.removed) {
        // What was looked at is gone only where the command says so.
        (Some(visited), None) if removes(call) => numbers.removed = Some(visited.saturating_sub(failed)),
        (None, Some(removed)) => numbers.visited = Some(removed.saturating_add(failed)),
        // `accounts refresh a@x b@y` counts nothing, but its names can be counted.
        (None, None) if failed > 0 && call.names() > 0 => {
            numbers.visited = u64::try_from(call.names()).ok();
        }
        _ => {}
    }
    numbers
}

/// How many of how many media attachments `statuses remove` removed, if not all.
pub(super) fn media_shortfall(call: &Call, summary: &Summary) -> Option<(u64, u64)> {
    let of_media = summary.statements.iter().filter(|text| text.ends_with(" media_attachments."));
    let read = |text: &String| call.expected().find_map(|statement| statement.read(text));
    of_media.filter_map(read).find_map(|(found, _)| {
        let (removed, visited) = (found.removed?, found.visited?);
        (removed < visited).then_some((removed, visited))
    })
}

//! What a recorded run did to rows and files, done again to the made-up instance. It follows from the counts before
//! and after, from what the command is for, and from the ids that its output names.

use crate::{
    recordings::{Case, Held},
    rows::{Kind, Table},
};
use std::{collections::BTreeSet, io, path::Path};

/// Files that the recorded instance has left when no cached media is left.
const FILES_WITHOUT_MEDIA: u64 = 39;

/// Does to the instance what the recorded run did to the recorded one.
pub fn apply(case: &Case, live: &Path) -> io::Result<()> {
    let (Some(before), Some(after)) = (case.before, case.after) else { return Ok(()) };
    if before == after || before.rows.is_none() {
        return Ok(());
    }
    let mut table = Table::open(live)?;
    match case.argv {
        ["media", "remove-orphans", ..] => orphans(case, &table)?,
        ["preview_cards", "remove", ..] => cards(&mut table)?,
        ["media", "remove", options @ ..] if options.contains(&"--remove-headers") => headers(&table)?,
        ["media", "remove", ..] => media(case, before, after, &mut table)?,
        ["statuses", "remove", ..] => {
            media(case, before, after, &mut table)?;
            statuses(before, after, &mut table);
        }
        _ => {}
    }
    table.save()
}

fn orphans(case: &Case, table: &Table) -> io::Result<()> {
    let text = String::from_utf8_lossy(case.stdout);
    text.lines()
        .filter_map(|l| l.strip_prefix("Found and removed orphan: "))
        .try_for_each(|f| table.delete(f))
}

fn cards(table: &mut Table) -> io::Result<()> {
    let cards = |kind| kind == Kind::Card;
    for file in table.rows.iter().filter(|r| cards(r.kind)).flat_map(|r| &r.files) {
        table.delete(file)?;
    }
    table.rows.retain(|r| !cards(r.kind));
    Ok(())
}

fn headers(table: &Table) -> io::Result<()> {
    let accounts = table.rows.iter().filter(|r| r.kind == Kind::Account);
    accounts.flat_map(|r| &r.files).filter(|f| f.contains("/headers/")).try_for_each(|f| table.delete(f))
}

fn statuses(before: Held, after: Held, table: &mut Table) {
    let gone = before.rows.map_or(0, |r| r.statuses) - after.rows.map_or(0, |r| r.statuses);
    // The four of this server stay, however many there are in all.
    let mut left = gone.min(table.count(Kind::Status).saturating_sub(4));
    table.rows.retain(|r| {
        let goes = r.kind == Kind::Status && left > 0;
        left -= u64::from(goes);
        !goes
    });
}

fn media(case: &Case, before: Held, after: Held, table: &mut Table) -> io::Result<()> {
    let failed = ids_in_errors(case);
    // Those that the output names as failed go last: where only some rows went, they are the ones that stayed.
    let mut order: Vec<_> = table.rows.iter().filter(|r| r.kind == Kind::Media).cloned().collect();
    order.sort_by_key(|r| failed.contains(&r.id));
    let media = |held: Held| held.rows.map_or(0, |r| r.media);
    let (rows_left, files_gone) = (media(after), before.files - after.files);
    let rows_gone = if rows_left == 0 { u64::MAX } else { media(before) - rows_left };
    let with_files_gone = if after.files <= FILES_WITHOUT_MEDIA { u64::MAX } else { files_gone / 2 };
    let mut gone = BTreeSet::new();
    for (n, row) in (0..).zip(&order) {
        if n < with_files_gone {
            row.files.iter().try_for_each(|f| table.delete(f))?;
        }
        if n < rows_gone {
            gone.insert(row.id);
        }
    }
    table.rows.retain(|r| r.kind != Kind::Media || !gone.contains(&r.id));
    Ok(())
}

/// The ids of `Error processing ID: MESSAGE`.
fn ids_in_errors(case: &Case) -> BTreeSet<u64> {
    let text = String::from_utf8_lossy(case.stdout);
    let after = text.lines().filter_map(|l| l.split_once("Error processing ")).map(|(_, rest)| rest);
    after.filter_map(|rest| rest.split(':').next()?.parse().ok()).collect()
}

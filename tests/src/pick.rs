//! Which recording answers a call when no weather says so: one of the same command that went well, and of these the
//! one whose instance held what this one holds.

use crate::recordings::{CASES, Case};

/// What decides between recordings of the same command.
#[derive(Debug, Clone, Copy, Default)]
pub struct Present {
    /// Cached media.
    pub media: u64,
    /// Preview cards with an image.
    pub cards: u64,
    /// Statuses.
    pub statuses: u64,
    /// Files that no row names.
    pub orphans: u64,
}

/// Files of the recorded instance that rows name.
const FILES_WITH_ROWS: u64 = 69;

/// The recording for a call.
pub fn pick(version: &str, program: &str, argv: &[String], present: Present) -> Option<&'static Case> {
    let loose = loosened(argv.iter().map(String::as_str));
    let of_program = CASES.iter().filter(|c| c.program == program && !c.special && c.signal.is_none());
    // A call that was recorded just so and never went well goes wrong; no other call goes wrong with it.
    let fitting = of_program
        .filter(|c| same(c, argv) || (c.truth == "ok" && loosened(c.argv.iter().copied()) == loose));
    fitting.max_by_key(|c| {
        let exact = same(c, argv);
        let plain = c.name.ends_with("-ok") || c.name == argv.join("-").replace('_', "-");
        let short = usize::MAX - c.name.len();
        (c.truth == "ok", present.fit(c, exact), exact, c.version == version, plain, short)
    })
}

fn same(case: &Case, argv: &[String]) -> bool {
    case.argv.iter().eq(argv.iter())
}

impl Present {
    fn fit(self, case: &Case, exact: bool) -> u8 {
        let Some(before) = case.before else { return 0 };
        let Some(rows) = before.rows else { return 0 };
        let (here, there) = match case.argv {
            ["media", "remove-orphans", ..] => (self.orphans, before.files.saturating_sub(FILES_WITH_ROWS)),
            ["media", "remove", ..] => (self.media, rows.media),
            ["statuses", "remove", ..] => (self.statuses, rows.statuses),
            // None was recorded with no card at all; one that found none to remove says the same.
            ["preview_cards", "remove", ..] => {
                (self.cards, if case.before == case.after && !exact { 0 } else { rows.cards })
            }
            _ => (0, 0),
        };
        if here == there { 2 } else { u8::from((here == 0) == (there == 0)) }
    }
}

/// Arguments without what only says how much: `--days N`, `--concurrency N`, `--batch-size N`; `_` and `-` are the same
/// in an option.
fn loosened<'a>(argv: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for word in argv {
        let word = if word.starts_with("--") { word.replace('_', "-") } else { word.to_owned() };
        let amount = word.parse::<u64>().is_ok_and(|n| n > 0);
        match kept.last().map(String::as_str) {
            Some("--days" | "-d") if amount || word == "0" => drop(kept.pop()),
            Some("--concurrency" | "-c" | "--batch-size" | "-b") if amount => drop(kept.pop()),
            _ if word.strip_prefix("--days=").is_some_and(|n| n.parse::<u64>().is_ok()) => {}
            _ => kept.push(word),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Present = Present { media: 15, cards: 15, statuses: 64, orphans: 0 };

    #[track_caller]
    fn picks(call: &str, present: Present, name: &str) {
        let argv: Vec<_> = call.split_whitespace().map(str::to_owned).collect();
        let case = pick("4.6.5", "tootctl", &argv, present);
        assert_eq!(case.map(|c| c.name), Some(name), "{call}");
    }

    #[test]
    fn a_full_instance_gets_the_run_that_went_well() {
        picks("media remove --days 7", FULL, "media-remove-ok");
        picks("media remove --days 14", FULL, "media-remove-ok");
        picks("media remove --days=14", FULL, "media-remove-ok");
        picks("media remove", FULL, "media-remove-ok");
        picks("preview_cards remove --days 30", FULL, "preview-cards-ok");
        picks("preview_cards remove --days 14", FULL, "preview-cards-ok");
        picks("statuses remove --days 90", FULL, "statuses-remove-ok");
        picks("cache clear", FULL, "cache-clear");
        picks("media usage", FULL, "media-usage");
        picks("media remove --days 14 --dry-run", FULL, "media-remove-dry-run");
    }

    #[test]
    fn an_exact_call_beats_a_similar_one() {
        picks("preview_cards remove --days 400", FULL, "preview-cards-nothing");
    }

    #[test]
    fn an_empty_instance_has_nothing_to_do() {
        let empty = Present { media: 0, cards: 0, statuses: 4, orphans: 0 };
        picks("media remove --days 14", empty, "media-remove-nothing-to-do");
        picks("preview_cards remove --days 30", empty, "preview-cards-nothing");
        picks("statuses remove --days 90", empty, "statuses-remove-again");
    }

    #[test]
    fn orphans_are_found_where_there_are_some() {
        picks("media remove-orphans", FULL, "orphans-none");
        picks("media remove-orphans", Present { orphans: 5, ..FULL }, "orphans-five");
    }

    #[test]
    fn a_call_that_never_went_well_goes_wrong_again() {
        picks("media remove --days seven", FULL, "days-not-a-number");
        picks("media remove --concurrency 0", FULL, "concurrency-0");
        picks("media purge", FULL, "unknown-command");
        picks("accounts refresh --domain remote.example", FULL, "accounts-refresh-domain");
        assert!(pick("4.6.5", "tootctl", &["self-destruct".to_owned()], FULL).is_none());
    }
}

//! Progress bars. Into a pipe, ruby-progressbar writes `Progress: |====` that grows in place, and other lines land in
//! its middle; on a terminal it writes over itself with `\r` and counts. What is more than a bar is never taken out.

use crate::protocol::Items;

/// What opens a bar in a pipe, behind its title.
const OPENING: &str = ": |";
const USUAL: &str = "Progress: |";
/// No longer title is taken for one.
const LONGEST_TITLE: usize = 60;
/// Columns between the two ends of a bar in a pipe: ruby-progressbar takes 80 where it cannot ask.
const WIDTH: usize = 80 - USUAL.len() - 1;

/// The bar of one stream.
#[derive(Debug, Default)]
pub(super) struct Bar {
    is_open: bool,
    filled: usize,
    stand: Option<Stand>,
}

/// How far a bar is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// In percent, as wide as it is or as it says.
    Share(u8),
    /// It counts.
    Counted(Items),
}

impl Stand {
    pub(super) fn percent(self) -> u8 {
        match self {
            Self::Share(percent) => percent,
            Self::Counted(Items { done, of }) => {
                let percent = u128::from(done.min(of)) * 100;
                percent.checked_div(u128::from(of)).and_then(|p| u8::try_from(p).ok()).unwrap_or(100)
            }
        }
    }

    pub(super) const fn items(self) -> Option<Items> {
        match self {
            Self::Share(_) => None,
            Self::Counted(items) => Some(items),
        }
    }
}

impl Bar {
    /// What is left of a piece when the bar is taken out.
    pub(super) fn take_out<'a>(&mut self, text: &'a str, is_overwritten: bool) -> &'a str {
        if let Some((items, rest)) = counted(text) {
            self.stand = Some(Stand::Counted(items));
            return rest;
        }
        if let Some(percent) = is_overwritten.then(|| percentage(text)).flatten() {
            self.stand = Some(Stand::Share(percent));
            return "";
        }
        if let Some(rest) = text.strip_prefix(USUAL).or_else(|| behind_title(text)) {
            self.is_open = true;
            self.filled = 0;
            return self.grow(rest);
        }
        if self.is_open { self.grow(text) } else { text }
    }

    /// How far it is when the piece that has no end yet is looked at, too.
    pub(super) fn with(&self, held: &[u8]) -> Option<Stand> {
        // A terminal's bar that waits for what follows its `\r`.
        if let Some((items, _)) = std::str::from_utf8(held).ok().and_then(counted) {
            return Some(Stand::Counted(items));
        }
        let (before, rest) = match held.strip_prefix(USUAL.as_bytes()) {
            Some(rest) => (0, rest),
            None if self.is_open => (self.filled, held),
            None => return self.stand,
        };
        Some(share(before + rest.iter().take_while(|b| **b == b'=').count()))
    }

    fn grow<'a>(&mut self, text: &'a str) -> &'a str {
        let rest = text.trim_start_matches('=');
        self.filled += text.len() - rest.len();
        self.stand = Some(share(self.filled));
        if rest.trim_end() == "|" {
            self.is_open = false;
            return "";
        }
        rest
    }
}

/// What follows `Importing accounts : |`, if nothing but a bar does, or a logger's line in it: whatever else a program
/// writes so is its own.
fn behind_title(text: &str) -> Option<&str> {
    let (title, rest) = text.split_once(OPENING)?;
    let after = rest.trim_start_matches('=');
    let is_logger = after.as_bytes().get(1..4) == Some(b", [");
    let is_bar = after.is_empty() && !rest.is_empty() || after.trim_end() == "|" || is_logger;
    let is_title =
        title.len() <= LONGEST_TITLE && title.chars().all(|c| c.is_alphanumeric() || " _-".contains(c));
    (is_title && is_bar).then_some(rest)
}

fn share(filled: usize) -> Stand {
    Stand::Share(u8::try_from(filled.min(WIDTH) * 100 / WIDTH).unwrap_or(100))
}

/// The counts in `12/15 |====   |  ETA: 00:00:01`, and what follows the bar.
fn counted(text: &str) -> Option<(Items, &str)> {
    let text = text.trim_start();
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (count, rest) = text.split_once('/')?;
    let (total, rest) = rest.split_once(" |")?;
    let items = Items { done: count.parse().ok()?, of: total.parse().ok()? };
    let rest = rest.trim_start_matches(['=', ' ']);
    let rest = rest.strip_prefix('|').unwrap_or(rest).trim_start();
    let clock = ["ETA:", "Time:"].iter().find_map(|label| rest.strip_prefix(label));
    let rest = clock.map_or(rest, |c| {
        c.trim_start_matches([' ', '?', ':', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
    });
    Some((items, rest))
}

/// The share in a piece that is nothing but a share: `Receiving objects:  48% (12/25), 1.20 MiB/s`.
fn percentage(text: &str) -> Option<u8> {
    /// All the words that bars need.
    const UNITS: [&str; 24] = [
        "b", "kb", "mb", "gb", "tb", "kib", "mib", "gib", "tib", "k", "m", "g", "t", "byte", "bytes", "s",
        "sec", "min", "h", "eta", "time", "elapsed", "left", "of",
    ];
    let (before, after) = text.split_once('%')?;
    let digits = before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let whole = before[digits.len()..].split('.').next()?;
    let percent = whole.parse().ok().filter(|p| *p <= 100)?;
    // A label says what goes on, unless it says what went wrong.
    let figures = match digits.split_once(':') {
        Some((label, figures)) if is_label(label) => figures,
        _ => digits,
    };
    let words = [figures, after].into_iter().flat_map(|part| part.split(|c: char| !c.is_alphabetic()));
    words
        .filter(|w| !w.is_empty())
        .all(|w| UNITS.contains(&w.to_ascii_lowercase().as_str()))
        .then_some(percent)
}

fn is_label(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.chars().all(|c| c.is_alphabetic() || c == ' ')
        && !["error", "fail", "fatal", "warn", "full", "cannot"].iter().any(|bad| text.contains(bad))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_in_the_middle_of_a_bar_come_out_whole() {
        let mut bar = Bar::default();
        assert_eq!(bar.take_out("=== a heading ===", false), "=== a heading ===");
        assert_eq!(bar.take_out("Progress: |W, warned", false), "W, warned");
        assert_eq!(bar.stand, Some(Stand::Share(0)));
        assert_eq!(bar.take_out("==================================E, failed", false), "E, failed");
        assert_eq!(bar.stand, Some(Stand::Share(50)));
        assert_eq!(bar.with(b"================="), Some(Stand::Share(75)));
        assert_eq!(bar.take_out("==================================|", false), "");
        assert_eq!(bar.stand, Some(Stand::Share(100)));
        assert_eq!(bar.take_out("== after ==", false), "== after ==");
        assert_eq!(bar.with(b"Progress: |"), Some(Stand::Share(0)));
    }

    #[test]
    fn a_bar_may_have_another_title() {
        let mut bar = Bar::default();
        assert_eq!(
            bar.take_out("Importing accounts : |====E, [2026] ERROR -- : x", false),
            "E, [2026] ERROR -- : x"
        );
        assert_eq!(bar.take_out("==|", false), "");
        for text in ["table: |a|b|", "error: |", "http://x: |=="] {
            assert_eq!(bar.take_out(text, false), text);
        }
    }

    #[test]
    fn terminals_count() {
        let mut bar = Bar::default();
        assert_eq!(bar.take_out("3/15 |===    |  ETA: 00:00:01", true), "");
        assert_eq!(bar.stand, Some(Stand::Counted(Items { done: 3, of: 15 })));
        assert_eq!(bar.stand.map(Stand::percent), Some(20));
        assert_eq!(bar.take_out("0/0 |   |  ETA: ??", true), "");
        for bar_alone in
            ["48.5%", "Receiving objects:  48% (12/25), 1.20 MiB/s", "  1,234,567  48%  1.2MB/s  0:00:01"]
        {
            bar.stand = None;
            assert_eq!(bar.take_out(bar_alone, true), "", "{bar_alone}");
            assert_eq!(bar.stand, Some(Stand::Share(48)), "{bar_alone}");
        }
        assert_eq!(bar.take_out("48% of it", false), "48% of it");
        assert_eq!(bar.take_out("11/23/2026 | a date", false), "11/23/2026 | a date");
        assert_eq!(bar.with(b"3/15 |===    |").map(Stand::percent), Some(20));
    }

    #[test]
    fn what_is_more_than_a_bar_stays() {
        let mut bar = Bar::default();
        for text in ["Error processing 5: disk is 98% full", "Error: 98%", "disk full: 98%", "98% failed"] {
            assert_eq!(bar.take_out(text, true), text);
        }
        let text = "15/15 |=====| Time: 00:00:01 Error processing 5: x";
        for is_overwritten in [true, false] {
            assert_eq!(bar.take_out(text, is_overwritten), "Error processing 5: x");
        }
    }
}

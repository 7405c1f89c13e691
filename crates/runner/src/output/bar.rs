//! Progress bars. Into a pipe, ruby-progressbar writes `Progress: |====` that grows in place, and other lines land in
//! its middle; on a terminal it writes over itself with `\r` and counts.

/// What opens a bar in a pipe.
const OPENING: &str = "Progress: |";
/// Columns between the two ends of a bar in a pipe: ruby-progressbar takes 80 where it cannot ask.
const WIDTH: usize = 80 - OPENING.len() - 1;

/// The bar of one stream.
#[derive(Debug, Default)]
pub(super) struct Bar {
    is_open: bool,
    filled: usize,
    percent: Option<u8>,
}

impl Bar {
    /// What is left of a piece when the bar is taken out.
    pub(super) fn take_out<'a>(&mut self, text: &'a str, is_overwritten: bool) -> &'a str {
        if let Some(percent) = counted(text).or_else(|| is_overwritten.then(|| percentage(text)).flatten()) {
            self.percent = Some(percent);
            return "";
        }
        if let Some(rest) = text.strip_prefix(OPENING) {
            self.is_open = true;
            self.filled = 0;
            return self.grow(rest);
        }
        if self.is_open { self.grow(text) } else { text }
    }

    /// The share that is filled when the piece that has no end yet is looked at, too.
    pub(super) fn percent_with(&self, held: &[u8]) -> Option<u8> {
        let (before, rest) = match held.strip_prefix(OPENING.as_bytes()) {
            Some(rest) => (0, rest),
            None if self.is_open => (self.filled, held),
            None => return self.percent,
        };
        Some(share(before + rest.iter().take_while(|b| **b == b'=').count()))
    }

    fn grow<'a>(&mut self, text: &'a str) -> &'a str {
        let rest = text.trim_start_matches('=');
        self.filled += text.len() - rest.len();
        self.percent = Some(share(self.filled));
        if rest.trim_end() == "|" {
            self.is_open = false;
            return "";
        }
        rest
    }
}

fn share(filled: usize) -> u8 {
    u8::try_from(filled.min(WIDTH) * 100 / WIDTH).unwrap_or(100)
}

/// The share in `12/15 |====   |  ETA: 00:00:01`.
fn counted(text: &str) -> Option<u8> {
    let text = text.trim_start();
    if !text.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (count, rest) = text.split_once('/')?;
    let (total, _) = rest.split_once(" |")?;
    let (count, total): (u64, u64) = (count.parse().ok()?, total.parse().ok()?);
    u8::try_from(count.min(total).checked_mul(100)?.checked_div(total).unwrap_or(100)).ok()
}

/// The share in `… 48% …`, unless the piece is more than a bar.
fn percentage(text: &str) -> Option<u8> {
    let (before, _) = text.split_once('%')?;
    let whole = before.rsplit(|c: char| !c.is_ascii_digit() && c != '.').next()?.split('.').next()?;
    whole.parse().ok().filter(|p| *p <= 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_in_the_middle_of_a_bar_come_out_whole() {
        let mut bar = Bar::default();
        assert_eq!(bar.take_out("=== a heading ===", false), "=== a heading ===");
        assert_eq!(bar.take_out("Progress: |W, warned", false), "W, warned");
        assert_eq!(bar.percent, Some(0));
        assert_eq!(bar.take_out("==================================E, failed", false), "E, failed");
        assert_eq!(bar.percent, Some(50));
        assert_eq!(bar.percent_with(b"================="), Some(75));
        assert_eq!(bar.take_out("==================================|", false), "");
        assert_eq!(bar.percent, Some(100));
        assert_eq!(bar.take_out("== after ==", false), "== after ==");
        assert_eq!(bar.percent_with(b"Progress: |"), Some(0));
    }

    #[test]
    fn terminals_count() {
        let mut bar = Bar::default();
        assert_eq!(bar.take_out("3/15 |===    |  ETA: 00:00:01", true), "");
        assert_eq!(bar.percent, Some(20));
        assert_eq!(bar.take_out("0/0 |   |  ETA: ??", true), "");
        assert_eq!(bar.take_out("fetched 48.5% of it", true), "");
        assert_eq!(bar.percent, Some(48));
        assert_eq!(bar.take_out("48% of it", false), "48% of it");
        assert_eq!(bar.take_out("11/23/2026 | a date", false), "11/23/2026 | a date");
    }
}

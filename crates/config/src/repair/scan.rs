//! Where in a text that is no YAML values begin with a character that YAML keeps for itself: block and flow style,
//! quotes, comments and literal blocks are told apart, everything else is taken as it looks.

/// Such a value: its line (from 1), and its first byte and the one behind its last in that line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Begin {
    pub(super) line: usize,
    pub(super) byte: usize,
    pub(super) end: usize,
}

/// All of them down to a line, in order.
pub(super) fn reserved(text: &str, last: usize) -> Vec<Begin> {
    let mut scan = Scan::default();
    for (number, line) in (1..=last).zip(text.lines()) {
        scan.line(number, line);
    }
    scan.found
}

#[derive(Default)]
struct Scan {
    found: Vec<Begin>,
    /// Open brackets and braces.
    depth: usize,
    /// The quote that is open at the end of a line.
    quote: Option<char>,
    /// In a literal block that belongs to a line of this indent.
    literal: Option<usize>,
}

impl Scan {
    fn line(&mut self, number: usize, line: &str) {
        let indent = line.len() - line.trim_start().len();
        if let Some(parent) = self.literal {
            if line.trim().is_empty() || indent > parent {
                return;
            }
            self.literal = None;
        }
        let mut at = 0;
        if let Some(quote) = self.quote {
            match behind_quote(line, quote) {
                Some(behind) => at = behind,
                None => return,
            }
            self.quote = None;
        }
        let mut may_begin = at == 0;
        while let Some(c) = line[at..].chars().next() {
            let rest = &line[at..];
            let was_blank = at == 0 || line[..at].ends_with([' ', '\t']);
            match c {
                ' ' | '\t' => at += 1,
                '#' if was_blank => return,
                '{' | '[' if may_begin => {
                    self.depth += 1;
                    at += 1;
                }
                '"' | '\'' if may_begin => {
                    let Some(behind) = behind_quote(&rest[1..], c) else {
                        self.quote = Some(c);
                        return;
                    };
                    at += 1 + behind;
                    may_begin = false;
                }
                '|' | '>' if may_begin && self.depth == 0 => {
                    self.literal = Some(indent);
                    return;
                }
                '-' if may_begin
                    && self.depth == 0
                    && matches!(rest.as_bytes().get(1), None | Some(b' ')) =>
                {
                    at += 1;
                }
                '*' | '@' | '%' | '`' if may_begin => {
                    let end = at + self.width(rest);
                    self.found.push(Begin { line: number, byte: at, end });
                    at = end;
                    may_begin = false;
                }
                ':' if matches!(rest.as_bytes().get(1), None | Some(b' ')) => {
                    may_begin = true;
                    at += 1;
                }
                ',' if self.depth > 0 => {
                    may_begin = true;
                    at += 1;
                }
                '}' | ']' if self.depth > 0 => {
                    self.depth -= 1;
                    may_begin = false;
                    at += 1;
                }
                c => {
                    may_begin = false;
                    at += c.len_utf8();
                }
            }
        }
    }

    /// How far a plain value reaches. A comma without a blank behind it is taken for a part of it, as in cron.
    fn width(&self, value: &str) -> usize {
        let comment = value.find(" #").unwrap_or(value.len());
        let value = &value[..comment];
        let flow = if self.depth == 0 {
            value.len()
        } else {
            let ends = [
                value.find(", "),
                value.find(['}', ']', '{', '[']),
                value.ends_with(',').then(|| value.len() - 1),
            ];
            ends.into_iter().flatten().min().unwrap_or(value.len())
        };
        value[..flow].trim_end().len()
    }
}

/// The byte behind the closing quote.
fn behind_quote(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().peekable();
    while let Some((index, c)) = chars.next() {
        match c {
            '\\' if quote == '"' => {
                chars.next();
            }
            c if c == quote => {
                if quote == '\'' && chars.peek().is_some_and(|(_, next)| *next == '\'') {
                    chars.next();
                } else {
                    return Some(index + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(text: &str) -> Vec<&str> {
        let lines: Vec<&str> = text.lines().collect();
        reserved(text, usize::MAX).into_iter().map(|b| &lines[b.line - 1][b.byte..b.end]).collect()
    }

    #[test]
    fn values_are_found_in_every_style() {
        for (text, found) in [
            ("a: */5 * * * * # often", vec!["*/5 * * * *"]),
            ("a: {schedule: */5 0,12 * * *, b: @daily}", vec!["*/5 0,12 * * *", "@daily"]),
            ("a: {\n  schedule: @daily,\n  b: [`x`, %y]\n}\nc: @x, y", vec!["@daily", "`x`", "%y", "@x, y"]),
            ("- - @a\n- b: '@b'\n- \"c: @c\" : @d", vec!["@a", "@d"]),
            ("run: |\n  x: @a\n\n  *b\nc: @d", vec!["@d"]),
            ("a: 'open\n  @no'\nb: @c", vec!["@c"]),
            ("a: x @y\n# @b\nc: d#@e", vec![]),
        ] {
            assert_eq!(values(text), found, "{text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_points_into_the_text(text in "[-a:@*'\"{}\\[\\],# |\\\\\né]{0,60}") {
            let lines: Vec<&str> = text.lines().collect();
            for begin in reserved(&text, usize::MAX) {
                prop_assert!(!lines[begin.line - 1][begin.byte..begin.end].is_empty());
            }
        }
    }
}

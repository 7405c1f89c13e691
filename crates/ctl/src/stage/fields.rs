//! The head of a message in HTTP/1, read strictly: what two readers could understand differently is none. Pure.

/// No head of Mastodon or of a browser is as long.
pub(super) const LONGEST: usize = 64 * 1024;
/// Nor has one as many fields.
const MOST: usize = 200;
const END: &[u8] = b"\r\n\r\n";

/// A head: its first line, then names and values.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) start: &'a str,
    pub(super) fields: Vec<Field<'a>>,
}

/// One of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    /// Most are ASCII, some are not.
    pub(super) value: &'a [u8],
}

/// Where a head ends and what comes after it begins.
pub(super) fn end_of(bytes: &[u8]) -> Option<usize> {
    bytes.windows(END.len()).position(|four| four == END).map(|at| at + END.len())
}

impl<'a> Head<'a> {
    /// Reads one with its empty line.
    pub(super) fn read(head: &'a [u8]) -> Option<Self> {
        let mut rest = head.strip_suffix(b"\r\n")?;
        let mut lines = Vec::new();
        while let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
            lines.push(&rest[..at]);
            rest = &rest[at + 2..];
        }
        let is_clean = |line: &&[u8]| line.iter().all(|byte| *byte == b'\t' || !byte.is_ascii_control());
        if !rest.is_empty() || lines.len() > MOST || !lines.iter().all(is_clean) {
            return None;
        }
        let (start, fields) = lines.split_first()?;
        let fields = fields.iter().map(|line| Field::read(line)).collect::<Option<_>>()?;
        Some(Self { start: str::from_utf8(start).ok()?, fields })
    }

    /// Values of a field.
    pub(super) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + 's {
        self.fields.iter().filter(move |field| field.is(name)).map(|field| field.value)
    }

    /// The words of a field that is a list, in small letters.
    pub(super) fn words(&self, name: &str) -> Vec<String> {
        let lists = self.all(name).map(|list| String::from_utf8_lossy(list).to_ascii_lowercase());
        lists
            .flat_map(|list| list.split(',').map(|word| word.trim().to_owned()).collect::<Vec<_>>())
            .collect()
    }
}

impl<'a> Field<'a> {
    fn read(line: &'a [u8]) -> Option<Self> {
        let at = line.iter().position(|byte| *byte == b':')?;
        let (name, value) = (str::from_utf8(&line[..at]).ok()?, line[at + 1..].trim_ascii());
        let is_token = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
        (!name.is_empty() && name.bytes().all(is_token)).then_some(Self { name, value })
    }

    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Writes a line of a head.
pub(super) fn write(head: &mut Vec<u8>, name: &str, value: &[u8]) {
    head.extend_from_slice(name.as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_strictly() {
        let head =
            Head::read(b"GET / HTTP/1.1\r\nHost: a\r\nX:\t\xff b \r\nConnection: A, b\r\n\r\n").unwrap();
        assert_eq!((head.start, head.fields.len()), ("GET / HTTP/1.1", 3));
        assert_eq!(head.fields[1], Field { name: "X", value: b"\xff b" });
        assert_eq!(head.words("connection"), ["a", "b"]);
        let many = format!("GET / HTTP/1.1\r\n{}\r\n", "A: b\r\n".repeat(MOST));
        for bad in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"GET / HTTP/1.1\r\nHost: a\r\n",
            b"\r\n\r\n\r\n",
            b"GET / HTTP/1.1\r\n folded: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
            b"GET / HTTP/1.1\r\nA : b\r\n\r\n",
            b"GET / HTTP/1.1\r\n: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
            b"GET / HTTP/1.1\nA: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
            b"GET / HTTP/1.1\r\nA: \0\r\n\r\n",
            b"GET /\xff HTTP/1.1\r\nA: b\r\n\r\n",
            b"",
            many.as_bytes(),
        ] {
            assert_eq!(Head::read(bad), None, "{:?}", String::from_utf8_lossy(bad));
        }
    }

    #[test]
    fn it_ends_with_its_empty_line() {
        assert_eq!(end_of(b"a\r\n\r\nbody\r\n\r\n"), Some(5));
        assert_eq!(end_of(b"a\r\n\n"), None);
    }
}

//! Where a name of an archive belongs. Nobody knows who wrote it: one that would lead out is refused, not mended.

use crate::walk::LONGEST;

/// Where an entry belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Where {
    /// Not below the Rails root.
    Outside,
    /// It is the Rails root.
    Root,
    /// Below it, by names that are parted by one slash.
    Below(Vec<u8>),
}

/// Why a name is refused: a code and words.
pub(crate) type Bad = (&'static str, &'static str);

/// Where an entry of this name belongs, if the Rails root has the name `live` there.
pub(crate) fn place(name: &[u8], live: &[u8]) -> Result<Where, Bad> {
    if name.starts_with(b"/") {
        return Err(("archive-absolute", "has an absolute name"));
    }
    if name.len() > LONGEST {
        return Err(("archive-too-deep", "has a name that is too long"));
    }
    let parts: Vec<&[u8]> = parts(name).collect();
    if parts.contains(&&b".."[..]) {
        return Err(("archive-leads-out", "has a name that leads out of it"));
    }
    let mut parts = parts.into_iter();
    for above in self::parts(live) {
        if parts.next() != Some(above) {
            return Ok(Where::Outside);
        }
    }
    let below: Vec<&[u8]> = parts.collect();
    Ok(if below.is_empty() { Where::Root } else { Where::Below(below.join(&b'/')) })
}

fn parts(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    name.split(|b| *b == b'/').filter(|part| !part.is_empty() && *part != b".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_belong_below_the_rails_root_or_nowhere() {
        let place = |name: &str| place(name.as_bytes(), b"home/mastodon/live");
        assert_eq!(place("./home//mastodon/live/"), Ok(Where::Root));
        assert_eq!(place("home/mastodon/live/./app/a\nb"), Ok(Where::Below(b"app/a\nb".to_vec())));
        assert_eq!(place("home/mastodon"), Ok(Where::Outside));
        assert_eq!(place("home/mastodon/lively/a"), Ok(Where::Outside));
        assert_eq!(place("/home/mastodon/live/a").unwrap_err().0, "archive-absolute");
        assert_eq!(place("home/mastodon/live/../../x").unwrap_err().0, "archive-leads-out");
        assert_eq!(place(&"x/".repeat(4000)).unwrap_err().0, "archive-too-deep");
        assert_eq!(super::place(b"app/a", b""), Ok(Where::Below(b"app/a".to_vec())), "nothing else is in it");
        assert_eq!(super::place(b"./", b""), Ok(Where::Root));
    }

    proptest! {
        #[test]
        fn nothing_that_is_placed_leads_anywhere_else(name in "[a./\n]{0,40}") {
            if let Ok(Where::Below(path)) = place(name.as_bytes(), b"a") {
                let parts: Vec<&[u8]> = path.split(|b| *b == b'/').collect();
                prop_assert!(parts.iter().all(|part| !part.is_empty() && *part != b"." && *part != b".."));
            }
        }
    }
}

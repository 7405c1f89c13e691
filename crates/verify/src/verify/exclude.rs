//! Excludes that can never match.

use crate::{
    look::{Thing, Tree},
    rsnapshot::Conf,
};
use std::io;

/// Anchored patterns whose directory is in no backup point of the newest generation, with their place.
pub(super) fn idle(tree: &dyn Tree, conf: &Conf) -> io::Result<Vec<(String, String)>> {
    let mut idle = Vec::new();
    for (pattern, at) in &conf.excludes {
        let Some(above) = directory_of(pattern) else { continue };
        let mut is_there = false;
        for point in &conf.points {
            let path = format!("{}/{above}", point.dest);
            is_there |= matches!(tree.thing(&path)?, Some(Thing::Directory { .. }));
        }
        if !is_there {
            idle.push((pattern.clone(), at.to_string()));
        }
    }
    Ok(idle)
}

/// The directory in which an anchored pattern matches, if it is a plain one.
fn directory_of(pattern: &str) -> Option<&str> {
    let (above, _) = pattern.trim_end_matches(['/', '*']).strip_prefix('/')?.rsplit_once('/')?;
    (!above.is_empty() && !above.contains(['*', '?', '['])).then_some(above)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_anchored_plain_patterns_are_judged() {
        assert_eq!(
            directory_of("/home/mastodon/live/public/system/cache/"),
            Some("home/mastodon/live/public/system")
        );
        assert_eq!(directory_of("/a/b/**"), Some("a"));
        for none in ["public/system/cache", "*.log", "/tmp", "/home/*/cache", "/"] {
            assert_eq!(directory_of(none), None, "{none}");
        }
    }
}

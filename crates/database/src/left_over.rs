//! Migrations of the code that a database still lacks: whether Mastodon may be started on it all the same. Pure.

use crate::{site::Site, text::plural};
use std::collections::BTreeSet;

/// The code of a database on which migrations are still to be run.
pub(crate) const MUST_MIGRATE: &str = "must-migrate";

/// What migrations mean that are still to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pending {
    /// They are told.
    Told,
    /// They are refused, but for those that were left before.
    Refused,
    /// The same of code that comes back with its database, which may have run before its post-deployment ones were.
    RefusedButPost,
}

/// What is still to be run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LeftOver {
    /// Was left before, too: Mastodon ran so.
    as_before: usize,
    /// Those of them that the code needs when it is started.
    needed_as_before: usize,
    /// Are left since, or nobody knows.
    needed: usize,
    /// The same of those that may be run after the start.
    post: usize,
    /// Whether it is known what was left before.
    is_compared: bool,
}

impl LeftOver {
    /// Beside what was left before, where that is known, and what may be run after the start.
    pub(crate) fn of(left: BTreeSet<u64>, was: Option<BTreeSet<u64>>, post: &BTreeSet<u64>) -> Self {
        let mut over = Self { is_compared: was.is_some(), ..Self::default() };
        let was = was.unwrap_or_default();
        for version in left {
            let (was, is_post) = (was.contains(&version), post.contains(&version));
            over.as_before += usize::from(was);
            over.needed_as_before += usize::from(was && !is_post);
            over.needed += usize::from(!was && !is_post);
            over.post += usize::from(!was && is_post);
        }
        over
    }

    pub(crate) const fn is_refused(&self, pending: Pending) -> bool {
        match pending {
            Pending::Told => false,
            Pending::Refused => self.needed > 0 || self.is_compared && self.post > 0,
            Pending::RefusedButPost => self.needed > 0,
        }
    }

    /// Why Mastodon is not started on it, and what to do.
    pub(crate) fn refusal(&self, name: &str, site: &Site<'_>, pending: Pending) -> String {
        let advice = match pending {
            Pending::RefusedButPost => "Take files and dump of the same night",
            _ => {
                "Bring its code back together with it (mastmaintctl restore FILES DATABASE, both of the same night), or take a newer dump"
            }
        };
        let live = site.settings.live.display();
        let new = plural((self.needed + self.post) as u64, "migration");
        format!(
            "{name} is older than the code in {live}: rails db:migrate would have to be run on it first ({new}), which a restore does not do. {advice}"
        )
    }

    /// What fits; with its code where Mastodon may not work as it is.
    pub(crate) fn sentence(&self, name: &str, site: &Site<'_>) -> String {
        let live = site.settings.live.display();
        let all = self.as_before + self.needed + self.post;
        let left = plural(all as u64, "migration");
        if self.needed + self.needed_as_before > 0 {
            return format!(
                "{name} fits the secrets in {live}; it fits the code once rails db:migrate was run on it ({left}) [{MUST_MIGRATE}]"
            );
        }
        let fits = format!("{name} fits the code and the secrets in {live}");
        match (all, self.post) {
            (0, _) => fits,
            (_, 0) => format!("{fits}; left for after the deployment, as before: {left}"),
            _ => format!("{fits}; left for after the deployment: {left}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_left_before_is_no_reason_and_post_deployment_ones_where_nobody_knows() {
        let set = |versions: &[u64]| versions.iter().copied().collect::<BTreeSet<u64>>();
        // 1 and 2 are needed at the start, 8 and 9 are not.
        let of = |left: &[u64], was: Option<&[u64]>| {
            let over = LeftOver::of(set(left), was.map(set), &set(&[8, 9]));
            assert!(!over.is_refused(Pending::Told));
            (over.is_refused(Pending::Refused), over.is_refused(Pending::RefusedButPost))
        };
        assert_eq!(of(&[], Some(&[])), (false, false));
        assert_eq!(of(&[8, 9], Some(&[8, 9])), (false, false), "skipped deliberately, today too");
        assert_eq!(of(&[1, 8], Some(&[1, 8])), (false, false), "no worse than it was");
        assert_eq!(of(&[8, 9], Some(&[9])), (true, false), "that code ran so only in its own time");
        assert_eq!(of(&[1], Some(&[])), (true, true));
        assert_eq!(of(&[1, 2, 8], Some(&[2, 8])), (true, true));
        assert_eq!(of(&[8], None), (false, false), "what was left before is not known");
        assert_eq!(of(&[1, 8], None), (true, true));
    }
}

//! Who owns what comes back: by number as in the backup, except what belonged to the instance there. Its user may have
//! another number on a host that was set up anew.

/// A user and a group, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Whose files become whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owners {
    /// Who owned live in the backup.
    pub(crate) there: Owner,
    /// Who owns it here.
    pub(crate) here: Owner,
}

impl Owners {
    /// The owner that a thing of the backup gets.
    pub(crate) const fn of(&self, thing: Owner) -> Owner {
        Owner {
            uid: if thing.uid == self.there.uid { self.here.uid } else { thing.uid },
            gid: if thing.gid == self.there.gid { self.here.gid } else { thing.gid },
        }
    }

    /// What is to be told of it.
    pub(crate) fn note(&self, user: &str) -> Option<String> {
        let Self { there, here } = self;
        let owned = match there.uid {
            0 => "root".to_owned(),
            uid => format!("user {uid}"),
        };
        (there != here).then(|| {
            format!(
                "live belongs to {owned}, group {} in the backup; what is theirs comes back as {user}'s ({}, group {})",
                there.gid, here.uid, here.gid
            )
        })
    }
}

/// Permissions that come back. What runs as somebody else than who starts it has no place in an instance; on a directory
/// the bit of the group means something else, but the walls of the room do not tell the two apart.
pub(crate) const fn safe_mode(mode: u32) -> u32 {
    mode & 0o1777
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instances_files_stay_the_instances() {
        let of = |uid, gid| Owner { uid, gid };
        let owners = Owners { there: of(998, 997), here: of(1001, 1002) };
        assert_eq!(owners.of(of(998, 997)), of(1001, 1002));
        assert_eq!(owners.of(of(998, 33)), of(1001, 33), "the group of the web server");
        assert_eq!(owners.of(of(0, 0)), of(0, 0));
        assert!(owners.note("mastodon").unwrap().contains("1001"));
        assert!(Owners { there: of(1, 1), here: of(1, 1) }.note("mastodon").is_none());
    }

    #[test]
    fn nothing_comes_back_that_runs_as_another() {
        assert_eq!((safe_mode(0o6755), safe_mode(0o1777)), (0o755, 0o1777));
    }
}

//! Access lists and extended attributes: they are not restored, so that who has to say yes is told where there are any.

use crate::walk::Entry;
use mastmaint_verify::Kind;
use rustix::fs::llistxattr;
use std::os::fd::AsRawFd as _;

/// What every file has where the system labels them, and what the system makes anew.
const OF_THE_SYSTEM: &[u8] = b"security.selinux";
/// More than the names of those that anybody uses.
const LARGEST: usize = 4096;

/// Whether there is one that would be missed. A link has none of its own.
pub(crate) fn has_some(entry: &Entry<'_>) -> bool {
    if !matches!(entry.kind(), Kind::File | Kind::Directory) {
        return false;
    }
    // There is no call that takes a directory and a name. The last part is not followed.
    let mut path = format!("/proc/self/fd/{}/", entry.above.as_raw_fd()).into_bytes();
    path.extend_from_slice(entry.name.to_bytes());
    let mut names = [0_u8; LARGEST];
    match llistxattr(path, &mut names) {
        Ok(length) => would_be_missed(names.get(..length).unwrap_or_default()),
        // So many that they do not fit, or a file system that knows of none.
        Err(error) => error == rustix::io::Errno::RANGE,
    }
}

fn would_be_missed(names: &[u8]) -> bool {
    names.split(|byte| *byte == 0).any(|name| !name.is_empty() && name != OF_THE_SYSTEM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_of_the_system_are_nothing_to_tell() {
        assert!(!would_be_missed(b"") && !would_be_missed(b"security.selinux\0"));
        assert!(
            would_be_missed(b"security.selinux\0system.posix_acl_access\0") && would_be_missed(b"user.x\0")
        );
    }
}

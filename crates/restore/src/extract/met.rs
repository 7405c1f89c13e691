//! What was met in an archive.

use super::{Header, Sort};
use crate::survey::Few;
use mastmaint_words::restore::Amount;

/// What was met.
#[derive(Debug, Default)]
pub(crate) struct Met {
    pub(crate) whole: Amount,
    /// Uploads that are not there today.
    pub(crate) missing: Amount,
    pub(crate) others: Few,
    pub(crate) setuid: Few,
}

impl Met {
    pub(super) fn count(&mut self, header: &Header, path: &[u8], is_missing: bool) {
        match header.sort {
            Sort::File | Sort::Second => {
                let amount = if is_missing { &mut self.missing } else { &mut self.whole };
                add(amount, header.stat.size);
            }
            Sort::Other => self.others.add(path),
            Sort::Directory | Sort::Link => {}
        }
        if matches!(header.sort, Sort::File | Sort::Directory) && header.stat.mode & 0o6000 != 0 {
            self.setuid.add(path);
        }
    }
}

pub(super) const fn add(amount: &mut Amount, bytes: u64) {
    amount.files += 1;
    amount.bytes += bytes;
}

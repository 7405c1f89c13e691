//! What a night in a repository of restic has in common with one of Borg: waiting for whoever is at work, and what to
//! do with a repository that cannot be looked into.

use super::{Night, Report, files::is_complete, source::Source, wait::being_written};
use crate::{
    error::VerifyError,
    finding::{Code, Finding},
    parts::TooLarge,
    repository::{Locks, Refusal},
    stream::broken,
};
use mastmaint_words::{Bytes, human};

/// Why a night ended early: by the repository, or by us.
pub(super) enum Stop {
    Refused(Refusal),
    Verify(VerifyError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<VerifyError> for Stop {
    fn from(error: VerifyError) -> Self {
        Self::Verify(error)
    }
}

impl Stop {
    /// What is said of a repository that cannot be looked into.
    pub(super) fn report(self, night: &Night<'_>, repository: &str) -> Result<Report, VerifyError> {
        match self {
            Self::Verify(error) => Err(error),
            Self::Refused(refusal) => Ok(night.not_looked_into(vec![refusal.finding(repository)?])),
        }
    }
}

impl Night<'_> {
    /// Waits until nobody is at work in a repository. The finding says that somebody still is.
    pub(super) fn wait_for_locks(
        &self,
        program: &str,
        look: impl Fn() -> Result<Locks, Refusal>,
    ) -> Result<(Locks, Option<Finding>), Stop> {
        let mut seen = Ok(Locks::default());
        let is_free = self.wait_until(|| {
            seen = look();
            Ok(seen.as_ref().map_or(true, |locks| locks.held.is_empty()))
        })?;
        let locks = seen?;
        let finding = (!is_free).then(|| {
            let who = locks.held.iter().map(|l| format!("process {} of {}", l.pid, l.host));
            being_written(&format!("{program} is at work"), &who.collect::<Vec<_>>().join(", "))
        });
        Ok((locks, finding))
    }
}

/// No part of it fits the bytes of a night.
pub(super) fn too_large(what: &str, least: TooLarge, budget: Option<Bytes>) -> Finding {
    let (least, budget) = (human::bytes(least.0), human::bytes(budget.map_or(0, Bytes::get)));
    Finding::warn(
        Code::NotChecked,
        format!("no part of {what} is as small as the budget of {budget}: the smallest has {least}"),
        format!("Nothing of it was read. Give a night {least} or more with `budget: {{bytes: …}}`."),
    )
}

/// What the newest state lacks, and what it has that it should not.
pub(super) fn newest_is_complete(night: &Night<'_>, source: &Source) -> Vec<Finding> {
    is_complete(night.request.backup, source).unwrap_or_else(|error| vec![broken(&source.name, &error)])
}

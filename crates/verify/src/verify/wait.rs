//! A backup that is being written is waited for, never judged half done.

use super::{Night, Report};
use crate::{
    error::VerifyError,
    finding::{Code, Finding, Severity},
    found::{Found, matching},
    rsnapshot::Lock,
};
use std::{
    path::Path,
    thread,
    time::{Duration, Instant},
};

const LOOK_EVERY: Duration = Duration::from_secs(2);
/// What was not written to for this long is done.
const QUIET: Duration = Duration::from_mins(1);

impl Night<'_> {
    /// Waits until `is_free` says so; `false` when the time is over.
    pub(super) fn wait_until(
        &self,
        mut is_free: impl FnMut() -> Result<bool, VerifyError>,
    ) -> Result<bool, VerifyError> {
        let begun = Instant::now();
        loop {
            if is_free()? {
                return Ok(true);
            }
            if begun.elapsed() >= self.request.backup.wait.get() {
                return Ok(false);
            }
            thread::sleep(LOOK_EVERY);
            if self.tell.is_cancelled() {
                return Err(VerifyError::Cancelled);
            }
        }
    }

    /// Waits for rsnapshot; gives the lock as it was seen last.
    pub(super) fn wait_for_lock(
        &self,
        lockfile: Option<&Path>,
    ) -> Result<(Lock, Option<Finding>), VerifyError> {
        let at = lockfile.unwrap_or(Path::new("lockfile"));
        let mut seen = Lock::Free;
        let is_free = self.wait_until(|| {
            seen = Lock::look(lockfile).map_err(VerifyError::backup(at))?;
            Ok(!matches!(seen, Lock::Held(_)))
        })?;
        Ok((seen, (!is_free).then(|| being_written("rsnapshot is at work", &format!("{seen:?}")))))
    }

    /// Judges what lies there as files. A newest one that is broken and was written to a moment ago is judged again
    /// once nobody has written to it for a while: whoever writes may pause longer than two looks are apart.
    pub(super) fn once_written(
        &self,
        pattern: &Path,
        judge: impl Fn() -> Result<Report, VerifyError>,
    ) -> Result<Report, VerifyError> {
        let begun = Instant::now();
        let mut report = judge()?;
        let is_broken = |f: &Finding| {
            f.severity == Severity::Fail && matches!(f.code, Code::CutShort | Code::Damaged | Code::NotADump)
        };
        let is_written = || {
            let newest = matching(pattern).map_err(VerifyError::backup(pattern))?.into_iter().next();
            Ok(newest.is_some_and(|f| self.is_young(&f, begun.elapsed())))
        };
        if self.request.backup.inside.is_some() || !report.findings.iter().any(is_broken) || !is_written()? {
            return Ok(report);
        }
        if self.wait_until(|| is_written().map(|is| !is))? {
            return judge();
        }
        report.findings.retain(|f| !is_broken(f));
        report.findings.push(being_written("the newest is still written to", "it changes again and again"));
        Ok(report)
    }

    /// Whether something was written to a moment ago; `later` is how long after the night's beginning that is asked.
    fn is_young(&self, file: &Found, later: Duration) -> bool {
        let age = (self.request.now + later).duration_since(file.changed.at());
        Duration::try_from(age).is_ok_and(|age| age < QUIET)
    }

    /// The files of a pattern, once the newest has stopped growing.
    pub(super) fn wait_for_files(
        &self,
        pattern: &Path,
    ) -> Result<(Vec<Found>, Option<Finding>), VerifyError> {
        let look = || matching(pattern).map_err(VerifyError::backup(pattern));
        let mut found = look()?;
        if !found.first().is_some_and(|f| self.is_young(f, Duration::ZERO)) {
            return Ok((found, None));
        }
        let mut before = Vec::new();
        let stands = self.wait_until(|| {
            found = look()?;
            let same = before.first() == found.first();
            before.clone_from(&found);
            Ok(same)
        })?;
        let name = found.first().map_or_else(String::new, |f| f.path.display().to_string());
        Ok((found, (!stands).then(|| being_written(&format!("{name} still grows"), "its size changes"))))
    }
}

pub(super) fn being_written(what: &str, evidence: &str) -> Finding {
    Finding::warn(
        Code::BeingWritten,
        format!("{what}: the newest backup is not judged tonight"),
        "Let the verification begin later, or give it more time with `wait:`.",
    )
    .with([evidence.to_owned()])
}

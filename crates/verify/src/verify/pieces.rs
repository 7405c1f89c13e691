//! The dumps that a pattern names, wherever they lie: as files of their own, or in another backup.

use super::{Night, Proved, files::prove_files, source::Source};
use crate::{
    decrypt::{Unseal, not_encrypted},
    dump::Content,
    error::VerifyError,
    finding::{Code, Finding},
    found::Found,
    look::Wanted,
};
use std::{path::Path, rc::Rc};

/// So many of the youngest files are asked for their time.
const CANDIDATES: usize = 50;
/// The same where each of them is decrypted or fetched for it.
const DEAR_CANDIDATES: usize = 3;

/// Where dumps were looked for, and which were found.
pub(super) struct Pieces {
    /// The files of the pattern, where they are files of their own.
    pub(super) found: Vec<Found>,
    /// The other backup in which they lie.
    pub(super) source: Option<Source>,
    pub(super) unseal: Option<Rc<Unseal>>,
    wanted: Wanted,
}

impl Night<'_> {
    /// Looks for dumps. `Err` is the finding that keeps us from it.
    pub(super) fn pieces(
        &self,
        pattern: &Path,
        findings: &mut Vec<Finding>,
    ) -> Result<Result<Pieces, Finding>, VerifyError> {
        let unseal = match self.unseal()? {
            Ok(unseal) => unseal,
            Err(finding) => return Ok(Err(finding)),
        };
        let of = Wanted::parse(&pattern.to_string_lossy());
        let Some(name) = &self.request.backup.inside else {
            let (found, waited) = self.wait_for_files(pattern)?;
            findings.extend(waited);
            return Ok(Ok(Pieces { found, source: None, unseal, wanted: of }));
        };
        let opened = self.request.inside.map(|inside| Source::open(inside, self.request.scratch, Some(&of)));
        let advice = "See to that backup first: its own verification says more.";
        let not_there = |why: String| {
            let what = format!("the backup {name}, in which it lies, cannot be looked into");
            Finding::fail(Code::NotChecked, what, advice).with([why])
        };
        Ok(match opened {
            Some(Ok(Some(source))) => {
                Ok(Pieces { found: Vec::new(), source: Some(source), unseal, wanted: of })
            }
            Some(Ok(None)) => Err(not_there("there is no complete one".to_owned())),
            Some(Err(error)) => Err(not_there(error.to_string())),
            None => Err(not_there("the configuration has no such backup".to_owned())),
        })
    }
}

impl Night<'_> {
    /// Proves the files of a pattern. What lies in another backup is proved with it; what it holds is compared with before.
    pub(super) fn proved(
        &self,
        pattern: &Path,
        pieces: &Pieces,
        counted: Option<(u64, u64)>,
        findings: &mut Vec<Finding>,
    ) -> Result<Option<Proved>, VerifyError> {
        if pieces.source.is_none() {
            return prove_files(self, pattern, &pieces.found, counted).map(Some);
        }
        if let Some((things, bytes)) = counted {
            findings.extend(self.compare(things, bytes)?);
        }
        Ok(None)
    }
}

impl Pieces {
    /// The dumps, the youngest first by the time of their files.
    pub(super) fn contents(&self, pattern: &Path) -> Result<Vec<Content<'_>>, VerifyError> {
        let dear = self.source.is_some() || self.unseal.is_some();
        let most = if dear { DEAR_CANDIDATES } else { CANDIDATES };
        Ok(self.all(pattern)?.take(most).collect())
    }

    /// Every one of them, the youngest first; nothing of any is read yet.
    pub(super) fn all(&self, pattern: &Path) -> Result<impl Iterator<Item = Content<'_>>, VerifyError> {
        let inside = match &self.source {
            Some(source) => source.matching(&self.wanted).map_err(VerifyError::backup(pattern))?,
            None => Vec::new(),
        };
        let each = |f: &Found| Content::of_file(&f.path, f.changed, f.size, self.unseal.clone());
        let within = self.source.as_ref().map(|source| &*source.tree);
        let inside = within.into_iter().flat_map(move |tree| {
            let found = inside.clone();
            found.into_iter().map(move |f| Content::inside(tree, f, self.unseal.clone()))
        });
        Ok(self.found.iter().map(each).chain(inside))
    }

    /// What people call a dump that was found.
    pub(super) fn name_of(&self, content: &Content<'_>) -> String {
        match &self.source {
            Some(source) => format!("{} in {}", content.name, source.name),
            None => content.name.clone(),
        }
    }
}

/// Says that something should be encrypted and is not.
pub(super) fn lies_open(content: &Content<'_>) -> Result<Option<Finding>, VerifyError> {
    let is_open = content.is_open().map_err(VerifyError::backup(&content.name))?;
    Ok(is_open.then(|| not_encrypted(&content.name)))
}

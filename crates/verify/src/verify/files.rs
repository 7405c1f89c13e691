//! A tree, archives, dumps of Redis.

use super::{
    Night, Proved, Report,
    generations::live_missing,
    pieces::lies_open,
    source::{Source, name_of, open_root, reopen},
};
use crate::{
    backup::Backup,
    check::{Age, KnownBy, complete, raw_copies, raw_copies_in},
    dump::Content,
    error::VerifyError,
    finding::{Finding, Severity},
    found::{Found, split},
    look::DirectoryTree,
    prove::{Generation, Measure, Root},
    redis,
    stamp::Stamp,
    stream,
    tarball::Tarball,
};
use std::{collections::HashSet, ffi::OsStr, io, os::unix::ffi::OsStrExt as _, path::Path};

pub(super) fn tree(night: &Night<'_>, path: &Path) -> Result<Report, VerifyError> {
    let of = || VerifyError::backup(path);
    let fd = match open_root(path) {
        Ok(fd) => fd,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let gone = format!("{} is not there; perhaps a disk that is not mounted", path.display());
            return Ok(night.report(None, None, &[gone], night.fresh(None)));
        }
        Err(error) => return Err(of()(error)),
    };
    let tree = DirectoryTree::new(fd.try_clone().map_err(of())?, None);
    let source = Source { name: name_of(path), tree: Box::new(tree), below: Vec::new() };
    let mut findings = is_complete(night.request.backup, &source).map_err(of())?;
    findings.extend(raw_copies_in(&*source.tree, &[]).map_err(of())?);
    let generation = Generation { root: Root { name: Vec::new(), fd }, stamp: None };
    let proved = night.prove(vec![generation], None, Measure::Tree, &|| false)?;
    let name = name_of(path);
    let youngest = proved.outcome.summary.youngest;
    let age = (youngest > 0).then(|| Age {
        name,
        at: crate::stamp::Nanos(youngest).at(),
        known_by: KnownBy::FileTime,
    });
    findings.extend(night.fresh(age.as_ref()));
    Ok(night.report(age, Some(proved), &[], findings))
}

pub(super) fn tar(night: &Night<'_>, pattern: &Path) -> Result<Report, VerifyError> {
    let unseal = match night.unseal()? {
        Ok(unseal) => unseal,
        Err(finding) => return Ok(night.not_looked_into(vec![finding])),
    };
    let (found, waited) = night.wait_for_files(pattern)?;
    let mut findings: Vec<Finding> = waited.into_iter().collect();
    let newest = found.iter().find(|f| !f.is_directory);
    let age = newest.map(file_age);
    findings.extend(night.fresh(age.as_ref()));
    let (Some(newest), Some(age)) = (newest, age) else {
        return Ok(night.report(None, None, &[], findings));
    };
    let of = || VerifyError::backup(&newest.path);
    findings.extend(lies_open(&Content::of_file(&newest.path, newest.changed, newest.size, unseal.clone()))?);
    let reopen = reopen(newest.path.clone(), unseal);
    let (tarball, broken) =
        Tarball::read_by(&age.name, reopen, Some(Stamp::of(age.at)), None).map_err(of())?;
    let names = tarball.listing().paths;
    let mut counted = None;
    let said;
    if let Some(broken) = broken {
        // What is behind the break is not known to be missing.
        said = format!("{names} names could be read before it breaks off");
        findings.push(broken);
    } else {
        said = format!("read to its end: {names} names");
        counted = Some((tarball.listing().paths, tarball.listing().bytes));
        findings.extend(raw_copies(tarball.listing()));
        let name = age.name.clone();
        let source = Source { name, tree: Box::new(tarball), below: Vec::new() };
        findings.extend(is_complete(night.request.backup, &source).map_err(of())?);
    }
    let proved = prove_files(night, pattern, &found, counted)?;
    Ok(night.report(Some(age), Some(proved), &[said], findings))
}

pub(super) fn redis(night: &Night<'_>, pattern: &Path) -> Result<Report, VerifyError> {
    let mut findings = Vec::new();
    let pieces = match night.pieces(pattern, &mut findings)? {
        Ok(pieces) => pieces,
        Err(finding) => return Ok(night.not_looked_into(vec![finding])),
    };
    let contents = pieces.contents(pattern)?;
    let newest = contents.iter().find(|c| !c.path().is_some_and(Path::is_dir));
    let age = newest.map(|newest| Age {
        name: pieces.name_of(newest),
        at: newest.changed.at(),
        known_by: KnownBy::FileTime,
    });
    findings.extend(night.fresh(age.as_ref()));
    let Some(newest) = newest else { return Ok(night.report(None, None, &[], findings)) };
    findings.extend(lies_open(newest)?);
    let wrong = match newest.path() {
        Some(path) => redis::check(path).map_err(VerifyError::backup(path))?,
        None => match newest.open() {
            Ok(input) => redis::check_input(&newest.name, input),
            Err(error) => vec![stream::broken(&newest.name, &error)],
        },
    };
    let is_whole = wrong.iter().all(|f| f.severity == Severity::Info);
    findings.extend(wrong);
    let proved = night.proved(pattern, &pieces, is_whole.then_some((1, newest.size)), &mut findings)?;
    Ok(night.report(age, proved, &[], findings))
}

pub(super) fn is_complete(backup: &Backup, source: &Source) -> io::Result<Vec<Finding>> {
    let mastodon = source.mastodon(backup.live.as_deref())?;
    let mut findings =
        complete(&*source.tree, &source.below, &backup.require, &backup.forbid, mastodon.as_ref())?;
    findings.extend(live_missing(backup.live.as_deref(), mastodon.is_some()));
    Ok(findings)
}

fn file_age(file: &Found) -> Age {
    Age { name: name_of(&file.path), at: file.changed.at(), known_by: KnownBy::FileTime }
}

/// Proves every file of a pattern; a directory among them with all that is in it. `counted` is what the newest holds.
pub(super) fn prove_files(
    night: &Night<'_>,
    pattern: &Path,
    found: &[Found],
    counted: Option<(u64, u64)>,
) -> Result<Proved, VerifyError> {
    let (directory, _) = split(pattern);
    let of = || VerifyError::backup(&directory);
    let mut generations = Vec::new();
    let names: HashSet<Vec<u8>> = if found.first().is_some_and(|f| f.is_directory) {
        for found in found.iter().filter(|f| f.is_directory) {
            let name = found.path.file_name().unwrap_or_default().as_bytes().to_vec();
            let fd = open_root(&found.path).map_err(VerifyError::backup(&found.path))?;
            generations.push(Generation { root: Root { name, fd }, stamp: None });
        }
        return night.prove(generations, None, Measure::File(counted), &|| false);
    } else {
        let files = found.iter().filter(|f| !f.is_directory);
        files.filter_map(|f| f.path.file_name().map(OsStr::as_bytes).map(<[u8]>::to_vec)).collect()
    };
    let fd = open_root(&directory).map_err(of())?;
    generations.push(Generation { root: Root { name: Vec::new(), fd }, stamp: None });
    night.prove(generations, Some(names), Measure::File(counted), &|| false)
}

//! A tree, archives, dumps of Redis.

use super::{
    Night, Proved, Report,
    generations::live_missing,
    source::{Source, open_root},
};
use crate::{
    backup::Backup,
    check::{Age, KnownBy, complete},
    error::VerifyError,
    finding::Finding,
    found::{Found, split},
    look::DirectoryTree,
    prove::{Generation, Root},
    redis,
    stamp::Stamp,
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
    let source = Source { tree: Box::new(tree), below: Vec::new() };
    let mut findings = is_complete(night.request.backup, &source).map_err(of())?;
    let proved =
        night
            .prove(vec![Generation { root: Root { name: Vec::new(), fd }, stamp: None }], None, &|| false)?;
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
    let (found, mut findings) = found_files(night, pattern)?;
    let Some((newest, age)) = newest_file(&found) else {
        return Ok(night.report(None, None, &[], findings));
    };
    let of = || VerifyError::backup(&newest.path);
    let (tarball, broken) = Tarball::read(&newest.path, Some(Stamp::of(age.at))).map_err(of())?;
    let said = format!("read to its end: {} names", tarball.paths);
    if let Some(broken) = broken {
        // What is behind the break is not known to be missing.
        findings.push(broken);
    } else {
        let source = Source { tree: Box::new(tarball), below: Vec::new() };
        findings.extend(is_complete(night.request.backup, &source).map_err(of())?);
    }
    let proved = prove_files(night, pattern, &found)?;
    Ok(night.report(Some(age), Some(proved), &[said], findings))
}

pub(super) fn redis(night: &Night<'_>, pattern: &Path) -> Result<Report, VerifyError> {
    let (found, mut findings) = found_files(night, pattern)?;
    let Some((newest, age)) = newest_file(&found) else {
        return Ok(night.report(None, None, &[], findings));
    };
    findings.extend(redis::check(&newest.path).map_err(VerifyError::backup(&newest.path))?);
    let proved = prove_files(night, pattern, &found)?;
    Ok(night.report(Some(age), Some(proved), &[], findings))
}

/// The files of a pattern, and what waiting for them and their age say.
fn found_files(night: &Night<'_>, pattern: &Path) -> Result<(Vec<Found>, Vec<Finding>), VerifyError> {
    let (found, waited) = night.wait_for_files(pattern)?;
    let mut findings: Vec<Finding> = waited.into_iter().collect();
    let age = newest_file(&found).map(|(_, age)| age);
    findings.extend(night.fresh(age.as_ref()));
    Ok((found, findings))
}

fn newest_file(found: &[Found]) -> Option<(&Found, Age)> {
    found.iter().find(|f| !f.is_directory).map(|newest| (newest, file_age(newest)))
}

fn is_complete(backup: &Backup, source: &Source) -> io::Result<Vec<Finding>> {
    let mastodon = source.mastodon(backup.live.as_deref())?;
    let mut findings =
        complete(&*source.tree, &source.below, &backup.require, &backup.forbid, mastodon.as_ref())?;
    findings.extend(live_missing(backup.live.as_deref(), mastodon.is_some()));
    Ok(findings)
}

fn file_age(file: &Found) -> Age {
    Age { name: name_of(&file.path), at: file.changed.at(), known_by: KnownBy::FileTime }
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Proves every file of a pattern; a directory among them with all that is in it.
pub(super) fn prove_files(night: &Night<'_>, pattern: &Path, found: &[Found]) -> Result<Proved, VerifyError> {
    let (directory, _) = split(pattern);
    let of = || VerifyError::backup(&directory);
    let mut generations = Vec::new();
    let names: HashSet<Vec<u8>> = if found.first().is_some_and(|f| f.is_directory) {
        for found in found.iter().filter(|f| f.is_directory) {
            let name = found.path.file_name().unwrap_or_default().as_bytes().to_vec();
            let fd = open_root(&found.path).map_err(VerifyError::backup(&found.path))?;
            generations.push(Generation { root: Root { name, fd }, stamp: None });
        }
        return night.prove(generations, None, &|| false);
    } else {
        let files = found.iter().filter(|f| !f.is_directory);
        files.filter_map(|f| f.path.file_name().map(OsStr::as_bytes).map(<[u8]>::to_vec)).collect()
    };
    let fd = open_root(&directory).map_err(of())?;
    generations.push(Generation { root: Root { name: Vec::new(), fd }, stamp: None });
    night.prove(generations, Some(names), &|| false)
}

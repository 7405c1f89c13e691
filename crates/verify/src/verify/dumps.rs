//! Dumps of PostgreSQL, and whether they fit the file backup that belongs to them.

use super::{
    Night, Report, drill,
    handed::Beside,
    live::Sent,
    pieces::{Pieces, lies_open},
    source::Source,
};
use crate::{
    check::{Age, KnownBy, Mastodon, candidates, place_of},
    dump::{Content, Facts, Kind, MediaCheck, MediaFile, beyond, fit, read_content},
    error::VerifyError,
    finding::{Code, Finding},
    leads::{Lead, follow},
    stream,
};
use jiff::{Timestamp, tz::TimeZone};
use mastmaint_words::{backup::Newest, human};
use std::{io, path::Path};

/// A dump and what it says of itself.
pub(super) struct Dump<'a> {
    pub(super) content: &'a Content<'a>,
    /// What it is, or why its beginning could not be read.
    pub(super) kind: Result<Kind, Finding>,
    pub(super) age: Age,
}

pub(super) fn postgres(night: &Night<'_>, pattern: &Path) -> Result<Report, VerifyError> {
    let mut findings = Vec::new();
    let pieces = match night.pieces(pattern, &mut findings)? {
        Ok(pieces) => pieces,
        Err(finding) => return Ok(night.not_looked_into(vec![finding])),
    };
    let still_grows = !findings.is_empty();
    let contents = pieces.contents(pattern)?;
    let newest = newest_of(&pieces, &contents).map_err(VerifyError::backup(pattern))?;
    let Some(dump) = newest else {
        findings.extend(night.fresh(None));
        return Ok(night.report(None, None, &[], findings));
    };
    findings.extend(night.fresh(Some(&dump.age)));
    findings.extend(lies_open(dump.content)?);
    let files = files_of(night, &pieces, &mut findings);
    let of = || VerifyError::backup(pattern);
    let live = night.request.files.and_then(|f| f.live.as_deref());
    let mastodon = files.as_ref().map(|s| s.mastodon(live)).transpose().map_err(of())?.flatten();
    let shown = read(night, &dump, files.as_deref(), mastodon.as_ref()).map_err(of())?;
    let mut said = shown.said;
    findings.extend(shown.findings);
    let proved = night.proved(pattern, &pieces, shown.counted, &mut findings)?;
    let mut last = None;
    if let Some(plan) = &night.request.backup.drill {
        // Nothing is said of one that cannot be read to its end: bringing it to life would tell nothing new.
        let beside = Beside { source: files.as_deref(), mastodon: mastodon.as_ref(), sent: Sent::ToStart };
        let is_whole = !said.is_empty() && !still_grows;
        let tonight = drill::tonight(night, plan, &dump, beside, is_whole)?;
        let is_new =
            |f: &Finding| !findings.iter().any(|known| (known.code, &known.what) == (f.code, &f.what));
        let new: Vec<Finding> = tonight.findings.into_iter().filter(is_new).collect();
        findings.extend(new);
        said.push(tonight.said);
        last = tonight.last;
    }
    let report = night.report(Some(dump.age), proved, &said, findings);
    let newest = report.newest.map(|newest| Newest { youngest: shown.newest_status, ..newest });
    Ok(Report { drill: last, newest, ..report })
}

/// The file backup that belongs to the dump: often the one in which it lies.
pub(super) fn files_of<'a>(
    night: &Night<'_>,
    pieces: &'a Pieces,
    findings: &mut Vec<Finding>,
) -> Option<Files<'a>> {
    let backup = night.request.backup;
    if let Some(source) = pieces.source.as_ref().filter(|_| backup.files == backup.inside) {
        return Some(Files::Same(source));
    }
    match Source::open(night.request.files?, night.request.scratch, None) {
        Ok(Some(source)) => return Some(Files::Own(source)),
        Ok(None) => findings.push(not_across("there is no complete file backup", None)),
        Err(error) => findings.push(not_across("the file backup cannot be opened", Some(&error))),
    }
    None
}

/// A file backup that was opened for something else already, or for this.
pub(super) enum Files<'a> {
    Same(&'a Source),
    Own(Source),
}

impl std::ops::Deref for Files<'_> {
    type Target = Source;

    fn deref(&self) -> &Source {
        match self {
            Self::Same(source) => source,
            Self::Own(source) => source,
        }
    }
}

fn not_across(what: &str, error: Option<&io::Error>) -> Finding {
    let what = format!("{what}: whether secrets and media fit is not checked");
    Finding::warn(Code::NotChecked, what, "See to the file backup named by `files:`.")
        .with(error.map(ToString::to_string))
}

/// The newest by what the dumps say of themselves: a copy of an old one under a new name stays an old one.
pub(super) fn newest_of<'a>(pieces: &Pieces, contents: &'a [Content<'a>]) -> io::Result<Option<Dump<'a>>> {
    let zone = TimeZone::system();
    let mut newest: Option<Dump<'_>> = None;
    for content in contents {
        let looked = match content.path() {
            Some(path) => Kind::of(path),
            None => content.open().and_then(Kind::of_input),
        };
        let kind = match looked {
            Ok(kind) => Ok(kind),
            // Removed since it was listed: not there.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) if content.path().is_some() => return Err(error),
            Err(error) => Err(stream::broken(&content.name, &error)),
        };
        let inside = match &kind {
            Ok(Kind::Custom(header) | Kind::Directory(header)) => header.created_at(&zone),
            _ => None,
        };
        let known_by = if inside.is_some() { KnownBy::Content } else { KnownBy::FileTime };
        let at = inside.unwrap_or_else(|| content.changed.at());
        let age = Age { name: pieces.name_of(content), at, known_by };
        if newest.as_ref().is_none_or(|n| age.at > n.age.at) {
            newest = Some(Dump { content, kind, age });
        }
    }
    Ok(newest)
}

/// What a dump shows when it is read to its end.
#[derive(Default)]
struct Shown {
    said: Vec<String>,
    findings: Vec<Finding>,
    newest_status: Option<Timestamp>,
    /// Rows, and bytes of its text.
    counted: Option<(u64, u64)>,
}

/// Reads the dump to its end and says what it shows.
fn read(
    night: &Night<'_>,
    dump: &Dump<'_>,
    source: Option<&Source>,
    mastodon: Option<&Mastodon>,
) -> io::Result<Shown> {
    let kind = match &dump.kind {
        Ok(kind) => kind,
        Err(broken) => return Ok(Shown { findings: vec![broken.clone()], ..Shown::default() }),
    };
    let name = &dump.content.name;
    let env = mastodon.and_then(|m| m.env.as_ref());
    let domain = mastodon.and_then(Mastodon::domain);
    let dumped = (dump.age.known_by == KnownBy::Content).then_some(dump.age.at);
    let mut media = match (source, mastodon, env) {
        (Some(source), Some(mastodon), Some(env)) => {
            let root = media_root(source, mastodon)?;
            Some(MediaCheck::new(&*source.tree, root, env, dumped))
        }
        _ => None,
    };
    let mut look_up = |file: MediaFile| {
        if let Some(media) = &mut media {
            media.look_up(&file);
        }
    };
    let (facts, broken) = read_content(dump.content, kind, domain, &mut look_up)?;
    if let Some(broken) = broken {
        // What is behind the break is not known to be missing.
        return Ok(Shown { findings: vec![broken], ..Shown::default() });
    }
    let mut said = vec![sentence(&facts, night.request.now)];
    let mut findings = facts.is_mastodon(name);
    findings.extend(facts.beyond.as_deref().map(|statement| beyond::finding(name, statement)));
    if *kind == Kind::Cluster {
        findings.push(of_a_cluster(name));
    }
    findings.extend(domain.and_then(|d| facts.is_of(name, d)));
    if let Some(mastodon) = mastodon {
        findings.extend(facts.fits_code(name, &mastodon.migrations));
    }
    if facts.inserts > 0 && source.is_some() {
        let what =
            format!("the rows of {name} are written as INSERT: whether secrets and media fit is not checked");
        let advice = "Make the dump without --inserts: it comes back much faster, too.";
        findings.push(Finding::warn(Code::NotChecked, what, advice));
    } else if let Some(env) = env {
        findings.extend(fit(env, &facts.sealed).finding(name));
    } else if source.is_some() {
        let what = "there is no .env.production in the file backup";
        findings.push(not_across(what, None));
    }
    if let Some(media) = media.filter(|_| facts.inserts == 0) {
        said.push(media.sentence());
        findings.extend(media.findings());
    }
    let counted = Some((facts.rows.values().sum(), facts.bytes));
    Ok(Shown { said, findings, newest_status: facts.newest_status(), counted })
}

/// The dump of a cluster is a good backup, and none that is loaded here.
pub(super) fn of_a_cluster(name: &str) -> Finding {
    let what = format!(
        "{name} is the dump of a whole cluster (pg_dumpall): restore-database does not load it, for it has the roles of a server in it, and other databases"
    );
    let advice = "Where Mastodon's database shall come back by restore-database have a dump made by pg_dump -Fc as well; this one is loaded by hand, as a superuser.";
    Finding::info(Code::NotLoadable, what, advice)
}

/// Where `public/system` lies in the file backup.
fn media_root(source: &Source, mastodon: &Mastodon) -> io::Result<String> {
    let own = mastodon.env.as_ref().and_then(|e| e.get("PAPERCLIP_ROOT_PATH"));
    if let Some(own) = own.filter(|o| o.starts_with('/')) {
        for at in candidates(own, &source.below) {
            if let Lead::Here(at, _) = follow(&*source.tree, &source.below, &at)? {
                return Ok(at);
            }
        }
    }
    place_of(&*source.tree, &source.below, &format!("{}/public/system", mastodon.live))
}

fn sentence(facts: &Facts, now: Timestamp) -> String {
    let newest = facts.newest_status().map_or_else(
        || if facts.inserts > 0 { "their age not known" } else { "no post in it" }.to_owned(),
        |at| format!("newest post {}", human::ago(now, at)),
    );
    format!(
        "read to its end: {} tables, {} accounts, {} posts of which {} local, {newest}",
        facts.tables.len(),
        facts.count("accounts"),
        facts.count("statuses"),
        facts.local_statuses
    )
}

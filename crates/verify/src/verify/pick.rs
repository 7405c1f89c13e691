//! One dump of a backup, picked to be brought to life for good.

use super::{
    Night, Request,
    dumps::{Dump, newest_of, of_a_cluster},
    handed::{self, Opened},
    pieces::Pieces,
};
use crate::{
    backup::Place,
    dump::{Content, Kind, beyond},
    error::VerifyError,
    finding::{Code, Finding, Severity},
    prove::Tell,
};
use jiff::Timestamp;
use std::path::Path;

/// More names are not listed.
const LISTED: usize = 10;

/// Why none is picked.
#[derive(Debug)]
pub(crate) enum NotPicked {
    /// The backup cannot be looked into, or the dump is none.
    Found(Box<Finding>),
    /// There is none, or none of this name; those that there are.
    None(Vec<String>),
    /// An error of our own.
    Error(VerifyError),
}

impl From<VerifyError> for NotPicked {
    fn from(error: VerifyError) -> Self {
        Self::Error(error)
    }
}

/// What is known of the one that is picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picked {
    /// What people call it.
    pub(crate) name: String,
    /// When it was made.
    pub(crate) at: Timestamp,
}

/// A way to open what is picked.
pub(crate) type Open<'a> = &'a dyn Fn() -> Result<Opened, NotPicked>;

/// Picks the newest complete dump, or the one of this name, and has something done with it: told what it is, and given a
/// way to open it.
pub(crate) fn pick<T, E: From<NotPicked>>(
    request: &Request<'_>,
    named: Option<&str>,
    tell: &dyn Tell,
    then: &dyn Fn(&Picked, Open<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let night = Night { request, tell };
    let Place::Postgres { path: pattern } = &request.backup.place else {
        let what = format!("a backup of kind {} holds no dumps of PostgreSQL", request.backup.place.kind());
        let advice = "Name a backup of kind postgres.";
        return Err(found(Finding::fail(Code::NotADump, what, advice)).into());
    };
    let mut findings = Vec::new();
    let pieces = night.pieces(pattern, &mut findings).map_err(NotPicked::from)?;
    let pieces = pieces.map_err(found)?;
    let contents = match named {
        None => pieces.contents(pattern),
        Some(name) => of_name(&pieces, pattern, name),
    };
    let contents = contents.map_err(NotPicked::from)?;
    let newest = newest_of(&pieces, &contents).map_err(VerifyError::backup(pattern));
    let Some(dump) = newest.map_err(NotPicked::from)? else {
        let all = pieces.all(pattern).map_err(NotPicked::from)?;
        return Err(NotPicked::None(all.take(LISTED).map(|c| pieces.name_of(&c)).collect()).into());
    };
    if let Some(grows) = findings.into_iter().next() {
        return Err(found(grows).into());
    }
    let picked = Picked { name: dump.age.name.clone(), at: dump.age.at };
    then(&picked, &|| opened(&dump))
}

fn found(finding: Finding) -> NotPicked {
    NotPicked::Found(Box::new(finding))
}

/// By the name of its file, or by that in reports, which says in which backup it lies.
fn of_name<'a>(pieces: &'a Pieces, pattern: &Path, name: &str) -> Result<Vec<Content<'a>>, VerifyError> {
    let is_named = |content: &Content<'_>| content.name == name || pieces.name_of(content) == name;
    Ok(pieces.all(pattern)?.filter(is_named).collect())
}

/// Opens what is the dump of one database.
fn opened(dump: &Dump<'_>) -> Result<Opened, NotPicked> {
    let name = &dump.content.name;
    let not =
        |what: &str, advice: &str| found(Finding::fail(Code::NotADump, format!("{name} {what}"), advice));
    match &dump.kind {
        Ok(Kind::Custom(_) | Kind::Directory(_)) => {}
        Ok(Kind::Plain) => {
            let statement = beyond::at_begin(dump.content).map_err(VerifyError::backup(name))?;
            if let Some(statement) = statement {
                return Err(found(Finding { severity: Severity::Fail, ..beyond::finding(name, &statement) }));
            }
        }
        Ok(Kind::Cluster) => return Err(found(Finding { severity: Severity::Fail, ..of_a_cluster(name) })),
        Ok(Kind::Packed(packing)) => {
            return Err(not(&format!("is packed by {packing}, which is not read here"), "Unpack it first."));
        }
        Ok(Kind::Empty | Kind::Unknown | Kind::DataDirectory) => {
            return Err(not("is no dump of PostgreSQL", "See what its verification says."));
        }
        Err(broken) => return Err(found(broken.clone())),
    }
    Ok(handed::open(dump).map_err(VerifyError::backup(name))?)
}

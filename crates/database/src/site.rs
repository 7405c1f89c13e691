//! Where a verb works, and who listens.

use crate::{
    error::DatabaseError,
    listing::{self, Look},
    names::Names,
    note::Note,
    psql::Server,
    settings::Settings,
};
use mastmaint_verify::prove::Tell;
use mastmaint_words::RunId;
use std::{io, path::Path};

/// Where a verb works.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The instance.
    pub settings: &'a Settings,
    /// Where it is noted that a pooler is paused, for [`crate::resume`]; without it none is.
    pub paused: Option<&'a Path>,
    /// Who wants to know how far it is.
    pub tell: &'a dyn Tell,
    /// Called before and after each effect with its name: where tests kill.
    pub reach: &'a dyn Fn(&'static str),
}

impl std::fmt::Debug for Site<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What came of a verb that was not refused; a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Did {
    /// It was done, or was done before.
    Done(String),
    /// There was nothing to do.
    Nothing(String),
}

/// A server that was looked at, and the databases of a run on it.
pub(crate) struct Bench<'a> {
    pub(crate) site: &'a Site<'a>,
    pub(crate) server: Server,
    /// A database that is none of ours: in it others are made, renamed and dropped.
    pub(crate) admin: &'static str,
    pub(crate) names: Names,
}

impl<'a> Bench<'a> {
    /// Looks whether the server answers, and whether it is one.
    pub(crate) fn new(site: &'a Site<'a>, server: Server, run: &RunId) -> Result<Self, DatabaseError> {
        let admin = listing::admin(&server)?;
        let names = Names::of(&site.settings.way.database.name, run);
        Ok(Self { site, server, admin, names })
    }

    /// That of a run whose dump is not read.
    pub(crate) fn of(site: &'a Site<'a>, run: &RunId) -> Result<Self, DatabaseError> {
        Self::new(site, Server::new(site.settings.way.clone(), Some(run), None)?, run)
    }

    /// What is there now.
    pub(crate) fn look(&self) -> Result<Look, DatabaseError> {
        listing::look(&self.server, self.admin, &self.names)
    }

    /// Has a statement done that is none of a database's own.
    pub(crate) fn admin(&self, doing: &str, statement: &str) -> Result<String, DatabaseError> {
        self.server.sql(self.admin, &[statement]).map_err(|refusal| refusal.of(doing))
    }

    /// Notes that the pooler is about to be paused.
    pub(crate) fn note_pause(&self) -> io::Result<Note> {
        let place = self.site.paused.ok_or_else(|| io::Error::other("no place for it was named"))?;
        Note::write(place, &self.names.run, &self.site.settings.live)
    }

    pub(crate) fn say(&self, text: &str) {
        self.site.tell.say(text);
    }

    pub(crate) fn reach(&self, point: &'static str) {
        (self.site.reach)(point);
    }
}

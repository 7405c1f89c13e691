//! The record of a load: on disk before what it says is done.

use super::{NotLoaded, kept};
use crate::whole;
use jiff::Timestamp;
use mastmaint_words::{
    database::{LoadOrder, LoadPhase, LoadPlan, Loading},
    restore::Generation,
};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// The record of one run.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    pub(super) loading: Loading,
}

impl Record {
    /// Reads it; one that is not there, or cannot be understood, begins now.
    pub(super) fn open(state: &Path, order: &LoadOrder) -> Result<Self, NotLoaded> {
        let path = Loading::path(state, &order.run);
        let known = match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).ok(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(kept("the record of the load")(error)),
        };
        let now = Timestamp::now();
        let loading = known.unwrap_or_else(|| Loading {
            run: order.run.clone(),
            backup: order.name.clone(),
            dump: None,
            phase: LoadPhase::Loading,
            plan: LoadPlan::default(),
            began: now,
            at: now,
        });
        Ok(Self { path, loading })
    }

    /// It begins, perhaps once more.
    pub(super) fn begin(&mut self) -> Result<(), NotLoaded> {
        self.loading.dump = None;
        self.end(LoadPhase::Loading, LoadPlan::default())
    }

    /// The dump is known.
    pub(super) fn found(&mut self, dump: Generation) -> Result<(), NotLoaded> {
        self.loading.dump = Some(dump);
        self.keep()
    }

    /// So far it is.
    pub(super) fn end(&mut self, phase: LoadPhase, plan: LoadPlan) -> Result<(), NotLoaded> {
        self.loading.phase = phase;
        self.loading.plan = plan;
        self.keep()
    }

    fn keep(&mut self) -> Result<(), NotLoaded> {
        self.loading.at = Timestamp::now();
        whole::put(&self.path, &self.loading).map_err(kept("the record of the load"))
    }
}

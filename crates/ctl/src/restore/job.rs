//! The job that is written for one restore, one way back or one removal by hand: JSON, which is YAML and quotes
//! whatever needs it.

use super::typed::{Typed, Wanted};
use crate::{error::CtlError, restores};
use mastmaint_config::settings::{Environment, Instance};
use mastmaint_instance::{Variables, settings_of};
use mastmaint_words::{
    BackupName, RunId,
    database::{LoadPhase, Loading},
    restore::Restoring,
};
use serde::Serialize;
use std::{collections::BTreeMap, fs, io, path::Path};

/// What a run restores, by what it has left of its preparation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts {
    pub(super) files: bool,
    pub(super) database: bool,
}

impl Parts {
    pub(super) fn of(state: &Path, run: &RunId) -> Self {
        Self::that(state, run, |phase| matches!(phase, LoadPhase::Loaded))
    }

    /// What is left of it to be removed: half a database as well, where whoever made it was killed and could not tidy up.
    pub(super) fn left_of(state: &Path, run: &RunId) -> Self {
        Self::that(state, run, |phase| matches!(phase, LoadPhase::Loaded | LoadPhase::Loading))
    }

    fn that(state: &Path, run: &RunId, is_there: fn(&LoadPhase) -> bool) -> Self {
        let load = fs::read(Loading::path(&restores::of_loads(state), run)).ok();
        let load: Option<Loading> = load.and_then(|text| serde_json::from_slice(&text).ok());
        let database = load.is_some_and(|load| is_there(&load.phase));
        // Of a run of which nothing is known the engine says so.
        Self { files: !database || Restoring::path(state, run).exists(), database }
    }

    /// As a person is asked for it.
    pub(super) const fn named(self) -> &'static str {
        match (self.files, self.database) {
            (true, true) => "these files and this database",
            (false, true) => "this database",
            _ => "these files",
        }
    }

    fn job<'a>(self, what: &dyn Fn() -> What<'a>, environment: &'a [(String, String)]) -> Job<'a> {
        let files = self.files.then(|| Step::of_files(what()));
        let database = self.database.then(|| Step::of_database(what(), environment));
        Job { steps: files.into_iter().chain(database).collect(), then: vec![] }
    }
}

/// Copies and checks what was named, and looks at it.
pub(super) fn rehearsal(asked: &Typed, wanted: &Wanted<'_>) -> Result<String, CtlError> {
    let unproved = asked.unproved;
    let files = wanted.files.map(|backup| {
        Step::of_files(What::Rehearsal {
            backup,
            snapshot: asked.snapshot.as_deref(),
            with_media: asked.with_media,
            with_env: asked.with_env,
            unproved,
            without_assets: asked.without_assets,
            rehearse: true,
        })
    });
    let database = wanted.database.map(|backup| {
        let dump = asked.dump.as_deref();
        Step::of_database(What::Dump { backup, dump, unproved, rehearse: true }, &asked.environment)
    });
    written(&Job { steps: files.into_iter().chain(database).collect(), then: vec![] })
}

/// Looks at what came in from another host as at what was copied here.
pub(super) fn look(asked: &Typed, received: &RunId) -> Result<String, CtlError> {
    written(&Job { steps: vec![Step::of_files(What::prepared(received, asked, true))], then: vec![] })
}

/// Switches in what lies prepared. Of the instance come the settings by which is known what follows.
pub(super) fn switch(
    parts: Parts,
    asked: &Typed,
    prepared: &RunId,
    instance: Option<&Instance>,
) -> Result<String, CtlError> {
    let mut job = parts.job(&|| What::prepared(prepared, asked, false), &asked.environment);
    if parts.database {
        job.then = followers(instance, prepared);
    }
    written(&job)
}

/// Changes places again.
pub(super) fn back(parts: Parts, run: &RunId, environment: &[(String, String)]) -> Result<String, CtlError> {
    written(&parts.job(&|| What::Back { rollback: run }, environment))
}

/// Removes the database that a restore has replaced.
pub(super) fn removal(run: &RunId, environment: &[(String, String)]) -> Result<String, CtlError> {
    let steps = vec![Step::of_database(What::Prune { prune: run }, environment)];
    written(&Job { steps, then: vec![] })
}

/// What a database of another time needs once Mastodon is up: timelines in Redis, and the index of Elasticsearch where the
/// instance has one. That it fails undoes nothing.
fn followers<'a>(instance: Option<&Instance>, run: &RunId) -> Vec<Step<'a>> {
    let of = |line| Step { tootctl: Some(line), ..Step::default() };
    let none = Environment::new();
    let settings =
        instance.and_then(|instance| Variables::read(&settings_of(&instance.live, run), &none).ok());
    let search = settings.filter(|settings| settings.is_true("ES_ENABLED"));
    std::iter::once(of("feeds build")).chain(search.map(|_| of("search deploy"))).collect()
}

fn written(job: &Job<'_>) -> Result<String, CtlError> {
    Ok(serde_json::to_string(job).map_err(io::Error::from)?)
}

#[derive(Serialize)]
struct Job<'a> {
    steps: Vec<Step<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    then: Vec<Step<'a>>,
}

#[derive(Serialize, Default)]
struct Step<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    restore: Option<What<'a>>,
    #[serde(rename = "restore-database", skip_serializing_if = "Option::is_none")]
    database: Option<What<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tootctl: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    environment: BTreeMap<&'a str, &'a str>,
}

impl<'a> Step<'a> {
    fn of_files(what: What<'a>) -> Self {
        Self { restore: Some(what), ..Self::default() }
    }

    fn of_database(what: What<'a>, environment: &'a [(String, String)]) -> Self {
        let environment = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let what = match what {
            // Databases have no assets.
            What::Prepared { prepared, rehearse, .. } => {
                What::Prepared { prepared, without_assets: false, rehearse }
            }
            other => other,
        };
        Self { database: Some(what), environment, ..Self::default() }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'a> {
    Rehearsal {
        backup: &'a BackupName,
        #[serde(skip_serializing_if = "Option::is_none")]
        snapshot: Option<&'a str>,
        with_media: bool,
        with_env: bool,
        unproved: bool,
        without_assets: bool,
        rehearse: bool,
    },
    Dump {
        backup: &'a BackupName,
        #[serde(skip_serializing_if = "Option::is_none")]
        dump: Option<&'a str>,
        unproved: bool,
        rehearse: bool,
    },
    Back {
        rollback: &'a RunId,
    },
    Prune {
        prune: &'a RunId,
    },
    Prepared {
        prepared: &'a RunId,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        without_assets: bool,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        rehearse: bool,
    },
}

impl<'a> What<'a> {
    /// What was made before, to be looked at or switched in.
    const fn prepared(prepared: &'a RunId, asked: &Typed, rehearse: bool) -> Self {
        Self::Prepared { prepared, without_assets: asked.without_assets, rehearse }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::typed::tests::{HEAD, names, settings},
        *,
    };

    #[test]
    fn what_is_typed_is_a_job_that_the_configuration_takes() {
        let asked = Typed {
            backups: names(&["base", "files"]),
            stdin: false,
            prepared: None,
            snapshot: Some("daily.1".into()),
            dump: Some("mastodon-3.dump".into()),
            environment: vec![("DB_PORT".into(), "5432".into())],
            with_media: true,
            with_env: false,
            unproved: false,
            without_assets: true,
            rehearse: false,
            yes: true,
        };
        let run = "20261126T200000Z-7k3f9q".parse().unwrap();
        let both = Parts { files: true, database: true };
        let settings = settings();
        let wanted = Wanted::among(&settings, &asked.backups).unwrap();
        for job in [
            rehearsal(&asked, &wanted),
            look(&asked, &run),
            switch(both, &asked, &run, None),
            switch(Parts { database: false, ..both }, &asked, &run, settings.instance.as_ref()),
            back(both, &run, &asked.environment),
            removal(&run, &[]),
        ] {
            let job = job.unwrap();
            let text = format!("{HEAD}jobs: {{restore-by-hand: {job}}}\n");
            mastmaint_config::load_str("m.yaml", &text).unwrap();
        }
    }

    #[test]
    fn what_a_run_has_prepared_is_what_comes_back() {
        let place = tempfile::tempdir().unwrap();
        let state = place.path().join("mastmaintd-restore");
        let run = "20261126T200000Z-7k3f9q".parse().unwrap();
        let put = |path: std::path::PathBuf, phase: &str| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let load = format!(
                r#"{{"run":"20261126T200000Z-7k3f9q","backup":"base","phase":{{"is":"{phase}"}},
                "began":"2026-11-26T20:00:00Z","at":"2026-11-26T20:00:00Z"}}"#
            );
            fs::write(path, load).unwrap();
        };
        let loads = Loading::path(&place.path().join("mastmaintd-verify"), &run);
        assert_eq!(Parts::of(&state, &run), Parts { files: true, database: false });
        put(loads.clone(), "loading");
        assert_eq!(Parts::of(&state, &run), Parts { files: true, database: false });
        assert_eq!(Parts::left_of(&state, &run), Parts { files: false, database: true });
        put(loads, "loaded");
        assert_eq!(Parts::of(&state, &run), Parts { files: false, database: true });
        put(Restoring::path(&state, &run), "prepared");
        assert_eq!(Parts::of(&state, &run), Parts { files: true, database: true });
        assert_eq!(Parts::left_of(&state, &run), Parts { files: true, database: true });
    }
}

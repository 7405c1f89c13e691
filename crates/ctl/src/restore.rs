//! `restore`, `rollback`, `prune`: the way back by hand. What is done is done by runs, in rooms; this asks,
//! shows and, for what only a person may do, starts `mastmaint-restore` itself.

use crate::{
    by_hand::{self, Fragment, Ran},
    check,
    client::Daemon,
    error::CtlError,
    exit, print, received, restores,
};
use mastmaint_config::{
    Settings,
    settings::{Environment, Instance},
};
use mastmaint_instance::{Variables, settings_of};
use mastmaint_words::{
    BackupName, JobName, RunId,
    database::{LoadPhase, Loading},
    restore::{Phase, Restoring},
};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// Where the restore room keeps its journals.
pub(crate) const STATE: &str = "/var/lib/mastmaintd-restore";
/// What `mastmaint-restore` says by its exit status when there is nothing to do.
const NOTHING_TO_DO: i32 = 3;
/// The job that is written for a restore by hand.
const JOB: &str = "restore-by-hand";

/// What is typed of a restore.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option that is typed or not")]
pub struct Typed {
    /// From which backup; one of files, one of the database, or one of each.
    #[arg(value_name = "NAME", required_unless_present_any = ["stdin", "prepared"], num_args = 1..=2)]
    pub(crate) backups: Vec<BackupName>,
    /// What `mastmaintctl send` on another host writes into this command.
    #[arg(long, conflicts_with_all = ["backups", "snapshot", "dump", "prepared"])]
    pub(crate) stdin: bool,
    /// A copy that was made before, or came from another host, by its run.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["backups", "snapshot", "dump", "with_media", "with_env", "unproved", "rehearse"])]
    pub(crate) prepared: Option<RunId>,
    /// From which of its states, like daily.1; the newest complete one if it is not said.
    #[arg(long, value_name = "STATE")]
    pub(crate) snapshot: Option<String>,
    /// Which dump of the database, by name; the newest complete one if it is not said.
    #[arg(long, value_name = "NAME")]
    pub(crate) dump: Option<String>,
    /// How PostgreSQL is reached for the restore of the database, like `DB_PORT=5432` where the instance goes through
    /// `PgBouncer`.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    pub(crate) environment: Vec<(String, String)>,
    /// Uploads are those of the backup, too; else today's stay and only what is missing comes back.
    #[arg(long)]
    pub(crate) with_media: bool,
    /// .env.production is that of the backup, too; else today's stays.
    #[arg(long)]
    pub(crate) with_env: bool,
    /// Take what no verification has proved.
    #[arg(long)]
    pub(crate) unproved: bool,
    /// Take a copy whose built assets are not whole; build them right after the switch: `mastmaintctl guard --recipe
    /// precompile`.
    #[arg(long)]
    pub(crate) without_assets: bool,
    /// Make and check the copy, and nothing else.
    #[arg(long, conflicts_with = "yes")]
    pub(crate) rehearse: bool,
    /// Do not ask.
    #[arg(long)]
    pub(crate) yes: bool,
}

/// Rehearses, asks, and switches in what was rehearsed.
pub(crate) fn restore(daemon: &Daemon, config: &Path, asked: &Typed) -> Result<u8, CtlError> {
    let settings = check::load(config)?;
    let prepared = if let Some(run) = &asked.prepared {
        run.clone()
    } else if asked.stdin {
        let Some(received) = received::receive(&settings, asked)? else { return Ok(exit::NOT_FINE) };
        // What came in is looked at as what was copied here is.
        let job = Job { steps: vec![Step::of_files(asked.of(&received, true))], then: vec![] };
        let looked =
            run_by_hand(daemon, config, &written(&job)?).inspect_err(|_| tell_what_is_kept(&received))?;
        if looked.status != exit::FINE {
            tell_what_is_kept(&received);
            return Ok(looked.status);
        }
        received
    } else {
        if !asked.yes && !asked.rehearse {
            can_be_asked()?;
        }
        let job = rehearsal(asked, &Wanted::among(&settings, &asked.backups)?)?;
        let rehearsed = run_by_hand(daemon, config, &job)?;
        if rehearsed.status != exit::FINE {
            tell_what_is_kept(&rehearsed.run);
            return Ok(rehearsed.status);
        }
        rehearsed.run
    };
    let parts = Parts::of(Path::new(STATE), &prepared);
    let variables = asked.environment.iter().map(|(name, value)| format!(" --env {name}={value}"));
    let variables: String = variables.collect();
    let later = format!(
        "`mastmaintctl restore --prepared {prepared}{variables}` switches it in, or `mastmaintctl prune {prepared}{variables}` removes it"
    );
    if asked.rehearse {
        print::talk(&format!("what comes back lies beside, checked, and nothing was changed; {later}"));
        return Ok(exit::FINE);
    }
    if !asked.yes && !is_wanted(&format!("Stop Mastodon for the switch and bring back {}?", parts.named()))? {
        print::talk(&format!(
            "nothing was stopped and nothing was changed; what was prepared is kept: {later}"
        ));
        return Ok(exit::NOT_FINE);
    }
    let mut job = parts.job(&|| asked.of(&prepared, false), &asked.environment);
    if parts.database {
        job.then = followers(settings.instance.as_ref(), &prepared);
    }
    let job = written(&job)?;
    run_by_hand(daemon, config, &job).map(|ran| ran.status)
}

impl Typed {
    /// What was made before, to be looked at or switched in.
    const fn of<'a>(&self, prepared: &'a RunId, rehearse: bool) -> What<'a> {
        What::Prepared { prepared, without_assets: self.without_assets, rehearse }
    }
}

/// Says what a rehearsal that did not go well has left, if it has left something.
fn tell_what_is_kept(run: &RunId) {
    let journal = fs::read(Restoring::path(Path::new(STATE), run)).ok();
    let journal: Option<Restoring> = journal.and_then(|text| serde_json::from_slice(&text).ok());
    let is_copied = journal.is_some_and(|journal| matches!(journal.phase, Phase::Prepared));
    if is_copied || Parts::of(Path::new(STATE), run).database {
        print::talk(&format!(
            "what was prepared is kept: `mastmaintctl restore --prepared {run}` goes on once nothing is in its way, or \
             `mastmaintctl prune {run}` removes it"
        ));
    }
}

/// Runs a job that is written for this one run. No hold keeps a restore from running.
fn run_by_hand(daemon: &Daemon, config: &Path, job: &str) -> Result<Ran, CtlError> {
    let name: JobName = JOB.parse().map_err(|_| CtlError::BadReply)?;
    let text = format!("jobs:\n  {JOB}: {job}\n");
    by_hand::run(daemon, &Fragment { config, what: "restore", job: name, text, despite_hold: false })
}

/// Changes places again.
pub(crate) fn rollback(
    daemon: &Daemon,
    config: &Path,
    run: &RunId,
    environment: &[(String, String)],
    yes: bool,
) -> Result<u8, CtlError> {
    if !yes && !is_wanted(&format!("Stop Mastodon and switch back to what was there before {run}?"))? {
        print::talk("nothing was stopped and nothing was changed");
        return Ok(exit::NOT_FINE);
    }
    let parts = Parts::of(Path::new(STATE), run);
    let text = written(&parts.job(&|| What::Back { rollback: run }, environment))?;
    run_by_hand(daemon, config, &text).map(|ran| ran.status)
}

/// Removes what a restore has replaced. Only a person does that: no job that is configured can.
pub(crate) fn prune(
    daemon: &Daemon,
    config: &Path,
    state: &Path,
    run: &RunId,
    environment: &[(String, String)],
) -> Result<u8, CtlError> {
    let parts = Parts::of(state, run);
    // The files first: they are kept while they hold uploads that only the database beside them names. Where the
    // databases are, settings that came back with the files may say.
    let leave: &[&str] = if parts.database { &["--leave-settings"] } else { &[] };
    if parts.files && !prune_files(state, run, leave)? {
        return Ok(exit::NOT_FINE);
    }
    if !parts.database {
        return Ok(exit::FINE);
    }
    let steps = vec![Step::of_database(What::Prune { prune: run }, environment)];
    let ran = run_by_hand(daemon, config, &written(&Job { steps, then: vec![] })?)?;
    if parts.files && ran.status == exit::FINE && !prune_files(state, run, &[])? {
        return Ok(exit::NOT_FINE);
    }
    Ok(ran.status)
}

/// Whether the files that a restore has replaced are gone, now or before.
fn prune_files(state: &Path, run: &RunId, leave: &[&str]) -> Result<bool, CtlError> {
    let program = received::program();
    let failed = |why: String| CtlError::Command { command: format!("{} prune", program.display()), why };
    let status = Command::new(&program)
        .arg("--state")
        .arg(state)
        .arg("prune")
        .args(leave)
        .args(["--run", run.as_str()])
        .stdin(Stdio::null())
        .status()
        .map_err(|error| failed(error.to_string()))?;
    Ok(status.success() || status.code() == Some(NOTHING_TO_DO))
}

/// What a run restores, by what it has left of its preparation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts {
    files: bool,
    database: bool,
}

impl Parts {
    fn of(state: &Path, run: &RunId) -> Self {
        let loaded = fs::read(Loading::path(&restores::of_loads(state), run)).ok();
        let loaded: Option<Loading> = loaded.and_then(|text| serde_json::from_slice(&text).ok());
        let database = loaded.is_some_and(|load| matches!(load.phase, LoadPhase::Loaded));
        // Of a run of which nothing is known the engine says so.
        Self { files: !database || Restoring::path(state, run).exists(), database }
    }

    const fn named(self) -> &'static str {
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

/// Which backups were named: at most one of files and one of the database.
#[derive(Debug, Default, PartialEq, Eq)]
struct Wanted<'a> {
    files: Option<&'a BackupName>,
    database: Option<&'a BackupName>,
}

impl<'a> Wanted<'a> {
    fn among(settings: &Settings, names: &'a [BackupName]) -> Result<Self, CtlError> {
        let mut wanted = Self::default();
        for name in names {
            let holds_a_dump = check::backup(settings, name)?.place.kind() == "postgres";
            let (part, what) =
                if holds_a_dump { (&mut wanted.database, "databases") } else { (&mut wanted.files, "files") };
            if let Some(other) = part.replace(name) {
                let text = format!("{other} and {name} are both backups of {what}; name one of them");
                return Err(CtlError::Usage(text));
            }
        }
        Ok(wanted)
    }
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

/// `NAME=VALUE`.
pub(crate) fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    if name.is_empty() {
        return Err("the name is missing before =".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// Asks a person at their terminal, which standard input need not be; nobody to ask is a no.
fn is_wanted(question: &str) -> Result<bool, CtlError> {
    let Ok(terminal) = terminal() else {
        print::talk("nobody can be asked here, because there is no terminal; `--yes` says it beforehand");
        return Ok(false);
    };
    print::talk(&format!("{question} Type yes."));
    let mut line = String::new();
    BufReader::new(terminal).read_line(&mut line)?;
    Ok(line.trim() == "yes")
}

fn terminal() -> io::Result<File> {
    File::open("/dev/tty")
}

/// Before anything is copied: without a terminal it has to be said beforehand what is wanted.
fn can_be_asked() -> Result<(), CtlError> {
    let none = "nobody can be asked here, because there is no terminal; say --yes, or --rehearse";
    terminal().map(drop).map_err(|_| CtlError::Usage(none.to_owned()))
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

fn rehearsal(asked: &Typed, wanted: &Wanted<'_>) -> Result<String, CtlError> {
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

/// JSON is YAML, and quotes whatever needs it.
fn written(job: &Job<'_>) -> Result<String, CtlError> {
    Ok(serde_json::to_string(job).map_err(io::Error::from)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "instance: {live: /home/mastodon/live, user: mastodon, services: [mastodon-web]}\n\
        backups: {files: {kind: tree, path: /backup/files}, base: {kind: postgres, path: /backup/*.dump}}\n";

    fn names(names: &[&str]) -> Vec<BackupName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn settings() -> Settings {
        mastmaint_config::load_str("m.yaml", &format!("{HEAD}jobs: {{}}\n")).unwrap().settings
    }

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
        let back = written(&both.job(&|| What::Back { rollback: &run }, &asked.environment)).unwrap();
        let prepared = written(&both.job(&|| asked.of(&run, false), &[])).unwrap();
        let received = Job { steps: vec![Step::of_files(asked.of(&run, true))], then: vec![] };
        let prune = Job { steps: vec![Step::of_database(What::Prune { prune: &run }, &[])], then: vec![] };
        let mut finished = both.job(&|| asked.of(&run, false), &[]);
        finished.then = followers(None, &run);
        let settings = settings();
        let wanted = Wanted::among(&settings, &asked.backups).unwrap();
        let finished = written(&finished).unwrap();
        let (received, prune) = (written(&received).unwrap(), written(&prune).unwrap());
        for job in [rehearsal(&asked, &wanted).unwrap(), back, prepared, received, prune, finished] {
            let text = format!("{HEAD}jobs: {{restore-by-hand: {job}}}\n");
            mastmaint_config::load_str("m.yaml", &text).unwrap();
        }
    }

    #[test]
    fn one_of_each_is_enough() {
        let settings = settings();
        let named = names(&["base", "files"]);
        let wanted = Wanted::among(&settings, &named).unwrap();
        assert_eq!((wanted.files, wanted.database), (Some(&named[1]), Some(&named[0])));
        assert!(Wanted::among(&settings, &names(&["files", "files"])).is_err());
        assert!(Wanted::among(&settings, &names(&["nothing"])).is_err());
        assert!(variable("DB_PORT").is_err() && variable("=x").is_err());
        assert_eq!(variable("A=b=c").unwrap(), ("A".to_owned(), "b=c".to_owned()));
    }

    #[test]
    fn what_a_run_has_prepared_is_what_comes_back() {
        let place = tempfile::tempdir().unwrap();
        let state = place.path().join("mastmaintd-restore");
        let run = "20261126T200000Z-7k3f9q".parse().unwrap();
        let put = |path: std::path::PathBuf| {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let loaded = r#"{"run":"20261126T200000Z-7k3f9q","backup":"base","phase":{"is":"loaded"},
                "began":"2026-11-26T20:00:00Z","at":"2026-11-26T20:00:00Z"}"#;
            fs::write(path, loaded).unwrap();
        };
        assert_eq!(Parts::of(&state, &run), Parts { files: true, database: false });
        put(Loading::path(&place.path().join("mastmaintd-verify"), &run));
        assert_eq!(Parts::of(&state, &run), Parts { files: false, database: true });
        put(Restoring::path(&state, &run));
        assert_eq!(Parts::of(&state, &run), Parts { files: true, database: true });
    }
}

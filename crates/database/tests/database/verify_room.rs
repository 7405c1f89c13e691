//! The side that opens dumps: a state directory, an accepted configuration, and the real program beside it.

use crate::ground::{Ground, Heard};
use jiff::Timestamp;
use mastmaint_verify::{
    drill::Door,
    load::{Dumped, NotLoaded, Outcome, Request, Site, load},
    prove::{Tell, Untold},
    revive::Shape,
    wire::{Unanswered, Wait, ask},
};
use mastmaint_words::{
    RunId,
    database::{LoadOrder, LoadPhase, LoadPlan, Loading},
};
use std::{
    collections::BTreeMap,
    fs,
    os::{fd::AsFd, unix::net::UnixStream},
    path::{Path, PathBuf},
};

pub(crate) struct VerifyRoom<'a> {
    ground: &'a Ground,
    digest: String,
    pub(crate) variables: BTreeMap<String, String>,
}

impl<'a> VerifyRoom<'a> {
    pub(crate) fn new(ground: &'a Ground) -> Self {
        let room = Self { ground, digest: "a".repeat(32), variables: BTreeMap::new() };
        fs::create_dir_all(room.accepted().join("tootctl")).unwrap();
        fs::create_dir_all(room.dumps()).unwrap();
        let view = format!(
            r#"{{"digest":"{0}","room":"tootctl","instance":{{"live":"{1}","user":"toot","services":[]}},"steps":{{}}}}"#,
            room.digest,
            ground.live().display()
        );
        fs::write(room.accepted().join(format!("tootctl/{}.json", room.digest)), view).unwrap();
        room
    }

    pub(crate) fn accepted(&self) -> PathBuf {
        self.ground.at.path().join("accepted")
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.ground.at.path().join("state")
    }

    pub(crate) fn dumps(&self) -> PathBuf {
        self.ground.at.path().join("dumps")
    }

    /// A dump of this name; those of before go.
    pub(crate) fn dump(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::remove_dir_all(self.dumps()).unwrap();
        fs::create_dir(self.dumps()).unwrap();
        let path = self.dumps().join(name);
        fs::write(&path, content).unwrap();
        self.is_of_before(name);
        path
    }

    /// Nobody writes to it any more.
    pub(crate) fn is_of_before(&self, name: &str) {
        let at = std::time::SystemTime::now() - std::time::Duration::from_hours(3);
        fs::File::open(self.dumps().join(name)).unwrap().set_modified(at).unwrap();
    }

    pub(crate) fn order(&self, run: &RunId) -> LoadOrder {
        let order = format!(
            r#"{{"run":"{run}","digest":"{}","name":"database","unproved":true,"variables":{},
            "backup":{{"kind":"postgres","path":"{}/*","max_age":"26h","prove_every":"7d","wait":"0s"}}}}"#,
            self.digest,
            serde_json::to_string(&self.variables.keys().collect::<Vec<_>>()).unwrap(),
            self.dumps().display()
        );
        serde_json::from_str(&order).unwrap()
    }

    /// The report of a verification of just now, about a dump of this name and of the time of the one that is there.
    pub(crate) fn verified(&self, dump: &str) {
        let there = fs::read_dir(self.dumps()).unwrap().next().unwrap().unwrap();
        let at = Timestamp::try_from(there.metadata().unwrap().modified().unwrap()).unwrap();
        let path = self.state().join("reports/database.json");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let report = format!(
            r#"{{"backup":"database","kind":"postgres","newest":{{"name":"{dump}","at":"{at}"}},"sentence":""}}"#
        );
        fs::write(path, report).unwrap();
    }

    pub(crate) fn door(&self) -> Door {
        Door::database(Path::new(env!("CARGO_BIN_EXE_mastmaint-database")).to_owned(), &self.accepted())
    }

    pub(crate) fn load(&self, order: &LoadOrder) -> (Result<LoadPlan, NotLoaded>, String) {
        let heard = Heard::default();
        let (state, door) = (self.state(), self.door());
        let variable = |name: &str| self.variables.get(name).cloned();
        let site = Site { state: &state, door: &door, variable: &variable, tell: &heard };
        let loaded = load(&site, order);
        let record = self.record(&order.run);
        match &loaded {
            Ok(plan) => assert_eq!((&record.phase, &record.plan), (&LoadPhase::Loaded, plan)),
            Err(error) => {
                let refused = LoadPhase::Refused { code: error.code(), why: error.to_string() };
                assert_eq!(record.phase, refused);
            }
        }
        (loaded, heard.all())
    }

    pub(crate) fn record(&self, run: &RunId) -> Loading {
        serde_json::from_slice(&fs::read(Loading::path(&self.state(), run)).unwrap()).unwrap()
    }
}

impl VerifyRoom<'_> {
    fn request(&self, run: &RunId) -> Request {
        let name = "night.sql".to_owned();
        let made = Timestamp::try_from(fs::metadata(self.dumps().join(&name)).unwrap().modified().unwrap());
        let dump = Dumped { name, made: made.unwrap(), shape: Shape::Text, size: 1, bytes: None };
        Request {
            run: run.clone(),
            digest: self.digest.parse().unwrap(),
            variables: BTreeMap::new(),
            dump: Some(dump),
        }
    }

    /// Hands the dump over as it is done where it lies.
    pub(crate) fn handed_over(&self, to: UnixStream, run: &RunId) -> Result<Outcome, Unanswered> {
        let dump = fs::File::open(self.dumps().join("night.sql")).unwrap();
        ask(to, &self.request(run), &[dump.as_fd()], Wait::WhileWanted, &Untold)
    }

    /// Asks, and leaves when that is true.
    pub(crate) fn ask_by(
        &self,
        to: UnixStream,
        run: &RunId,
        dump: impl AsFd,
        leaves: &(dyn Fn() -> bool + Sync),
    ) -> Result<Outcome, Unanswered> {
        struct Leaves<'a>(&'a (dyn Fn() -> bool + Sync));
        impl Tell for Leaves<'_> {
            fn is_cancelled(&self) -> bool {
                (self.0)()
            }
        }
        ask(to, &self.request(run), &[dump.as_fd()], Wait::WhileWanted, &Leaves(leaves))
    }
}

//! A dump is loaded into the server of the running instance: this side picks it, sees whether it is proved, opens it
//! and hands it to who runs as the instance's user. What came of it is kept as a record.

mod asked;
mod error;
mod record;

pub use asked::{Dumped, Outcome, Request};
pub use error::NotLoaded;

use crate::{
    Request as Verification,
    door::Door,
    prove::Tell,
    trust,
    verify::{Opened, Picked, pick},
    wire::Wait,
};
use jiff::Timestamp;
use mastmaint_words::{
    Span,
    database::{LoadOrder, LoadPhase, LoadPlan},
    human,
    restore::Generation,
};
use record::Record;
use std::{
    collections::BTreeMap,
    fs::File,
    io,
    os::fd::OwnedFd,
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How long a server that does not answer is waited for where something is to be dropped.
const SERVER: Duration = Duration::from_secs(30);
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// Where a load is asked for.
#[derive(Clone, Copy)]
pub struct Site<'a> {
    /// The state directory of who verifies: reports and records.
    pub state: &'a Path,
    /// Who has the database.
    pub door: &'a Door,
    /// Looks up the variables that the order names.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Who listens.
    pub tell: &'a dyn Tell,
}

impl std::fmt::Debug for Site<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("state", &self.state).field("door", &self.door).finish_non_exhaustive()
    }
}

/// Loads a dump. Asked again for a run whose database is there, it says what it said before.
///
/// # Errors
/// Why it was not done; the record says it too.
pub fn load(site: &Site<'_>, order: &LoadOrder) -> Result<LoadPlan, NotLoaded> {
    let mut record = Record::open(site.state, order)?;
    if record.loading.phase == LoadPhase::Loaded {
        match look(site, order) {
            Ok(_) => {
                site.tell.say(&format!("it was loaded before: {}", record.loading.plan.sentence));
                return Ok(record.loading.plan);
            }
            // Gone since, or another database: it is loaded anew.
            Err(NotLoaded::Refused { code, .. }) if code == Outcome::NOT_THERE => {}
            Err(error) => return Err(error),
        }
    }
    record.begin()?;
    match anew(site, order, &mut record) {
        Ok(plan) => {
            record.end(LoadPhase::Loaded, plan.clone())?;
            Ok(plan)
        }
        Err(error) => {
            if matches!(error, NotLoaded::Room(_)) {
                // Who had it died: what is left of it is dropped. What cannot be now, the next load drops.
                let _ = look(site, order);
            }
            let phase = LoadPhase::Refused { code: error.code(), why: error.to_string() };
            record.end(phase, LoadPlan::default())?;
            Err(error)
        }
    }
}

/// Has dropped what is left of a load that was killed, or went down with the host. One that is whole stays.
///
/// # Errors
/// Why it was not: then the next load drops it.
pub fn tidy(site: &Site<'_>, order: &LoadOrder) -> Result<(), NotLoaded> {
    let mut record = Record::open(site.state, order)?;
    if record.loading.phase != LoadPhase::Loading {
        return Ok(());
    }
    let begin = Instant::now();
    loop {
        match look(site, order) {
            Ok(_) => return Ok(()),
            Err(NotLoaded::Refused { code, .. }) if code == Outcome::NOT_THERE => {
                let why = "it was cut while it was loaded; nothing of it is left".to_owned();
                return record.end(LoadPhase::Refused { code: "cut".to_owned(), why }, LoadPlan::default());
            }
            // A host that was just started may not have its server yet.
            Err(_) if begin.elapsed() < SERVER => thread::sleep(ASK_AGAIN),
            Err(error) => return Err(error),
        }
    }
}

/// Whether the database of the run is there, whole. What is there of a half one is dropped.
fn look(site: &Site<'_>, order: &LoadOrder) -> Result<LoadPlan, NotLoaded> {
    let nothing = File::open("/dev/null").map_err(NotLoaded::Room)?;
    ask(site, order, None, nothing.into())
}

fn anew(site: &Site<'_>, order: &LoadOrder, record: &mut Record) -> Result<LoadPlan, NotLoaded> {
    let now = Timestamp::now();
    let known = trust::last_report(site.state, &order.name);
    let known =
        known.map_err(|source| NotLoaded::Kept { what: "the report of the last verification", source })?;
    let of_before = known.as_ref().and_then(|known| known.report.drill.as_ref()).map(|drill| drill.bytes);
    let scratch = site.state.join("scratch");
    let request = Verification {
        name: order.name.as_str(),
        backup: &order.backup,
        files: None,
        inside: order.inside.as_ref(),
        proofs: &site.state.join("proofs"),
        scratch: &scratch,
        drills: None,
        boots: None,
        full: false,
        now,
    };
    let record = std::cell::RefCell::new(record);
    pick(&request, order.dump.as_deref(), site.tell, &|picked, open| {
        let doubt = doubt(order, known.as_ref(), picked, now);
        if let Some(why) = doubt.filter(|_| !order.unproved) {
            return Err(NotLoaded::NotProved { backup: order.name.to_string(), why });
        }
        let Picked { name, at } = picked;
        site.tell.say(&format!("{name}, made {}", human::ago(now, *at)));
        record.borrow_mut().found(Generation { name: name.clone(), at: *at })?;
        let Opened { shape, size, open, unpacking } = open()?;
        let dump = Dumped { name: name.clone(), made: *at, shape, size, bytes: of_before };
        let loaded = ask(site, order, Some(dump), open);
        drop(unpacking);
        loaded
    })
}

/// Why nothing speaks for a dump: nothing for its backup, or the verification was about another one.
fn doubt(order: &LoadOrder, known: Option<&trust::Known>, picked: &Picked, now: Timestamp) -> Option<String> {
    let is_named = order.dump.is_some();
    // Whoever chose one by its name knows how old it is.
    let made = (!is_named).then_some(picked.at);
    if let Some(why) = trust::doubt(order.backup.max_age.map(Span::get), known, made, now) {
        return Some(why);
    }
    if is_named {
        return None;
    }
    let Some(verified) = known.and_then(|known| known.report.newest.as_ref()) else {
        return Some("its last verification found no complete dump".to_owned());
    };
    // A name may be that of another one every night.
    let is_it = verified.name == picked.name && verified.at == picked.at;
    (!is_it).then(|| {
        format!(
            "its last verification was about {} of {}, and the newest is {} of {}",
            verified.name, verified.at, picked.name, picked.at
        )
    })
}

fn ask(
    site: &Site<'_>,
    order: &LoadOrder,
    dump: Option<Dumped>,
    open: OwnedFd,
) -> Result<LoadPlan, NotLoaded> {
    let request = Request {
        run: order.run.clone(),
        digest: order.digest.clone(),
        variables: variables(site, order)?,
        dump,
    };
    match site.door.ask(&request, &[open], Wait::WhileWanted, site.tell)? {
        Outcome::Loaded(plan) => Ok(plan),
        Outcome::Refused { code, why } => Err(NotLoaded::Refused { code, why }),
    }
}

/// The values of the variables that an order names; without one of them the way would be another than that which is meant.
fn variables(site: &Site<'_>, order: &LoadOrder) -> Result<BTreeMap<String, String>, NotLoaded> {
    let value = |name: &String| {
        let missing = || NotLoaded::Variable(name.clone());
        (site.variable)(name).map(|value| (name.clone(), value)).ok_or_else(missing)
    };
    order.variables.iter().map(value).collect()
}

/// What could not be kept.
fn kept(what: &'static str) -> impl FnOnce(io::Error) -> NotLoaded {
    move |source| NotLoaded::Kept { what, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::{Code, Finding, Newest, Report};

    fn order(dump: Option<&str>) -> LoadOrder {
        let order = r#"{"run":"20261126T200000Z-7k3f9q","digest":"DIGEST","name":"database",
            "backup":{"kind":"postgres","path":"/b/*.dump","max_age":"26h","prove_every":"7d","wait":"2h"}}"#;
        let order = order.replace("DIGEST", &"a".repeat(32));
        LoadOrder { dump: dump.map(str::to_owned), ..serde_json::from_str(&order).unwrap() }
    }

    fn known(name: &str, findings: Vec<Finding>) -> trust::Known {
        let made = "2026-11-26T02:00:00Z".parse().unwrap();
        let at = "2026-11-26T06:30:00Z".parse().unwrap();
        let report = Report {
            backup: "database".to_owned(),
            kind: "postgres".to_owned(),
            newest: Some(Newest { name: name.to_owned(), at: made, youngest: None }),
            sentence: String::new(),
            summary: None,
            drill: None,
            findings,
            store_bytes: 0,
        };
        trust::Known { report, at }
    }

    #[test]
    fn the_verification_must_be_about_this_dump_or_a_person_has_named_it() {
        let now = "2026-11-26T20:00:00Z".parse().unwrap();
        let picked = |name: &str, at: &str| Picked { name: name.to_owned(), at: at.parse().unwrap() };
        let tonight = picked("b.dump", "2026-11-26T02:00:00Z");
        let why = |order: &LoadOrder, known: Option<&trust::Known>, picked: &Picked| {
            doubt(order, known, picked, now)
        };
        assert_eq!(why(&order(None), Some(&known("b.dump", Vec::new())), &tonight), None);
        let other = why(&order(None), Some(&known("a.dump", Vec::new())), &tonight).unwrap();
        assert!(other.contains("about a.dump of 2026-11-26T02:00:00Z, and the newest is b.dump"), "{other}");
        let rewritten = picked("b.dump", "2026-11-26T14:00:00Z");
        assert!(
            why(&order(None), Some(&known("b.dump", Vec::new())), &rewritten).unwrap().contains("T14:00")
        );
        let mut nothing = known("b.dump", Vec::new());
        nothing.report.newest = None;
        assert!(why(&order(None), Some(&nothing), &tonight).unwrap().contains("no complete dump"));
        assert_eq!(why(&order(Some("b.dump")), Some(&known("a.dump", Vec::new())), &tonight), None);
        let old = picked("a.dump", "2026-11-20T02:00:00Z");
        assert_eq!(why(&order(Some("a.dump")), Some(&known("b.dump", Vec::new())), &old), None);
        assert!(why(&order(None), Some(&known("a.dump", Vec::new())), &old).unwrap().contains("6 d"));
        assert!(why(&order(Some("b.dump")), None, &tonight).unwrap().contains("never"));
        let failed = known("b.dump", vec![Finding::fail(Code::CutShort, "cut", "")]);
        assert!(why(&order(Some("b.dump")), Some(&failed), &tonight).unwrap().contains("[cut-short]"));
    }
}

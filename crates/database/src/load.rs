//! The load: a new database beside today's, filled from the dump, checked, and marked. Whatever ends it before the mark,
//! nothing of it stays.

use crate::{
    carry,
    check::{Checked, check},
    create::{self, Made},
    error::DatabaseError,
    fill::fill,
    leftovers,
    listing::Look,
    lock::{Guard, Lock},
    names::mark,
    plan,
    psql::{LONG, Refusal, Server},
    sessions::{sessions, some},
    site::{Bench, Site},
    space::{self, Disk},
    state::State,
    switch::unexpected,
    text::{identifier, literal, plural},
};
use mastmaint_verify::load::{Dumped, Outcome};
use mastmaint_words::{RunId, database::LoadPlan, human};
use std::{fs::File, time::Duration};

/// The server copies an empty database.
const CREATE: Duration = Duration::from_mins(5);

/// A load at work.
pub(crate) struct Load<'a> {
    pub(crate) bench: Bench<'a>,
    pub(crate) dump: &'a Dumped,
}

/// Loads a dump; one that is loaded already is only told of.
pub(crate) fn load(
    site: &Site<'_>,
    run: &RunId,
    dump: &Dumped,
    file: File,
) -> Result<LoadPlan, DatabaseError> {
    let server = Server::new(site.settings.way.clone(), Some(run), Some((&dump.name, dump.shape)))?;
    let load = Load { bench: Bench::new(site, server, run)?, dump };
    let (bench, names) = (&load.bench, &load.bench.names);
    let _lock = Lock::take(&bench.server, bench.admin, &names.today)?;
    let look = bench.look()?;
    look.may(names, &bench.server.way.at())?;
    let mark = mark(run, &dump.name, dump.made);
    match look.state(names) {
        State::Loaded if look.find(&names.new).is_some_and(|new| new.mark.as_deref() == Some(&mark)) => {
            site.tell.say("it is loaded already");
            return load.plan(&look, None, check(&load)?);
        }
        State::Untouched => {}
        // Half of it, or another dump of the same run.
        State::Loaded | State::HalfLoaded => drop_new(bench)?,
        State::Switched | State::SwitchedForGood | State::Back => {
            let what = format!("this run was switched already; see what is beside {}", names.today);
            return Err(DatabaseError::NotNow { code: "not-now", what });
        }
        state => return Err(unexpected(state, bench)),
    }
    leftovers::drop_them(bench, &look)?;
    let disk = Disk::of(&bench.server, bench.admin, &look);
    let today = look.find(&names.today);
    let needed = space::needed(dump.bytes, today.and_then(|database| database.bytes), dump.size);
    disk.as_ref().map_or(Ok(()), |disk| disk.check(needed))?;
    let made = today.map(|_| create::made(&bench.server, bench.admin, &names.today)).transpose()?;
    // Today's is neither dropped nor renamed meanwhile, whoever wants that.
    let guard = today.map(|_| Guard::keep(&bench.server, &names.today)).transpose()?.flatten();
    if today.is_some() && guard.is_none() {
        site.tell.say(&format!("{} lets nobody in: it is loaded beside it all the same", names.today));
    }
    let loaded = load.anew(&look, made.as_ref(), file, disk.as_ref(), &mark);
    loaded.map_err(|error| match drop_new(bench) {
        Ok(()) => error,
        Err(_) => DatabaseError::Left { source: Box::new(error), name: names.new.clone() },
    })
}

/// Whether the database of a run is there, whole and checked. Half a one is of no use to anybody: it is dropped.
pub(crate) fn look(site: &Site<'_>, run: &RunId) -> Result<Outcome, DatabaseError> {
    let bench = Bench::of(site, run)?;
    let state = bench.look()?.state(&bench.names);
    if matches!(state, State::Loaded | State::Switched | State::SwitchedForGood | State::Back) {
        return Ok(Outcome::Loaded(LoadPlan::default()));
    }
    if state == State::HalfLoaded {
        // Whoever works on it still has the lock.
        let _lock = Lock::take(&bench.server, bench.admin, &bench.names.today)?;
        if bench.look()?.state(&bench.names) == State::HalfLoaded {
            drop_new(&bench)?;
        }
    }
    let why = format!("{} is not there", bench.names.new);
    Ok(Outcome::Refused { code: Outcome::NOT_THERE.to_owned(), why })
}

impl Load<'_> {
    fn anew(
        &self,
        look: &Look,
        made: Option<&Made>,
        file: File,
        disk: Option<&Disk>,
        mark: &str,
    ) -> Result<LoadPlan, DatabaseError> {
        let (bench, new) = (&self.bench, &self.bench.names.new);
        bench.reach("load.create");
        let create = Made::statement(made, new);
        let created = bench.server.sql_within(bench.admin, &[&create], CREATE, &|| self.is_cancelled());
        created.map_err(|refusal| not_created(refusal, new, &bench.server.way.at()))?;
        bench.reach("load.created");
        if let Err(refusal) = bench.server.sql(new, &["SELECT 1"]) {
            let what = format!("the new database lets nobody in: {}", refusal.said);
            let line = format!(
                "add a line for the database {new} (or \"all\") to pg_hba.conf, then: sudo -u postgres psql -c 'SELECT pg_reload_conf()'"
            );
            return Err(DatabaseError::NoRight { what, line });
        }
        bench.say(&format!("loading {} into {new} at {}", self.dump.name, bench.server.way.at()));
        let clock = std::time::Instant::now();
        let harmless = fill(self, file, disk)?;
        bench.reach("load.filled");
        bench.say(&format!("loaded in {}; counting and checking", human::took(clock.elapsed())));
        let analyzed = bench.server.sql_within(new, &["ANALYZE"], LONG, &|| self.is_cancelled());
        analyzed.map_err(|refusal| refusal.of(&format!("ANALYZE in {new}")))?;
        let mut checked = check(self)?;
        checked.notes.extend(harmless.into_iter().map(|text| format!("of no consequence: {text}")));
        checked.notes.extend(space::told(disk));
        if self.is_cancelled() {
            return Err(DatabaseError::Cancelled);
        }
        let plan = self.plan(look, made, checked)?;
        bench.reach("load.mark");
        let comment = format!("COMMENT ON DATABASE {} IS {}", identifier(new), literal(mark));
        bench.admin(&format!("marking {new}"), &comment)?;
        bench.reach("load.marked");
        Ok(plan)
    }

    fn is_cancelled(&self) -> bool {
        self.bench.site.tell.is_cancelled()
    }

    /// What came of it; `made` is given where the new one still has to become like today's.
    fn plan(&self, look: &Look, made: Option<&Made>, checked: Checked) -> Result<LoadPlan, DatabaseError> {
        let (bench, names) = (&self.bench, &self.bench.names);
        let Checked { counts, mut differs, mut notes } = checked;
        let mut lost = Vec::new();
        if let Some(today) = look.find(&names.today) {
            if today.owner != look.role {
                differs.push(format!(
                    "{} belongs to {}, the new one to {}",
                    names.today, today.owner, look.role
                ));
            }
            if let Some(made) = made {
                differs.extend(made.differs());
                differs.extend(carry::carry(bench, made)?);
            }
            // What is only told must not throw away what was loaded.
            match (carry::differs(bench), plan::would_be_lost(bench)) {
                (Ok(more), Ok(only)) => {
                    differs.extend(more);
                    lost = only;
                }
                (Err(error), _) | (_, Err(error)) => {
                    notes.push(format!("what only today's database has is not known: {error}"));
                }
            }
            let connected = sessions(&bench.server, bench.admin, &[&names.today])?;
            let others: Vec<_> = connected.iter().filter(|s| !s.is_of_mastodon(&look.role)).collect();
            if !others.is_empty() {
                notes.push(format!(
                    "sessions that must end before the switch, beside Mastodon's own: {}",
                    some(&others)
                ));
            }
        }
        if look.port != bench.server.way.database.port {
            notes.push(format!(
                "the server believes to listen on port {}, and {} was asked: something forwards in between",
                look.port,
                bench.server.way.at()
            ));
        }
        let new = literal(&names.new);
        let bytes = format!("SELECT pg_database_size({new})");
        let bytes = bench.admin("looking at the new database", &bytes)?.parse().unwrap_or(0);
        let rows = "SELECT coalesce(sum(reltuples) FILTER (WHERE reltuples > 0), 0)::int8 FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace";
        let rows = bench.server.sql(&names.new, &[rows]).map_err(|r| r.of("looking at the new database"))?;
        let sentence = format!(
            "{}, made {}, is loaded beside {} as {}: {}, {}, {} of this instance, {}",
            self.dump.name,
            human::ago(jiff::Timestamp::now(), self.dump.made),
            names.today,
            names.new,
            plural(counts.tables, "table"),
            plural(counts.users, "user"),
            plural(counts.local_statuses, "post"),
            human::bytes(bytes)
        );
        let rows = rows.parse().unwrap_or(0);
        Ok(LoadPlan { sentence, would_be_lost: lost, differs, notes, rows, bytes })
    }
}

/// Nothing of it stays: sessions of who was killed go with it.
fn drop_new(bench: &Bench<'_>) -> Result<(), DatabaseError> {
    let new = &bench.names.new;
    bench.reach("load.drop");
    let end = format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {} AND usename = current_user AND pid <> pg_backend_pid()",
        literal(new)
    );
    let drop = format!("DROP DATABASE IF EXISTS {}", identifier(new));
    // Nobody is asked any more whether to go on.
    let dropped = bench.server.sql_within(bench.admin, &[&end, &drop], CREATE, &|| false);
    bench.reach("load.dropped");
    dropped.map(|_| ()).map_err(|refusal| refusal.of(&format!("dropping {new}")))
}

fn not_created(refusal: Refusal, new: &str, at: &str) -> DatabaseError {
    if refusal.is("53100") {
        return Disk::filled_up(None);
    }
    refusal.of(&format!("making the database {new} at {at}"))
}

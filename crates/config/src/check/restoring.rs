//! The steps that a restore becomes: the copy and what is looked at in it, whether what comes back belongs together, the
//! stop of all services, the switch, their start and what is owed if that does not go well. Each is run, recorded and taken
//! over like any other step.

use super::{
    bracket,
    restore::{Part, WITHOUT_ASSETS},
};
use crate::{
    settings::{Action, Copied, DatabaseAction, Instance, RestoreAction, Step},
    tree::{Kind, Node},
};
use mastmaint_words::{ProbeName, Span};

/// Rails starts within seconds; a cold disk may take longer.
const TRY: Span = Span::from_secs(600);
/// Every built file is read.
const ASSETS: Span = Span::from_secs(900);
/// The switch is a handful of renames; a disk that is slow to write them down may take its time.
const SWITCH: Span = Span::from_secs(900);
/// So many times as long as a service is watched after its start it may take until pages come: two minutes by default.
const ASK: u32 = 12;

/// Whether a step looks at a copy.
pub(super) const fn is_look(step: &Step) -> bool {
    matches!(step.action, Action::Restore(RestoreAction::Try(_) | RestoreAction::Assets { .. }))
}

/// With a copy what is looked at in it; `written` is what the step says of it.
pub(super) fn with_looks(written: &Node, step: Step) -> Vec<Step> {
    let needed = !says_yes(written, WITHOUT_ASSETS);
    let look = |of: &Step, action, timeout| Step {
        environment: of.environment.clone(),
        ..bracket::of_its_own(Action::Restore(action), timeout)
    };
    let looks = |of: &Step, copy: &Copied| {
        [
            look(of, RestoreAction::Try(copy.clone()), TRY),
            look(of, RestoreAction::Assets { copy: copy.clone(), needed }, ASSETS),
        ]
    };
    match &step.action {
        Action::Restore(RestoreAction::Rehearse(_) | RestoreAction::Prepare(_)) => {
            let looks = looks(&step, &Copied::Here);
            std::iter::once(step).chain(looks).collect()
        }
        Action::Restore(RestoreAction::Switch(copy)) => {
            let looks = looks(&step, copy);
            looks.into_iter().chain([step]).collect()
        }
        Action::Restore(RestoreAction::Try(copy)) => looks(&step, copy).into(),
        _ => vec![step],
    }
}

/// Whether a map says so; that it says something else has been told.
fn says_yes(node: &Node, key: &str) -> bool {
    let Kind::Map(pairs) = &node.kind else { return false };
    let is_key = |found: &Node| matches!(&found.kind, Kind::Text(text) if text == key);
    pairs.iter().any(|(found, value)| is_key(found) && matches!(value.kind, Kind::Bool(true)))
}

/// With rehearsals the step that sees whether what they would bring back belongs together.
pub(super) fn with_fits(mut steps: Vec<Step>) -> Vec<Step> {
    let mut rehearsed: (Option<Copied>, Option<Step>) = (None, None);
    let mut last = 0;
    for (at, step) in steps.iter().enumerate() {
        match &step.action {
            Action::Restore(RestoreAction::Assets { copy, .. }) => rehearsed.0 = Some(copy.clone()),
            Action::Database(DatabaseAction::Rehearse(_)) => rehearsed.1 = Some(step.clone()),
            _ => continue,
        }
        last = at + 1;
    }
    let fits = match rehearsed {
        (files, Some(loaded)) => Some(would_match(files, Copied::Here, &loaded)),
        (files, None) => files.map(fits),
    };
    if let Some(fits) = fits {
        steps.insert(last, fits);
    }
    steps
}

/// The steps of a job that restores: what it writes before, the preparation, and the switch within a bracket.
pub(super) fn put_together(
    mut within: Vec<Step>,
    then: Vec<Step>,
    instance: &Instance,
    of_visitors: &[ProbeName],
) -> Vec<Step> {
    let parts = within.split_off(begin(&within));
    let of = |wanted| parts.iter().find(|step| Part::of(step) == Some(wanted));
    let mut moves = Moves::default();
    let mut steps = with_fits(within);
    let of_the_copy =
        |step: &&Step| is_look(step) || matches!(step.action, Action::Restore(RestoreAction::Prepare(_)));
    steps.extend(parts.iter().filter(of_the_copy).cloned());
    if let Some(files) = of(Part::Files) {
        moves.add_files(files);
    }
    match of(Part::Database) {
        Some(loaded) => steps.extend(moves.add_database(loaded)),
        // Files alone must belong to the database that stays.
        None => steps.extend(moves.copy.clone().map(fits)),
    }
    let stop = || bracket::stop(instance.services.clone(), true);
    let start = || bracket::start(instance.settle);
    steps.push(stop());
    steps.extend(moves.there);
    if let Some((matches, matches_again)) = moves.matches {
        steps.extend([matches, stop()]);
        steps.extend(moves.back);
        steps.extend([matches_again, start(), bracket::keep_down()]);
    } else {
        steps.push(start());
        if !moves.back.is_empty() {
            steps.push(stop());
            steps.extend(moves.back);
            steps.push(start());
        }
    }
    steps.extend(of_visitors.iter().map(|probe| ask(probe.clone(), instance)));
    steps.into_iter().chain(then).collect()
}

/// Where the restore begins: with the looks at a copy that is there already.
fn begin(within: &[Step]) -> usize {
    let Some(at) = within.iter().position(|step| Part::of(step).is_some()) else { return within.len() };
    let Action::Restore(RestoreAction::Switch(switched)) = &within[at].action else { return at };
    let is_of_it = |step: &&Step| match &step.action {
        Action::Restore(RestoreAction::Try(copy) | RestoreAction::Assets { copy, .. }) => copy == switched,
        _ => false,
    };
    at - within[..at].iter().rev().take_while(is_of_it).count()
}

fn fits(copy: Copied) -> Step {
    bracket::of_its_own(Action::Database(DatabaseAction::Fits(copy)), TRY)
}

/// The same of a database that is loaded, asked as `loaded` says.
fn would_match(files: Option<Copied>, database: Copied, loaded: &Step) -> Step {
    let action = Action::Database(DatabaseAction::WouldMatch { files, database });
    Step { environment: loaded.environment.clone(), ..bracket::of_its_own(action, TRY) }
}

/// What the services that were started give visitors. A no undoes nothing, and keeps nothing that follows from being done.
fn ask(probe: ProbeName, instance: &Instance) -> Step {
    let timeout = Span::new(instance.settle.get() * ASK).max(Span::from_secs(10));
    Step { go_on: true, ..bracket::of_its_own(Action::Restore(RestoreAction::Ask(probe)), timeout) }
}

/// What is done while services are stopped.
#[derive(Default)]
struct Moves {
    there: Vec<Step>,
    /// In case that it does not match, or that services do not come up on it.
    back: Vec<Step>,
    /// The files that are switched in.
    copy: Option<Copied>,
    /// Only where a database changes places can there be one that does not match. The second is of what was taken back.
    matches: Option<(Step, Step)>,
}

impl Moves {
    fn add_files(&mut self, written: &Step) {
        let Action::Restore(action) = &written.action else { return };
        let mut there = |action| self.there.push(bracket::of_its_own(Action::Restore(action), SWITCH));
        let copy = match action {
            RestoreAction::Back(of) => return there(RestoreAction::Back(of.clone())),
            RestoreAction::Switch(copy) => copy.clone(),
            _ => Copied::Here,
        };
        there(RestoreAction::Switch(copy.clone()));
        self.back.push(bracket::of_its_own(Action::Restore(RestoreAction::Back(copy.clone())), SWITCH));
        self.copy = Some(copy);
    }

    /// Gives what is done before services are stopped. The files change places first: should the host go down in between,
    /// they are what comes back, and today's database fits them as it does after a restore of files alone.
    fn add_database(&mut self, written: &Step) -> Vec<Step> {
        let Action::Database(action) = &written.action else { return vec![] };
        let part = |action| Step {
            environment: written.environment.clone(),
            ..bracket::of_its_own(Action::Database(action), SWITCH)
        };
        let (mut before, copy) = match action {
            DatabaseAction::Back(of) => {
                self.there.insert(0, part(DatabaseAction::Back(of.clone())));
                let matches = part(DatabaseAction::Match);
                self.matches = Some((matches.clone(), matches));
                return vec![];
            }
            DatabaseAction::Switch(copy) => (vec![], copy.clone()),
            _ => (vec![written.clone()], Copied::Here),
        };
        before.push(would_match(self.copy.clone(), copy.clone(), written));
        before.push(part(DatabaseAction::Ready(copy.clone())));
        self.there.push(part(DatabaseAction::Switch(copy.clone())));
        self.back.insert(0, part(DatabaseAction::Back(copy.clone())));
        let new = DatabaseAction::MatchNew { files: self.copy.clone(), database: copy };
        self.matches = Some((part(new), part(DatabaseAction::Match)));
        before
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        effective_yaml, load_str,
        settings::{Action, DatabaseAction, RestoreAction, ServicesAction, Step},
    };
    use mastmaint_words::StepIndex;

    const HEAD: &str = "instance: {live: /home/mastodon/live, user: mastodon, services: [mastodon-web]}\n\
        backups: {files: {kind: tree, path: /backup/files}, base: {kind: postgres, path: /backup/*.dump}, \
        away: {kind: pulled, from: 'ssh://root@[::1]:2222/files', \
        max_age: 26h, ssh_key: /etc/mastmaintd/remote/id, known_hosts: /etc/mastmaintd/remote/hosts}}\n";

    fn kinds(steps: &[Step]) -> Vec<&'static str> {
        let kind = |step: &Step| match &step.action {
            Action::Restore(RestoreAction::Rehearse(_)) => "rehearse",
            Action::Restore(RestoreAction::Prepare(_)) => "prepare",
            Action::Restore(RestoreAction::Try(_)) => "try",
            Action::Restore(RestoreAction::Switch(_)) => "switch",
            Action::Restore(RestoreAction::Back(_)) => "back",
            Action::Restore(RestoreAction::Assets { needed: true, .. }) => "assets",
            Action::Restore(RestoreAction::Assets { .. }) => "assets-told",
            Action::Restore(RestoreAction::Ask(probe)) => match probe.as_str() {
                "web" => "ask-web",
                _ => "ask-assets",
            },
            Action::Database(DatabaseAction::WouldMatch { files: Some(_), .. }) => "all-would-match",
            Action::Database(DatabaseAction::WouldMatch { .. }) => "would-match",
            Action::Database(DatabaseAction::Rehearse(_)) => "rehearse-database",
            Action::Database(DatabaseAction::Load(_)) => "load",
            Action::Database(DatabaseAction::Switch(_)) => "switch-database",
            Action::Database(DatabaseAction::Fits(_)) => "fits",
            Action::Database(DatabaseAction::Ready(_)) => "ready",
            Action::Database(DatabaseAction::MatchNew { files: Some(_), .. }) => "all-match-new",
            Action::Database(DatabaseAction::MatchNew { .. }) => "match-new",
            Action::Database(DatabaseAction::Match) => "match",
            Action::Database(DatabaseAction::Back(_)) => "back-database",
            Action::Database(DatabaseAction::Prune(_)) => "prune",
            Action::Services(ServicesAction::KeepDown) => "keep-down",
            Action::Services(ServicesAction::Stop { .. }) => "stop",
            Action::Services(ServicesAction::Start) => "start",
            other => other.kind(),
        };
        steps.iter().map(kind).collect()
    }

    /// From the stop on, and of files alone; `prepared` is the same of a copy that is there.
    const FILES: [&str; 6] = ["stop", "switch", "start", "stop", "back", "start"];
    const BOTH: [&str; 10] = [
        "stop",
        "switch",
        "switch-database",
        "all-match-new",
        "stop",
        "back-database",
        "back",
        "match",
        "start",
        "keep-down",
    ];

    #[test]
    fn only_the_switch_is_within_the_bracket_and_the_effective_configuration_says_the_same() {
        let files = |before: &[&'static str], then: &[&'static str]| [before, &FILES, then].concat();
        let both = |before: &[&'static str]| [before, &BOTH].concat();
        for (job, expected) in [
            (
                "{steps: [{run: /bin/true}, {restore: files}], then: [{run: /bin/true}]}",
                files(&["run", "prepare", "try", "assets", "fits"], &["run"]),
            ),
            (
                "{steps: [{restore: {backup: files, snapshot: daily.1, with_env: true}}]}",
                files(&["prepare", "try", "assets", "fits"], &[]),
            ),
            (
                "{steps: [{restore: {backup: files, without_assets: true}}]}",
                files(&["prepare", "try", "assets-told", "fits"], &[]),
            ),
            ("{steps: [{restore: away}]}", files(&["prepare", "try", "assets", "fits"], &[])),
            (
                "{schedule: '@weekly', steps: [{restore: {backup: files, rehearse: true}}, {run: /bin/true}]}",
                vec!["rehearse", "try", "assets", "fits", "run"],
            ),
            (
                "{steps: [{restore: {backup: files, rehearse: true, without_assets: true}}]}",
                vec!["rehearse", "try", "assets-told", "fits"],
            ),
            (
                "{steps: [{run: /bin/true}, {restore: {prepared: 20261126T200000Z-7k3f9q}}]}",
                files(&["run", "try", "assets", "fits"], &[]),
            ),
            (
                "{steps: [{restore: {prepared: 20261126T200000Z-7k3f9q, without_assets: true}}]}",
                files(&["try", "assets-told", "fits"], &[]),
            ),
            (
                "{steps: [{restore: {prepared: 20261126T200000Z-7k3f9q, rehearse: true}}]}",
                vec!["try", "assets", "fits"],
            ),
            (
                "{steps: [{restore: {prepared: 20261126T200000Z-7k3f9q, rehearse: true, without_assets: true}}]}",
                vec!["try", "assets-told", "fits"],
            ),
            ("{steps: [{restore: {rollback: 20261126T200000Z-7k3f9q}}]}", vec!["stop", "back", "start"]),
            (
                "{steps: [{run: /bin/true}, {restore-database: base}], then: [{run: /bin/true}]}",
                vec![
                    "run",
                    "load",
                    "would-match",
                    "ready",
                    "stop",
                    "switch-database",
                    "match-new",
                    "stop",
                    "back-database",
                    "match",
                    "start",
                    "keep-down",
                    "run",
                ],
            ),
            (
                "{steps: [{restore-database: {backup: base, dump: m.dump}, environment: {DB_PORT: '5432'}}, {restore: files}]}",
                both(&["prepare", "try", "assets", "load", "all-would-match", "ready"]),
            ),
            (
                "{steps: [{restore-database: {backup: base, rehearse: true}}, {restore: {backup: files, rehearse: true}}]}",
                vec!["rehearse-database", "rehearse", "try", "assets", "all-would-match"],
            ),
            (
                "{steps: [{restore-database: {backup: base, rehearse: true}}, {run: /bin/true}]}",
                vec!["rehearse-database", "would-match", "run"],
            ),
            (
                "{steps: [{restore-database: {prepared: 20261126T200000Z-7k3f9q}}, {restore: {prepared: 20261126T200000Z-7k3f9q}}]}",
                both(&["try", "assets", "all-would-match", "ready"]),
            ),
            (
                "{steps: [{restore: {prepared: 20261126T200000Z-7k3f9q}}, {restore-database: {prepared: 20261126T200000Z-7k3f9q}}]}",
                both(&["try", "assets", "all-would-match", "ready"]),
            ),
            (
                "{steps: [{restore: {rollback: 20261126T200000Z-7k3f9q}}, {restore-database: {rollback: 20261126T200000Z-7k3f9q}}]}",
                vec!["stop", "back-database", "back", "match", "stop", "match", "start", "keep-down"],
            ),
            ("{steps: [{restore-database: {prune: 20261126T200000Z-7k3f9q}}]}", vec!["prune"]),
        ] {
            let loaded = load_str("m.yaml", &format!("{HEAD}jobs: {{a: {job}}}\n")).unwrap().settings;
            let steps = &loaded.jobs.values().next().unwrap().steps;
            assert_eq!(kinds(steps), expected, "{job}");
            let again = load_str("m.yaml", &effective_yaml(&loaded).unwrap()).unwrap().settings;
            assert_eq!(again, loaded, "{job}");
        }
    }

    #[test]
    fn what_is_asked_of_the_copy_and_of_the_database_is_asked_as_it_is_written() {
        let text = format!(
            "{HEAD}jobs: {{a: {{steps: [{{restore: files}}, {{restore-database: base, environment: {{DB_PORT: '5432'}}}}]}}}}\n"
        );
        let loaded = load_str("m.yaml", &text).unwrap().settings;
        let steps = &loaded.jobs.values().next().unwrap().steps;
        let at = kinds(steps).iter().position(|kind| *kind == "all-would-match").unwrap();
        assert_eq!(steps[at].environment["DB_PORT"], "5432");
    }

    #[test]
    fn probes_that_see_what_visitors_get_are_asked_after_every_restore() {
        let probes =
            "probes: {pages: {kind: web}, assets: {}, web: {}, disk: {free: {path: /, at_least: 1 GB}}}\n";
        let head = HEAD.replace("user: mastodon,", "user: mastodon, url: 'https://mast.test',");
        for (job, asked) in [
            ("{steps: [{restore: files}], then: [{run: /bin/true}]}", 3),
            ("{steps: [{restore: files}, {restore-database: base}], then: [{run: /bin/true}]}", 3),
            ("{steps: [{restore: {rollback: 20261126T200000Z-7k3f9q}}], then: [{run: /bin/true}]}", 3),
            ("{steps: [{restore: {backup: files, rehearse: true}}, {run: /bin/true}]}", 0),
        ] {
            let loaded = load_str("m.yaml", &format!("{head}{probes}jobs: {{a: {job}}}\n")).unwrap().settings;
            let job = loaded.jobs.values().next().unwrap();
            let kinds = kinds(&job.steps);
            let (first, last) = (kinds.len() - 1 - asked, *kinds.last().unwrap());
            let asks = &kinds[first..kinds.len() - 1];
            assert_eq!((asks, last), (&["ask-assets", "ask-web", "ask-assets"][..asked], "run"), "{kinds:?}");
            assert_eq!(kinds.iter().filter(|kind| kind.starts_with("ask")).count(), asked);
            let from = StepIndex(u16::try_from(first).unwrap());
            assert_eq!(usize::from(job.after_probes(from).0), first + asked);
            assert!(job.steps[first..first + asked].iter().all(|step| step.go_on));
            let again = load_str("m.yaml", &effective_yaml(&loaded).unwrap()).unwrap().settings;
            assert_eq!(again, loaded);
        }
    }

    #[test]
    fn files_alone_have_a_way_back_and_nothing_else_has() {
        let of = |job: &str| {
            let loaded = load_str("m.yaml", &format!("{HEAD}jobs: {{a: {job}}}\n")).unwrap().settings;
            loaded.jobs.values().next().unwrap().way_back()
        };
        let way = of("{steps: [{restore: files}]}").unwrap();
        assert_eq!((way.switch, way.start_again), (StepIndex(5), StepIndex(9)));
        assert!(way.holds(StepIndex(7)) && !way.holds(way.start));
        for none in [
            "{steps: [{restore: files}, {restore-database: base}]}",
            "{steps: [{restore: {rollback: 20261126T200000Z-7k3f9q}}]}",
            "{with_services_stopped: true, steps: [{run: /bin/true}]}",
        ] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn what_is_prepared_says_all_else_by_its_run() {
        let of = |what: &str| {
            let job = format!("{{steps: [{{restore: {{{what}}}}}]}}");
            load_str("m.yaml", &format!("{HEAD}jobs: {{a: {job}}}\n"))
        };
        let run = "20261126T200000Z-7k3f9q";
        assert!(of(&format!("prepared: {run}, with_env: true")).is_err());
        assert!(of(&format!("rollback: {run}, without_assets: true")).is_err());
        assert!(of(&format!("rollback: {run}, rehearse: true")).is_err());
        assert!(of(&format!("prepared: {run}, without_assets: 3")).is_err());
    }
}

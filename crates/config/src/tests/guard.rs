//! A guard becomes steps, and its steps become the guard again.

use super::loaded;
use crate::{
    effective_yaml,
    guard::{GuardAction, MEMORY},
    settings::Action,
};
use mastmaint_words::{Room, StepIndex};

fn titles(text: &str) -> Vec<String> {
    let settings = loaded(text).settings;
    settings.jobs["a"].steps.iter().map(|step| step.action.title()).collect()
}

#[test]
fn a_guard_becomes_steps_with_its_way_back_among_them() {
    let text =
        "instance: {}\njobs: {a: {steps: [{run: /bin/true}, {guard: bin/theme x}, {run: /bin/false}]}}";
    assert_eq!(
        titles(text),
        [
            "/bin/true",
            "keep what the change may spoil",
            "bin/theme x",
            "bin/rails assets:precompile",
            "see that the assets are whole",
            "systemctl restart mastodon-web",
            "look at the site and its themes as a visitor",
            "let the change stay",
            "put back what the change spoiled",
            "look at the site and its themes as a visitor",
            "systemctl restart mastodon-web",
            "look at the site and its themes as a visitor",
            "/bin/false",
        ]
    );
    let settings = loaded(text).settings;
    let job = &settings.jobs["a"];
    let guard = job.guard().unwrap();
    assert_eq!([guard.begin, guard.keep, guard.put_back, guard.look_again].map(|at| at.0), [1, 7, 8, 11]);
    assert!(guard.holds(StepIndex(5)) && !guard.holds(StepIndex(8)) && guard.is_way_back(StepIndex(9)));
    assert_eq!(job.steps_in_sight(StepIndex(2)), 13, "there are steps after it");
    let alone = loaded("instance: {}\njobs: {a: {steps: [{guard: []}]}}").settings;
    assert_eq!([1, 6].map(|at| alone.jobs["a"].steps_in_sight(StepIndex(at))), [6, 10]);
    assert!(job.change, "a hold binds it");
    assert_eq!(job.lock.as_ref().map(mastmaint_words::LockName::as_str), Some("mastodon"));
    let rooms: Vec<Room> = job.steps[1..=11].iter().map(|step| step.action.room()).collect();
    assert_eq!(rooms.iter().filter(|room| **room == Room::Change).count(), 6, "{rooms:?}");
    assert_eq!(rooms.iter().filter(|room| **room == Room::Probe).count(), 3);
}

#[test]
fn what_is_built_already_is_not_built_again() {
    let commands = |guard: &str| {
        let text = format!("instance: {{}}\njobs: {{a: {{steps: [{{{guard}}}]}}}}");
        let all = titles(&text);
        let end = all.iter().position(|title| title.starts_with("see that")).unwrap();
        all[1..end].to_vec()
    };
    assert_eq!(commands("guard: []"), ["bin/rails assets:precompile"]);
    assert_eq!(commands("guard: [bin/x, [bundle, exec, rake, 'assets:precompile']]").len(), 2);
    assert_eq!(commands("guard: [bin/x], build: false"), ["bin/x"]);
    assert_eq!(
        commands("guard: [bin/x, [/bin/sh, -c, 'rails assets:precompile']]").len(),
        3,
        "who reads a script?"
    );
}

#[test]
fn the_steps_of_a_guard_become_the_guard_again() {
    for guard in [
        "guard: []",
        "guard: bin/x y",
        "guard: [bin/x, 'bin/y \"a b\"'], keep: [config/custom.yml, app/javascript], memory: 512 MB, build: false",
        "guard: [bin/rails assets:precompile, bin/y], timeout: 20m, grace: 30s, expect: [done], fail_on: no, \
         environment: {A: b}, restart: [mastodon-sidekiq, mastodon-web]",
        "guard: bin/x, quiet_limit: 5m, expect: done",
    ] {
        let text = format!(
            "instance: {{}}\njobs: {{a: {{timeout: 1h, steps: [{{run: /bin/true}}, {{{guard}}}, {{run: /bin/false}}]}}}}"
        );
        let first = loaded(&text);
        let again = loaded(&effective_yaml(&first.settings).unwrap());
        assert_eq!(first.settings, again.settings, "{guard}");
        assert_eq!(again.warnings, [], "{guard}");
    }
}

#[test]
fn a_migration_needs_a_dump_that_was_verified_before() {
    let job = |steps: &str| {
        format!(
            "instance: {{}}\nbackups: {{dump: {{kind: postgres, path: /b/*.dump}}, files: {{kind: tree, path: /b}}}}\n\
             jobs: {{a: {{steps: [{steps}]}}}}"
        )
    };
    let migrate = "{guard: bin/rails db:migrate}";
    let settings = loaded(&job(&format!("{{verify: dump}}, {migrate}"))).settings;
    let begin = settings.jobs["a"].steps.iter().find_map(|step| match &step.action {
        Action::Guard(GuardAction::Begin(point)) => Some(point.clone()),
        _ => None,
    });
    let dump = "dump".parse().unwrap();
    assert!(begin.is_some_and(|point| {
        point.migrates && point.builds && point.memory == MEMORY && point.dump == Some(dump)
    }));
    for steps in ["{verify: files}, {guard: bin/x}", "{verify: dump, continue: true}, {guard: bin/x}"] {
        let settings = loaded(&job(steps)).settings;
        let begins = |step: &crate::settings::Step| matches!(&step.action, Action::Guard(GuardAction::Begin(point)) if point.dump.is_none());
        assert!(settings.jobs["a"].steps.iter().any(begins), "{steps}: nothing proves a dump before it");
    }
    for steps in [
        migrate.to_owned(),
        format!("{{verify: files}}, {migrate}"),
        format!("{migrate}, {{verify: dump}}"),
        format!("{{verify: dump, continue: true}}, {migrate}"),
        "{guard: [[/bin/sh, -c, 'git pull && bin/rails db:migrate']]}".to_owned(),
    ] {
        let refused = crate::load_str("m.yaml", &job(&steps)).unwrap_err();
        let codes: Vec<_> = refused.mistakes.iter().map(crate::Diagnostic::code).collect();
        assert_eq!(codes, ["migrates-unproved"], "{steps}");
    }
}

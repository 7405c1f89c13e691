//! The ledger against a list in memory: whatever is done to both, they answer alike.

use crate::common::*;
use mastmaint_ledger::Ledger;
use mastmaint_words::{JobName, Outcome, RunId, Span};
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Act {
    Queue { job: usize },
    End { run: usize, outcome: usize, after: i64 },
    Forget { now: i64, keep: u64, keep_output: u64 },
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (0_usize..3).prop_map(|job| Act::Queue { job }),
        4 => (0_usize..40, 0_usize..7, -500_i64..1000)
            .prop_map(|(run, outcome, after)| Act::End { run, outcome, after }),
        1 => (0_i64..2000, 0_u64..600, 0_u64..600)
            .prop_map(|(now, keep, keep_output)| Act::Forget { now, keep, keep_output }),
    ]
}

#[derive(Debug, Clone)]
struct Run {
    id: RunId,
    number: i64,
    job: JobName,
    ended: Option<(i64, Outcome)>,
    output: bool,
}

/// Runs in the order of their making.
#[derive(Default)]
struct Model(Vec<Run>);

impl Model {
    fn last(&self) -> BTreeMap<JobName, RunId> {
        let over = self.0.iter().filter(|run| run.ended.is_some_and(|(_, how)| how != Outcome::Skipped));
        over.map(|run| (run.job.clone(), run.id.clone())).collect()
    }

    fn forget(&mut self, now: i64, keep: i64, keep_output: i64) -> usize {
        let last = self.last();
        let before = self.0.len();
        self.0.retain(|run| {
            run.ended.is_none_or(|(ended, _)| ended >= now - keep) || last.get(&run.job) == Some(&run.id)
        });
        for run in &mut self.0 {
            run.output &= run.ended.is_none_or(|(ended, _)| ended >= now - keep_output);
        }
        before - self.0.len()
    }
}

fn apply(ledger: &mut Ledger, model: &mut Model, number: i64, act: &Act) {
    match *act {
        Act::Queue { job: which } => {
            let run = manual(["clean", "cards", "orphans"][which], number);
            ledger.queue_run(&run, None).unwrap();
            ledger.start_step(&start(key(number, 0), number)).unwrap();
            model.0.push(Run { id: run.id, number, job: run.job, ended: None, output: false });
        }
        Act::End { run, outcome, after } => {
            let count = model.0.len();
            let Some(run) = model.0.get_mut(run % count.max(1)) else { return };
            let (outcome, ended) = (Outcome::ALL[outcome], run.number + after);
            ledger.end_step(&end(key(run.number, 0), ended, outcome), Some(b"x")).unwrap();
            ledger.end_run(&run.id, at(ended), outcome, None, None).unwrap();
            if run.ended.is_none() {
                run.ended = Some((ended, outcome));
                run.output = true;
            }
        }
        Act::Forget { now, keep, keep_output } => {
            let forgotten =
                ledger.forget_old(at(now), Span::from_secs(keep), Span::from_secs(keep_output)).unwrap();
            let gone = model.forget(now, keep.try_into().unwrap(), keep_output.try_into().unwrap());
            assert_eq!(forgotten.runs, gone);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn ledger_and_list_answer_alike(acts in proptest::collection::vec(act(), 1..50)) {
        let (_dir, mut ledger) = fresh();
        let mut model = Model::default();
        for (number, act) in (1_i64..).zip(&acts) {
            apply(&mut ledger, &mut model, number, act);
        }
        let seen = |runs: Vec<mastmaint_ledger::RunRecord>| -> Vec<_> {
            runs.into_iter().map(|run| (run.id, run.ended, run.outcome)).collect()
        };
        let expected = |runs: &mut dyn Iterator<Item = &Run>| -> Vec<_> {
            runs.map(|run| (run.id.clone(), run.ended.map(|(t, _)| at(t)), run.ended.map(|(_, o)| o))).collect()
        };
        prop_assert_eq!(seen(ledger.history(None, 1000).unwrap()), expected(&mut model.0.iter().rev()));
        prop_assert_eq!(seen(ledger.history(None, 3).unwrap()), expected(&mut model.0.iter().rev().take(3)));
        for name in ["clean", "cards", "orphans", "never"].map(job) {
            let history = seen(ledger.history(Some(&name), 2).unwrap());
            prop_assert_eq!(history, expected(&mut model.0.iter().rev().filter(|r| r.job == name).take(2)));
        }
        let last: BTreeMap<_, _> = ledger.last_ended().unwrap().into_iter().map(|(job, run)| (job, run.id)).collect();
        prop_assert_eq!(last, model.last());
        let open: Vec<_> = ledger.open_runs().unwrap().into_iter().map(|run| run.run.id).collect();
        let waiting: Vec<_> = model.0.iter().filter(|r| r.ended.is_none()).map(|r| r.id.clone()).collect();
        prop_assert_eq!(open, waiting);
        for run in &model.0 {
            prop_assert_eq!(ledger.output(&key(run.number, 0)).unwrap().is_some(), run.output);
        }
        ledger.quick_check().unwrap();
    }
}

//! What a room keeps of a step until it is forgotten: `steps/RUN.STEP/` with a lock that is held while it works, the
//! record of its start and its outcome. Both records are durable (file, rename, directory synced) before anybody
//! relies on them, so that no crash makes a step run twice or lose its outcome.

mod dir;
mod steps;

pub use dir::{Begun, Child, StepDir};
pub use steps::{Known, Steps};

const STARTED: &str = "started.json";
const OUTCOME: &str = "outcome.json";
/// Names of directories that are being removed begin with it; no step key does.
const TRASH: &str = ".trash-";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::StepReport;
    use jiff::Timestamp;
    use mastmaint_words::{Grade, Outcome, Reason, Span, StepIndex, StepKey, Verdict};
    use std::{fs, io::Write, time::Duration};

    fn key() -> StepKey {
        StepKey { run: "20261123T003000Z-7k3f9q".parse().unwrap(), step: StepIndex(0) }
    }

    fn begun() -> Begun {
        Begun {
            key: key(),
            job: "clean".parse().unwrap(),
            digest: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    fn report() -> StepReport {
        StepReport {
            key: key(),
            verdict: Verdict::because(Outcome::Failed, Grade::Exit, Reason::new("exit", "it ended with 1")),
            started: Timestamp::UNIX_EPOCH,
            ended: Timestamp::UNIX_EPOCH,
            took: Span::from_secs(1),
            exit: Some(1),
            signal: None,
            lines: 0,
            bytes: 0,
            omitted: 0,
            peak_rss_bytes: None,
            space: None,
            backup: None,
        }
    }

    #[test]
    fn a_step_goes_from_fresh_to_finished_and_is_forgotten() {
        let state = tempfile::tempdir().unwrap();
        let steps = Steps::open(state.path()).unwrap();
        assert!(matches!(steps.look(&key()).unwrap(), Known::Unknown));
        let Known::Fresh(dir) = steps.claim(&key()).unwrap() else { panic!("not fresh") };
        assert!(matches!(steps.claim(&key()).unwrap(), Known::Working), "the lock is held");
        dir.begin(&begun()).unwrap();
        dir.finish(&report(), b"", b"copy").unwrap();
        drop(dir);
        let Known::Finished(dir) = steps.claim(&key()).unwrap() else { panic!("not finished") };
        assert_eq!((dir.outcome().unwrap(), dir.copy()), (report(), b"copy".to_vec()));
        dir.remove().unwrap();
        assert!(matches!(steps.look(&key()).unwrap(), Known::Unknown));
        assert_eq!(fs::read_dir(state.path().join("steps")).unwrap().count(), 0);
    }

    #[test]
    fn begun_without_an_outcome_and_without_a_lock_means_died() {
        let state = tempfile::tempdir().unwrap();
        let steps = Steps::open(state.path()).unwrap();
        let Known::Fresh(dir) = steps.claim(&key()).unwrap() else { panic!("not fresh") };
        dir.begin(&begun()).unwrap();
        drop(dir);
        let Known::Died(dir) = steps.look(&key()).unwrap() else { panic!("not died") };
        assert_eq!(dir.begun(), Some(begun()));
    }

    #[test]
    fn a_record_that_a_power_cut_tore_still_says_that_it_was_begun() {
        let state = tempfile::tempdir().unwrap();
        let steps = Steps::open(state.path()).unwrap();
        let Known::Fresh(dir) = steps.claim(&key()).unwrap() else { panic!("not fresh") };
        dir.begin(&begun()).unwrap();
        fs::write(steps.path(&key()).join(STARTED), b"").unwrap();
        drop(dir);
        let Known::Died(dir) = steps.claim(&key()).unwrap() else { panic!("it could run twice") };
        assert_eq!(dir.begun(), None);
    }

    #[test]
    fn a_socket_below_a_very_long_path_can_be_reached() {
        let state = tempfile::tempdir().unwrap();
        let steps = Steps::open(&state.path().join("d".repeat(120))).unwrap();
        let Known::Fresh(dir) = steps.claim(&key()).unwrap() else { panic!("not fresh") };
        let listener = dir.listen().unwrap();
        let mut client = steps.connect(&key()).unwrap();
        client.write_all(b"x").unwrap();
        listener.accept().unwrap();
    }

    #[test]
    fn the_sweep_takes_the_old_and_leaves_the_young_and_the_working() {
        let state = tempfile::tempdir().unwrap();
        let steps = Steps::open(state.path()).unwrap();
        let Known::Fresh(dir) = steps.claim(&key()).unwrap() else { panic!("not fresh") };
        dir.begin(&begun()).unwrap();
        dir.finish(&report(), b"", b"").unwrap();
        fs::create_dir(state.path().join("steps/.trash-x")).unwrap();
        steps.sweep(Duration::ZERO);
        assert!(steps.path(&key()).exists(), "its lock is held");
        assert!(!state.path().join("steps/.trash-x").exists());
        drop(dir);
        steps.sweep(Duration::from_hours(1));
        assert!(steps.path(&key()).exists(), "too young");
        steps.sweep(Duration::ZERO);
        assert!(!steps.path(&key()).exists());
    }
}

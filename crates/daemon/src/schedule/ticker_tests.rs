//! The ticker with the real clock and the real tokio-cron-scheduler; only steps of the clock are made up.

use super::*;
use crate::schedule::alarm::Rang;
use async_trait::async_trait;
use jiff::SignedDuration;
use std::{collections::BTreeSet, time::Instant};

fn name(text: &str) -> JobName {
    text.parse().unwrap()
}

fn plan(jobs: &[(&str, Option<Timestamp>)]) -> BTreeMap<JobName, Option<Timestamp>> {
    jobs.iter().map(|(job, at)| (name(job), *at)).collect()
}

/// The first whole second that is at least this far ahead.
fn ahead(millis: i64) -> Timestamp {
    let at = Timestamp::now() + SignedDuration::from_millis(millis);
    Timestamp::from_second(at.as_second() + 1).unwrap()
}

async fn wake(wakes: &mut mpsc::Receiver<Wake>) -> Wake {
    timeout(Duration::from_secs(10), wakes.recv()).await.expect("woken in time").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_instant_is_met_exactly_and_triggers_its_job() {
    let (send, mut wakes) = mpsc::channel(64);
    let ticker = Ticker::start(send).await.unwrap();
    // On a busy machine anything may be late; what polls would never be this exact.
    for round in 1.. {
        let at = ahead(1200);
        ticker
            .set_plan(&plan(&[("due", Some(at)), ("later", Some(at + SignedDuration::from_hours(1)))]))
            .await
            .unwrap();
        // A heartbeat just before must not make it late.
        while ahead(0) < at || Timestamp::now().subsec_millisecond() < 800 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        ticker.heartbeat(Duration::from_secs(2)).await.unwrap();
        assert_eq!(wake(&mut wakes).await, Wake::Due);
        let late = Timestamp::now().duration_since(at);
        assert!(!late.is_negative(), "{late:?}");
        assert_eq!(wake(&mut wakes).await, Wake::Triggered(name("due")));
        if late < SignedDuration::from_millis(20) {
            break;
        }
        assert!(round < 30, "never exact; at last {late:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_idle_loop_does_not_wake_up() {
    let (send, mut wakes) = mpsc::channel(64);
    let ticker = Ticker::start(send).await.unwrap();
    ticker.set_plan(&plan(&[("tomorrow", Some(ahead(86_400_000))), ("runbook", None)])).await.unwrap();
    // The loop comes by once more, late if the machine is busy, and parks; polling would come by 8 times in each.
    let mut before = 0;
    for round in 1.. {
        tokio::time::sleep(Duration::from_secs(4)).await;
        let turns = ticker.desk.turns();
        if turns > 0 && turns == before {
            break;
        }
        assert!(round < 10, "never parked");
        before = turns;
    }
    assert!(wakes.try_recv().is_err());
    // And it still works.
    ticker.heartbeat(Duration::from_secs(2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn three_hundred_jobs_of_one_second_are_all_triggered() {
    let (send, mut wakes) = mpsc::channel(1024);
    let ticker = Ticker::start(send).await.unwrap();
    let names: BTreeSet<_> = (0..300).map(|n| name(&format!("job-{n}"))).collect();
    let begun = Instant::now();
    ticker.set_plan(&names.iter().map(|n| (n.clone(), None)).collect()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "0.1 ms each in a debug build: {:?}", begun.elapsed());
    let at = ahead(1200);
    let begun = Instant::now();
    ticker.set_plan(&names.iter().map(|n| (n.clone(), Some(at))).collect()).await.unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "new instants add and remove nothing: {:?}",
        begun.elapsed()
    );
    assert_eq!(wake(&mut wakes).await, Wake::Due);
    let mut triggered = BTreeSet::new();
    while triggered.len() < names.len() {
        match wake(&mut wakes).await {
            Wake::Triggered(job) => assert!(triggered.insert(job), "once each"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(triggered, names);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_plan_is_replaced_while_the_loop_is_parked() {
    let (send, mut wakes) = mpsc::channel(64);
    let ticker = Ticker::start(send).await.unwrap();
    ticker
        .set_plan(&plan(&[("old", Some(ahead(3_600_000))), ("kept", Some(ahead(3_600_000)))]))
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(800)).await;
    let begun = Instant::now();
    ticker.set_plan(&plan(&[("new", Some(ahead(500))), ("kept", None)])).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "no waiting for the park: {:?}", begun.elapsed());
    assert_eq!(wake(&mut wakes).await, Wake::Due);
    assert_eq!(wake(&mut wakes).await, Wake::Triggered(name("new")));
    // The one that is gone and the one without an instant stay silent, and an empty plan is fine.
    assert!(timeout(Duration::from_millis(700), wakes.recv()).await.is_err());
    ticker.set_plan(&BTreeMap::new()).await.unwrap();
    assert!(ticker.jobs.lock().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_lost_hint_loses_no_wake() {
    // The channel holds one message: all 50 hints but one are lost, the wake of the alarm is not.
    let (send, mut wakes) = mpsc::channel(1);
    let ticker = Ticker::start(send).await.unwrap();
    let at = Some(ahead(300));
    ticker.set_plan(&(0..50).map(|n| (name(&format!("job-{n}")), at)).collect()).await.unwrap();
    assert_eq!(wake(&mut wakes).await, Wake::Due);
    // The loop is not held up by the full channel either.
    ticker.heartbeat(Duration::from_secs(2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_dead_scheduler_fails_the_heartbeat() {
    let (send, _wakes) = mpsc::channel(1);
    let mut ticker = Ticker::start(send).await.unwrap();
    ticker.scheduler.shutdown().await.unwrap();
    // It leaves its park and finds that it is to end.
    let visit = ticker.desk.visit();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    drop(visit);
    let error = ticker.heartbeat(Duration::from_secs(1)).await.unwrap_err();
    assert_eq!(error.code(), "scheduler-stuck");
    assert!(error.to_string().contains("pass on a heartbeat within 1 s"), "{error}");
}

/// A clock that shows what it is told.
struct SetClock(tokio::sync::watch::Sender<Timestamp>);

#[async_trait]
impl AlarmClock for SetClock {
    fn now(&self) -> Timestamp {
        *self.0.borrow()
    }

    async fn wait_until(&self, instant: Option<Timestamp>) -> io::Result<Rang> {
        let mut shown = self.0.subscribe();
        if instant.is_some_and(|instant| instant <= self.now()) {
            return Ok(Rang::Reached);
        }
        shown.changed().await.map_err(io::Error::other)?;
        Ok(Rang::Stepped)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_step_of_the_clock_wakes_at_once() {
    let noon: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
    let clock = Arc::new(SetClock(tokio::sync::watch::Sender::new(noon)));
    let (send, mut wakes) = mpsc::channel(64);
    let ticker = Ticker::start_with(Arc::clone(&clock) as Arc<dyn AlarmClock>, send).await.unwrap();
    let tomorrow = noon + SignedDuration::from_hours(24);
    ticker.set_plan(&plan(&[("daily", Some(tomorrow))])).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    // 400 days ahead, the job is overdue: woken, and triggered though it was due long ago.
    clock.0.send_replace(noon + SignedDuration::from_hours(24 * 400));
    assert_eq!(wake(&mut wakes).await, Wake::ClockStepped);
    assert_eq!(wake(&mut wakes).await, Wake::Triggered(name("daily")));
    // Back again: woken, nothing is due, and the next day is met.
    ticker.set_plan(&plan(&[("daily", Some(noon + SignedDuration::from_hours(24 * 401)))])).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    clock.0.send_replace(noon);
    assert_eq!(wake(&mut wakes).await, Wake::ClockStepped);
    ticker.set_plan(&plan(&[("daily", Some(tomorrow))])).await.unwrap();
    assert!(timeout(Duration::from_millis(900), wakes.recv()).await.is_err(), "not due");
    clock.0.send_replace(tomorrow);
    assert_eq!(wake(&mut wakes).await, Wake::ClockStepped);
    assert_eq!(wake(&mut wakes).await, Wake::Triggered(name("daily")));
}

#[tokio::test]
async fn the_kernels_timer_reaches_the_past_at_once_and_can_be_dropped() {
    let clock = SystemClock::new().unwrap();
    assert_eq!(clock.wait_until(Some(Timestamp::UNIX_EPOCH)).await.unwrap(), Rang::Reached);
    let never = timeout(Duration::from_millis(50), clock.wait_until(None)).await;
    assert!(never.is_err(), "an unset alarm does not ring");
    let at = ahead(0);
    assert_eq!(clock.wait_until(Some(at)).await.unwrap(), Rang::Reached);
    assert!(Timestamp::now() >= at);
}

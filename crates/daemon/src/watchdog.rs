//! Feeding systemd's watchdog with proof of life instead of a timer: each third of its interval a message goes through
//! the scheduler's loop and then through the dispatcher's, and only when both have answered the watchdog is fed.

use crate::{dispatcher::Order, schedule::ticker::Ticker};
use mastmaint_health::Notifier;
use std::{sync::Arc, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// Starts feeding, if systemd asked for it.
pub(crate) fn start(notifier: Arc<Notifier>, ticker: Arc<Ticker>, orders: mpsc::Sender<Order>) {
    let Some(interval) = notifier.watchdog_interval() else { return };
    tokio::spawn(async move {
        let third = interval / 3;
        loop {
            tokio::time::sleep(third).await;
            if beat(&ticker, &orders, third).await.is_some() {
                // A beat that does not arrive is what the watchdog is for.
                let _ = notifier.watchdog();
            }
        }
    });
}

/// One beat; `None` if a loop did not answer in time.
async fn beat(ticker: &Ticker, orders: &mpsc::Sender<Order>, timeout: Duration) -> Option<()> {
    ticker.heartbeat(timeout).await.ok()?;
    let (answer, answered) = oneshot::channel();
    tokio::time::timeout(timeout, async {
        orders.send(Order::Beat(answer)).await.ok()?;
        answered.await.ok()
    })
    .await
    .ok()?
}

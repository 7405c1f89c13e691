//! The alarm clock: waits for an instant of the wall clock, and notices when that clock is set.
//!
//! `tokio::time` counts `CLOCK_MONOTONIC`: it knows neither steps of the clock nor a suspended host. A timerfd on
//! `CLOCK_REALTIME` with an absolute time fires at the instant itself, right after a resume if it passed meanwhile, and
//! is cancelled when somebody sets the clock.

use super::{storage::Desk, ticker::Wake};
use async_trait::async_trait;
use jiff::Timestamp;
use nix::{
    errno::Errno,
    sys::{
        time::TimeSpec,
        timer::{Expiration, TimerSetTimeFlags},
        timerfd::{ClockId, TimerFd, TimerFlags},
    },
    unistd::read,
};
use std::{
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{Interest, unix::AsyncFd},
    sync::{Notify, mpsc},
};

/// Why a wait is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rang {
    /// The instant is here.
    Reached,
    /// The clock was set; look at it again.
    Stepped,
}

/// A clock that can be waited for. Tests have one that they can set.
#[async_trait]
pub(super) trait AlarmClock: Send + Sync + 'static {
    /// What it shows.
    fn now(&self) -> Timestamp;
    /// Waits until it shows an instant, or for ever, but in any case no longer than until it is set. May be dropped
    /// at any time.
    async fn wait_until(&self, instant: Option<Timestamp>) -> io::Result<Rang>;
}

/// The clock of this machine.
pub(super) struct SystemClock {
    timer: AsyncFd<Timer>,
}

/// tokio asks for `AsRawFd`, nix has only `AsFd`.
struct Timer(TimerFd);

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl SystemClock {
    #[expect(
        deprecated,
        reason = "the safe constructor; this workspace forbids unsafe code, and the descriptor is \
                                   owned here and never replaced"
    )]
    pub(super) fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_REALTIME, flags)?;
        Ok(Self { timer: AsyncFd::with_interest(Timer(timer), Interest::READABLE)? })
    }
}

/// 2200-01-01: a timer that is not armed is not cancelled when the clock is set.
const NEVER: i64 = 7_258_118_400;

#[async_trait]
impl AlarmClock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    async fn wait_until(&self, instant: Option<Timestamp>) -> io::Result<Rang> {
        // A time of zero would disarm the timer.
        let seconds = instant.map_or(NEVER, |instant| instant.as_second().clamp(1, NEVER));
        let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        match self.timer.get_ref().0.set(Expiration::OneShot(TimeSpec::new(seconds, 0)), flags) {
            Ok(()) => {}
            Err(Errno::ECANCELED) => return Ok(Rang::Stepped),
            Err(error) => return Err(error.into()),
        }
        loop {
            let mut ready = self.timer.readable().await?;
            let mut expirations = [0_u8; 8];
            match read(&self.timer.get_ref().0, &mut expirations) {
                Ok(_) => return Ok(Rang::Reached),
                Err(Errno::ECANCELED) => return Ok(Rang::Stepped),
                Err(Errno::EAGAIN) => ready.clear_ready(),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Rings for every instant on the desk, and once more whenever the clock was set. `replanned` says that the instants
/// changed. A full channel of wakes is as good as one more wake: whoever reads it looks at everything.
pub(super) async fn run(
    clock: Arc<dyn AlarmClock>,
    desk: Arc<Desk>,
    replanned: Arc<Notify>,
    wakes: mpsc::Sender<Wake>,
) {
    let mut floor = Timestamp::UNIX_EPOCH;
    while !wakes.is_closed() {
        let rang = tokio::select! {
            rang = clock.wait_until(desk.earliest_after(floor)) => rang,
            () = replanned.notified() => {
                floor = Timestamp::UNIX_EPOCH;
                continue;
            }
        };
        floor = clock.now();
        let wake = match rang {
            Ok(Rang::Reached) => Wake::Due,
            Ok(Rang::Stepped) => Wake::ClockStepped,
            Err(error) => {
                tracing::error!(%error, "the kernel's timer fails; looking once a second instead");
                tokio::time::sleep(Duration::from_secs(1)).await;
                Wake::Due
            }
        };
        desk.reach(floor);
        // Whether it is full or closed: nothing is left to do here.
        drop(wakes.try_send(wake));
    }
}

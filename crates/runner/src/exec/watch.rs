//! One poll loop over both pipes, the orders, and a thread that waits for the main process. Its state is a [`Phase`];
//! delays are derived from it.

use super::{
    Limits, OrderReceiver, Sink,
    exit::Exit,
    pulse::{Felt, Pulse},
};
use crate::{
    exec::tree::Tree,
    output::Reader,
    protocol::{EndingCause, EventKind, Progress, Sign, Stream},
};
use jiff::Timestamp;
use mastmaint_words::Span;
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    unistd::Pid,
};
use std::{
    fs::File,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    process::Child,
    time::{Duration, Instant},
};

/// Between two progress events.
const PROGRESS: Duration = Duration::from_secs(1);
/// Between two looks at a tree that is being ended.
const LOOK: Duration = Duration::from_millis(50);
/// After the main process has ended, output that somebody else still holds is waited for: this long in silence…
const SILENCE: Duration = Duration::from_millis(200);
/// …and this long at all.
const DRAIN: Duration = Duration::from_secs(1);
/// What the main process itself had written fits into this many reads.
const DRAIN_READS: u32 = 8;
const CHUNK: usize = 64 * 1024;

/// How a step was cut short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cut {
    /// Why, if it was.
    pub cause: Option<EndingCause>,
    /// Whether KILL was sent from here.
    pub was_killed: bool,
    /// Processes that were left behind.
    pub survivors: u32,
}

/// Where a step is in its life.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// It runs.
    Running,
    /// TERM was sent.
    Ending { kill_at: Option<Instant> },
    /// KILL was sent.
    Killed,
    /// The main process has ended; its output may still be in the pipes.
    Draining { since: Instant, last_read: Instant, reads: u32 },
}

/// Watches over one step.
pub(super) struct Watch<'a, 'r> {
    tree: &'a Tree,
    limits: Limits,
    orders: Option<&'a mut OrderReceiver>,
    reader: &'a mut Reader<'r>,
    sink: &'a mut dyn Sink,
    pipes: [Option<File>; 2],
    exit: Exit,
    start: Instant,
    next_progress: Instant,
    slow_at: Option<Instant>,
    timeout_at: Option<Instant>,
    pulse: Pulse,
    /// The newest sign of life.
    sign: (Sign, Timestamp),
    /// Whether the newest progress event does not tell of it.
    is_sign_new: bool,
    phase: Phase,
    /// Whether the newest poll found both pipes empty. Time alone says nothing: this process may have had no turn.
    is_quiet: bool,
    cut: Cut,
}

/// What a poll found ready.
#[derive(Debug, Default, Clone, Copy)]
struct Ready {
    pipes: [bool; 2],
    orders: bool,
    exit: bool,
}

impl<'a, 'r> Watch<'a, 'r> {
    pub(super) fn new(
        child: &mut Child,
        tree: &'a Tree,
        limits: Limits,
        orders: &'a mut OrderReceiver,
        reader: &'a mut Reader<'r>,
        sink: &'a mut dyn Sink,
    ) -> Self {
        let start = Instant::now();
        let files = [child.stdout.take().map(OwnedFd::from), child.stderr.take().map(OwnedFd::from)];
        Self {
            tree,
            limits,
            orders: Some(orders),
            reader,
            sink,
            pipes: files.map(|fd| fd.map(File::from)),
            exit: Exit::learn(Pid::from_raw(i32::try_from(child.id()).unwrap_or(i32::MAX))),
            start,
            next_progress: start + PROGRESS,
            slow_at: start.checked_add(limits.timeout / 5 * 4),
            timeout_at: start.checked_add(limits.timeout),
            pulse: Pulse::new(limits.quiet, start),
            sign: (Sign::Start, Timestamp::now()),
            is_sign_new: true,
            phase: Phase::Running,
            is_quiet: false,
            cut: Cut::default(),
        }
    }

    /// Until the main process has ended, nothing of a tree that is being ended runs, and the output is read.
    pub(super) fn run(mut self) -> Cut {
        let mut buffer = vec![0; CHUNK];
        while !self.is_over() {
            let ready = self.wait();
            self.is_quiet = ready.pipes == [false, false];
            for (index, stream) in [Stream::Stdout, Stream::Stderr].into_iter().enumerate() {
                if ready.pipes[index] {
                    self.read(index, stream, &mut buffer);
                }
            }
            if ready.orders {
                match self.orders.as_mut().and_then(|orders| orders.next()) {
                    Some(order) if order.gently && !matches!(self.phase, Phase::Running) => {}
                    Some(order) => self.end(order.cause),
                    None => self.orders = None,
                }
            }
            self.exit.update(ready.exit);
            self.look_at_clock();
        }
        self.cut
    }

    fn is_over(&self) -> bool {
        let is_read = self.pipes.iter().all(Option::is_none);
        match self.phase {
            Phase::Draining { since, last_read, reads } => {
                is_read
                    || (self.is_quiet && last_read.elapsed() >= SILENCE)
                    || (reads >= DRAIN_READS && since.elapsed() >= DRAIN)
            }
            _ => false,
        }
    }

    /// Polls until something is ready or the next deadline.
    fn wait(&self) -> Ready {
        let mut fds = Vec::with_capacity(4);
        let ordered = [
            self.pipes[0].as_ref().map(AsFd::as_fd),
            self.pipes[1].as_ref().map(AsFd::as_fd),
            self.orders.as_ref().map(|orders| orders.fd()),
            self.exit.fd(),
        ];
        fds.extend(ordered.iter().flatten().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)));
        let timeout = self.deadline().map_or(PollTimeout::NONE, |at| {
            // One more millisecond: waking just before a deadline would mean polling again.
            let left = at.saturating_duration_since(Instant::now()).as_millis() + 1;
            PollTimeout::try_from(left.min(60_000)).unwrap_or(PollTimeout::MAX)
        });
        if poll(&mut fds, timeout).is_err() {
            return Ready::default();
        }
        let mut states = fds.iter().map(|fd| fd.any().unwrap_or(false));
        let mut is_ready = ordered.iter().map(|fd| fd.is_some() && states.next().unwrap_or(false));
        let mut next = || is_ready.next().unwrap_or(false);
        Ready { pipes: [next(), next()], orders: next(), exit: next() }
    }

    fn deadline(&self) -> Option<Instant> {
        let phase = match self.phase {
            Phase::Running => {
                [self.slow_at.into_iter().chain(self.timeout_at).min(), Some(self.pulse.look_at())]
            }
            Phase::Ending { kill_at } => {
                [kill_at, matches!(self.exit, Exit::Over).then(|| Instant::now() + LOOK)]
            }
            Phase::Killed => [None, Some(Instant::now() + LOOK)],
            Phase::Draining { since, last_read, .. } => [Some(since + DRAIN), Some(last_read + SILENCE)],
        };
        let progress = (self.reader.is_changed() || self.is_sign_new).then_some(self.next_progress);
        let look = matches!(self.exit, Exit::Asked(_)).then(|| Instant::now() + LOOK);
        phase.into_iter().chain([progress, look]).flatten().min()
    }

    fn read(&mut self, index: usize, stream: Stream, buffer: &mut [u8]) {
        let Some(pipe) = &mut self.pipes[index] else { return };
        match pipe.read(buffer) {
            Ok(0) => self.pipes[index] = None,
            Ok(count) => {
                let at = Timestamp::now();
                self.pulse.heard(Instant::now());
                self.sign = (Sign::Output, at);
                self.is_sign_new = true;
                let Self { reader, sink, .. } = self;
                reader.feed(at, stream, &buffer[..count], &mut |kind| sink.event(kind));
                if let Phase::Draining { last_read, reads, .. } = &mut self.phase {
                    *last_read = Instant::now();
                    *reads += 1;
                }
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.pipes[index] = None,
        }
    }

    fn look_at_clock(&mut self) {
        let now = Instant::now();
        let has_passed = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if has_passed(Some(self.next_progress)) && (self.is_sign_new || self.reader.is_changed()) {
            self.next_progress = now + PROGRESS;
            self.is_sign_new = false;
            let (sign, at) = self.sign;
            let progress = Progress { sign: Some(sign), sign_at: Some(at), ..self.reader.progress() };
            self.sink.event(EventKind::Progress(progress));
        }
        if matches!(self.exit, Exit::Over)
            && !matches!(self.phase, Phase::Draining { .. })
            && self.may_drain()
        {
            self.phase = Phase::Draining { since: now, last_read: now, reads: 0 };
            self.is_quiet = false;
        }
        match self.phase {
            Phase::Running => {
                if has_passed(self.slow_at) {
                    self.slow_at = None;
                    self.sink.event(EventKind::Slow { running: Span::new(self.start.elapsed()) });
                }
                if has_passed(self.timeout_at) {
                    self.end(self.limits.timeout_cause);
                } else if has_passed(Some(self.pulse.look_at())) {
                    self.feel_pulse(now);
                }
            }
            Phase::Ending { kill_at } if has_passed(kill_at) => self.kill(),
            // A process may have been born while the others died.
            Phase::Killed => self.tree.kill_all(),
            Phase::Ending { .. } | Phase::Draining { .. } => {}
        }
    }

    /// Looks for a sign of life beside output.
    fn feel_pulse(&mut self, now: Instant) {
        match self.pulse.look(now, self.tree.processor_time()) {
            Felt::Work => {
                self.sign = (Sign::Work, Timestamp::now());
                self.is_sign_new = true;
            }
            Felt::Nothing => {}
            Felt::Quiet(silence) => {
                let limit = Span::new(self.limits.quiet.unwrap_or_default());
                let running = Span::new(self.start.elapsed());
                self.sink.event(EventKind::Quiet { running, silence: Span::new(silence), limit });
            }
            Felt::TooQuiet => self.end(EndingCause::QuietLimit),
        }
    }

    /// Whether only the output is left. A tree that was told to end has its grace for all of its processes.
    fn may_drain(&self) -> bool {
        match self.phase {
            Phase::Ending { .. } => !self.tree.is_alive(),
            _ => true,
        }
    }

    /// TERM, or KILL if that was sent before.
    fn end(&mut self, cause: EndingCause) {
        match self.phase {
            Phase::Running => {
                self.cut.cause = Some(cause);
                let grace = self.limits.grace;
                self.sink.event(EventKind::Ending { why: cause, grace: Span::new(grace) });
                self.tree.terminate();
                self.phase = Phase::Ending { kill_at: Instant::now().checked_add(grace) };
            }
            Phase::Ending { .. } => self.kill(),
            Phase::Killed | Phase::Draining { .. } => {}
        }
    }

    fn kill(&mut self) {
        self.cut.was_killed = true;
        self.phase = Phase::Killed;
        self.tree.kill_all();
    }
}

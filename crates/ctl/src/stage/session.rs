//! A stage from its beginning to its end: what is said of it is shown, browsers are let in once it is up, and whatever ends
//! it, nothing of it stays.

use super::{
    StageError, Typed,
    asking::{Asking, Heard},
    forward::{Forward, Port},
    ground::Ground,
};
use crate::{error::CtlError, exit, print, when::When};
use jiff::Timestamp;
use mastmaint_words::{
    backup::{Finding, Severity},
    human,
    stage::{Chosen, Told, Up},
};
use nix::sys::{
    signal::{SigSet, Signal},
    signalfd::{SfdFlags, SignalFd},
};
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Longer than the room takes to take everything down.
const TAKEN_DOWN: Duration = Duration::from_mins(3);
/// The room's clock and ours.
const SLACK: Duration = Duration::from_secs(5);
/// A name is no longer.
const NAME: usize = 253;

/// Signals that end a stage in order.
#[derive(Debug)]
pub(super) struct Signals(SignalFd);

impl Signals {
    /// Takes them away from the kernel's default, which would end this program and leave the rest to others.
    pub(super) fn hold_back() -> Result<Self, CtlError> {
        let system = |e: nix::Error| CtlError::System { what: "cannot prepare for Ctrl-C", source: e.into() };
        let mask: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
        mask.thread_block().map_err(system)?;
        let flags = SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC;
        SignalFd::with_flags(&mask, flags).map(Self).map_err(system)
    }

    /// Whether one has come since the last look.
    fn has_come(&self) -> bool {
        matches!(self.0.read_signal(), Ok(Some(_)))
    }
}

/// A stage that was asked for.
pub(super) struct Session<'a> {
    pub(super) when: &'a When,
    pub(super) typed: &'a Typed,
    pub(super) ground: &'a Ground,
    pub(super) signals: Signals,
    pub(super) asking: Asking,
    /// Until browsers are let in.
    pub(super) port: Option<Port>,
    pub(super) chosen: Option<Chosen>,
    pub(super) open: Option<Open>,
}

/// Browsers are let in.
pub(super) struct Open {
    forward: Forward,
    since: Instant,
}

impl Session<'_> {
    /// Holds it until it ends.
    pub(super) fn hold(mut self) -> Result<u8, CtlError> {
        let ended = loop {
            let is_time =
                self.open.as_ref().is_some_and(|open| open.since.elapsed() >= self.typed.lasts.get());
            if is_time || self.signals.has_come() {
                break Ok(());
            }
            if self.open.as_mut().is_some_and(|open| open.forward.has_ended()) {
                break Err(StageError::NoRelay.into());
            }
            let heard = match self.asking.hear(LOOK_EVERY) {
                Heard::Nothing => continue,
                Heard::End => break Err(StageError::Ended.into()),
                Heard::Told(told) => told,
            };
            match heard {
                Told::Said(text) => print::talk(&print::tame(&text)),
                Told::Chosen(chosen) => {
                    print::talk(&format!("staging {}", pieces(self.when, &chosen)));
                    self.chosen = Some(chosen);
                }
                Told::Up(up) => {
                    if let Err(error) = self.let_in(&up) {
                        break Err(error);
                    }
                }
                Told::Over(findings) => break self.over(&findings),
                Told::Failed { code, message } => {
                    let (code, what) = (print::tame(&code), print::tame(&message));
                    break Err(StageError::Refused { code, what }.into());
                }
            }
        };
        self.end(ended)
    }

    /// Lets browsers in and says how. Once: nobody is up twice.
    fn let_in(&mut self, up: &Up) -> Result<(), CtlError> {
        let Some(port) = self.port.take() else { return Ok(()) };
        if !is_name(&up.host) {
            let what =
                format!("the room names its pages {:?}, which is no name of a host", print::tame(&up.host));
            return Err(StageError::Refused { code: "not-the-room".to_owned(), what }.into());
        }
        let number = port.number;
        let apart = self.ground.apart(&up.host)?;
        self.open = Some(Open { forward: port.open(self.ground.door()?, apart)?, since: Instant::now() });
        self.say(number, up);
        print::data(&format!("http://127.0.0.1:{number}/\n"))?;
        Ok(())
    }

    fn say(&self, port: u16, up: &Up) {
        let (host, version) = (print::tame(&up.host), print::tame(&up.version));
        let now = When { now: Timestamp::now(), ..self.when.clone() };
        let until = now.now.checked_add(self.typed.lasts.get()).unwrap_or(Timestamp::MAX);
        let here = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
        let here = here.map_or_else(|| "THIS-HOST".to_owned(), |name| print::tame(&name));
        let of = self.chosen.as_ref().map_or_else(String::new, |of| format!(" from {}", pieces(&now, of)));
        for line in [
            format!("staged    Mastodon {version} of {host}{of}"),
            format!("look at   http://127.0.0.1:{port}/ on this host"),
            format!("from afar ssh -L {port}:127.0.0.1:{port} root@{here}, then the same address at home"),
            format!("until     {}, or Ctrl-C", now.both(until)),
            "not there uploads, mail, jobs (Sidekiq), streaming, other servers; what is done there is gone with it".to_owned(),
            format!("beware    links that name {host} lead to the one that runs; drills wait until this is over"),
        ] {
            print::talk(&line);
        }
    }

    /// What the room found is shown; the worst of it is why it ended.
    fn over(&self, findings: &[Finding]) -> Result<(), CtlError> {
        for finding in findings {
            tell(finding);
        }
        // A warning keeps it from coming up, too: what the host lacks is no fault of the backup.
        let least = if self.open.is_some() { Severity::Fail } else { Severity::Warn };
        if let Some(worst) = findings.iter().filter(|f| f.severity >= least).max_by_key(|f| f.severity) {
            return Err(
                StageError::Refused { code: worst.code.name(), what: print::tame(&worst.what) }.into()
            );
        }
        match &self.open {
            Some(open) if open.since.elapsed() + SLACK >= self.typed.lasts.get() => Ok(()),
            _ => Err(StageError::Ended.into()),
        }
    }

    /// Closes the port, lets go of the room, and waits until nothing is left.
    fn end(&mut self, ended: Result<(), CtlError>) -> Result<u8, CtlError> {
        self.port = None;
        let was_open = self.open.take().is_some();
        if was_open {
            print::talk("ending it");
        }
        self.asking.let_go();
        let begun = Instant::now();
        while self.asking.hear(LOOK_EVERY) != Heard::End {
            if self.signals.has_come() || begun.elapsed() > TAKEN_DOWN {
                return Err(StageError::Left.into());
            }
        }
        ended?;
        if !was_open {
            return Err(StageError::ByHand.into());
        }
        print::talk("it is over, and nothing of it is left");
        Ok(exit::FINE)
    }
}

fn pieces(when: &When, chosen: &Chosen) -> String {
    let made = human::ago(when.now, chosen.made);
    format!("{} (made {made}) and the files of {}", print::tame(&chosen.dump), print::tame(&chosen.files))
}

fn tell(finding: &Finding) {
    let (word, code) = (finding.severity.word(), finding.code);
    print::talk(&format!("{word}: {} [{code}]", print::tame(&finding.what)));
    for line in &finding.evidence {
        print::talk(&format!("    {}", print::tame(line)));
    }
    print::talk(&format!("    what to do: {}", print::tame(&finding.advice)));
}

/// A name of a host, perhaps with a port: it stands in a head.
fn is_name(host: &str) -> bool {
    let is_part = |c: u8| c.is_ascii_alphanumeric() || b".-:".contains(&c);
    !host.is_empty() && host.len() <= NAME && host.bytes().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_room_calls_itself_is_a_name() {
        for fine in ["mast.test", "xn--bcher-kva.test", "localhost:3000"] {
            assert!(is_name(fine), "{fine}");
        }
        let long = "a".repeat(NAME + 1);
        for bad in ["", "a b", "a\r\nX: y", "a/b", "m\u{e4}st.test", "[::1]", &long] {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}

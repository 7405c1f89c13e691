//! `mastmaintd-recover`: closes brackets that nobody works on any more. systemd starts it as soon as there is one
//! (`mastmaintd-recover.path`) and it stays while there is: a second pair of eyes on what is stopped. At boot, before
//! anything else, it is called with `--hold` for what must not be started before that.

mod args;
mod decide;
mod hold;
mod others;
mod people;
mod watch;

use mastmaint_config::zone;
use mastmaint_health::{Entry, Journal, JournalConfig, Level};
use signal_hook::consts::{SIGINT, SIGTERM};
use std::{
    process::ExitCode,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

/// The last entries get this long to reach the journal.
const FLUSH: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let logging =
        JournalConfig { identifier: "mastmaintd-recover".into(), level: Level::Info, zone: zone::local() };
    // Without a single thread to be had there is nobody to tell, either.
    let Ok(journal) = Journal::start(&logging) else { return ExitCode::FAILURE };
    let done = args::parse(std::env::args_os().skip(1)).and_then(|args| {
        let stopping = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register(signal, Arc::clone(&stopping)).map_err(|error| error.to_string())?;
        }
        if args.hold {
            return hold::hold(&args.state, &journal);
        }
        Ok(watch::Watch::new(args, journal.clone(), stopping).until_nothing_is_owed())
    });
    let status = match done {
        Ok(status) => status,
        Err(error) => {
            journal.log(Entry::error(error));
            2
        }
    };
    journal.flush(FLUSH);
    ExitCode::from(status)
}

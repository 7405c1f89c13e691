//! The command line of `mastmaintd`.

use clap::Parser;
use mastmaint_words::JobName;
use std::path::PathBuf;

/// Keeps a Mastodon server healthy: runs its maintenance on a schedule and says honestly how it went.
///
/// Without systemd it runs in the foreground as whoever starts it, and starts its steps itself.
#[derive(Debug, Clone, Parser)]
#[command(name = "mastmaintd", version)]
pub struct Args {
    /// The configuration; fragments are read from conf.d beside it.
    #[arg(long, value_name = "FILE", default_value = "/etc/mastmaintd/mastmaintd.yaml")]
    pub config: PathBuf,

    /// Where the ledger is kept.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/mastmaintd")]
    pub state_dir: PathBuf,

    /// Where the control sockets are.
    #[arg(long, value_name = "DIR", default_value = "/run/mastmaintd")]
    pub runtime_dir: PathBuf,

    /// Where systemd's sockets of the rooms are; without it steps are started as children.
    #[arg(long, value_name = "DIR")]
    pub rooms: Option<PathBuf>,

    /// Where the systemctl room keeps accepted configurations (with --rooms).
    #[arg(long, value_name = "DIR", default_value = "/var/lib/mastmaintd-accepted")]
    pub accepted: PathBuf,

    /// Run this one job now and exit with its outcome.
    #[arg(long, value_name = "JOB")]
    pub run: Option<JobName>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn every_option_is_in_the_manual() {
        let page = include_str!("../../../packaging/man/mastmaintd.8").replace("\\-", "-");
        let (synopsis, options) = page.split_once(".SH OPTIONS").unwrap();
        for option in Args::command().get_arguments().filter_map(clap::Arg::get_long) {
            let option = format!("--{option}");
            assert!(synopsis.contains(&option) && options.contains(&format!(".BI {option} ")), "{option}");
        }
    }
}

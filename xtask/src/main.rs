//! Developer tasks: `cargo xtask demo`, `test`, `package`, `system`, `bench`. Each one installs what it needs and says so; each ends
//! with a status that a script can trust.

mod apt;
mod bench;
mod demo;
mod package;
mod shell;
mod suites;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Developer tasks of mastmaintd.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run the daemon on a stand-in instance until each demo job has run once.
    Demo,
    /// Install what the tests need and run them all, the containers included.
    Test {
        /// Also those that take long.
        #[arg(long)]
        long: bool,
        /// Only what needs neither root nor containers.
        #[arg(long)]
        no_system: bool,
    },
    /// Run the container tests: Debian 12 and 13 with systemd as PID 1.
    System {
        /// Only those whose name contains this.
        filter: Option<String>,
        /// Also what takes long: the whole kill matrix.
        #[arg(long)]
        long: bool,
    },
    /// Play the post-mortem again in a container and print a timeline: by hand, under guard, and the restore.
    Replay,
    /// Measure the figures of docs/performance.md on the release build and print them as one table.
    Bench {
        /// Only these: sizes, idle, ready, lateness, rooms, bracket, flood, judge.
        names: Vec<String>,
    },
    /// Build the Debian package; prints its path.
    Package {
        /// Profile of cargo.
        #[arg(long, default_value = "release")]
        profile: String,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.task {
        Task::Test { long, no_system } => suites::test(long, !no_system),
        Task::Demo => demo::run().map_err(|error| shell::TaskError::Hopeless(error.to_string())),
        Task::System { filter, long } => suites::system(filter.as_deref(), long),
        Task::Replay => suites::replay(),
        Task::Bench { names } => bench::run(&names),
        Task::Package { profile } => {
            package::package(&profile).map(|deb| shell::print(&deb.display().to_string()))
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            shell::say(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

//! `mastmaintctl guard`: a guarded change that is typed. It becomes a runbook of the configuration for as long as somebody
//! waits for it.

use crate::{by_hand, cli::CONFIG, client::Daemon, error::CtlError, exit, print, rooms::sight::Sight};
use clap::Args;
use mastmaint_words::{Bytes, JobName};
use serde_json::{Value, json};
use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
};

const JOB: &str = "guard-by-hand";
/// Where the package puts recipes.
const RECIPES: &str = "/usr/share/mastmaintd/recipes";

/// What is changed, and how.
#[derive(Debug, Args)]
pub struct Guard {
    /// Keep this too, from the Rails root on, so that it can be put back.
    #[arg(long, value_name = "PATH")]
    keep: Vec<String>,
    /// Build no assets where the command does not.
    #[arg(long)]
    no_build: bool,
    /// Refuse below so much free memory.
    #[arg(long, value_name = "SIZE")]
    memory: Option<Bytes>,
    /// Instead of a command: `theme tangerine-ui`, `theme bird-ui`, or `precompile`, which only builds the assets.
    #[arg(long, num_args = 1..=3, value_name = "RECIPE", conflicts_with = "command")]
    recipe: Option<Vec<String>>,
    /// Also while a hold keeps changes from being made.
    #[arg(long)]
    despite_hold: bool,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = CONFIG)]
    config: PathBuf,
    /// The command, run in the Rails root as Mastodon's user.
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) fn guard(daemon: &Daemon, guard: &Guard) -> Result<u8, CtlError> {
    let commands = commands(guard)?;
    is_seen(&commands, &guard.config)?;
    if !guard.yes && !is_meant(&commands, guard)? {
        print::talk("nothing was done");
        return Ok(exit::NOT_FINE);
    }
    let job: JobName = JOB.parse().map_err(|_| CtlError::BadReply)?;
    let text = format!("{:#}\n", fragment(&commands, guard));
    let fragment = by_hand::Fragment {
        config: &guard.config,
        what: "guard",
        job,
        text,
        despite_hold: guard.despite_hold,
    };
    by_hand::run(daemon, &fragment).map(|ran| ran.status)
}

/// The commands as the configuration has them; none where only the assets are built.
fn commands(guard: &Guard) -> Result<Vec<Vec<String>>, CtlError> {
    let usage = |text: &str| Err(CtlError::Usage(text.to_owned()));
    match guard.recipe.as_deref() {
        None if guard.command.is_empty() => usage(
            "write what is to be run after --, like `mastmaintctl guard -- bin/rails assets:precompile`, or a --recipe",
        ),
        None => Ok(vec![guard.command.clone()]),
        Some([recipe]) if recipe == "precompile" && guard.no_build => {
            usage("precompile builds the assets, and --no-build says not to")
        }
        Some([recipe]) if recipe == "precompile" => Ok(Vec::new()),
        Some([recipe, of @ ..]) if recipe == "theme" && !of.is_empty() => {
            let words = [format!("{RECIPES}/theme")].into_iter().chain(of.iter().cloned());
            Ok(vec![words.collect()])
        }
        Some([recipe, ..]) if recipe == "theme" => usage("which theme? tangerine-ui or bird-ui"),
        Some(_) => usage("there is no such recipe; there are theme and precompile"),
    }
}

/// Whether the room sees what the commands name. Only the daemon of the package has rooms with walls.
fn is_seen(commands: &[Vec<String>], config: &Path) -> Result<(), CtlError> {
    let sight = (config == Path::new(CONFIG)).then(Sight::of_room).flatten();
    let missed = sight.and_then(|sight| commands.iter().find_map(|command| sight.missed(command)));
    missed.map_or(Ok(()), |missed| Err(CtlError::Hidden(missed.advice())))
}

/// What is typed as a fragment. JSON is YAML.
fn fragment(commands: &[Vec<String>], guard: &Guard) -> Value {
    let mut step = json!({ "guard": commands, "keep": guard.keep, "build": !guard.no_build });
    if let Some(memory) = guard.memory {
        step["memory"] = json!(memory);
    }
    json!({ "jobs": { JOB: { "description": "A guarded change by hand", "steps": [step] } } })
}

/// Asks at the terminal; where there is none, `--yes` must have been said.
fn is_meant(commands: &[Vec<String>], guard: &Guard) -> Result<bool, CtlError> {
    for command in commands {
        print::talk(&format!("runs     {}", print::tame(&shell_words::join(command))));
    }
    if !guard.no_build {
        print::talk("builds   the assets, where the command does not");
    }
    print::talk("keeps    config/themes.yml, app/javascript/styles, public/packs, public/assets");
    for path in &guard.keep {
        print::talk(&format!("         {}", print::tame(path)));
    }
    print::talk("then     restarts web and looks at the site; what is not well is put back as it was");
    if !io::stdin().is_terminal() {
        return Err(CtlError::Usage("there is no terminal to ask at; say --yes if it is meant".to_owned()));
    }
    print::talk("Go on? [y/N]");
    let mut answer = String::new();
    io::stdin()
        .read_line(&mut answer)
        .map_err(|source| CtlError::System { what: "cannot read the answer", source })?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use clap::Parser as _;

    fn typed(line: &str) -> Guard {
        match Cli::parse_from(["mastmaintctl", "guard"].into_iter().chain(line.split(' '))).command {
            Command::Guard(guard) => guard,
            other => panic!("{other:?}"),
        }
    }

    fn titles(line: &str) -> Vec<String> {
        let guard = typed(line);
        let text = fragment(&commands(&guard).unwrap(), &guard).to_string();
        let loaded =
            mastmaint_config::load_texts(&[("m.yaml", "instance: {}\njobs: {}\n"), ("conf.d/a.yaml", &text)]);
        let job = &loaded.unwrap().settings.jobs[JOB];
        assert!(job.change, "a hold binds it");
        let commands = job.steps.iter().skip(1).map(|step| step.action.title());
        commands.take_while(|title| !title.starts_with("see that")).collect()
    }

    #[test]
    fn what_is_typed_is_a_guard_of_the_configuration() {
        assert_eq!(titles("-- bin/x --flag"), ["bin/x --flag", "bin/rails assets:precompile"]);
        assert_eq!(titles("--no-build --keep config/x.yml --memory 1GB -- bin/x"), ["bin/x"]);
        assert_eq!(titles("--recipe precompile"), ["bin/rails assets:precompile"]);
        let theme = titles("--recipe theme tangerine-ui");
        assert_eq!(
            theme,
            ["/usr/share/mastmaintd/recipes/theme tangerine-ui", "bin/rails assets:precompile"]
        );
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for line in ["--yes", "--recipe theme", "--recipe other", "--recipe precompile --no-build"] {
            assert!(matches!(commands(&typed(line)), Err(CtlError::Usage(_))), "{line}");
        }
        assert!(Cli::try_parse_from(["mastmaintctl", "guard", "--recipe", "precompile", "--", "x"]).is_err());
    }
}

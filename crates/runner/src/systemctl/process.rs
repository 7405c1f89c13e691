//! What a unit gives to its process, as far as it tells where the service is found.

use super::query::Properties;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// What a unit gives to its process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitProcess {
    /// Its variables, those of readable files included.
    pub environment: BTreeMap<String, String>,
    /// Whether it is a unit that only stands for others.
    pub is_shim: bool,
}

impl UnitProcess {
    pub(super) fn of(shown: &Properties) -> Self {
        let mut environment = BTreeMap::new();
        // `VAR=1 "OTHER=a b"`, quoted as a shell would.
        for word in shell_words::split(shown.get("Environment")).unwrap_or_default() {
            environment.extend(pair(&word));
        }
        // A file wins over the unit itself. `/etc/x (ignore_errors=yes)`; one that is not for us says nothing.
        let files = shown.get("EnvironmentFiles");
        let path = files.split(" (ignore_errors=").next().unwrap_or_default();
        if let Ok(text) = fs::read_to_string(path) {
            environment.extend(mastmaint_instance::pairs(&text));
        }
        Self { environment, is_shim: shown.get("Type") == "oneshot" }
    }
}

/// The processes of a unit. A program that is started by another one (a wrapper, a manager of several) is in the control
/// group only; where that cannot be seen there is the main one.
pub(super) fn pids(shown: &Properties) -> BTreeSet<u32> {
    let group = shown.get("ControlGroup");
    let listed = match group {
        "" | "/" => String::new(),
        group => fs::read_to_string(format!("/sys/fs/cgroup{group}/cgroup.procs")).unwrap_or_default(),
    };
    let main = shown.get("MainPID").parse().ok();
    listed.lines().filter_map(|line| line.trim().parse().ok()).chain(main).filter(|pid| *pid > 0).collect()
}

fn pair(word: &str) -> Option<(String, String)> {
    word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{super::query::parse, *};

    #[test]
    fn variables_are_read_with_their_quotes_and_files_win() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("env");
        fs::write(&file, "PORT=3001\n").unwrap();
        let shown = parse(&format!(
            "Type=simple\nEnvironment=RAILS_ENV=production PORT=3000 \"A=b c\"\nEnvironmentFiles={} (ignore_errors=no)\n",
            file.display()
        ));
        let process = UnitProcess::of(&shown[0]);
        assert_eq!(process.environment["PORT"], "3001");
        assert_eq!(process.environment["A"], "b c");
        assert!(!process.is_shim);
    }

    #[test]
    fn a_unit_has_its_main_process_at_least() {
        let of = |text: &str| pids(&parse(text).pop().unwrap_or_default());
        assert_eq!(of("MainPID=77\nControlGroup=/no/such.service\n"), [77].into());
        assert!(of("MainPID=0\nControlGroup=\n").is_empty());
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        if let Some(group) =
            own.lines().find_map(|line| line.strip_prefix("0::")).filter(|group| *group != "/")
        {
            let found = of(&format!("MainPID=0\nControlGroup={group}\n"));
            let is_there = fs::exists(format!("/sys/fs/cgroup{group}/cgroup.procs")).unwrap_or(false);
            assert_eq!(found.contains(&std::process::id()), is_there, "{group}: {found:?}");
        }
    }
}

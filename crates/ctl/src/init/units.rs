//! What unit files say, read as systemd reads them as far as a first configuration cares: sections, continued lines,
//! repeated and emptied settings, drop-ins.

use super::host::FoundUnit;
use std::path::PathBuf;

/// A unit from the texts of its file and its drop-ins, in their order.
pub fn parse<'a>(name: &str, file: PathBuf, texts: impl IntoIterator<Item = &'a str>) -> FoundUnit {
    let mut unit = FoundUnit { name: name.to_owned(), file, ..FoundUnit::default() };
    for text in texts {
        for (key, value) in settings(text) {
            apply(&mut unit, &key, &value);
        }
    }
    unit
}

/// A unit from the answer of `systemctl show -p User -p WorkingDirectory -p Environment -p ExecStart …`.
pub fn parse_show(block: &str) -> Option<FoundUnit> {
    let mut unit = FoundUnit::default();
    for (key, value) in block.lines().filter_map(|line| line.split_once('=')) {
        match key {
            "Id" => value.clone_into(&mut unit.name),
            "FragmentPath" => unit.file = value.into(),
            // `{ path=/bin/x ; argv[]=/bin/x --y ; ignore_errors=no ; … }`
            "ExecStart" => {
                let argv = value.split_once("argv[]=").map_or(value, |(_, rest)| rest);
                argv.split(" ; ").next().unwrap_or_default().clone_into(&mut unit.exec);
            }
            _ => apply(&mut unit, key, value),
        }
    }
    (!unit.name.is_empty() && unit.file.is_absolute()).then_some(unit)
}

fn apply(unit: &mut FoundUnit, key: &str, value: &str) {
    match key {
        "User" => unit.user = Some(value.to_owned()).filter(|v| !v.is_empty()),
        "WorkingDirectory" => {
            let path = PathBuf::from(value.trim_start_matches(['-', '!']));
            unit.directory = path.is_absolute().then_some(path);
        }
        "Environment" if value.is_empty() => unit.environment.clear(),
        "Environment" => {
            let words = shell_words::split(value).unwrap_or_default();
            let pairs = words.iter().filter_map(|word| word.split_once('='));
            unit.environment.extend(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())));
        }
        "ExecStart" if value.is_empty() => unit.exec.clear(),
        "ExecStart" => {
            if !unit.exec.is_empty() {
                unit.exec.push('\n');
            }
            unit.exec.push_str(value);
        }
        _ => {}
    }
}

/// The settings of `[Service]`, continued lines joined.
fn settings(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut is_service = false;
    let mut whole = String::new();
    for line in text.lines().map(str::trim) {
        // Comments may stand between continued lines, too.
        if line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(begun) = line.strip_suffix('\\') {
            whole.push_str(begun.trim_end());
            whole.push(' ');
            continue;
        }
        whole.push_str(line);
        let line = std::mem::take(&mut whole);
        if line.starts_with('[') {
            is_service = line == "[Service]";
        } else if let Some((key, value)) = line.split_once('=').filter(|_| is_service) {
            found.push((key.trim().to_owned(), value.trim().to_owned()));
        }
    }
    found
}

/// The unit that a timer starts.
pub fn timer_target(timer: &str, text: &str) -> String {
    let named = text.lines().filter_map(|line| line.trim().strip_prefix("Unit=")).next_back();
    match named.map(str::trim).filter(|unit| !unit.is_empty()) {
        Some(unit) => unit.to_owned(),
        None => format!("{}.service", timer.trim_end_matches(".timer")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: &str = "[Unit]\nDescription=mastodon-web\nUser=nobody\n[Service]\nType=simple\nUser=mastodon\n\
        WorkingDirectory=/home/mastodon/live\nEnvironment=\"RAILS_ENV=production\"\nEnvironment=\"PORT=3000\" LD_PRELOAD=libjemalloc.so\n\
        ExecStart=/home/mastodon/.rbenv/shims/bundle exec \\\n  # why\n  puma -C config/puma.rb\n[Install]\nWantedBy=multi-user.target\n";

    #[test]
    fn a_unit_file_is_read_with_its_drop_ins() {
        let unit = parse(
            "mastodon-web.service",
            "/etc/systemd/system/mastodon-web.service".into(),
            [WEB, "[Service]\nUser=masto\nEnvironment=\nEnvironment=RAILS_ENV=production\n"],
        );
        assert_eq!(unit.user.as_deref(), Some("masto"));
        assert_eq!(unit.directory, Some("/home/mastodon/live".into()));
        assert_eq!(unit.environment, [("RAILS_ENV".to_owned(), "production".to_owned())]);
        assert_eq!(unit.exec, "/home/mastodon/.rbenv/shims/bundle exec puma -C config/puma.rb");
    }

    #[test]
    fn systemctl_show_says_the_same() {
        let shown = "Id=mastodon-streaming@4000.service\nFragmentPath=/etc/systemd/system/mastodon-streaming@.service\nUser=mastodon\n\
            WorkingDirectory=/home/mastodon/live\nEnvironment=NODE_ENV=production PORT=4000\n\
            ExecStart={ path=/usr/bin/node ; argv[]=/usr/bin/node ./streaming ; ignore_errors=no ; start_time=[n/a] }\n";
        let unit = parse_show(shown).unwrap();
        assert_eq!(unit.name, "mastodon-streaming@4000.service");
        assert_eq!(unit.exec, "/usr/bin/node ./streaming");
        assert_eq!(unit.environment.len(), 2);
        assert_eq!(parse_show("Id=gone.service\nFragmentPath=\n"), None);
    }

    #[test]
    fn a_timer_starts_its_namesake_unless_it_says_otherwise() {
        assert_eq!(timer_target("clean.timer", "[Timer]\nOnCalendar=daily\n"), "clean.service");
        assert_eq!(timer_target("clean.timer", "[Timer]\nUnit=media.service\n"), "media.service");
    }
}

//! The manual page and the command line name the same things.

#[test]
fn every_command_and_option_is_in_the_manual() {
    let page = include_str!("../../../packaging/man/mastmaintctl.1").replace("\\-", "-");
    let command = mastmaint_ctl::cli::command();
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        assert!(page.contains(sub.get_name()), "{}", sub.get_name());
        // From its heading to the next one.
        let part = page
            .split("\n.TP\n")
            .find(|part| {
                let heading = part.lines().next().unwrap_or_default();
                heading.split([' ', ',']).any(|word| word == sub.get_name())
            })
            .unwrap_or_else(|| panic!("{} has no entry", sub.get_name()));
        for option in sub.get_arguments().filter_map(clap::Arg::get_long).filter(|o| *o != "help") {
            let is_short = option == "number" && part.contains("-n");
            assert!(is_short || part.contains(&format!("--{option}")), "{} --{option}", sub.get_name());
        }
        for nested in sub.get_subcommands().filter(|nested| nested.get_name() != "help") {
            let name = format!("{} {}", sub.get_name(), nested.get_name());
            let part =
                page.split("\n.TP\n").find(|part| part.lines().next().unwrap_or_default().contains(&name));
            let part = part.unwrap_or_else(|| panic!("{name} has no entry"));
            for option in nested.get_arguments().filter_map(clap::Arg::get_long).filter(|o| *o != "help") {
                assert!(part.contains(&format!("--{option}")), "{name} --{option}");
            }
        }
    }
    for code in ["0", "1", "2", "3", "4", "78", "130"] {
        assert!(page.contains(&format!("\n.TP\n.B {code}\n")), "exit status {code}");
    }
}

#[test]
fn the_manual_for_admins_names_every_exit_status() {
    let manual = include_str!("../../../docs/manual.md");
    let part = manual.split("## Exit statuses").nth(1).unwrap();
    for code in ["0 fine", "· 1 ", "· 2 ", "· 3 ", "· 4 ", "· 78 ", "· 130 "] {
        assert!(part.contains(code), "{code}");
    }
}

#[test]
fn what_the_pages_show_as_an_example_loads() {
    let page = include_str!("../../../packaging/man/mastmaintd.yaml.5");
    let example = page.split(".SH EXAMPLE\n.nf\n").nth(1).unwrap().split(".fi").next().unwrap();
    let yaml = example.replace("\\(dq", "\"").replace("\\-", "-");
    let written = mastmaint_config::load_str("man", &yaml).unwrap().settings;
    let sample = mastmaint_config::load_str("sample", mastmaint_config::SAMPLE).unwrap().settings;
    let (shown, real) = (&written.jobs["clean-media"], &sample.jobs["clean-media"]);
    assert_eq!((&shown.window, shown.timeout, &shown.retry), (&real.window, real.timeout, &real.retry));
    assert!(page.contains("/usr/share/mastmaintd/mastmaintd.yaml"));
}

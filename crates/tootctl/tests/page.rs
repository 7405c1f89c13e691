//! `docs/verdicts.md` shows what is so: its table of commands is the grammar.

use mastmaint_tootctl::{Command, Schedule};
use std::fmt::Write as _;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/verdicts.md");
const MARKS: (&str, &str) = ("<!-- from the grammar -->\n", "<!-- end -->");

fn grammar() -> String {
    let mut text = String::from(
        "| command | from | says | dry run | deletes files | in a schedule |\n|---|---|---|---|---|---|\n",
    );
    for command in Command::all() {
        let shapes = command.statements.iter().map(|s| format!("`{}`", s.shapes[0])).collect::<Vec<_>>();
        let says = if shapes.is_empty() { "·".to_owned() } else { shapes.join(", ") };
        let schedule = match command.schedule {
            Schedule::May => "yes".to_owned(),
            Schedule::Never(_) => "never".to_owned(),
            Schedule::OnlyWith(options, _) => format!("only with --{}", options.join(" or --")),
        };
        let yes = |is| if is { "yes" } else { "·" };
        let late: Vec<_> = command.options.iter().filter(|o| o.since > command.since).collect();
        let late = late.iter().fold(String::new(), |mut late, option| {
            let _ = write!(late, "; --{} {}", option.name, option.since);
            late
        });
        let (dry, deletes) = (yes(command.has_dry_run()), yes(command.deletes_files));
        let _ = writeln!(
            text,
            "| `{}` | {}{late} | {says} | {dry} | {deletes} | {schedule} |",
            command.words, command.since
        );
    }
    text
}

#[test]
fn the_page_shows_the_grammar() {
    let written = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = written.split_once(MARKS.0).unwrap();
    let (_, after) = rest.split_once(MARKS.1).unwrap();
    let right = format!("{before}{}{}{}{after}", MARKS.0, grammar(), MARKS.1);
    if std::env::var_os("WRITE_DOCS").is_some() {
        std::fs::write(PAGE, &right).unwrap();
    }
    assert!(
        written == right,
        "docs/verdicts.md is not what the grammar says; run this test with WRITE_DOCS=1"
    );
}

//! `docs/verification.md` says which fault is held by which test: each of them is there and names the code, every code
//! is held, and there are as many as promised.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare has failed")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

const HERE: &str = env!("CARGO_MANIFEST_DIR");
/// What is said of a stage and no finding of a backup: held by `tests/suite/real/stage.rs` and `tests/system/scenarios/stage.rs`.
const OF_STAGES: [&str; 3] = ["DrillAtWork", "ChangeFailed", "NetworkShared"];
const FAULTS: usize = 40;
const CLEAN: usize = 20;

/// A row: what is planted, the code that is found (none in a clean variant), the test that holds it.
#[derive(Debug)]
struct Row {
    what: String,
    code: Option<String>,
    test: String,
}

fn rows() -> Vec<Row> {
    let document = fs::read_to_string(Path::new(HERE).join("../../docs/verification.md")).unwrap();
    let mut rows = Vec::new();
    for line in document.lines().filter(|l| l.starts_with("| ") && l.contains('`')) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let plain = |cell: &str| cell.trim_matches('`').to_owned();
        rows.push(match cells[..] {
            [what, code, test] => Row { what: what.to_owned(), code: Some(plain(code)), test: plain(test) },
            [what, test] => Row { what: what.to_owned(), code: None, test: plain(test) },
            _ => panic!("not a row: {line}"),
        });
    }
    rows
}

/// The file of `FILE::TEST` or `FILE::MODULE::TEST`, and the name of the test.
fn file_of(test: &str) -> (String, String) {
    let parts: Vec<&str> = test.split("::").collect();
    let is_folder = |file: &str| Path::new(HERE).join("tests").join(file).is_dir();
    let (path, name) = match parts[..] {
        [file, name] if is_folder(file) => (format!("tests/{file}/main.rs"), name),
        [file, name] => (format!("tests/{file}.rs"), name),
        [file, module, name] => (format!("tests/{file}/{module}.rs"), name),
        _ => panic!("not a test: {test}"),
    };
    (
        fs::read_to_string(Path::new(HERE).join(path)).unwrap_or_else(|e| panic!("{test}: {e}")),
        name.to_owned(),
    )
}

/// A test with the comments above it, and with what it has in common with others; `None` if there is no such test.
fn body(file: &str, name: &str) -> Option<String> {
    let at = file.find(&format!("\nfn {name}()"))?;
    let begin = file[..at].rfind("\n\n").unwrap_or_default();
    if !file[begin..at].contains("#[test]") {
        return None;
    }
    let until_end = |at: usize| file[at..].find("\n}\n").map_or(file.len(), |end| at + end);
    let mut body = file[begin..until_end(at)].to_owned();
    for (at, _) in file.match_indices("\nfn ") {
        let name = file[at + 4..].split(['(', '<']).next().unwrap_or_default();
        if !body.contains(&format!("\nfn {name}")) && body.contains(&format!("{name}(")) {
            body.push_str(&file[at..until_end(at)]);
        }
    }
    Some(body)
}

/// `NotADump` for `not-a-dump`.
fn variant(code: &str) -> String {
    let word = |w: &str| w[..1].to_uppercase() + &w[1..];
    code.split('-').map(word).collect()
}

/// Words as they stand in a test, also over the end of a line.
fn words(text: &str) -> String {
    text.split_whitespace().filter(|w| !matches!(*w, "//" | "///" | "\\")).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_row_is_held_by_a_test_that_names_it() {
    let rows = rows();
    let mut of_test: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &rows {
        *of_test.entry(&row.test).or_default() += 1;
    }
    for row in &rows {
        let (file, name) = file_of(&row.test);
        let body = body(&file, &name).unwrap_or_else(|| panic!("there is no test {}", row.test));
        // Of a test with one row its name says what it holds.
        let is_named = of_test[row.test.as_str()] == 1 || words(&body).contains(&row.what);
        assert!(is_named, "{} does not say {:?}", row.test, row.what);
        if let Some(code) = &row.code {
            let code = format!("Code::{}", variant(code));
            assert!(body.contains(&code), "{} does not look for {code}: {row:?}", row.test);
        }
    }
}

#[test]
fn as_many_as_promised_and_every_code_there_is() {
    let rows = rows();
    let (faults, clean): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(|row| row.code.is_some());
    let different = |rows: &[&Row]| rows.iter().map(|row| row.what.clone()).collect::<BTreeSet<_>>().len();
    assert!(different(&faults) >= FAULTS, "{} faults", different(&faults));
    assert!(different(&clean) >= CLEAN, "{} clean variants", different(&clean));
    let source = fs::read_to_string(Path::new(HERE).join("../words/src/backup/finding.rs")).unwrap();
    let (_, after) = source.split_once("pub enum Code {").unwrap();
    let (codes, _) = after.split_once("\n}").unwrap();
    let known: BTreeSet<String> = faults.iter().filter_map(|row| row.code.as_deref().map(variant)).collect();
    let codes =
        codes.lines().map(|l| l.trim().trim_end_matches(',')).filter(|l| l.starts_with(char::is_uppercase));
    let missing: Vec<&str> =
        codes.filter(|code| !known.contains(*code) && !OF_STAGES.contains(code)).collect();
    assert!(missing.is_empty(), "no fault is planted for {missing:?}");
}

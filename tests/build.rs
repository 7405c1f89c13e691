//! Puts every recording of `recordings/` into the crate, so that the stand-in is one file that can be copied into a
//! container and starts as fast as a program can: nothing is searched or parsed when it runs.

use serde::Deserialize;
use std::{collections::BTreeMap, error::Error, fmt::Write as _, fs, path::Path};

#[derive(Deserialize)]
struct Case {
    about: String,
    command: String,
    exit: Option<i32>,
    signal: Option<String>,
    seconds: f64,
    before: String,
    after: String,
    truth: String,
    told_by: String,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    unset: Vec<String>,
    #[serde(default)]
    user: Option<String>,
    #[serde(default)]
    directory: Option<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&std::env::var("CARGO_MANIFEST_DIR")?).join("recordings");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut code = String::from("&[\n");
    for version in sorted(&root)?.iter().filter(|p| p.is_dir()) {
        for case in sorted(version)? {
            add(&mut code, version, &case)?;
        }
    }
    code.push_str("]\n");
    fs::write(Path::new(&std::env::var("OUT_DIR")?).join("cases.rs"), code)?;
    Ok(())
}

fn sorted(dir: &Path) -> Result<Vec<std::path::PathBuf>, Box<dyn Error>> {
    let mut paths = fs::read_dir(dir)?.map(|e| Ok(e?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    paths.sort();
    Ok(paths)
}

fn add(code: &mut String, version: &Path, dir: &Path) -> Result<(), Box<dyn Error>> {
    let name = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let case: Case = serde_yaml::from_slice(&fs::read(dir.join("case.yaml"))?)
        .map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut words = case.command.split_whitespace();
    let program = words.next().map(Path::new).map(name).unwrap_or_default();
    let special = !case.environment.is_empty()
        || !case.unset.is_empty()
        || case.user.is_some()
        || case.directory.is_some()
        || name(dir) == "tty";
    writeln!(
        code,
        "Case {{ version: {:?}, name: {:?}, about: {:?}, program: {program:?}, argv: &{:?}, exit: {:?}, signal: {:?}, \
         seconds: {:?}, unset: &{:?}, special: {special}, before: {}, after: {}, truth: {:?}, told_by: {:?}, \
         stdout: include_bytes!({:?}), stderr: include_bytes!({:?}) }},",
        name(version),
        name(dir),
        case.about,
        words.collect::<Vec<_>>(),
        case.exit,
        case.signal,
        case.seconds,
        case.unset,
        held(&case.before),
        held(&case.after),
        case.truth,
        case.told_by,
        dir.join("stdout").to_string_lossy(),
        dir.join("stderr").to_string_lossy(),
    )?;
    Ok(())
}

/// `15 cached media, 15 card images, 64 statuses, 17 accounts; 69 files, 9731880 bytes under public/system`
fn held(text: &str) -> String {
    let Some((rows, disk)) = text.split_once("; ") else { return "None".to_owned() };
    let number = |part: &str| part.split_whitespace().next().and_then(|n| n.parse::<u64>().ok());
    let disk: Vec<_> = disk.split(", ").filter_map(number).collect();
    let &[files, bytes] = &disk[..] else { return "None".to_owned() };
    let rows: Vec<_> = rows.split(", ").filter_map(number).collect();
    let rows = match rows[..] {
        [media, cards, statuses, accounts] => format!(
            "Some(Rows {{ media: {media}, cards: {cards}, statuses: {statuses}, accounts: {accounts} }})"
        ),
        _ => "None".to_owned(),
    };
    format!("Some(Held {{ rows: {rows}, files: {files}, bytes: {} }})", grouped(bytes))
}

/// `9731880` as source code has it: `9_731_880`.
fn grouped(number: u64) -> String {
    if number < 1000 {
        return number.to_string();
    }
    format!("{}_{:03}", grouped(number / 1000), number % 1000)
}

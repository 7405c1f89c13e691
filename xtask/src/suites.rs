//! Runs the tests: those of the workspace, then those in containers.

use crate::{
    apt, bench, package,
    shell::{Result, TaskError, at, cargo, command, output, run, say, target},
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Instant,
};

/// Set for tests that take long.
const LONG: &str = "MASTMAINT_LONG_TESTS";
/// Each of the six targets: an hour in all. The gate's sample of it are the property tests.
const FUZZ_SECONDS: &str = "600";

/// What hardly depends on the release of Debian and takes its time: the gate shows it on one, `--long` on both.
const ONCE: [&str; 23] = [
    "trixie::backups",
    "trixie::boot",
    "trixie::brackets",
    "trixie::database",
    "trixie::drill",
    "trixie::guard",
    "trixie::kills",
    "trixie::notify",
    "trixie::outlive",
    "trixie::probes",
    "trixie::proofs",
    "trixie::pull",
    "trixie::reload",
    "trixie::remote",
    "trixie::replay",
    "trixie::requires",
    "trixie::restore",
    "trixie::rooms::a_",
    "trixie::rooms::rooms",
    "trixie::rooms::tootctl",
    "trixie::schedule",
    "trixie::services",
    "trixie::stage",
];

/// All tests.
pub(crate) fn test(long: bool, containers: bool) -> Result<()> {
    let begin = Instant::now();
    apt::install(apt::DATABASE)?;
    if containers {
        apt::install(apt::BACKUPS)?;
        apt::install(apt::CONTAINERS)?;
    }
    let build = ["test", "--workspace", "--locked"];
    run(cargo(build.into_iter().chain(["--no-run"])))?;
    // What the container tests need and no test builds is made while the tests wait, in directories of its own.
    let prepared = containers.then(|| thread::spawn(prepare));
    let mut tests = cargo(build);
    // Most of them wait for processes rather than for the processor.
    tests.env("RUST_TEST_THREADS", "6");
    if long {
        tests.env(LONG, "1");
    }
    run(tests)?;
    if let Some(prepared) = prepared {
        // What went wrong with it is said when it is needed.
        let _ = prepared.join();
        system(None, long)?;
    }
    if long {
        run(command("bash", ["fuzz/run.sh", FUZZ_SECONDS]))?;
        bench::run(&[])?;
    }
    say(&format!("all tests passed in {} s", begin.elapsed().as_secs()));
    Ok(())
}

/// cargo-deb, and the images of the containers.
fn prepare() -> Result<()> {
    package::cargo_deb()?;
    let mut images =
        apt::as_root(&test_program()?.display().to_string(), &["--ignored", "--exact", "images"])?;
    in_machines(&mut images);
    run(images)
}

fn in_machines(tests: &mut Command) {
    tests.env("MASTMAINT_SYSTEM_DIR", target().join("machines"));
}

/// The container tests.
pub(crate) fn system(filter: Option<&str>, long: bool) -> Result<()> {
    apt::install(apt::CONTAINERS)?;
    let deb = package::package(package::TESTED)?;
    let next = package::pack(package::TESTED, Some("99.0.0-1"))?;
    let deadly = deadly()?;
    let mut args = vec!["--ignored", "--test-threads=6", "--skip", "figures::", "--skip", "images"];
    if filter.is_none() && !long {
        args.extend(ONCE.into_iter().flat_map(|name| ["--skip", name]));
    }
    if let Some(filter) = filter {
        // Whoever asks for one of them wants its figures, too.
        args.extend([filter, "--show-output"]);
    }
    let mut tests = in_containers(&deb, &args)?;
    tests.env("MASTMAINT_DEB_NEXT", &next).env("MASTMAINT_DEADLY", &deadly);
    if long {
        tests.env(LONG, "1");
    }
    run(tests)
}

/// The post-mortem, played again on Debian 12, with how long each part of it took.
pub(crate) fn replay() -> Result<()> {
    apt::install(apt::CONTAINERS)?;
    let deb = package::package(package::TESTED)?;
    run(in_containers(&deb, &["--ignored", "--exact", "--nocapture", "bookworm::replay::the_post_mortem"])?)
}

/// The programs with failpoints, beside those of the package and never in it: the kill matrix puts them in place.
fn deadly() -> Result<PathBuf> {
    let mut build = package::build(package::TESTED);
    for program in package::WITH_FAILPOINTS {
        build.args(["--features", &format!("{program}/failpoints")]);
    }
    run(build)?;
    let folder = target().join("deadly");
    fs::create_dir_all(&folder).map_err(at(&folder))?;
    for program in package::WITH_FAILPOINTS {
        let from = package::built(package::TESTED).join(program);
        fs::copy(&from, folder.join(program)).map_err(at(&from))?;
    }
    Ok(folder)
}

/// Measures in a container what `bench rooms` reads below `out`; `child` is the program that the jobs run.
pub(crate) fn figures(child: &Path, out: &Path) -> Result<()> {
    let mut figures = measured("figures::rooms", out)?;
    figures.env("MASTMAINT_BENCH_CHILD", child);
    run(figures)
}

/// Measures in a container what `bench bracket` reads below `out`.
pub(crate) fn figures_of_bracket(out: &Path) -> Result<()> {
    run(measured("figures::bracket", out)?)
}

/// Measures in a container what `bench probes` reads below `out`.
pub(crate) fn figures_of_probes(out: &Path) -> Result<()> {
    run(measured("figures::probes", out)?)
}

fn measured(name: &str, out: &Path) -> Result<Command> {
    apt::install(apt::CONTAINERS)?;
    let deb = package::package("release")?;
    let mut figures = in_containers(&deb, &["--ignored", "--exact", name])?;
    figures.env("MASTMAINT_FIGURES", out);
    Ok(figures)
}

/// The program of the container tests with this package, as root, with the stand-ins built.
fn in_containers(deb: &Path, args: &[&str]) -> Result<Command> {
    // As the whole workspace, so that dependencies have the features that they were built with for the other tests.
    run(cargo(["build", "--locked", "--workspace", "--bins"]))?;
    let mut tests = apt::as_root(&test_program()?.display().to_string(), args)?;
    tests
        .env("MASTMAINT_DEB", deb)
        .env("MASTMAINT_STANDIN", target().join("debug/standin-tootctl"))
        .env("MASTMAINT_STANDIN_SERVICE", target().join("debug/standin-service"));
    in_machines(&mut tests);
    Ok(tests)
}

/// Builds the test program and asks cargo where it is: it is run as root, cargo is not.
fn test_program() -> Result<PathBuf> {
    let build = ["test", "--locked", "--no-run", "--workspace", "--test", "system"];
    let messages = output(cargo(build.into_iter().chain(["--message-format", "json"])))?;
    String::from_utf8_lossy(&messages)
        .lines()
        .filter(|line| line.contains(r#""name":"system""#))
        .find_map(|line| line.split_once(r#""executable":""#)?.1.split_once('"'))
        .map(|(path, _)| PathBuf::from(path))
        .ok_or_else(|| TaskError::Hopeless("cargo named no test program `system`".to_owned()))
}

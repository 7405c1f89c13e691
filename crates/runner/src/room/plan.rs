//! From what a request names to what is done: the step is looked up in the accepted configuration, and everything
//! about its process is decided before anything runs.

use super::{
    Options, database, flush, guarded, probed, restore,
    services::{End, OfJob},
    verify,
};
use crate::exec::{Ended, Limits, StepCommand};
use crate::output::Patterns;
use crate::proof::{Again, Around, Prover};
use crate::protocol::{EndingCause, Op};
use crate::redact::Redactor;
use crate::verdict::{Judge, Terms};
use crate::{environment, systemctl};
use mastmaint_config::Store;
use mastmaint_config::accepted::RoomView;
use mastmaint_config::effect;
use mastmaint_config::settings::{Action, Environment, Instance, ServicesAction, Step, USUAL_SETTLE};
use mastmaint_instance::{Storage, Variables, assets};
use mastmaint_tootctl::{Call, Series, Version};
use mastmaint_words::{Digest, Grade, JobName, Outcome, Reason, Span, StepKey, Verdict, backup};
use nix::unistd::{AccessFlags, User, access, geteuid};
use std::fs;
use std::path::{Path, PathBuf};

/// Programs of the admin are looked for here, unless their step says otherwise.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What programs that restore say by their exit status.
pub(super) const DONE: i32 = 0;
/// They refused, or failed.
pub(super) const NOT_DONE: i32 = 1;
/// There was nothing to do.
pub(super) const NOTHING_TO_DO: i32 = 3;

/// Decides on the outcome from what is known after the end.
pub(super) type Decide = Box<dyn Fn(&Ended) -> Verdict>;

/// What is done for a step.
pub(super) enum Work {
    /// This process is run.
    Run(Box<Process>),
    /// Services are stopped or started.
    Services(Box<End>),
    /// A change is begun, looked at, or ended.
    Guard(Box<guarded::Part>),
    /// Redis is looked into, or emptied.
    Flush(Box<flush::Flush>),
    /// Nothing runs; this is the outcome.
    Settled(Verdict),
}

impl Work {
    /// Whether it is owed in any case: without a durable record of the step, and again if a runner died of it.
    pub(super) fn is_owed(&self) -> bool {
        match self {
            Self::Services(end) => end.is_owed(),
            Self::Guard(part) => part.is_owed(),
            Self::Run(process) => process.is_owed,
            Self::Flush(_) | Self::Settled(_) => false,
        }
    }
}

/// A process with all that is decided about it.
pub(super) struct Process {
    pub(super) command: StepCommand,
    pub(super) limits: Limits,
    pub(super) redactor: Redactor,
    pub(super) judge: Decide,
    /// What is looked at before and after.
    pub(super) around: Around,
    /// The report that it leaves behind.
    pub(super) leaves: Option<Leaves>,
    /// What it has begun must be ended: another runner goes on with it if the one before died.
    pub(super) is_owed: bool,
    /// Nothing comes after it that could take back what it leaves half done: if somebody kills it, it is done once more.
    pub(super) is_last: bool,
    /// What removes what it leaves if it is killed half done.
    pub(super) tidies: Option<StepCommand>,
}

/// Reads what a process has left behind.
pub(super) type Leaves = Box<dyn Fn() -> Option<backup::Report> + Send>;

/// Why a step is not begun at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Refusal {
    pub(super) code: &'static str,
    pub(super) message: String,
}

/// What a start request names.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) digest: Digest,
    pub(super) job: JobName,
    pub(super) key: StepKey,
    pub(super) dry_run: bool,
    pub(super) limit: Option<Span>,
}

impl Named {
    pub(super) fn of(op: &Op) -> Option<Self> {
        let Op::Start { digest, job, key, dry_run, limit } = op.clone() else { return None };
        // A look changes nothing, whatever else is asked.
        let dry_run = dry_run || key.step.is_look();
        Some(Self { digest, job, key, dry_run, limit })
    }
}

/// Decides what is done for the step that is named.
pub(super) fn plan(options: &Options, named: &Named) -> Result<Work, Refusal> {
    let store = Store::new(options.accepted.clone());
    let view = store.room_view(options.room, &named.digest).map_err(|error| Refusal {
        code: "not-in-config",
        message: format!(
            "the {} room cannot read the accepted configuration {}: {error}",
            options.room, named.digest
        ),
    })?;
    let step = view.step(&named.job, named.key.step.step()).filter(|step| step.action.room() == options.room);
    let step = step.ok_or_else(|| Refusal {
        code: "not-in-config",
        message: format!(
            "the configuration {} has no step {} of job {} for the {} room; reload mastmaintd if the configuration was changed",
            named.digest, named.key.step, named.job, options.room
        ),
    })?;
    match &step.action {
        Action::Tootctl(args) => Ok(tootctl(options, &view, step, args, named)),
        Action::Run(argv) => Ok(program(view.instance.as_ref(), step, argv, named)),
        Action::Verify(action) => Ok(verify::plan(options, &view, step, action, named)),
        Action::Probe(probe) => Ok(probed::plan(options, step, probe, named)),
        Action::Restore(action) => Ok(restore::plan(options, &view, step, action, named)),
        Action::Database(action) => Ok(database::plan(options, &view, step, action, named)),
        Action::RedisFlush => Ok(flush::plan(options, &view, step, named)),
        Action::Guard(action) => Ok(guarded::plan(options, &view, step, action, named)),
        Action::Systemctl(action) => {
            let services = view.instance.as_ref().map_or(&[][..], |instance| &instance.services);
            let systemctl = systemctl::Systemctl::new(options.walled);
            systemctl
                .permit(action, services)
                .map_err(|error| Refusal { code: "unit-not-named", message: error.to_string() })?;
            if named.dry_run && !systemctl::only_looks(action.verb) {
                return Ok(no_dry_run(&format!("systemctl {}", action.verb.as_str())));
            }
            let command = systemctl.command(action);
            let settle = view.instance.as_ref().map_or(USUAL_SETTLE, |instance| instance.settle);
            let stay_up = systemctl::StayUp::after(action, &systemctl, settle);
            let action = action.clone();
            let judge: Decide = Box::new(move |ended| systemctl.judge(&action, ended));
            let mut work = run(command, step, named, Redactor::from_secrets([]), judge);
            if let Work::Run(process) = &mut work {
                process.around.stay_up = stay_up;
            }
            Ok(work)
        }
        Action::Services(action) => Ok(match &view.instance {
            Some(_) if named.dry_run => no_dry_run(&step.action.title()),
            Some(instance) => {
                let of = of_job(&view, &named.job);
                Work::Services(Box::new(End::new(options, named, step, action, instance, of)))
            }
            None => failed(
                "no-instance",
                "the configuration names no instance; add `instance:` with its services",
            ),
        }),
    }
}

/// What the ends of a bracket need to know of their job.
fn of_job(view: &RoomView, job: &JobName) -> OfJob {
    let any = |wanted: fn(&Action) -> bool| {
        view.steps.get(job).is_some_and(|steps| steps.values().any(|step| wanted(&step.action)))
    };
    OfJob {
        must_match: any(|action| matches!(action, Action::Services(ServicesAction::KeepDown))),
        restores: any(|action| matches!(action, Action::Services(ServicesAction::Stop { mends: true, .. }))),
    }
}

/// What needs the instance, where there is none.
pub(super) fn no_instance() -> Work {
    failed("no-instance", "the configuration names no instance; add `instance:` with its `live` directory")
}

/// A program that is installed beside the runner.
pub(super) fn beside_me(program: &str) -> PathBuf {
    std::env::current_exe().unwrap_or_default().with_file_name(program)
}

fn tootctl(options: &Options, view: &RoomView, step: &Step, args: &[String], named: &Named) -> Work {
    let Some(instance) = &view.instance else {
        return no_instance();
    };
    if let Some(verdict) = wrong_user(options, instance) {
        return Work::Settled(verdict);
    }
    let version = installed_version(instance);
    if let Some(misuse) = Call::read(args, version).misuses().first() {
        return failed(misuse.wrong.code(), &misuse.wrong.to_string());
    }
    let args = if named.dry_run {
        match Call::dry_run_of(args) {
            Some(args) => args,
            None => return no_dry_run(&step.action.title()),
        }
    } else {
        args.to_vec()
    };
    let program = match find_tootctl(instance) {
        Ok(program) => program,
        Err(verdict) => return Work::Settled(verdict),
    };
    let environment = environment::for_tootctl(instance, &step.environment, &home());
    let redactor = Redactor::for_instance(&instance.live, &environment);
    let command = StepCommand {
        program,
        args: args.clone(),
        environment,
        directory: instance.live.clone(),
        patterns: patterns(step),
    };
    let around = around(instance, step, &command, named, version);
    let judge = Judge::tootctl(&args).with(terms(step, version));
    let mut work = run(command, step, named, redactor, Box::new(move |ended| judge.judge(ended)));
    if let Work::Run(process) = &mut work {
        process.around = around;
    }
    work
}

/// What is looked at before the command and after it.
fn around(
    instance: &Instance,
    step: &Step,
    command: &StepCommand,
    named: &Named,
    version: Option<Series>,
) -> Around {
    let prover = Prover::beside_me(instance.live.clone(), command.environment.clone()).ok();
    let mut around =
        Around { media: local_media(instance, &command.environment), prover, ..Around::default() };
    let args = &command.args;
    around.looks_only = named.key.step.is_look();
    // By what is written: a look is made into a dry run, and still says what will be removed.
    let trusts_the_database =
        matches!(&step.action, Action::Tootctl(written) if effect::trusts_the_database(written));
    around.one_state = trusts_the_database && (around.looks_only || !named.dry_run);
    if named.dry_run {
        return around;
    }
    around.sample = step.prove.sample;
    around.again = step.prove.again.zip(Call::dry_run_of(args)).map(|(again, dry)| Again {
        command: StepCommand { args: dry, ..command.clone() },
        tolerance: u64::from(again.tolerance),
        version,
        deletes_files: effect::deletes_files(args),
        counts_visits: effect::counts_visits(args),
    });
    around
}

/// Where media are, if they are on a file system and that can be told.
fn local_media(instance: &Instance, environment: &Environment) -> Option<PathBuf> {
    let variables = Variables::read(&instance.live, environment).ok()?;
    match Storage::of(&variables, &instance.live) {
        Storage::Local(path) => Some(path),
        Storage::S3(_) | Storage::Other(_) => None,
    }
}

/// What the step says of how it is judged.
pub(super) fn terms(step: &Step, version: Option<Series>) -> Terms {
    Terms { version, tolerated_errors: u64::from(step.judged.tolerated_errors), ..Terms::default() }
}

pub(super) fn patterns(step: &Step) -> Patterns {
    Patterns { expect: step.judged.expect.clone(), fail_on: step.judged.fail_on.clone() }
}

/// The series of the installed Mastodon, without starting Ruby; `None` if its file says none in the usual way.
pub(super) fn installed_version(instance: &Instance) -> Option<Series> {
    Version::installed(&instance.live).map(|version| version.series())
}

/// Rails leaves files that belong to whoever runs it, and PostgreSQL asks the kernel who that is.
pub(super) fn wrong_user(options: &Options, instance: &Instance) -> Option<Verdict> {
    let uid = geteuid();
    let name = User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name);
    if name == instance.user {
        return None;
    }
    let remedy = if options.walled {
        "type \"mastmaintctl rooms --apply\"".to_owned()
    } else {
        format!("start mastmaintd as {}, or correct instance.user", instance.user)
    };
    let text = format!("it would run as {name} but the instance belongs to {}; {remedy}", instance.user);
    let reason = Reason::new("wrong-user", text);
    Some(Verdict::because(Outcome::Failed, Grade::Exit, reason))
}

fn program(instance: Option<&Instance>, step: &Step, argv: &[String], named: &Named) -> Work {
    let Some((name, arguments)) = argv.split_first() else {
        return failed("no-program", "the step names no program; write `run: PROGRAM ARGUMENTS`");
    };
    if named.dry_run {
        return no_dry_run(&format!("run {name}"));
    }
    let home = home();
    let environment = environment::for_program(&step.environment, &home, PATH);
    let redactor = Redactor::for_program(&step.environment, argv);
    let directory = if home.is_dir() { home } else { PathBuf::from("/") };
    let command = StepCommand {
        program: name.into(),
        args: arguments.to_vec(),
        environment,
        directory,
        patterns: patterns(step),
    };
    let judge = Judge::of_line(argv).with(terms(step, None));
    let built = if effect::builds_assets(argv) { root_of_build(argv, instance) } else { None };
    let around = built.map_or_else(Around::default, |live| Around {
        assets: true,
        prover: Prover::beside_me(live, command.environment.clone()).ok(),
        ..Around::default()
    });
    let mut work = run(command, step, named, redactor, Box::new(move |ended| judge.judge(ended)));
    if let Work::Run(process) = &mut work {
        process.around = around;
    }
    work
}

/// The Rails root whose assets a command line builds: that of the `bin/rails` that it names, else the instance's.
fn root_of_build(argv: &[String], instance: Option<&Instance>) -> Option<PathBuf> {
    let roots = argv.iter().map(Path::new).filter(|word| word.is_absolute()).filter_map(|word| {
        let called = word.file_name().is_some_and(|name| name == "rails" || name == "rake");
        word.parent().and_then(Path::parent).filter(|_| called)
    });
    let named = roots.into_iter().find(|root| root.join(assets::THEMES).exists());
    named.map(Path::to_owned).or_else(|| instance.map(|instance| instance.live.clone()))
}

pub(super) fn run(
    command: StepCommand,
    step: &Step,
    named: &Named,
    redactor: Redactor,
    judge: Decide,
) -> Work {
    let limits = limits(step, named.limit);
    let around = Around::default();
    Work::Run(Box::new(Process {
        command,
        limits,
        redactor,
        judge,
        around,
        leaves: None,
        is_owed: false,
        is_last: false,
        tidies: None,
    }))
}

/// What is left of the job's timeout lowers the step's, never raises it.
fn limits(step: &Step, limit: Option<Span>) -> Limits {
    let (timeout, timeout_cause) = match limit {
        Some(limit) if limit < step.timeout => (limit, EndingCause::JobTimeout),
        _ => (step.timeout, EndingCause::StepTimeout),
    };
    let quiet = step.quiet_limit.map(Span::get);
    Limits { timeout: timeout.get(), timeout_cause, grace: step.grace.get(), quiet }
}

/// The instance's tootctl, or why there is none that can be run.
fn find_tootctl(instance: &Instance) -> Result<PathBuf, Verdict> {
    let live = &instance.live;
    let verdict =
        |code: &str, text: String| Verdict::because(Outcome::Failed, Grade::Exit, Reason::new(code, text));
    match fs::metadata(live) {
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => {
            return Err(verdict(
                "live-missing",
                format!("{} is not a directory; correct instance.live", live.display()),
            ));
        }
        Err(error) => {
            let text = format!(
                "{} cannot be entered: {error}; correct instance.live, or let the room see it",
                live.display()
            );
            return Err(verdict("live-missing", text));
        }
    }
    let program = live.join("bin/tootctl");
    if !program.exists() {
        let (code, advice) = if live.join("lib/mastodon").is_dir() {
            ("tootctl-missing", "Mastodon is there, its bin/tootctl is not; restore it from its release")
        } else {
            ("not-a-mastodon", "this is no Mastodon; correct instance.live")
        };
        return Err(verdict(code, format!("{} does not exist: {advice}", program.display())));
    }
    if access(&program, AccessFlags::X_OK).is_err() {
        let text = format!("{} may not be executed; try chmod +x {0}", program.display());
        return Err(verdict("not-executable", text));
    }
    Ok(program)
}

pub(super) fn home() -> PathBuf {
    User::from_uid(geteuid()).ok().flatten().map_or_else(|| Path::new("/").to_owned(), |user| user.dir)
}

pub(super) fn failed(code: &str, text: &str) -> Work {
    Work::Settled(Verdict::because(Outcome::Failed, Grade::Exit, Reason::new(code, text)))
}

pub(super) fn no_dry_run(what: &str) -> Work {
    let text = format!("{what} cannot be tried without doing it; a dry run leaves it out");
    Work::Settled(Verdict::because(Outcome::Skipped, Grade::Exit, Reason::new("no-dry-run", text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_config::settings::{Judged, OnPartial};

    fn step() -> Step {
        Step {
            action: Action::Run(vec!["true".into()]),
            timeout: Span::from_secs(100),
            grace: Span::from_secs(5),
            quiet_limit: None,
            on_partial: OnPartial::GoOn,
            go_on: false,
            prove: mastmaint_config::settings::Prove::default(),
            at_most: None,
            dangerous: false,
            judged: Judged::default(),
            environment: Environment::default(),
        }
    }

    #[test]
    fn a_limit_lowers_a_timeout_and_never_raises_it() {
        let lowered = limits(&step(), Some(Span::from_secs(10)));
        assert_eq!((lowered.timeout.as_secs(), lowered.timeout_cause), (10, EndingCause::JobTimeout));
        for limit in [None, Some(Span::from_secs(1000))] {
            let own = limits(&step(), limit);
            assert_eq!((own.timeout.as_secs(), own.timeout_cause), (100, EndingCause::StepTimeout));
        }
    }

    #[test]
    fn a_missing_tootctl_is_told_apart_from_a_wrong_directory() {
        let live = tempfile::tempdir().unwrap();
        let instance = |path: &Path| Instance {
            live: path.to_owned(),
            user: "mastodon".into(),
            services: vec![],
            settle: USUAL_SETTLE,
            environment: Environment::default(),
            url: None,
        };
        let code = |path: &Path| find_tootctl(&instance(path)).unwrap_err().reasons[0].code.clone();
        assert_eq!(code(&live.path().join("nowhere")), "live-missing");
        assert_eq!(code(live.path()), "not-a-mastodon");
        fs::create_dir_all(live.path().join("lib/mastodon")).unwrap();
        assert_eq!(code(live.path()), "tootctl-missing");
        fs::create_dir(live.path().join("bin")).unwrap();
        fs::write(live.path().join("bin/tootctl"), "").unwrap();
        assert_eq!(code(live.path()), "not-executable");
    }
}

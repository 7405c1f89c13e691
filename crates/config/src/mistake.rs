//! Every mistake and every oddity that a configuration can have, as data: its code is stable, its text says what is
//! wrong and what would be right. Texts never quote values of environments.

use crate::calendar::ScheduleError;
use mastmaint_tootctl::Wrong;
use thiserror::Error;

macro_rules! mistakes {
    ($($(#[$doc:meta])* $name:ident $({ $($field:ident : $ty:ty),* })? = $code:literal, $text:literal;)*) => {
        /// What is wrong (or odd) with a configuration.
        #[derive(Debug, Clone, PartialEq, Eq, Error)]
        #[expect(missing_docs, reason = "each field is a word of the sentence that the variant's text spells out")]
        pub enum Mistake {
            $($(#[$doc])* #[error($text)] $name $({ $($field: $ty),* })?,)*
        }

        impl Mistake {
            fn own_code(&self) -> &'static str {
                match self { $(Self::$name { .. } => $code,)* }
            }
        }
    };
}

mistakes! {
    /// A file or directory that cannot be read.
    CannotRead { why: String } = "cannot-read", "cannot be read ({why}); check that it exists and who may read it";
    /// Not a regular file.
    NotAFile = "not-a-file", "is not a regular file; put the configuration itself here";
    /// Somebody else owns it.
    WrongOwner { owner: u32, wanted: String } = "wrong-owner", "is owned by user id {owner}, who could change it; make {wanted} its owner (chown)";
    /// Group or everybody may change it.
    Writable { mode: String, fix: String } = "writable-by-others", "is writable by others than its owner (mode {mode}); run chmod {fix} on it";
    /// A size above the cap.
    TooLarge { size: u64, max: u64 } = "too-large", "has {size} bytes, more than the {max} that are read; move jobs to files in conf.d/ or drop comments";
    /// All fragments together.
    TooManyFiles { max: usize } = "too-many-files", "is one file too many: at most {max} files with 256 KiB in all are read; join some of them";
    /// Not text.
    NotUtf8 = "not-utf8", "is not UTF-8 text; save it as UTF-8";
    /// Any other YAML error.
    Syntax { what: String } = "syntax", "is not YAML: {what}; check indentation, colons and quotes here and on the line above";
    /// A star at the begin of a value.
    Alias = "alias", "a value that begins with * is an alias to YAML; quote it: \"*/5 * * * *\"";
    /// `@`, `%` or a backtick at the begin of a value.
    Reserved { c: char } = "reserved-character", "a value cannot begin with {c} in YAML; quote the whole value";
    /// An ampersand at the begin of a value.
    Anchor = "anchor", "anchors (&name) are not used here; write the value out, or quote it if the & belongs to it";
    /// An exclamation mark at the begin of a value.
    Tag = "tag", "tags (!name) are not used here; quote the value if the ! belongs to it";
    /// `---` in the middle.
    SecondDocument = "second-document", "a second YAML document begins here; put it into a file of its own in conf.d/";
    /// Nesting.
    TooDeep = "too-deep", "is nested deeper than 16 levels; no key of mastmaintd needs that";
    /// Size of the tree.
    TooManyNodes = "too-many-values", "has more than 20000 values; remove what is not needed";
    /// A key nobody knows.
    UnknownKey { key: String, help: String } = "unknown-key", "unknown key {key:?}; {help}";
    /// A key that is not text.
    KeyNotText { found: &'static str } = "key-not-text", "a key must be text, this is {found}; quote it";
    /// The same key twice.
    DuplicateKey { key: String, first: String } = "duplicate-key", "key {key:?} is already set at {first}; remove one of the two";
    /// The same job twice.
    DuplicateJob { key: String, first: String } = "duplicate-job", "job {key:?} is already defined at {first}; rename or remove one of the two";
    /// Another type than needed.
    WrongType { wanted: &'static str, found: &'static str } = "wrong-type", "must be {wanted}, this is {found}";
    /// A number where a duration is needed.
    NoUnit { number: String } = "no-unit", "must be a duration, {number} has no unit; write it like \"{number}s\", \"{number}m\" or \"{number}h\"";
    /// A number or boolean in an environment.
    VariableNotText { found: &'static str } = "variable-not-text", "the value of a variable must be text, this is {found}; put it in quotes";
    /// Nothing behind a key.
    Empty { wanted: &'static str } = "empty-value", "has no value; it takes {wanted}";
    /// A text that is not a duration.
    BadDuration { why: String } = "bad-duration", "{why}";
    /// A text that is not a size or a share.
    BadSize { why: String } = "bad-size", "{why}";
    /// An effect that cannot be looked at in this way.
    NoProof { what: &'static str, help: &'static str } = "no-proof", "{what} is not to be had for this step: {help}";
    /// Zero.
    Zero { what: &'static str } = "zero", "{what} of 0 would end everything at once; write how long it may take, like \"2h\"";
    /// Out of bounds.
    OutOfRange { what: &'static str, given: String, range: &'static str } = "out-of-range", "{what} {given} is out of range; {range}";
    /// A name that cannot be.
    BadName { why: String } = "bad-name", "{why}";
    /// One of a set of words, but none of them.
    UnknownWord { what: &'static str, given: String, help: String } = "unknown-word", "unknown {what} {given:?}; {help}";
    /// Cron.
    BadSchedule { error: ScheduleError } = "bad-schedule", "{error}";
    /// A zone nobody knows.
    UnknownZone { zone: String, help: String } = "unknown-zone", "unknown time zone {zone:?}; {help}";
    /// A key that must be there.
    MissingKey { key: &'static str, help: &'static str } = "missing-key", "{key:?} is missing; {help}";
    /// A job without steps.
    EmptySteps = "empty-steps", "a job without steps does nothing; write at least one, like `- tootctl: media remove --days 14`";
    /// A step without an action.
    NoAction = "no-action", "a step needs an action; write one of tootctl, systemctl, run, verify, probe, restore, restore-database, redis-flush, guard";
    /// A step with several.
    TwoActions { first: &'static str, second: &'static str } = "two-actions", "a step has one action, this one has {first} and {second}; make two steps of it";
    /// A step that needs an instance.
    NoInstance { action: &'static str } = "no-instance", "a {action} step needs an instance; add `instance:` with live, user and services, or use `run`";
    /// A list of words where commands are.
    NotACommand { given: String } = "not-a-command", "{given:?} is no command; a list of guard holds commands: write each as one text, or as a list of its words in a list of its own";
    /// Web cannot be restarted.
    GuardNeedsWeb = "guard-needs-web", "a guard restarts web, which reads what was built when it starts, and no unit of instance.services has web in its name; add it there, or write restart: [unit]";
    /// Two guards.
    TwoGuards = "two-guards", "a job has one guard, which is put back as a whole; write the commands of both into one, or make two jobs";
    /// A guard while services are stopped.
    GuardInBracket = "guard-in-bracket", "a guard keeps Mastodon running and restarts web only; remove with_services_stopped, or take the guard into a job of its own";
    /// What a guard cannot keep.
    BadKeep { given: String, why: &'static str } = "bad-keep", "{given:?} cannot be kept: {why}";
    /// A migration without a proved dump.
    MigratesUnproved { command: String } = "migrates-unproved", "{command} migrates the database, and files alone do not bring that back; put a `verify:` step of a dump (kind: postgres), without `continue`, before the guard";
    /// A unit that the instance does not name.
    UnitNotNamed { unit: String, help: String } = "unit-not-named", "unit {unit:?} is not in instance.services; {help}";
    /// A service to ask where there is none.
    NoSuchService { service: &'static str } = "no-such-service", "there is nothing that could be asked: no unit of instance.services has {service} in its name";
    /// Probes without an instance.
    ProbesNeedInstance = "probes-need-instance", "probes ask an instance, and there is none; add `instance:` with live, user and services";
    /// A page.
    BadPage { given: String } = "bad-page", "{given:?} is no page; write it from the root on, like /about, without the server";
    /// Where a server listens.
    BadAddressOfServer { why: String } = "bad-address-of-server", "{why}";
    /// A certificate without https.
    NoHttps = "no-https", "asks for the certificate of instance.url, which must be there and begin with https://; write it, or remove the probe";
    /// A place that no room sees.
    HiddenPath { given: String } = "hidden-path", "{given:?} is hidden from the rooms; write another path on the same file system";
    /// Services to stop where there are none.
    NoServices = "no-services", "there are no services to stop; add `instance:` with live, user and services";
    /// `then` without a bracket.
    ThenWithoutBracket = "then-without-services", "then is what is done when stopped services are up again; add with_services_stopped, or move its steps to the end of steps";
    /// A stop that nobody takes back.
    StopOnSchedule { unit: String } = "stop-on-schedule", "the job would stop {unit} by schedule and leave it stopped; write with_services_stopped, which starts it again whatever happens";
    /// A stop and a start as plain steps.
    StopAndStart { unit: String } = "stop-and-start", "if a step between this stop and the later start of {unit} fails, it stays stopped; write with_services_stopped, which starts it again whatever happens";
    /// A path from nowhere.
    RelativePath { given: String, help: String } = "relative-path", "{given:?} is not an absolute path; {help}";
    /// `tootctl: bin/tootctl …`.
    Doubled { given: String, key: &'static str } = "doubled-command", "begins with {given:?}, but {key} is what the key already says; remove that word";
    /// An em dash from a web page.
    Dash { word: String } = "dash", "{word:?} begins with a dash that is no hyphen (copied from a web page?); write it with two hyphens: --";
    /// A command that tootctl does not know so.
    BadCommand { misuse: Wrong } = "bad-command", "{misuse}";
    /// A command that must never stand in a schedule.
    Dangerous { command: &'static str, why: &'static str } = "dangerous", "tootctl {command} is nothing for a schedule: {why}; if it is meant, write `dangerous: true` on the step";
    /// A key of another kind of step.
    Misplaced { why: &'static str } = "misplaced-key", "has no place here: {why}; remove it";
    /// Warning: a key that the remote room does not get.
    KeyElsewhere { given: String } = "key-elsewhere", "{given:?} is not in /etc/mastmaintd/remote, from where systemd hands keys to the room that reaches other hosts; move it there, for root alone (where mastmaintd runs without systemd it is read where it is)";
    /// A pattern that is none.
    BadPattern { why: String } = "bad-pattern", "is not a regular expression: {why}";
    /// Warning: days that are too few.
    FewDays { given: String, least: u32, why: &'static str } = "few-days", "{given} days are few: {why}; take {least} or more";
    /// What only a shell understands.
    ShellSyntax { what: String, help: &'static str } = "shell-syntax", "{what:?} means something only to a shell, and no shell reads this; {help}";
    /// Quotes that do not end.
    Quotes = "unbalanced-quotes", "a quote is opened and not closed; close it, or write a list with one item for each argument";
    /// A control character in an argument.
    ControlCharacter = "control-character", "holds a control character that no argument or variable can have; remove it";
    /// The name of a variable.
    BadVariable { name: String } = "bad-variable", "{name:?} is not a name of a variable; it takes letters, digits and _, and no digit first";
    /// A time of day.
    BadTime { given: String } = "bad-time", "{given:?} is not a time of day; write hours and minutes in quotes, like \"02:30\"";
    /// No instant.
    BadInstant { why: String } = "bad-instant", "{why}";
    /// Until is not after from.
    EmptyHold = "empty-hold", "until is not after from, so nothing is ever held; make it end later, or remove the hold";
    /// From equals until.
    EmptyWindow = "empty-window", "from and until are the same time, so the window is empty; make it end later, or remove it";
    /// A schedule that never falls into its window.
    SlotOutsideWindow { slot: String } = "slot-outside-window", "the window never holds a slot of the schedule (the first is {slot}), so the job would never start; move one of the two";
    /// A delay that leads out of the window.
    DelayBeyondWindow { delay: String, left: String } = "delay-beyond-window", "random_delay {delay} is not below the {left} from the slot to the end of the window; shorten the delay or end the window later";
    /// Too many.
    TooMany { what: &'static str, count: usize, max: usize } = "too-many", "{count} {what} are more than the {max} that are allowed; split or remove some";
    /// A web address.
    BadUrl = "bad-url", "must be an address like \"https://social.example\", without user, password or path";
    /// A target that cannot be reached.
    NoWay = "no-way", "says nothing of how to tell somebody; write one of mail, webhook, healthchecks";
    /// A target with several ways.
    TwoWays { first: &'static str, second: &'static str } = "two-ways", "is told in one way, this one has {first} and {second}; make two entries of it";
    /// An address of a webhook or a check. It is a secret, so it is not quoted.
    BadHook = "bad-hook", "must be an address that begins with https:// or http://, without user, password and blanks";
    /// A mail address.
    BadAddress = "bad-address", "must be a mail address like admin@example.org, or a user of this host like root";
    /// Warning: a password that everybody on the way can read.
    PasswordInTheClear = "password-in-the-clear", "the password would go to the mail server in the clear; write tls: starttls or tls: always";
    /// More than is shown.
    More { count: usize } = "more", "{count} more mistakes are not shown; mend these first";
    /// Nothing to do, and nobody says that this is meant.
    NoJobsSaid = "no-jobs", "there are no jobs, so nothing would run; add some, or write `jobs: {{}}` if that is meant";
    /// Warning: nothing to do.
    NoJobs = "no-jobs", "there are no jobs, so nothing will run; add some under `jobs:`";
    /// A fragment that would not be read.
    NotAFragment = "not-a-fragment", "is not read: fragments end in .yaml; rename it, or move it away";
    /// A number that YAML changes.
    NumberChanges { written: String, read: String } = "number-changes", "YAML makes {read} of the number {written}; put it in quotes";
    /// Warning: a window that ends before its slot.
    WindowEndsTheDayAfter { until: String, slot: String } = "window-ends-the-day-after", "the window ends at {until}, which after the slot at {slot} is on the day after: it hardly bounds anything; move one of the two, or write `from` too if that is meant";
    /// Warning: a key without effect.
    NoEffect { why: &'static str } = "no-effect", "has no effect: {why}; remove it";
    /// Steps behind a restore.
    AfterRestore = "after-restore", "the restore (one of files, one of the database, or one of each) is the last of steps, because Mastodon is stopped only for its switch; move what comes after it to `then`, or before it";
    /// A flush by schedule.
    FlushOnSchedule = "flush-on-schedule", "Redis is not emptied by a schedule: jobs that wait in it would be lost each time; remove `schedule`, or the step";
    /// A restore within a bracket.
    RestoreInBracket = "restore-in-bracket", "a restore stops all services by itself, and only for the moment of its switch; remove with_services_stopped";
    /// A restore by schedule.
    RestoreOnSchedule = "restore-on-schedule", "nothing is restored by a schedule; remove `schedule`, or write `rehearse: true` to have it tried";
    /// What cannot be put in the place of a Rails root.
    NotRestorable { backup: String, why: &'static str } = "not-restorable", "{backup} cannot be restored here: {why}";
    /// A verification of what only the host that keeps it can look at.
    VerifiedElsewhere { backup: String } = "verified-elsewhere", "{backup} lies on another host, which verifies it; write the step into the configuration there";
    /// Warning: the job ends before its step may.
    StepOutlivesJob { step: String, job: String } = "step-outlives-job", "the step may take {step}, but its job ends after {job}; raise the job's timeout or lower this one";
    /// Warning: a runbook that stops services for good.
    StaysStopped { unit: String } = "stays-stopped", "{unit} stays stopped after this job until somebody starts it; write with_services_stopped if it should come back by itself";
    /// Warning: tootctl as root.
    TootctlAsRoot = "tootctl-as-root", "tootctl would run as root, who then owns the files that it writes, and Mastodon cannot change them; name the user that Mastodon runs as";
    /// Warning: something is not on this host.
    NotHere { what: String, help: &'static str } = "not-on-this-host", "{what}; {help}";
}

impl Mistake {
    /// Stable code in kebab-case. What is wrong with a schedule has a code of its own for each kind.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadSchedule { error } => error.code(),
            Self::BadCommand { misuse } => misuse.code(),
            other => other.own_code(),
        }
    }

    /// Whether the file could not be read as YAML.
    pub(crate) fn is_of_syntax(&self) -> bool {
        matches!(
            self,
            Self::Syntax { .. }
                | Self::Alias
                | Self::Reserved { .. }
                | Self::Anchor
                | Self::Tag
                | Self::SecondDocument
                | Self::TooDeep
                | Self::TooManyNodes
        )
    }
}

/// `did you mean "x"?` or the list of what there is.
pub(crate) fn nearest<'a>(given: &str, known: impl Iterator<Item = &'a str> + Clone) -> Option<&'a str> {
    if given.len() > 64 {
        return None;
    }
    let given = given.to_ascii_lowercase();
    let distance = |word: &str| strsim::damerau_levenshtein(&given, &word.to_ascii_lowercase());
    known
        .filter(|word| word.len().abs_diff(given.len()) <= 3)
        .map(|word| (distance(word), word))
        .filter(|(distance, word)| *distance <= (word.len() / 3).clamp(1, 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Help for a word that is none of the known ones.
pub(crate) fn help(given: &str, known: &[&str]) -> String {
    match nearest(given, known.iter().copied()) {
        Some(word) => format!("did you mean {word:?}?"),
        None => format!("there are {}", known.join(", ")),
    }
}

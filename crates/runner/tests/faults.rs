//! Faults that no recording shows: for every command of the grammar, and by hand. Nothing that went wrong is `ok`, and
//! what is fine is not called wrong.

#![expect(clippy::unwrap_used, reason = "helpers of tests may fail as tests do")]

use mastmaint_runner::{
    exec::Ending,
    saved,
    verdict::{Judge, Signals, Terms},
};
use mastmaint_tootctl::{Call, Command};
use mastmaint_words::{Outcome, Verdict};

const DOTENV: &str =
    "I, [2026-11-23T02:54:33.793674 #1779]  INFO -- : [dotenv] Loaded \u{1b}[33m.env.production\u{1b}[0m\n";

fn judge(line: &str, status: i32, stdout: &str, stderr: &str) -> Verdict {
    let argv: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let judge = Judge::of_line(&argv).with(Terms { signals: Signals::Person, ..Terms::default() });
    saved::judge(&judge, Ending::Exited(status), stdout.as_bytes(), stderr.as_bytes()).unwrap()
}

/// A call of the command that is right, without options that change what it says.
fn call_of(command: &Command) -> String {
    let names = match command.names.of.first() {
        Some(name) => (*name).to_owned(),
        None => vec!["name@remote.example"; command.names.least].join(" "),
    };
    let names = if names.is_empty() && command.wants.is_empty() { String::new() } else { names };
    let wanted = match command.wants.first() {
        Some(option) if command.names.least == 0 => match command.option(option).unwrap().takes {
            mastmaint_tootctl::Takes::Nothing => format!("--{option}"),
            _ => format!("--{option}=1"),
        },
        _ => String::new(),
    };
    let required = command.required.iter().map(|option| match *option {
        "severity" => "--severity no_access".to_owned(),
        other => format!("--{other} x@example.org"),
    });
    let required: Vec<_> = required.collect();
    format!("bin/tootctl {} {names} {wanted} {}", command.words, required.join(" "))
}

/// What the command says when all is well.
fn said(line: &str) -> String {
    let args: Vec<String> = line.split_whitespace().skip(1).map(str::to_owned).collect();
    let call = Call::read(&args, None);
    assert!(call.misuses().is_empty(), "{line}: {:?}", call.misuses());
    let fill = |shape: &str| {
        shape
            .replace("{visited}", "40")
            .replace("{done}", "40")
            .replace("{removed}", "40")
            .replace("{failed}", "0")
            .replace("{bytes}", "3.2 MB")
            .replace("{any}", "7")
    };
    let lines = call.expected().map(|statement| format!("{}\n", fill(statement.shapes[0])));
    format!("{DOTENV}\nProgress: |{}|\n{}", "=".repeat(68), lines.collect::<String>())
}

fn commands() -> impl Iterator<Item = (&'static Command, String)> {
    let own_words = ["help", "version", "tree"];
    Command::all().filter(move |c| !own_words.contains(&c.words)).map(|c| (c, call_of(c)))
}

#[test]
fn every_command_that_says_its_line_is_ok() {
    for (_, line) in commands() {
        let verdict = judge(&line, 0, &said(&line), "");
        assert_eq!(verdict.outcome, Outcome::Ok, "{line}: {verdict}");
    }
}

#[test]
fn a_command_that_stops_saying_anything_is_not_ok() {
    for (command, line) in commands().filter(|(command, _)| command.has_statement()) {
        for stdout in ["", DOTENV, "Commands:\n  tootctl media remove    # Remove\n"] {
            let verdict = judge(&line, 0, stdout, "");
            assert_eq!(verdict.outcome, Outcome::Failed, "{}: {verdict}", command.words);
        }
        // The last line of several is missing, as after a full pipe or a lost connection.
        let whole = said(&line);
        let without_last = &whole[..whole.trim_end().rfind('\n').unwrap()];
        assert_eq!(judge(&line, 0, without_last, "").outcome, Outcome::Failed, "{line}");
    }
}

#[test]
fn no_error_line_passes_in_any_command() {
    let faults = [
        "Error processing 117663464916054119: No space left on device @ rb_sysopen - /x/y.png",
        "Error processing 1: READONLY You can't write against a read only replica. (redis://localhost:6379)",
        "error processing 1: something nobody has seen",
        "E, [2026-11-23T02:58:30.138691 #4275] ERROR -- : RedisCacheStore: clear failed, returned nil: x",
        "F, [2026-11-23T02:58:30.138691 #4275] FATAL -- : gone",
        "{\"severity\":\"ERROR\",\"message\":\"Connection lost\"}",
        "PG::ConnectionBad: PQsocket() can't get socket descriptor",
        "Errno::EROFS: Read-only file system @ apply2files - /x",
        "ActiveRecord::Deadlocked: PG::TRDeadlockDetected: ERROR:  deadlock detected",
        "Error fetching list of files: The specified bucket does not exist",
    ];
    for (_, line) in commands() {
        let whole = said(&line);
        for fault in faults {
            // Before the line of success, within the bar's line, and after everything.
            let before = format!("{DOTENV}{fault}\n{}", whole.strip_prefix(DOTENV).unwrap());
            let within = whole.replace("Progress: |==", &format!("Progress: |=={fault}\nProgress: |=="));
            let after = format!("{whole}{fault}\n");
            for stdout in [before, within, after] {
                let verdict = judge(&line, 0, &stdout, "");
                assert_ne!(verdict.outcome, Outcome::Ok, "{line}: {fault}");
                assert!(!verdict.reasons.is_empty() && verdict.reasons[0].text.len() < 700);
            }
        }
        for stderr in [
            "Failed to connect to localhost:6379 (ECONNREFUSED) (redis://localhost:6379)\n",
            "#<Thread:0x00007f run> terminated with exception (report_on_exception is true):\n",
            "bin/tootctl:5:in 'require': cannot load such file -- x (LoadError)\n",
            "terminate called after throwing an instance of 'std::bad_alloc'\n",
        ] {
            assert_ne!(judge(&line, 0, &whole, stderr).outcome, Outcome::Ok, "{line}: {stderr}");
        }
        for status in [1, 2, 126, 127, 134, 139, 255] {
            assert_eq!(judge(&line, status, &whole, "").outcome, Outcome::Failed, "{line}: {status}");
        }
    }
}

#[test]
fn what_is_harmless_is_no_alarm() {
    for (_, line) in commands() {
        let whole = said(&line);
        let stdout = format!(
            "W, [2026-11-23T02:58:30.138691 #4275]  WARN -- : slow query\nD, [2026-11-23T02:58:30 #4275] DEBUG -- : error: none\n{whole}"
        );
        for stderr in [
            "`/home/mastodon` is not writable.\nBundler will use `/tmp/bundler20261123-1' as your home directory temporarily.\n",
            "Ignoring debug-1.9.2 because its extensions are not built. Try: gem pristine debug --version 1.9.2\n",
            "ERROR: ld.so: object '/usr/lib/libjemalloc.so.2' from LD_PRELOAD cannot be preloaded (cannot open shared object file): ignored.\n",
            "WARNING:  database \"mastodon\" has a collation version mismatch\nDETAIL:  The database was created using collation version 2.31\nHINT:  Rebuild all objects in this database\n",
            "/x/gems/fog-1.0/lib/x.rb:1: warning: method redefined; discarding old y\n",
            "perl: warning: Setting locale failed.\nperl: warning: Please check that your locale settings:\n\tLANGUAGE = (unset),\n\tLC_ALL = (unset),\n\tLANG = \"de_DE.UTF-8\"\n    are supported and installed on your system.\nperl: warning: Falling back to the standard locale (\"C\").\n",
            "2026-11-23T02:54:33.793Z pid=4275 tid=2vkn INFO: Sidekiq 7.3.2 connecting to Redis with options {url: \"redis://localhost:6379\"}\n",
            "DEPRECATION WARNING: to be removed in Rails 9 (called from <main> at x.rb:1)\n",
            "/x/x.rb:3: warning: ostruct was loaded from the standard library, but will no longer be part of it.\nYou can add ostruct to your Gemfile or gemspec to silence this warning.\n",
            "fatal: not a git repository (or any of the parent directories): .git\n",
            "fatal: detected dubious ownership in repository at '/home/mastodon/live'\nTo add an exception for this directory, call:\n\n\tgit config --global --add safe.directory /home/mastodon/live\n",
            "<jemalloc>: Invalid conf pair: narenas:2\n",
            "(process:1234): GLib-GObject-CRITICAL **: 03:00:00.123: g_object_ref: assertion failed\n",
            "`Redis#sadd` will always return an Integer in Redis 5.0.0.(called from: /x/y.rb:5:in `block')\n",
            "Don't run Bundler as root. Installing your bundle as root will break this application\nfor all non-root users on this machine.\n",
            "WARNUNG:  Datenbank »mastodon« hat eine andere Version der Sortierfolge\nDETAIL:  Die Datenbank wurde mit 2.31 erzeugt.\nTIPP:  Bauen Sie alle Objekte neu.\n",
            "ATTENTION:  la base de données « mastodon » a une autre version\nDÉTAIL : x\nASTUCE : y\n",
            "mesg: ttyname failed: Inappropriate ioctl for device\n",
            "WARN[0000] /x/docker-compose.yml: `version` is obsolete\n",
        ] {
            let verdict = judge(&line, 0, &stdout, stderr);
            assert_eq!(verdict.outcome, Outcome::Ok, "{line}: {stderr}: {verdict}");
        }
    }
}

/// What was called, its exit status, standard output, standard error; the outcome and the code of the first reason.
type Case = (&'static str, i32, &'static str, &'static str, &'static str, &'static str);

const CASES: &[Case] = &[
    // Numbers of the command's own.
    (
        "bin/tootctl emoji import /x.tgz",
        0,
        "Imported 3, skipped 0, failed to import 2\n",
        "",
        "partial",
        "items-failed",
    ),
    (
        "bin/tootctl emoji import /x.tgz",
        0,
        "Imported 0, skipped 0, failed to import 2\n",
        "",
        "failed",
        "items-failed",
    ),
    (
        "bin/tootctl ip_blocks add 300.1.1.1 --severity no_access",
        0,
        "300.1.1.1 is invalid\nAdded 0, skipped 0, failed 1\n",
        "",
        "failed",
        "items-failed",
    ),
    (
        "bin/tootctl email_domain_blocks remove a.example b.example",
        0,
        "Removed 1, skipped 0, failed 1\n",
        "",
        "partial",
        "items-failed",
    ),
    ("bin/tootctl domains crawl", 0, "Visited 900 domains, 113 failed (60s elapsed)\n", "", "ok", ""),
    // Everything, some, by names.
    (
        "bin/tootctl accounts refresh a@x.example b@x.example",
        0,
        "Account failed: a@x.example\nOK\n",
        "",
        "partial",
        "error-lines",
    ),
    (
        "bin/tootctl accounts refresh a@x.example",
        0,
        "Account failed: a@x.example\nOK\n",
        "",
        "failed",
        "error-lines",
    ),
    (
        "bin/tootctl search deploy",
        0,
        "Error while importing StatusesIndex: x\nIndexed 90 records, de-indexed 0\n",
        "",
        "partial",
        "search-refused",
    ),
    ("bin/tootctl search deploy --only-mapping", 0, "Updated index mappings\n", "", "ok", ""),
    (
        "bin/tootctl search deploy --only-mapping",
        0,
        "Indexed 0 records, de-indexed 0\n",
        "",
        "failed",
        "no-success-line",
    ),
    ("bin/tootctl accounts approve", 0, "", "", "failed", "no-success-line"),
    (
        "bin/tootctl accounts create bob --email b@example.org --reattach",
        0,
        "The chosen username is currently in use\nUse --force to reattach it anyway and delete the other user\n",
        "",
        "failed",
        "no-success-line",
    ),
    // The line of success of another mode of the command.
    (
        "bin/tootctl media remove --prune-profiles",
        0,
        "Removed 3 media attachments (approx. 1 KB)\n",
        "",
        "failed",
        "no-success-line",
    ),
    (
        "bin/tootctl media remove",
        0,
        "Removed 3 media attachments (approx. 1 KB) (DRY RUN)\n",
        "",
        "failed",
        "only-tried",
    ),
    // Statuses that were cut in the middle of everything.
    (
        "bin/tootctl statuses remove",
        1,
        "Extract the deletion target from statuses... This might take a while...\n",
        "x.rb:1:in 'exec': PG::ConnectionBad: PQsocket() can't get socket descriptor (ActiveRecord::ConnectionFailed)\n",
        "failed",
        "postgres-unreachable",
    ),
    (
        "bin/tootctl statuses remove",
        0,
        "Done after 1.0s, removed 5 out of 5 statuses.\nDone after 1.0s, removed 3 out of 9 media_attachments.\nDone after 1.0s, removed 5 out of 5 conversations.\n",
        "",
        "partial",
        "items-left",
    ),
    // Misuses that exit with 0.
    (
        "bin/tootctl accounts cull --dryrun",
        0,
        "Visited 0 accounts, removed 0\n",
        "",
        "failed",
        "unknown-option",
    ),
    ("bin/tootctl accounts cull —dry-run", 0, "Visited 0 accounts, removed 0\n", "", "failed", "dash"),
    ("bin/tootctl accounts refresh --domain", 0, "Refreshed 0 accounts\n", "", "failed", "no-option-value"),
    (
        "bin/tootctl media remove --days -1",
        0,
        "Removed 15 media attachments (approx. 1 MB)\n",
        "",
        "failed",
        "number-too-small",
    ),
    ("bin/tootctl media", 0, "Commands:\n  tootctl media remove   # Remove\n", "", "failed", "no-command"),
    (
        "bin/tootctl",
        0,
        "Commands:\n  tootctl media SUBCOMMAND ...ARGS   # Manage media files\n",
        "",
        "failed",
        "no-command",
    ),
    ("bin/tootctl media help remove", 0, "Usage:\n  tootctl media remove\n", "", "failed", "only-help"),
    ("bin/tootctl --version", 0, "4.6.5\n", "", "ok", ""),
    // Before anything runs.
    (
        "bin/tootctl cache clear",
        1,
        "",
        "/x/connection_pool.rb:1:in 'checkout': could not obtain a connection from the pool within 5.000 seconds (ActiveRecord::ConnectionTimeoutError)\n",
        "failed",
        "database-busy",
    ),
    (
        "bin/tootctl cache clear",
        1,
        "",
        "<internal:/x/rubygems.rb>:1:in 'require': cannot load such file -- bootsnap/setup (LoadError)\n",
        "failed",
        "gems-missing",
    ),
    (
        "bin/tootctl cache clear",
        127,
        "",
        "ruby: error while loading shared libraries: libjemalloc.so.2: cannot open shared object file\n",
        "failed",
        "library-missing",
    ),
    (
        "bin/tootctl cache clear",
        1,
        "",
        "x.rb:1:in 'secret_key_base=': Missing `secret_key_base` for 'production' environment (ArgumentError)\n",
        "failed",
        "secrets-missing",
    ),
    (
        "bin/tootctl feeds clear",
        1,
        "",
        "x.rb:1:in 'call': NOAUTH Authentication required. (redis://localhost:6379) (Redis::CannotConnectError)\n",
        "failed",
        "redis-refused",
    ),
    ("bin/tootctl cache clear", 1, "No such thing\n", "", "failed", "usage-error"),
    // Redis in all its moods, at exit status 0.
    (
        "bin/tootctl cache clear",
        0,
        "E, [2026-01-01T00:00:00.1 #1] ERROR -- : RedisCacheStore: clear failed, returned nil: Redis::CommandError: MISCONF Redis is configured to save RDB snapshots\nOK\n",
        "",
        "failed",
        "redis-read-only",
    ),
    (
        "bin/tootctl cache clear",
        0,
        "E, [2026-01-01T00:00:00.1 #1] ERROR -- : RedisCacheStore: clear failed, returned nil: Redis::CommandError: OOM command not allowed when used memory > 'maxmemory'.\nOK\n",
        "",
        "failed",
        "redis-memory-full",
    ),
    (
        "bin/tootctl feeds build --all",
        0,
        "Error processing 1: READONLY You can't write against a read only replica.\nRegenerated feeds for 1 accounts \n",
        "",
        "failed",
        "redis-read-only",
    ),
    // Rails.
    (
        "RAILS_ENV=production bundle exec rails assets:precompile",
        1,
        "",
        "rails aborted!\nYarn executable was not detected in the system.\n",
        "failed",
        "node-missing",
    ),
    (
        "bin/rails assets:precompile",
        1,
        "Compilation failed:\nModuleNotFoundError: x\n",
        "",
        "failed",
        "build-failed",
    ),
    (
        "bin/rails assets:precompile",
        1,
        "",
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n",
        "failed",
        "memory-short",
    ),
    (
        "bin/rails assets:precompile",
        1,
        "",
        "SignalException: SIGTERM (SignalException)\n",
        "cancelled",
        "cancelled",
    ),
    (
        "bin/rails assets:precompile",
        0,
        "Invalid theme path \"styles/x\" in themes.yml, skipping\nBuild with Vite complete: /x\n",
        "",
        "failed",
        "error-lines",
    ),
    (
        "bin/rails db:migrate",
        0,
        "== 20261101000000 AddX: migrating ====\n-- add_column(:a, :b, :text)\n   -> 0.0012s\n== 20261101000000 AddX: migrated (0.0013s) ====\n",
        "",
        "ok",
        "",
    ),
    ("bin/rails db:migrate", 0, "", "", "ok", ""),
    (
        "bin/rails db:migrate",
        1,
        "== 20261101000000 AddX: migrating ====\n",
        "bin/rails aborted!\nStandardError: An error has occurred, this and all later migrations canceled:\n\nPG::LockNotAvailable: ERROR:  canceling statement due to lock timeout\n",
        "failed",
        "database-timeout",
    ),
    (
        "bin/rails db:abort_if_pending_migrations",
        1,
        "",
        "You have 3 pending migrations:\n  20261101000000 AddX\n",
        "failed",
        "migrations-pending",
    ),
    // What warns, and what it is not.
    (
        "bin/tootctl media remove",
        0,
        "Removed 3 media attachments (approx. 1 KB)\n",
        "/x/y.rb:3: warning: odd\nKilled\n",
        "partial",
        "unexpected-stderr",
    ),
    (
        "bin/tootctl media remove",
        0,
        "Removed 3 media attachments (approx. 1 KB)\n",
        "/x/y.rb:3: warning: odd\n\nsomething else altogether\n",
        "partial",
        "unexpected-stderr",
    ),
    (
        "bin/tootctl media remove",
        1,
        "No such account\n",
        "ERROR: ld.so: object 'x.so' from LD_PRELOAD cannot be preloaded (cannot open shared object file): ignored.\n",
        "failed",
        "usage-error",
    ),
    (
        "bin/tootctl media remove",
        1,
        "",
        "/x/ostruct.rb:3: warning: ostruct was loaded\nx.rb:1:in 'z': Database not found: x (ActiveRecord::NoDatabaseError)\n",
        "failed",
        "database-missing",
    ),
    (
        "bin/tootctl accounts refresh",
        1,
        "",
        "/x/ostruct.rb:3: warning: ostruct was loaded\nNo account(s) given\n",
        "failed",
        "usage-error",
    ),
    // PostgreSQL in other languages.
    (
        "psql -f x.sql",
        0,
        "",
        "psql:x.sql:1: FEHLER:  Relation »x« existiert nicht\n",
        "partial",
        "error-lines",
    ),
    (
        "psql -f x.sql",
        0,
        "",
        "psql:x.sql:1: ERREUR:  la relation « x » n'existe pas\n",
        "partial",
        "error-lines",
    ),
    (
        "psql -f x.sql",
        0,
        "",
        "psql:x.sql:1: エラー:  リレーション\"x\"は存在しません\n",
        "partial",
        "error-lines",
    ),
    (
        "bin/tootctl media remove",
        0,
        "FEHLER:  kann UPDATE nicht ausführen\nRemoved 3 media attachments (approx. 1 KB)\n",
        "",
        "partial",
        "error-lines",
    ),
    // What counts itself counts what was done, not what it looked at.
    (
        "bin/tootctl upgrade storage-schema",
        0,
        "Error processing /a: x\nError processing /b: x\nUpgraded storage schema of 2 records\n",
        "",
        "partial",
        "error-lines",
    ),
    (
        "bin/tootctl upgrade storage-schema",
        0,
        "Error processing /a: x\nUpgraded storage schema of 0 records\n",
        "",
        "failed",
        "error-lines",
    ),
    (
        "bin/tootctl search deploy",
        0,
        "Error while importing StatusesIndex: x\nError while importing StatusesIndex: x\nIndexed 2 records, de-indexed 0\n",
        "",
        "partial",
        "search-refused",
    ),
    (
        "bin/tootctl media usage",
        0,
        "Attachments:\t1 MB (0 Bytes local)\nCustom em",
        "",
        "failed",
        "no-success-line",
    ),
    // Cut in the middle of its line of success.
    ("bin/tootctl accounts cull", 0, "Visited 15 accounts, removed 1", "", "failed", "no-success-line"),
    ("bin/tootctl accounts cull --dry-run", 0, "Visited 15 accounts, removed 1 (DRY RUN)", "", "ok", ""),
    (
        "bin/tootctl media remove --remove-headers --days 30",
        0,
        "Visited 15 accounts and removed profile media totaling 828 ",
        "",
        "failed",
        "no-success-line",
    ),
    // Names of files and accounts are anybody's words.
    (
        "bin/tootctl media remove-orphans",
        0,
        "Unrecognized file found: cannot open: error: x\nFound and removed orphan: x/level=error: y\nRemoved 1 orphans (approx. 1 KB)\n",
        "",
        "ok",
        "",
    ),
    (
        "bin/tootctl media remove-orphans",
        0,
        "Unrecognized file found: Removed 5 orphans (approx. 1 KB)\n",
        "",
        "failed",
        "no-success-line",
    ),
    // A build that failed says why elsewhere.
    ("bin/rails assets:precompile", 1, "Build with Vite failed! ❌\n", "", "failed", "build-failed"),
    (
        "bin/rails assets:precompile",
        1,
        "Build with Vite failed! ❌\n",
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n",
        "failed",
        "memory-short",
    ),
    (
        "bin/rails assets:precompile",
        0,
        "Build with Vite failed! ❌\nBuild with Vite complete: /x\n",
        "",
        "failed",
        "build-failed",
    ),
    (
        "bin/rails db:abort_if_pending_migrations",
        1,
        "You have 2 pending migrations:\n  20261101000000 AddX\n  20261102000000 AddY\n",
        "Run `bin/rails db:migrate` to update your database then try again.\n",
        "failed",
        "migrations-pending",
    ),
    (
        "bin/rails db:abort_if_pending_migrations",
        1,
        "You have 2 pending migrations:\n  20261101000000 AddX\n",
        "bin/rails aborted!\n\nTasks: TOP => db:abort_if_pending_migrations\n(See full trace by running task with --trace)\n",
        "failed",
        "migrations-pending",
    ),
    (
        "bin/rails db:migrate",
        1,
        "",
        "bin/rails aborted!\nActiveRecord::ConcurrentMigrationError: \n\nCannot run migrations because another migration process is currently running.\n",
        "failed",
        "migration-running",
    ),
    // A shell between.
    ("bin/tootctl media remove", 143, "", "", "cancelled", "cancelled"),
    ("bin/tootctl media remove", 139, "", "", "failed", "crashed"),
    ("bin/tootctl media remove", 141, "", "", "failed", "output-closed"),
];

#[test]
fn faults_by_hand() {
    let mut wrong = Vec::new();
    for (line, status, stdout, stderr, outcome, code) in CASES {
        let verdict = judge(line, *status, &format!("{DOTENV}{stdout}"), stderr);
        let found = verdict.reasons.first().map_or("", |reason| reason.code.as_str());
        if verdict.outcome.as_str() != *outcome || found != *code {
            wrong.push(format!("{line}\n  {stdout}{stderr}  {outcome} {code} is {verdict} [{found}]"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_line_of_success_counts_once() {
    let twice = "Removed 15 media attachments (approx. 1 KB)\nRemoved 15 media attachments (approx. 1 KB)\n";
    let numbers = judge("bin/tootctl media remove", 0, twice, "").numbers;
    assert_eq!((numbers.visited, numbers.removed, numbers.bytes), (Some(15), Some(15), Some(1024)));
    let some = "Error processing /a: x\nUpgraded storage schema of 3 records\n";
    let numbers = judge("bin/tootctl upgrade storage-schema", 0, some, "").numbers;
    assert_eq!((numbers.visited, numbers.failed, numbers.removed), (Some(4), Some(1), None));
}

#[test]
fn a_refusal_is_told_and_not_the_warning_before_it() {
    let warning = "/x/ostruct.rb:3: warning: ostruct was loaded from the standard library\n";
    let refusal = "No account(s) given\n";
    for (stdout, stderr) in [("", format!("{warning}{refusal}")), (refusal, warning.to_owned())] {
        let verdict = judge("bin/tootctl accounts refresh", 1, stdout, &stderr);
        assert_eq!(verdict.reasons[0].text, "tootctl refused the command: No account(s) given");
    }
}

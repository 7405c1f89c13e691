//! What holds for any text and any settings.

use super::loaded;
use crate::{
    MAX_FILE, SAMPLE,
    calendar::Schedule,
    check::put_together,
    digest, effect, effective_yaml, load_str,
    probes::{Probe, Probes, Question},
    requires::{FreeSpace, LoadBelow, Requires, Resource, Service},
    settings::{
        Action, Again, AtMost, Environment, Instance, Job, Judged, LedgerSettings, OnPartial, Prove, Retry,
        RetryOn, Settings, Step, SystemctlAction, SystemctlVerb, USUAL_SETTLE, VerifyAction, Window,
    },
    targets::{Login, Mail, Preset, Secret, Smtp, Target, Tls, Via, Way, Webhook},
};
use jiff::Timestamp;
use mastmaint_words::{
    Bytes, Hold, HoldScope, Hundredths, Occasion, Span,
    backup::{Backup, Backups, Borg, Budget, Decrypt, DrillPlan, Every, Place, Reach, Restic},
};
use proptest::{collection, option, prelude::*, sample::select};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

fn span(most: u64) -> impl Strategy<Value = Span> {
    (1..=most).prop_map(Span::from_secs)
}

fn environment() -> impl Strategy<Value = Environment> {
    collection::btree_map("[A-Z_][A-Z0-9_]{0,8}", "[ -~\néß#'\":*&!]{0,12}", 0..3)
}

fn action() -> impl Strategy<Value = Action> {
    let word = "[a-z0-9#'\"*&!:{}$ ~,-]{0,8}";
    let run = collection::vec(word, 0..3).prop_map(|rest| {
        let rest = rest.into_iter().filter(|w| !w.trim().is_empty() || w.is_empty());
        Action::Run(
            std::iter::once("/bin/echo".to_owned()).chain(rest.filter(|w| w != "&" && w != "&&")).collect(),
        )
    });
    let units = select(vec!["mastodon-web", "mastodon-sidekiq.service"]);
    let units = collection::vec(units.prop_map(|u: &str| u.parse().unwrap()), 1..3);
    prop_oneof![
        select(vec!["media remove --days 14", "accounts cull --dry-run", "cache clear"])
            .prop_map(|line| Action::Tootctl(line.split(' ').map(str::to_owned).collect())),
        // A stop is for runbooks only, and for those that start nothing.
        (
            select(
                SystemctlVerb::ALL
                    .into_iter()
                    .filter(|verb| *verb != SystemctlVerb::Stop)
                    .collect::<Vec<_>>()
            ),
            units
        )
            .prop_map(|(verb, units)| Action::Systemctl(SystemctlAction { verb, units })),
        run,
        any::<bool>().prop_map(|full| Action::Verify(VerifyAction {
            backup: "files".parse().unwrap(),
            full,
            remote: false
        })),
    ]
}

fn prove() -> impl Strategy<Value = Prove> {
    let again = option::of((0..1000_u32).prop_map(|tolerance| Again { tolerance }));
    (again, option::of(1..=500_u16)).prop_map(|(again, sample)| Prove { again, sample })
}

fn at_most() -> impl Strategy<Value = AtMost> {
    let bytes = option::of(any::<u64>().prop_map(Bytes::new));
    let share = option::of((1..=100_u8).prop_map(|n| format!("{n}%").parse().unwrap()));
    (0..10_000_u64, bytes, share, option::of(1..=1000_u32)).prop_map(|(items, bytes, share, times_usual)| {
        AtMost { items: Some(items), bytes, share, times_usual }
    })
}

fn judged() -> impl Strategy<Value = Judged> {
    let pattern = select(vec!["^done$", "copied \\d+ files", "[Ee]rror: #\"'"]).prop_map(str::to_owned);
    let patterns = || collection::vec(pattern.clone(), 0..3);
    (0_u32..9, patterns(), patterns()).prop_map(|(tolerated_errors, expect, fail_on)| Judged {
        tolerated_errors,
        expect,
        fail_on,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let on_partial = select(vec![OnPartial::GoOn, OnPartial::Stop]);
    let limits = (span(9999), span(9999), option::of(span(9999)));
    (action(), limits, on_partial, any::<bool>(), environment(), (judged(), prove(), option::of(at_most())))
        .prop_map(
            |(
                action,
                (timeout, grace, quiet_limit),
                on_partial,
                go_on,
                environment,
                (judged, prove, at_most),
            )| {
                let is_systemctl = matches!(action, Action::Systemctl(_));
                let environment = if is_systemctl
                    || matches!(action, Action::Verify(_) | Action::Probe(_) | Action::Restore(_))
                {
                    Environment::new()
                } else {
                    environment
                };
                let quiet_limit =
                    quiet_limit.filter(|_| !is_systemctl && !matches!(action, Action::Probe(_)));
                let judged = match action {
                    Action::Run(_) => judged,
                    Action::Tootctl(_) => {
                        Judged { tolerated_errors: judged.tolerated_errors, ..Judged::default() }
                    }
                    Action::Systemctl(_)
                    | Action::Services(_)
                    | Action::Verify(_)
                    | Action::Probe(_)
                    | Action::Restore(_)
                    | Action::Database(_)
                    | Action::RedisFlush
                    | Action::Guard(_) => Judged::default(),
                };
                // What has an effect that can be looked at.
                let removes = matches!(&action, Action::Tootctl(args) if effect::can_be_sampled(args));
                let prove = if removes { prove } else { Prove::default() };
                let at_most = at_most.filter(|_| removes);
                Step {
                    action,
                    timeout,
                    grace,
                    quiet_limit,
                    on_partial,
                    go_on,
                    prove,
                    at_most,
                    dangerous: false,
                    judged,
                    environment,
                }
            },
        )
}

/// The steps of a guard, as a file that writes it has them.
fn guard() -> impl Strategy<Value = Vec<Step>> {
    let guard = select(vec![
        "guard: []",
        "guard: ['bin/x \"a b\"', [bin/y, '', '#']], keep: [config/x], build: false",
        "guard: bin/rails assets:precompile, timeout: 7m, grace: 3s, expect: '^done$', environment: {A: 'é'}",
        "guard: bin/x, quiet_limit: 5m, memory: 3 GB, restart: [mastodon-sidekiq, mastodon-web]",
    ]);
    guard.prop_map(|guard| {
        let text = format!("instance: {{}}\njobs: {{a: {{steps: [{{{guard}}}]}}}}");
        loaded(&text).settings.jobs["a"].steps.clone()
    })
}

fn job() -> impl Strategy<Value = Job> {
    let cron = select(vec!["30 0 * * *", "@daily", "*/5 * * * *", "15,45 2 * * 1-5"]);
    let zone = select(vec!["UTC", "Europe/Paris", "Australia/Lord_Howe"]);
    let timing = option::of((cron, zone, any::<bool>(), option::of((0_i8..12, 0_i8..60))));
    let retry = (0_u32..=10, span(9999), select(vec![RetryOn::Unreachable, RetryOn::Failed]));
    (
        option::of("[ -~é]{1,20}"),
        timing,
        span(99_999),
        retry,
        option::of("[a-z][a-z0-9-]{0,6}".prop_map(|n| n.parse().unwrap())),
        (any::<bool>(), span(99_999), option::of(requires())),
        collection::vec(step(), 1..3),
        (option::of((any::<bool>(), collection::vec(step(), 0..2))), option::of(guard())),
    )
        .prop_map(
            |(
                description,
                timing,
                timeout,
                (times, backoff, on),
                lock,
                (change, lock_wait, requires),
                mut steps,
                (bracket, guard),
            )| {
                // A guard is no part of a bracket.
                let guard = guard.filter(|_| bracket.is_none()).unwrap_or_default();
                let change = change || !guard.is_empty();
                steps.extend(guard);
                let (stopped, then) = match bracket {
                    Some((web_only, then)) => {
                        let all = ["mastodon-web", "mastodon-sidekiq"].into_iter().take(if web_only {
                            1
                        } else {
                            2
                        });
                        (Some(all.map(|unit| unit.parse().unwrap()).collect()), then)
                    }
                    None => (None, vec![]),
                };
                let steps = put_together(stopped, steps, then, USUAL_SETTLE);
                let at = |h: i8, m: i8| jiff::civil::Time::new(h, m, 0, 0).unwrap();
                // From noon on, so that the window is as long as the schedule needs, whatever the schedule.
                let window = timing.as_ref().and_then(|(cron, _, _, w)| {
                    w.filter(|_| *cron == "30 0 * * *")
                        .map(|(h, m)| Window { from: Some(at(h + 12, m)), until: at(11, 59) })
                });
                let requires = requires.map(|(mut requires, again)| {
                    requires.try_again = window.map(|_| again);
                    requires
                });
                Job {
                    description,
                    schedule: timing.map(|(cron, zone, _, _)| Schedule::parse(cron, zone).unwrap()),
                    random_delay: Span::default(),
                    window,
                    catch_up: timing.is_some_and(|(_, _, catch_up, _)| catch_up),
                    timeout,
                    retry: Retry { times, backoff, on },
                    change,
                    requires,
                    lock,
                    lock_wait,
                    steps,
                }
            },
        )
}

fn requires() -> impl Strategy<Value = (Requires, Span)> {
    let free = ("/x[a-z é'#]{1,9}", any::<u64>())
        .prop_map(|(path, bytes)| FreeSpace { path: path.into(), at_least: Bytes::new(bytes) });
    let below = any::<u32>().prop_map(|n| LoadBelow { below: Hundredths::new(n) });
    let resource = select(vec![Resource::Cpu, Resource::Io, Resource::Memory]);
    let pressure = (1_u8..=100).prop_map(|n| format!("below {n}%").parse().unwrap());
    let unit = "[a-z][a-z@]{0,6}[a-z]".prop_map(|unit| unit.parse().unwrap());
    let program = "[a-z_][a-z0-9_.+-]{0,9}".prop_map(|name| name.parse().unwrap());
    (
        collection::vec(free, 0..2),
        option::of(below),
        collection::btree_map(resource, pressure, 0..3),
        collection::vec(unit, 0..2),
        collection::vec(program, 0..3),
        // Something must be required, and the instance has this.
        select(vec![vec![Service::Web], vec![Service::Sidekiq, Service::Web]]),
        (1_u64..=3600).prop_map(Span::from_secs),
    )
        .prop_map(|(free, load, pressure, unit_active, not_running, probe, again)| {
            (Requires { free, load, pressure, unit_active, not_running, probe, try_again: None }, again)
        })
}

fn target() -> impl Strategy<Value = Target> {
    let on = collection::btree_set(select(Occasion::TO_CHOOSE.to_vec()), 1..4);
    let url = "https://[a-z]{1,8}(:[1-9][0-9]{1,3})?/[a-zA-Z0-9?=&%._-]{0,12}".prop_map(Secret::new);
    let login = option::of("[ -~]{1,12}".prop_map(|user| Login { user, password_file: "/etc/x y".into() }));
    let tls = select(vec![Tls::None, Tls::Starttls, Tls::Always]);
    let smtp = ("[a-z.]{1,9}", 1_u16.., tls, login)
        .prop_map(|(host, port, tls, login)| Via::Smtp(Smtp { host, port, tls, login }));
    let via = prop_oneof![smtp, Just(Via::Sendmail { program: "/usr/sbin/sendmail".into() })];
    let mail = ("[a-z]{1,6}(@[a-z.]{1,6})?", option::of("[a-z]{1,6}@[a-z]{1,6}"), via)
        .prop_map(|(to, from, via)| Way::Mail(Mail { to, from, via }));
    let token = "[!-~]{1,12}".prop_map(Secret::new);
    let preset = select(vec![Preset::Json, Preset::Ntfy, Preset::Gotify]);
    let hook = (url.clone(), preset, token)
        .prop_map(|(url, preset, token)| Way::Webhook(Webhook { url, preset, token: Some(token) }));
    let check = url.prop_map(|url| Way::Healthchecks { url });
    let zone = select(vec!["UTC", "Europe/Paris"]);
    (prop_oneof![mail, hook, check], on, zone, 0_u8..24, 0_u8..60).prop_map(
        |(way, on, zone, hour, minute)| {
            let on = if matches!(way, Way::Healthchecks { .. }) { BTreeSet::new() } else { on };
            let at = || Schedule::parse(&format!("{minute} {hour} * * *"), zone).unwrap();
            let summary = on.contains(&Occasion::Summary).then(at);
            Target { on, jobs: BTreeSet::new(), summary, way }
        },
    )
}

/// A file backup of each kind and a dump that belongs to it.
fn backups() -> impl Strategy<Value = Backups> {
    let place = select(vec![
        Place::Rsnapshot { config: "/etc/rsnapshot's.conf".into() },
        Place::Tree { path: "/srv/mirror".into() },
        Place::Tar { path: "/srv/a-*.tar.?z".into() },
        Place::Restic(Restic {
            repository: "/srv/it's restic".into(),
            password_file: "/etc/pass: word".into(),
            host: Some("no".into()),
            tags: vec!["1".into(), "a#b".into()],
            reach: Reach::default(),
        }),
        Place::Restic(Restic {
            repository: "s3:https://s3.example/it's".into(),
            password_file: "/etc/mastmaintd/remote/pass".into(),
            host: None,
            tags: Vec::new(),
            reach: Reach { environment_file: Some("/etc/mastmaintd/remote/a b".into()), ..Reach::default() },
        }),
        Place::Borg(Borg {
            repository: "b@host:borg".into(),
            password_file: Some("/etc/mastmaintd/remote/pass".into()),
            reach: Reach {
                ssh_key: Some("/etc/mastmaintd/remote/key".into()),
                known_hosts: Some("/etc/mastmaintd/remote/hosts".into()),
                environment_file: None,
            },
            ..Borg::default()
        }),
        Place::Borg(Borg {
            repository: "/srv/borg".into(),
            password_file: None,
            key_file: Some("/root/key".into()),
            archives: Some("*-[a".into()),
            reach: Reach::default(),
        }),
    ]);
    let key = || PathBuf::from("/etc/a: key");
    let decrypt = select(vec![
        None,
        Some(Decrypt::Age { key: key() }),
        Some(Decrypt::Gpg { key: Some(key()), passphrase: None }),
        Some(Decrypt::Gpg { key: Some(key()), passphrase: Some(key()) }),
        Some(Decrypt::Gpg { key: None, passphrase: Some(key()) }),
    ]);
    let paths = || collection::vec("[a-z.]{1,4}x(/[a-z#:]{1,4})?", 0..3);
    let budget = (option::of(span(9999)), option::of(any::<u64>().prop_map(Bytes::new)));
    let times = (option::of((60_u64..9999).prop_map(Span::from_secs)), span(9999), span(9999));
    let every = select(Every::ALL.map(|(_, every)| every).to_vec());
    let assertions = collection::vec("(SELECT|with) [ -~é]{0,9}x", 0..3);
    let drill = (every, assertions, any::<u64>().prop_map(Bytes::new), any::<bool>());
    let drill = drill.prop_map(|(schedule, assertions, reserve, boot)| DrillPlan {
        schedule,
        assertions,
        reserve,
        boot,
    });
    let drill = option::of(drill);
    (place, paths(), paths(), option::of("[a-z]{1,4}/live"), budget, times, decrypt, drill).prop_map(
        |(place, require, forbid, live, (time, bytes), (max_age, prove_every, wait), decrypt, drill)| {
            // A repository on another host has a budget, and no dump beside it on this one.
            let is_remote = place.is_remote();
            let bytes = bytes.or_else(|| is_remote.then(|| Bytes::new(5)));
            let budget = Budget { time, bytes };
            let is_encrypted = matches!(place, Place::Tar { .. });
            let files = Backup {
                place,
                max_age,
                require,
                forbid,
                live,
                files: None,
                inside: None,
                decrypt: decrypt.clone().filter(|_| is_encrypted),
                drill: None,
                budget,
                prove_every,
                wait,
            };
            let can_boot = matches!(files.place, Place::Rsnapshot { .. } | Place::Tree { .. });
            let can_boot = can_boot && files.live.is_some();
            let drill = drill.map(|plan| DrillPlan { boot: plan.boot && can_boot, ..plan });
            let dump = Backup {
                place: Place::Postgres { path: "/srv/mastodon-*.dump".into() },
                require: vec![],
                forbid: vec![],
                live: None,
                files: Some("files".parse().unwrap()),
                inside: (decrypt.is_some() || is_remote).then(|| "files".parse().unwrap()),
                decrypt,
                drill: drill.filter(|_| !is_remote),
                ..files.clone()
            };
            [("files", files), ("dump", dump)].map(|(name, b)| (name.parse().unwrap(), b)).into()
        },
    )
}

fn probes() -> impl Strategy<Value = Probes> {
    let free = collection::vec(
        ("/[a-z]{1,6}x", any::<u64>())
            .prop_map(|(path, bytes)| FreeSpace { path: path.into(), at_least: Bytes::new(bytes) }),
        1..3,
    );
    let address = select(vec![None, Some("127.0.0.1:3000"), Some("[::1]:80"), Some("/run/a b.sock")]);
    let (pages, hour) = (collection::vec("/[a-z?=&@]{0,8}", 1..3), 3600..9999_u64);
    let question =
        (0..10_u8, free, pages, address, hour).prop_map(|(kind, free, pages, address, seconds)| {
            let address = address.map(|address| address.parse().unwrap());
            match kind {
                0 => Question::Web { pages, address },
                1 => Question::Api { address },
                2 => Question::Sidekiq { oldest_job: Span::from_secs(seconds) },
                3 => Question::Certificate { expires_in: Span::from_secs(seconds) },
                4 => Question::Disk { free },
                5 => Question::Units,
                6 => Question::Postgres,
                7 => Question::Redis,
                _ => Question::Assets,
            }
        });
    let policy = ((10..9999_u64).prop_map(Span::from_secs), span(300), 1..100_u16, 1..100_u16);
    let probe = (question, policy).prop_map(|(question, (every, timeout, down_after, up_after))| Probe {
        question,
        every,
        timeout,
        down_after,
        up_after,
    });
    let name = "[a-z0-9][a-z0-9_-]{0,8}".prop_map(|n| n.parse().unwrap());
    collection::btree_map(name, probe, 0..4)
}

fn settings() -> impl Strategy<Value = Settings> {
    let instance = environment().prop_map(|mut environment| {
        environment.entry("RAILS_ENV".into()).or_insert_with(|| "production".into());
        Instance {
            live: "/srv/mastodon's live".into(),
            user: "mastodon".into(),
            services: ["mastodon-web", "mastodon-sidekiq"].map(|u| u.parse().unwrap()).into(),
            settle: USUAL_SETTLE,
            environment,
            url: Some("https://social.example".into()),
        }
    });
    let name = "[a-z0-9][a-z0-9_-]{0,8}".prop_map(|n| n.parse().unwrap());
    let hold = (0..4_000_000_000_i64, 1..100_000_000_i64, "[!-~é]{1,9}( [!-~é]{1,9})?").prop_map(
        |(from, long, reason)| Hold {
            from: Timestamp::from_second(from).unwrap(),
            until: Timestamp::from_second(from + long).unwrap(),
            scope: HoldScope::Change,
            reason,
        },
    );
    let holds = collection::vec(hold, 0..3);
    let notify = collection::vec(target(), 0..4);
    (instance, backups(), collection::btree_map(name, job(), 0..4), holds, notify, probes()).prop_map(
        |(instance, backups, mut jobs, holds, notify, probes): (_, Backups, BTreeMap<_, Job>, _, _, _)| {
            // Which room verifies a backup follows from where it is.
            for step in jobs.values_mut().flat_map(|job| &mut job.steps) {
                if let Action::Verify(action) = &mut step.action {
                    action.remote = backups["files"].is_remote(&backups);
                }
            }
            let ledger =
                LedgerSettings { keep: Span::from_secs(400 * 86_400), keep_output: Span::from_secs(86_400) };
            Settings { instance: Some(instance), backups, jobs, holds, notify, probes, ledger }
        },
    )
}

/// Texts that are nearly a configuration: the sample with some lines changed for rubbish.
fn mutated() -> impl Strategy<Value = String> {
    let rubbish = prop_oneof!["\\PC{0,20}", "[-:\\[\\]{}*&!|>'\"%@` \ta#?,]{0,12}"];
    collection::vec((0..SAMPLE.len(), rubbish), 1..6).prop_map(|changes| {
        let mut text = SAMPLE.to_owned();
        for (at, rubbish) in changes {
            let at = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.insert_str(at, &rubbish);
        }
        text
    })
}

fn survives(text: &str) {
    match load_str("m.yaml", text) {
        Ok(loaded) => drop(loaded),
        Err(rejection) => {
            assert!(!rejection.mistakes.is_empty(), "refused without a word: {text:?}");
            for diagnostic in rejection.mistakes {
                assert!(!diagnostic.headline().contains('\n'), "{:?}", diagnostic.headline());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_settings_read_back(settings in settings()) {
        let again = loaded(&effective_yaml(&settings).unwrap());
        prop_assert_eq!(digest(&settings).unwrap(), again.digest);
        prop_assert_eq!(settings, again.settings);
    }

    #[test]
    fn any_bytes_are_survived(bytes in collection::vec(any::<u8>(), 0..300)) {
        survives(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_yaml_like_text_is_survived(text in "[-:\\[\\]{}*&!|>'\"%@` \n\ta1#?,<.]{0,60}") {
        survives(&text);
    }

    #[test]
    fn any_change_of_the_sample_is_survived(text in mutated()) {
        survives(&text);
    }
}

/// Processor time of this thread: that of the wall belongs to whoever else uses the machine.
fn used() -> Duration {
    nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap().into()
}

#[test]
fn nothing_takes_long() {
    let most = usize::try_from(MAX_FILE).unwrap();
    let fill = |piece: &str| piece.repeat(most / piece.len());
    let many = |piece: fn(usize) -> String| {
        let mut text = "jobs:\n".to_owned();
        for n in 0.. {
            let next = piece(n);
            if text.len() + next.len() > most {
                return text;
            }
            text.push_str(&next);
        }
        text
    };
    let texts = [
        fill("["),
        fill("{"),
        fill("- "),
        fill("[\n"),
        fill("? "),
        fill("a: "),
        fill("\"\\"),
        fill("&a "),
        fill("*a "),
        fill("a: *\n"),
        fill("a: @x\n"),
        fill("a:\n"),
        fill("'"),
        fill("- a\n"),
        fill("a,"),
        format!("a: &a [{}]\nb: [{}]", fill("x,").split_at(1000).0, fill("*a,").split_at(60_000).0),
        many(|n| {
            format!(" j{n}: {{timezone: Europe/Pari{n}, schedule: '0 0 30 2 *', steps: [{{run: /a}}]}}\n")
        }),
        many(|n| format!(" j{n}: {{schedule: '{} 0 30 2 *', steps: [{{run: /a}}]}}\n", n % 60)),
        many(|n| format!(" j{n}: {{schedule: '0 0 31 2 *', steps: []}}\n")),
        many(|n| {
            format!(
                " j{n}: {{schedule: '{} 0 29 2 *', window: {{until: '02:00'}}, steps: [{{run: /a}}]}}\n",
                n % 60
            )
        }),
        many(|n| format!(" j{n}: {{scedul{n}: 1}}\n")),
        format!("jobs: {{a: {{environment: {{{}}}}}}}", fill("A: 1, ").split_at(60_000).0),
        format!("jobs: {{a: {{environment: {{\n{}}}}}}}", fill(" A: 1,\n").split_at(60_000).0),
        format!(
            "jobs: {{a: {{environment: {{\n{}}}}}}}",
            format!(" A: '{}',\n", "é".repeat(200)).repeat(149)
        ),
        format!("jobs: {{a: {{steps: [{{systemctl: 'stop {}'}}]}}}}", fill("a ").split_at(60_000).0),
        format!("instance: {{services: [{}]}}", fill("a,").split_at(60_000).0),
        "x".repeat(most + 1),
    ];
    for text in texts {
        // The best of three: caches are shared, too, and the code may not be slow each time.
        let time = || {
            let begin = used();
            survives(&text);
            used().saturating_sub(begin)
        };
        let best = (0..3).map(|_| time()).min().unwrap();
        println!("{best:>12.1?} for {:?}…", text.chars().take(40).collect::<String>());
        // Unoptimised tests get three times what the release build promises.
        let most = if cfg!(debug_assertions) { 300 } else { 100 };
        assert!(
            best < Duration::from_millis(most),
            "{best:?} for {:?}…",
            text.chars().take(40).collect::<String>()
        );
    }
}

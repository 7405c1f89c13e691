use super::*;
use proptest::prelude::*;

#[test]
fn secrets_are_not_shown() {
    for (argv, expected) in [
        (&["echo", "--password=hunter2,&x", "hi"][..], "echo '--password=[redacted]' hi"),
        (&["curl", "-u", "backup:s3cr3t", "http://a/"], "curl -u backup:[redacted] http://a/"),
        (&["curl", "-ubackup:s3cr3t"], "curl -ubackup:[redacted]"),
        (&["curl", "--user=backup:s3cr3t"], "curl '--user=backup:[redacted]'"),
        (&["x", "--api-key", "s3cr3t", "y"], "x --api-key [redacted] y"),
        (&["x", "--Access_Token", "s3cr3t"], "x --Access_Token [redacted]"),
        (&["x", "--password", "two words"], "x --password [redacted]"),
        (&["env", "PGPASSWORD=s3cr3t", "psql"], "env 'PGPASSWORD=[redacted]' psql"),
        (&["pg_dump", "postgres://me:p@ss@db/x"], "pg_dump postgres://me:[redacted]@db/x"),
        (&["git", "https://ghp_0123456789abcdef@a/"], "git https://[redacted]@a/"),
        (&["curl", "http://a/?token=s3cr3t&b=1"], "curl 'http://a/?token=[redacted]&b=1'"),
        (&["curl", "-H", "Authorization: Bearer s3cr3t"], "curl -H 'Authorization: [redacted]'"),
        (&["curl", "-HX-Api-Key:s3cr3t"], "curl -HX-Api-Key:[redacted]"),
        (&["curl", "-d", "{\"token\":\"s3cr3t\",\"a\":1}"], "curl -d '{\"token\":\"[redacted]\",\"a\":1}'"),
        (&["curl", "-d", "{\"token\": \"s3cr3t\"}"], "curl -d '{\"token\": \"[redacted]'"),
        (&["sh", "-c", "x --token s3cr3t; y"], "sh -c 'x --token [redacted] y'"),
        (&["sh", "-c", "curl -u 'a:b c' http://a"], "sh -c 'curl -u '\\''a:[redacted] http://a'"),
        (&["sh", "-c", "X -H \"Cookie: a=s3cr3t\" b"], "sh -c 'X -H \"Cookie: [redacted]\" b'"),
        (&["/usr/bin/mysqldump", "-ps3cr3t", "db"], "/usr/bin/mysqldump -p[redacted] db"),
        (&["redis-cli", "-a", "s3cr3t", "ping"], "redis-cli -a [redacted] ping"),
    ] {
        let argv: Vec<String> = argv.iter().map(|a| (*a).to_owned()).collect();
        assert_eq!(shown(&argv), expected);
        assert!(!secrets_of(&argv).is_empty(), "{expected}");
    }
}

#[test]
fn what_is_no_secret_is_shown() {
    for line in [
        "tootctl media remove --days 7",
        "restic --password-file /etc/x backup",
        "aws --access-key-id AKIA x",
        "docker run -u 1000:1000 x",
        "curl https://alice@a.example/ -d monkey=1",
        "rsync -a a b:/c",
        "sh -c 'echo 12:30 && date'",
        "git clone ssh://git@a.example/x",
        "mkdir -p /tmp/x",
    ] {
        let argv = shell_words::split(line).unwrap();
        assert_eq!(shown(&argv), shell_words::join(&argv));
        assert_eq!(secrets_of(&argv), [""; 0]);
    }
}

proptest! {
    #[test]
    fn a_value_behind_a_telling_name_is_never_shown(
        name in "(--)?[a-z]{0,4}-?(password|token|api-key|secret)",
        secret in "[A-Za-z0-9/+:@=&,;. ]{3,12}Zq9",
        joined in any::<bool>(),
    ) {
        let option = format!("--{}", name.trim_start_matches('-'));
        let argv = if joined { vec![format!("{option}={secret}")] } else { vec![option, secret] };
        let line = shown(&argv);
        prop_assert!(!line.contains("Zq9"), "{line}");
    }

    #[test]
    fn never_panics(argv in proptest::collection::vec("[\\PC\"' =:/@-]{0,20}|--token|-u|mysql", 0..6)) {
        let _ = shown(&argv);
    }
}

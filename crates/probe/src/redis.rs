//! Whether the instance's Redis answers and takes writes.

use crate::{Asker, fine, unknown, wrong};
use mastmaint_instance::Redis;
use mastmaint_runner::probe::{Conversation, Said, Value};
use std::io;

/// Asks each that the instance uses: Mastodon's, that of Sidekiq, that of the cache.
pub(crate) fn ask(asker: &Asker) -> Said {
    let all = match asker.variables().and_then(|variables| Redis::all(&variables)) {
        Ok(all) => all,
        Err(why) => return unknown(why),
    };
    let faults: Vec<String> = all.iter().filter_map(fault).collect();
    if !faults.is_empty() {
        return wrong(faults.join("; "));
    }
    let places: Vec<String> = all.iter().map(|redis| redis.at.to_string()).collect();
    fine(format!("Redis at {} answers", places.join(", ")))
}

fn fault(redis: &Redis) -> Option<String> {
    let at = &redis.at;
    match info(redis) {
        Ok(info) => info.as_deref().and_then(refuses_writes).map(|why| format!("Redis at {at} {why}")),
        Err(error) => Some(format!("Redis at {at}: {error}")),
    }
}

/// What it says of itself; nothing if it may not be asked that.
fn info(redis: &Redis) -> io::Result<Option<String>> {
    let mut open = Conversation::open(redis)?;
    open.ask(&["PING"])?;
    Ok(match open.ask(&["INFO"]) {
        Ok(Value::Text(info)) => Some(info),
        _ => None,
    })
}

/// Why it takes no writes, if it does not.
fn refuses_writes(info: &str) -> Option<&'static str> {
    let get =
        |name: &str| info.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'));
    let number = |name: &str| get(name).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let (used, most) = (number("used_memory"), number("maxmemory"));
    if get("loading") == Some("1") {
        return Some("is still reading its data");
    }
    if get("rdb_last_bgsave_status") == Some("err") {
        return Some(
            "cannot write its snapshot, and so refuses writes unless stop-writes-on-bgsave-error is off",
        );
    }
    if get("aof_last_write_status") == Some("err") {
        return Some("cannot write its log of changes, and refuses writes");
    }
    // Older and newer versions, and those that were made of it, have other names for the same.
    let is_so = |names: [&str; 2], value: &str| names.iter().any(|name| get(name) == Some(value));
    let is_replica = matches!(get("role"), Some("slave" | "replica"));
    if is_replica && is_so(["slave_read_only", "replica_read_only"], "1") {
        return Some("is a replica and takes no writes");
    }
    // Told only where it wants some.
    if is_so(["min_slaves_good_slaves", "min_replicas_good_replicas"], "0") {
        return Some("has none of the replicas without which it refuses writes (min-replicas-to-write)");
    }
    if most > 0 && used >= most && get("maxmemory_policy") == Some("noeviction") {
        return Some("is full (maxmemory) and refuses writes");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use mastmaint_instance::Variables;
    use std::{
        os::unix::net::UnixStream,
        path::Path,
        process::{Child, Command, Stdio},
        thread,
        time::{Duration, Instant},
    };

    const PROGRAM: &str = "/usr/bin/redis-server";

    /// A real one, which ends with the test.
    struct Server(Child);

    impl Drop for Server {
        fn drop(&mut self) {
            let _gone = self.0.kill();
            let _ended = self.0.wait();
        }
    }

    /// What is wrong with a real server that was started like this.
    fn fault_of_a_real_one(like: &[&str]) -> Option<String> {
        let scratch = tempfile::tempdir().unwrap();
        let socket = scratch.path().join("redis");
        let mut command = Command::new(PROGRAM);
        command.args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"]).arg(&socket);
        command.arg("--dir").arg(scratch.path()).args(like).stdout(Stdio::null());
        let _server = Server(command.spawn().unwrap());
        let begun = Instant::now();
        while UnixStream::connect(&socket).is_err() && begun.elapsed() < Duration::from_mins(1) {
            thread::sleep(Duration::from_millis(20));
        }
        let url = format!("unix://{}", socket.display());
        let variables: Variables = [("REDIS_URL".to_owned(), url)].into_iter().collect();
        let all = Redis::all(&variables).unwrap();
        all.iter().find_map(fault)
    }

    #[test]
    fn a_real_one_that_refuses_writes_is_heard() {
        if !Path::new(PROGRAM).exists() {
            return;
        }
        assert_eq!(fault_of_a_real_one(&[]), None);
        let replica = ["--replicaof", "127.0.0.1 1"];
        assert!(fault_of_a_real_one(&replica).unwrap().ends_with("is a replica and takes no writes"));
        let writable = ["--replicaof", "127.0.0.1 1", "--replica-read-only", "no"];
        assert_eq!(fault_of_a_real_one(&writable), None);
        let lonely = fault_of_a_real_one(&["--min-replicas-to-write", "1"]);
        assert!(lonely.unwrap().contains("min-replicas-to-write"));
    }

    #[test]
    fn one_that_takes_no_writes_says_why() {
        let fine = "# Memory\r\nused_memory:100\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\nloading:0\r\n\
                    rdb_last_bgsave_status:ok\r\naof_last_write_status:ok\r\nrole:master\r\n";
        let read_only = "role:slave\r\nslave_read_only:1";
        assert_eq!(refuses_writes(fine), None);
        for (from, to, said) in [
            ("loading:0", "loading:1", "reading"),
            ("bgsave_status:ok", "bgsave_status:err", "snapshot"),
            ("write_status:ok", "write_status:err", "log of changes"),
            ("maxmemory:0", "maxmemory:100", "full"),
            ("role:master", read_only, "replica"),
            ("role:master", "role:replica\r\nreplica_read_only:1", "replica"),
            ("role:master", "role:master\r\nmin_slaves_good_slaves:0", "min-replicas-to-write"),
        ] {
            assert!(refuses_writes(&fine.replace(from, to)).unwrap().contains(said), "{to}");
        }
        for to in ["role:slave\r\nslave_read_only:0", "role:master\r\nmin_slaves_good_slaves:1"] {
            assert_eq!(refuses_writes(&fine.replace("role:master", to)), None, "{to}");
        }
    }
}

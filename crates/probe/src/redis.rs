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
    if most > 0 && used >= most && get("maxmemory_policy") == Some("noeviction") {
        return Some("is full (maxmemory) and refuses writes");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_takes_no_writes_says_why() {
        let fine = "# Memory\r\nused_memory:100\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\nloading:0\r\n\
                    rdb_last_bgsave_status:ok\r\naof_last_write_status:ok\r\n";
        assert_eq!(refuses_writes(fine), None);
        for (from, to, said) in [
            ("loading:0", "loading:1", "reading"),
            ("bgsave_status:ok", "bgsave_status:err", "snapshot"),
            ("write_status:ok", "write_status:err", "log of changes"),
            ("maxmemory:0", "maxmemory:100", "full"),
        ] {
            assert!(refuses_writes(&fine.replace(from, to)).unwrap().contains(said), "{to}");
        }
    }
}

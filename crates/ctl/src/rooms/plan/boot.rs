//! The rooms in which dumps are brought to life. That of the boot has to see the Ruby and the gems of the instance.

use super::{
    PlanError, Resident, SHIPPED_LIVE, Wanted, Which, fit, head, is_hidden, is_shipped, readable, setting,
};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// Who brings dumps to life.
const DRILLS: &str = "mastmaintd-drill";
/// Where versions of Ruby are below the home of the instance's user.
const RUBIES: [&str; 2] = [".rbenv/versions", ".asdf/installs/ruby"];

/// Sees nothing but what it is handed.
pub(super) fn drill() -> Wanted {
    drilling(Which::Drill, None)
}

fn drilling(room: Which, drop_in: Option<String>) -> Wanted {
    Wanted { room, user: DRILLS.to_owned(), network: "none", writes: Vec::new(), drop_in }
}

/// Sees the Ruby and the gems of the instance, wherever they are, and writes nothing.
pub(super) fn boot(resident: Option<&Resident>) -> Result<Wanted, PlanError> {
    let Some(resident) = resident else { return Ok(drilling(Which::Boot, None)) };
    let gems = resident.live.join("vendor/bundle");
    let mut seen: Vec<PathBuf> =
        readable(resident).into_iter().filter(|path| *path != resident.live).collect();
    let fits_shipped = resident.live == Path::new(SHIPPED_LIVE) && seen.iter().all(|path| is_shipped(path));
    if fits_shipped {
        return Ok(drilling(Which::Boot, None));
    }
    // Where rbenv and asdf keep what they have built.
    let rubies =
        resident.home.iter().flat_map(|home| RUBIES.map(|below| home.join(below).display().to_string()));
    let rubies: Vec<String> = rubies.collect();
    seen.push(gems.clone());
    for path in &seen {
        fit("the path", &path.to_string_lossy())?;
    }
    let mut text = head();
    let _ = writeln!(text, "Environment=RUBIES={}", rubies.join(":"));
    let _ = writeln!(text, "Environment=GEMS={}", gems.display());
    text.push_str("BindPaths=\n");
    let hidden: Vec<&PathBuf> = seen.iter().filter(|path| is_hidden(path)).collect();
    setting(&mut text, "BindReadOnlyPaths", &hidden);
    Ok(drilling(Which::Boot, Some(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident(user: &str, home: &str, live: &str) -> Resident {
        Resident {
            user: user.to_owned(),
            home: Some(home.into()),
            live: live.into(),
            path: None,
            media: Vec::new(),
        }
    }

    #[test]
    fn the_boot_room_sees_ruby_and_gems_only() {
        let drop_in = |resident: &Resident| {
            let text = boot(Some(resident)).unwrap().drop_in.unwrap();
            text.split_once("[Service]\n").unwrap().1.to_owned()
        };
        assert_eq!(
            drop_in(&resident("masto", "/home/masto", "/home/masto/live")),
            "Environment=RUBIES=/home/masto/.rbenv/versions:/home/masto/.asdf/installs/ruby\n\
             Environment=GEMS=/home/masto/live/vendor/bundle\nBindPaths=\n\
             BindReadOnlyPaths=-/home/masto/.rbenv\nBindReadOnlyPaths=-/home/masto/live/vendor/bundle\n"
        );
        let elsewhere = drop_in(&resident("mastodon", "/var/lib/mastodon", "/srv/live"));
        assert!(elsewhere.ends_with("Environment=GEMS=/srv/live/vendor/bundle\nBindPaths=\n"), "{elsewhere}");
        // Whoever the instance's user is: the room's is another one.
        assert_eq!(
            boot(Some(&resident("toot", "/home/mastodon", "/home/mastodon/live"))).unwrap().drop_in,
            None
        );
    }
}

//! The change room: the instance's user, who may write all of the Rails root in it.

use super::{
    PlanError, Resident, SHIPPED_LIVE, SHIPPED_USER, Wanted, Which, fit, is_hidden, of_libpq, of_user,
    readable, setting,
};
use mastmaint_words::Room;
use std::path::{Path, PathBuf};

const NETWORK: &str = "yes";
const SHIPPED_HOME: &str = "/home/mastodon";

/// What Node brings along or leaves in a home beside what Ruby does.
const NODE: &str = ".nvm";
/// Where package managers keep what they have fetched.
const CACHE: &str = ".cache";

pub(super) fn change(resident: Option<&Resident>) -> Result<Wanted, PlanError> {
    let shipped = Resident {
        user: SHIPPED_USER.to_owned(),
        home: Some(SHIPPED_HOME.into()),
        live: SHIPPED_LIVE.into(),
        path: None,
        media: Vec::new(),
    };
    let resident = resident.unwrap_or(&shipped);
    if resident.user == "root" {
        return Err(PlanError::Root);
    }
    fit("the user", &resident.user)?;
    let reads: Vec<PathBuf> = seen(resident);
    for path in reads.iter().chain([&resident.live]) {
        fit("the path", &path.to_string_lossy())?;
    }
    let known = seen(&shipped);
    let is_shipped = resident.user == shipped.user
        && resident.live == shipped.live
        && reads.iter().all(|path| known.contains(path));
    Ok(Wanted {
        room: Which::Steps(Room::Change),
        user: resident.user.clone(),
        network: NETWORK,
        writes: vec![resident.live.clone()],
        drop_in: (!is_shipped).then(|| text(resident, &reads)),
    })
}

/// Ruby, Node, what `PATH` leads to, and how the database is reached.
fn seen(resident: &Resident) -> Vec<PathBuf> {
    let tools = readable(resident).into_iter().filter(|path| *path != resident.live);
    let node = resident.home.iter().map(|home| home.join(NODE));
    tools.chain(node).chain(of_libpq(resident)).collect()
}

fn text(resident: &Resident, reads: &[PathBuf]) -> String {
    let cache = resident.home.iter().map(|home| home.join(CACHE));
    let (bound, open): (Vec<PathBuf>, Vec<PathBuf>) =
        [resident.live.clone()].into_iter().chain(cache).partition(|path| is_hidden(path));
    let hidden: Vec<&Path> = reads.iter().map(PathBuf::as_path).filter(|path| is_hidden(path)).collect();
    let mut text = of_user(&resident.user);
    setting(&mut text, "BindReadOnlyPaths", &hidden);
    setting(&mut text, "BindPaths", &bound);
    setting(&mut text, "ReadWritePaths", &open);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident(user: &str, home: &str, live: &str) -> Resident {
        Resident { user: user.into(), home: Some(home.into()), live: live.into(), path: None, media: vec![] }
    }

    #[test]
    fn it_writes_the_rails_root_wherever_that_is() {
        let usual = change(Some(&resident("mastodon", "/home/mastodon", "/home/mastodon/live"))).unwrap();
        assert_eq!((usual.drop_in, usual.writes), (None, vec!["/home/mastodon/live".into()]));
        let settings = |resident: &Resident| {
            let text = change(Some(resident)).unwrap().drop_in.unwrap();
            text.split_once("[Service]\n").unwrap().1.to_owned()
        };
        assert_eq!(
            settings(&resident("masto", "/home/masto", "/home/masto/live")),
            "User=masto\nGroup=\nBindPaths=\nBindReadOnlyPaths=-/home/masto/.rbenv\nBindReadOnlyPaths=-/home/masto/.nvm\n\
             BindReadOnlyPaths=-/home/masto/.postgresql\nBindReadOnlyPaths=-/home/masto/.pgpass\n\
             BindPaths=-/home/masto/live\nBindPaths=-/home/masto/.cache\n"
        );
        assert_eq!(
            settings(&resident("masto", "/srv/masto", "/srv/masto/live")),
            "User=masto\nGroup=\nBindPaths=\nReadWritePaths=-/srv/masto/live\nReadWritePaths=-/srv/masto/.cache\n"
        );
        assert_eq!(change(Some(&resident("root", "/root", "/root/live"))), Err(PlanError::Root));
    }
}

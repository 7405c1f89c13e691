//! The restore room: it needs the directory in which the Rails root lies as one mount, because a switch is a rename, and
//! to see the backups wherever they are.

use super::{PlanError, Resident, SHIPPED_LIVE, Wanted, Which, fit, head, is_hidden, setting};
use mastmaint_words::Room;
use std::path::{Path, PathBuf};

pub(super) fn restore(resident: Option<&Resident>, backups: &[PathBuf]) -> Result<Wanted, PlanError> {
    let live = resident.map_or(Path::new(SHIPPED_LIVE), |resident| &resident.live);
    let around = live.parent().unwrap_or(live).to_owned();
    let mut seen: Vec<PathBuf> = Vec::new();
    for place in backups.iter().map(|place| of_place(place)) {
        if is_hidden(&place) && !place.starts_with(&around) && !seen.contains(&place) {
            seen.push(place);
        }
    }
    for path in seen.iter().chain([&around]) {
        fit("the path", &path.to_string_lossy())?;
    }
    let fits_shipped = live == Path::new(SHIPPED_LIVE) && seen.is_empty();
    let drop_in = (!fits_shipped).then(|| {
        let mut text = head();
        text.push_str("BindPaths=\n");
        setting(&mut text, "BindReadOnlyPaths", &seen);
        let name = if is_hidden(&around) { "BindPaths" } else { "ReadWritePaths" };
        setting(&mut text, name, &[&around]);
        text
    });
    Ok(Wanted {
        room: Which::Steps(Room::Restore),
        user: "root".to_owned(),
        network: "none",
        writes: if resident.is_some() { vec![around] } else { Vec::new() },
        drop_in,
    })
}

/// What of a place can be mounted: of a pattern the directory in which it is looked for.
fn of_place(place: &Path) -> PathBuf {
    let is_pattern = place.to_string_lossy().contains(['*', '?']);
    if is_pattern { place.parent().unwrap_or(place).to_owned() } else { place.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(live: &str, backups: &[&str]) -> Option<String> {
        let resident = Resident {
            user: "mastodon".into(),
            home: None,
            live: live.into(),
            path: None,
            media: Vec::new(),
        };
        let backups: Vec<PathBuf> = backups.iter().map(PathBuf::from).collect();
        let text = restore(Some(&resident), &backups).unwrap().drop_in?;
        Some(text.split_once("[Service]\n").unwrap().1.to_owned())
    }

    #[test]
    fn the_usual_mastodon_with_backups_elsewhere_needs_no_drop_in() {
        assert_eq!(settings(SHIPPED_LIVE, &["/backup/mastodon", "/home/mastodon/backup"]), None);
    }

    #[test]
    fn the_root_and_the_backups_are_seen_wherever_they_are() {
        assert_eq!(
            settings("/home/masto/live", &["/home/backup/files-*.tar"]).unwrap(),
            "BindPaths=\nBindReadOnlyPaths=-/home/backup\nBindPaths=-/home/masto\n"
        );
        assert_eq!(settings("/srv/masto/live", &[]).unwrap(), "BindPaths=\nReadWritePaths=-/srv/masto\n");
    }
}

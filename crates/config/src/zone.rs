//! Time zones from the system's database, which apt keeps up to date. jiff finds one by its name only after it has
//! walked the whole database, and keeps its 600 names for good (90 KB): here the file of the name is read.

use jiff::{Error, tz::TimeZone};
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::SystemTime,
};

/// Where Debian's tzdata puts them.
const DATABASE: &str = "/usr/share/zoneinfo";
/// What this host calls its own.
const LOCAL: &str = "/etc/localtime";

/// Zones that were read, so that a hundred jobs in one zone share it; read again when tzdata was upgraded.
static READ: Mutex<BTreeMap<String, (SystemTime, TimeZone)>> = Mutex::new(BTreeMap::new());

/// The zone of a name as the database spells it; other spellings are found as jiff finds them.
///
/// # Errors
/// If there is no such zone.
pub fn named(name: &str) -> Result<TimeZone, Error> {
    file(name).and_then(|path| read(name, &path)).map_or_else(|| TimeZone::get(name), Ok)
}

/// The zone of this host; UTC if it says none.
pub fn local() -> TimeZone {
    let link = if env::var_os("TZ").is_some() { None } else { fs::canonicalize(LOCAL).ok() };
    let name = link.as_deref().and_then(|path| path.strip_prefix(DATABASE).ok()?.to_str());
    // A TZ, a copied file and a database in another place are for jiff.
    name.and_then(|name| named(name).ok()).unwrap_or_else(TimeZone::system)
}

/// The file of a name, if it can be one: no way out of the database, and not one of its copies with other rules.
fn file(name: &str) -> Option<PathBuf> {
    let plain = |part: &str| {
        part.starts_with(|c: char| c.is_ascii_alphanumeric())
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "_+-".contains(c))
    };
    let first = name.split('/').next()?;
    let named = name.split('/').all(plain) && first != "posix" && first != "right";
    (named && env::var_os("TZDIR").is_none()).then(|| Path::new(DATABASE).join(name))
}

fn read(name: &str, path: &Path) -> Option<TimeZone> {
    let changed = fs::metadata(path).and_then(|meta| meta.modified()).ok()?;
    let mut known = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((when, zone)) = known.get(name)
        && *when == changed
    {
        return Some(zone.clone());
    }
    let zone = TimeZone::tzif(name, &fs::read(path).ok()?).ok()?;
    known.insert(name.to_owned(), (changed, zone.clone()));
    Some(zone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn a_zone_is_the_one_that_jiff_finds() {
        for name in
            ["Europe/Paris", "America/Argentina/Buenos_Aires", "Australia/Lord_Howe", "Etc/GMT+5", "UTC"]
        {
            let (ours, theirs) = (named(name).unwrap(), TimeZone::get(name).unwrap());
            assert_eq!(ours.iana_name(), theirs.iana_name());
            for month in 0..300_i64 {
                let at = Timestamp::from_second(1_700_000_000 + month * 2_629_800).unwrap();
                assert_eq!(ours.to_offset(at), theirs.to_offset(at), "{name} {at}");
            }
        }
    }

    #[test]
    fn another_spelling_is_found_and_what_is_no_zone_is_not() {
        assert_eq!(named("europe/paris").unwrap().iana_name(), Some("Europe/Paris"));
        for wrong in [
            "Europe",
            "Europe/Pariss",
            "tzdata.zi",
            "../../../etc/localtime",
            "/etc/localtime",
            "posix/UTC",
            "",
        ] {
            assert!(named(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_host_has_the_zone_that_jiff_says() {
        let now = Timestamp::now();
        assert_eq!(local().to_offset(now), TimeZone::system().to_offset(now));
    }
}

//! From the instance to what each room's unit must say. Pure: the shipped units fit a Mastodon of user `mastodon` in
//! `/home/mastodon/live`; for any other a drop-in says what differs.

mod boot;
mod change;
mod restore;

use mastmaint_words::{Room, restore::Restoring};
use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

/// First words of every file that is ours: only such a file is ever replaced or removed.
pub const MARK: &str = "# Written by `mastmaintctl rooms --apply`";

/// What the shipped tootctl room is made for.
const SHIPPED_USER: &str = "mastodon";
const SHIPPED_LIVE: &str = "/home/mastodon/live";
const SHIPPED_READABLE: [&str; 4] =
    [SHIPPED_LIVE, "/home/mastodon/.rbenv", "/home/mastodon/.postgresql", "/home/mastodon/.pgpass"];
/// What libpq reads in the home of who connects: certificates, and passwords.
const OF_LIBPQ: [&str; 2] = [".postgresql", ".pgpass"];
/// Where the systemctl room keeps accepted configurations.
const ACCEPTED: &str = "/var/lib/mastmaintd-accepted";
/// What rooms see of the network that ask the instance's services.
const ASKING: &str = "as the instance needs";
/// Who reaches other hosts and owns nothing on this one.
const REMOTE: &str = "mastmaintd-remote";
/// What `ProtectHome=tmpfs` hides.
const HIDDEN: [&str; 3] = ["/home", "/root", "/run/user"];

/// The instance, as far as rooms care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resident {
    /// Its user.
    pub user: String,
    /// The user's home, if there is such a user.
    pub home: Option<PathBuf>,
    /// Its Rails root.
    pub live: PathBuf,
    /// `PATH` of its environment, if the configuration sets one.
    pub path: Option<String>,
    /// Where media really is when that is not `live/public/system`: `PAPERCLIP_ROOT_PATH`, targets of links.
    pub media: Vec<PathBuf>,
}

/// A room: one in which steps run, or one that another room asks: the verify room to bring dumps to life or to load them,
/// the restore room to reach the host of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Of steps.
    Steps(Room),
    /// A dump is brought to life.
    Drill,
    /// Mastodon is started on it, too.
    Boot,
    /// A dump is loaded beside the instance's database.
    Database,
    /// A backup is fetched from its host.
    Fetch,
}

impl Which {
    /// The word in unit, socket and directory names.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Steps(room) => room.as_str(),
            Self::Drill => "drill",
            Self::Boot => "boot",
            Self::Database => "database",
            Self::Fetch => "fetch",
        }
    }
}

/// A room as the configuration wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which.
    pub room: Which,
    /// Who steps run as.
    pub user: String,
    /// What of the network it sees.
    pub network: &'static str,
    /// What it may write beside its own state.
    pub writes: Vec<PathBuf>,
    /// What the drop-in says; `None` where the shipped unit fits.
    pub drop_in: Option<String>,
}

/// Why a room cannot be fitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A unit file could be made to say something else with it.
    #[error(
        "{what} {text:?} cannot stand in a unit file: it may hold letters, digits and . _ - + / @ only; rename it, or link to it"
    )]
    Unfit {
        /// What it is.
        what: &'static str,
        /// It.
        text: String,
    },
    /// tootctl as root leaves files that Mastodon cannot change.
    #[error(
        "instance.user is root: tootctl would leave files behind that Mastodon cannot write; name the user of its units"
    )]
    Root,
}

/// Every room as this instance and these places of backups want it.
pub fn plan(resident: Option<&Resident>, backups: &[PathBuf]) -> Result<Vec<Wanted>, PlanError> {
    let of_steps = Room::ALL.into_iter().map(|room| one(room, resident, backups));
    let database = asking(Which::Database, resident);
    of_steps.chain([Ok(boot::drill()), boot::boot(resident), database, Ok(fetch())]).collect()
}

/// Reaches other hosts for the restore room, and owns nothing on this one.
fn fetch() -> Wanted {
    Wanted { room: Which::Fetch, user: REMOTE.to_owned(), network: "yes", writes: Vec::new(), drop_in: None }
}

/// The unit of a room.
pub fn unit(room: Which) -> String {
    format!("mastmaintd-{}@.service", room.as_str())
}

fn one(room: Room, resident: Option<&Resident>, backups: &[PathBuf]) -> Result<Wanted, PlanError> {
    let plain = |user: &str| Wanted {
        room: Which::Steps(room),
        user: user.to_owned(),
        network: "none",
        writes: Vec::new(),
        drop_in: None,
    };
    match (room, resident) {
        (Room::Systemctl, _) => Ok(Wanted { writes: vec![ACCEPTED.into()], ..plain("root") }),
        (Room::Run, _) => Ok(plain("mastmaintd-run")),
        (Room::Verify, _) => Ok(Wanted { drop_in: verify(backups), ..plain("root") }),
        (Room::Restore, resident) => restore::restore(resident, backups),
        (Room::Remote, _) => Ok(Wanted { network: "yes", ..plain(REMOTE) }),
        (Room::Notify, _) => Ok(Wanted { network: "yes", ..plain("mastmaintd-notify") }),
        (Room::Tootctl, None) => Ok(plain(SHIPPED_USER)),
        (Room::Tootctl, Some(resident)) => tootctl(resident),
        (Room::Probe, resident) => asking(Which::Steps(Room::Probe), resident),
        (Room::Change, resident) => change::change(resident),
    }
}

/// The shipped room sees nothing below /home and /root; where backups are there it may look.
fn verify(backups: &[PathBuf]) -> Option<String> {
    let is_needed = backups.iter().any(|path| is_hidden(path));
    is_needed.then(|| format!("{}ProtectHome=read-only\n", head()))
}

fn tootctl(resident: &Resident) -> Result<Wanted, PlanError> {
    if resident.user == "root" {
        return Err(PlanError::Root);
    }
    fit("the user", &resident.user)?;
    // The first three are those of the shipped unit.
    let mut writes: Vec<PathBuf> =
        ["public/system", "log", "tmp"].iter().map(|below| resident.live.join(below)).collect();
    for path in &resident.media {
        if !writes.iter().any(|known| path.starts_with(known)) {
            writes.push(path.clone());
        }
    }
    let readable: Vec<PathBuf> = readable(resident).into_iter().chain(of_libpq(resident)).collect();
    for path in writes.iter().chain(&readable) {
        fit("the path", &path.to_string_lossy())?;
    }
    let fits_shipped = resident.user == SHIPPED_USER
        && resident.live == Path::new(SHIPPED_LIVE)
        && readable.iter().all(|path| is_shipped(path))
        && writes.len() == 3;
    let drop_in = (!fits_shipped).then(|| text(resident, &readable, &writes));
    Ok(Wanted {
        room: Which::Steps(Room::Tootctl),
        user: resident.user.clone(),
        network: "as the instance needs",
        writes,
        drop_in,
    })
}

/// Asks as the instance's user, and reads where the services are found: it sees the Rails root and writes nothing.
fn asking(room: Which, resident: Option<&Resident>) -> Result<Wanted, PlanError> {
    let wanted = |user: &str, drop_in| Wanted {
        room,
        user: user.to_owned(),
        network: ASKING,
        writes: Vec::new(),
        drop_in,
    };
    let Some(resident) = resident else { return Ok(wanted(SHIPPED_USER, None)) };
    if resident.user == "root" {
        return Err(PlanError::Root);
    }
    fit("the user", &resident.user)?;
    let libpq = of_libpq(resident);
    for path in libpq.iter().chain([&resident.live]) {
        fit("the path", &path.to_string_lossy())?;
    }
    let fits_shipped = resident.user == SHIPPED_USER
        && resident.live == Path::new(SHIPPED_LIVE)
        && libpq.iter().all(|path| is_shipped(path) || !is_hidden(path));
    let drop_in = || {
        // A dump that is loaded must belong to the copy with which it comes back.
        let copies = (room == Which::Database).then(|| resident.live.with_file_name(Restoring::BESIDE));
        let seen: Vec<&PathBuf> = [&resident.live]
            .into_iter()
            .chain(&libpq)
            .chain(&copies)
            .filter(|path| is_hidden(path))
            .collect();
        let mut text = of_user(&resident.user);
        setting(&mut text, "BindReadOnlyPaths", &seen);
        text
    };
    Ok(wanted(&resident.user, (!fits_shipped).then(drop_in)))
}

fn text(resident: &Resident, readable: &[PathBuf], writes: &[PathBuf]) -> String {
    // A copy that is restored is tried before it is switched in.
    let copies = resident.live.with_file_name(Restoring::BESIDE);
    let seen: Vec<&PathBuf> = readable.iter().chain([&copies]).filter(|path| is_hidden(path)).collect();
    let (bound, open): (Vec<&PathBuf>, Vec<&PathBuf>) = writes.iter().partition(|path| is_hidden(path));
    let mut text = of_user(&resident.user);
    setting(&mut text, "BindReadOnlyPaths", &seen);
    setting(&mut text, "BindPaths", &bound);
    text.push_str("ReadWritePaths=\n");
    setting(&mut text, "ReadWritePaths", &open);
    text
}

/// What every drop-in begins with.
fn head() -> String {
    format!(
        "{MARK} from the configuration of mastmaintd; do not edit.\n\
         # It is written again when the configuration changes and removed when it is no longer needed. For settings of\n\
         # your own put another file beside it. An empty setting takes back what the shipped unit says.\n\
         [Service]\n"
    )
}

/// The same for a room of the instance's user, up to the empty list of what is bound.
fn of_user(user: &str) -> String {
    let mut text = head();
    let _ = writeln!(text, "User={user}");
    // The primary group of that user, whatever it is called.
    text.push_str("Group=\n");
    // systemd keeps both kinds in one list, and an empty setting of either empties all of it.
    text.push_str("BindPaths=\n");
    text
}

/// What has to be there to be read: the code, and Ruby where it lives in the user's home (rbenv, or wherever `PATH`
/// leads). The rest of the home stays hidden: keys of ssh have no business in a room.
fn readable(resident: &Resident) -> Vec<PathBuf> {
    let mut paths = vec![resident.live.clone()];
    let Some(home) = &resident.home else { return paths };
    paths.push(home.join(".rbenv"));
    for entry in resident.path.iter().flat_map(|path| path.split(':')) {
        // `.asdf/shims` is of no use without `.asdf/installs`.
        let tool = Path::new(entry).strip_prefix(home).ok().and_then(|rest| rest.components().next());
        if let Some(tool) = tool {
            let path = home.join(tool);
            if !paths.iter().any(|known| path.starts_with(known)) {
                paths.push(path);
            }
        }
    }
    paths
}

/// What who connects to PostgreSQL as the instance does reads beside the instance's settings.
fn of_libpq(resident: &Resident) -> Vec<PathBuf> {
    resident.home.iter().flat_map(|home| OF_LIBPQ.map(|name| home.join(name))).collect()
}

fn is_shipped(path: &Path) -> bool {
    SHIPPED_READABLE.iter().any(|shipped| path == Path::new(shipped))
}

/// The entries of a list; one that is missing on the host does not keep the room from opening.
fn setting(text: &mut String, name: &str, paths: &[impl AsRef<Path>]) {
    for path in paths {
        let _ = writeln!(text, "{name}=-{}", path.as_ref().display());
    }
}

fn is_hidden(path: &Path) -> bool {
    HIDDEN.iter().any(|hidden| path.starts_with(hidden))
}

fn fit(what: &'static str, text: &str) -> Result<(), PlanError> {
    let is_fit = !text.is_empty()
        && !text.starts_with('-')
        && text.split('/').all(|part| part != "..")
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+' | '/' | '@'));
    if is_fit { Ok(()) } else { Err(PlanError::Unfit { what, text: text.to_owned() }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resident(user: &str, home: &str, live: &str, media: &[&str]) -> Resident {
        Resident {
            user: user.to_owned(),
            home: Some(home.into()),
            live: live.into(),
            path: None,
            media: media.iter().map(PathBuf::from).collect(),
        }
    }

    fn settings(resident: &Resident) -> String {
        let wanted = one(Room::Tootctl, Some(resident), &[]).unwrap().drop_in.unwrap();
        assert!(wanted.starts_with(MARK));
        wanted.split_once("[Service]\n").unwrap().1.to_owned()
    }

    #[test]
    fn the_usual_mastodon_needs_no_drop_in() {
        let usual = resident("mastodon", "/home/mastodon", "/home/mastodon/live", &[]);
        assert!(plan(Some(&usual), &[]).unwrap().iter().all(|wanted| wanted.drop_in.is_none()));
        assert!(plan(None, &[]).unwrap().iter().all(|wanted| wanted.drop_in.is_none()));
    }

    #[test]
    fn another_user_in_home_is_bound_through_the_hidden_home() {
        assert_eq!(
            settings(&resident("masto", "/home/masto", "/home/masto/live", &["/mnt/media"])),
            "User=masto\nGroup=\nBindPaths=\nBindReadOnlyPaths=-/home/masto/live\n\
             BindReadOnlyPaths=-/home/masto/.rbenv\nBindReadOnlyPaths=-/home/masto/.postgresql\n\
             BindReadOnlyPaths=-/home/masto/.pgpass\nBindReadOnlyPaths=-/home/masto/.mastmaintd-restore\n\
             BindPaths=-/home/masto/live/public/system\nBindPaths=-/home/masto/live/log\nBindPaths=-/home/masto/live/tmp\n\
             ReadWritePaths=\nReadWritePaths=-/mnt/media\n"
        );
    }

    #[test]
    fn a_mastodon_elsewhere_is_opened_where_it_is() {
        assert_eq!(
            settings(&resident("mastodon", "/var/www/mastodon", "/var/www/mastodon/live", &[])),
            "User=mastodon\nGroup=\nBindPaths=\nReadWritePaths=\n\
             ReadWritePaths=-/var/www/mastodon/live/public/system\nReadWritePaths=-/var/www/mastodon/live/log\n\
             ReadWritePaths=-/var/www/mastodon/live/tmp\n"
        );
    }

    #[test]
    fn ruby_in_the_home_and_code_elsewhere_are_both_seen() {
        let mut elsewhere = resident("mastodon", "/home/mastodon", "/srv/mastodon/live", &[]);
        elsewhere.path = Some("/home/mastodon/.asdf/shims:/home/mastodon/.asdf/bin:/usr/bin".into());
        let text = settings(&elsewhere);
        assert!(text.contains("BindPaths=\nBindReadOnlyPaths=-/home/mastodon/.rbenv\nBindReadOnlyPaths=-/home/mastodon/.asdf\n"), "{text}");
        assert!(text.contains("ReadWritePaths=-/srv/mastodon/live/tmp\n"), "{text}");
    }

    #[test]
    fn the_probe_room_sees_the_code_and_writes_nothing() {
        let masto = resident("masto", "/home/masto", "/home/masto/live", &["/mnt/media"]);
        let wanted = one(Room::Probe, Some(&masto), &[]).unwrap();
        assert!(wanted.writes.is_empty());
        let text = wanted.drop_in.unwrap();
        let settings = text.split_once("[Service]\n").unwrap().1;
        assert_eq!(
            settings,
            "User=masto\nGroup=\nBindPaths=\nBindReadOnlyPaths=-/home/masto/live\n\
             BindReadOnlyPaths=-/home/masto/.postgresql\nBindReadOnlyPaths=-/home/masto/.pgpass\n"
        );
        // So does the one in which a dump is loaded, and the copy beside.
        let database = asking(Which::Database, Some(&masto)).unwrap();
        let more = format!("{text}BindReadOnlyPaths=-/home/masto/.mastmaintd-restore\n");
        assert_eq!(
            (database.drop_in.unwrap(), unit(database.room)),
            (more, "mastmaintd-database@.service".into())
        );
        let elsewhere = resident("masto", "/srv/masto", "/srv/live", &[]);
        let text = one(Room::Probe, Some(&elsewhere), &[]).unwrap().drop_in.unwrap();
        assert!(text.ends_with("User=masto\nGroup=\nBindPaths=\n"), "{text}");
        // Of the usual user with another home, which is hidden, too.
        let moved = resident("mastodon", "/home/toot", "/home/mastodon/live", &[]);
        let text = one(Room::Probe, Some(&moved), &[]).unwrap().drop_in.unwrap();
        assert!(text.ends_with("BindReadOnlyPaths=-/home/toot/.pgpass\n"), "{text}");
    }

    #[test]
    fn nothing_from_the_configuration_can_add_a_line() {
        for bad in ["/srv/a b", "/srv/a\nUser=root", "/srv/%h", "/srv/a:b", "/srv/../etc"] {
            let path = resident("mastodon", "/home/mastodon", bad, &[]);
            assert!(matches!(plan(Some(&path), &[]), Err(PlanError::Unfit { .. })), "{bad:?}");
        }
        let user = resident("a\nUser=root", "/home/a", "/home/a/live", &[]);
        assert!(plan(Some(&user), &[]).is_err());
        assert_eq!(plan(Some(&resident("root", "/root", "/root/live", &[])), &[]), Err(PlanError::Root));
    }

    #[test]
    fn the_verify_room_looks_into_homes_only_where_backups_are_there() {
        let drop_in = |path: &str| one(Room::Verify, None, &[path.into()]).unwrap().drop_in;
        assert_eq!(drop_in("/backup/mastodon-*.dump"), None);
        assert!(
            drop_in("/home/mastodon/backup/*.dump").unwrap().ends_with("[Service]\nProtectHome=read-only\n")
        );
    }
}

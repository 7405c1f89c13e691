//! An instance and a proved backup of it, small and real.

use jiff::Timestamp;
use mastmaint_restore::{Did, RestoreError, Site, Untold};
use mastmaint_verify::{Request, keep, verify};
use mastmaint_words::restore::{RestoreOrder, Restoring};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown, symlink},
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

pub(crate) const RUN: &str = "20261126T200000Z-7k3f9q";
/// Who owned the files when the backup was made: another number than on this host.
const THERE: u32 = 12_345;
const LIVE: &str = "home/mastodon/live";

/// Whether owners can be what they should be.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

pub(crate) struct Host {
    pub(crate) place: TempDir,
    pub(crate) order: RestoreOrder,
}

impl Host {
    /// An instance of today and a backup of yesterday, not verified yet.
    pub(crate) fn unverified() -> Self {
        Self::at(&directory())
    }

    pub(crate) fn at(above: &Path) -> Self {
        let place = tempfile::tempdir_in(above).unwrap();
        let user = if is_root() { nix::unistd::Uid::from_raw(1) } else { nix::unistd::geteuid() };
        let user = nix::unistd::User::from_uid(user).unwrap().unwrap().name;
        let order = format!(
            r#"{{"run":"{RUN}","name":"files","live":"{}","user":"{user}","backup":
            {{"kind":"tree","path":"{}","live":"{LIVE}","prove_every":"7d","wait":"2h"}}}}"#,
            place.path().join(LIVE).display(),
            place.path().join("backup").display()
        );
        let host = Self { order: serde_json::from_str(&order).unwrap(), place };
        host.backup();
        host.today();
        host
    }

    /// The same, verified.
    pub(crate) fn new() -> Self {
        let host = Self::unverified();
        host.verify();
        host
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.place.path().join(below)
    }

    pub(crate) fn live(&self, below: &str) -> PathBuf {
        self.path(LIVE).join(below)
    }

    pub(crate) fn in_backup(&self, below: &str) -> PathBuf {
        self.path("backup").join(LIVE).join(below)
    }

    pub(crate) fn beside(&self, what: &str) -> PathBuf {
        self.path(LIVE).with_file_name(format!("live.{what}-{RUN}"))
    }

    pub(crate) fn staged(&self, below: &str) -> PathBuf {
        self.path(LIVE).with_file_name(".mastmaintd-restore").join(RUN).join(below)
    }

    fn backup(&self) {
        let live = self.in_backup("");
        for (path, text) in [
            ("lib/mastodon/version.rb", "def major\n 4\nend\ndef minor\n 5\nend\n"),
            ("db/migrate/20250101000000_a.rb", "old"),
            ("app/models/account.rb", "class Account; end\n"),
            ("config/a name\nwith a newline", "odd"),
            (".env.production", "LOCAL_DOMAIN=social.example\nSECRET_KEY_BASE=then\nOLD=1\n"),
            (".env.production.sample", "# sample of then\n"),
            ("public/packs/application.css", "body {}\n"),
            ("public/system/media_attachments/files/001/original/gone.png", "gone today"),
            ("public/system/media_attachments/files/001/original/both.png", "then"),
            ("public/system/cache/accounts/avatars/1.png", "cached"),
            ("bin/tootctl", "#!/usr/bin/env ruby\n"),
        ] {
            write(&live.join(path), text);
        }
        let tar = Path::new(env!("CARGO_MANIFEST_DIR")).join("../verify/tests/fixture/system.tar.gz");
        let done = Command::new("tar").arg("xzf").arg(tar).arg("-C").arg(live.join("public/system")).status();
        assert!(done.unwrap().success());
        fs::hard_link(live.join("app/models/account.rb"), live.join("app/models/same.rb")).unwrap();
        symlink("app/models", live.join("models")).unwrap();
        symlink("/etc/passwd", live.join("out")).unwrap();
        fs::set_permissions(live.join("bin/tootctl"), fs::Permissions::from_mode(0o4755)).unwrap();
        fs::set_permissions(live.join(".env.production"), fs::Permissions::from_mode(0o640)).unwrap();
        fs::set_permissions(live.join("config"), fs::Permissions::from_mode(0o2750)).unwrap();
        assert!(Command::new("mkfifo").arg(live.join("tmp.fifo")).status().unwrap().success());
        own(&live, THERE);
    }

    fn today(&self) {
        let live = self.live("");
        for (path, text) in [
            ("lib/mastodon/version.rb", "def major\n 4\nend\ndef minor\n 6\nend\n"),
            ("db/migrate/20260101000000_b.rb", "new"),
            ("config/themes.yml", "broken: true\n"),
            (".env.production", "LOCAL_DOMAIN=social.example\nSECRET_KEY_BASE=now\nNEW=1\n"),
            (".env.production.local", "ONLY_TODAY=1\n"),
            ("public/packs/broken.css", "oops"),
            ("public/system/media_attachments/files/001/original/both.png", "today"),
            ("public/system/media_attachments/files/002/original/new.png", "new today"),
        ] {
            write(&live.join(path), text);
        }
        fs::set_permissions(live.join(".env.production"), fs::Permissions::from_mode(0o600)).unwrap();
        own(&live, 1);
    }

    /// A night of the verify room.
    pub(crate) fn verify(&self) {
        let state = self.path("verify");
        let request = Request {
            name: self.order.name.as_str(),
            backup: &self.order.backup,
            files: None,
            inside: None,
            proofs: &state.join("proofs"),
            scratch: &state.join("scratch"),
            drills: None,
            boots: None,
            full: true,
            now: Timestamp::now(),
        };
        let mut report = verify(&request, &Untold).unwrap();
        // The fixture's settings are not those of a whole instance.
        report.findings.retain(|f| f.code != mastmaint_verify::Code::SecretMissing);
        keep(&report, &self.order.name, &state).unwrap();
    }

    pub(crate) fn asked(&self, verb: Verb) -> Result<Did, RestoreError> {
        verb(&site(&self.path("state"), &self.path("verify/proofs")), &self.order)
    }

    pub(crate) fn journal(&self) -> Restoring {
        let path = Restoring::path(&self.path("state"), &self.order.run);
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }
}

pub(crate) fn site<'a>(state: &'a Path, proofs: &'a Path) -> Site<'a> {
    Site { state, proofs, group: None, tell: &Untold, reach: &|_| () }
}

pub(crate) type Verb = fn(&Site<'_>, &RestoreOrder) -> Result<Did, RestoreError>;

/// A directory on a file system whose inode numbers last, in memory where there is one: the tests wait for disks often.
pub(crate) fn directory() -> PathBuf {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory.to_owned() } else { PathBuf::from("/tmp") }
}

pub(crate) fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

pub(crate) fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap_or_else(|e| e.kind().to_string())
}

/// Everything below belongs to this user, where that can be had.
fn own(path: &Path, number: u32) {
    if !is_root() {
        return;
    }
    let mode = fs::symlink_metadata(path).unwrap().permissions();
    lchown(path, Some(number), Some(number)).unwrap();
    if mode.mode() & 0o170_000 != 0o120_000 {
        fs::set_permissions(path, mode).unwrap();
    }
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).unwrap() {
            own(&entry.unwrap().path(), number);
        }
    }
}

/// Every name below with what it is: owner, permissions, content or target.
pub(crate) fn content(path: &Path) -> BTreeMap<PathBuf, String> {
    let mut all = BTreeMap::new();
    add(path, path, &mut all);
    all
}

fn add(root: &Path, path: &Path, all: &mut BTreeMap<PathBuf, String>) {
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let what = match () {
            () if meta.is_symlink() => format!("-> {}", fs::read_link(&path).unwrap().display()),
            () if meta.is_file() => read(&path),
            () => String::new(),
        };
        let text = format!("{:o} {}:{} {what}", meta.mode(), meta.uid(), meta.gid());
        all.insert(path.strip_prefix(root).unwrap().to_owned(), text);
        if meta.is_dir() {
            add(root, &path, all);
        }
    }
}

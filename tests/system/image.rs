//! Base images: a minimal Debian with systemd, made by mmdebstrap once and kept; every machine runs on a layer above.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A release of Debian.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Debian {
    /// 12, systemd 252.
    Bookworm,
    /// 13, systemd 257.
    Trixie,
}

/// Packages of the image; a change of this list makes a new one.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,init-system-helpers,iproute2,procps,\
                        postgresql,pgbouncer,redis-server,ruby,ruby-bundler,rsnapshot,restic,borgbackup,gpg,age";
/// PostgreSQL is there for drills; a server of its own would only slow each boot.
const NO_SERVER: &str = "mkdir -p \"$1/etc/postgresql-common\" && \
                         echo create_main_cluster=false > \"$1/etc/postgresql-common/createcluster.conf\"";
/// The same: a scenario that needs one starts it.
const SERVERS: [&str; 2] = ["pgbouncer", "redis-server"];
const MIRROR: &str = "http://deb.debian.org/debian";

impl Debian {
    /// Its code name.
    pub(crate) const fn suite(self) -> &'static str {
        match self {
            Self::Bookworm => "bookworm",
            Self::Trixie => "trixie",
        }
    }
}

/// Where images and machines live.
pub(crate) fn system_dir() -> PathBuf {
    std::env::var_os("MASTMAINT_SYSTEM_DIR")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/machines"), PathBuf::from)
}

/// The image of a release; made if it is not there.
pub(crate) fn base(debian: Debian) -> PathBuf {
    assert_eq!(
        fs::metadata("/proc/self").map(|m| m.uid()).ok(),
        Some(0),
        "containers need root: run `cargo xtask system`"
    );
    let images = system_dir().join("images");
    fs::create_dir_all(&images).unwrap();
    let key: String = PACKAGES.split(',').map(|p| &p[..3]).collect();
    let image = images.join(format!("{}-{key}-{}", debian.suite(), PACKAGES.len()));
    // Two tests may ask at once; the lock is the kernel's and goes with the process.
    let lock = fs::File::create(images.join(format!("{}.lock", debian.suite()))).unwrap();
    lock.lock().unwrap();
    if !image.exists() {
        let unfinished = images.join(format!("{}.unfinished", debian.suite()));
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).unwrap();
        }
        let done = Command::new("mmdebstrap")
            .args(["--quiet", "--variant=minbase", "--format=directory"])
            .arg(format!("--include={PACKAGES}"))
            .arg(format!("--essential-hook={NO_SERVER}"))
            .arg(debian.suite())
            .arg(&unfinished)
            .arg(MIRROR)
            .stdin(Stdio::null())
            .status()
            .expect("mmdebstrap: `cargo xtask system` installs it");
        assert!(done.success(), "mmdebstrap of {} failed: {done}", debian.suite());
        for server in SERVERS {
            let disabled = Command::new("systemctl")
                .arg("--root")
                .arg(&unfinished)
                .args(["--quiet", "disable", server])
                .status();
            assert!(disabled.is_ok_and(|d| d.success()), "{server} of {} cannot be disabled", debian.suite());
        }
        // The machine's own: each boot makes a new one unless the layer keeps it.
        fs::write(unfinished.join("etc/machine-id"), "").unwrap();
        fs::rename(&unfinished, &image).unwrap();
    }
    image
}

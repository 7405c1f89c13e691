//! Which file system a file lies on, by a name that outlives a reboot: device numbers do not.

use rustix::fs::{AtFlags, StatxFlags, fstatfs, statx};
use std::{fs, io, os::fd::BorrowedFd, sync::Mutex};

/// Whether a file system's inode numbers can stand for its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// They last: the proof is per inode.
    Last,
    /// They last within a subvolume, and `statx` of each directory says in which one it lies.
    PerSubvolume,
    /// They are made up anew at each mount: the proof is per path.
    MadeUp,
}

/// A file system as the walk needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Device {
    /// Short for its lasting name.
    pub key: u32,
    /// Whether inode numbers stand for files.
    pub(crate) numbers: Numbers,
}

/// The file systems met so far.
#[derive(Debug, Default)]
pub struct Devices {
    met: Mutex<Vec<((u32, u32), Device)>>,
}

const BTRFS: u64 = 0x9123_683e;
/// FUSE (sshfs among them), overlayfs, CIFS, SMB2, 9p, FAT.
const MADE_UP: [u64; 6] = [0x6573_5546, 0x794c_7630, 0xff53_4d42, 0xfe53_4d42, 0x0102_1997, 0x4d44];

impl Devices {
    /// The file system on which an open directory or file lies.
    pub fn of(&self, file: BorrowedFd<'_>) -> io::Result<Device> {
        let stat = statx(file, c"", AtFlags::EMPTY_PATH, StatxFlags::INO)?;
        let number = (stat.stx_dev_major, stat.stx_dev_minor);
        let mut met = self.met.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, device)) = met.iter().find(|(known, _)| *known == number) {
            return Ok(*device);
        }
        let kind = u64::from_ne_bytes(fstatfs(file)?.f_type.to_ne_bytes()) & 0xffff_ffff;
        let numbers = match kind {
            BTRFS => Numbers::PerSubvolume,
            kind if MADE_UP.contains(&kind) => Numbers::MadeUp,
            _ => Numbers::Last,
        };
        let name = lasting_name(number);
        let digest = blake3::hash(name.as_bytes());
        let key = u32::from_le_bytes(digest.as_bytes()[..4].try_into().unwrap_or_default());
        let device = Device { key, numbers };
        met.push((number, device));
        Ok(device)
    }
}

/// The UUID that udev knows, else what was mounted, else the device number.
fn lasting_name((major, minor): (u32, u32)) -> String {
    let udev = fs::read_to_string(format!("/run/udev/data/b{major}:{minor}")).unwrap_or_default();
    if let Some(uuid) = udev.lines().find_map(|l| l.strip_prefix("E:ID_FS_UUID=")) {
        return format!("uuid {uuid}");
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    source_of(&mounts, &format!("{major}:{minor}")).unwrap_or_else(|| format!("device {major}:{minor}"))
}

/// File system type and source of a device in the text of `mountinfo`.
fn source_of(mountinfo: &str, number: &str) -> Option<String> {
    let line = mountinfo.lines().find(|l| l.split(' ').nth(2) == Some(number))?;
    let mut after = line.split_once(" - ")?.1.split(' ');
    let (kind, source) = (after.next()?, after.next()?);
    // Such sources are the same for every mount of the kind: they name nothing.
    (source != "none" && source != kind).then(|| format!("mount {kind} {source}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd as _;

    #[test]
    fn a_mount_is_known_by_its_source() {
        let text = "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n\
                    30 22 0:25 /a /srv rw - zfs tank/backup rw\n31 22 0:26 / /t rw - tmpfs tmpfs rw\n";
        assert_eq!(source_of(text, "254:1").unwrap(), "mount ext4 /dev/vda1");
        assert_eq!(source_of(text, "0:25").unwrap(), "mount zfs tank/backup");
        assert_eq!(source_of(text, "0:26"), None);
        assert_eq!(source_of(text, "9:9"), None);
    }

    #[test]
    fn one_file_system_has_one_key() {
        let devices = Devices::default();
        let place = tempfile::tempdir().unwrap();
        let open = |p: &std::path::Path| fs::File::open(p).unwrap();
        fs::write(place.path().join("a"), "a").unwrap();
        let of = |p: &std::path::Path| devices.of(open(p).as_fd()).unwrap();
        assert_eq!(of(place.path()), of(&place.path().join("a")));
    }
}

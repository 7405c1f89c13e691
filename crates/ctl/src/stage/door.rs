//! The socket of a staged Mastodon. It lies in a directory that belongs to the room's user, and we are root: no link is
//! followed, and what is connected to is exactly what was looked at, a socket of that user.

use super::StageError;
use nix::{
    fcntl::{AT_FDCWD, OFlag, openat},
    sys::{
        socket::{
            AddressFamily, SockFlag, SockType, UnixAddr, connect, getsockopt, setsockopt, socket,
            sockopt::{PeerCredentials, SendTimeout},
        },
        stat::{FileStat, Mode, SFlag, fstat},
        time::TimeVal,
    },
    unistd::Uid,
};
use std::{
    io,
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    path::{Path, PathBuf},
    time::Duration,
};

/// The names that a drill gives.
pub(super) const SCRATCH: &str = "scratch";
const SOCKET: &str = "puma.sock";
/// Who does not take a connection for so long takes none.
const PATIENCE: Duration = Duration::from_secs(10);

/// The directory of a drill, held open: what comes in its place later is not reached by it.
#[derive(Debug)]
pub(super) struct Door {
    scratch: OwnedFd,
    path: PathBuf,
    user: Uid,
}

impl Door {
    /// Opens the directory of the drill at work below a place of this user.
    pub(super) fn open(place: &Path, user: Uid) -> Result<Self, StageError> {
        let path = place.join(SCRATCH);
        let directories = || -> io::Result<OwnedFd> {
            let place = looked_at(AT_FDCWD, place, OFlag::O_DIRECTORY)?;
            is_of(&fstat(&place)?, user, SFlag::S_IFDIR)?;
            let scratch = looked_at(&place, SCRATCH, OFlag::O_DIRECTORY)?;
            is_of(&fstat(&scratch)?, user, SFlag::S_IFDIR)?;
            Ok(scratch)
        };
        match directories() {
            Ok(scratch) => Ok(Self { scratch, path, user }),
            Err(error) => Err(StageError::Door { path, why: error.to_string() }),
        }
    }

    /// Connects to what listens there.
    pub(super) fn connect(&self) -> Result<UnixStream, StageError> {
        self.connected()
            .map_err(|error| StageError::Door { path: self.path.join(SOCKET), why: error.to_string() })
    }

    fn connected(&self) -> io::Result<UnixStream> {
        let found = looked_at(&self.scratch, SOCKET, OFlag::empty())?;
        is_of(&fstat(&found)?, self.user, SFlag::S_IFSOCK)?;
        // By what was looked at and not by its name, behind which something else may be by now.
        let address = UnixAddr::new(format!("/proc/self/fd/{}", found.as_raw_fd()).as_str())?;
        let ours = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
        // It is also how long a full queue is waited for.
        let patience = TimeVal::new(i64::try_from(PATIENCE.as_secs()).unwrap_or(1), 0);
        setsockopt(&ours, SendTimeout, &patience)?;
        connect(ours.as_raw_fd(), &address)?;
        let peer = getsockopt(&ours, PeerCredentials)?;
        if peer.uid() != self.user.as_raw() {
            return Err(io::Error::other("somebody else than the room's user listens there"));
        }
        Ok(UnixStream::from(ours))
    }
}

/// For looking only, and never through a link.
fn looked_at<P: ?Sized + nix::NixPath>(at: impl AsFd, name: &P, more: OFlag) -> io::Result<OwnedFd> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | more;
    Ok(openat(at, name, flags, Mode::empty())?)
}

fn is_of(found: &FileStat, user: Uid, kind: SFlag) -> io::Result<()> {
    if SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT != kind {
        return Err(io::Error::other("it is not what a drill puts there"));
    }
    if found.st_uid != user.as_raw() {
        return Err(io::Error::other("it does not belong to the room's user"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::geteuid;
    use std::{
        fs,
        io::{Read as _, Write as _},
        os::unix::{fs::symlink, net::UnixListener},
    };

    #[test]
    fn only_a_socket_of_the_rooms_user_is_connected_to() {
        let at = tempfile::tempdir().unwrap();
        let place = at.path().join("place");
        let scratch = place.join("scratch");
        let why = |result: Result<UnixStream, StageError>| result.unwrap_err().to_string();
        assert!(Door::open(&place, geteuid()).is_err(), "there is nothing");
        fs::create_dir_all(&scratch).unwrap();
        let other = Uid::from_raw(geteuid().as_raw() + 1);
        assert!(Door::open(&place, other).unwrap_err().to_string().contains("does not belong"));
        let door = Door::open(&place, geteuid()).unwrap();
        assert!(door.connect().is_err(), "nobody listens");

        // A socket elsewhere that the room's user would like root to speak to.
        let elsewhere = at.path().join("elsewhere.sock");
        let listening = UnixListener::bind(&elsewhere).unwrap();
        let socket = scratch.join("puma.sock");
        symlink(&elsewhere, &socket).unwrap();
        assert!(why(door.connect()).contains("not what a drill puts there"));
        fs::remove_file(&socket).unwrap();
        fs::write(&socket, "").unwrap();
        assert!(why(door.connect()).contains("not what a drill puts there"));
        fs::remove_file(&socket).unwrap();
        fs::rename(&elsewhere, &socket).unwrap();
        let mut connection = door.connect().unwrap();
        connection.write_all(b"x").unwrap();
        let mut byte = [0];
        listening.accept().unwrap().0.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"x");

        // What comes in the place of what was opened is another drill's.
        fs::rename(&scratch, place.join("gone")).unwrap();
        fs::create_dir(&scratch).unwrap();
        assert!(door.connect().is_ok());
        fs::remove_dir_all(place.join("gone")).unwrap();
        assert!(door.connect().is_err());
        fs::remove_dir(&scratch).unwrap();
        symlink(at.path(), &scratch).unwrap();
        assert!(Door::open(&place, geteuid()).is_err());
    }
}

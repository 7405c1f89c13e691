//! The two sockets: `observe.sock` for looking, `control.sock` for doing. Time, size and number of clients are
//! capped; what is asked goes to the dispatcher as a message with a channel for the replies, so that no client ever
//! touches the daemon's state.

mod client;

use mastmaint_control::{
    Socket,
    words::{Reply, Request},
};
use std::{
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio::{
    net::UnixListener,
    sync::{Semaphore, mpsc},
};

/// More people than this at once are no people.
const MAX_CLIENTS: usize = 32;
/// Replies that wait for a slow reader before it is given up.
const REPLY_QUEUE: usize = 256;

/// Something asked by a client, checked and allowed.
#[derive(Debug)]
pub struct Ask {
    /// What.
    pub request: Request,
    /// By whom, as the kernel says.
    pub uid: u32,
    /// Where the replies go; the connection ends when it is dropped.
    pub replies: mpsc::Sender<Reply>,
}

/// The sockets; removed from the disk when dropped.
#[derive(Debug)]
pub struct ControlSockets {
    paths: [PathBuf; 2],
}

/// Listens on both sockets in `dir`; every allowed request goes to `asks`.
///
/// # Errors
/// If a socket cannot be made. A socket file left by a daemon that died is replaced: whoever holds the state
/// directory's lock is the only daemon.
pub fn listen(dir: &Path, asks: &mpsc::Sender<Ask>) -> io::Result<ControlSockets> {
    std::fs::create_dir_all(dir)?;
    let paths = [
        open(dir.join("observe.sock"), Socket::Looking, 0o660, asks)?,
        open(dir.join("control.sock"), Socket::Doing, 0o600, asks)?,
    ];
    Ok(ControlSockets { paths })
}

fn open(path: PathBuf, kind: Socket, mode: u32, asks: &mpsc::Sender<Ask>) -> io::Result<PathBuf> {
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode))?;
    // Of each socket: those who look must not keep out those who do.
    let (asks, clients) = (asks.clone(), Arc::new(Semaphore::new(MAX_CLIENTS)));
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of descriptors: the clients that hold them time out.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            };
            let permit = Arc::clone(&clients).try_acquire_owned();
            tokio::spawn(client::serve(stream, kind, asks.clone(), permit.ok()));
        }
    });
    Ok(path)
}

impl Drop for ControlSockets {
    fn drop(&mut self) {
        for path in &self.paths {
            // Nobody is left to tell; a socket file that stays is replaced at the next start.
            let _ = std::fs::remove_file(path);
        }
    }
}

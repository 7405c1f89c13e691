//! What others do: which runs the daemon works on, and which steps go on in the rooms.

use mastmaint_control::{
    Client,
    words::{Reply, Request},
};
use mastmaint_runner::{
    codec,
    protocol::{Event, EventKind, MAX_FRAME, Op, Request as ToRoom, VERSION},
    systemctl::Systemctl,
};
use mastmaint_words::{Room, RunId};
use std::{
    collections::BTreeSet,
    io::{self, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

/// Both are on this host: what takes longer does not answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The runs that the daemon works on; `None` if it does not answer.
pub(crate) fn held_by_daemon(observe: &Path) -> Option<BTreeSet<RunId>> {
    let mut client = Client::connect(observe, Some(PATIENCE)).ok()?;
    match client.ask(&Request::Status).ok()? {
        Reply::Status(status) => {
            Some(status.running.into_iter().chain(status.queued).map(|line| line.run).collect())
        }
        _ => None,
    }
}

/// Whether a step of the run goes on in any room.
pub(crate) fn works(rooms: &Path, systemctl: &Systemctl, run: &RunId) -> bool {
    Room::ALL.into_iter().any(|room| match working_runs(rooms, room) {
        Ok(runs) => runs.contains(run),
        // A room whose socket is shut may have somebody in it still.
        Err(_) => systemctl
            .instances_of(&[format!("mastmaintd-{room}@.service")])
            .is_ok_and(|open| !open.is_empty()),
    })
}

fn working_runs(rooms: &Path, room: Room) -> io::Result<BTreeSet<RunId>> {
    let stream = UnixStream::connect(rooms.join(format!("{room}.sock")))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut reader = BufReader::new(stream);
    let request = codec::encode(&ToRoom { v: VERSION, op: Op::List }).map_err(io::Error::other)?;
    reader.get_mut().write_all(&request)?;
    let mut runs = BTreeSet::new();
    loop {
        let line = codec::read_frame(&mut reader, MAX_FRAME).map_err(io::Error::other)?;
        let line = line.ok_or(io::ErrorKind::UnexpectedEof)?;
        match codec::decode::<Event>(&line).map_err(io::Error::other)?.kind {
            EventKind::Kept { key, working: true, .. } => {
                runs.insert(key.run);
            }
            EventKind::Listed | EventKind::Refused { .. } => return Ok(runs),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::BufRead, os::unix::net::UnixListener, thread};

    #[test]
    fn a_room_says_which_runs_have_steps_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(dir.path().join("tootctl.sock")).unwrap();
        let room = thread::spawn(move || {
            let mut stream = listener.accept().unwrap().0;
            BufReader::new(stream.try_clone().unwrap()).read_line(&mut String::new()).unwrap();
            let kept = |run: &str, working: bool| {
                format!(
                    r#"{{"v":1,"event":"kept","key":{{"run":"{run}","step":0}},"job":"a","digest":"0123456789abcdef0123456789abcdef","at":"2026-11-23T00:30:00Z","working":{working}}}"#
                ) + "\n"
            };
            let hello = "{\"v\":1,\"event\":\"hello\",\"room\":\"tootctl\",\"program\":\"x\",\"oldest\":1}\n";
            let said = [
                hello,
                &kept("20261123T003000Z-aaaaaa", true),
                &kept("20261123T003000Z-bbbbbb", false),
                "{\"v\":1,\"event\":\"listed\"}\n",
            ];
            stream.write_all(said.concat().as_bytes()).unwrap();
        });
        let runs = working_runs(dir.path(), Room::Tootctl).unwrap();
        assert_eq!(runs, ["20261123T003000Z-aaaaaa".parse().unwrap()].into());
        room.join().unwrap();
        assert!(working_runs(dir.path(), Room::Run).is_err(), "its socket is shut");
    }
}

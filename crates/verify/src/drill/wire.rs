//! A drill over the wire: the order, the open dump and a stream of files come in, what was drilled goes out.

use super::{Drilled, Handed, Host, Order, drill};
use crate::{
    error::VerifyError,
    wire::{self, Hangup},
};
use std::{fs::File, io, os::unix::net::UnixStream, path::Path, sync::atomic::AtomicBool, time::Duration};

/// Who does not read for so long does not listen any more.
const DEAF: Duration = Duration::from_mins(1);

/// Receives one order, does it, answers. An error is told to who asked, too.
pub fn answer(
    from: &UnixStream,
    place: &Path,
    host: &Host,
    is_cancelled: &AtomicBool,
) -> Result<Drilled, VerifyError> {
    let (order, handed): (Order, _) = wire::receive(from).map_err(VerifyError::room)?;
    let handed = belongs(&order, handed).map_err(VerifyError::room)?;
    from.set_write_timeout(Some(DEAF)).map_err(VerifyError::room)?;
    let hangup = Hangup::new(from, is_cancelled);
    let drilled = drill(&order, handed, place, host, &hangup);
    let told = match &drilled {
        Ok(drilled) => hangup.done(drilled),
        Err(error) => hangup.failed(&error.to_string()),
    };
    let drilled = drilled?;
    told.map_err(VerifyError::room)?;
    Ok(drilled)
}

/// What came with an order must be what it speaks of.
fn belongs(order: &Order, handed: Vec<File>) -> io::Result<Handed> {
    let mut handed = handed.into_iter();
    let dump = handed.next().ok_or_else(|| io::Error::other("no dump came with the order"))?;
    let files = handed.next();
    if order.boot.is_some() && files.is_none() {
        return Err(io::Error::other("no files of Mastodon came with the order"));
    }
    Ok(Handed { dump, files })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drill::{Files, Shape};

    #[test]
    fn an_order_needs_its_dump_and_a_boot_its_files() {
        let order = |boot| Order {
            dump: "x.dump".to_owned(),
            shape: Shape::Archive(1, 16),
            size: 5,
            domain: Some("mast.test".to_owned()),
            code: [1, 2].into(),
            before: None,
            assertions: vec!["SELECT true".to_owned()],
            reserve: 7,
            boot,
            stage: None,
        };
        let handed = |count| (0..count).map(|_| tempfile::tempfile().unwrap()).collect();
        assert!(belongs(&order(None), handed(0)).is_err());
        assert!(belongs(&order(None), handed(1)).unwrap().files.is_none());
        let files = Files { name: "daily.0".to_owned(), bytes: 9, ruby: None };
        assert!(belongs(&order(Some(files.clone())), handed(1)).is_err(), "a boot without its files");
        assert!(belongs(&order(Some(files)), handed(2)).unwrap().files.is_some());
    }
}

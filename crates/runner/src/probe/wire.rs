//! A connection to a service, over TCP or a Unix socket, with a limit on every wait.

use mastmaint_instance::Listening;
use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs},
    os::unix::net::UnixStream,
    time::Duration,
};

/// A service on the same host is there at once or not at all.
const CONNECT: Duration = Duration::from_secs(3);
/// The first page after a start takes Rails a few seconds.
const ANSWER: Duration = Duration::from_secs(10);

/// Both directions of a connection.
pub trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Where a host is. `localhost` is two addresses, a service listens at one of them, and no file has to say so.
fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if host == "localhost" {
        return Ok(vec![(Ipv4Addr::LOCALHOST, port).into(), (Ipv6Addr::LOCALHOST, port).into()]);
    }
    Ok((host, port).to_socket_addrs()?.collect())
}

/// Connects, with limits on that and on every wait for an answer.
///
/// # Errors
/// If nobody is there.
pub fn connect(at: &Listening) -> io::Result<Box<dyn Stream>> {
    match at {
        Listening::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(ANSWER))?;
            stream.set_write_timeout(Some(ANSWER))?;
            Ok(Box::new(stream))
        }
        Listening::Tcp { host, port } => {
            let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
            for address in addresses(host, *port)? {
                match TcpStream::connect_timeout(&address, CONNECT) {
                    Ok(stream) => {
                        stream.set_read_timeout(Some(ANSWER))?;
                        stream.set_write_timeout(Some(ANSWER))?;
                        return Ok(Box::new(stream));
                    }
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
    }
}

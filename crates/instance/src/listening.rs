//! Where the instance's own servers listen, as their environment says: `SOCKET`, else `BIND` and `PORT`.

use crate::Variables;
use std::path::PathBuf;

/// Where something listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listening {
    /// A Unix socket.
    Unix(PathBuf),
    /// Host and port.
    Tcp {
        /// A name or an address.
        host: String,
        /// The port.
        port: u16,
    },
}

impl std::fmt::Display for Listening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// The servers of a Mastodon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Puma.
    Web,
    /// The streaming server.
    Streaming,
}

impl Server {
    const fn usual_port(self) -> u16 {
        match self {
            Self::Web => 3000,
            Self::Streaming => 4000,
        }
    }

    /// Where a process with these variables listens.
    ///
    /// # Errors
    /// If a variable says something that is no place to listen at.
    pub fn listens(self, variables: &Variables) -> Result<Listening, String> {
        if let Some(socket) = variables.get("SOCKET") {
            return Ok(Listening::Unix(socket.into()));
        }
        let port = match variables.get("PORT") {
            Some(port) => port.parse().map_err(|_| format!("PORT is {port:?}, which is no port"))?,
            None => self.usual_port(),
        };
        let host = match variables.get("BIND") {
            // Everywhere is also here.
            None | Some("0.0.0.0") => "127.0.0.1",
            Some("::" | "[::]") => "::1",
            Some(bind) => bind.trim_start_matches('[').trim_end_matches(']'),
        };
        Ok(Listening::Tcp { host: host.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(server: Server, pairs: &[(&str, &str)]) -> Result<String, String> {
        let variables = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        server.listens(&variables).map(|place| place.to_string())
    }

    #[test]
    fn the_usual_places_and_what_the_environment_says() {
        assert_eq!(at(Server::Web, &[]).unwrap(), "127.0.0.1:3000");
        assert_eq!(at(Server::Streaming, &[]).unwrap(), "127.0.0.1:4000");
        assert_eq!(at(Server::Web, &[("BIND", "0.0.0.0"), ("PORT", "3001")]).unwrap(), "127.0.0.1:3001");
        assert_eq!(at(Server::Web, &[("BIND", "[::]")]).unwrap(), "[::1]:3000");
        assert_eq!(
            at(Server::Web, &[("SOCKET", "/run/puma.sock"), ("PORT", "1")]).unwrap(),
            "/run/puma.sock"
        );
        assert!(at(Server::Web, &[("PORT", "tcp")]).unwrap_err().contains("no port"));
    }
}

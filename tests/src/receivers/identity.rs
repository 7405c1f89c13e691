//! A certificate for 127.0.0.1 that nobody has signed: who shall believe it is told by `SSL_CERT_FILE`.

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{PrivateKeyDer, pem::PemObject as _},
};
use std::{
    fs, io,
    net::TcpStream,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Who a server says it is.
#[derive(Debug, Clone)]
pub struct Identity {
    certificate: PathBuf,
    config: Arc<ServerConfig>,
}

impl Identity {
    /// A new one; its certificate lies in `dir`.
    pub fn new(dir: &Path) -> io::Result<Self> {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).map_err(io::Error::other)?;
        let certificate = dir.join("certificate.pem");
        fs::write(&certificate, made.cert.pem())?;
        let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes());
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.map_err(io::Error::other)?)
            .map_err(io::Error::other)?;
        Ok(Self { certificate, config: Arc::new(config) })
    }

    /// What those need who shall believe it.
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// The server's end of a connection behind TLS.
    pub(super) fn behind_tls(
        &self,
        stream: TcpStream,
    ) -> io::Result<StreamOwned<ServerConnection, TcpStream>> {
        let connection = ServerConnection::new(Arc::clone(&self.config)).map_err(io::Error::other)?;
        Ok(StreamOwned::new(connection, stream))
    }
}

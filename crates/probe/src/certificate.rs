//! Whether the certificate of the public address is trusted, and for how long still. No certificate is taken apart here:
//! it is checked as a browser would, once as of now and once as of the day until which it must be good.

use crate::{fine, unknown, wrong};
use jiff::Timestamp;
use mastmaint_instance::Listening;
use mastmaint_runner::probe::{Said, connect};
use mastmaint_words::Span;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::ring,
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use rustls_platform_verifier::Verifier;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

const PORT: u16 = 443;

/// Greets the server of the address, and looks at what it shows. Every wait is bounded by the connection.
pub(crate) fn ask(url: &str, expires_in: Span) -> Said {
    let Some((host, port)) = place(url) else {
        return unknown("instance.url does not begin with https://");
    };
    let trusted = match Verifier::new(Arc::new(ring::default_provider())) {
        Ok(verifier) => Arc::new(verifier),
        Err(error) => return unknown(format!("this host's trusted certificates cannot be read: {error}")),
    };
    greet(&host, port, trusted, expires_in)
}

fn place(url: &str) -> Option<(String, u16)> {
    let authority = url.strip_prefix("https://")?.trim_end_matches('/');
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok()?),
        _ => (authority, PORT),
    };
    Some((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port))
}

fn greet(host: &str, port: u16, trusted: Arc<dyn ServerCertVerifier>, expires_in: Span) -> Said {
    let Ok(name) = ServerName::try_from(host.to_owned()) else {
        return unknown(format!("{host} is no name of a server"));
    };
    let verifier = Arc::new(Ahead { trusted, by: expires_in.get(), ends: Mutex::default() });
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|builder| {
            let builder = builder.dangerous().with_custom_certificate_verifier(Arc::clone(&verifier) as _);
            builder.with_no_client_auth()
        });
    let connection = config.and_then(|config| ClientConnection::new(Arc::new(config), name));
    let mut connection = match connection {
        Ok(connection) => connection,
        Err(error) => return unknown(format!("this program speaks no TLS: {error}")),
    };
    let at = Listening::Tcp { host: host.to_owned(), port };
    let greeted = connect(&at).and_then(|mut stream| connection.complete_io(&mut stream));
    match (greeted, verifier.ends()) {
        (Err(error), _) => wrong(format!("{at}: {}", reason(&error))),
        (Ok(_), Some(End::At(at))) => wrong(format!(
            "the certificate of {host} is good until {at} only, which is less than {expires_in}"
        )),
        (Ok(_), Some(End::Unknown)) => {
            wrong(format!("the certificate of {host} will not be good any more in {expires_in}"))
        }
        (Ok(_), None) => {
            fine(format!("the certificate of {host} is trusted, and good for {expires_in} and more"))
        }
    }
}

/// What is wrong with a certificate in words; else what the network said.
fn reason(error: &std::io::Error) -> String {
    let of_tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match of_tls {
        Some(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
            format!("its certificate was good until {} and is not any more", day(*not_after))
        }
        Some(Error::InvalidCertificate(CertificateError::Expired)) => "its certificate is over".to_owned(),
        Some(Error::InvalidCertificate(why)) => format!("its certificate is not trusted: {why}"),
        Some(other) => format!("TLS: {other}"),
        None => error.to_string(),
    }
}

fn day(at: UnixTime) -> String {
    let at = i64::try_from(at.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    at.map_or_else(|| "an unknown day".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// When a certificate ends that does not last long enough.
#[derive(Debug, Clone, PartialEq, Eq)]
enum End {
    At(String),
    Unknown,
}

/// Trusts what another verifier trusts, and notes whether that would still be so after a while.
#[derive(Debug)]
struct Ahead {
    trusted: Arc<dyn ServerCertVerifier>,
    by: Duration,
    ends: Mutex<Option<End>>,
}

impl Ahead {
    fn ends(&self) -> Option<End> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Ahead {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let as_of =
            |at| self.trusted.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, at);
        let verified = as_of(now)?;
        let then = UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()) + self.by);
        let end = match as_of(then) {
            Ok(_) => None,
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. })) => {
                Some(End::At(day(not_after)))
            }
            Err(_) => Some(End::Unknown),
        };
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = end;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trusted.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.trusted.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.trusted.supported_verify_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{CertificateParams, KeyPair};
    use rustls::{
        RootCertStore, ServerConfig, ServerConnection, client::WebPkiServerVerifier, pki_types::PrivateKeyDer,
    };
    use std::{net::TcpListener, thread};

    /// A server whose certificate trusts itself and is good for so many days; what is said of it.
    fn said(days: i64, name: &str, wanted_days: u64) -> Said {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let end = Timestamp::now().as_second() + days * 86_400;
        let date = Timestamp::from_second(end).unwrap().to_zoned(jiff::tz::TimeZone::UTC).date();
        let day = |n: i8| u8::try_from(n).unwrap();
        params.not_after = rcgen::date_time_ymd(date.year().into(), day(date.month()), day(date.day()));
        let certificate = params.self_signed(&key).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der().clone()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let trusted: Arc<dyn ServerCertVerifier> =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .unwrap();
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
            // A client that does not trust it hangs up.
            let _ = connection.complete_io(&mut stream);
        });
        let said = greet("localhost", port, trusted, Span::from_secs(wanted_days * 86_400));
        server.join().unwrap();
        said
    }

    #[test]
    fn one_that_ends_soon_is_told_before_it_does() {
        assert!(matches!(said(90, "localhost", 14), Said::Answers { .. }));
        let soon = said(10, "localhost", 14);
        assert!(matches!(&soon, Said::Silent { why } if why.contains("good until 20")), "{soon:?}");
        let over = said(-1, "localhost", 14);
        assert!(matches!(&over, Said::Silent { why } if why.contains("not any more")), "{over:?}");
    }

    #[test]
    fn one_of_another_name_is_not_trusted() {
        let other = said(90, "other.example", 14);
        assert!(matches!(&other, Said::Silent { why } if why.contains("not trusted")), "{other:?}");
    }

    #[test]
    fn the_server_is_found_in_the_address() {
        assert_eq!(place("https://social.example/"), Some(("social.example".to_owned(), 443)));
        assert_eq!(place("https://social.example:8443"), Some(("social.example".to_owned(), 8443)));
        assert_eq!(place("https://[::1]"), Some(("::1".to_owned(), 443)));
        assert_eq!(place("http://social.example"), None);
    }
}

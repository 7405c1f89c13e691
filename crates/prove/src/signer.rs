//! Signed requests to a bucket: AWS signature version 4, as far as HEAD and a listing need it.

use hmac::{Hmac, KeyInit, Mac};
use jiff::{Timestamp, tz::TimeZone};
use mastmaint_instance::Bucket;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// SHA-256 of an empty body.
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Signs for a bucket.
#[derive(Debug, Clone, Copy)]
pub struct Signer<'a> {
    bucket: &'a Bucket,
}

/// A request with its signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Where it goes.
    pub url: String,
    /// What goes along; `Host` follows from the address.
    pub headers: Vec<(&'static str, String)>,
}

impl<'a> Signer<'a> {
    /// For this bucket.
    pub const fn of(bucket: &'a Bucket) -> Self {
        Self { bucket }
    }

    /// Signs a request without a body for a key, or for the bucket itself if that is empty.
    pub fn sign(&self, method: &str, key: &str, query: &[(&str, &str)], now: Timestamp) -> Signed {
        let bucket = self.bucket;
        let (scheme, authority) = bucket.endpoint.split_once("://").unwrap_or(("https", &bucket.endpoint));
        let (host, path) = if bucket.path_style {
            (authority.to_owned(), format!("/{}/{}", encoded(&bucket.name, true), encoded(key, false)))
        } else {
            (format!("{}.{authority}", bucket.name), format!("/{}", encoded(key, false)))
        };
        let mut pairs: Vec<(String, String)> =
            query.iter().map(|(name, value)| (encoded(name, true), encoded(value, true))).collect();
        pairs.sort();
        let query = pairs.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("&");
        let time = now.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%SZ").to_string();
        let date = &time[..8];
        let names = "host;x-amz-content-sha256;x-amz-date";
        let canonical = format!(
            "{method}\n{path}\n{query}\nhost:{host}\nx-amz-content-sha256:{EMPTY}\nx-amz-date:{time}\n\n{names}\n{EMPTY}"
        );
        let scope = format!("{date}/{}/s3/aws4_request", bucket.region);
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
        let mut secret = format!("AWS4{}", bucket.secret_access_key).into_bytes();
        for part in [date, bucket.region.as_str(), "s3", "aws4_request"] {
            secret = mac(&secret, part.as_bytes());
        }
        let signature = hex(&mac(&secret, to_sign.as_bytes()));
        let id = &bucket.access_key_id;
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={id}/{scope},SignedHeaders={names},Signature={signature}");
        let question = if query.is_empty() { String::new() } else { format!("?{query}") };
        Signed {
            url: format!("{scheme}://{host}{path}{question}"),
            headers: vec![
                ("x-amz-content-sha256", EMPTY.to_owned()),
                ("x-amz-date", time),
                ("authorization", authorization),
            ],
        }
    }
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    // Any length of key will do, so there is none that is refused.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Percent-encoded as the signature wants it; slashes of a key stay.
fn encoded(text: &str, slashes: bool) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            b'/' if !slashes => encoded.push('/'),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The listing of AWS's own examples of signature version 4: `GET /?max-keys=2&prefix=J`.
    #[test]
    fn signs_as_the_documentation_does() {
        let bucket = Bucket {
            endpoint: "https://s3.amazonaws.com".into(),
            name: "examplebucket".into(),
            region: "us-east-1".into(),
            path_style: false,
            prefix: None,
            access_key_id: "AKIAIOSFODNN7EXAMPLE".into(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
        };
        let now = "2013-05-24T00:00:00Z".parse().unwrap();
        let signed = Signer::of(&bucket).sign("GET", "", &[("prefix", "J"), ("max-keys", "2")], now);
        assert_eq!(signed.url, "https://examplebucket.s3.amazonaws.com/?max-keys=2&prefix=J");
        let authorization = &signed.headers[2].1;
        assert!(
            authorization
                .ends_with("Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
            "{authorization}"
        );
    }

    #[test]
    fn an_endpoint_of_its_own_has_the_bucket_in_the_path() {
        let bucket = Bucket {
            endpoint: "http://127.0.0.1:9009".into(),
            name: "media".into(),
            region: "us-east-1".into(),
            path_style: true,
            prefix: None,
            access_key_id: "x".into(),
            secret_access_key: "y".into(),
        };
        let signed = Signer::of(&bucket).sign("HEAD", "cache/a b.png", &[], Timestamp::UNIX_EPOCH);
        assert_eq!(signed.url, "http://127.0.0.1:9009/media/cache/a%20b.png");
    }
}

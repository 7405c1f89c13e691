//! What a browser asks, as the web server in front of Mastodon would pass it on. Pure.

use super::fields::{Head, write};

/// Where a visitor comes from, as Mastodon is told: nobody's address. For this host it counts no tries to log in.
const VISITOR: &str = "192.0.2.1";

/// A larger upload is none that somebody tries out.
const LARGEST: u64 = 1024 * 1024 * 1024;
/// What is said by us or holds for one connection only. What names a forwarder is refused, too: we are the first.
const NOT_PASSED: [&str; 13] = [
    "host",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "upgrade",
    "transfer-encoding",
    "expect",
    "forwarded",
    "via",
    "client-ip",
    "x-real-ip",
    "x-sendfile-type",
];
const NOT_PASSED_BEGINNINGS: [&str; 3] = ["x-forwarded-", "x-accel-", "proxy-"];

/// A request that is passed on.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) head: Vec<u8>,
    /// Bytes that come after it.
    pub(super) body: u64,
    /// How the browser calls us: `127.0.0.1:3000`, or with another port at the other end of a tunnel.
    pub(super) here: String,
}

/// Why one is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Malformed,
    /// A page of somebody else has had its name point here.
    OtherHost,
    Streaming,
    /// Something that a browser would keep.
    Worker,
    NoLength,
    TooLarge,
    TooSlow,
    HeadTooLong,
    TooMany,
    NoAnswer,
}

impl Refused {
    /// Status and a sentence.
    pub(super) const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => ("400 Bad Request", "This is no request."),
            Self::OtherHost => ("421 Misdirected Request", "What is staged is at 127.0.0.1 or localhost."),
            Self::Streaming => ("501 Not Implemented", "Streaming is not staged."),
            Self::Worker => ("404 Not Found", "A stage leaves nothing behind in a browser."),
            Self::NoLength => ("411 Length Required", "What is sent must say how long it is."),
            Self::TooLarge => ("413 Content Too Large", "So much is not passed on."),
            Self::TooSlow => ("408 Request Timeout", "The request did not come to its end."),
            Self::HeadTooLong => {
                ("431 Request Header Fields Too Large", "The head of the request is too long.")
            }
            Self::TooMany => ("503 Service Unavailable", "Too many connections at once."),
            Self::NoAnswer => ("502 Bad Gateway", "The staged Mastodon did not answer as it should."),
        }
    }
}

/// Makes of a head the one that Mastodon gets, which is asked by the name `host`.
pub(super) fn request(head: &[u8], host: &str) -> Result<Asked, Refused> {
    let head = Head::read(head).ok_or(Refused::Malformed)?;
    let start = line(head.start).ok_or(Refused::Malformed)?;
    let here = here(&head)?;
    if head.words("upgrade").iter().any(|word| word.starts_with("websocket")) {
        return Err(Refused::Streaming);
    }
    // It would outlive the stage and answer for the next one at this port; Mastodon's app/javascript/mastodon/main.tsx does
    // without.
    if head.all("service-worker").next().is_some() {
        return Err(Refused::Worker);
    }
    let body = length(&head)?;
    let mut passed = format!("{start}\r\n").into_bytes();
    let of_connection = head.words("connection");
    for field in &head.fields {
        let name = field.name.to_ascii_lowercase();
        let is_ours = NOT_PASSED.contains(&name.as_str())
            || NOT_PASSED_BEGINNINGS.iter().any(|beginning| name.starts_with(beginning));
        // To who reads it `a_b` is the same as `a-b`.
        if is_ours || name.contains('_') || (of_connection.contains(&name) && name != "content-length") {
            continue;
        }
        let value = if matches!(name.as_str(), "origin" | "referer") {
            from_there(field.value, &here, host)
        } else {
            field.value.to_vec()
        };
        write(&mut passed, field.name, &value);
    }
    for (name, value) in [
        ("Host", host),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-For", VISITOR),
        ("X-Real-IP", VISITOR),
        ("Connection", "close"),
    ] {
        write(&mut passed, name, value.as_bytes());
    }
    passed.extend_from_slice(b"\r\n");
    Ok(Asked { head: passed, body, here })
}

/// The first line, if it asks for something of this host.
fn line(start: &str) -> Option<&str> {
    let words: Vec<&str> = start.split(' ').collect();
    let [method, target, version] = words[..] else { return None };
    let is_method = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].contains(&method);
    let is_target = target.starts_with('/') && target.bytes().all(|c| c.is_ascii_graphic() && c != b'#');
    (is_method && is_target && matches!(version, "HTTP/1.0" | "HTTP/1.1")).then_some(start)
}

/// How the browser calls us; a name that somebody else has had point here is not ours.
fn here(head: &Head<'_>) -> Result<String, Refused> {
    let hosts: Vec<&[u8]> = head.all("host").collect();
    let [host] = hosts[..] else { return Err(Refused::Malformed) };
    let host = str::from_utf8(host).map_err(|_| Refused::Malformed)?;
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok() && !port.starts_with('+'));
    let is_here = ["127.0.0.1", "localhost", "[::1]"].iter().any(|here| name.eq_ignore_ascii_case(here));
    if is_here && is_port { Ok(host.to_owned()) } else { Err(Refused::OtherHost) }
}

fn length(head: &Head<'_>) -> Result<u64, Refused> {
    if head.all("transfer-encoding").next().is_some() {
        return Err(Refused::NoLength);
    }
    let lengths: Vec<&[u8]> = head.all("content-length").collect();
    match lengths[..] {
        [] => Ok(0),
        [length] if !length.is_empty() && length.iter().all(u8::is_ascii_digit) => {
            let length = str::from_utf8(length).ok().and_then(|digits| digits.parse().ok());
            length.filter(|length| *length <= LARGEST).ok_or(Refused::TooLarge)
        }
        _ => Err(Refused::Malformed),
    }
}

/// A page of ours is one of Mastodon's to it; any other stays what it is.
fn from_there(value: &[u8], here: &str, host: &str) -> Vec<u8> {
    let rest = value.strip_prefix(format!("http://{here}").as_bytes());
    match rest {
        Some(rest) if rest.is_empty() || rest[0] == b'/' => {
            [format!("https://{host}").as_bytes(), rest].concat()
        }
        _ => value.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(head: &str) -> Result<(String, u64), Refused> {
        request(head.as_bytes(), "mast.test")
            .map(|asked| (String::from_utf8(asked.head).unwrap(), asked.body))
    }

    fn with(fields: &str) -> Result<(String, u64), Refused> {
        asked(&format!("POST /x HTTP/1.1\r\nHost: localhost:8000\r\n{fields}\r\n"))
    }

    const OURS: &str = "Host: mast.test\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 192.0.2.1\r\n\
                        X-Real-IP: 192.0.2.1\r\nConnection: close\r\n\r\n";

    #[test]
    fn mastodon_is_asked_as_by_its_web_server() {
        let (head, body) = asked(
            "GET /about?a=b HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nCookie: a=b\r\nConnection: keep-alive, x-mine\r\n\
             X-Mine: y\r\nX-Forwarded-For: 10.0.0.1\r\nX_Forwarded_Proto: http\r\nProxy-Authorization: z\r\n\
             Client-IP: 10.0.0.2\r\nUpgrade-Insecure-Requests: 1\r\nForwarded: for=1\r\n\r\n",
        )
        .unwrap();
        assert_eq!(
            head,
            format!("GET /about?a=b HTTP/1.1\r\nCookie: a=b\r\nUpgrade-Insecure-Requests: 1\r\n{OURS}")
        );
        assert_eq!(body, 0);
        // A length cannot be talked away.
        let (head, body) = with("Content-Length: 7\r\nConnection: content-length\r\n").unwrap();
        assert!(head.contains("Content-Length: 7\r\n") && body == 7, "{head}");
    }

    #[test]
    fn where_a_form_comes_from_is_named_as_mastodon_knows_it() {
        let (head, _) =
            with("Origin: http://localhost:8000\r\nReferer: http://localhost:8000/a?b\r\n").unwrap();
        assert!(head.contains("Origin: https://mast.test\r\nReferer: https://mast.test/a?b\r\n"), "{head}");
        for other in ["http://localhost:80000", "http://evil.test", "null", "http://localhost:8000.evil.test"]
        {
            let (head, _) = with(&format!("Origin: {other}\r\n")).unwrap();
            assert!(head.contains(&format!("Origin: {other}\r\n")), "{head}");
        }
    }

    #[test]
    fn what_is_not_meant_for_it_is_refused() {
        for (fields, why) in [
            ("Host: localhost\r\n", Refused::Malformed),
            ("Content-Length: 1\r\nContent-Length: 1\r\n", Refused::Malformed),
            ("Content-Length: +1\r\n", Refused::Malformed),
            ("Content-Length: \r\n", Refused::Malformed),
            ("Content-Length: 1, 1\r\n", Refused::Malformed),
            ("Content-Length: 99999999999999999999\r\n", Refused::TooLarge),
            ("Content-Length: 2000000000\r\n", Refused::TooLarge),
            ("Transfer-Encoding: chunked\r\n", Refused::NoLength),
            ("Transfer-Encoding: identity\r\nContent-Length: 1\r\n", Refused::NoLength),
            ("Upgrade: websocket\r\nConnection: Upgrade\r\n", Refused::Streaming),
            ("Service-Worker: script\r\n", Refused::Worker),
        ] {
            assert_eq!(with(fields), Err(why), "{fields}");
        }
        for start in [
            "CONNECT mast.test:443 HTTP/1.1",
            "TRACE / HTTP/1.1",
            "GET http://mast.test/ HTTP/1.1",
            "OPTIONS * HTTP/1.1",
            "GET / HTTP/2.0",
            "GET / HTTP/1.1 x",
            "GET  / HTTP/1.1",
            "GET /a b HTTP/1.1",
            "GET /\u{e4} HTTP/1.1",
            "GET /",
            "",
        ] {
            assert_eq!(
                asked(&format!("{start}\r\nHost: localhost\r\n\r\n")),
                Err(Refused::Malformed),
                "{start}"
            );
        }
        for host in
            ["evil.test", "127.0.0.1.evil.test", "localhost:x", "localhost:+1", "10.0.0.1:80", "", "[::1]x"]
        {
            let refused = asked(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
            assert_eq!(refused, Err(Refused::OtherHost), "{host}");
        }
        for host in ["localhost", "LOCALHOST:1", "127.0.0.1:65535", "[::1]", "[::1]:80"] {
            assert!(asked(&format!("GET / HTTP/1.0\r\nHost: {host}\r\n\r\n")).is_ok(), "{host}");
        }
        assert_eq!(asked("GET / HTTP/1.1\r\n\r\n"), Err(Refused::Malformed));
    }

    proptest! {
        /// Whatever comes: either it is refused, or Mastodon gets one head that says who asks in our words only.
        #[test]
        fn nobody_speaks_for_us(fields in prop::collection::vec(("[A-Za-z_:-]{1,20}", "[ -~\\r\\n\\t\u{e4}]{0,20}"), 0..8)) {
            let fields: String = fields.iter().map(|(name, value)| [name, ": ", value, "\r\n"].concat()).collect();
            let head = format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
            if let Ok(asked) = request(head.as_bytes(), "mast.test") {
                prop_assert_eq!(super::super::fields::end_of(&asked.head), Some(asked.head.len()));
                let read = Head::read(&asked.head).unwrap();
                for (name, value) in [("host", "mast.test"), ("x-forwarded-proto", "https"), ("connection", "close")] {
                    prop_assert_eq!(read.all(name).collect::<Vec<_>>(), [value.as_bytes()]);
                }
                prop_assert!(read.fields.iter().all(|field| !field.name.contains('_')));
            }
        }
    }
}

//! What Mastodon answers, as a browser at this address needs it. Pure.

use super::fields::{Head, write};

/// What holds for one connection only, would bind the browser to https at an address that has none, or says what may be
/// kept of it.
const NOT_PASSED: [&str; 11] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "upgrade",
    "trailer",
    "alt-svc",
    "strict-transport-security",
    "x-accel-redirect",
    "cache-control",
    "expires",
    "pragma",
];
/// Files of a build would be taken for those of the next stage at this port.
const KEPT: &[u8] = b"no-store";
/// Beside Mastodon's own, which lets pictures come from anywhere and everything from its domain
/// (`config/initializers/content_security_policy.rb`), and addresses of uploads are absolute ones of that
/// (`app/helpers/routing_helper.rb`): a browser holds both. Nothing is fetched from the instance that runs, nothing sent there.
const POLICY: &[u8] =
    b"default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; form-action 'self'; base-uri 'self'";

/// Makes of a head the one that the browser gets, which calls us `here`. Nothing if it is none.
pub(super) fn reply(head: &[u8], host: &str, here: &str) -> Option<Vec<u8>> {
    let head = Head::read(head)?;
    is_final(head.start).then_some(())?;
    let mut passed = format!("{}\r\n", head.start).into_bytes();
    for field in &head.fields {
        if NOT_PASSED.iter().any(|name| field.is(name)) {
            continue;
        }
        let value = if field.is("location") {
            to_here(field.value, host, here)
        } else if field.is("link") {
            links(field.value, host, here)
        } else if field.is("set-cookie") {
            without_secure(field.value)
        } else {
            field.value.to_vec()
        };
        write(&mut passed, field.name, &value);
    }
    write(&mut passed, "Cache-Control", KEPT);
    write(&mut passed, "Content-Security-Policy", POLICY);
    write(&mut passed, "Connection", b"close");
    passed.extend_from_slice(b"\r\n");
    Some(passed)
}

/// Whether the first line is that of an answer and not of one on the way to it.
fn is_final(start: &str) -> bool {
    let Some(rest) = start.strip_prefix("HTTP/1.0 ").or_else(|| start.strip_prefix("HTTP/1.1 ")) else {
        return false;
    };
    let (status, words) = rest.split_at_checked(3).unwrap_or((rest, ""));
    let is_status = status.len() == 3 && status.bytes().all(|c| c.is_ascii_digit());
    is_status && !status.starts_with(['0', '1']) && (words.is_empty() || words.starts_with(' '))
}

/// A redirection within Mastodon must not lead to the one that runs.
fn to_here(value: &[u8], host: &str, here: &str) -> Vec<u8> {
    for scheme in ["https", "http"] {
        let of_mastodon = format!("{scheme}://{host}");
        let Some((start, rest)) = value.split_at_checked(of_mastodon.len()) else { continue };
        let is_whole = rest.first().is_none_or(|next| b"/?#".contains(next));
        if is_whole && start.eq_ignore_ascii_case(of_mastodon.as_bytes()) {
            return [format!("http://{here}").as_bytes(), rest].concat();
        }
    }
    value.to_vec()
}

/// Pages that follow are named by links: `<https://host/api/v1/bookmarks?max_id=7>; rel="next"`.
fn links(value: &[u8], host: &str, here: &str) -> Vec<u8> {
    let mut to = Vec::with_capacity(value.len());
    let mut parts = value.split(|byte| *byte == b'<');
    to.extend_from_slice(parts.next().unwrap_or_default());
    for part in parts {
        to.push(b'<');
        let end = part.iter().position(|byte| *byte == b'>').unwrap_or(0);
        let (target, rest) = part.split_at(end);
        to.extend(to_here(target, host, here));
        to.extend_from_slice(rest);
    }
    to
}

/// A browser keeps no secure cookie of an address without https. The name of one may say that it has to be secure.
fn without_secure(value: &[u8]) -> Vec<u8> {
    if value.starts_with(b"__") {
        return value.to_vec();
    }
    let parts = value.split(|byte| *byte == b';');
    let kept: Vec<&[u8]> = parts
        .enumerate()
        .filter(|(n, part)| *n == 0 || !part.trim_ascii().eq_ignore_ascii_case(b"secure"))
        .map(|(_, part)| part)
        .collect();
    kept.join(&b';')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_follow_are_those_of_the_stage() {
        let value = b"<https://mast.test/api/v1/bookmarks?max_id=7>; rel=\"next\", <https://mast.test.evil/a>; rel=\"prev\"";
        assert_eq!(
            String::from_utf8(links(value, "mast.test", "127.0.0.1:3000")).unwrap(),
            "<http://127.0.0.1:3000/api/v1/bookmarks?max_id=7>; rel=\"next\", <https://mast.test.evil/a>; rel=\"prev\""
        );
        assert_eq!(links(b"a, <", "mast.test", "x"), b"a, <");
    }

    fn replied(head: &str) -> Option<String> {
        reply(head.as_bytes(), "mast.test", "127.0.0.1:3000").map(|head| String::from_utf8(head).unwrap())
    }

    #[test]
    fn nothing_leads_to_the_running_instance() {
        let head = "HTTP/1.1 302 Found\r\nLocation: https://mast.test/auth/sign_in\r\nConnection: keep-alive\r\n\
                    Strict-Transport-Security: max-age=63072000\r\nSet-Cookie: a=secure; path=/; SECURE; HttpOnly\r\n\
                    Set-Cookie: __Host-b=c; Secure\r\nContent-Length: 0\r\nCache-Control: public, max-age=2419200\r\n\
                    Content-Security-Policy: img-src https:\r\n\r\n";
        // Both policies stay: a browser holds each of them.
        assert_eq!(
            replied(head).unwrap(),
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:3000/auth/sign_in\r\n\
             Set-Cookie: a=secure; path=/; HttpOnly\r\nSet-Cookie: __Host-b=c; Secure\r\nContent-Length: 0\r\n\
             Content-Security-Policy: img-src https:\r\nCache-Control: no-store\r\n\
             Content-Security-Policy: default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; form-action 'self'; \
             base-uri 'self'\r\nConnection: close\r\n\r\n"
        );
        for (location, goes) in [
            ("http://MAST.test", "http://127.0.0.1:3000"),
            ("https://mast.test?a", "http://127.0.0.1:3000?a"),
            ("https://mast.test.evil.test/", "https://mast.test.evil.test/"),
            ("https://mast.test:3000/", "https://mast.test:3000/"),
            ("/about", "/about"),
            ("", ""),
        ] {
            let head = replied(&format!("HTTP/1.0 301 X\r\nLocation: {location}\r\n\r\n")).unwrap();
            assert!(head.contains(&format!("Location: {goes}\r\n")), "{head}");
        }
    }

    #[test]
    fn what_is_no_answer_is_not_passed_on() {
        for start in [
            "HTTP/1.1 101 Switching",
            "HTTP/1.1 100 Continue",
            "HTTP/2 200 OK",
            "HTTP/1.1 20",
            "HTTP/1.1 2000",
            "200 OK",
            "HTTP/1.1 200OK",
            "",
        ] {
            assert_eq!(replied(&format!("{start}\r\nA: b\r\n\r\n")), None, "{start}");
        }
        assert!(replied("HTTP/1.1 200 OK\r\nA: b\nc\r\n\r\n").is_none());
        assert!(replied("HTTP/1.1 404\r\n\r\n").is_some());
    }
}

//! Where something that does not answer is, as the line about it says.

/// `/var/run/postgresql`, `localhost:6379`, `remote.example`.
pub(super) fn of(text: &str) -> Option<String> {
    quoted_server(text)
        .or_else(|| hostname(text))
        .or_else(|| tcp(text))
        .or_else(|| named(text))
        .or_else(|| url(text))
}

/// `connection to server at "10.0.0.5", port 5432 failed`, `… on socket "/run/postgresql/.s.PGSQL.5432" failed`,
/// `connect(2) for "localhost" port 9200`.
fn quoted_server(text: &str) -> Option<String> {
    ["connection to server at \"", "connection to server on socket \"", "connect(2) for \""].iter().find_map(
        |begin| {
            let (_, rest) = text.split_once(begin)?;
            let (server, rest) = rest.split_once('"')?;
            let port = rest.split_once("port ").map(|(_, rest)| digits(rest)).filter(|port| !port.is_empty());
            usable(server)
                .map(|server| port.map_or_else(|| server.to_owned(), |port| format!("{server}:{port}")))
        },
    )
}

/// `There is an issue connecting with your hostname: /var/run/postgresql.`
fn hostname(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("your hostname: ")?;
    let host = rest.split_whitespace().next()?.trim_end_matches('.');
    usable(host).map(str::to_owned)
}

/// `Failed to connect to localhost:6379 (…)`, `Failed to open TCP connection to x:443`, `failed to connect: … on x`.
fn tcp(text: &str) -> Option<String> {
    ["onnect to ", "TCP connection to ", "connecting to Redis on ", "connect(2) for "].iter().find_map(
        |begin| {
            let (_, rest) = text.split_once(begin)?;
            let server = rest.split_whitespace().next()?.trim_end_matches([',', '.', ':', ';']);
            usable(server).filter(|server| server.contains(['.', ':', '/'])).map(str::to_owned)
        },
    )
}

/// `No address for remote.example`.
fn named(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("No address for ")?;
    usable(rest.split_whitespace().next()?.trim_end_matches('.')).map(str::to_owned)
}

/// `(redis://localhost:6379)`; what stands before an @ is nobody's business.
fn url(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("://")?;
    let host = rest.split(['/', ')', ' ', '?', '"', '\'']).next()?;
    let host = host.rsplit('@').next()?;
    usable(host).map(str::to_owned)
}

fn digits(text: &str) -> &str {
    &text[..text.bytes().take_while(u8::is_ascii_digit).count()]
}

/// Names, numbers and paths, nothing else and nothing long.
fn usable(place: &str) -> Option<&str> {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '/' | '[' | ']');
    ((1..=100).contains(&place.len()) && place.chars().all(is_plain)).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_found_however_it_is_told() {
        for (text, place) in [
            (
                "There is an issue connecting with your hostname: /var/run/postgresql. (X)",
                "/var/run/postgresql",
            ),
            ("connection to server at \"10.0.0.5\", port 5432 failed: Connection refused", "10.0.0.5:5432"),
            (
                "connection to server on socket \"/run/postgresql/.s.PGSQL.5432\" failed",
                "/run/postgresql/.s.PGSQL.5432",
            ),
            ("Failed to connect to localhost:6379 (ECONNREFUSED) (redis://localhost:6379)", "localhost:6379"),
            (
                "Connection refused - connect(2) for \"localhost\" port 9200 (localhost:9200)",
                "localhost:9200",
            ),
            ("Failed to open TCP connection to s3.example:443 (getaddrinfo)", "s3.example:443"),
            ("No address for remote.example on https://remote.example/x.png", "remote.example"),
            ("gone (redis://user:secret@cache.example:6379/0)", "cache.example:6379"),
        ] {
            assert_eq!(of(text).as_deref(), Some(place), "{text}");
        }
        assert_eq!(of("execution expired"), None);
        assert_eq!(of("failed to connect to it"), None);
    }
}

//! Messages as HTTP requests.

use crate::error::SendError;
use mastmaint_config::targets::{Preset, Webhook};
use mastmaint_runner::protocol::Notice;
use mastmaint_words::Occasion;
use serde_json::{Value, json};
use std::time::Duration;
use ureq::{
    Agent,
    tls::{RootCerts, TlsConfig},
};

/// Of one request, from the look-up of the name to the last byte.
const PATIENCE: Duration = Duration::from_secs(30);
/// ntfy makes an attachment of what is longer than 4096 bytes.
const MOST_NTFY: usize = 3500;

pub(crate) fn send(hook: &Webhook, notice: &Notice) -> Result<String, SendError> {
    let (url, body) = request(hook, notice);
    let token = hook.token.as_ref().map(|token| match hook.preset {
        Preset::Gotify => ("X-Gotify-Key", token.expose().to_owned()),
        Preset::Json | Preset::Ntfy => ("Authorization", format!("Bearer {}", token.expose())),
    });
    let mut headers = vec![("Content-Type", "application/json".to_owned())];
    headers.extend(token);
    post(&url, &headers, body.to_string().as_bytes())
}

/// Where what is posted.
fn request(hook: &Webhook, notice: &Notice) -> (String, Value) {
    let url = hook.url.expose();
    let priority = if matches!(notice.occasion, Occasion::Failed | Occasion::Overdue | Occasion::Incident) {
        4
    } else {
        3
    };
    match hook.preset {
        Preset::Json => {
            let body = json!({
                "version": 1,
                "event": notice.occasion,
                "at": notice.at,
                "job": notice.job,
                "run": notice.run,
                "outcome": notice.outcome,
                "code": notice.code,
                "subject": notice.subject,
                "text": notice.text,
            });
            (url.to_owned(), body)
        }
        Preset::Ntfy => {
            // Its headers take no UTF-8; as JSON a message goes to the server and names its topic.
            let (server, topic) = url.trim_end_matches('/').rsplit_once('/').unwrap_or((url, ""));
            let text = &notice.text[..notice.text.floor_char_boundary(MOST_NTFY)];
            let body =
                json!({"topic": topic, "title": notice.subject, "message": text, "priority": priority});
            (format!("{server}/"), body)
        }
        Preset::Gotify => {
            let body = json!({"title": notice.subject, "message": notice.text, "priority": priority + 1});
            (format!("{}/message", url.trim_end_matches('/')), body)
        }
    }
}

/// Posts a body; nothing of the address but its host is in any answer or error.
pub(crate) fn post(url: &str, headers: &[(&str, String)], body: &[u8]) -> Result<String, SendError> {
    let failed = |why: String| SendError::Http { host: host(url), why };
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .http_status_as_error(false)
        // A token must not follow to wherever a server points.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("mastmaintd/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build())
        .build()
        .into();
    let mut request = agent.post(url);
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let status = request.send(body).map_err(|error| failed(sentence(&error)))?.status();
    if status.is_success() {
        return Ok(status.to_string());
    }
    let remedy = match status.as_u16() {
        300..=399 => "; write the address that it leads to",
        401 | 403 => "; look at the token",
        404 => "; look at the address",
        _ => "",
    };
    Err(failed(format!("it answered {status}{remedy}")))
}

/// What went wrong. Only what is known to quote no address is quoted itself.
fn sentence(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        ureq::Error::HostNotFound => "its name is not known; look at the address and at DNS".to_owned(),
        ureq::Error::ConnectionFailed => "nobody answers there".to_owned(),
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::Rustls(error) => format!("TLS: {error}"),
        _ => "the request could not be made".to_owned(),
    }
}

/// The host of an address, with its port.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mastmaint_config::targets::Secret;

    fn notice() -> Notice {
        Notice {
            occasion: Occasion::Failed,
            at: Timestamp::UNIX_EPOCH,
            job: Some("clean-media".parse().unwrap()),
            run: None,
            outcome: None,
            code: Some("postgres-unreachable".to_owned()),
            subject: "clean-media failed".to_owned(),
            text: "é".repeat(5000),
        }
    }

    fn hook(url: &str, preset: Preset) -> Webhook {
        Webhook { url: Secret::new(url.to_owned()), preset, token: None }
    }

    #[test]
    fn ntfy_gets_its_topic_and_no_attachment() {
        let (url, body) = request(&hook("https://ntfy.example/base/admins", Preset::Ntfy), &notice());
        assert_eq!((url.as_str(), &body["topic"]), ("https://ntfy.example/base/", &json!("admins")));
        assert!(body["message"].as_str().unwrap().len() <= MOST_NTFY);
    }

    #[test]
    fn gotify_is_asked_at_its_own_path() {
        let (url, body) = request(&hook("https://push.example/", Preset::Gotify), &notice());
        assert_eq!(
            (url.as_str(), &body["title"]),
            ("https://push.example/message", &json!("clean-media failed"))
        );
    }

    #[test]
    fn an_error_names_the_host_and_nothing_else_of_the_address() {
        let error = post("http://127.0.0.1:1/secret-topic?key=hunter2", &[], b"x").unwrap_err().to_string();
        assert!(error.starts_with("127.0.0.1:1 did not take it: "), "{error}");
        assert!(!error.contains("secret-topic") && !error.contains("hunter2"), "{error}");
    }
}

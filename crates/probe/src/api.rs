//! What apps ask first: whether the server is there and who it is. The answer comes from Redis, so it also tells of that.

use crate::{
    Asker, fine,
    site::{By, Site},
    unknown, wrong,
};
use mastmaint_config::probes::LocalAddress;
use mastmaint_runner::probe::Said;
use serde::Deserialize;
use std::time::Instant;

/// As much of the answer as every version of Mastodon gives: the first name is of version 2, the second of 1.
#[derive(Deserialize)]
struct Instance {
    domain: Option<String>,
    uri: Option<String>,
}

/// What the API says instead.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

const HEALTH: &str = "/health";
/// The newer first; a server that does not know it answers 404.
const PATHS: [&str; 2] = ["/api/v2/instance", "/api/v1/instance"];

pub(crate) fn ask(asker: &Asker, address: Option<&LocalAddress>, deadline: Instant) -> Said {
    let site = match Site::of(asker, address, deadline) {
        Ok(site) => site,
        Err(why) => return unknown(why),
    };
    match site.get(HEALTH, By::Anybody) {
        Ok(answer) if answer.status == 200 => {}
        Ok(answer) => return wrong(format!("{} answers {}", site.place(HEALTH), answer.status)),
        Err(why) => return wrong(format!("{}: {why}", site.place(HEALTH))),
    }
    let mut said = unknown("no version of the API is known");
    for path in PATHS {
        let place = site.place(path);
        // Mastodon lets caches keep it for minutes, and what they keep says nothing of Redis.
        said = match site.get(path, By::Server) {
            Ok(answer) if answer.status == 404 => wrong(format!("{place} answers 404")),
            Ok(answer) if answer.status == 200 => return who(&place, &answer.body),
            Ok(answer) if answer.status == 401 && is_refusal(&answer.body) => {
                return fine(format!("{place} answers apps only with a login"));
            }
            Ok(answer) => return wrong(format!("{place} answers {}", answer.status)),
            Err(why) => return wrong(format!("{place}: {why}")),
        };
    }
    said
}

fn who(place: &str, body: &[u8]) -> Said {
    let instance: Option<Instance> = serde_json::from_slice(body).ok();
    match instance.and_then(|instance| instance.domain.or(instance.uri)).filter(|name| !name.is_empty()) {
        Some(name) => fine(format!("{place} says that it is {name}")),
        None => wrong(format!("{place} answers 200 with something that names no instance")),
    }
}

/// Whether it is Mastodon itself that wants a login: that of a closed server (`LIMITED_FEDERATION_MODE`,
/// `DISALLOW_UNAUTHENTICATED_API_ACCESS`) does, up to 4.3 here, too.
fn is_refusal(body: &[u8]) -> bool {
    serde_json::from_slice::<Refusal>(body).is_ok_and(|refusal| !refusal.error.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mastodon_itself_may_want_a_login() {
        assert!(is_refusal(br#"{"error":"This method requires an authenticated user"}"#));
        for body in [&b"<html><h1>401 Authorization Required</h1>"[..], b"{}", br#"{"error":""}"#, b""] {
            assert!(!is_refusal(body));
        }
    }

    #[test]
    fn the_answer_must_name_an_instance() {
        assert!(matches!(
            who("x", br#"{"domain":"social.example","version":"4.6.5"}"#),
            Said::Answers { .. }
        ));
        assert!(matches!(who("x", br#"{"uri":"social.example"}"#), Said::Answers { .. }));
        for body in [&b"{}"[..], b"<html>", br#"{"domain":""}"#, b""] {
            assert!(matches!(who("x", body), Said::Silent { .. }));
        }
    }
}

//! Pages as visitors get them: each must be there and be no error page, and every stylesheet and script that it names
//! must be there. Once an hour these are read and compared with the checksum that the page names: a browser refuses one
//! that does not fit, whatever its status.

use crate::{
    Asker, Heard, fine,
    page::{self, Asset},
    site::{Answer, By, Site, Visitor},
    unknown, wrong,
};
use jiff::{SignedDuration, Timestamp};
use mastmaint_config::probes::LocalAddress;
use mastmaint_instance::integrity;
use std::time::Instant;

/// How often what a page names is compared with its checksum.
const COMPARE: SignedDuration = SignedDuration::from_mins(60);

/// Asks for every page. The note is when everything that pages name was compared last.
pub(crate) fn ask(
    asker: &Asker,
    pages: &[String],
    address: Option<&LocalAddress>,
    note: Option<&str>,
    deadline: Instant,
) -> Heard {
    let now = Timestamp::now();
    let compared = note.and_then(|note| note.parse::<Timestamp>().ok());
    let in_full = compared.is_none_or(|at| at > now || now.duration_since(at) >= COMPARE);
    let site = match Site::of(asker, address, deadline) {
        Ok(site) => site,
        Err(why) => return unknown(why).into(),
    };
    // Not every cache says that it has not asked.
    let by = if in_full { By::Server } else { By::Anybody };
    let mut named: Vec<Asset> = Vec::new();
    for path in pages {
        match one(&site, path, by) {
            Ok(assets) => {
                let new: Vec<Asset> = assets.into_iter().filter(|asset| !named.contains(asset)).collect();
                named.extend(new);
            }
            Err(why) => return wrong(why).into(),
        }
    }
    let Some(visitor) = Visitor::of(asker, deadline) else {
        let what = "; what they name is not fetched, for instance.url is not set";
        return fine(format!("{} answer{what}", pages.join(", "))).into();
    };
    let faults: Vec<String> = named.iter().filter_map(|asset| fault(&visitor, asset, in_full)).collect();
    if let Some(first) = faults.first() {
        let more = if faults.len() > 1 { format!("; and {} more", faults.len() - 1) } else { String::new() };
        return wrong(format!("{first}{more}")).into();
    }
    let at = if in_full { now } else { compared.unwrap_or(now) };
    let what = format!("{} and {} stylesheets and scripts are there", pages.join(", "), named.len());
    Heard { said: fine(what), note: Some(at.to_string()) }
}

/// What a page names, if it is as it should be.
fn one(site: &Site, path: &str, by: By) -> Result<Vec<Asset>, String> {
    let place = site.place(path);
    let answer = site.get(path, by).map_err(|why| format!("{place}: {why}"))?;
    if answer.status != 200 {
        return Err(format!("{place} answers {}", answer.status));
    }
    let html = String::from_utf8_lossy(&answer.body);
    if page::is_error(&html) {
        return Err(format!("{place} answers 200 with the error page"));
    }
    let assets = page::assets(&html);
    if assets.is_empty() {
        return Err(format!(
            "{place} answers 200 with something that is no page of Mastodon: it names no stylesheet and no script"
        ));
    }
    Ok(assets)
}

/// What is wrong with a stylesheet or script.
pub(crate) fn fault(visitor: &Visitor, asset: &Asset, in_full: bool) -> Option<String> {
    let url = page::absolute(visitor.base(), &asset.at);
    let wrong = look(visitor, &url, in_full)
        .map(|(answer, is_read)| what_is_wrong(&answer, is_read, asset).map(|why| format!("{url} {why}")));
    wrong.unwrap_or_else(|why| Some(format!("{url}: {why}")))
}

/// What is there, and whether its content was read, too.
fn look(visitor: &Visitor, url: &str, in_full: bool) -> Result<(Answer, bool), String> {
    if !in_full {
        let head = visitor.head(url)?;
        // Some servers know no heads, and Puma says of the head of whatever Rails makes that it is empty.
        if !matches!(head.status, 405 | 501) && head.length != Some(0) {
            return Ok((head, false));
        }
    }
    visitor.get(url).map(|answer| (answer, true))
}

fn what_is_wrong(answer: &Answer, is_read: bool, asset: &Asset) -> Option<String> {
    if answer.status != 200 {
        return Some(format!("answers {}", answer.status));
    }
    if answer.content_type.starts_with("text/html") {
        return Some("answers 200 with a page, which no browser takes for it".to_owned());
    }
    if !is_read {
        return None;
    }
    if answer.body.is_empty() && asset.is_built() {
        return Some("is empty".to_owned());
    }
    let integrity = asset.integrity.as_deref();
    let fits = integrity.and_then(|integrity| integrity::fits(&answer.body, integrity));
    (fits == Some(false)).then(|| "is not what the page's integrity names: browsers refuse it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_would_refuse_is_wrong() {
        let css = |status, content_type: &str, body: &str| Answer {
            status,
            content_type: content_type.to_owned(),
            body: body.into(),
            ..Answer::default()
        };
        let asset =
            |at: &str, integrity: Option<&str>| Asset { at: at.into(), integrity: integrity.map(Into::into) };
        let built = asset("/packs/a.css", Some("sha384-x"));
        let said = |answer: &Answer| what_is_wrong(answer, true, &built);
        assert_eq!(what_is_wrong(&css(200, "text/css", ""), false, &built), None, "only a head");
        assert_eq!(said(&css(404, "text/html", "no")).as_deref(), Some("answers 404"));
        assert!(said(&css(200, "text/html; charset=utf-8", "<p>")).is_some());
        assert!(said(&css(200, "text/css", "x")).unwrap().contains("integrity"));
        let nothing = css(200, "text/css", "");
        assert_eq!(said(&nothing).as_deref(), Some("is empty"));
        let without_sum = asset("https://cdn.example/packs/css/a.css", None);
        assert_eq!(what_is_wrong(&nothing, true, &without_sum).as_deref(), Some("is empty"));
        // What an admin wrote into the settings may be nothing.
        assert_eq!(what_is_wrong(&nothing, true, &asset("/custom.css", None)), None);
    }
}

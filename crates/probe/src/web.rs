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
    let answer = match if in_full { visitor.get(&url) } else { head(visitor, &url) } {
        Ok(answer) => answer,
        Err(why) => return Some(format!("{url}: {why}")),
    };
    let read = in_full.then_some(answer.body.as_slice());
    what_is_wrong(&answer, read, asset.integrity.as_deref()).map(|why| format!("{url} {why}"))
}

/// Some servers know no heads.
fn head(visitor: &Visitor, url: &str) -> Result<Answer, String> {
    let answer = visitor.head(url)?;
    if matches!(answer.status, 405 | 501) { visitor.get(url) } else { Ok(answer) }
}

fn what_is_wrong(answer: &Answer, read: Option<&[u8]>, integrity: Option<&str>) -> Option<String> {
    if answer.status != 200 {
        return Some(format!("answers {}", answer.status));
    }
    if answer.content_type.starts_with("text/html") {
        return Some("answers 200 with a page, which no browser takes for it".to_owned());
    }
    let length = read.map_or(answer.length, |body| Some(body.len() as u64));
    if length == Some(0) {
        return Some("is empty".to_owned());
    }
    let fits = read.zip(integrity).and_then(|(body, integrity)| integrity::fits(body, integrity));
    (fits == Some(false)).then(|| "is not what the page's integrity names: browsers refuse it".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_would_refuse_is_wrong() {
        let css = |status, content_type: &str, length| Answer {
            status,
            content_type: content_type.to_owned(),
            length: Some(length),
            ..Answer::default()
        };
        let said = |answer: &Answer| what_is_wrong(answer, None, Some("sha384-x"));
        assert_eq!(said(&css(200, "text/css", 10)), None, "only a head");
        assert_eq!(said(&css(404, "text/html", 10)).as_deref(), Some("answers 404"));
        assert!(said(&css(200, "text/html; charset=utf-8", 10)).is_some());
        assert_eq!(said(&css(200, "text/css", 0)).as_deref(), Some("is empty"));
        let read = what_is_wrong(&css(200, "text/css", 1), Some(b"x"), Some("sha384-x"));
        assert!(read.unwrap().contains("integrity"));
    }
}

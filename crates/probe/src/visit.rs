//! The site as a visitor gets it after a change: pages with all that they name, and the stylesheet of every theme where
//! it is served. No page names a theme that nobody there has picked.

use crate::{Asker, fine, page::Asset, site::Visitor, web, wrong};
use mastmaint_prove::assets::Build;
use mastmaint_runner::probe::Said;
use std::time::Instant;

/// Without a public address only this one is asked of the server itself, which may send others elsewhere.
const ABOUT: &str = "/about";
const HOME: &str = "/";

/// Looks at all of it.
pub(crate) fn ask(asker: &Asker, deadline: Instant) -> Said {
    let visitor = Visitor::of(asker, deadline);
    let pages: Vec<String> = visitor.iter().map(|_| HOME).chain([ABOUT]).map(str::to_owned).collect();
    let what = match web::ask(asker, &pages, None, None, deadline).said {
        Said::Answers { what } => what,
        other => return other,
    };
    let Some(visitor) = visitor else { return fine(what) };
    let build = match Build::read(&asker.instance.live) {
        Ok(build) => build,
        Err(why) => return wrong(why),
    };
    let variables = asker.variables().ok();
    let base = variables.and_then(|variables| variables.get("CDN_HOST").map(elsewhere)).unwrap_or_default();
    let mut themes = 0;
    for sheet in build.stylesheets() {
        let at = format!("{base}/{}", sheet.file);
        let asset = Asset { at, integrity: sheet.integrity.map(str::to_owned) };
        if let Some(fault) = web::fault(&visitor, &asset, true) {
            return wrong(format!("the theme {}: {fault}", sheet.theme));
        }
        themes += 1;
    }
    fine(format!("{what}; so are the stylesheets of {themes} themes"))
}

/// Where another host serves what was built. Rails puts the page's scheme before one that is written without.
fn elsewhere(host: &str) -> String {
    let host = host.trim_end_matches('/');
    if host.is_empty() || host.contains("//") { host.to_owned() } else { format!("//{host}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::absolute;

    #[test]
    fn another_host_is_found_however_it_is_written() {
        let at = |host: &str| absolute("https://social.example", &format!("{}/packs/a.css", elsewhere(host)));
        assert_eq!(at(""), "https://social.example/packs/a.css");
        for host in
            ["cdn.example", "cdn.example/", "//cdn.example", "https://cdn.example", "https://cdn.example/"]
        {
            assert_eq!(at(host), "https://cdn.example/packs/a.css", "{host}");
        }
        assert_eq!(at("cdn.example/files"), "https://cdn.example/files/packs/a.css");
    }
}

//! What a page of Mastodon names: its stylesheets and scripts. Pure: a page in, addresses out.

/// A stylesheet or script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asset {
    /// Where it is, as the page writes it.
    pub(crate) at: String,
    /// Checksums, of which a browser wants one to fit.
    pub(crate) integrity: Option<String>,
}

impl Asset {
    /// Whether a build made it, and not an admin's settings: the stylesheet of these is empty where nobody wrote any, and
    /// every page of a Mastodon before 4.4 names it. `CDN_HOST` may put a path before that of the build.
    pub(crate) fn is_built(&self) -> bool {
        let path = self.at.split(['?', '#']).next().unwrap_or_default();
        self.integrity.is_some() || path.contains("/packs/")
    }
}

/// Whether this is the page that says that something went wrong, whatever the status says.
pub(crate) fn is_error(html: &str) -> bool {
    tags(html).any(|tag| {
        tag.name == "body" && tag.get("class").is_some_and(|class| class.split(' ').any(|c| c == "error"))
    })
}

/// Every stylesheet and script that a page names, each once.
pub(crate) fn assets(html: &str) -> Vec<Asset> {
    let mut assets: Vec<Asset> = Vec::new();
    for tag in tags(html) {
        let at = match tag.name.as_str() {
            "script" => tag.get("src"),
            "link" if tag.get("rel").is_some_and(is_of_the_page) => tag.get("href"),
            _ => None,
        };
        let Some(at) = at.filter(|at| !at.is_empty() && !at.starts_with("data:") && !at.starts_with("blob:"))
        else {
            continue;
        };
        if !assets.iter().any(|known| known.at == at) {
            assets.push(Asset { at: at.to_owned(), integrity: tag.get("integrity").map(str::to_owned) });
        }
    }
    assets
}

fn is_of_the_page(rel: &str) -> bool {
    rel.split(' ').any(|rel| matches!(rel, "stylesheet" | "modulepreload"))
}

/// The whole address of something that a page at `base` names.
pub(crate) fn absolute(base: &str, at: &str) -> String {
    let scheme = base.split_once("://").map_or("https", |(scheme, _)| scheme);
    match at {
        _ if at.starts_with("https://") || at.starts_with("http://") => at.to_owned(),
        _ if at.starts_with("//") => format!("{scheme}:{at}"),
        _ if at.starts_with('/') => format!("{base}{at}"),
        _ => format!("{base}/{at}"),
    }
}

struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// The tags of a page that open something; what stands in comments is not seen.
fn tags(html: &str) -> impl Iterator<Item = Tag> {
    let mut rest = html;
    std::iter::from_fn(move || {
        loop {
            rest = &rest[rest.find('<')? + 1..];
            if let Some(comment) = rest.strip_prefix("!--") {
                rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
                continue;
            }
            if rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
                let (tag, after) = tag(rest);
                // What stands in a script is no tag, however it looks.
                rest = match tag.name.as_str() {
                    "script" => after.find("</script").map_or("", |end| &after[end..]),
                    _ => after,
                };
                return Some(tag);
            }
        }
    })
}

/// One tag, and what follows it.
fn tag(text: &str) -> (Tag, &str) {
    let ends = |c: char| c.is_whitespace() || c == '>' || c == '/';
    let (name, mut rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if rest.is_empty() || rest.starts_with('>') {
            break;
        }
        let end = rest.find(|c: char| ends(c) || c == '=').unwrap_or(rest.len());
        // A stray `=` belongs to no name.
        let (name, after) = rest.split_at(end.max(usize::from(rest.starts_with('='))));
        let (value, after) = match after.trim_start().strip_prefix('=') {
            Some(after) => value(after.trim_start()),
            None => ("", after),
        };
        attributes.push((name.to_ascii_lowercase(), value.replace("&amp;", "&")));
        rest = after;
    }
    (Tag { name: name.to_ascii_lowercase(), attributes }, rest)
}

fn value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(quoted) = text.strip_prefix(quote) {
            return quoted.split_once(quote).unwrap_or((quoted, ""));
        }
    }
    text.split_at(text.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PAGE: &str = r#"<!DOCTYPE html><html><head>
        <link rel="stylesheet" crossorigin="anonymous" href="/packs/assets/common-a1.css" integrity="sha384-AAA" />
        <LINK href='/packs/assets/theme.css?a=1&amp;b=2' media=all rel='stylesheet'>
        <link rel="modulepreload" href="/packs/chunk-1.js" as="script"><link rel=icon href=/favicon.ico>
        <script src="https://cdn.example/packs/application.js" crossorigin type="module" integrity="sha384-BBB"></script>
        <script>if (1 < 2) { x = "<link rel=stylesheet href='/not-this'>" }</script>
        <!-- <script src="/nor-this.js"></script> -->
        <script src="/packs/chunk-1.js"></script></head><body class="app-body theme-default"></body>"#;

    #[test]
    fn stylesheets_and_scripts_are_found_once_each() {
        let found = assets(PAGE);
        let at: Vec<&str> = found.iter().map(|asset| asset.at.as_str()).collect();
        for wanted in [
            "/packs/assets/common-a1.css",
            "/packs/assets/theme.css?a=1&b=2",
            "/packs/chunk-1.js",
            "https://cdn.example/packs/application.js",
        ] {
            assert_eq!(at.iter().filter(|at| **at == wanted).count(), 1, "{wanted} in {at:?}");
        }
        assert!(!at.contains(&"/favicon.ico") && !at.contains(&"/nor-this.js"));
        assert!(!at.contains(&"/not-this"));
        assert_eq!(found[0].integrity.as_deref(), Some("sha384-AAA"));
        assert!(!is_error(PAGE));
        assert!(is_error("<body class='error'><div class='dialog'>"));
    }

    #[test]
    fn what_a_page_names_is_found_from_everywhere() {
        let base = "https://social.example";
        assert_eq!(absolute(base, "/packs/a.css"), "https://social.example/packs/a.css");
        assert_eq!(absolute(base, "//cdn.example/a.css"), "https://cdn.example/a.css");
        assert_eq!(absolute(base, "http://x/a.css"), "http://x/a.css");
    }

    #[test]
    fn what_a_build_made_is_told_from_what_an_admin_wrote() {
        let is_built = |at: &str, integrity: Option<&str>| {
            Asset { at: at.to_owned(), integrity: integrity.map(str::to_owned) }.is_built()
        };
        for at in
            ["/packs/css/common-a1.css", "https://cdn.example/mastodon/packs/js/a.js", "//cdn/packs/a.css"]
        {
            assert!(is_built(at, None), "{at}");
        }
        for at in [
            "https://social.example/custom.css",
            "/css/custom-e3b0c442.css",
            "/inert.css",
            "/a.css?b=/packs/",
        ] {
            assert!(!is_built(at, None), "{at}");
        }
        assert!(is_built("/elsewhere.js", Some("sha384-AAA")));
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[<>=\"'/ a-zé!-]{0,60}") {
            let _ = (assets(&text), is_error(&text));
        }
    }
}

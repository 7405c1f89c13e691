//! Whether the built assets are whole. A theme that is listed and was not built answers 500 to whoever picked it, while
//! every page that a probe could fetch is well: only the files tell. Names and sizes are looked at each time; what they
//! hold only when something was written since the last time that all of it was right.

use crate::{Heard, fine, unknown, wrong};
use mastmaint_prove::assets::Build;
use std::path::Path;

/// So many faults are told.
const MOST: usize = 3;

/// Looks at the build. The note is its stamp when it was right to the last byte.
pub(crate) fn ask(live: &Path, note: Option<&str>) -> Heard {
    let build = match Build::read(live) {
        Ok(build) => build,
        // What is not there or cannot be understood here, Mastodon cannot read either.
        Err(why) if live.is_dir() => return wrong(why).into(),
        Err(why) => return unknown(why).into(),
    };
    let mut faults = build.faults();
    let stamp = build.stamp();
    if faults.is_empty() && note != Some(stamp.as_str()) {
        match build.changed() {
            Ok(changed) => faults.extend(changed),
            Err(why) => return unknown(why).into(),
        }
    }
    if faults.is_empty() {
        let what = format!("{} themes and {} files are as they were built", build.themes(), build.files());
        return Heard { said: fine(what), note: Some(stamp) };
    }
    let more = faults.len().saturating_sub(MOST);
    faults.truncate(MOST);
    let more = if more > 0 { format!("; and {more} more") } else { String::new() };
    wrong(format!("{}{more}", faults.join("; "))).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use mastmaint_runner::probe::Said;
    use sha2::{Digest as _, Sha384};
    use std::fs;

    fn build(live: &Path) {
        for directory in ["config", "public/packs/.vite", "public/packs/assets", "public/assets"] {
            fs::create_dir_all(live.join(directory)).unwrap();
        }
        let style = "body { color: orange }";
        let sum = BASE64_STANDARD.encode(Sha384::digest(style));
        fs::write(live.join("public/packs/assets/a.css"), style).unwrap();
        fs::write(live.join("public/assets/500.html"), "<h1>").unwrap();
        fs::write(live.join("config/themes.yml"), "default: styles/a.scss\n").unwrap();
        let manifest =
            format!(r#"{{"styles/a.scss": {{"file": "assets/a.css", "integrity": "sha384-{sum}"}}}}"#);
        fs::write(live.join("public/packs/.vite/manifest.json"), manifest).unwrap();
        let lookup = r#"{"themes/default": "styles/a.scss"}"#;
        fs::write(live.join("public/packs/.vite/manifest-lookup.json"), lookup).unwrap();
        fs::write(live.join("public/packs/.vite/manifest-assets.json"), "{}").unwrap();
    }

    fn wrong_with(heard: Heard) -> String {
        assert_eq!(heard.note, None, "what is wrong is looked at in full the next time");
        match heard.said {
            Said::Silent { why } => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_change_of_content_is_seen_though_names_and_sizes_stay() {
        let scratch = tempfile::tempdir().unwrap();
        let live = scratch.path();
        build(live);
        let first = ask(live, None);
        assert!(matches!(first.said, Said::Answers { .. }), "{first:?}");
        assert_eq!(ask(live, first.note.as_deref()), first, "the second look knows the stamp");
        fs::write(live.join("public/packs/assets/a.css"), "body { color: purple }").unwrap();
        let why = wrong_with(ask(live, first.note.as_deref()));
        assert_eq!(why, "public/packs/assets/a.css is not the file that was built");
    }

    #[test]
    fn the_theme_that_breaks_is_named() {
        let scratch = tempfile::tempdir().unwrap();
        let live = scratch.path();
        build(live);
        let note = ask(live, None).note;
        let themes = "default: styles/a.scss\ntangerine: styles/tangerine.scss\n";
        fs::write(live.join("config/themes.yml"), themes).unwrap();
        assert!(wrong_with(ask(live, note.as_deref())).contains("the theme tangerine"));
        fs::write(live.join("config/themes.yml"), "- broken").unwrap();
        wrong_with(ask(live, note.as_deref()));
    }

    #[test]
    fn where_there_is_no_mastodon_nothing_is_known() {
        assert!(matches!(ask(Path::new("/no/such/place"), None).said, Said::NotAsked { .. }));
    }
}

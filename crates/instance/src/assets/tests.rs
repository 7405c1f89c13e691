use super::*;

const MANIFEST: &str = r#"{
        "styles/application.scss": {"file": "assets/application-a1.css", "isEntry": true, "integrity": "sha384-x"},
        "styles/tangerine.scss": {"file": "assets/tangerine-b2.css", "assets": ["assets/orange-c3.svg"]},
        "entrypoints/application.ts": {"file": "application-d4.js", "css": ["assets/common-e5.css"],
            "imports": ["_shared.js"], "dynamicImports": ["features/x.ts"]},
        "_shared.js": {"file": "shared-f6.js"},
        "features/x.ts": {"file": "x-g7.js", "isDynamicEntry": true}
    }"#;
const LOOKUP: &str = r#"{"themes/default": "styles/application.scss", "themes/tangerine": "styles/tangerine.scss",
        "application": "entrypoints/application.ts"}"#;
const ASSETS: &str = r#"{"images/logo.svg": {"file": "assets/logo-h8.svg", "src": "images/logo.svg",
        "integrity": "sha384-y"}}"#;

fn found(themes: &str, manifest: &Manifest, change: impl Fn(&str) -> Option<u64>) -> Vec<String> {
    let themes = Themes::read(themes).unwrap();
    faults(&themes, manifest, change).iter().map(Fault::to_string).collect()
}

/// The size of a file of a build that has lost none of them.
fn all(file: &str) -> Option<u64> {
    u64::try_from(file.len()).ok()
}

#[test]
fn a_whole_build_has_no_fault() {
    let vite = Manifest::of_vite(MANIFEST, LOOKUP, ASSETS).unwrap();
    let themes = "# comment\ndefault: styles/application.scss\n'tangerine': \"styles/tangerine.scss\"\n";
    assert_eq!(found(themes, &vite, all), [""; 0]);
    assert_eq!(vite.files().len(), 8);
    let digests: Vec<_> = vite.digests().into_iter().collect();
    assert_eq!(
        digests,
        [("packs/assets/application-a1.css", "sha384-x"), ("packs/assets/logo-h8.svg", "sha384-y")]
    );
}

#[test]
fn a_theme_that_is_listed_and_not_built_is_the_outage() {
    let vite = Manifest::of_vite(MANIFEST, LOOKUP, ASSETS).unwrap();
    let said = found("default: styles/application.scss\nplum: styles/plum.scss\n", &vite, all);
    assert_eq!(
        said,
        [
            "the theme plum is listed in config/themes.yml and was not built: every page of whoever uses it answers 500"
        ]
    );
    let astray = Manifest::of_vite(MANIFEST, r#"{"themes/default": "styles/gone.scss"}"#, "{}").unwrap();
    let said = found("{default: styles/application.scss}", &astray, all);
    assert_eq!(said, ["the theme default leads to styles/gone.scss, which was not built"]);
}

#[test]
fn files_and_imports_must_be_there() {
    let vite = Manifest::of_vite(MANIFEST, LOOKUP, ASSETS).unwrap();
    let said = found("default: x", &vite, |file| match file {
        "packs/assets/orange-c3.svg" => None,
        "packs/assets/common-e5.css" => Some(0),
        _ => Some(1),
    });
    assert_eq!(
        said,
        [
            "public/packs/assets/common-e5.css is empty",
            "public/packs/assets/orange-c3.svg was built and is not there"
        ]
    );
    let torn = MANIFEST.replace("\"_shared.js\": {", "\"_other.js\": {");
    let torn = Manifest::of_vite(&torn, LOOKUP, ASSETS).unwrap();
    assert_eq!(
        found("default: x", &torn, all),
        ["entrypoints/application.ts needs _shared.js, which was not built"]
    );
}

#[test]
fn icons_and_images_are_part_of_a_build() {
    let vite = Manifest::of_vite(MANIFEST, LOOKUP, ASSETS).unwrap();
    let said = found("default: x", &vite, |file| (file != "packs/assets/logo-h8.svg").then_some(1));
    assert_eq!(said, ["public/packs/assets/logo-h8.svg was built and is not there"]);
}

/// As 4.3 writes it: `webpack-assets-manifest` with `integrity`, `entrypoints` and `publicPath`.
const PACKED: &str = r#"{
        "application.js": {"src": "/packs/js/application-2.js", "integrity": "sha256-x"},
        "application.js.map": {"src": "/packs/js/application-2.js.map", "integrity": "sha256-x"},
        "common.css": {"src": "/packs/css/common-3.css", "integrity": "sha256-x"},
        "default.css": {"src": "/packs/css/default-1.css", "integrity": "sha256-x"},
        "default.css.map": {"src": "/packs/css/default-1.css.map", "integrity": "sha256-x"},
        "default.js": {"src": "/packs/js/default-1.chunk.js", "integrity": "sha256-x"},
        "js/application-2.js.br": {"src": "/packs/js/application-2.js.br", "integrity": "sha256-x"},
        "js/application-2.js.gz": {"src": "/packs/js/application-2.js.gz", "integrity": "sha256-x"},
        "js/common-3.js.LICENSE.txt": {"src": "/packs/js/common-3.js.LICENSE.txt", "integrity": "sha256-x"},
        "mailer.css": {"src": "/packs/css/mailer-4.css", "integrity": "sha256-x"},
        "media/images/empty.svg": {"src": "/packs/media/images/empty-5.svg",
            "integrity": "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="},
        "media/images/logo.svg": {"src": "/packs/media/images/logo-6.svg", "integrity": ""},
        "sw.js": {"src": "/packs/sw.js", "integrity": "sha256-before-it-was-rewritten"},
        "entrypoints": {
            "default": {"assets": {
                "css": [{"src": "/packs/css/default-1.css", "integrity": "sha256-x"}],
                "js": [{"src": "/packs/js/common-3.js", "integrity": "sha256-x"}]
            }}
        }
    }"#;

#[test]
fn webpacker_names_a_theme_by_its_stylesheet() {
    let old = Manifest::of_webpacker(PACKED).unwrap();
    assert_eq!(found("default: styles/application.scss", &old, all), [""; 0]);
    let said = found("contrast: styles/contrast.scss", &old, all);
    assert!(said[0].starts_with("the theme contrast is listed") && said.len() == 1, "{said:?}");
    let themes = Themes::read("default: styles/application.scss").unwrap();
    let styles: Vec<_> = old.stylesheets(&themes).collect();
    let file = "packs/css/default-1.css";
    assert_eq!(styles, [Stylesheet { theme: "default", file, integrity: Some("sha256-x") }]);
}

#[test]
fn files_of_webpacker_must_be_there_as_far_as_pages_name_them() {
    let old = Manifest::of_webpacker(PACKED).unwrap();
    let gone = ["packs/js/application-2.js", "packs/css/common-3.css", "packs/media/images/logo-6.svg"];
    let said = found("default: x", &old, |file| match file {
        "packs/css/mailer-4.css" | "packs/media/images/empty-5.svg" => Some(0),
        _ => (!gone.contains(&file)).then_some(1),
    });
    assert_eq!(
        said,
        [
            "public/packs/css/common-3.css was built and is not there",
            "public/packs/css/mailer-4.css is empty",
            "public/packs/js/application-2.js was built and is not there",
            "public/packs/media/images/logo-6.svg was built and is not there"
        ],
        "what was built empty is as it was built"
    );
    let beside = |file: &str| [".map", ".gz", ".br", ".txt"].iter().any(|ending| file.ends_with(ending));
    assert!(!old.files().iter().any(|file| beside(file)), "{:?}", old.files());
    let digests = old.digests();
    assert!(digests.contains_key("packs/js/application-2.js"), "{digests:?}");
    assert!(!digests.contains_key("packs/sw.js"), "it is another one than was written down: {digests:?}");
    assert!(old.files().contains("packs/sw.js"));
}

#[test]
fn plain_webpacker_names_paths_only() {
    let text = r#"{"default.css": "/packs/css/default-1.css", "default.css.map": "/packs/css/default-1.css.map",
            "application.js": "/packs/js/application-2.js", "entrypoints": {"default": {"assets": {}}}}"#;
    let old = Manifest::of_webpacker(text).unwrap();
    assert_eq!(found("default: styles/application.scss", &old, all), [""; 0]);
    let said = found("default: x", &old, |file| (file != "packs/js/application-2.js").then_some(1));
    assert_eq!(said, ["public/packs/js/application-2.js was built and is not there"]);
    // A name that leads to no file raises as one that is not there.
    let nowhere = Manifest::of_webpacker(r#"{"default.css": {"integrity": "sha256-x"}}"#).unwrap();
    assert_eq!(found("default: x", &nowhere, all).len(), 1);
}

#[test]
fn what_is_no_list_of_themes_is_none() {
    assert!(Themes::read("- a\n- b\n").is_err());
}

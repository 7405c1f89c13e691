use super::*;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256, Sha384};

fn built(live: &Path, themes: &str) -> Looked {
    for directory in ["config", "public/packs/.vite", "public/packs/assets", "public/assets"] {
        fs::create_dir_all(live.join(directory)).unwrap();
    }
    let style = "body { color: orange }";
    let digest = BASE64_STANDARD.encode(Sha384::digest(style));
    fs::write(live.join("public/packs/assets/a-1.css"), style).unwrap();
    fs::write(live.join("public/assets/500.html"), "<h1>").unwrap();
    fs::write(live.join("config/themes.yml"), themes).unwrap();
    let manifest =
        format!(r#"{{"styles/a.scss": {{"file": "assets/a-1.css", "integrity": "sha384-{digest}"}}}}"#);
    fs::write(live.join(assets::VITE[0]), manifest).unwrap();
    fs::write(live.join(assets::VITE[1]), r#"{"themes/default": "styles/a.scss"}"#).unwrap();
    fs::write(live.join("public/packs/assets/logo-2.svg"), "<svg/>").unwrap();
    let digest = BASE64_STANDARD.encode(Sha384::digest("<svg/>"));
    let pictures = format!(
        r#"{{"images/logo.svg": {{"file": "assets/logo-2.svg", "src": "images/logo.svg", "integrity": "sha384-{digest}"}}}}"#
    );
    fs::write(live.join(assets::VITE_ASSETS), pictures).unwrap();
    again(live)
}

fn again(live: &Path) -> Looked {
    look(&Instance { live: live.to_owned(), environment: std::collections::BTreeMap::new() }).unwrap()
}

fn faults(looked: Looked) -> String {
    let Looked::Assets { faults, .. } = looked else { panic!("{looked:?}") };
    faults.join("; ")
}

#[test]
fn what_was_built_is_compared_with_what_is_there() {
    let scratch = tempfile::tempdir().unwrap();
    let live = scratch.path();
    let whole = built(live, "default: styles/a.scss\n");
    assert_eq!(whole, Looked::Assets { themes: 1, files: 2, count: 0, faults: vec![] });
    fs::write(live.join("public/packs/assets/a-1.css"), "body { color: ora").unwrap();
    assert_eq!(faults(again(live)), "public/packs/assets/a-1.css is not the file that was built");
    fs::remove_file(live.join("public/packs/assets/a-1.css")).unwrap();
    assert_eq!(faults(again(live)), "public/packs/assets/a-1.css was built and is not there");
    assert!(faults(built(live, "default: styles/a.scss\nplum: styles/plum.scss\n")).contains("theme plum"));
    fs::remove_file(live.join("public/assets/500.html")).unwrap();
    assert!(faults(again(live)).contains("500.html"));
    fs::remove_file(live.join(assets::VITE[0])).unwrap();
    assert!(faults(again(live)).contains("no manifest"));
}

#[test]
fn icons_and_images_are_looked_up_in_a_manifest_of_their_own() {
    let scratch = tempfile::tempdir().unwrap();
    let live = scratch.path();
    let anew = || drop(built(live, "default: styles/a.scss\n"));
    let logo = live.join("public/packs/assets/logo-2.svg");
    anew();
    fs::write(&logo, "<svg>").unwrap();
    assert_eq!(faults(again(live)), "public/packs/assets/logo-2.svg is not the file that was built");
    fs::write(&logo, "").unwrap();
    assert_eq!(faults(again(live)), "public/packs/assets/logo-2.svg is empty");
    fs::remove_file(&logo).unwrap();
    assert_eq!(faults(again(live)), "public/packs/assets/logo-2.svg was built and is not there");
    anew();
    for broken in [true, false] {
        if broken {
            fs::write(live.join(assets::VITE_ASSETS), "").unwrap();
        } else {
            fs::remove_file(live.join(assets::VITE_ASSETS)).unwrap();
        }
        let said = faults(again(live));
        assert!(said.starts_with("public/packs/.vite/manifest-assets.json, by which"), "{said}");
    }
    fs::write(live.join(assets::VITE_ASSETS), "{").unwrap();
    let instance = Instance { live: live.to_owned(), environment: std::collections::BTreeMap::new() };
    assert!(look(&instance).is_err());
}

fn installed(live: &Path, minor: u16) {
    fs::create_dir_all(live.join("lib/mastodon")).unwrap();
    let text = format!("def major\n  4\nend\ndef minor\n  {minor}\nend\ndef patch\n  9\nend\n");
    fs::write(live.join("lib/mastodon/version.rb"), text).unwrap();
}

/// A build as 4.3 leaves it.
fn packed(live: &Path) {
    let file = |path: &str, content: &str| {
        let path = live.join("public/packs").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let entry = |path: &str, content: &str| {
        file(path, content);
        let digest = BASE64_STANDARD.encode(Sha256::digest(content));
        serde_json::json!({"src": format!("/packs/{path}"), "integrity": format!("sha256-{digest}")})
    };
    let style = entry("css/default-1a.css", "body { color: orange }");
    let worker = entry("sw.js", "self.__WB_MANIFEST");
    file("sw.js", "[{url: '/packs/js/common-2b.js'}]");
    let manifest = serde_json::json!({
        "common.js": entry("js/common-2b.js", "console.log('hello')"),
        "common.js.map": {"src": "/packs/js/common-2b.js.map", "integrity": "sha256-gone"},
        "default.css": style,
        "entrypoints": {"default": {"assets": {"css": [style]}}},
        "media/images/logo.svg": entry("media/images/logo-3c.svg", "<svg/>"),
        "sw.js": worker,
    });
    file("manifest.json", &manifest.to_string());
    fs::create_dir_all(live.join("config")).unwrap();
    fs::write(live.join("config/themes.yml"), "default: styles/application.scss\n").unwrap();
}

#[test]
fn a_build_of_webpacker_is_whole_and_a_spoiled_one_is_not() {
    let scratch = tempfile::tempdir().unwrap();
    let live = scratch.path();
    installed(live, 3);
    packed(live);
    assert_eq!(again(live), Looked::Assets { themes: 1, files: 4, count: 0, faults: vec![] });
    for (file, content, why) in [
        ("css/default-1a.css", "body { color: ora", "is not the file that was built"),
        ("js/common-2b.js", "console.log('hell", "is not the file that was built"),
        ("media/images/logo-3c.svg", "<svg>", "is not the file that was built"),
        ("css/default-1a.css", "", "is empty"),
    ] {
        fs::write(live.join("public/packs").join(file), content).unwrap();
        let said = faults(again(live));
        assert!(said.starts_with(&format!("public/packs/{file} {why}")), "{said}");
        packed(live);
    }
    fs::remove_file(live.join("public/packs/css/default-1a.css")).unwrap();
    assert_eq!(faults(again(live)), "public/packs/css/default-1a.css was built and is not there");
    fs::write(live.join("config/themes.yml"), "plum: styles/plum.scss\n").unwrap();
    assert!(faults(again(live)).contains("the theme plum is listed"));
}

#[test]
fn what_an_upgrade_left_behind_stands_in_for_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let live = scratch.path();
    packed(live);
    built(live, "default: styles/a.scss\n");
    installed(live, 4);
    fs::remove_file(live.join(assets::VITE[0])).unwrap();
    assert_eq!(
        faults(again(live)),
        "there is no manifest of a build: public/packs/.vite/manifest.json is not there"
    );
}

#[test]
fn where_nothing_can_be_read_nothing_is_said() {
    let scratch = tempfile::tempdir().unwrap();
    let instance =
        Instance { live: scratch.path().to_owned(), environment: std::collections::BTreeMap::new() };
    assert!(matches!(look(&instance), Err(Blind::Assets(why)) if why.contains("themes.yml is not there")));
    built(scratch.path(), "default: x");
    fs::write(scratch.path().join(assets::VITE[0]), "{").unwrap();
    assert!(look(&instance).is_err());
}

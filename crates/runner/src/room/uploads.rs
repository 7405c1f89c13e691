//! Where today's uploads lie, looked at before a restore moves anything: `public/system` comes along to the tree that is
//! switched in, and nothing else of today's tree does.

use super::plan::{Work, failed};
use mastmaint_config::settings::{Environment, Instance};
use mastmaint_instance::{Storage, UPLOADS, Variables};
use std::path::Path;

/// Refuses where uploads would stay behind in the tree that is replaced, and be removed with it one day.
pub(super) fn come_along(instance: &Instance, environment: &Environment) -> Result<(), Work> {
    // Where nothing is, or nothing can be read, nothing stays behind that is known of; others say so.
    let Ok(variables) = Variables::read(&instance.live, environment) else { return Ok(()) };
    match Storage::of(&variables, &instance.live) {
        Storage::Local(at) if stay_behind(&instance.live, &at) => Err(failed(
            "uploads-elsewhere",
            &format!(
                "today's uploads lie in {} (PAPERCLIP_ROOT_PATH), within what changes places, where a restore would leave \
                 them behind; move them to {} or out of {} first",
                at.display(),
                instance.live.join(UPLOADS).display(),
                instance.live.display()
            ),
        )),
        _ => Ok(()),
    }
}

fn stay_behind(live: &Path, at: &Path) -> bool {
    at.starts_with(live) && !at.starts_with(live.join(UPLOADS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_elsewhere_within_live_stays_behind() {
        let live = Path::new("/home/mastodon/live");
        for (at, stays) in [
            ("/home/mastodon/live/public/system", false),
            ("/home/mastodon/live/public/system/more", false),
            ("/home/mastodon/live/public/media", true),
            ("/home/mastodon/live/public/systems", true),
            ("/srv/media", false),
            ("/home/mastodon/live-media", false),
        ] {
            assert_eq!(stay_behind(live, Path::new(at)), stays, "{at}");
        }
    }

    #[test]
    fn the_place_is_what_the_settings_say() {
        let live = tempfile::tempdir().unwrap();
        let instance = |text: &str| {
            std::fs::write(live.path().join(".env.production"), text).unwrap();
            let yaml = format!("instance: {{live: {}}}\njobs: {{}}\n", live.path().display());
            mastmaint_config::load_str("m.yaml", &yaml).unwrap().settings.instance.unwrap()
        };
        let none = Environment::new();
        assert!(come_along(&instance("LOCAL_DOMAIN=x\n"), &none).is_ok());
        let elsewhere = instance("PAPERCLIP_ROOT_PATH=:rails_root/public/media\n");
        assert!(come_along(&elsewhere, &none).is_err());
    }
}

//! Which units a configuration lets mastmaintd touch.

use mastmaint_words::UnitName;

/// Whether `unit` is one of `services`, or an instance of a template that is: `mastodon-streaming@4000` belongs to
/// `mastodon-streaming@` and to `mastodon-streaming`, its shim.
pub fn is_named(services: &[UnitName], unit: &UnitName) -> bool {
    let unit = unit.with_suffix();
    services.iter().map(UnitName::with_suffix).any(|service| {
        service == unit
            || unit.split_once('@').zip(unit.rsplit_once('.')).is_some_and(|((stem, _), (_, suffix))| {
                service == format!("{stem}@.{suffix}") || service == format!("{stem}.{suffix}")
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_units_and_instances_of_named_templates() {
        let services: Vec<UnitName> =
            ["mastodon-web", "mastodon-streaming", "mastodon-sidekiq@"].map(|s| s.parse().unwrap()).into();
        let named = |unit: &str| is_named(&services, &unit.parse().unwrap());
        for unit in
            ["mastodon-web", "mastodon-web.service", "mastodon-streaming@4000", "mastodon-sidekiq@ingress"]
        {
            assert!(named(unit), "{unit}");
        }
        for unit in [
            "mastodon-web.socket",
            "ssh",
            "mastodon-webby",
            "mastodon-sidekiq",
            "mastodon-streaming@1.socket",
        ] {
            assert!(!named(unit), "{unit}");
        }
    }
}

//! The kernel's pressure stall information: how much of the last minute somebody had to wait for a resource.

use super::policy::Reading;
use mastmaint_config::requires::Resource;
use mastmaint_words::Hundredths;
use std::{fs, path::PathBuf};

/// The share of the last minute in which some task waited.
pub(super) fn now(resource: Resource) -> Reading<Hundredths> {
    // The cgroup's file is there in a room that sees of /proc only processes; the root's has the whole host.
    let places: [PathBuf; 2] = [
        format!("/sys/fs/cgroup/{}.pressure", resource.as_str()).into(),
        format!("/proc/pressure/{}", resource.as_str()).into(),
    ];
    let read = places.iter().map(|place| (place, fs::read_to_string(place)));
    let mut refused = None;
    for (place, text) in read {
        match text {
            Ok(text) => {
                return minute(&text)
                    .ok_or_else(|| format!("{} says it in no way that is known", place.display()));
            }
            Err(error) => {
                refused.get_or_insert_with(|| format!("{}: {error}", place.display()));
            }
        }
    }
    Err(refused.unwrap_or_default())
}

/// `some avg10=0.12 avg60=0.34 avg300=0.56 total=78`.
fn minute(text: &str) -> Option<Hundredths> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split_whitespace().find_map(|field| field.strip_prefix("avg60="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minute_of_some_is_read() {
        let text = "some avg10=1.00 avg60=23.45 avg300=0.10 total=1\nfull avg10=0.00 avg60=9.00 avg300=0.00 total=0\n";
        assert_eq!(minute(text), Some(Hundredths::new(2345)));
        for text in ["", "full avg10=0.00 avg60=9.00", "some avg10=1.00", "some avg60=x"] {
            assert_eq!(minute(text), None, "{text:?}");
        }
    }
}

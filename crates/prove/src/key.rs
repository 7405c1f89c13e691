//! Where files of a row are kept: `[cache/]CLASS/ATTACHMENT/ID in groups of three/STYLE/FILE`.

use jiff::Timestamp;

/// The folder of a row's attachment, below the root of the media or the prefix of the bucket.
pub fn folder(class: &str, attachment: &str, id: i64, cached: bool) -> String {
    let cache = if cached { "cache/" } else { "" };
    format!("{cache}{class}/{attachment}/{}", groups(id))
}

/// Nine digits, eighteen from 10^9 on, in groups of three.
pub fn groups(id: i64) -> String {
    let digits = if id < 1_000_000_000 { format!("{id:09}") } else { format!("{id:018}") };
    let groups: Vec<&str> = (0..digits.len()).step_by(3).filter_map(|at| digits.get(at..at + 3)).collect();
    groups.join("/")
}

/// The keys under which the styles of a file may be kept, its original first. Which of them there are depends on what
/// it is: a video has a still image as `small`, an animated avatar has one as `static`.
pub fn candidates(folder: &str, name: &str) -> Vec<String> {
    let stem = stem(name);
    let mut keys = vec![format!("{folder}/original/{name}")];
    for style in ["small", "static"] {
        let mut names = vec![name.to_owned()];
        names.extend(["png", "jpg", "jpeg", "webp"].map(|extension| format!("{stem}.{extension}")));
        names.dedup();
        keys.extend(names.into_iter().map(|name| format!("{folder}/{style}/{name}")));
    }
    let mut seen = std::collections::BTreeSet::new();
    keys.retain(|key| seen.insert(key.clone()));
    keys
}

/// A file's name without its extension.
pub fn stem(name: &str) -> &str {
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

/// When a row with such an id was made; ids of media and statuses carry it.
pub fn made(id: i64) -> Option<Timestamp> {
    Timestamp::from_millisecond(id >> 16).ok()
}

/// The smallest id of a row that was made then.
pub fn id_at(at: Timestamp) -> i64 {
    at.as_millisecond().max(0) << 16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_split_as_paperclip_does() {
        assert_eq!(groups(7), "000/000/007");
        assert_eq!(groups(117_663_464_916_054_119), "117/663/464/916/054/119");
        let folder = folder("media_attachments", "files", 117_663_464_916_054_119, true);
        assert_eq!(folder, "cache/media_attachments/files/117/663/464/916/054/119");
    }

    #[test]
    fn every_style_is_looked_for_once() {
        let keys = candidates("f", "ab.png");
        assert_eq!(keys[0], "f/original/ab.png");
        assert_eq!(keys.iter().filter(|key| *key == "f/small/ab.png").count(), 1);
        assert!(candidates("f", "ab.mp4").contains(&"f/small/ab.png".to_owned()));
    }

    #[test]
    fn an_id_tells_when_it_was_made() {
        let at: Timestamp = "2026-11-23T04:28:16.844Z".parse().unwrap();
        assert_eq!(made(id_at(at)), Some(at));
        assert!(
            made(117_663_464_916_054_119).unwrap().to_string().starts_with("2026-11"),
            "{:?}",
            made(117_663_464_916_054_119)
        );
    }
}

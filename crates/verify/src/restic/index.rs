//! How large the packs of a repository on another host are: its indexes say it, and restic keeps those in its cache.

use super::{
    Repository,
    check::{Pack, PackId, id_of},
};
use crate::{prove::Tell, repository::Refusal, stamp::Nanos};
use serde::Deserialize;
use std::collections::HashMap;

/// What a pack is taken for where no index is there to say how large it is.
const PACK: u64 = 17 * 1024 * 1024;
/// More indexes are not asked in a night, each costs a second: `restic prune` makes few of many.
const INDEXES: usize = 200;
/// At the end of a pack: what is said of each blob, and of the whole.
const HEADER_OF_BLOB: u64 = 41;
const HEADER: u64 = 36;

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    packs: Vec<Indexed>,
}

#[derive(Deserialize)]
struct Indexed {
    id: String,
    blobs: Vec<Blob>,
}

#[derive(Deserialize)]
struct Blob {
    offset: u64,
    length: u64,
}

impl Indexed {
    fn size(&self) -> u64 {
        let end = self.blobs.iter().map(|blob| blob.offset.saturating_add(blob.length)).max();
        end.unwrap_or_default() + HEADER + HEADER_OF_BLOB * self.blobs.len() as u64
    }
}

impl Repository {
    /// All packs that are there.
    pub(super) fn packs_elsewhere(&self, tell: &dyn Tell) -> Result<Vec<Pack>, Refusal> {
        let sizes = self.sizes(tell)?;
        // Those of which nobody knows it are as large as the others.
        let mean = sizes.values().sum::<u64>().checked_div(sizes.len() as u64).unwrap_or(PACK);
        let said = self.run(&["list", "packs"], tell)?;
        let out = String::from_utf8_lossy(&said.out);
        let size = |id: &PackId| sizes.get(id).copied().unwrap_or(mean);
        let pack = |id| Pack { id, size: size(&id), changed: Nanos::default() };
        Ok(out.lines().filter_map(id_of).map(pack).collect())
    }

    fn sizes(&self, tell: &dyn Tell) -> Result<HashMap<PackId, u64>, Refusal> {
        let mut sizes = HashMap::new();
        let said = self.run(&["list", "index"], tell)?;
        for id in String::from_utf8_lossy(&said.out).lines().map(str::trim).take(INDEXES) {
            let said = match self.run(&["cat", "index", id], tell) {
                Ok(said) => said,
                // That it is damaged is said by the check; that it went away meanwhile is no matter.
                Err(Refusal::Damaged { .. } | Refusal::Unreadable { .. }) => continue,
                Err(refusal) => return Err(refusal),
            };
            let index: Index = serde_json::from_slice(&said.out).unwrap_or(Index { packs: Vec::new() });
            let packs = index.packs.iter().filter_map(|pack| Some((id_of(&pack.id)?, pack.size())));
            sizes.extend(packs);
        }
        Ok(sizes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_ends_with_its_last_blob_and_its_header() {
        let text = r#"{"supersedes":["x"],"packs":[{"id":"ab","blobs":[
            {"id":"1","type":"data","offset":100,"length":50},{"id":"2","type":"data","offset":0,"length":100,"uncompressed_length":900}]}]}"#;
        let index: Index = serde_json::from_str(text).unwrap();
        assert_eq!(index.packs[0].size(), 150 + 36 + 82);
    }
}

//! Whether the modules of Node are there without which streaming does not start. Backups often leave `node_modules` out,
//! and nothing else that is looked at before a restore needs it.

use crate::assets::read;
use serde_json::{Map, Value};
use std::path::Path;

/// What streaming needs, from 4.3 on a package of its own; before, it is not known.
const PACKAGE: &str = "streaming/package.json";
/// Where Node looks for it.
const MODULES: [&str; 2] = ["streaming/node_modules", "node_modules"];
/// Yarn keeps modules packed and says here where: there are no directories then.
const PACKED: &str = ".pnp.cjs";

/// The modules below a Rails root that are missing, in order of name; none if it is not known what is needed.
///
/// # Errors
/// If what is needed cannot be read.
pub fn missing(live: &Path) -> Result<Vec<String>, String> {
    let Some(package) = read(live, PACKAGE)? else { return Ok(Vec::new()) };
    let package: Value = serde_json::from_str(&package).map_err(|error| format!("{PACKAGE}: {error}"))?;
    if live.join(PACKED).exists() {
        return Ok(Vec::new());
    }
    let is_there = |name: &str| MODULES.iter().any(|modules| live.join(modules).join(name).is_dir());
    let needed = package.get("dependencies").and_then(Value::as_object).into_iter().flat_map(Map::keys);
    Ok(needed.filter(|name| !is_there(name)).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_module_is_missing_only_where_node_would_not_find_it() {
        let live = tempfile::tempdir().unwrap();
        let live = live.path();
        assert_eq!(missing(live).unwrap(), [""; 0], "before 4.3");
        fs::create_dir(live.join("streaming")).unwrap();
        let package = r#"{"dependencies": {"express": "^5", "pg": "^8", "@isaacs/ttlcache": "^2"}, "optionalDependencies": {"bufferutil": "^4"}}"#;
        fs::write(live.join(PACKAGE), package).unwrap();
        assert_eq!(missing(live).unwrap(), ["@isaacs/ttlcache", "express", "pg"]);
        for module in ["node_modules/pg", "node_modules/@isaacs/ttlcache", "streaming/node_modules/express"] {
            fs::create_dir_all(live.join(module)).unwrap();
        }
        assert_eq!(missing(live).unwrap(), [""; 0]);
        fs::remove_dir_all(live.join("node_modules")).unwrap();
        assert_eq!(missing(live).unwrap().len(), 2);
        fs::write(live.join(PACKED), "").unwrap();
        assert_eq!(missing(live).unwrap(), [""; 0], "packed");
        fs::write(live.join(PACKAGE), "{").unwrap();
        assert!(missing(live).is_err());
    }
}

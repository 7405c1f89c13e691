//! PostgreSQL dumps: what kind one is, how old it says it is, and all of its text read to the end.

mod archive;
pub(crate) mod beyond;
mod content;
mod copy;
mod facts;
mod media;
mod program;
mod scan;
mod secrets;

pub use archive::{Header, Kind};
pub(crate) use content::Content;
pub use facts::{Beside, Facts, Sealed};
pub use media::{MediaCheck, MediaFile};
pub use program::{Restorer, read_dump};
pub(crate) use program::{explained, read_content};
pub(crate) use scan::is_ended;
pub use scan::scan;
pub use secrets::{Fit, fit};

//! Pings in the manner of healthchecks.io: a run began, ended well, ended badly.

use crate::{error::SendError, webhook};
use mastmaint_config::targets::Secret;
use mastmaint_runner::protocol::Notice;
use mastmaint_words::Occasion;

pub(crate) fn send(url: &Secret, notice: &Notice) -> Result<String, SendError> {
    let url = url.expose().trim_end_matches('/');
    let body = format!("{}\n\n{}", notice.subject, notice.text);
    let headers = [("Content-Type", "text/plain; charset=utf-8".to_owned())];
    webhook::post(&format!("{url}{}", suffix(notice.occasion)), &headers, body.as_bytes())
}

/// What is added to the address of the check.
const fn suffix(occasion: Occasion) -> &'static str {
    match occasion {
        Occasion::Started => "/start",
        Occasion::Ok | Occasion::Recovered => "",
        // Says something without changing the check's state.
        Occasion::Test | Occasion::Summary | Occasion::Incident => "/log",
        Occasion::Failed | Occasion::Partial | Occasion::NeedsApproval | Occasion::Overdue => "/fail",
    }
}

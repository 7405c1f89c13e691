//! What a command that was cut has left in the database, and what mends it.

use crate::output::Summary;
use mastmaint_tootctl::{Call, Command, Debris, read};
use mastmaint_words::Reason;

/// A reason for each thing that was begun and not ended.
pub(super) fn left(call: &Call, summary: &Summary) -> Vec<Reason> {
    let debris = call.command().map_or(&[][..], |command: &'static Command| command.debris);
    debris.iter().filter(|debris| is_left(debris, summary)).map(reason).collect()
}

fn is_left(debris: &Debris, summary: &Summary) -> bool {
    let has_begun =
        summary.milestones.iter().any(|text| debris.begins.iter().any(|shape| read(shape, text).is_some()));
    has_begun && !summary.statements.iter().any(|text| read(debris.ends, text).is_some())
}

fn reason(debris: &Debris) -> Reason {
    let text = format!("it left the table {} in the database; {}", debris.left, debris.mended_by);
    Reason::new("debris", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_begun_and_not_ended_is_left() {
        let args: Vec<String> = ["statuses", "remove"].map(str::to_owned).to_vec();
        let call = Call::read(&args, None);
        let lefts = |milestones: &[&str], statements: &[&str]| {
            let own = |texts: &[&str]| texts.iter().map(|t| (*t).to_owned()).collect();
            let summary =
                Summary { milestones: own(milestones), statements: own(statements), ..Summary::default() };
            left(&call, &summary).into_iter().map(|reason| reason.text).collect::<Vec<_>>()
        };
        assert!(lefts(&[], &[]).is_empty());
        let begun = "Extract the deletion target from statuses... This might take a while...";
        let done = "Done after 0.05s, removed 60 out of 60 statuses.";
        assert!(lefts(&[begun], &[])[0].contains("statuses_to_be_deleted"));
        assert!(lefts(&[begun], &[done]).is_empty());
        let conversations = "Beginning orphans removal... This might take a while...";
        assert!(lefts(&[begun, conversations], &[done])[0].contains("conversations_to_be_deleted"));
    }
}

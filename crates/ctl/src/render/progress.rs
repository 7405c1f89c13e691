//! How far a running step is: the live line of `run --follow` and the page of `status`.

use crate::{
    order::count,
    print::tame,
    when::{self, When},
};
use mastmaint_control::words::{StepNow, StepProgress};

/// `about 40 %, 21 lines, 2 errors`. Into a pipe a progress bar has no counts: its share is read off its width.
pub fn how_far(progress: &StepProgress) -> String {
    let lines = count(usize::try_from(progress.lines).unwrap_or(usize::MAX), "line");
    let share = match (progress.items_done, progress.items_of, progress.bar_percent) {
        (Some(done), Some(of), percent) => {
            let percent = percent.map(|percent| format!(" ({percent} %)")).unwrap_or_default();
            Some(format!("{done} of {of}{percent}"))
        }
        (_, _, Some(percent)) => Some(format!("about {percent} %")),
        _ => None,
    };
    let errors =
        (progress.errors > 0).then(|| count(usize::try_from(progress.errors).unwrap_or(usize::MAX), "error"));
    share.into_iter().chain([lines]).chain(errors).collect::<Vec<_>>().join(", ")
}

/// Two lines for a page: the step with how far it is, and its newest sign of life.
pub fn step_now(step: &StepNow, when: &When) -> Vec<String> {
    let running = when::took(when.now.duration_since(step.since).as_secs_f64().max(0.0));
    let first = format!("step {}/{} {}, for {running}", step.step, step.of, tame(&step.title));
    let Some(progress) = &step.progress else { return vec![first] };
    let mut lines = vec![format!("{first}, {}", how_far(progress))];
    if let Some(at) = progress.sign_at {
        let sign = match progress.sign.as_deref() {
            Some("output") => " (output)",
            Some("work") => " (processor time)",
            Some("start") => " (its start)",
            _ => "",
        };
        let said = one_line(&progress.last);
        let said = if said.is_empty() { said } else { format!(": {said}") };
        lines.push(format!("last sign of life {}{sign}{said}", when.passed(at)));
    }
    lines
}

/// What a step said, on one line.
pub fn one_line(text: &str) -> String {
    tame(text).replace(['\n', '\t'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_width_is_an_estimate_and_a_count_is_not() {
        let of = |bar_percent, items_done, items_of, errors| {
            how_far(&StepProgress {
                lines: 21,
                errors,
                bar_percent,
                items_done,
                items_of,
                ..StepProgress::default()
            })
        };
        assert_eq!(of(Some(40), None, None, 0), "about 40 %, 21 lines");
        assert_eq!(of(Some(80), Some(12), Some(15), 2), "12 of 15 (80 %), 21 lines, 2 errors");
        assert_eq!(of(None, None, None, 1), "21 lines, 1 error");
    }
}

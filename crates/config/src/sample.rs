//! The sample configuration: what the package installs, what the documentation is, what the tests load.

/// The sample as shipped.
pub const SAMPLE: &str = include_str!("../../../config/mastmaintd.yaml");

/// Whether a text is the sample as shipped: nobody has looked at it yet, so nothing of it is run. Line ends and
/// blanks at the end of lines do not count.
pub fn is_unedited_sample(text: &str) -> bool {
    let lines = |text: &str| text.trim_end().lines().map(|l| l.trim_end().to_owned()).collect::<Vec<_>>();
    lines(text) == lines(SAMPLE)
}

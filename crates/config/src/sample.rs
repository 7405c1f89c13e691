//! The sample configuration: what the package installs, what the documentation is, what the tests load.

/// The sample as shipped.
pub const SAMPLE: &str = include_str!("../../../config/mastmaintd.yaml");

/// Whether a text is the sample as shipped: nobody has looked at it yet, so nothing of it is run. Line ends and
/// blanks at the end of lines do not count.
pub fn is_unedited_sample(text: &str) -> bool {
    let lines = |text: &str| text.trim_end().lines().map(|l| l.trim_end().to_owned()).collect::<Vec<_>>();
    lines(text) == lines(SAMPLE)
}

/// A job as the sample has it: what is said above it and its settings, without the explanation of each key. Empty for
/// a name that the sample does not have.
pub fn sample_job(name: &str) -> String {
    let lines: Vec<&str> = SAMPLE.lines().collect();
    let keys = [format!("  {name}:"), format!("  #{name}:")];
    let Some(key) = lines.iter().position(|line| keys.iter().any(|key| key == line)) else {
        return String::new();
    };
    let above = lines[..key].iter().rev().take_while(|line| line.starts_with("  # ")).count();
    let is_example = lines[key].starts_with("  #");
    let body = lines[key..].iter().take_while(|line| !line.is_empty());
    let settings = body.filter(|line| is_example || !line.trim_start().starts_with('#'));
    lines[key - above..key].iter().chain(settings).flat_map(|line| [*line, "\n"]).collect()
}

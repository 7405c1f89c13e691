//! Lines of crontabs and scripts that already run Mastodon's maintenance. They have to go: two that clean at once
//! disturb each other, and theirs is the one whose errors nobody reads.

/// Words that give maintenance of Mastodon away.
const SIGNS: [&str; 4] = ["tootctl", "rake mastodon:", "rails mastodon:", "mastodon_maintenance"];

/// Whether a command is maintenance of Mastodon by its own words.
pub fn is_maintenance(text: &str) -> bool {
    SIGNS.iter().any(|sign| text.contains(sign))
}

/// The lines of a file that are no comments, counted from 1.
pub fn live_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines().map(str::trim)).filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// Absolute paths that a command mentions: scripts that may hide what it does.
pub fn paths(command: &str) -> impl Iterator<Item = &str> {
    command
        .split(|c: char| {
            c.is_whitespace() || matches!(c, ';' | '|' | '&' | '"' | '\'' | '(' | ')' | '>' | '<')
        })
        .map(|word| word.trim_start_matches(['-', '@', ':', '+', '!']))
        .filter(|word| word.starts_with('/') && word.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nightly_script_of_the_story_is_recognised() {
        let line =
            "@daily mastodon /home/scripts/mastodon_maintenance | mailx -s \"Mastodon maintenance\" root";
        assert!(is_maintenance(line));
        assert_eq!(paths(line).collect::<Vec<_>>(), ["/home/scripts/mastodon_maintenance"]);
        assert!(is_maintenance("cd live && RAILS_ENV=production bin/tootctl media remove"));
        assert!(!is_maintenance("0 4 * * * root /usr/bin/certbot renew"));
    }

    #[test]
    fn comments_do_not_run_and_do_not_shift_the_count() {
        let lines: Vec<_> = live_lines("# tootctl\n\n  @daily x\n").collect();
        assert_eq!(lines, [(3, "@daily x")]);
    }
}

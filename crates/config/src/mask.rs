//! What excerpts never show: diagnostics go to the journal and to terminals. Values of environments are hidden whole,
//! and so is a word of a command that holds a secret, and any other value that is an address with a password.

use crate::{
    command_line::secrets_of,
    diagnostic::Files,
    tree::{Kind, Node},
};

/// Keys whose value is a command.
const COMMANDS: [&str; 3] = ["tootctl", "systemctl", "run"];

/// Hides what must not be shown of a file, however wrong the rest of it is.
pub(crate) fn mask(files: &mut Files, node: &Node) {
    match &node.kind {
        Kind::Seq(items) => items.iter().for_each(|item| mask(files, item)),
        Kind::Map(pairs) => {
            for (key, value) in pairs {
                match &key.kind {
                    Kind::Text(key) if key == "environment" => values(files, value),
                    Kind::Text(key) if COMMANDS.contains(&key.as_str()) => command(files, value),
                    _ => mask(files, value),
                }
            }
        }
        // Wherever it stands: an address with a password in it.
        Kind::Text(text) if !secrets_of(std::slice::from_ref(text)).is_empty() => {
            files.mask(node.place, node.end);
        }
        _ => {}
    }
}

/// Keys of a target whose values hold no secret; a key that nobody knows may be a misspelt `webhook`.
const HARMLESS: [&str; 8] = ["on", "jobs", "at", "timezone", "mail", "from", "sendmail", "preset"];
/// The same below its `smtp`: the likeliest mistake there is the password itself.
const HARMLESS_OF_SMTP: [&str; 5] = ["host", "port", "tls", "user", "password_file"];

/// Hides addresses and tokens of `notify` from excerpts.
pub(crate) fn targets(files: &mut Files, root: &Node) {
    let Kind::Map(pairs) = &root.kind else { return };
    let is_notify = |key: &Node| matches!(&key.kind, Kind::Text(key) if key == "notify");
    for (_, node) in pairs.iter().filter(|(key, _)| is_notify(key)) {
        let Kind::Seq(all) = &node.kind else {
            values(files, node);
            continue;
        };
        for target in all {
            let Kind::Map(keys) = &target.kind else {
                values(files, target);
                continue;
            };
            all_but(&HARMLESS, files, keys);
        }
    }
}

fn all_but(harmless: &[&str], files: &mut Files, pairs: &[(Node, Node)]) {
    for (key, value) in pairs {
        match (&key.kind, &value.kind) {
            (Kind::Text(key), Kind::Map(pairs)) if key == "smtp" => all_but(&HARMLESS_OF_SMTP, files, pairs),
            (Kind::Text(key), _) if harmless.contains(&key.as_str()) => {}
            _ => values(files, value),
        }
    }
}

fn values(files: &mut Files, node: &Node) {
    match &node.kind {
        Kind::Map(pairs) => pairs.iter().for_each(|(_, value)| values(files, value)),
        Kind::Seq(items) => items.iter().for_each(|item| values(files, item)),
        _ => files.mask(node.place, node.end),
    }
}

/// A command as a text or as a list of its words. Of a text that is no list of words for a shell the blanks decide.
fn command(files: &mut Files, node: &Node) {
    let words: Vec<(String, &Node)> = match &node.kind {
        Kind::Text(text) => {
            let split = shell_words::split(text)
                .unwrap_or_else(|_| text.split_whitespace().map(str::to_owned).collect());
            split.into_iter().map(|word| (word, node)).collect()
        }
        Kind::Seq(items) => items.iter().filter_map(|item| Some((text(item)?, item))).collect(),
        _ => return mask(files, node),
    };
    let (texts, nodes): (Vec<String>, Vec<&Node>) = words.into_iter().unzip();
    let secrets = secrets_of(&texts);
    for (text, node) in texts.iter().zip(nodes) {
        if secrets.iter().any(|secret| text.contains(secret.as_str())) {
            files.mask(node.place, node.end);
        }
    }
}

fn text(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Text(text) | Kind::Number(text) => Some(text.clone()),
        _ => None,
    }
}

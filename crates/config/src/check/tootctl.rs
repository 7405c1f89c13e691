//! Commands of tootctl against its grammar: what no version knows is a mistake, with its place; what must not be
//! scheduled has to say that it is meant.

use super::command;
use crate::{
    mistake::Mistake,
    read::{Fields, Reader},
    settings::Action,
    tree::Node,
};
use mastmaint_tootctl::{Call, Program, program};

/// A step that calls tootctl, itself or behind `run`.
struct Step<'a> {
    node: &'a Node,
    path: &'a str,
    words: &'a [String],
    /// What the step says of `dangerous`.
    is_meant: bool,
    /// It comes again and again, without a person who means it.
    is_scheduled: bool,
}

/// What a step that calls tootctl asks of it, against the grammar; whether it is dangerous and means it.
pub(super) fn dangerous(
    reader: &mut Reader,
    f: &Fields<'_>,
    action: Option<&Action>,
    is_scheduled: bool,
) -> bool {
    let is_meant = reader.boolean(f, "dangerous").unwrap_or(false);
    let (action, words) = match action {
        Some(action @ (Action::Tootctl(words) | Action::Run(words))) => (action, words),
        Some(
            Action::Systemctl(_)
            | Action::Services(_)
            | Action::Verify(_)
            | Action::Probe(_)
            | Action::Restore(_)
            | Action::Database(_)
            | Action::RedisFlush
            | Action::Guard(_),
        )
        | None => {
            no_effect(reader, f, is_meant && action.is_some());
            return false;
        }
    };
    let args = if matches!(action, Action::Tootctl(_)) { Some(words.clone()) } else { behind(words) };
    let path = f.path_of(action.kind());
    let is_dangerous = match (f.get(action.kind()), args) {
        (Some(node), Some(args)) => {
            check(reader, &Step { node, path: &path, words, is_meant, is_scheduled }, &args)
        }
        _ => false,
    };
    no_effect(reader, f, is_meant && !is_dangerous);
    is_meant && is_dangerous
}

fn no_effect(reader: &mut Reader, f: &Fields<'_>, has_none: bool) {
    if has_none {
        let why = "the step is not dangerous";
        reader.odd(f.key_place("dangerous"), &f.path_of("dangerous"), Mistake::NoEffect { why });
    }
}

/// The arguments that a `run` step gives to tootctl.
fn behind(words: &[String]) -> Option<Vec<String>> {
    match program(words) {
        Program::Tootctl(args) => Some(args),
        Program::Rails(_) | Program::Other => None,
    }
}

/// Says what is wrong with it; whether it is dangerous.
fn check(reader: &mut Reader, step: &Step<'_>, args: &[String]) -> bool {
    let before = step.words.len().saturating_sub(args.len());
    let call = Call::read(args, None);
    for misuse in call.misuses() {
        let place = command::places(step.node).nth(before + misuse.word).unwrap_or(step.node.place);
        reader.wrong(place, step.path, Mistake::BadCommand { misuse: misuse.wrong.clone() });
    }
    if let Some((least, given, why)) = call.too_few_days().filter(|_| step.is_scheduled) {
        let odd = Mistake::FewDays { given, least, why };
        reader.odd(step.node.place, step.path, odd);
    }
    let Some(why) = call.danger() else { return false };
    if !step.is_meant {
        let command = call.words();
        reader.wrong(step.node.place, step.path, Mistake::Dangerous { command, why });
    }
    true
}

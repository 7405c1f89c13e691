//! Commands of tootctl against its grammar: what no version knows is a mistake, with its place; what must not be
//! scheduled has to say that it is meant.

use super::command;
use crate::{mistake::Mistake, read::Reader, tree::Node};
use mastmaint_tootctl::{Call, Program, program};

/// A step that calls tootctl, itself or behind `run`.
pub(super) struct Step<'a> {
    pub(super) node: &'a Node,
    pub(super) path: &'a str,
    pub(super) words: &'a [String],
    /// What the step says of `dangerous`.
    pub(super) is_meant: bool,
}

/// The arguments that a `run` step gives to tootctl, and how many words stand before them.
pub(super) fn behind(words: &[String]) -> Option<Vec<String>> {
    match program(words) {
        Program::Tootctl(args) => Some(args),
        Program::Rails(_) | Program::Other => None,
    }
}

/// Says what is wrong with it; whether it is dangerous.
pub(super) fn check(reader: &mut Reader, step: &Step<'_>, args: &[String]) -> bool {
    let before = step.words.len().saturating_sub(args.len());
    let call = Call::read(args, None);
    for misuse in call.misuses() {
        let place = command::places(step.node).nth(before + misuse.word).unwrap_or(step.node.place);
        reader.wrong(place, step.path, Mistake::BadCommand { misuse: misuse.wrong.clone() });
    }
    if let Some((least, given, why)) = call.too_few_days() {
        let odd = Mistake::FewDays { given, least, why };
        reader.odd(step.node.place, step.path, odd);
    }
    let Some(why) = call.danger() else { return false };
    if !step.is_meant {
        let command = call.command().map_or("", |command| command.words);
        reader.wrong(step.node.place, step.path, Mistake::Dangerous { command, why });
    }
    true
}

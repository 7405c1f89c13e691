//! Every command, one file for each group. What stands here was read in the source of Mastodon 4.1 to 4.6 and, where a
//! recording shows it, is what real runs printed. Shapes of all versions stand side by side: a line of success is one
//! whichever version prints it.

mod accounts;
mod blocks;
mod media;
mod others;
mod statuses;

use crate::Command;

/// All of them.
pub(crate) const COMMANDS: [&[Command]; 5] =
    [&media::COMMANDS, &accounts::COMMANDS, &statuses::COMMANDS, &blocks::COMMANDS, &others::COMMANDS];

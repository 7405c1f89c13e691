//! A person at their terminal, who is asked before anything is stopped.

use crate::{error::CtlError, print};
use std::{
    fs::File,
    io::{self, BufRead as _, BufReader},
};

/// Asks a person at their terminal, which standard input need not be; nobody to ask is a no.
pub(super) fn is_wanted(question: &str) -> Result<bool, CtlError> {
    let Ok(terminal) = terminal() else {
        print::talk("nobody can be asked here, because there is no terminal; `--yes` says it beforehand");
        return Ok(false);
    };
    print::talk(&format!("{question} Type yes."));
    let mut line = String::new();
    BufReader::new(terminal).read_line(&mut line)?;
    Ok(line.trim() == "yes")
}

fn terminal() -> io::Result<File> {
    File::open("/dev/tty")
}

/// Before anything is copied: without a terminal it has to be said beforehand what is wanted.
pub(super) fn can_be_asked() -> Result<(), CtlError> {
    let none = "nobody can be asked here, because there is no terminal; say --yes, or --rehearse";
    terminal().map(drop).map_err(|_| CtlError::Usage(none.to_owned()))
}

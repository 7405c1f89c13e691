//! Places at which tests kill a process. A failpoint that is armed (a file of its name in [`ARMED`]) kills the process
//! that reaches it, by SIGKILL and once: the file is taken first, and what it died of is noted beside.
//!
//! Without the feature `enabled` the macro expands to nothing.

/// Where failpoints are armed: on the disk, so that one can be armed for what runs first at the next boot.
#[cfg(feature = "enabled")]
pub const ARMED: &str = "/var/lib/mastmaint-failpoints";

/// Dies here if the test says so.
#[cfg(feature = "enabled")]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {
        $crate::reach($name)
    };
}

/// Nothing.
#[cfg(not(feature = "enabled"))]
#[macro_export]
macro_rules! failpoint {
    ($name:literal) => {};
}

/// Dies if the failpoint is armed: at the next time, or after as many more as the file says.
#[cfg(feature = "enabled")]
pub fn reach(name: &str) {
    let armed = std::path::Path::new(ARMED);
    let file = armed.join(name);
    let Ok(text) = std::fs::read_to_string(&file) else { return };
    if let Some(left) = text.trim().parse::<u32>().ok().and_then(|more| more.checked_sub(1)) {
        // Written in place: the directory's other files are other failpoints.
        let _ = std::fs::write(&file, left.to_string());
        return;
    }
    // Of any number of processes one gets the file.
    if std::fs::remove_file(&file).is_err() {
        return;
    }
    // A test that finds no note fails.
    let _ = std::fs::write(armed.join("hit").join(name), std::process::id().to_string());
    let _ = nix::sys::signal::kill(nix::unistd::getpid(), nix::sys::signal::Signal::SIGKILL);
    loop {
        std::thread::park();
    }
}

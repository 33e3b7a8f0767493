//! Ctrl-C: once to finish what is under way, twice to end at once.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::Exit;

static STOPPED: AtomicBool = AtomicBool::new(false);

/// From here on Ctrl-C (or a polite `kill`) only asks to stop.
///
/// # Errors
/// If the system refuses.
pub fn install() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        if STOPPED.swap(true, Ordering::SeqCst) {
            // Files have temporary names until they are complete.
            std::process::exit(Exit::Interrupted as i32);
        }
    })?;
    Ok(())
}

/// From here on Ctrl-C (or a polite `kill`) ends the program at once.
///
/// # Errors
/// If the system refuses.
pub fn end_at_once() -> anyhow::Result<()> {
    ctrlc::set_handler(|| std::process::exit(Exit::Interrupted as i32))?;
    Ok(())
}

/// Whether the user wants to stop.
pub fn is_stopped() -> bool {
    STOPPED.load(Ordering::SeqCst)
}

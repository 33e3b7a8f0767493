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
            end();
        }
    })?;
    Ok(())
}

/// From here on Ctrl-C (or a polite `kill`) ends the program at once.
///
/// # Errors
/// If the system refuses.
pub fn end_at_once() -> anyhow::Result<()> {
    ctrlc::set_handler(end)?;
    Ok(())
}

/// Without what a program does at its end otherwise: libtorch would be taken apart while threads are still in it, which aborts.
fn end() {
    signal_hook::low_level::exit(Exit::Interrupted as i32);
}

/// Whether the user wants to stop.
pub fn is_stopped() -> bool {
    STOPPED.load(Ordering::SeqCst)
}

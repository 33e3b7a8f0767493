//! Ctrl-C, or SIGTERM as schedulers send it: once to finish what is under way, twice to end at once.

use std::{
    io,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use crate::Exit;

/// Whether the program is to stop, and whether SIGTERM said so.
static STOPPED: LazyLock<[Arc<AtomicBool>; 2]> = LazyLock::new(Default::default);

/// What asks to stop, and how the program ends then. A terminal that is closed is like Ctrl-C.
const SIGNALS: &[(i32, Exit)] = &[
    (SIGINT, Exit::Interrupted),
    (SIGTERM, Exit::Terminated),
    #[cfg(unix)]
    (signal_hook::consts::SIGHUP, Exit::Interrupted),
];

/// From here on Ctrl-C (or a polite `kill`) only asks to stop.
///
/// # Errors
/// If the system refuses.
pub fn install() -> io::Result<()> {
    let [is_stopped, is_terminated] = &*STOPPED;
    for &(signal, exit) in SIGNALS {
        // The second time, and so before the flag of the first is set. Files have temporary names until they are complete.
        flag::register_conditional_shutdown(signal, exit as i32, Arc::clone(is_stopped))?;
        if exit == Exit::Terminated {
            flag::register(signal, Arc::clone(is_terminated))?;
        }
        flag::register(signal, Arc::clone(is_stopped))?;
    }
    Ok(())
}

/// From here on Ctrl-C (or a polite `kill`) ends the program at once.
///
/// It does so without what a program does at its end otherwise: libtorch would be taken apart while threads are still in it, which aborts.
///
/// # Errors
/// If the system refuses.
pub fn end_at_once() -> io::Result<()> {
    for &(signal, exit) in SIGNALS {
        flag::register_conditional_shutdown(signal, exit as i32, Arc::new(AtomicBool::new(true)))?;
    }
    Ok(())
}

/// Whether the program is to stop.
pub fn is_stopped() -> bool {
    STOPPED[0].load(Ordering::SeqCst)
}

/// How the program ends that was asked to stop.
pub fn exit() -> Exit {
    if STOPPED[1].load(Ordering::SeqCst) { Exit::Terminated } else { Exit::Interrupted }
}

//! A fault of the program costs the picture at which it shows, not the run.

use std::{
    cell::{Cell, RefCell},
    panic::{self, AssertUnwindSafe},
};

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
    static FAULT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Keeps panics of guarded work off the terminal; [`guarded`] tells of them.
pub fn install() {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |fault| {
        if !IS_GUARDED.get() {
            return usual(fault);
        }
        let payload = fault.payload();
        let message = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
        let message = message.unwrap_or("no reason given");
        let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let message: String = message.chars().take(200).collect();
        let place = fault.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        FAULT.set(Some(format!("{message}{place}")));
    }));
}

/// Does `work`; if it panics, says so in one line.
///
/// What `work` changes must not matter after that.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let was_guarded = IS_GUARDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(was_guarded);
    result.map_err(|_| {
        let fault = FAULT.take().unwrap_or_else(|| "no reason given".to_owned());
        format!("a fault of yolo-cam, please report it with this file: {fault}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_one_line_that_asks_for_a_report() {
        install();
        assert_eq!(guarded(|| 3), Ok(3));
        let fault = guarded(|| panic!("over\n{} lines", 2)).unwrap_err();
        assert!(fault.starts_with("a fault of yolo-cam, please report it with this file: over 2 lines at "), "{fault}");
        assert_eq!(guarded(|| 4), Ok(4));
    }
}

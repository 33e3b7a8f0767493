//! Exit codes.

/// What the process tells scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All pictures are done.
    Fine = 0,
    /// Some pictures failed, the others are done.
    SomeFailed = 1,
    /// Wrong use, or a model that can't be used.
    Unusable = 2,
    /// The user interrupted the run; what was under way is done.
    Interrupted = 130,
    /// Something else did, such as a scheduler that needs the machine, with SIGTERM; likewise.
    Terminated = 143,
}

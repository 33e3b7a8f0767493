//! How much a stranger's file may ask for. Real files stay far below each of these.

/// The bounds, in one place, so that what a file can cost at most is read off here.
#[derive(Debug, Clone, Copy)]
pub struct Limits;

impl Limits {
    /// Bytes of a checkpoint's pickle: some hundred kilobytes; the weights lie beside it.
    pub const PICKLE_BYTES: u64 = 8 << 20;
    /// How deep modules lie in each other: less than ten.
    pub const MODULE_DEPTH: usize = 32;
    /// Bytes of all weights of a checkpoint.
    pub const WEIGHT_BYTES: u64 = 2 << 30;
    /// Letters of a module's path, `model.8.m.2.cv1.conv`.
    pub const PATH_LETTERS: usize = 200;
    /// Bytes of a decoded picture, or of a frame: 358 megapixels of RGB. A small file can ask for far more.
    pub const PICTURE_BYTES: u64 = 1 << 30;
}

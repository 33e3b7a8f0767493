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
    /// Letters of a class's name in a pickle, `models.common.Conv`.
    pub const CLASS_LETTERS: usize = 1_000;
    /// Classes of a detector: the largest data sets have some thousand.
    pub const CLASSES: usize = 100_000;
    /// Letters of a class name, the rest is cut.
    pub const NAME_LETTERS: usize = 200;
    /// Inputs of one block: a head has at most five.
    pub const BLOCK_INPUTS: usize = 1_000;
    /// Tensors of a checkpoint's network: some hundred, of the largest about two thousand.
    pub const TENSORS: usize = 20_000;
    /// How many times their file the weights of a checkpoint may take, since `torch.save` does not compress. Packed anew,
    /// trained weights shrink by less than a half.
    pub const UNPACKED_TIMES: u64 = 4;
    /// Bytes that weights may take however small their file: those of a network that was never trained pack well.
    pub const UNPACKED_BYTES: u64 = 64 << 20;
    /// Entries of a model's archive: one for each tensor and each class, some thousand.
    pub const ARCHIVE_ENTRIES: usize = 100_000;
    /// Bytes of the sources in a TorchScript file: less than half a megabyte.
    pub const CODE_BYTES: u64 = 4 << 20;
    /// Classes and functions in these sources: some hundred.
    pub const DEFINITIONS: usize = 20_000;
    /// How many of them use each other in a row: about ten.
    pub const DEFINITION_DEPTH: usize = 64;
    /// Blocks within blocks of a source: three.
    pub const BLOCK_DEPTH: usize = 64;
    /// Brackets within brackets and operators in a row: about ten.
    pub const EXPRESSION_DEPTH: usize = 256;
    /// Words of one statement, which may be a long list.
    pub const STATEMENT_TOKENS: usize = 200_000;
    /// How deep values of a TorchScript's pickle lie in each other: less than 40.
    pub const PICKLE_DEPTH: usize = 256;
    /// By how many values the tensors of a TorchScript's pickle are larger than their storages: grids of anchors, some hundred
    /// thousand.
    pub const EXPANDED_VALUES: u64 = 1 << 26;
    /// Dimensions of a tensor: six in a grid of anchors.
    pub const TENSOR_DIMENSIONS: usize = 16;
    /// Calls of modules and functions that a network makes: some hundred, of the largest about two thousand.
    pub const CALLS: usize = 5_000;
    /// Pixels of a side that a file may choose for its input, since memory grows with it: traces have 640, some 1920. The user
    /// may choose more.
    pub const TRACED_SIDE: u32 = 2048;
    /// Bytes of one tensor of a forward pass, for each number of the input: 11 of YOLOv5s, and of the largest less than a
    /// hundred.
    pub const BYTES_PER_INPUT_VALUE: usize = 256;
    /// Bytes of one tensor of a forward pass, however small the input: a copy of the weights of a convolution takes 15 MB of the
    /// largest.
    pub const TENSOR_BYTES: usize = 32 << 20;
    /// How many times that all tensors of a forward pass may take together, whether or not they are freed in between: those
    /// of YOLOv5s with their gradients take 245 bytes for each number, those of the largest some six times as much.
    pub const TENSORS_PER_FORWARD: usize = 16;
    /// Bytes that a picture takes while it is read and drawn, and all of them together: 178 megapixels of RGB. A small
    /// file can ask for far more.
    pub const PICTURE_BYTES: u64 = 1 << 30;
    /// Bytes of a file that is read as a whole: a picture as large as can be, not compressed.
    pub const FILE_BYTES: u64 = 1 << 30;
    /// Scans of a JPEG: a progressive one has about ten. Each goes through all pixels, whatever few bytes it has.
    pub const JPEG_SCANS: usize = 100;
    /// Bytes of the header of a `.npy`: about a hundred.
    pub const NPY_HEADER_BYTES: usize = 4096;
}

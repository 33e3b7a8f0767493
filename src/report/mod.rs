//! From an explanation to files: one file here for each output format.

mod csv;
mod figure;
mod json;
mod mask;
mod picture;
mod prediction;
mod query;
mod raw;
mod record;

pub use self::{
    csv::{Cell, CsvRow, RowTable, write_csv},
    figure::{Figure, KeypointEntry, RotatedEntry},
    json::{write_json, write_value},
    mask::MaskEntry,
    picture::{DEFAULT_QUALITY, jpeg_bytes, max_side, write_picture},
    prediction::PredictionEntry,
    query::{CandidateEntry, FateEntry, QueryEntry, TrialEntry, WinnerEntry},
    raw::{RawFormat, raw_bytes, write_raw},
    record::{DetectionEntry, ImageEntry, InputEntry, RawMap, Record},
};

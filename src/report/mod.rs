//! From an explanation to files: one file here for each output format.

mod json;
mod npy;
mod picture;

pub use self::{
    json::{JsonReport, write_json},
    npy::write_npy,
    picture::{max_side, write_picture},
};

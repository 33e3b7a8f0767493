//! `STEM-res.json`. The workers write it with the other files of a picture.

use super::ReportSpec;

pub const SPEC: ReportSpec = ReportSpec { name: "json", summary: "STEM-res.json for each picture", open: None };

//! `report.csv`: a run as a table, one row for each box.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufReader, Seek},
    path::{Path, PathBuf},
};

use csv::ByteRecord;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{KeypointEntry, Record};
use crate::{
    error::{Error, Result},
    eval::{Verdict, Word},
    files::{folder_of, write_atomically},
    geometry::RotatedBox,
    shape::ShapeNumbers,
};

/// A text in a table. A spreadsheet takes one that begins with `=`, `+`, `-` or `@` for a formula, which may read files or call
/// a server, and names come from strangers: an apostrophe in front makes it text. It is taken off when the table is read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Cell(String);

/// What a formula may begin with. Tabs and line ends are skipped in front of it.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

impl Cell {
    /// Whether an apostrophe is, or is to be, in front: one more than a formula has already.
    fn is_formula(text: &str) -> bool {
        text.trim_start_matches('\'').starts_with(FORMULA)
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match Self::is_formula(&self.0) {
            true => serializer.collect_str(&format_args!("'{}", self.0)),
            false => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let plain = text.strip_prefix('\'').filter(|rest| Self::is_formula(rest));
        Ok(Self(plain.map_or_else(|| text.clone(), str::to_owned)))
    }
}

/// A row of the table. A picture without boxes has a row without a box, one that failed a row with its error.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CsvRow {
    image: Cell,
    image_width: Option<u32>,
    image_height: Option<u32>,
    method: Option<Cow<'static, str>>,
    target: Option<Cow<'static, str>>,
    index: Option<usize>,
    class_id: Option<usize>,
    class: Option<Cell>,
    confidence: Option<f32>,
    logit: Option<f32>,
    x1: Option<f32>,
    y1: Option<f32>,
    x2: Option<f32>,
    y2: Option<f32>,
    head: Option<usize>,
    layers: Option<Cell>,
    peak: Option<f32>,
    empty: Option<bool>,
    reason: Option<Cell>,
    map: Option<Cell>,
    shape_threshold: Option<f32>,
    shape_others: Option<usize>,
    shape_area: Option<usize>,
    shape_perimeter: Option<f64>,
    shape_centroid_x: Option<f64>,
    shape_centroid_y: Option<f64>,
    shape_x1: Option<f32>,
    shape_y1: Option<f32>,
    shape_x2: Option<f32>,
    shape_y2: Option<f32>,
    shape_orientation: Option<f64>,
    shape_major_axis: Option<f64>,
    shape_minor_axis: Option<f64>,
    shape_hull_area: Option<f64>,
    shape_solidity: Option<f64>,
    shape_circularity: Option<f64>,
    shape_inside_box: Option<f64>,
    shape_box_iou: Option<f64>,
    shape_descriptors: Option<String>,
    shape_rebuild_mean: Option<f64>,
    shape_rebuild_hausdorff: Option<f64>,
    shape_degenerate: Option<String>,
    error: Option<Cell>,
    // No cell of the row itself: the table has columns for these only where a network gives masks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    masks: Option<MaskCells>,
    // Nor these, unless it gives keypoints, or rotated boxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keypoints: Option<KeypointCells>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rotated: Option<RotatedCells>,
    // Nor these, unless maps were verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verify: Option<VerifyCells>,
}

/// The last columns of a table about masks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct MaskCells {
    shape_inside_mask: Option<f64>,
    shape_mask_iou: Option<f64>,
    mask_area: Option<usize>,
}

/// The column of a table with keypoints: `x y` or `x y visibility` of each, separated by semicolons.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct KeypointCells {
    keypoints: Option<String>,
}

impl KeypointCells {
    fn of(keypoints: &[KeypointEntry]) -> Option<Self> {
        let words = |keypoint: &KeypointEntry| {
            let values = [Some(keypoint.x), Some(keypoint.y), keypoint.visibility];
            values.into_iter().flatten().map(|value| value.to_string()).collect::<Vec<_>>().join(" ")
        };
        let cell = || keypoints.iter().map(words).collect::<Vec<_>>().join(";");
        (!keypoints.is_empty()).then(|| Self { keypoints: Some(cell()) })
    }
}

/// The columns of a table with rotated boxes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct RotatedCells {
    rotated_cx: Option<f32>,
    rotated_cy: Option<f32>,
    rotated_w: Option<f32>,
    rotated_h: Option<f32>,
    rotated_angle: Option<f32>,
}

impl From<&RotatedBox> for RotatedCells {
    fn from(b: &RotatedBox) -> Self {
        Self {
            rotated_cx: Some(b.cx),
            rotated_cy: Some(b.cy),
            rotated_w: Some(b.w),
            rotated_h: Some(b.h),
            rotated_angle: Some(b.angle),
        }
    }
}

/// The columns of a table whose maps were verified.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct VerifyCells {
    verify: Option<Word>,
    verify_mean_gain: Option<f64>,
    verify_tiles_gain: Option<f64>,
}

impl From<&Verdict> for VerifyCells {
    fn from(verdict: &Verdict) -> Self {
        Self {
            verify: Some(verdict.word),
            verify_mean_gain: Some(verdict.mean.gain()),
            verify_tiles_gain: Some(verdict.tiles.gain()),
        }
    }
}

impl CsvRow {
    /// The rows of a picture that was explained.
    pub fn explained(record: &Record) -> Vec<Self> {
        let picture = Self {
            image: record.image.path.as_str().into(),
            image_width: Some(record.image.width),
            image_height: Some(record.image.height),
            method: Some(record.method.into()),
            target: Some(record.target.into()),
            ..Self::default()
        };
        if record.detections.is_empty() {
            return vec![picture];
        }
        let row = |detection: &super::DetectionEntry| Self {
            index: Some(detection.index),
            class_id: Some(detection.class_id),
            class: Some(detection.class.as_str().into()),
            confidence: Some(detection.confidence),
            logit: Some(detection.logit),
            x1: detection.box_image.map(|b| b.x1),
            y1: detection.box_image.map(|b| b.y1),
            x2: detection.box_image.map(|b| b.x2),
            y2: detection.box_image.map(|b| b.y2),
            head: Some(detection.head),
            layers: Some(detection.layers.join(" ").into()),
            peak: Some(detection.peak),
            empty: Some(detection.empty),
            reason: detection.reason.clone().map(Cell::from),
            map: detection.map.clone().map(Cell::from),
            masks: detection.mask.as_ref().map(|mask| MaskCells {
                shape_inside_mask: detection.shape.as_ref().and_then(|shape| shape.inside_mask),
                shape_mask_iou: detection.shape.as_ref().and_then(|shape| shape.mask_iou),
                mask_area: Some(mask.area),
            }),
            keypoints: KeypointCells::of(&detection.keypoints),
            rotated: detection.rotated.as_ref().map(|entry| RotatedCells::from(&entry.rotated)),
            verify: detection.verify.as_ref().map(VerifyCells::from),
            ..picture.clone().with_shape(detection.shape.as_ref())
        };
        record.detections.iter().map(row).collect()
    }

    /// The row of a map or mask that was measured by itself.
    pub fn measured(file: &str, shape: &ShapeNumbers) -> Self {
        Self { image: file.into(), ..Self::default() }.with_shape(Some(shape))
    }

    fn with_shape(self, shape: Option<&ShapeNumbers>) -> Self {
        let Some(shape) = shape else { return self };
        let descriptors: Vec<String> = shape.descriptors.iter().map(f64::to_string).collect();
        Self {
            shape_threshold: Some(shape.threshold),
            shape_others: Some(shape.others),
            shape_area: Some(shape.area),
            shape_perimeter: Some(shape.perimeter),
            shape_centroid_x: Some(shape.centroid[0]),
            shape_centroid_y: Some(shape.centroid[1]),
            shape_x1: Some(shape.bounding_box.x1),
            shape_y1: Some(shape.bounding_box.y1),
            shape_x2: Some(shape.bounding_box.x2),
            shape_y2: Some(shape.bounding_box.y2),
            shape_orientation: Some(shape.orientation),
            shape_major_axis: Some(shape.major_axis),
            shape_minor_axis: Some(shape.minor_axis),
            shape_hull_area: Some(shape.hull_area),
            shape_solidity: Some(shape.solidity),
            shape_circularity: Some(shape.circularity),
            shape_inside_box: shape.inside_box,
            shape_box_iou: shape.box_iou,
            shape_descriptors: Some(descriptors.join(" ")),
            shape_rebuild_mean: shape.rebuild_error.map(|error| error.mean),
            shape_rebuild_hausdorff: shape.rebuild_error.map(|error| error.hausdorff),
            shape_degenerate: shape.degenerate.clone(),
            ..self
        }
    }

    /// The row of a picture that failed.
    pub fn failed(image: &str, error: &str) -> Self {
        Self { image: image.into(), error: Some(error.into()), ..Self::default() }
    }
}

impl CsvRow {
    /// The picture, as given.
    pub fn image(&self) -> &str {
        &self.image.0
    }
}

/// The table of a run. Behind the columns that each table has are those about masks, keypoints, rotated boxes and verdicts, if any of its
/// rows has such.
///
/// Rows are in a temporary file until all of them are known, so that memory does not depend on how many there are.
pub struct RowTable {
    path: PathBuf,
    /// With all columns.
    rows: csv::Writer<File>,
    count: usize,
    /// Which groups of columns some row has, in the order of `GROUPS`.
    has: [bool; 4],
}

/// How many columns are about masks, keypoints, rotated boxes and verdicts.
const GROUPS: [usize; 4] = [3, 1, 5, 3];

impl RowTable {
    /// A table that will be at `path`.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn new(path: &Path) -> Result<Self> {
        let file = folder_of(path).and_then(tempfile::tempfile_in).map_err(Error::io(path))?;
        let (rows, path) = (csv::Writer::from_writer(file), path.to_owned());
        Ok(Self { path, rows, count: 0, has: [false; 4] })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn add(&mut self, row: &CsvRow) -> Result<()> {
        self.count += 1;
        let CsvRow { masks, keypoints, rotated, verify, .. } = row.clone();
        let found = [masks.is_some(), keypoints.is_some(), rotated.is_some(), verify.is_some()];
        self.has.iter_mut().zip(found).for_each(|(has, found)| *has |= found);
        let plain = CsvRow { masks: None, keypoints: None, rotated: None, verify: None, ..row.clone() };
        let groups = (
            masks.unwrap_or_default(),
            keypoints.unwrap_or_default(),
            rotated.unwrap_or_default(),
            verify.unwrap_or_default(),
        );
        self.rows.serialize((plain, groups)).map_err(|error| Error::io(&self.path)(io::Error::other(error)))
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn close(self) -> Result<()> {
        let Self { path, rows, count, has } = self;
        if count == 0 {
            return write_csv::<CsvRow>(&path, &[]);
        }
        let file = rows.into_inner().map_err(|error| Error::io(&path)(error.into_error()))?;
        let of_groups: Vec<bool> = GROUPS.iter().zip(has).flat_map(|(&columns, has)| vec![has; columns]).collect();
        write_atomically(&path, |out| {
            (&file).rewind()?;
            let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(BufReader::new(&file));
            let mut writer = csv::Writer::from_writer(out);
            let mut row = ByteRecord::new();
            while reader.read_byte_record(&mut row).map_err(io::Error::other)? {
                let plain = row.len() - of_groups.len();
                let is_wanted = |column: usize| column < plain || of_groups[column - plain];
                let cells = row.iter().enumerate().filter(|(column, _)| is_wanted(*column)).map(|(_, cell)| cell);
                writer.write_record(cells).map_err(io::Error::other)?;
            }
            writer.flush()
        })
    }
}

/// Writes rows under a header. Boxes are in pixels of the picture.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn write_csv<Row: Serialize + Default>(path: &Path, rows: &[Row]) -> Result<()> {
    write_atomically(path, |out| {
        let mut writer = csv::Writer::from_writer(out);
        if rows.is_empty() {
            // The header is known from a row only.
            let mut header = csv::Writer::from_writer(Vec::new());
            header.serialize(Row::default()).map_err(io::Error::other)?;
            let text = header.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
            let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
            let fields = std::str::from_utf8(first).map_err(io::Error::other)?.split(',');
            writer.write_record(fields).map_err(io::Error::other)?;
        }
        for row in rows {
            writer.serialize(row).map_err(io::Error::other)?;
        }
        writer.flush()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_rows(path: &Path, rows: &[CsvRow]) -> Result<()> {
        let mut table = RowTable::new(path)?;
        rows.iter().try_for_each(|row| table.add(row))?;
        table.close()
    }

    fn rows_of(path: &Path) -> Vec<CsvRow> {
        csv::Reader::from_path(path).unwrap().into_deserialize().map(Result::unwrap).collect()
    }

    #[test]
    fn rows_are_quoted_where_they_must_be_and_none_leave_a_header() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        let read = || std::fs::read_to_string(&path).unwrap();
        write_csv(&path, &[CsvRow::failed("a, \"b\".jpg", "is\nempty")]).unwrap();
        let with_row = read();
        let (header, row) = with_row.split_once('\n').unwrap();
        assert!(header.starts_with("image,image_width,") && header.ends_with(",error"), "{header}");
        assert_eq!(rows_of(&path), [CsvRow::failed("a, \"b\".jpg", "is\nempty")]);
        assert!(row.starts_with("\"a, \"\"b\"\".jpg\",,") && row.ends_with(",\"is\nempty\"\n"), "{row}");
        write_csv::<CsvRow>(&path, &[]).unwrap();
        assert_eq!(read(), format!("{header}\n"));
    }

    #[test]
    fn columns_about_masks_are_the_last_and_there_only_if_there_are_masks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        let plain = CsvRow::failed("a.jpg", "is empty");
        let lines = |rows: &[CsvRow]| {
            write_rows(&path, rows).unwrap();
            std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let header = lines(std::slice::from_ref(&plain)).remove(0);
        let masks = MaskCells { mask_area: Some(12), ..MaskCells::default() };
        let masked = CsvRow { masks: Some(masks), ..CsvRow::failed("b.jpg", "") };
        let found = lines(&[plain, masked]);
        assert_eq!(found[0], format!("{header},shape_inside_mask,shape_mask_iou,mask_area"));
        assert!(found[1].ends_with(",is empty,,,") && found[2].ends_with(",,,12"), "{found:?}");
    }

    #[test]
    fn columns_about_verdicts_come_behind_those_about_masks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        let verify =
            VerifyCells { verify: Some(Word::NoBetterThanABlob), verify_mean_gain: Some(-0.5), ..Default::default() };
        let verified = CsvRow { verify: Some(verify), ..CsvRow::failed("b.jpg", "") };
        let masks = MaskCells { mask_area: Some(12), ..MaskCells::default() };
        let masked = CsvRow { masks: Some(masks), ..CsvRow::failed("a.jpg", "") };
        let lines = |rows: &[CsvRow]| {
            write_rows(&path, rows).unwrap();
            std::fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let alone = lines(std::slice::from_ref(&verified));
        assert!(alone[0].ends_with(",error,verify,verify_mean_gain,verify_tiles_gain"), "{alone:?}");
        assert!(alone[1].ends_with(",,blob,-0.5,"), "{alone:?}");
        let both = lines(&[masked, verified]);
        assert!(both[0].ends_with(",mask_area,verify,verify_mean_gain,verify_tiles_gain"), "{both:?}");
        assert!(both[1].ends_with(",12,,,") && both[2].ends_with(",,,,blob,-0.5,"), "{both:?}");
    }

    #[test]
    fn keypoints_and_rotated_boxes_have_columns_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        let keypoint = |x: f32, visibility: Option<f32>| KeypointEntry { name: None, x, y: 2.5, visibility };
        let keypoints = KeypointCells::of(&[keypoint(1.0, Some(0.5)), keypoint(3.0, None)]);
        let rotated = RotatedBox { cx: 1.0, cy: 2.0, w: 3.0, h: 4.0, angle: 0.5 };
        let rows = [
            CsvRow { keypoints, ..CsvRow::failed("a.jpg", "") },
            CsvRow { rotated: Some(RotatedCells::from(&rotated)), ..CsvRow::failed("b.jpg", "") },
        ];
        write_rows(&path, &rows).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines[0].ends_with(",error,keypoints,rotated_cx,rotated_cy,rotated_w,rotated_h,rotated_angle"),
            "{text}"
        );
        assert!(lines[1].ends_with(",1 2.5 0.5;3 2.5,,,,,"), "{text}");
        assert!(lines[2].ends_with(",,1.0,2.0,3.0,4.0,0.5"), "{text}");
    }

    #[test]
    fn no_cell_of_text_is_a_formula_and_each_is_read_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report.csv");
        let formulas = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''-1"];
        let plain = ["a=b", "'", "'quoted'", "", "é", "a-res.png"];
        let rows: Vec<CsvRow> = formulas.iter().chain(&plain).map(|text| CsvRow::failed(text, "=error")).collect();
        write_csv(&path, &rows).unwrap();
        let mut reader = csv::Reader::from_path(&path).unwrap();
        for (record, text) in reader.records().zip(formulas.iter().chain(&plain)) {
            let record = record.unwrap();
            let expected = if formulas.contains(text) { format!("'{text}") } else { (*text).to_owned() };
            assert_eq!((&record[0], &record[record.len() - 1]), (expected.as_str(), "'=error"));
        }
        assert_eq!(rows_of(&path), rows);
    }
}

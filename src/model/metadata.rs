//! `config.txt`: what Ultralytics' exporter writes into a TorchScript file beside the network.

use serde_json::Value;

use super::{
    checkpoint::Package,
    names::{Names, python_bool, python_float},
};
use crate::geometry::Size;

/// What a file says of its network, as far as it is of use.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Metadata {
    /// Class names.
    pub names: Option<Names>,
    /// Number of classes, which checkpoints tell.
    pub classes: Option<usize>,
    /// `[N, 3, H, W]` of the input that the network was traced at.
    pub shape: Option<[i64; 4]>,
    /// Whether the exporter says that it made the network for any size.
    pub is_dynamic: bool,
    /// The version of the `ultralytics` package, which YOLOv8 and later name.
    pub ultralytics_version: Option<String>,
    /// What the network is for, `detect` or `pose`, which they name too.
    pub task: Option<String>,
    /// Longest side of the input in training, which checkpoints tell.
    pub trained_side: Option<u32>,
    /// Strides of the levels.
    pub strides: Strides,
    /// How many keypoints an object has, and how many values each of them.
    pub keypoints: Option<(usize, usize)>,
    /// Names of the keypoints.
    pub keypoint_names: Vec<String>,
}

/// What a file says of the strides of its levels.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) enum Strides {
    /// Nothing.
    #[default]
    Unknown,
    /// One for each level, in a checkpoint of this package; 0 where it was never measured.
    OfLevels { said: Vec<f64>, package: Package },
    /// The largest, as `config.txt` has it.
    Largest(u32),
}

impl Metadata {
    /// Reads the JSON text. What is missing or of another form is left out: the network itself tells the rest.
    pub fn parse(text: &str) -> Self {
        let config: Value = serde_json::from_str(text).unwrap_or_default();
        Self {
            names: names(&config["names"]),
            classes: None,
            shape: shape(&config["shape"]).or_else(|| later_shape(&config)),
            is_dynamic: config["args"]["dynamic"].as_bool().unwrap_or(false),
            ultralytics_version: config["version"].as_str().map(str::to_owned),
            task: config["task"].as_str().map(str::to_owned),
            trained_side: None,
            strides: largest_stride(&config["stride"]).map_or(Strides::Unknown, Strides::Largest),
            keypoints: keypoints(&config["kpt_shape"]),
            keypoint_names: keypoint_names(&config["kpt_names"]),
        }
    }

    /// The size of the input that the network was traced at.
    pub fn traced_size(&self) -> Option<Size> {
        self.shape.map(|[_, _, height, width]| Size { width: width as u32, height: height as u32 })
    }
}

fn shape(value: &Value) -> Option<[i64; 4]> {
    /// Pixels of a side, and pictures: more than any trace has.
    const MOST: i64 = 4096;
    let sides: Option<Vec<i64>> = value.as_array()?.iter().map(Value::as_i64).collect();
    let shape: [i64; 4] = sides?.try_into().ok()?;
    let [pictures, channels, height, width] = shape;
    let is_sound = (1..=64).contains(&pictures) && channels == 3;
    (is_sound && [height, width].iter().all(|side| (1..=MOST).contains(side))).then_some(shape)
}

/// `kpt_shape`: how many keypoints, and how many values of each.
fn keypoints(value: &Value) -> Option<(usize, usize)> {
    match value.as_array()?.as_slice() {
        [count, values] => Some((count.as_u64()?.try_into().ok()?, values.as_u64()?.try_into().ok()?)),
        _ => None,
    }
}

/// `kpt_names`: a list for each class, by its index. All classes of a network have as many keypoints; the first list counts.
fn keypoint_names(value: &Value) -> Vec<String> {
    let lists = value.as_object().and_then(|lists| lists.get("0").or_else(|| lists.values().next()));
    let names = lists
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    names.unwrap_or_default()
}

/// Exporters write a whole number, some versions as a float.
fn largest_stride(value: &Value) -> Option<u32> {
    let stride = value.as_f64().filter(|stride| *stride >= 1.0 && stride.fract() == 0.0)?;
    (stride <= f64::from(u32::MAX)).then_some(stride as u32)
}

/// The later packages' form: `imgsz` is `[height, width]` or one number, `batch` how many pictures.
fn later_shape(config: &Value) -> Option<[i64; 4]> {
    let (height, width) = match &config["imgsz"] {
        Value::Array(sides) => (sides.first()?.clone(), sides.get(1)?.clone()),
        side => (side.clone(), side.clone()),
    };
    shape(&serde_json::json!([config["batch"].as_i64().unwrap_or(1), 3, height, width]))
}

/// `names` is a list up to v6.1 and a map from index to name later.
fn names(value: &Value) -> Option<Names> {
    let mut names = Names::default();
    match value {
        Value::Array(list) => list.iter().enumerate().for_each(|(class, value)| names.add(Some(class), name(value))),
        Value::Object(map) => map.iter().for_each(|(class, value)| names.add(class.parse().ok(), name(value))),
        _ => return None,
    }
    Some(names)
}

/// A name as Python prints it: names of data.yaml may be numbers.
fn name(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(python_bool(*value)),
        Value::Null => Some("None".to_owned()),
        Value::Number(number) if number.is_f64() => number.as_f64().map(python_float),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, classes: usize) -> (Vec<String>, Option<String>) {
        Names::fit(Metadata::parse(text).names, classes)
    }

    #[test]
    fn names_are_a_list_or_a_map() {
        let expected = (vec!["a".to_owned(), "b".to_owned()], None);
        assert_eq!(names(r#"{"names": ["a", "b"]}"#, 2), expected);
        assert_eq!(names(r#"{"names": {"1": "b", "0": "a"}}"#, 2), expected);
        let (from_one, warning) = names(r#"{"names": {"1": "b", "2": "a", "x": "y"}}"#, 3);
        assert_eq!(from_one, ["class0", "b", "a"]);
        assert!(warning.is_some_and(|warning| warning.contains("2 of its 3 classes")));
        assert_eq!(Metadata::parse("no json"), Metadata::default());
    }

    #[test]
    fn names_that_are_no_text_are_what_python_prints() {
        let text = r#"{"names": [21008, true, 1.5, null, -1, 1e-7, ["x"]]}"#;
        assert_eq!(names(text, 7).0, ["21008", "True", "1.5", "None", "-1", "1e-07", "class6"]);
    }
}

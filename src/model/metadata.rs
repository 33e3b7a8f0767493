//! `config.txt`: what Ultralytics' exporter writes into a TorchScript file beside the network.

use serde_json::Value;

/// What a file says of its network, as far as it is of use.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Metadata {
    /// Class names, in order of class.
    pub names: Option<Vec<String>>,
    /// Number of classes, which checkpoints tell.
    pub classes: Option<usize>,
    /// `[N, 3, H, W]` of the input that the network was traced at.
    pub shape: Option<[i64; 4]>,
    /// The version of the `ultralytics` package, which YOLOv8 and later name.
    pub ultralytics_version: Option<String>,
}

impl Metadata {
    /// Reads the JSON text. What is missing or of another form is left out: the network itself tells the rest.
    pub fn parse(text: &str) -> Self {
        let config: Value = serde_json::from_str(text).unwrap_or_default();
        Self {
            names: names(&config["names"]),
            classes: None,
            shape: shape(&config["shape"]),
            ultralytics_version: config["version"].as_str().map(str::to_owned),
        }
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

/// `names` is a list up to v6.1 and a map from index to name later.
fn names(value: &Value) -> Option<Vec<String>> {
    let name = |value: &Value| value.as_str().map(str::to_owned);
    match value {
        Value::Array(list) => list.iter().map(name).collect(),
        Value::Object(map) => (0..map.len()).map(|index| name(map.get(&index.to_string())?)).collect(),
        _ => None,
    }
}

/// The classes of COCO, for models that were exported without names.
pub(super) const COCO: [&str; 80] = [
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic light",
    "fire hydrant",
    "stop sign",
    "parking meter",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "backpack",
    "umbrella",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports ball",
    "kite",
    "baseball bat",
    "baseball glove",
    "skateboard",
    "surfboard",
    "tennis racket",
    "bottle",
    "wine glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted plant",
    "bed",
    "dining table",
    "toilet",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy bear",
    "hair drier",
    "toothbrush",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_a_list_or_a_map() {
        let expected = Some(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(Metadata::parse(r#"{"names": ["a", "b"]}"#).names, expected);
        assert_eq!(Metadata::parse(r#"{"names": {"1": "b", "0": "a"}}"#).names, expected);
        assert_eq!(Metadata::parse(r#"{"names": {"1": "b", "2": "a"}}"#).names, None, "no class 0");
        assert_eq!(Metadata::parse("no json"), Metadata::default());
    }
}

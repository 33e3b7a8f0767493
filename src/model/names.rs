//! Class names: what a file has in their place, and what is made of it.

use std::collections::BTreeMap;

use crate::{limits::Limits, text::counted};

/// Class names as a file has them: more or fewer than there are classes, of any numbers, and not always text.
#[derive(Debug, Default, Clone, PartialEq)]
pub(super) struct Names {
    /// By class; `None` where the file has something that is no name.
    of_class: BTreeMap<usize, Option<String>>,
    /// How many are of nothing that could be a class.
    strays: usize,
    /// How many were cut.
    cut: usize,
}

impl Names {
    /// Adds what the file has for `class`; the last one counts.
    pub fn add(&mut self, class: Option<usize>, name: Option<String>) {
        let Some(class) = class.filter(|&class| class < Limits::CLASSES) else {
            self.strays += 1;
            return;
        };
        let mut name = name.filter(|name| !name.trim().is_empty());
        if let Some(name) = &mut name
            && let Some((end, _)) = name.char_indices().nth(Limits::NAME_LETTERS)
        {
            name.truncate(end);
            self.cut += 1;
        }
        self.of_class.insert(class, name);
    }

    /// How many there are, whether they fit or not.
    pub fn len(&self) -> usize {
        self.of_class.len() + self.strays
    }

    /// One name for each class, and in one line what does not fit. A class without a name is called by its number, but
    /// COCO's names are taken for 80 classes of a file that has none at all.
    pub fn fit(own: Option<Self>, classes: usize) -> (Vec<String>, Option<String>) {
        let own = own.unwrap_or_default();
        if own.len() == 0 && classes == COCO.len() {
            return (COCO.map(str::to_owned).to_vec(), None);
        }
        let warning = if own.len() == 0 { None } else { own.misfit(classes) };
        let Self { mut of_class, .. } = own;
        let name = |class| of_class.remove(&class).flatten().unwrap_or_else(|| by_number(class));
        ((0..classes).map(name).collect(), warning)
    }

    fn misfit(&self, classes: usize) -> Option<String> {
        let has_name = |class: &usize| self.of_class.get(class).is_some_and(Option::is_some);
        let named = (0..classes).filter(has_name).count();
        let surplus = self.strays + self.of_class.range(classes..).count();
        let mut parts = Vec::new();
        if named < classes {
            let nameless: Vec<String> = (0..classes).filter(|class| !has_name(class)).take(2).map(by_number).collect();
            let more = if classes - named > nameless.len() { ", ..." } else { "" };
            parts.push(format!(
                "has names for {named} of its {}; without one: {}{more}",
                counted(classes, "class", "classes"),
                nameless.join(", ")
            ));
        }
        if surplus > 0 {
            parts.push(format!("leaves out {} for classes beyond its {classes}", counted(surplus, "name", "names")));
        }
        if self.cut > 0 {
            parts.push(format!("cuts {} to {} letters", counted(self.cut, "name", "names"), Limits::NAME_LETTERS));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// What a class without a name is called.
pub(crate) fn by_number(class: usize) -> String {
    format!("class{class}")
}

/// Python's `str` of a truth value.
pub(super) fn python_bool(value: bool) -> String {
    if value { "True" } else { "False" }.to_owned()
}

/// Python's `str` of a float.
pub(super) fn python_float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    let text = format!("{value:?}");
    match text.split_once('e') {
        None => text,
        // The sign is always there, and two digits.
        Some((mantissa, exponent)) => match exponent.strip_prefix('-') {
            Some(digits) => format!("{mantissa}e-{digits:0>2}"),
            None => format!("{mantissa}e+{exponent:0>2}"),
        },
    }
}

/// The classes of COCO, for models that were exported without names.
const COCO: [&str; 80] = [
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

/// COCO's keypoints of a person.
const COCO_KEYPOINTS: [&str; 17] = [
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
];

/// What `count` keypoints are called: `own`, if there is a name for each, else COCO's for as many as COCO has.
pub(super) fn of_keypoints(own: Vec<String>, count: usize) -> Vec<String> {
    if own.len() == count {
        own
    } else if count == COCO_KEYPOINTS.len() {
        COCO_KEYPOINTS.map(str::to_owned).to_vec()
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Option<Names> {
        let mut names = Names::default();
        for (class, name) in list.iter().enumerate() {
            names.add(Some(class), Some((*name).to_owned()));
        }
        Some(names)
    }

    #[test]
    fn names_are_the_files_own_or_cocos_or_numbers() {
        let fit = |own, classes| Names::fit(own, classes);
        assert_eq!(fit(names(&["helmet", "vest"]), 2), (vec!["helmet".into(), "vest".into()], None));
        assert_eq!(fit(None, 1), (vec!["class0".into()], None));
        assert_eq!(fit(None, 80).0[79], "toothbrush");
        assert_eq!(fit(names(&[]), 80).0[79], "toothbrush");
    }

    #[test]
    fn names_that_do_not_fit_are_taken_as_far_as_they_do_and_the_rest_is_told() {
        let (few, warning) = Names::fit(names(&["helmet", "vest"]), 80);
        assert_eq!(few[..3], ["helmet", "vest", "class2"]);
        assert_eq!(warning.unwrap(), "has names for 2 of its 80 classes; without one: class2, class3, ...");
        let (many, warning) = Names::fit(names(&["helmet", "vest"]), 1);
        assert_eq!(many, ["helmet"]);
        assert_eq!(warning.unwrap(), "leaves out 1 name for classes beyond its 1");
        let mut from_one = Names::default();
        for (class, name) in [(Some(1), "a"), (Some(2), "b"), (None, "c")] {
            from_one.add(class, Some(name.into()));
        }
        let (taken, warning) = Names::fit(Some(from_one), 2);
        assert_eq!(taken, ["class0", "a"]);
        assert_eq!(
            warning.unwrap(),
            "has names for 1 of its 2 classes; without one: class0; leaves out 2 names for classes beyond its 2"
        );
    }

    #[test]
    fn a_name_that_is_empty_or_no_name_is_a_number() {
        let mut own = names(&["", " \t", "cat"]).unwrap();
        own.add(Some(3), None);
        let (taken, warning) = Names::fit(Some(own), 4);
        assert_eq!(taken, ["class0", "class1", "cat", "class3"]);
        assert!(warning.unwrap().contains("1 of its 4 classes"));
    }

    #[test]
    fn a_long_name_is_cut_and_that_is_told() {
        let (taken, warning) = Names::fit(names(&["é".repeat(50_000).as_str(), "cat"]), 2);
        assert_eq!((taken[0].chars().count(), taken[1].as_str()), (200, "cat"));
        assert_eq!(warning.unwrap(), "cuts 1 name to 200 letters");
    }

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        for (value, text) in [
            (1.5, "1.5"),
            (2.0, "2.0"),
            (-0.0, "-0.0"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.25e-7, "1.25e-07"),
            (123456789012345.0, "123456789012345.0"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e300, "1.5e+300"),
            (f64::NAN, "nan"),
            (f64::NEG_INFINITY, "-inf"),
        ] {
            assert_eq!(python_float(value), text);
        }
        assert_eq!([python_bool(true), python_bool(false)], ["True", "False"]);
    }
}
